//! A stream of events, decided.

use std::{net::IpAddr, sync::Arc};

use engine::{
    Line, Located, Maybe, NetworkFacts, Program, Signals, Stream, UserFacts, Verdict, Why,
    codes::Country,
    decision_line, evaluate, explain, read_line,
    value::{GeoFix, Precision},
};

/// The lines of the decisions.
pub fn decided(program: &Arc<Program>, events: &str) -> Vec<String> {
    let mut stream = Stream::new(Arc::clone(program));
    let mut lines = Vec::new();
    for (index, line) in events.lines().enumerate() {
        match read_line(line) {
            Ok(Line::Event(input)) => match program.decode(&input) {
                Ok(event) => {
                    let (place, network) = place(input.ip);
                    let (signals, verdict) =
                        stream.push(Located::new(Arc::new(event), place, network, UserFacts::default()));
                    judge(program, signals, &verdict);
                    lines.push(decision_line(index as u64, &verdict, program.version()).to_string());
                }
                Err(errors) => {
                    assert!(!errors.is_empty(), "an event is refused without a reason");
                    lines.push(format!("{errors:?}"));
                }
            },
            Ok(Line::Challenge { time, user_id, reference, end }) => {
                lines.push(stream.challenge(&user_id, &reference, end, time).to_string());
            }
            Err(error) => lines.push(format!("{error:?}")),
        }
    }
    lines
}

/// The explanation says what was decided, and so does the record alone.
fn judge(program: &Program, signals: Signals, verdict: &Verdict) {
    assert_eq!(&explain(program, &signals).verdict, verdict, "the explanation says something else");
    let recorded = Signals { scripts: verdict.scripts.clone(), ..signals };
    let text = serde_json::to_string(&recorded).expect("signals serialise");
    let replayed: Signals = serde_json::from_str(&text).expect("signals are read back");
    assert_eq!(&evaluate(program, &replayed), verdict, "a replay says something else: {text}");
    let stored = serde_json::to_string(verdict).expect("verdicts serialise");
    assert_eq!(&serde_json::from_str::<Verdict>(&stored).expect("verdicts are read back"), verdict);
}

/// Some addresses are somewhere.
fn place(ip: Option<IpAddr>) -> (Maybe<Arc<GeoFix>>, NetworkFacts) {
    let Some(IpAddr::V4(ip)) = ip else { return (Maybe::Unknown(Why::Absent), NetworkFacts::default()) };
    let [first, _, _, last] = ip.octets();
    let (country, lat, lon) = match last % 4 {
        0 => ("NZ", -36.85, 174.76),
        1 => ("GB", 51.51, -0.13),
        2 => ("FJ", -17.71, 178.06),
        _ => return (Maybe::Unknown(Why::Absent), NetworkFacts::default()),
    };
    let fix = GeoFix {
        country: Country::parse(country).expect("it is a country"),
        region: None,
        city: None,
        lat,
        lon,
        radius_km: 20.0,
        time_zone: None,
        precision: Precision::City,
        source: "fuzz".into(),
        digest: "fuzz".into(),
    };
    let network = NetworkFacts { tor: Maybe::Known(first % 2 == 0), ..NetworkFacts::default() };
    (Maybe::Known(Arc::new(fix)), network)
}
