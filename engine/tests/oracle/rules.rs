//! Random policies that compile.

use std::fmt::{self, Write as _};

use super::dice::Dice;

/// The pack around the policies.
pub const HEADER: &str = r#"event e {
  n: int  m: int?  d: decimal  x: decimal?  p: percent?  amount: money  fee: money?  limit: money? @currency(cur)
  cur: currency?  age: duration?  due: timestamp?  day: weekday?  c: country?  net: cidr?  who: user?  dev: device?  num: asn?
  kind: string  name: string?  mood: enum("a", "b", "c")?  yes: bool?  tags: list<string>?  codes: list<int>?  fast: speed?  far: distance?
}
script odd(n: int) -> bool from "odd.rhai" budget 100 ops
script left(amount: money, share: percent) -> money from "left.rhai" budget 1000 ops
script home(c: country) -> country from "home.rhai" budget 100 ops
list @nets: cidr = [10.0.0.0/24, 10.0.1.7/32, 2001:db8::/32]
list @hot: country = [NZ, FR]
list @words: string = ["a", "c"]
list @ints: int = [0, 3, 5]
list @added: string managed
reason ZERO "zero"
reason ONE "one"
reason TWO "two"
let shared = m > 2 or yes
let half = amount / 2
"#;

/// The scripts of the pack: the interpreter computes the same in its own way.
pub const SCRIPTS: [(&str, &str); 3] = [
    ("odd.rhai", "let rest = n % 2; rest == 1 || rest == -1"),
    ("left.rhai", "if share > 100 { throw \"more than all\" }\nif share == 100 { amount.value = 0; }\namount"),
    ("home.rhai", "if c == \"US\" { \"nowhere\" } else { \"FR\" }"),
];

/// A condition as a tree, so that a failing one can be made smaller.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Leaf(String),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Node], word: &str| parts.iter().map(Node::to_string).collect::<Vec<_>>().join(word);
        match self {
            Node::All(parts) => write!(f, "({})", joined(parts, " and ")),
            Node::Any(parts) => write!(f, "({})", joined(parts, " or ")),
            Node::Not(inner) => write!(f, "not ({inner})"),
            Node::Leaf(text) => f.write_str(text),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Rule {
    pub name: String,
    /// `mode shadow`, `priority 2`, `active from …`, `on unknown skip`
    pub members: Vec<String>,
    pub when: Node,
    pub unless: Option<Node>,
    pub outcome: String,
    pub effects: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Policy {
    pub name: String,
    pub members: Vec<String>,
    pub rules: Vec<Rule>,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "policy {} on e {{\n  {}", self.name, self.members.join("\n  "))?;
        for rule in &self.rules {
            write!(f, "  rule {} {{ {} when {}", rule.name, rule.members.join(" "), rule.when)?;
            if let Some(unless) = &rule.unless {
                write!(f, " unless {unless}")?;
            }
            writeln!(f, " then {} {} }}", rule.outcome, rule.effects.join(" "))?;
        }
        f.write_str("}\n")
    }
}

impl Policy {
    /// The rules that ask a script, themselves or by a `let`.
    pub fn scripted(&self) -> impl Iterator<Item = &str> {
        let mut words: Vec<&str> = SCRIPTS.iter().filter_map(|(file, _)| file.strip_suffix(".rhai")).collect();
        let asks = |text: &str, words: &[&str]| {
            text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| words.contains(&word))
        };
        for (name, body) in self.members.iter().filter_map(|member| member.strip_prefix("let ")?.split_once(" = ")) {
            if asks(body, &words) {
                words.push(name);
            }
        }
        let scripted = move |rule: &&Rule| {
            let mut conditions = [Some(&rule.when), rule.unless.as_ref()].into_iter().flatten();
            conditions.any(|condition| asks(&condition.to_string(), &words))
        };
        self.rules.iter().filter(scripted).map(|rule| rule.name.as_str())
    }
}

/// What the policies of one pack are like.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub rules: usize,
    /// Whether conditions ask about the past.
    pub history: bool,
    /// Whether sums are among what they ask.
    pub sums: bool,
    /// Whether currencies meet.
    pub rates: bool,
    /// Whether amounts are below zero too. A threshold on their sum would make it unknown, so none stands beside it.
    pub negative: bool,
    /// Whether deviations and percentiles are asked for.
    pub spread: bool,
    /// Whether days pass, and calendars are asked.
    pub calendar: bool,
    /// Whether events arrive later than others that happened after them.
    pub late: bool,
    /// Mostly `field op constant`, as large packs are.
    pub flat: bool,
}

/// One or two policies for the same event.
pub fn policies(dice: &mut Dice, style: Style) -> Vec<Policy> {
    let many = if dice.once_in(4) { 2 } else { 1 };
    let mut writer = Writer { dice, style, lets: None };
    (0..many).map(|index| writer.policy(index, many)).collect()
}

/// What one euro is worth. A dinar is not worth anything yet, and a unidad is not in the file.
pub const RATES: &str = "base,currency,rate,from
EUR,USD,1.25,
EUR,USD,2,2026-01-01T00:02:00Z
EUR,JPY,160.5,
EUR,KWD,0.33,2027-01-01
";

pub fn source(policies: &[Policy], rates: bool) -> String {
    let mut text = if rates { "rates from \"rates.csv\"\n".to_owned() } else { String::new() };
    text.push_str(HEADER);
    for policy in policies {
        let _ = write!(text, "{policy}");
    }
    text
}

struct Writer<'d> {
    dice: &'d mut Dice,
    style: Style,
    /// The policy whose `let`s there are to use.
    lets: Option<usize>,
}

/// The types of which values are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Type {
    Int,
    Decimal,
    Percent,
    Money,
    Duration,
    Timestamp,
    Speed,
    Distance,
    Weekday,
    Country,
    Currency,
    Asn,
    Ip,
    Text,
    User,
    Device,
    Bool,
}

const ORDERED: [Type; 8] = [
    Type::Int,
    Type::Decimal,
    Type::Percent,
    Type::Money,
    Type::Duration,
    Type::Timestamp,
    Type::Speed,
    Type::Distance,
];
const UNORDERED: [Type; 9] = [
    Type::Weekday,
    Type::Country,
    Type::Currency,
    Type::Asn,
    Type::Ip,
    Type::Text,
    Type::User,
    Type::Device,
    Type::Bool,
];
const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];
const EQUALITIES: [&str; 2] = ["==", "!="];

impl Writer<'_> {
    fn policy(&mut self, index: usize, many: usize) -> Policy {
        let scored = self.dice.once_in(4);
        let combine = match self.dice.below(3) {
            _ if scored => self.dice.pick(&[
                "combine score { challenge at 30, block at 70 }",
                "combine score { allow at 0, challenge at 10, block at 11 }",
                "combine score { block at 25 }",
            ]),
            0 => "combine first_match",
            _ => "combine strictest",
        };
        let default = self.dice.pick(&["default allow", "default challenge qr { expires: 90s }", "default block"]);
        let unknown = self.dice.pick(&["on unknown step_up", "on unknown match", "on unknown skip"]);
        let mut members = vec![default.to_owned(), combine.to_owned(), unknown.to_owned()];
        self.lets = None;
        members.push(format!("let l{index} = {}", self.node(1)));
        members.push(format!("let v{index} = {}", self.value(Type::Int, 1)));
        self.lets = Some(index);
        let rules = (0..self.style.rules.div_ceil(many)).map(|rule| self.rule(index, rule, scored)).collect();
        Policy { name: format!("p{index}"), members, rules }
    }

    fn rule(&mut self, policy: usize, index: usize, scored: bool) -> Rule {
        let mut members = Vec::new();
        match self.dice.below(12) {
            0 | 1 => members.push("mode shadow".to_owned()),
            2 => members.push("mode off".to_owned()),
            _ => {}
        }
        if self.dice.once_in(3) {
            members.push(format!("priority {}", self.dice.range(-2, 4)));
        }
        if self.dice.once_in(3) {
            let word = self.dice.pick(&["step_up", "match", "skip"]);
            members.push(format!("on unknown {word}"));
        }
        let kinds = if scored { 8 } else { 5 };
        let outcome = match self.dice.below(kinds) {
            0 => "allow".to_owned(),
            1 => "block".to_owned(),
            2 | 3 => self.challenge(),
            4 if self.dice.once_in(2) => "nothing".to_owned(),
            4 => "allow final".to_owned(),
            _ => format!("score {}", self.dice.pick(&[5, 10, 10, 25, 40, -15])),
        };
        if self.dice.once_in(6) {
            let (share, entity) = (self.dice.pick(&[0, 10, 50, 90, 100]), self.dice.pick(&["user", "device", "name"]));
            members.push(format!("rollout {share}% by {entity}"));
        }
        if outcome == "allow final" || self.dice.once_in(6) {
            let from = if self.dice.once_in(2) { "from 2026-01-01T00:00:20Z " } else { "" };
            let until = self.dice.pick(&["2026-01-01T00:01:00Z", "2026-01-02", "2100-01-01"]);
            members.push(format!("active {from}until {until}"));
        }
        let mut effects = Vec::new();
        if self.dice.once_in(2) {
            effects.push(format!("reason {}", self.dice.pick(&["ZERO", "ONE", "TWO"])));
        }
        if self.dice.once_in(6) {
            effects.push(format!("flag f{}", self.dice.below(2)));
        }
        if self.style.history && self.dice.once_in(8) {
            let field = self.dice.pick(&["name", "kind"]);
            effects.push(format!("add {field} to @added for {}", self.dice.pick(&["10s", "1m", "1h"])));
        }
        let depth = if self.style.flat { 1 } else { 3 };
        let when = self.node(depth);
        let unless = self.dice.once_in(4).then(|| self.node(1));
        Rule { name: format!("r{policy}_{index}"), members, when, unless, outcome, effects }
    }

    fn challenge(&mut self) -> String {
        let mut options = Vec::new();
        if self.dice.once_in(3) {
            options.push(format!("level: {}", self.dice.pick(&["possession", "biometric"])));
        }
        if self.dice.once_in(3) {
            options.push(format!("expires: {}", self.dice.pick(&["30s", "2m", "5m"])));
        }
        if self.dice.once_in(4) {
            options.push(format!("attempts: {}", self.dice.range(1, 5)));
        }
        if self.dice.once_in(4) {
            options.push(format!("user: {}", self.dice.pick(&["anonymous", "locked"])));
        }
        if options.is_empty() {
            "challenge qr".to_owned()
        } else {
            format!("challenge qr {{ {} }}", options.join(", "))
        }
    }

    // ---- conditions

    fn node(&mut self, depth: usize) -> Node {
        let parts = |writer: &mut Self| {
            let many = 2 + writer.dice.below(2);
            (0..many).map(|_| writer.node(depth - 1)).collect()
        };
        match self.dice.below(8) {
            _ if depth == 0 => Node::Leaf(self.leaf()),
            0..=2 => Node::All(parts(self)),
            3 => Node::Any(parts(self)),
            4 => Node::Not(Box::new(self.node(depth - 1))),
            _ => Node::Leaf(self.leaf()),
        }
    }

    fn leaf(&mut self) -> String {
        if self.style.flat && !self.dice.once_in(6) {
            return self.flat_leaf();
        }
        match self.dice.below(26) {
            24 => self
                .dice
                .pick(&[
                    "mood == \"a\"",
                    "mood != \"b\"",
                    "mood in [\"a\", \"c\"]",
                    "mood == name",
                    "mood matches \"^[ab]\"",
                    "(mood ?? \"b\") == \"b\"",
                    "mood is missing",
                    "ip in net",
                    "ip not in net",
                ])
                .to_owned(),
            25 => self.scripted(),
            0..=8 => {
                let ty = self.dice.pick(&ORDERED);
                let op = self.dice.pick(&COMPARISONS);
                self.sides(ty, op)
            }
            9..=11 => {
                let ty = self.dice.pick(&UNORDERED);
                let op = self.dice.pick(&EQUALITIES);
                self.sides(ty, op)
            }
            12 | 13 => {
                let ty = self.dice.pick(&ORDERED);
                let value = self.value_in(ty, 1, "EUR");
                let (low, high) = ascending(ty, self.simple(ty), self.simple(ty));
                if self.dice.once_in(2) {
                    format!("{value} between {low} and {high}")
                } else {
                    let word = self.dice.pick(&["in", "not in"]);
                    format!("{value} {word} {low}..{high}")
                }
            }
            14..=16 => self.element(),
            17 => {
                let text = self.value(Type::Text, 1);
                let pattern = self.dice.pick(&["^a", "b$", "a|c", "^(a|bc)$", "[^a]", "^.{2}$", ""]);
                format!("{text} matches \"{pattern}\"")
            }
            18 => {
                let range = self.dice.pick(&["00:00..00:01", "23:00..01:00", "01:00..13:00", "00:01..23:59"]);
                let at = self.dice.pick(&["time", "now", "due", "(due ?? now)"]);
                format!("{at} in {range} tz {}", self.zone())
            }
            19 | 20 => {
                let ty = if self.dice.once_in(2) { self.dice.pick(&ORDERED) } else { self.dice.pick(&UNORDERED) };
                let what = match self.dice.below(4) {
                    0 => self.dice.pick(&["geo", "geo.country", "tags", "net", "user.tz"]).to_owned(),
                    1 => self.value(ty, 1),
                    _ => self.field(ty).to_owned(),
                };
                let question = self.question();
                format!("{what} is {question}")
            }
            21 => self.dice.pick(&["yes", "ip.tor", "ip.vpn", "ip.hosting", "(yes ?? false)", "shared"]).to_owned(),
            22 => {
                // A condition as a value.
                let (a, b) = (self.leaf_value(), self.dice.pick(&["yes", "true", "ip.tor"]));
                format!("{a} {} {b}", self.dice.pick(&EQUALITIES))
            }
            _ => match (self.lets, self.dice.below(6)) {
                (Some(policy), 0 | 1) => format!("l{policy}"),
                (Some(policy), 2 | 3) => format!("v{policy} {} n", self.dice.pick(&COMPARISONS)),
                (_, 4) => self.dice.pick(&["true", "false"]).to_owned(),
                (_, _) => "half > 10 EUR".to_owned(),
            },
        }
    }

    fn question(&mut self) -> &'static str {
        let questions = ["missing", "not missing", "known", "not known"];
        // What bounded memory cannot tell of a late event's past is not known to it.
        self.dice.pick(if self.style.late { &questions[..2] } else { &questions })
    }

    fn scripted(&mut self) -> String {
        match self.dice.below(6) {
            0 | 1 => format!("odd({})", self.value(Type::Int, 1)),
            2 => format!(
                "home({}) {} {}",
                self.field(Type::Country),
                self.dice.pick(&EQUALITIES),
                self.field(Type::Country)
            ),
            3 => format!("home({}) is missing", self.field(Type::Country)),
            _ => {
                let (amount, share) = (self.field(Type::Money), self.value(Type::Percent, 1));
                format!("left({amount}, {share}) {} {}", self.dice.pick(&COMPARISONS), self.simple(Type::Money))
            }
        }
    }

    fn leaf_value(&mut self) -> String {
        let ty = self.dice.pick(&ORDERED[..3]);
        format!("({} > {})", self.simple(ty), self.simple(ty))
    }

    /// What an index over `field op constant` is made of: few fields, few constants, values at the constants.
    fn flat_leaf(&mut self) -> String {
        let ty = self.dice.pick(&[
            Type::Int,
            Type::Int,
            Type::Money,
            Type::Text,
            Type::Country,
            Type::Decimal,
            Type::Ip,
            Type::Duration,
        ]);
        let field = self.field(ty);
        let currency = self.dice.pick(&["EUR", "EUR", "USD"]);
        match (ty, self.dice.below(8)) {
            (Type::Int | Type::Money | Type::Decimal | Type::Duration, 0..=5) => {
                format!("{field} {} {}", self.dice.pick(&COMPARISONS), self.constant(ty, currency))
            }
            (Type::Int | Type::Money | Type::Decimal | Type::Duration, _) => {
                let (low, high) = ascending(ty, self.constant(ty, currency), self.constant(ty, currency));
                format!("{field} between {low} and {high}")
            }
            (Type::Ip, 0..=3) => {
                format!("{field} in {}", self.dice.pick(&["10.0.0.0/24", "10.0.0.0/8", "@nets", "2001:db8::/32"]))
            }
            (_, 0..=4) => format!("{field} {} {}", self.dice.pick(&EQUALITIES), self.constant(ty, currency)),
            (_, 5 | 6) => {
                let many = 1 + self.dice.below(3);
                let elements: Vec<String> = (0..many).map(|_| self.constant(ty, currency)).collect();
                format!("{field} {} [{}]", self.dice.pick(&["in", "in", "not in"]), elements.join(", "))
            }
            (_, _) => format!("{field} is {}", self.question()),
        }
    }

    fn sides(&mut self, ty: Type, op: &str) -> String {
        let currency = self.dice.pick(&["EUR", "USD", "JPY", "KWD", "CLF"]);
        let left = self.value_in(ty, 2, currency);
        let right = if self.dice.once_in(3) { self.value_in(ty, 1, currency) } else { self.constant(ty, currency) };
        if self.dice.once_in(8) { format!("{right} {op} {left}") } else { format!("{left} {op} {right}") }
    }

    fn element(&mut self) -> String {
        let word = self.dice.pick(&["in", "not in"]);
        match self.dice.below(9) {
            0 => format!("ip {word} {}", self.dice.pick(&["10.0.0.0/24", "10.0.0.0/8", "2001:db8::/33", "0.0.0.0/0"])),
            1 => format!("ip {word} @nets"),
            2 => format!("ip {word} [10.0.0.1, 10.0.1.0/24, @nets]"),
            3 => format!("{} {word} @hot", self.value(Type::Country, 1)),
            4 => format!("{} {word} @words", self.value(Type::Text, 1)),
            5 => format!("{} {word} @ints", self.value(Type::Int, 1)),
            6 if self.dice.once_in(2) => format!("{} {word} codes", self.value(Type::Int, 1)),
            6 => format!("{} {word} tags", self.value(Type::Text, 1)),
            7 => format!("{} {word} @added", self.field(Type::Text)),
            _ => {
                let ty = if self.dice.once_in(2) { self.dice.pick(&ORDERED) } else { self.dice.pick(&UNORDERED[1..8]) };
                let currency = self.dice.pick(&["EUR", "USD"]);
                let value = self.value_in(ty, 1, currency);
                let many = 1 + self.dice.below(3);
                let mut elements: Vec<String> = (0..many).map(|_| self.constant(ty, currency)).collect();
                if self.dice.once_in(3) {
                    elements.push(self.field(ty).to_owned());
                }
                format!("{value} {word} [{}]", elements.join(", "))
            }
        }
    }

    // ---- values

    fn value(&mut self, ty: Type, depth: usize) -> String {
        let currency = self.dice.pick(&["EUR", "USD", "JPY"]);
        self.value_in(ty, depth, currency)
    }

    fn value_in(&mut self, ty: Type, depth: usize, currency: &'static str) -> String {
        if depth == 0 || self.dice.below(10) < 5 {
            return self.field(ty).to_owned();
        }
        if self.style.history
            && self.dice.once_in(2)
            && let Some(past) = self.past(ty)
        {
            return past;
        }
        if self.dice.once_in(4) {
            let (value, fallback) = (self.value_in(ty, depth - 1, currency), self.simple_in(ty, currency));
            return format!("({value} ?? {fallback})");
        }
        self.arithmetic(ty, depth - 1, currency).unwrap_or_else(|| self.field(ty).to_owned())
    }

    fn arithmetic(&mut self, ty: Type, depth: usize, currency: &'static str) -> Option<String> {
        let sign = self.dice.pick(&["+", "-"]);
        let factor = if self.dice.once_in(2) { Type::Int } else { Type::Decimal };
        let mut of = |ty| self.value_in(ty, depth, currency);
        let same = (of(ty), of(ty));
        let factor = of(factor);
        Some(match ty {
            Type::Int => match self.dice.below(4) {
                0 => format!("({} * {})", same.0, same.1),
                1 if self.dice.once_in(4) => format!("({} * 9223372036854775807)", same.0),
                _ => format!("({} {sign} {})", same.0, same.1),
            },
            Type::Decimal => {
                let unit = self.dice.pick(&[Type::Int, Type::Decimal, Type::Percent, Type::Duration, Type::Distance]);
                match self.dice.below(4) {
                    0 => {
                        format!("({} / {})", self.value_in(unit, depth, currency), self.value_in(unit, depth, currency))
                    }
                    1 => format!("({} * {factor})", same.0),
                    2 => format!("({factor} {sign} {})", same.0),
                    _ => format!(
                        "({} / {})",
                        self.value_in(Type::Money, depth, currency),
                        self.value_in(Type::Money, depth, currency)
                    ),
                }
            }
            Type::Money if self.dice.once_in(3) => {
                let share = self.value_in(Type::Percent, depth, currency);
                if self.dice.once_in(2) { format!("({} * {share})", same.0) } else { format!("({share} * {})", same.0) }
            }
            Type::Speed if self.dice.once_in(3) => {
                format!(
                    "({} / {})",
                    self.value_in(Type::Distance, depth, currency),
                    self.value_in(Type::Duration, depth, currency)
                )
            }
            Type::Distance if self.dice.once_in(3) => {
                format!(
                    "({} * {})",
                    self.value_in(Type::Speed, depth, currency),
                    self.value_in(Type::Duration, depth, currency)
                )
            }
            Type::Duration if self.dice.once_in(3) => {
                format!(
                    "({} - {})",
                    self.value_in(Type::Timestamp, depth, currency),
                    self.value_in(Type::Timestamp, depth, currency)
                )
            }
            Type::Money | Type::Percent | Type::Duration | Type::Speed | Type::Distance => match self.dice.below(5) {
                0 => format!("({} * {factor})", same.0),
                1 => format!("({factor} * {})", same.0),
                2 => format!("({} / {factor})", same.0),
                _ => format!("({} {sign} {})", same.0, same.1),
            },
            Type::Timestamp => format!("({} {sign} {})", same.0, self.value_in(Type::Duration, depth, currency)),
            Type::Weekday => format!("weekday({}, {})", self.dice.pick(&["time", "due"]), self.zone()),
            Type::Country
            | Type::Currency
            | Type::Asn
            | Type::Ip
            | Type::Text
            | Type::User
            | Type::Device
            | Type::Bool => {
                return None;
            }
        })
    }

    /// A field or a constant.
    fn simple(&mut self, ty: Type) -> String {
        self.simple_in(ty, "EUR")
    }

    fn simple_in(&mut self, ty: Type, currency: &'static str) -> String {
        if self.dice.once_in(3) { self.field(ty).to_owned() } else { self.constant(ty, currency) }
    }

    fn field(&mut self, ty: Type) -> &'static str {
        let fields: &[&str] = match ty {
            Type::Int => &["n", "n", "m"],
            Type::Decimal => &["d", "x", "geo.lat"],
            Type::Percent => &["p"],
            Type::Money => &["amount", "fee", "limit"],
            Type::Duration => &["age"],
            Type::Timestamp => &["due", "time", "now"],
            Type::Speed => &["fast"],
            Type::Distance => &["far", "geo.radius"],
            Type::Weekday => &["day"],
            Type::Country => &["c", "geo.country", "user.home_country"],
            Type::Currency => &["cur"],
            Type::Asn => &["num", "ip.asn"],
            Type::Ip => &["ip"],
            Type::Text => &["kind", "name", "email", "locale", "geo.city", "ip.as_org", "device.name", "user.tz"],
            Type::User => &["user", "who"],
            Type::Device => &["device", "dev"],
            Type::Bool => &["yes", "ip.tor"],
        };
        let anchored: &[&str] = match ty {
            Type::Timestamp => &["previous.time", "last_verified.time"],
            Type::Country => &["previous.geo.country", "last_verified.geo.country"],
            Type::Ip => &["previous.ip", "last_verified.ip"],
            Type::Device => &["previous.device", "last_verified.device"],
            Type::Text => &["last_verified.geo.city"],
            _ => &[],
        };
        if self.style.history && !anchored.is_empty() && self.dice.once_in(3) {
            return self.dice.pick(anchored);
        }
        self.dice.pick(fields)
    }

    fn constant(&mut self, ty: Type, currency: &'static str) -> String {
        let dice = &mut *self.dice;
        match ty {
            Type::Int => dice.range(-2, 9).to_string(),
            Type::Decimal => dice.pick(&["0.5", "1.0", "1.5", "2.25", "-0.5", "47.5", "1", "0"]).to_owned(),
            Type::Percent => dice.pick(&["10%", "50%", "12.5%", "0%", "100%"]).to_owned(),
            Type::Money => {
                let currency = if self.style.rates { dice.pick(&["EUR", "USD", "JPY"]) } else { currency };
                format!("{} {currency}", dice.pick(&["0", "1", "5", "10", "15", "30", "-5"]))
            }
            Type::Duration => dice.pick(&["0s", "30s", "1m", "90s", "15m", "1h", "500ms"]).to_owned(),
            Type::Timestamp => {
                dice.pick(&["2026-01-01", "2026-01-01T00:00:30Z", "2026-01-01T00:05:00Z", "2025-12-31"]).to_owned()
            }
            Type::Speed => dice.pick(&["0 km/h", "60 km/h", "100 km/h", "300 km/h"]).to_owned(),
            Type::Distance => dice.pick(&["0 km", "5 km", "10.5 km", "100 km"]).to_owned(),
            Type::Weekday => dice.pick(&["monday", "thursday", "sunday"]).to_owned(),
            Type::Country => dice.pick(&["NZ", "FR", "DE", "US"]).to_owned(),
            Type::Currency => dice.pick(&["EUR", "USD", "JPY"]).to_owned(),
            Type::Asn => dice.pick(&["AS1", "AS2", "AS64500"]).to_owned(),
            Type::Ip => dice.pick(&["10.0.0.1", "10.0.1.7", "2001:db8::1"]).to_owned(),
            Type::Text => dice.pick(&["\"a\"", "\"b\"", "\"c\"", "\"bc\""]).to_owned(),
            Type::User => dice.pick(&["\"u\"", "\"v\""]).to_owned(),
            Type::Device => dice.pick(&["\"d1\"", "\"d2\""]).to_owned(),
            Type::Bool => dice.pick(&["true", "false"]).to_owned(),
        }
    }

    fn zone(&mut self) -> &'static str {
        self.dice.pick(&["\"UTC\"", "\"Europe/Paris\"", "user.tz", "(user.tz ?? \"UTC\")", "\"Pacific/Auckland\""])
    }

    // ---- the past

    fn past(&mut self, ty: Type) -> Option<String> {
        let over = |function: &str, field: &str, writer: &mut Self| writer.aggregate(&format!("{function}({field})"));
        let numeric = |fields: &[&'static str], writer: &mut Self| {
            let field = writer.dice.pick(fields);
            let functions = if writer.style.sums { &["sum", "sum", "sum", "min", "max"][..] } else { &["min", "max"] };
            let mut function = writer.dice.pick(functions);
            if writer.style.spread && writer.dice.once_in(2) {
                function = writer.dice.pick(&["p95", "p95", "stddev"]);
            }
            let distinct = if writer.dice.once_in(6) { "distinct " } else { "" };
            // The deviation of whole numbers is a decimal.
            let whole = function == "stddev" && ["n", "m"].contains(&field);
            let aggregate = over(if whole { "p95" } else { function }, &format!("{distinct}{field}"), writer);
            // Beside a constant, a sum is kept no further than the constant.
            if writer.style.negative && function == "sum" { format!("({aggregate} * 1)") } else { aggregate }
        };
        Some(match ty {
            Type::Int => match self.dice.below(6) {
                0 | 1 => over("count", "", self),
                2 => {
                    let field = self.dice.pick(&["name", "kind", "ip", "c", "n", "amount", "device"]);
                    over("count", &format!("distinct {field}"), self)
                }
                3 => {
                    let what = self.dice.pick(&["device", "ip", "kind", "name"]);
                    let by = self.dice.pick(&["user", "device", "user, kind"]);
                    let within = self.dice.pick(&["", " within 10s", " within 2m"]);
                    format!("(times_seen({what}) by {by}{within})")
                }
                _ => numeric(&["n", "m"], self),
            },
            Type::Decimal => match self.dice.below(3) {
                0 if self.style.spread && self.dice.once_in(2) => over("stddev", "n", self),
                0 => over("avg", "n", self),
                1 => over("avg", "d", self),
                _ => numeric(&["d", "x"], self),
            },
            Type::Percent => numeric(&["p"], self),
            Type::Money if self.dice.once_in(4) => over("avg", "amount", self),
            Type::Money => numeric(&["amount", "fee", "limit"], self),
            Type::Duration if self.dice.once_in(4) => over("avg", "age", self),
            Type::Duration => numeric(&["age"], self),
            Type::Timestamp => {
                let seen = self.dice.pick(&["first_seen", "last_seen"]);
                let what = self.dice.pick(&["device", "ip", "kind"]);
                let within = self.dice.pick(&["", " within 1m"]);
                format!("({seen}({what}) by user{within})")
            }
            Type::Distance | Type::Speed => {
                let function = if ty == Type::Speed { "speed" } else { "distance" };
                let (from, to) = self.dice.pick(&[("geo", "previous.geo"), ("last_verified.geo", "geo")]);
                format!("{function}({from}, {to})")
            }
            _ => return None,
        })
    }

    /// Written exactly as the trace writes it, so that its name can be compared.
    fn aggregate(&mut self, function: &str) -> String {
        let (mut event, mut this) = ("e", self.dice.pick(&["", " including this"]));
        if function == "count()" && self.dice.once_in(4) {
            (event, this) = (self.dice.pick(&["challenge.issued", "challenge.succeeded", "challenge.declined"]), "");
        }
        let filter = match event {
            // The deviation is exact only where each event certainly counts or does not.
            "e" if function.starts_with("stddev") => {
                self.dice.pick(&["", " where (kind == \"a\")", " where (completed and n > 0)", " where (m is missing)"])
            }
            "e" => self.dice.pick(&[
                "",
                "",
                " where (kind == \"a\")",
                " where (completed and n > 0)",
                " where (not (completed))",
                " where (m > 1)",
                " where (name == \"a\" or completed)",
                " where (status == \"verified\")",
                " where (c in [NZ])",
                " where (m is missing)",
            ]),
            _ => "",
        };
        let keys = self.dice.pick(&["user", "user", "kind", "name", "user, kind", "device", "ip"]);
        let keys = if event == "e" || !keys.contains("kind") && keys != "name" { keys } else { "user" };
        let window = self.dice.pick(&[
            "over 10s",
            "over 1m",
            "over 1h",
            "over tumbling 1m",
            "since challenge.succeeded",
            "since challenge.issued",
        ]);
        if self.style.calendar && self.dice.once_in(2) {
            let unit = self.dice.pick(&["hour", "day", "week", "month"]);
            // A zone as a trace writes it.
            let zone = self.dice.pick(&[
                "\"UTC\"",
                "\"Europe/Paris\"",
                "\"Pacific/Auckland\"",
                "user.tz",
                "(user.tz ?? \"UTC\")",
            ]);
            return format!("({function} of {event}{filter} by {keys} over calendar {unit} in {zone}{this})");
        }
        format!("({function} of {event}{filter} by {keys} {window}{this})")
    }
}

/// The ends of a range in an order in which it is one, if both are constants; of what fields hold nobody knows.
fn ascending(ty: Type, low: String, high: String) -> (String, String) {
    let number = |text: &str| {
        let digits = text.trim_end_matches('%').split(' ').next().unwrap_or(text);
        digits.parse::<f64>().ok()
    };
    let after = match ty {
        Type::Timestamp => low.starts_with('2') && high.starts_with('2') && low > high,
        Type::Duration => grammar::ast::Duration::millis_of(&low)
            .zip(grammar::ast::Duration::millis_of(&high))
            .is_some_and(|(low, high)| low > high),
        _ => number(&low).zip(number(&high)).is_some_and(|(low, high)| low > high),
    };
    if after { (high, low) } else { (low, high) }
}
