//! `corpus/evaluate/<case>/`: a pack, the events of a stream, and the decisions it must give.
//! `ACCEPT=1` writes what comes; read the difference before keeping it.

mod common;

use std::{fmt::Write as _, fs, net::IpAddr, path::Path, sync::Arc};

use common::{program_of, read_pack};
use engine::{
    Line, Located, Maybe, NetworkFacts, Signals, Stream, UserFacts, Verdict, Why, decision_line, evaluate, explain,
    read_line,
    value::{Country, GeoFix, Precision},
};

/// Places by address, as a data base would give them.
fn place(ip: Option<IpAddr>) -> (Maybe<Arc<GeoFix>>, NetworkFacts) {
    let fix = |country: &str, city: &str, lat: f64, lon: f64| {
        Maybe::Known(Arc::new(GeoFix {
            country: Country::parse(country).expect("it is a country"),
            region: None,
            city: Some(city.into()),
            lat,
            lon,
            radius_km: 20.0,
            time_zone: None,
            precision: Precision::City,
            source: "fixture".into(),
            digest: "fixture".into(),
        }))
    };
    let network = |tor: bool| NetworkFacts {
        tor: Maybe::Known(tor),
        vpn: Maybe::Known(false),
        hosting: Maybe::Known(false),
        ..NetworkFacts::default()
    };
    match ip.map(|ip| ip.to_string()).as_deref() {
        Some("198.51.100.1") => (fix("GB", "London", 51.507, -0.128), network(false)),
        Some("198.51.100.2") => (fix("AU", "Sydney", -33.868, 151.209), network(false)),
        Some("198.51.100.3") => (fix("KP", "Pyongyang", 39.019, 125.738), network(false)),
        Some("198.51.100.9") => (fix("DE", "Frankfurt", 50.11, 8.68), network(true)),
        _ => (Maybe::Unknown(Why::Absent), NetworkFacts::default()),
    }
}

fn decisions(folder: &str) -> (String, Vec<(Arc<engine::Program>, Signals, Verdict)>) {
    let pack = read_pack(folder);
    let program = program_of(&pack);
    let events = String::from_utf8(pack.files["events.ndjson"].clone()).expect("it is text");
    let mut stream = Stream::new(Arc::clone(&program));
    let mut out = String::new();
    let mut kept = Vec::new();
    for (index, line) in events.lines().enumerate() {
        let index = index as u64;
        let input = match read_line(line) {
            Ok(Line::Challenge { time, user_id, reference, end }) => {
                assert!(stream.challenge(&user_id, &reference, end, time), "no open challenge: {line}");
                continue;
            }
            Ok(Line::Event(input)) => input,
            Err(error) => panic!("{line}: {error:?}"),
        };
        match program.decode(&input) {
            Ok(event) => {
                let (place, network) = place(input.ip);
                let located = Located::new(Arc::new(event), place, network, UserFacts::default());
                let (signals, verdict) = stream.push(located);
                let _ = writeln!(out, "{}", decision_line(index, &verdict, "test"));
                kept.push((Arc::clone(&program), signals, verdict));
            }
            Err(errors) => {
                let error = &errors[0];
                let json = serde_json::json!({ "index": index, "error": error });
                let _ = writeln!(out, "{json}");
            }
        }
    }
    (out, kept)
}

/// The order of keys is the JSON library's, and a feature that any crate may switch on changes it.
fn parsed(lines: &str) -> Vec<serde_json::Value> {
    lines.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect()
}

fn cases() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/evaluate");
    let mut cases: Vec<String> = fs::read_dir(root)
        .expect("the corpus is there")
        .map(|entry| entry.expect("the entry is readable").file_name().to_string_lossy().into_owned())
        .collect();
    cases.sort();
    cases
}

#[test]
fn every_stream_is_decided_as_its_case_says() {
    let mut wrong = String::new();
    for case in cases() {
        let folder = format!("corpus/evaluate/{case}");
        let (out, _) = decisions(&folder);
        assert_eq!(out, decisions(&folder).0, "{case} is decided in two ways");
        let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder).join("decisions.ndjson");
        if std::env::var_os("ACCEPT").is_some() {
            fs::write(&expected, &out).expect("the expectation is writable");
        } else if parsed(&fs::read_to_string(&expected).unwrap_or_default()) != parsed(&out) {
            let _ = write!(wrong, "{case}:\n{out}\n");
        }
    }
    assert!(wrong.is_empty(), "these came out differently:\n{wrong}");
}

#[test]
fn the_audit_log_alone_replays_every_decision() {
    for case in cases() {
        for (program, signals, verdict) in decisions(&format!("corpus/evaluate/{case}")).1 {
            let recorded = Signals { scripts: verdict.scripts.clone(), ..signals };
            let text = serde_json::to_string(&recorded).expect("signals serialise");
            let replayed: Signals = serde_json::from_str(&text).expect("and read back");
            assert_eq!(evaluate(&program, &replayed), verdict, "{case}: {text}");
            assert_eq!(text, serde_json::to_string(&replayed).expect("signals serialise"), "{case}");
            let stored = serde_json::to_string(&verdict).expect("verdicts serialise");
            assert_eq!(serde_json::from_str::<Verdict>(&stored).expect("and read back"), verdict);
        }
    }
}

#[test]
fn the_explanation_says_what_was_decided_and_each_turn_changes_it() {
    for case in cases() {
        for (program, signals, verdict) in decisions(&format!("corpus/evaluate/{case}")).1 {
            let trace = explain(&program, &signals);
            assert_eq!(trace.verdict, verdict, "{case}");
            assert!(trace.would_change.iter().all(|turn| turn.outcome != verdict.outcome), "{case}");
            for hit in &verdict.rules {
                let traced = trace.policies.iter().flat_map(|policy| &policy.rules).find(|rule| rule.rule == hit.rule);
                assert!(traced.is_some(), "{case}: {} matched and is not in the trace", hit.rule);
            }
        }
    }
}
