//! Runs the `test` blocks of a pack through the same fold that judges live traffic.

use std::{net::IpAddr, sync::Arc};

use grammar::{Diagnostic, Span};
use jiff::{SignedDuration, Timestamp};

use crate::{
    codes::Country,
    coverage::Coverage,
    event::{Event, Fields, Slot, UNDECLARED},
    explain::asked,
    history::plan::EventKind,
    ir::NetworkFact,
    maybe::{Maybe, Why},
    outcome::Outcome,
    program::Program,
    replay::{ChallengeEnd, Stream},
    signals::{Located, NetworkFacts, Signals, UserFacts, Whereabouts},
    status::Status,
    trace::RuleState,
    value::{GeoFix, Precision, Value},
    verdict::Verdict,
};

/// A test, typed.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestCase {
    pub name: String,
    pub span: Span,
    pub at: Option<Timestamp>,
    pub event: Option<TestEvent>,
    pub history: Vec<TestHistory>,
    pub lists: Vec<TestList>,
    pub expects: Vec<(Expectation, Span)>,
}

/// An event of a test.
#[derive(Clone, Debug)]
pub(crate) struct TestEvent {
    pub kind: EventKind,
    pub given: Vec<Given>,
}

/// A field and its value; none is `missing`.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub target: Target,
    pub value: Option<Value>,
}

/// What a test sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    User,
    Field(Slot),
    Geo,
    Network(NetworkFact),
    UserTz,
    UserHomeCountry,
    Status,
}

/// Earlier events of a test.
#[derive(Clone, Debug)]
pub(crate) struct TestHistory {
    pub count: u32,
    pub event: TestEvent,
    pub every_ms: i64,
    pub ending_ms: i64,
}

/// An entry on a list.
#[derive(Clone, Debug)]
pub(crate) struct TestList {
    pub list: Arc<str>,
    pub value: Value,
}

/// What a test expects.
#[derive(Clone, Debug)]
pub(crate) enum Expectation {
    Outcome { outcome: Outcome, by: Option<String>, reason: Option<String> },
    Rule(String),
    NotRule(String),
    Unknown(String),
}

/// What became of a test.
#[derive(Clone, Debug)]
pub struct TestResult {
    /// What it claims.
    pub name: String,
    /// The file it is in.
    pub file: String,
    /// The line it begins on.
    pub line: u32,
    /// Whether everything expected came.
    pub passed: bool,
    /// What was expected, what came instead, and why.
    pub failures: Vec<Diagnostic>,
}

/// The moment of tests that name none with `at`: noon of a Thursday, UTC.
const USUAL_MOMENT: i64 = 1_767_268_800;

/// Half of the earth's circumference: a country alone says nothing about a distance.
const ANYWHERE_KM: f64 = 20_004.0;

/// Runs every test of the pack. `locate` answers for addresses of events that do not say `geo`.
#[must_use]
pub fn run_tests(program: &Arc<Program>, locate: &dyn Fn(IpAddr) -> Whereabouts) -> Vec<TestResult> {
    let results = program.tests.iter().filter_map(|test| run(program, test, locate));
    results.map(|(result, _)| result).collect()
}

/// The same, and which rules and conditions the tests exercise.
#[must_use]
pub fn cover_tests(program: &Arc<Program>, locate: &dyn Fn(IpAddr) -> Whereabouts) -> (Vec<TestResult>, Coverage) {
    let mut coverage = Coverage::of(program);
    let run = |test| {
        let (result, signals) = run(program, test, locate)?;
        coverage.add(&asked(program, &signals));
        Some(result)
    };
    let results = program.tests.iter().filter_map(run).collect();
    (results, coverage)
}

fn run(
    program: &Arc<Program>,
    test: &TestCase,
    locate: &dyn Fn(IpAddr) -> Whereabouts,
) -> Option<(TestResult, Signals)> {
    let at = test.at.or_else(|| Timestamp::from_second(USUAL_MOMENT).ok())?;
    let mut stream = Stream::new(Arc::clone(program));
    for entry in &test.lists {
        stream.lists_mut().add(&entry.list, &entry.value, None);
    }
    let mut past: Vec<(Located, EventKind)> = Vec::new();
    for history in &test.history {
        for number in 1..=history.count {
            let after = i64::from(history.count - number).checked_mul(history.every_ms);
            let ago = after.and_then(|after| after.checked_add(history.ending_ms));
            let time = ago.and_then(|ago| at.checked_sub(SignedDuration::from_millis(ago)).ok())?;
            let located = located(program, &history.event, time, number, locate);
            past.push((with_status(located, Status::Allowed), history.event.kind));
        }
    }
    past.sort_by_key(|(located, _)| located.event.time);
    for (located, kind) in &past {
        stream.remember(located, Some(*kind));
        // What a challenge came to is history of its own, as in live traffic.
        let status = located.event.status.filter(|_| matches!(kind, EventKind::Action(_)));
        let end = match status {
            Some(Status::Challenged) => None,
            Some(Status::Verified) => Some(ChallengeEnd::Succeeded),
            Some(Status::Declined) => Some(ChallengeEnd::Declined),
            Some(Status::Expired) => Some(ChallengeEnd::Expired),
            Some(Status::Pending | Status::Allowed | Status::Blocked) | None => continue,
        };
        if program.has_own_challenge(&located.event) {
            stream.remember(located, Some(EventKind::ChallengeIssued));
            if let Some(end) = end {
                stream.remember(located, Some(end.kind()));
            }
        }
    }
    let event = test.event.as_ref()?;
    let (signals, verdict) = stream.push(located(program, event, at, 0, locate));
    let failures: Vec<Diagnostic> = test
        .expects
        .iter()
        .filter_map(|(expectation, span)| judge(program, expectation, *span, &signals, &verdict))
        .collect();
    let result = TestResult {
        name: test.name.clone(),
        file: program.sources.name(test.span.file).to_owned(),
        line: program.sources.position(test.span).map_or(0, |position| position.line),
        passed: failures.is_empty(),
        failures,
    };
    Some((result, signals))
}

fn with_status(located: Located, status: Status) -> Located {
    if located.event.status.is_some() {
        return located;
    }
    let event = Event { status: Some(status), ..Event::clone(&located.event) };
    Located { event: Arc::new(event), ..located }
}

/// An event as the test describes it. `{n}` in its texts is the number of the event.
fn located(
    program: &Program,
    test: &TestEvent,
    time: Timestamp,
    number: u32,
    locate: &dyn Fn(IpAddr) -> Whereabouts,
) -> Located {
    let (id, action) = match test.kind {
        EventKind::Action(id) => {
            (id, program.events.get(usize::from(id.0)).map_or_else(|| "".into(), |event| Arc::clone(&event.name)))
        }
        EventKind::ChallengeIssued
        | EventKind::ChallengeSucceeded
        | EventKind::ChallengeDeclined
        | EventKind::ChallengeExpired => (UNDECLARED, "challenge".into()),
    };
    let mut event = Event {
        id,
        action,
        user: "".into(),
        time,
        reference: None,
        status: None,
        fields: Fields::empty(&program.slots),
    };
    for given in &test.given {
        match (&given.target, given.value.as_ref().map(|value| numbered(value, number))) {
            (Target::User, Some(Value::User(user))) => event.user = user,
            (Target::Field(slot), Some(value)) => event.fields.set(*slot, value),
            (Target::Status, Some(Value::Text(word))) => event.status = Status::from_word(&word),
            (_, _) => {}
        }
    }
    let ip = match event.fields.named("ip") {
        Some(Value::Ip(ip)) => Some(*ip),
        Some(_) | None => None,
    };
    let found = ip.map_or_else(Whereabouts::default, locate);
    let (mut place, mut network, mut user) = (found.place, found.network, UserFacts::default());
    for given in &test.given {
        let value = given.value.as_ref().map(|value| numbered(value, number));
        match (&given.target, value) {
            (Target::Geo, None) => place = Maybe::Unknown(Why::Absent),
            (Target::Geo, Some(Value::Geo(fix))) => place = Maybe::Known(fix),
            (Target::Geo, Some(Value::Country(country))) => place = Maybe::Known(Arc::new(somewhere_in(country))),
            (Target::Network(fact), value) => set_network(&mut network, *fact, value),
            (Target::UserTz, Some(Value::Text(zone))) => user.tz = Maybe::Known(zone),
            (Target::UserHomeCountry, Some(Value::Country(country))) => user.home_country = Maybe::Known(country),
            (_, _) => {}
        }
    }
    Located::new(Arc::new(event), place, network, user)
}

fn somewhere_in(country: Country) -> GeoFix {
    GeoFix {
        country,
        region: None,
        city: None,
        lat: 0.0,
        lon: 0.0,
        radius_km: ANYWHERE_KM,
        time_zone: None,
        precision: Precision::Country,
        source: "test".into(),
        digest: "test".into(),
    }
}

fn set_network(network: &mut NetworkFacts, fact: NetworkFact, value: Option<Value>) {
    let bool = |value: &Option<Value>| match value {
        Some(Value::Bool(value)) => Maybe::Known(*value),
        Some(_) | None => Maybe::Unknown(Why::Absent),
    };
    match fact {
        NetworkFact::Asn => {
            network.asn = match value {
                Some(Value::Asn(asn)) => Maybe::Known(asn),
                Some(_) | None => Maybe::Unknown(Why::Absent),
            }
        }
        NetworkFact::AsOrg => {
            network.as_org = match value {
                Some(Value::Text(text)) => Maybe::Known(text),
                Some(_) | None => Maybe::Unknown(Why::Absent),
            }
        }
        NetworkFact::Hosting => network.hosting = bool(&value),
        NetworkFact::Vpn => network.vpn = bool(&value),
        NetworkFact::Tor => network.tor = bool(&value),
    }
}

fn numbered(value: &Value, number: u32) -> Value {
    let fill = |text: &Arc<str>| Arc::<str>::from(text.replace("{n}", &number.to_string()));
    match value {
        Value::Text(text) => Value::Text(fill(text)),
        Value::User(text) => Value::User(fill(text)),
        Value::Device(text) => Value::Device(fill(text)),
        other => other.clone(),
    }
}

/// What was expected, what came, and why; nothing if it came as expected.
fn judge(
    program: &Program,
    expectation: &Expectation,
    span: Span,
    signals: &Signals,
    verdict: &Verdict,
) -> Option<Diagnostic> {
    let came = format!("{} by {}", verdict.outcome, verdict.decided_by.word());
    let matched = |rule: &str| verdict.rules.iter().chain(&verdict.shadow).any(|hit| *hit.rule == *rule);
    let (message, rule) = match expectation {
        Expectation::Outcome { outcome, by, reason } => {
            let right_rule = by.as_ref().is_none_or(|by| verdict.decided_by.word() == by);
            let right_reason =
                reason.as_ref().is_none_or(|reason| verdict.reasons.iter().any(|given| given.code == *reason));
            if verdict.outcome == *outcome && right_rule && right_reason {
                return None;
            }
            if verdict.outcome == *outcome && right_rule {
                let given: Vec<&str> = verdict.reasons.iter().map(|reason| reason.code.as_str()).collect();
                let given = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
                (format!("the reason `{}` is not given: {given}", reason.as_deref().unwrap_or_default()), None)
            } else {
                let by_text = by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
                (format!("expected {outcome}{by_text}, and the answer is {came}"), by.clone())
            }
        }
        Expectation::Rule(rule) if matched(rule) => return None,
        Expectation::Rule(rule) => (format!("`{rule}` does not match"), Some(rule.clone())),
        Expectation::NotRule(rule) if matched(rule) => (format!("`{rule}` matches"), Some(rule.clone())),
        Expectation::NotRule(_) => return None,
        Expectation::Unknown(rule) => {
            if unknown(program, signals, rule) {
                return None;
            }
            (format!("`{rule}` is not unknown"), Some(rule.clone()))
        }
    };
    let mut finding = Diagnostic::error("test-failed", message).at(span, format!("came: {came}"));
    let policies = asked(program, signals);
    for traced in policies.iter().flat_map(|policy| &policy.rules) {
        let asked = rule.as_deref() == Some(&*traced.rule);
        let decided = verdict.decided_by.word() == &*traced.rule;
        let raised = verdict.decided_by.word() == "unknown" && traced.state == RuleState::Unknown;
        if !(asked || decided || raised) {
            continue;
        }
        finding = finding.with_note(format!("`{}` ({}): {}", traced.rule, traced.at, state(traced.state)));
        for atom in &traced.atoms {
            let reads: Vec<String> = atom.reads.iter().map(|read| format!("{} = {}", read.what, read.value)).collect();
            let result = match atom.result {
                crate::tri::Tri::True => "true",
                crate::tri::Tri::False => "false",
                crate::tri::Tri::Unknown => "unknown",
            };
            finding = finding.with_note(format!("  {} is {result}: {}", atom.text, reads.join(", ")));
        }
    }
    Some(finding)
}

fn state(state: RuleState) -> &'static str {
    match state {
        RuleState::Matched => "matched",
        RuleState::NotMatched => "did not match",
        RuleState::Unknown => "could not be told",
        RuleState::Off => "is off",
        RuleState::NotActive => "is not active at this time",
        RuleState::NotRolledOut => "is not rolled out to this event",
    }
}

fn unknown(program: &Program, signals: &Signals, rule: &str) -> bool {
    let policies = asked(program, signals);
    let mut rules = policies.iter().flat_map(|policy| &policy.rules);
    rules.any(|traced| *traced.rule == *rule && traced.state == RuleState::Unknown)
}
