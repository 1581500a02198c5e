//! What one event looks like to a condition: reading values and asking questions.

use std::{cell::RefCell, cmp::Ordering, sync::Arc};

use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::arithmetic::arithmetic;
use crate::{
    history::{Snapshot, calendar, observation::Observed},
    interval::Interval,
    ir::{Ask, Atom, Comparison, Cond, Expr, GeoPart, Moment, NetworkFact, Signal},
    lists::{ListState, lies_within, plain},
    maybe::{Maybe, Why},
    program::Program,
    rates::Exchange,
    signals::{Listed, Located},
    status::Status,
    travel,
    tri::Tri,
    value::{Country, GeoFix, Value},
    verdict::ScriptResult,
};

/// The zone with this IANA name, from the data base compiled into the program.
pub(crate) fn zone_named(name: &str) -> Option<TimeZone> {
    calendar::zone(name)
}

/// What reading an expression gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reading {
    Known(Value),
    /// Weak evidence: somewhere in between.
    Within(Interval<Value>),
    Unknown(Why),
}

impl Reading {
    pub fn maybe(self) -> Maybe<Value> {
        match self {
            Reading::Known(value) => Maybe::Known(value),
            Reading::Within(interval) => Maybe::Unknown(interval.why.unwrap_or(Why::LowPrecision)),
            Reading::Unknown(why) => Maybe::Unknown(why),
        }
    }

    /// The reading as an interval; a known value is a point.
    pub fn interval(self) -> Result<Interval<Value>, Why> {
        match self {
            Reading::Known(value) => Ok(Interval::exactly(value)),
            Reading::Within(interval) => Ok(interval),
            Reading::Unknown(why) => Err(why),
        }
    }

    /// An interval as a reading: a point is a known value.
    pub fn of(interval: Interval<Value>) -> Reading {
        match (&interval.lo, &interval.hi) {
            (Some(lo), Some(hi)) if lo.same(hi) == Some(true) => Reading::Known(lo.clone()),
            (_, _) => Reading::Within(interval),
        }
    }
}

impl From<Maybe<Value>> for Reading {
    fn from(value: Maybe<Value>) -> Reading {
        match value {
            Maybe::Known(value) => Reading::Known(value),
            Maybe::Unknown(why) => Reading::Unknown(why),
        }
    }
}

/// What an atom comes to, and why it is unknown.
pub(crate) type Answer = (Tri, Option<Why>);

/// Where answers about lists that change come from.
pub(crate) enum Lists<'a> {
    /// From the signals: what was answered when the event was judged.
    Answered(&'a Vec<Listed>),
    /// From the lists as they are: while the signals are being made.
    State(&'a ListState),
}

/// One event, with everything that can be read about it.
pub(crate) struct Scene<'a> {
    pub program: &'a Program,
    pub located: &'a Located,
    /// None while history is being told about the event.
    pub observed: Option<&'a Observed>,
    pub lists: Lists<'a>,
    /// How amounts in two currencies meet.
    pub exchange: Exchange<'a>,
    /// The status of a past event, in a `where` clause.
    pub status: Option<Status>,
    /// Results of scripts from the audit log, for a replay.
    pub recorded_scripts: Option<&'a Vec<ScriptResult>>,
    /// Whether scripts may run now; before, they are unknown.
    pub scripts_run: bool,
    /// Results of conditions already asked, by atom.
    pub answers: RefCell<Vec<Option<Answer>>>,
    /// Results of scripts already run.
    pub scripts: RefCell<Vec<ScriptResult>>,
    /// A condition turned round, for "what would change the answer".
    pub turned: Option<(usize, Tri)>,
}

impl<'a> Scene<'a> {
    pub fn new(program: &'a Program, located: &'a Located, observed: Option<&'a Observed>, lists: Lists<'a>) -> Self {
        Scene {
            program,
            located,
            observed,
            lists,
            exchange: Exchange::Declared(program.rates.as_ref(), located.event.time),
            status: None,
            recorded_scripts: None,
            scripts_run: false,
            answers: RefCell::new(Vec::new()),
            scripts: RefCell::new(Vec::new()),
            turned: None,
        }
    }

    // ---- conditions

    /// Kleene's `and` and `or` stop at the first part that settles them. Parts that run a script come last.
    pub fn holds(&self, cond: &Cond) -> Tri {
        match cond {
            Cond::Const(value) => *value,
            Cond::Not(inner) => self.holds(inner).not(),
            Cond::All(parts) => self.junction(parts, Tri::True, Tri::False, Tri::and),
            Cond::Any(parts) => self.junction(parts, Tri::False, Tri::True, Tri::or),
            Cond::Atom(atom) => self.ask(*atom).0,
        }
    }

    fn junction(&self, parts: &[Cond], empty: Tri, settled: Tri, join: fn(Tri, Tri) -> Tri) -> Tri {
        let mut result = empty;
        for last in [false, true] {
            for part in parts.iter().filter(|part| runs_script(&self.program.atoms, part) == last) {
                result = join(result, self.holds(part));
                if result == settled {
                    return result;
                }
            }
        }
        result
    }

    /// The result of an atom, and why it is unknown.
    pub fn ask(&self, index: usize) -> Answer {
        if let Some((turned, becomes)) = self.turned
            && turned == index
        {
            return (becomes, None);
        }
        let Some(atom) = self.program.atoms.get(index) else { return (Tri::Unknown, Some(Why::ScriptError)) };
        if atom.scripted && !self.scripts_run {
            return (Tri::Unknown, Some(Why::ScriptError));
        }
        // A `where` clause is asked about one event under several statuses: nothing to keep.
        let keep = self.status.is_none();
        if keep && let Some(Some(answer)) = self.answers.borrow().get(index) {
            return *answer;
        }
        let answer = self.answer(&atom.ask);
        if keep {
            self.keep(index, answer);
        }
        answer
    }

    fn keep(&self, index: usize, answer: Answer) {
        let mut answers = self.answers.borrow_mut();
        // Most events are judged without asking a single condition: room is made for the first.
        if answers.is_empty() {
            answers.resize(self.program.atoms.len(), None);
        }
        if let Some(place) = answers.get_mut(index) {
            *place = Some(answer);
        }
    }

    fn answer(&self, ask: &Ask) -> Answer {
        match ask {
            Ask::Holds(expr) => match self.read(expr) {
                Reading::Known(Value::Bool(value)) => (Tri::from(value), None),
                other => unknown(other),
            },
            Ask::Compare(op, a, b) => compare(*op, self.read(a), self.read(b), self.exchange),
            Ask::Among(expr, values) => among(&self.read(expr), values, self.exchange),
            Ask::Within(expr, networks) => match self.read(expr) {
                Reading::Known(Value::Ip(ip)) => (Tri::from(networks.iter().any(|net| net.contains(&ip))), None),
                other => unknown(other),
            },
            Ask::Contains(element, list) => match (self.read(element), self.read(list)) {
                (Reading::Unknown(why), _) => (Tri::Unknown, Some(why)),
                (Reading::Known(part), Reading::Known(Value::Cidr(network))) => {
                    (Tri::from(lies_within(&part, &network)), None)
                }
                (Reading::Known(part), Reading::Known(Value::List(values)))
                    if matches!(values.first(), Some(Value::Cidr(_))) =>
                {
                    let around = |value: &Value| matches!(value, Value::Cidr(network) if lies_within(&part, network));
                    (Tri::from(values.iter().any(around)), None)
                }
                (value, Reading::Known(Value::List(values))) => among(&value, &values, self.exchange),
                (_, other) => unknown(other),
            },
            Ask::Listed(question) => self.listed(*question),
            Ask::Clock { time, from, until, zone } => self.clock(time, *from, *until, zone),
            Ask::Matches(expr, regex) => match self.read(expr) {
                Reading::Known(Value::Text(text)) if text.len() <= MOST_HAYSTACK_BYTES => {
                    (Tri::from(regex.is_match(&text)), None)
                }
                Reading::Known(_) => (Tri::Unknown, Some(Why::Overflow)),
                other => unknown(other),
            },
            Ask::Missing(expr) => match self.read(expr) {
                Reading::Known(_) | Reading::Within(_) => (Tri::False, None),
                Reading::Unknown(Why::Absent) => (Tri::True, None),
                Reading::Unknown(why) => (Tri::Unknown, Some(why)),
            },
            Ask::Known(expr) => match self.read(expr) {
                Reading::Known(_) => (Tri::True, None),
                Reading::Within(_) | Reading::Unknown(_) => (Tri::False, None),
            },
        }
    }

    /// Whether the value of a list question is on its list.
    pub fn answer_list(&self, question: usize) -> Answer {
        self.listed(question)
    }

    fn listed(&self, question: usize) -> Answer {
        match &self.lists {
            Lists::Answered(answers) => match answers.get(question) {
                Some(answer) => (answer.member, answer.why),
                None => (Tri::Unknown, Some(Why::LookupFailed)),
            },
            Lists::State(state) => {
                let Some(asked) = self.program.questions.get(question) else {
                    return (Tri::Unknown, Some(Why::LookupFailed));
                };
                let Some(list) = self.program.lists.get(asked.list) else {
                    return (Tri::Unknown, Some(Why::LookupFailed));
                };
                match self.read(&asked.value) {
                    // Of an amount in another currency it cannot be told.
                    amount @ Reading::Known(Value::Money(_)) => {
                        let amounts: Vec<Value> = list.amounts(state, self.located.event.time).cloned().collect();
                        among(&amount, &amounts, self.exchange)
                    }
                    Reading::Known(value) => {
                        let at = self.located.event.time;
                        (Tri::from(list.entries.has(&value, at) || state.has(&list.name, &value, at)), None)
                    }
                    other => unknown(other),
                }
            }
        }
    }

    fn clock(&self, time: &Expr, from: u16, until: u16, zone: &Expr) -> Answer {
        let (time, zone) = match (self.read(time), self.read(zone)) {
            (Reading::Known(Value::Timestamp(time)), Reading::Known(Value::Text(zone))) => (time, zone),
            (Reading::Known(_), other) | (other, _) => return unknown(other),
        };
        let Some(zone) = zone_named(&zone) else { return (Tri::Unknown, Some(Why::LookupFailed)) };
        let local = zone.to_datetime(time);
        let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
        let inside = if from < until { (from..until).contains(&minute) } else { minute >= from || minute < until };
        (Tri::from(inside), None)
    }

    // ---- values

    pub fn read(&self, expr: &Expr) -> Reading {
        match expr {
            Expr::Const(value) => Reading::Known(value.clone()),
            Expr::Field(slot) => self
                .located
                .event
                .fields
                .get(*slot)
                .map_or(Reading::Unknown(Why::Absent), |value| Reading::Known(value.clone())),
            Expr::Signal(signal) => self.signal(*signal),
            Expr::Window(slot) => self.history(|observed| observed.windows.get(*slot)),
            Expr::Seen(slot) => self.history(|observed| observed.seen.get(*slot)),
            Expr::Arithmetic(op, a, b) => arithmetic(*op, self.read(a), self.read(b), self.exchange),
            Expr::Coalesce(value, fallback) => match self.read(value) {
                Reading::Unknown(Why::Absent) => self.read(fallback),
                known => known,
            },
            Expr::Distance(a, b) => self.travelled(*a, *b, travel::distance_between, Value::Distance),
            Expr::Speed(a, b) => self.travelled(*a, *b, travel::speed_between, Value::Speed),
            Expr::Weekday(time, zone) => self.weekday(time, zone),
            Expr::Script(index, arguments) => self.script(*index, arguments),
            Expr::Test(cond) => match self.holds(cond) {
                Tri::True => Reading::Known(Value::Bool(true)),
                Tri::False => Reading::Known(Value::Bool(false)),
                Tri::Unknown => Reading::Unknown(self.first_why(cond).unwrap_or(Why::Absent)),
            },
        }
    }

    fn history(&self, answer: impl Fn(&'a Observed) -> Option<&'a Maybe<Interval<Value>>>) -> Reading {
        match self.observed.and_then(answer) {
            Some(Maybe::Known(interval)) => Reading::of(interval.clone()),
            Some(Maybe::Unknown(why)) => Reading::Unknown(*why),
            None => Reading::Unknown(Why::WarmingUp),
        }
    }

    fn signal(&self, signal: Signal) -> Reading {
        let known = |value: Value| Reading::Known(value);
        let event = &self.located.event;
        let network = &self.located.network;
        match signal {
            Signal::User => known(Value::User(Arc::clone(&event.user))),
            Signal::Action => known(Value::Text(Arc::clone(&event.action))),
            Signal::Time(Moment::Now) => known(Value::Timestamp(event.time)),
            Signal::Time(moment) => self.anchor(moment, |past| Maybe::Known(Value::Timestamp(past.time))),
            Signal::Geo(Moment::Now, part) => match &self.located.place {
                Maybe::Known(fix) => geo_part(fix, part).into(),
                Maybe::Unknown(why) => Reading::Unknown(*why),
            },
            Signal::Geo(moment, part) => {
                self.anchor(moment, |past| past.geo.as_ref().and_then(|fix| geo_part(fix, part)))
            }
            Signal::Ip(moment) => self.anchor(moment, |past| past.ip.map(Value::Ip)),
            Signal::Device(moment) => self.anchor(moment, |past| past.device.clone().map(Value::Device)),
            Signal::Network(NetworkFact::Asn) => network.asn.map(Value::Asn).into(),
            Signal::Network(NetworkFact::AsOrg) => network.as_org.clone().map(Value::Text).into(),
            Signal::Network(NetworkFact::Hosting) => network.hosting.map(Value::Bool).into(),
            Signal::Network(NetworkFact::Vpn) => network.vpn.map(Value::Bool).into(),
            Signal::Network(NetworkFact::Tor) => network.tor.map(Value::Bool).into(),
            Signal::UserTz => self.located.user.tz.clone().map(Value::Text).into(),
            Signal::UserHomeCountry => self.located.user.home_country.map(Value::Country).into(),
            Signal::Status => match self.status {
                Some(status) => known(Value::Text(status.word().into())),
                None => Reading::Unknown(Why::Absent),
            },
            Signal::Completed => match self.status {
                Some(status) => known(Value::Bool(status.completed())),
                None => Reading::Unknown(Why::Absent),
            },
        }
    }

    fn snapshot(&self, moment: Moment) -> Maybe<Snapshot> {
        match moment {
            Moment::Now => Maybe::Known(self.program.snapshot(self.located)),
            Moment::LastVerified => self.observed.map_or(Maybe::Unknown(Why::WarmingUp), |o| o.last_verified.clone()),
            Moment::Previous => self.observed.map_or(Maybe::Unknown(Why::WarmingUp), |o| o.previous.clone()),
        }
    }

    fn anchor(&self, moment: Moment, read: impl Fn(&Snapshot) -> Maybe<Value>) -> Reading {
        match self.snapshot(moment) {
            Maybe::Known(past) => read(&past).into(),
            Maybe::Unknown(why) => Reading::Unknown(why),
        }
    }

    fn travelled(
        &self,
        a: Moment,
        b: Moment,
        measure: fn(&Snapshot, &Snapshot) -> Maybe<Interval<Decimal>>,
        unit: fn(Decimal) -> Value,
    ) -> Reading {
        match (self.snapshot(a), self.snapshot(b)) {
            (Maybe::Known(a), Maybe::Known(b)) => match measure(&a, &b) {
                Maybe::Known(interval) => {
                    let why = interval.why.or(Some(Why::LowPrecision));
                    Reading::of(Interval { why, ..interval.map(unit) })
                }
                Maybe::Unknown(why) => Reading::Unknown(why),
            },
            (Maybe::Unknown(why), _) | (_, Maybe::Unknown(why)) => Reading::Unknown(why),
        }
    }

    fn weekday(&self, time: &Expr, zone: &Expr) -> Reading {
        match (self.read(time), self.read(zone)) {
            (Reading::Known(Value::Timestamp(time)), Reading::Known(Value::Text(zone))) => match zone_named(&zone) {
                Some(zone) => {
                    let day = zone.to_datetime(time).weekday().to_monday_one_offset();
                    Reading::Known(Value::Weekday(day.unsigned_abs()))
                }
                None => Reading::Unknown(Why::LookupFailed),
            },
            (Reading::Known(_), other) | (other, _) => Reading::Unknown(unknown(other).1.unwrap_or(Why::Absent)),
        }
    }

    fn script(&self, index: usize, arguments: &[Expr]) -> Reading {
        let Some(script) = self.program.scripts.get(index) else { return Reading::Unknown(Why::ScriptError) };
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            match self.read(argument) {
                Reading::Known(value) => values.push(value),
                other => return other.maybe().into(),
            }
        }
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        let call = format!("{}({})", script.name, texts.join(", "));
        let known = self.scripts.borrow().iter().find(|done| done.call == call).map(|done| done.result.clone());
        if let Some(result) = known {
            return result.into();
        }
        // A replay takes what the log says rather than trust that the script says it again.
        let recorded =
            self.recorded_scripts.into_iter().flatten().find(|done| done.call == call).map(|done| done.result.clone());
        let result = recorded.unwrap_or_else(|| script.run(&values));
        self.scripts.borrow_mut().push(ScriptResult { call, result: result.clone() });
        result.into()
    }

    // ---- causes

    /// Why a condition is unknown: the first cause among its unknown atoms.
    pub fn first_why(&self, cond: &Cond) -> Option<Why> {
        let mut found = Vec::new();
        self.unknown_atoms(cond, &mut found);
        found.first().and_then(|atom| self.ask(*atom).1)
    }

    /// The atoms that make a condition unknown, in the order written.
    pub fn unknown_atoms(&self, cond: &Cond, found: &mut Vec<usize>) {
        if !self.holds(cond).is_unknown() {
            return;
        }
        match cond {
            Cond::Const(_) => {}
            Cond::Not(inner) => self.unknown_atoms(inner, found),
            Cond::All(parts) | Cond::Any(parts) => parts.iter().for_each(|part| self.unknown_atoms(part, found)),
            Cond::Atom(atom) => {
                if !found.contains(atom) {
                    found.push(*atom);
                }
            }
        }
    }
}

/// The longest text `matches` searches.
const MOST_HAYSTACK_BYTES: usize = 64 << 10;

/// Whether asking this runs a script.
pub(crate) fn runs_script(atoms: &[Atom], cond: &Cond) -> bool {
    match cond {
        Cond::Const(_) => false,
        Cond::Not(inner) => runs_script(atoms, inner),
        Cond::All(parts) | Cond::Any(parts) => parts.iter().any(|part| runs_script(atoms, part)),
        Cond::Atom(atom) => atoms.get(*atom).is_some_and(|atom| atom.scripted),
    }
}

fn geo_part(fix: &Arc<GeoFix>, part: GeoPart) -> Maybe<Value> {
    let decimal = |number: f64, places: u32| match Decimal::try_from(number) {
        Ok(number) => Maybe::Known(number.round_dp(places)),
        Err(_) => Maybe::Unknown(Why::LowPrecision),
    };
    // A place known only to its country, or hidden behind an exit, has no city; that is not the same as none.
    let finer = |text: &Option<Arc<str>>| match text {
        Some(text) => Maybe::Known(Value::Text(Arc::clone(text))),
        None if fix.precision == crate::value::Precision::Hidden => Maybe::Unknown(Why::LowPrecision),
        None => Maybe::Unknown(Why::Absent),
    };
    match part {
        GeoPart::Fix => Maybe::Known(Value::Geo(Arc::clone(fix))),
        GeoPart::Country if fix.country == Country::UNSPECIFIED => Maybe::Unknown(Why::Absent),
        GeoPart::Country => Maybe::Known(Value::Country(fix.country)),
        GeoPart::Region => finer(&fix.region),
        GeoPart::City => finer(&fix.city),
        GeoPart::Lat => decimal(fix.lat, 6).map(Value::Decimal),
        GeoPart::Lon => decimal(fix.lon, 6).map(Value::Decimal),
        GeoPart::Radius => decimal(fix.radius_km, 3).map(Value::Distance),
    }
}

fn unknown(reading: Reading) -> Answer {
    let why = match reading {
        Reading::Unknown(why) => why,
        Reading::Within(interval) => interval.why.unwrap_or(Why::LowPrecision),
        // A value of another type: the checker lets none through, and the answer stays unknown, never false.
        Reading::Known(_) => Why::LookupFailed,
    };
    (Tri::Unknown, Some(why))
}

/// `in [a, b]` is `== a or == b`.
fn among(value: &Reading, values: &[Value], exchange: Exchange<'_>) -> Answer {
    let mut unsure = None;
    for other in values {
        let (equal, why) = match value {
            Reading::Known(value) => match same(value, other, exchange) {
                Some(equal) => (Tri::from(equal), None),
                None => (Tri::Unknown, Some(Why::CurrencyMismatch)),
            },
            weak => compare(Comparison::Equal, weak.clone(), Reading::Known(other.clone()), exchange),
        };
        match equal {
            Tri::True => return (Tri::True, None),
            Tri::Unknown => unsure = unsure.or(why),
            Tri::False => {}
        }
    }
    match unsure {
        Some(why) => (Tri::Unknown, Some(why)),
        None => (Tri::False, None),
    }
}

/// Which is more, in whatever currencies; `None` where the two do not compare.
fn order(a: &Value, b: &Value, exchange: Exchange<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Money(a), Value::Money(b)) => exchange.compare(*a, *b).ok(),
        (a, b) => a.compare(b),
    }
}

fn same(a: &Value, b: &Value, exchange: Exchange<'_>) -> Option<bool> {
    match (a, b) {
        (Value::Money(_), Value::Money(_)) => order(a, b, exchange).map(Ordering::is_eq),
        (a, b) => a.same(b),
    }
}

pub(crate) fn compare(op: Comparison, a: Reading, b: Reading, exchange: Exchange<'_>) -> Answer {
    let order = |a: &Value, b: &Value| order(a, b, exchange);
    if let (Reading::Known(a), Reading::Known(b)) = (&a, &b) {
        let result = match op {
            Comparison::Equal => same(a, b, exchange),
            Comparison::Less => order(a, b).map(Ordering::is_lt),
            Comparison::AtMost => order(a, b).map(Ordering::is_le),
            Comparison::Greater => order(a, b).map(Ordering::is_gt),
            Comparison::AtLeast => order(a, b).map(Ordering::is_ge),
        };
        return match result {
            Some(result) => (Tri::from(result), None),
            None => (Tri::Unknown, Some(Why::CurrencyMismatch)),
        };
    }
    let (a, b) = match (a.interval(), b.interval()) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(why), _) | (_, Err(why)) => return (Tri::Unknown, Some(why)),
    };
    let less = |a: &Interval<Value>, b: &Interval<Value>| a.less_by(b, order);
    let result = match op {
        Comparison::Equal => a.equal_by(&b, order),
        Comparison::Less => less(&a, &b),
        Comparison::AtMost => less(&b, &a).not(),
        Comparison::Greater => less(&b, &a),
        Comparison::AtLeast => less(&a, &b).not(),
    };
    if !result.is_unknown() {
        return (result, None);
    }
    // Two currencies without a rate do not compare, however well each is known.
    let ends = |interval: &Interval<Value>| interval.lo.clone().or_else(|| interval.hi.clone());
    let mixed = matches!((ends(&a), ends(&b)), (Some(a), Some(b)) if order(&a, &b).is_none());
    (result, if mixed { Some(Why::CurrencyMismatch) } else { a.why.or(b.why).or(Some(Why::CurrencyMismatch)) })
}

/// The text of a value for a person or a phone; none when it is missing.
pub(crate) fn shown(reading: Reading) -> Option<String> {
    match reading {
        Reading::Known(value) => Some(plain(&value)),
        Reading::Within(_) | Reading::Unknown(_) => None,
    }
}
