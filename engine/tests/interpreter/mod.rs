//! A second, obviously simple reading of the language: walks the syntax tree, scans the whole past, keeps nothing.
//!
//! Test-only. It decides by the letter of the language's description and shares no code with the engine.

#![allow(dead_code, reason = "each test file uses its part")]

mod combine;
mod condition;
mod past;
mod places;
pub mod plain;

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use grammar::ast;

use plain::Exchange;
pub use plain::{Answer, Cause, Fact, Plain, Rate};

/// What can be read about one event, by path; what is not here is absent.
pub type Record = Vec<(&'static str, Fact<'static>)>;

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Past {
    /// Milliseconds since 1970.
    pub at: i64,
    /// Events of one moment stand in this order.
    pub seq: u64,
    /// The event's name, or a step in the life of its challenge: `challenge.declined`.
    pub kind: &'static str,
    pub record: Rc<Record>,
    /// How it ended.
    pub status: &'static str,
}

/// An entry that was added to a list, and when it ends.
pub type Entry = (String, Plain<'static>, i64);

/// What the interpreter says about an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub outcome: &'static str,
    pub by: String,
    /// `name outcome`, in the order of the file.
    pub rules: Vec<String>,
    /// Rule, what it needed, why it did not get it.
    pub unknown: Vec<(String, String, String)>,
    pub shadow: Vec<String>,
    pub shadow_outcome: &'static str,
    pub scores: Vec<(String, i64)>,
    /// Sorted.
    pub reasons: Vec<String>,
    pub flags: Vec<String>,
    /// Level, seconds, attempts, whose phone.
    pub challenge: Option<(String, Option<u64>, Option<u64>, String)>,
    /// List, value, seconds.
    pub effects: Vec<(String, String, u64)>,
}

/// A pack, with what its names stand for.
pub struct Pack<'a> {
    source: &'a str,
    policies: Vec<PolicyOf<'a>>,
    lists: HashMap<&'a str, &'a ast::ListDef>,
    /// Declared fields, by name.
    types: HashMap<&'a str, &'a str>,
    patterns: RefCell<HashMap<String, regex::Regex>>,
    rates: &'a [Rate],
    /// Whether scripts run yet: they do last, and only if the answer can still change.
    scripts_run: Cell<bool>,
}

struct PolicyOf<'a> {
    policy: &'a ast::Policy,
    lets: HashMap<&'a str, &'a ast::Expr>,
    /// In the order of the file.
    rules: Vec<&'a ast::Rule>,
    /// Positions in `rules`, by priority.
    order: Vec<usize>,
}

impl<'a> Pack<'a> {
    pub fn new(source: &'a str, file: &'a ast::File, rates: &'a [Rate]) -> Pack<'a> {
        let mut lists = HashMap::new();
        let mut types = HashMap::new();
        let mut shared = HashMap::new();
        for item in &file.items {
            match item {
                ast::Item::List(list) => drop(lists.insert(list.name.name.as_str(), list)),
                ast::Item::Event(event) => {
                    types.extend(
                        event.fields.iter().map(|field| (field.name.name.as_str(), field.ty.name.name.as_str())),
                    );
                }
                ast::Item::Let(one) => drop(shared.insert(one.name.name.as_str(), &one.value)),
                _ => {}
            }
        }
        let policies = file.items.iter().filter_map(|item| match item {
            ast::Item::Policy(policy) => Some(policy),
            _ => None,
        });
        let policies = policies.map(|policy| {
            let mut lets = shared.clone();
            lets.extend(policy.lets().map(|one| (one.name.name.as_str(), &one.value)));
            let rules: Vec<&ast::Rule> = policy.rules().collect();
            let mut order: Vec<usize> = (0..rules.len()).collect();
            let priority = |rule: &ast::Rule| rule.priority().and_then(|one| one.value.as_i64()).unwrap_or(0);
            order.sort_by_key(|index| -priority(rules[*index]));
            PolicyOf { policy, lets, rules, order }
        });
        let (policies, patterns) = (policies.collect(), RefCell::default());
        Pack { source, policies, lists, types, patterns, rates, scripts_run: Cell::new(false) }
    }

    /// Judges an event that has just been observed.
    pub fn judge(&self, this: &Past, past: &[Past], entries: &[Entry]) -> Said {
        combine::judge(self, this, past, entries)
    }
}

/// One event, in the eyes of one policy.
struct World<'a> {
    pack: &'a Pack<'a>,
    lets: &'a HashMap<&'a str, &'a ast::Expr>,
    this: &'a Past,
    past: &'a [Past],
    entries: &'a [Entry],
    /// In a `where`, which asks one past event how it ended.
    in_where: bool,
    /// The currency of the amount that a sum is compared with.
    hint: Cell<Option<&'a str>>,
    /// Aggregates already computed, by where they stand in the source and what they are compared with.
    computed: RefCell<HashMap<(u32, Option<&'a str>), Fact<'a>>>,
}

impl<'a> World<'a> {
    fn named(&self, path: &ast::Path) -> Option<&'a ast::Expr> {
        self.lets.get(path.single()?).copied()
    }

    fn exchange(&self, event: &Past) -> Exchange<'a> {
        Exchange { rates: self.pack.rates, at: event.at }
    }

    // ---- values

    fn fact(&self, expr: &'a ast::Expr) -> Fact<'a> {
        match &expr.kind {
            ast::ExprKind::Paren(inner) => self.fact(inner),
            ast::ExprKind::Literal(literal) => Fact::Known(constant(literal)),
            ast::ExprKind::Path(path) => match self.named(path) {
                Some(body) => self.fact(body),
                None => self.read(path),
            },
            ast::ExprKind::Coalesce(coalesce) => match self.fact(&coalesce.value) {
                Fact::Unknown("absent") => self.fact(&coalesce.fallback),
                known => known,
            },
            ast::ExprKind::Arithmetic(arithmetic) => {
                let (left, right) = (self.fact(&arithmetic.left), self.fact(&arithmetic.right));
                plain::arithmetic(arithmetic.op, left, right, self.exchange(self.this))
            }
            ast::ExprKind::Aggregate(aggregate) => self.once(expr, || self.aggregate(aggregate)),
            ast::ExprKind::Seen(seen) => self.once(expr, || self.seen(seen)),
            ast::ExprKind::Call(call) if call.name.name == "weekday" => {
                let (at, zone) = (self.fact(&call.arguments[0]), self.fact(&call.arguments[1]));
                match self.local(at, zone) {
                    Ok(local) => Fact::Known(Plain::Day(local.weekday().to_monday_one_offset().unsigned_abs())),
                    Err(cause) => Fact::Unknown(cause),
                }
            }
            ast::ExprKind::Call(call) if ["distance", "speed"].contains(&call.name.name.as_str()) => self.way(call),
            ast::ExprKind::Call(call) => self.script(call),
            ast::ExprKind::List(_) => panic!("not known here: {expr:?}"),
            ast::ExprKind::Or(_)
            | ast::ExprKind::And(_)
            | ast::ExprKind::Not(_)
            | ast::ExprKind::Compare(_)
            | ast::ExprKind::In(_)
            | ast::ExprKind::Between(_)
            | ast::ExprKind::Is(_)
            | ast::ExprKind::Matches(_) => match self.truth(expr) {
                Ok(value) => Fact::Known(Plain::Bool(value)),
                Err(cause) => Fact::Unknown(cause),
            },
        }
    }

    fn once(&self, expr: &ast::Expr, compute: impl Fn() -> Fact<'a>) -> Fact<'a> {
        let place = (expr.span.start, self.hint.get());
        if let Some(known) = self.computed.borrow().get(&place) {
            return *known;
        }
        let fact = compute();
        self.computed.borrow_mut().insert(place, fact);
        fact
    }

    fn read(&self, path: &ast::Path) -> Fact<'a> {
        let name = path.text();
        if let Some(day) = WEEKDAYS.iter().position(|day| *day == name) {
            return Fact::Known(Plain::Day(day as u8 + 1));
        }
        match name.as_str() {
            "now" | "time" => return Fact::Known(Plain::Moment(self.this.at)),
            "status" if self.in_where => return Fact::Known(Plain::Word(self.this.status)),
            // What is in flight counts as if it went through.
            "completed" if self.in_where => {
                return Fact::Known(Plain::Bool(matches!(self.this.status, "allowed" | "verified" | "pending")));
            }
            _ => {}
        }
        match self.of_moment(&name) {
            (None, _) => Fact::Unknown("absent"),
            (Some(event), "time") => Fact::Known(Plain::Moment(event.at)),
            (Some(event), name) => lookup(&event.record, name),
        }
    }

    /// The event that a path is about, and what of it: `previous.geo.country`.
    fn of_moment<'p>(&self, name: &'p str) -> (Option<&'a Past>, &'p str) {
        match name.split_once('.') {
            Some(("last_verified", rest)) => (self.newest(|event| event.status == "verified"), rest),
            Some(("previous", rest)) => {
                let located = |event: &Past| matches!(lookup(&event.record, "geo"), Fact::Known(_));
                (self.newest(|event| event.status != "blocked" && located(event)), rest)
            }
            _ => (Some(self.this), name),
        }
    }

    /// What the scripts of the tests compute, in other words than theirs.
    fn script(&self, call: &'a ast::Call) -> Fact<'a> {
        if !self.pack.scripts_run.get() {
            return Fact::Unknown("script_error");
        }
        let mut values = Vec::new();
        for argument in &call.arguments {
            match self.fact(argument) {
                Fact::Known(value) => values.push(value),
                Fact::Between(_, _, cause) | Fact::Unknown(cause) => return Fact::Unknown(cause),
            }
        }
        let result = match (call.name.name.as_str(), &values[..]) {
            ("odd", [Plain::Int(number)]) => Some(Plain::Bool(number % 2 != 0)),
            ("left", [Plain::Money(minor, currency), Plain::Percent(share)]) => {
                // All or nothing, and nothing else is computed by this one.
                match share.cmp(&rust_decimal::Decimal::ONE_HUNDRED) {
                    std::cmp::Ordering::Less => Some(Plain::Money(*minor, currency)),
                    std::cmp::Ordering::Equal => Some(Plain::Money(0, currency)),
                    std::cmp::Ordering::Greater => None,
                }
            }
            ("home", [Plain::Word(country)]) => (*country != "US").then_some(Plain::Word("FR")),
            (name, values) => panic!("no script {name} of {values:?}"),
        };
        result.map_or(Fact::Unknown("script_error"), Fact::Known)
    }

    /// Whether a script is asked for a value.
    fn scripted(&self, expr: &'a ast::Expr) -> bool {
        let any = |parts: &'a [ast::Expr]| parts.iter().any(|part| self.scripted(part));
        match &expr.kind {
            ast::ExprKind::Call(call) => {
                !["distance", "speed", "weekday"].contains(&call.name.name.as_str()) || any(&call.arguments)
            }
            ast::ExprKind::Paren(inner) | ast::ExprKind::Not(inner) => self.scripted(inner),
            ast::ExprKind::Path(path) => self.named(path).is_some_and(|body| self.scripted(body)),
            ast::ExprKind::Or(parts) | ast::ExprKind::And(parts) => any(parts),
            ast::ExprKind::Compare(compare) => self.scripted(&compare.left) || self.scripted(&compare.right),
            ast::ExprKind::Arithmetic(arithmetic) => {
                self.scripted(&arithmetic.left) || self.scripted(&arithmetic.right)
            }
            ast::ExprKind::Coalesce(coalesce) => self.scripted(&coalesce.value) || self.scripted(&coalesce.fallback),
            ast::ExprKind::In(membership) => self.scripted(&membership.value),
            ast::ExprKind::Between(between) => {
                [&between.value, &between.low, &between.high].into_iter().any(|part| self.scripted(part))
            }
            ast::ExprKind::Is(presence) => self.scripted(&presence.value),
            ast::ExprKind::Matches(matches) => self.scripted(&matches.value),
            ast::ExprKind::Literal(_)
            | ast::ExprKind::List(_)
            | ast::ExprKind::Aggregate(_)
            | ast::ExprKind::Seen(_) => false,
        }
    }

    /// The user's newest earlier action of this kind.
    fn newest(&self, wanted: impl Fn(&Past) -> bool) -> Option<&'a Past> {
        let user = lookup(&self.this.record, "user");
        let earlier = self.earlier().filter(|event| {
            !event.kind.starts_with("challenge.") && lookup(&event.record, "user") == user && wanted(event)
        });
        earlier.max_by_key(|event| (event.at, event.seq))
    }

    fn local(&self, at: Fact<'a>, zone: Fact<'a>) -> Result<jiff::civil::DateTime, Cause> {
        match (at, zone) {
            (Fact::Known(Plain::Moment(at)), Fact::Known(Plain::Word(zone))) => {
                let zone = jiff::tz::TimeZoneDatabase::bundled().get(zone).map_err(|_| "lookup_failed")?;
                Ok(zone.to_datetime(jiff::Timestamp::from_millisecond(at).expect("in the calendar")))
            }
            (Fact::Unknown(cause), _) | (_, Fact::Unknown(cause)) => Err(cause),
            (at, zone) => panic!("{at:?} in {zone:?}"),
        }
    }

    /// What was written, with single spaces and no parentheses: which are needed is for the engine's own tests.
    fn text(&self, expr: &ast::Expr) -> String {
        let (start, end) = (expr.span.start as usize, expr.span.end as usize);
        without_parentheses(&self.pack.source[start..end].split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

pub fn without_parentheses(text: &str) -> String {
    text.replace(['(', ')'], "")
}

/// What a record says about a path.
pub fn lookup(record: &Record, name: &str) -> Fact<'static> {
    record.iter().find(|(path, _)| *path == name).map_or(Fact::Unknown("absent"), |(_, fact)| *fact)
}

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// A literal as a value.
fn constant(literal: &ast::Literal) -> Plain<'_> {
    let decimal = |number: &ast::Number| number.digits().parse().expect("it is a number");
    match literal {
        ast::Literal::Bool(value) => Plain::Bool(*value),
        ast::Literal::Number(number) => match number.as_i64() {
            Some(value) => Plain::Int(value),
            None => Plain::Decimal(decimal(number)),
        },
        ast::Literal::Percent(number) => Plain::Percent(decimal(number)),
        ast::Literal::Speed(number) => Plain::Speed(decimal(number)),
        ast::Literal::Distance(number) => Plain::Distance(decimal(number)),
        ast::Literal::Money(money) => {
            let currency = money.currency.name.as_str();
            Plain::Money(plain::minor_units(&money.amount.digits(), currency), currency)
        }
        ast::Literal::Duration(length) => Plain::Millis(length.as_millis().expect("it is a length")),
        ast::Literal::Text(text) => Plain::Word(&text.value),
        ast::Literal::Country(code) | ast::Literal::Currency(code) => Plain::Word(&code.name),
        ast::Literal::Asn(code) => Plain::Asn(code.name[2..].parse().expect("it is a number")),
        ast::Literal::Ip(ip) => Plain::Ip(ip.name.parse().expect("it is an address")),
        ast::Literal::Cidr(net) => {
            let (base, length) = net.name.split_once('/').expect("it is a network");
            Plain::Net(base.parse().expect("it is an address"), length.parse().expect("it is a length"))
        }
        ast::Literal::DateTime(moment) => Plain::Moment(moment_of(moment)),
        ast::Literal::Clock(_) | ast::Literal::ClockRange(_) => panic!("a time of day is no value"),
    }
}

/// A day is its first moment, in UTC.
fn moment_of(date: &ast::DateTime) -> i64 {
    let text = if date.text.contains('T') { date.text.clone() } else { format!("{}T00:00:00Z", date.text) };
    text.parse::<jiff::Timestamp>().expect("the tests write UTC").as_millisecond()
}
