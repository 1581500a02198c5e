//! The examples under a heading: what each of their blocks says, and what it should say.

use std::{collections::BTreeMap, net::IpAddr, ops::Range, sync::Arc};

use engine::{
    Line, Located, Maybe, NetworkFacts, PackSource, Program, Signals, Stream, UserFacts, Verdict, Whereabouts, Why,
    compile, decision_line, evaluate, explain,
    history::{History, Limits},
    read_line, run_tests,
    value::{Country, GeoFix, Precision},
};
use grammar::{Diagnostic, FileId, Severity, SourceFile};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::{
    chapter::{Block, Chapter, Kind, Section},
    expected, words,
};

/// The file of the rules that every example of a chapter has.
const SHARED: &str = "shared.rules";

/// What a block says, and what it should say.
pub struct Found {
    /// The block's lines in its chapter.
    pub lines: Range<usize>,
    pub what: &'static str,
    pub expected: String,
    pub text: String,
    /// Whether this shows something of the language; how rules are laid out does not.
    pub shows: bool,
}

/// Everything under a heading that can be compared; or what stops that.
pub fn found(chapter: &Chapter, section: &Section) -> Result<Vec<Found>, String> {
    let mut all = Vec::new();
    for block in section.blocks.iter().filter(|block| block.shared && matches!(block.kind, Kind::Rules(_))) {
        all.extend(laid_out(block, true));
    }
    let mut example = Example::of(chapter);
    let mut untidy: Option<&Block> = None;
    for block in section.blocks.iter().filter(|block| !block.shared) {
        if let (Some(before), Kind::Rules(_)) = (untidy, &block.kind) {
            all.extend(tidied(before, block));
            untidy = None;
        }
        match &block.kind {
            Kind::Shown => {}
            Kind::Untidy => untidy = Some(block),
            Kind::Words(what) => all.push(words::of(what, block)?),
            Kind::Limited => all.push(words::limits(block)),
            Kind::Grammar => all.push(words::grammar(block)?),
            Kind::Rules(_) | Kind::File(_) | Kind::Geo | Kind::Limits => {
                if example.checked {
                    all.extend(example.finish()?);
                    example = Example::of(chapter);
                }
                example.take(block)?;
            }
            Kind::Diagnostics => {
                example.checked = true;
                example.diagnostics = Some(block);
            }
            Kind::Events | Kind::Decisions | Kind::Reads => {
                example.checked = true;
                example.asked.push(block);
            }
        }
    }
    all.extend(example.finish()?);
    Ok(all)
}

/// Whether a rules block is laid out as the formatter would do it. One with mistakes stays as it is.
fn laid_out(block: &Block, shows: bool) -> Option<Found> {
    let formatted = grammar::format(&SourceFile::new(FileId(0), "example.rules", block.text.clone())).ok()?;
    let (lines, expected) = (block.lines.clone(), block.text.clone());
    Some(Found { lines, what: "the formatter gives", expected, text: formatted, shows })
}

/// The rules after an untidy block are what the formatter makes of it.
fn tidied(before: &Block, after: &Block) -> Option<Found> {
    let text = laid_out(before, true)?.text;
    let (lines, expected) = (after.lines.clone(), after.text.clone());
    Some(Found { lines, what: "the formatter gives", expected, text, shows: true })
}

/// A pack, and what is asked of it.
struct Example<'a> {
    pack: PackSource,
    rules: Vec<&'a Block>,
    places: BTreeMap<IpAddr, Whereabouts>,
    limits: Option<HistoryLimits>,
    diagnostics: Option<&'a Block>,
    /// Streams, and what to compare of them.
    asked: Vec<&'a Block>,
    checked: bool,
}

impl<'a> Example<'a> {
    /// What the chapter's shared blocks say.
    fn of(chapter: &Chapter) -> Example<'a> {
        let mut example = Example {
            pack: PackSource { name: "example".to_owned(), files: BTreeMap::new() },
            rules: Vec::new(),
            places: BTreeMap::new(),
            limits: None,
            diagnostics: None,
            asked: Vec::new(),
            checked: false,
        };
        for block in chapter.shared() {
            match &block.kind {
                Kind::Geo => example.places.extend(places(block).expect("the shared places are in order")),
                Kind::File(path) => {
                    example.pack.files.insert(path.clone(), block.text.clone().into_bytes());
                }
                _ => {
                    let file = example.pack.files.entry(SHARED.to_owned()).or_default();
                    file.extend_from_slice(block.text.as_bytes());
                }
            }
        }
        example
    }

    fn take(&mut self, block: &'a Block) -> Result<(), String> {
        match &block.kind {
            Kind::Rules(path) => {
                let name = path.clone().unwrap_or_else(|| "example.rules".to_owned());
                if self.pack.files.insert(name, block.text.clone().into_bytes()).is_some() {
                    return Err(at(block, "nothing is asked of the rules before these"));
                }
                self.rules.push(block);
                // A test asks for something.
                self.checked |= block.text.lines().any(|line| line.starts_with("test "));
            }
            Kind::File(path) => {
                self.pack.files.insert(path.clone(), block.text.clone().into_bytes());
            }
            Kind::Geo => self.places.extend(places(block)?),
            Kind::Limits => {
                let limits = serde_json::from_str(&block.text);
                self.limits = Some(limits.map_err(|error| at(block, &error.to_string()))?);
            }
            _ => {}
        }
        Ok(())
    }

    fn locate(&self, ip: IpAddr) -> Whereabouts {
        self.places.get(&ip).cloned().unwrap_or_default()
    }

    /// Compiles the pack, runs its tests, and decides its streams.
    fn finish(self) -> Result<Vec<Found>, String> {
        let questions = self.asked.first().copied().or(self.diagnostics);
        let Some(first) = self.rules.first().copied().or(questions) else { return Ok(Vec::new()) };
        if self.rules.is_empty() && !self.pack.files.contains_key(SHARED) {
            return Err(at(first, "the block has no rules before it"));
        }
        let compilation = compile(&self.pack);
        let tests = compilation.program.as_ref().map(|program| run_tests(program, &|ip| self.locate(ip)));
        let tests = tests.unwrap_or_default();
        let failures = tests.iter().flat_map(|result| result.failures.iter().cloned());
        // What to think of the shared rules is said where they are shown alone.
        let beside = !self.rules.is_empty() || !self.asked.is_empty();
        let shared = |finding: &Diagnostic| {
            beside
                && finding.severity != Severity::Error
                && finding.labels.first().is_some_and(|label| compilation.sources.name(label.span.file) == SHARED)
        };
        let findings = compilation.diagnostics.iter().cloned().chain(failures);
        let findings: Vec<Diagnostic> = findings.filter(|finding| !shared(finding)).collect();
        let own = tests.iter().any(|result| result.file != SHARED);
        let mut all: Vec<Found> = self.rules.iter().filter_map(|block| laid_out(block, own)).collect();
        match self.diagnostics {
            Some(block) => {
                let text = grammar::render_text(&findings, &compilation.sources, false);
                let (lines, expected) = (block.lines.clone(), block.text.clone());
                let text = format!("{}\n", text.trim_end());
                all.push(Found { lines, what: "`stepup check` prints", expected, text, shows: true });
            }
            None => {
                // Notes say what an analyst may have overlooked; the manual's readers may overlook it.
                let grave = |finding: &Diagnostic| finding.severity != Severity::Note;
                let grave: Vec<Diagnostic> = findings.into_iter().filter(grave).collect();
                if !grave.is_empty() {
                    return Err(at(first, &grammar::render_text(&grave, &compilation.sources, false)));
                }
            }
        }
        let mut decided: Option<Decided> = None;
        for block in &self.asked {
            let program = compilation.program.as_ref().ok_or_else(|| at(block, "the rules do not compile"))?;
            let lines = block.lines.clone();
            let (what, text) = match (&block.kind, &decided) {
                (Kind::Events, _) => {
                    decided = Some(self.decide(program, block)?);
                    continue;
                }
                (_, None) => return Err(at(block, "the block has no events before it")),
                (Kind::Reads, Some(decided)) => ("the rules read", expected::reads(&block.text, &decided.reads)),
                (_, Some(decided)) => ("the decisions are", expected::decisions(&block.text, &decided.lines)),
            };
            all.push(Found { lines, what, expected: block.text.clone(), text, shows: true });
        }
        match self.asked.last() {
            Some(block) if block.kind == Kind::Events => Err(at(block, "nothing of these events is compared")),
            _ => Ok(all),
        }
    }

    /// As `stepup eval` does it.
    fn decide(&self, program: &Arc<Program>, events: &Block) -> Result<Decided, String> {
        let history = self.limits.clone().unwrap_or_default().history(program);
        let mut stream = Stream::over(Arc::clone(program), history);
        let mut decided = Decided { lines: Vec::new(), reads: Vec::new() };
        let mut last: Option<(Signals, Verdict)> = None;
        for (index, line) in events.text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let refused = |error: Json| json!({ "index": index, "error": error });
            let input = match read_line(line) {
                Ok(Line::Challenge { time, user_id, reference, end }) => {
                    if !stream.challenge(&user_id, &reference, end, time) {
                        return Err(at(events, &format!("no challenge is open for `{line}`")));
                    }
                    continue;
                }
                Ok(Line::Event(input)) => input,
                Err(error) => {
                    decided.lines.push(refused(json!(error)));
                    continue;
                }
            };
            match program.decode(&input) {
                Ok(event) => {
                    if let Some(error) = stream.contradiction(&event) {
                        decided.lines.push(refused(json!(error)));
                        continue;
                    }
                    let Whereabouts { place, network } = input.ip.map(|ip| self.locate(ip)).unwrap_or_default();
                    let (signals, verdict) =
                        stream.push(Located::new(Arc::new(event), place, network, UserFacts::default()));
                    decided.lines.push(decision_line(index as u64, &verdict, program.version()));
                    told_again(program, &signals, &verdict).map_err(|error| at(events, &format!("{error}: {line}")))?;
                    last = Some((signals, verdict));
                }
                Err(errors) => decided.lines.push(refused(json!(errors.first()))),
            }
        }
        if let Some((signals, _)) = last {
            let trace = explain(program, &signals);
            let atoms = trace.policies.into_iter().flat_map(|policy| policy.rules).flat_map(|rule| rule.atoms);
            decided.reads = atoms.flat_map(|atom| atom.reads).map(|read| (read.what, read.value)).collect();
        }
        Ok(decided)
    }
}

/// Whatever is decided, the log alone decides it again, and the trace names every cause of doubt.
fn told_again(program: &Program, signals: &Signals, verdict: &Verdict) -> Result<(), String> {
    let recorded = Signals { scripts: verdict.scripts.clone(), ..signals.clone() };
    let text = serde_json::to_string(&recorded).map_err(|error| error.to_string())?;
    let replayed: Signals = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    if evaluate(program, &replayed) != *verdict {
        return Err("the log alone decides otherwise".to_owned());
    }
    let trace = explain(program, signals);
    let rules = || trace.policies.iter().flat_map(|policy| policy.rules.iter().map(|rule| (&policy.policy, rule)));
    for unknown in &verdict.unknown {
        let named = rules().filter(|(policy, rule)| **policy == unknown.policy && rule.rule == unknown.rule);
        if !named.flat_map(|(_, rule)| &rule.atoms).any(|atom| atom.why == Some(unknown.why)) {
            return Err(format!(
                "the trace of `{}` does not say `{}` of `{}`",
                unknown.rule, unknown.why, unknown.atom
            ));
        }
    }
    Ok(())
}

/// What came of a stream.
struct Decided {
    /// A decision or a refusal for each event.
    lines: Vec<Json>,
    /// What the rules read for the last event, with its value.
    reads: Vec<(String, String)>,
}

/// A `limits` block.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HistoryLimits {
    keys: Option<usize>,
    entries: Option<usize>,
    threshold: Option<usize>,
    /// What happened before is not known.
    known_since: Option<jiff::Timestamp>,
}

impl HistoryLimits {
    fn history(self, program: &Program) -> History {
        let usual = Limits::default();
        let limits = Limits {
            keys: self.keys.unwrap_or(usual.keys),
            entries: self.entries.unwrap_or(usual.entries),
            threshold: self.threshold.unwrap_or(usual.threshold),
            ..usual
        };
        let plan = Arc::clone(program.history_plan());
        match self.known_since {
            Some(since) => History::warming(plan, limits, since),
            None => History::new(plan, limits),
        }
    }
}

/// A line of a `geo` block. An address that has one is neither Tor, VPN nor hosting unless the line says so.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    ip: IpAddr,
    country: Option<String>,
    region: Option<String>,
    city: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
    #[serde(default)]
    radius: f64,
    asn: Option<u32>,
    as_org: Option<String>,
    #[serde(default)]
    tor: bool,
    #[serde(default)]
    vpn: bool,
    #[serde(default)]
    hosting: bool,
    /// The look-up fails.
    #[serde(default)]
    fails: bool,
}

fn places(block: &Block) -> Result<Vec<(IpAddr, Whereabouts)>, String> {
    let place = |line: &str| {
        let place: Place = serde_json::from_str(line).map_err(|error| at(block, &format!("{error}: {line}")))?;
        Ok((place.ip, place.whereabouts()))
    };
    block.text.lines().map(place).collect()
}

impl Place {
    fn whereabouts(self) -> Whereabouts {
        if self.fails {
            return Whereabouts { place: Maybe::Unknown(Why::LookupFailed), ..Whereabouts::default() };
        }
        let network = NetworkFacts {
            asn: Maybe::from(self.asn),
            as_org: Maybe::from(self.as_org.map(Arc::from)),
            hosting: Maybe::Known(self.hosting),
            vpn: Maybe::Known(self.vpn),
            tor: Maybe::Known(self.tor),
        };
        let country = self.country.as_deref().and_then(Country::parse);
        let (Some(country), Some(lat), Some(lon)) = (country, self.lat, self.lon) else {
            return Whereabouts { network, ..Whereabouts::default() };
        };
        let precision = if self.city.is_some() { Precision::City } else { Precision::Country };
        let place = GeoFix {
            country,
            region: self.region.map(Arc::from),
            city: self.city.map(Arc::from),
            lat,
            lon,
            radius_km: self.radius,
            time_zone: None,
            precision,
            source: "manual".into(),
            digest: "manual".into(),
        };
        Whereabouts { place: Maybe::Known(Arc::new(place)), network }
    }
}

/// Something that is wrong with a block itself.
fn at(block: &Block, what: &str) -> String {
    format!("line {}: {what}", block.lines.start + 1)
}
