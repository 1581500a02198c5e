//! The two implementations of the seam, used through it.

use geoip::{Atlas, Failure, FixtureGeo, GeoLookup, Known, Located, Network, Scope};

fn told(geo: &dyn GeoLookup, ip: &str) -> String {
    let located = geo.locate(ip.parse().expect("an address"));
    let place = match located.place {
        Known::Found(place) => place.country.to_string(),
        Known::Absent => "absent".to_owned(),
        Known::Failed(failure) => format!("failed {failure}"),
    };
    format!("{place} {}", located.network.scope)
}

#[test]
fn callers_cannot_tell_a_table_from_a_file() {
    let broken = Known::Failed(Failure { source: "fixture".to_owned(), reason: "bad pointer".to_owned() });
    let fixture = FixtureGeo::new()
        .at("8.0.0.0/8".parse().expect("a block"), "CA".parse().expect("a code"), 45.0, -75.0, 50.0)
        .at("8.8.8.0/24".parse().expect("a block"), "US".parse().expect("a code"), 37.4, -122.1, 50.0)
        .with(
            "9.9.9.9/32".parse().expect("a block"),
            Located { place: broken, network: Network::unknown(Scope::Public) },
        );
    for (ip, expected) in [
        ("8.8.8.8", "US public"),
        ("::ffff:8.8.8.8", "US public"),
        ("8.1.1.1", "CA public"),
        ("9.9.9.9", "failed `fixture`: bad pointer public"),
        ("7.7.7.7", "absent public"),
        ("10.0.0.1", "absent private"),
    ] {
        assert_eq!(told(&fixture, ip), expected, "{ip}");
    }
    let atlas = Atlas::bundled();
    for (ip, expected) in [("8.8.8.8", "US public"), ("::ffff:8.8.8.8", "US public"), ("10.0.0.1", "absent private")] {
        assert_eq!(told(&atlas, ip), expected, "{ip}");
    }
}
