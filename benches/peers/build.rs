//! Writes the rules as plain Rust, one `if` a rule: what a patient programmer would write by hand.

#[path = "src/rules.rs"]
#[allow(dead_code)]
mod rules;

use std::fmt::Write as _;

use rules::{Field, Op, rules};

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=src/rules.rs");
    println!("cargo:rerun-if-changed=../src/dice.rs");
    println!("cargo:rerun-if-changed=build.rs");
    let rules = rules(1000);
    let mut text = String::new();
    for count in [10, 100, 1000] {
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "#[inline(never)]\npub fn evaluate_{count}(e: &Event, lists: &Sets, out: &mut Vec<u32>) {{");
        for (number, rule) in rules.iter().take(count).enumerate() {
            let clauses: Vec<String> = rule
                .iter()
                .map(|clause| match (clause.field, clause.op) {
                    (Field::Country, Op::In) => format!("lists.countries[{}] >> e.country & 1 == 1", clause.value),
                    (Field::Bin, Op::In) => format!("lists.bins[{}].contains(&e.bin)", clause.value),
                    (Field::Ip, Op::In) => format!("lists.has_ip({}, e.ip)", clause.value),
                    (field, Op::Is) => format!("e.{}", field.name()),
                    (field, op) => format!("e.{} {} {}", field.name(), op.symbol(), clause.value),
                })
                .collect();
            let _ = writeln!(text, "    if {} {{ out.push({number}) }}", clauses.join(" && "));
        }
        text.push_str("}\n");
    }
    let out = std::env::var("OUT_DIR").map_err(std::io::Error::other)?;
    std::fs::write(std::path::Path::new(&out).join("ifs.rs"), text)
}
