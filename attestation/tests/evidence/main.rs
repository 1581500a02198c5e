//! Evidence of every kind: real, forged, broken.

#[path = "../support/maker.rs"]
mod maker;

mod android;
mod apple;
mod damage;
mod play;
mod recorded;
mod roots;

fn at(text: &str) -> jiff::Timestamp {
    text.parse().expect("a time")
}
