use boon::{Compiler, Schemas};
use serde_json::Value;

use crate::support::{Run, checkout};

/// What the standard's schema says against a text; empty if nothing.
fn against_the_schema(sarif: &Value) -> String {
    let schema = checkout("cli/tests/corpus/sarif/sarif-schema-2.1.0.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(schema).expect("the schema is there")).expect("JSON");
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource("sarif.json", schema).expect("a resource");
    let index = compiler.compile("sarif.json", &mut schemas).expect("a schema");
    schemas.validate(sarif, index).err().map(|error| error.to_string()).unwrap_or_default()
}

fn sarif_of(run: Run) -> Value {
    let ran = run.stderr("").run();
    let sarif: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(against_the_schema(&sarif), "", "{}", ran.stdout);
    sarif
}

#[test]
fn the_schema_is_not_content_with_everything() {
    let good = sarif_of(Run::new("check --format sarif .").file("a.rules", "policy p on any { default allow }\n"));
    assert_eq!(good["runs"][0]["results"], Value::Array(vec![]));
    for (pointer, wrong) in [("/version", Value::from("2.0.0")), ("/runs/0/tool/driver/name", Value::from(3))] {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).expect("it is there") = wrong;
        assert_ne!(against_the_schema(&changed), "", "{pointer}");
    }
}

#[test]
fn findings_have_places_fixes_and_rules_with_help() {
    let rules = "event pay { amount: money }\npolicy p on pay {\n  default allow\n  rule r {\n    /* größe */ when amont > 10 EUR\n    then block reason NO_SUCH\n  }\n}\nreason A_BC \"é\"  reason A_BC \"x\"\n";
    let sarif = sarif_of(Run::new("check --format sarif .").file("my pack/a.rules", rules).exit(3));
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().expect("results");
    let with = |code: &str| {
        results.iter().find(|result| result["ruleId"] == code).unwrap_or_else(|| panic!("no {code}: {results:#?}"))
    };
    let slip = with("unknown-signal");
    let place = &slip["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "my%20pack/a.rules");
    assert_eq!((&place["region"]["startLine"], &place["region"]["startColumn"]), (&5.into(), &22.into()));
    assert_eq!((&place["region"]["endLine"], &place["region"]["endColumn"]), (&5.into(), &27.into()));
    assert_eq!(slip["message"]["text"], "there is no signal `amont`\ndid you mean `amount`?");
    let fix = &slip["fixes"][0];
    assert_eq!(fix["properties"]["applicability"], "machine-applicable");
    let replacement = &fix["artifactChanges"][0]["replacements"][0];
    assert_eq!(replacement["insertedContent"]["text"], "amount");
    assert_eq!(replacement["deletedRegion"], place["region"]);
    // Braces stand for arguments in a message.
    assert!(
        with("unknown-reason")["message"]["text"].as_str().is_some_and(|text| !text.replace("{{", "").contains('{'))
    );
    assert_eq!(with("duplicate-name")["relatedLocations"][0]["message"]["text"], "first named here");
    // Every finding points at its rule, and every rule helps.
    let known = run["tool"]["driver"]["rules"].as_array().expect("rules");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(known[index]["id"], result["ruleId"]);
        assert_eq!(known[index]["defaultConfiguration"]["level"], result["level"]);
    }
    for rule in known {
        for text in ["/shortDescription/text", "/fullDescription/text", "/help/text", "/help/markdown"] {
            assert!(rule.pointer(text).and_then(Value::as_str).is_some_and(|text| !text.is_empty()), "{rule}");
        }
        let page = rule["helpUri"].as_str().and_then(|uri| uri.rsplit_once("/main/")).expect("a page of ours").1;
        assert!(checkout(page).is_file(), "{page}");
    }
}

#[test]
fn a_pack_that_cannot_be_read_is_a_result_without_a_place() {
    let sarif = sarif_of(Run::new("check --format sarif .").file("notes.txt", "").exit(3));
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "empty-pack");
}
