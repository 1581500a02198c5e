//! Names and types over the whole pack: from syntax trees to a typed program, with every mistake
//! found in one run.

mod atom;
mod call;
pub mod codes;
mod declare;
mod expr;
mod history;
mod lints;
mod literal;
mod meant;
mod membership;
mod mend;
mod outcome;
mod policy;
mod rates;
mod resolve;
mod tests;

/// The closed sets of words that are no keywords: for messages, editors and the manual.
pub mod words {
    pub use super::{
        call::FUNCTIONS,
        declare::{ATTRIBUTES, ENUM},
        history::CHALLENGE_EVENTS,
        outcome::CHALLENGE_OPTIONS,
    };
}

pub use lints::expired;
pub use mend::{MendedPack, mend};

/// What one rule, pattern or test may be at most; [`Limits`] are those of a pack.
pub mod limits {
    pub use super::{
        atom::{MOST_DEPTH, MOST_NODES},
        declare::MOST_EVENTS,
        expr::{MOST_PATTERN_BYTES, MOST_REGEX_BYTES},
        outcome::{MOST_ATTEMPTS, MOST_EXPIRES_S},
        tests::MOST_HISTORY,
    };
}

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use grammar::{Diagnostic, FileId, SourceMap, Span, ast};

use crate::{
    codes::Currency,
    event::EventId,
    history::plan::{Asked, EventKind, HistoryPlan},
    index::{Index, Numbering},
    ir::{Atom, Expr, GeoPart, NetworkFact, Signal},
    lists::List,
    pack::{Limits, PackSource},
    program::{ListQuestion, Needs, Panel, Policy, Program, ReasonText, Recorded},
    rates::Rates,
    schema::{EventSchema, StandardField, standard_fields},
    script::Script,
};

/// What became of a pack.
#[derive(Debug)]
pub struct Compilation {
    /// The program; none if any diagnostic is an error.
    pub program: Option<Arc<Program>>,
    /// Every finding, by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// The rule files, to draw the findings on.
    pub sources: SourceMap,
}

/// Compiles a pack. Never fails: without a program there is at least one error among the diagnostics.
#[must_use]
pub fn compile(pack: &PackSource) -> Compilation {
    compile_within(pack, Limits::default())
}

/// Compiles a pack under limits other than the usual ones.
#[must_use]
pub fn compile_within(pack: &PackSource, limits: Limits) -> Compilation {
    let (mut sources, mut diagnostics) = (SourceMap::default(), Vec::new());
    let (mut files, mut lost) = (Vec::new(), BTreeSet::new());
    for (path, bytes) in rule_files(pack, limits, &mut diagnostics) {
        let id = FileId(u32::try_from(sources.files().len()).unwrap_or(u32::MAX));
        let (source, parsed) = grammar::parse_bytes_within(id, path, bytes, limits.findings);
        sources.add(source.name, source.text);
        diagnostics.extend(parsed.diagnostics);
        lost.extend(parsed.lost);
        files.push(parsed.file);
    }
    let mut checker = Checker::new(pack, &sources, limits);
    let parsed = diagnostics.len();
    checker.parsed = parsed;
    checker.diagnostics = diagnostics;
    checker.broken = lost;
    checker.pack(&files);
    let Checker { mut diagnostics, draft, .. } = checker;
    let mut checked = diagnostics.split_off(parsed);
    leave_to_the_parser(&mut checked, &diagnostics);
    // What cannot be read has been said: that it means nothing either is no second mistake.
    let unread = diagnostics.iter().filter(|finding| finding.is_error() && finding.certain_fix().is_none());
    let unread: BTreeSet<Span> = unread.filter_map(Diagnostic::span).collect();
    diagnostics.extend(checked.into_iter().filter(|finding| finding.span().is_none_or(|span| !unread.contains(&span))));
    diagnostics.sort();
    diagnostics.dedup();
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    let program = (!failed).then(|| Arc::new(draft.finish(pack.version(), sources.clone())));
    let most = limits.findings.saturating_mul(MOST_FILES_OF_FINDINGS);
    if diagnostics.len() > most {
        let more = diagnostics.len() - most;
        diagnostics.truncate(most);
        let text = format!("more than {most} findings in the pack: {more} are not shown");
        diagnostics.insert(0, Diagnostic::note("too-many-findings", text).help("mend the first ones and check again"));
    }
    Compilation { program, diagnostics, sources }
}

/// Takes the fixes from what was checked where the parser's own fixes write: it was checked as these make it, so the places of
/// its edits are not those of the source. Once they are made, it is found again with its fix.
fn leave_to_the_parser(checked: &mut [Diagnostic], parsed: &[Diagnostic]) {
    let rewritten: Vec<Span> =
        parsed.iter().filter_map(Diagnostic::certain_fix).flat_map(|fix| &fix.edits).map(|edit| edit.span).collect();
    let touches = |place: Span| {
        rewritten.iter().any(|other| place.file == other.file && place.start <= other.end && other.start <= place.end)
    };
    for finding in checked {
        if finding.fix.as_ref().is_some_and(|fix| fix.edits.iter().any(|edit| touches(edit.span))) {
            finding.fix = None;
        }
    }
}

/// More findings of one pack than those of so many files are counted and not shown.
const MOST_FILES_OF_FINDINGS: usize = 5;

/// The rule files of the pack in the order of their paths, if the pack is not over its limits.
fn rule_files<'a>(pack: &'a PackSource, limits: Limits, diagnostics: &mut Vec<Diagnostic>) -> Vec<(&'a str, &'a [u8])> {
    let too_large = |what: String| {
        Diagnostic::error("pack-too-large", what).help("split the pack, or move large lists to managed lists")
    };
    if pack.files.len() > limits.files {
        let have = pack.files.len();
        diagnostics.push(too_large(format!("the pack has {have} files, more than the limit of {}", limits.files)));
        return Vec::new();
    }
    let total: usize = pack.files.values().map(Vec::len).sum();
    if total > limits.pack_bytes {
        let most = limits.pack_bytes;
        diagnostics.push(too_large(format!("the pack has {total} bytes, more than the limit of {most}")));
        return Vec::new();
    }
    let mut files = Vec::new();
    for (path, bytes) in pack.files.iter().filter(|(path, _)| path.ends_with(".rules")) {
        if bytes.len() > limits.file_bytes {
            let (have, most) = (bytes.len(), limits.file_bytes);
            diagnostics.push(too_large(format!("`{path}` has {have} bytes, more than the limit of {most} for a file")));
        } else {
            files.push((path.as_str(), bytes.as_slice()));
        }
    }
    if files.is_empty() && diagnostics.is_empty() {
        diagnostics.push(
            Diagnostic::error("empty-pack", "the pack has no `.rules` file")
                .help("name the folder that holds the rule files"),
        );
    }
    files
}

/// A `let`, at the top level or in a policy.
#[derive(Clone, Copy)]
pub(crate) struct Let<'a> {
    pub definition: &'a ast::LetDef,
    /// The policy it is in; none at the top level.
    pub policy: Option<usize>,
}

/// Where an expression stands.
#[derive(Clone)]
pub(crate) struct Scope {
    /// The events whose fields it may read; none for `on any`: then only standard fields.
    pub events: Vec<EventId>,
    /// The policy whose `let`s it may use.
    pub policy: Option<usize>,
    /// In a `where` clause: about whose events.
    pub filter_of: Option<EventKind>,
    /// Whether the rule itself says what unknown means.
    pub says_unknown: bool,
    /// Whether one of the events is not known: then any name may be a field of it.
    pub lenient: bool,
}

impl Scope {
    /// Where the fields of these events may be read.
    pub fn of(events: Vec<EventId>, policy: Option<usize>) -> Scope {
        Scope { events, policy, filter_of: None, says_unknown: false, lenient: false }
    }
}

/// A field that may be absent, read where nothing handles its absence.
#[derive(Clone, Debug)]
pub(crate) struct OptionalRead {
    pub path: String,
    pub span: Span,
}

/// The state of one run over a pack.
pub(crate) struct Checker<'a> {
    pub pack: &'a PackSource,
    pub sources: &'a SourceMap,
    pub limits: Limits,
    pub diagnostics: Vec<Diagnostic>,
    /// How many of them are the parser's: the first ones, in order of place.
    pub parsed: usize,
    pub standard: Vec<StandardField>,
    pub draft: Draft,
    pub event_names: HashMap<String, (EventId, Span)>,
    pub list_names: HashMap<String, (usize, Span)>,
    pub script_names: HashMap<String, (usize, Span)>,
    pub reason_names: HashMap<String, (usize, Span)>,
    /// Where the pack declares rates.
    pub rates_span: Option<Span>,
    /// The names of what is declared with mistakes: using one is not a second mistake.
    pub broken: BTreeSet<String>,
    /// The rules of all policies, those with mistakes too.
    pub rule_names: BTreeSet<String>,
    pub lets: HashMap<(Option<usize>, String), Let<'a>>,
    /// `let`s and lists that something reads.
    pub used_lets: BTreeSet<(Option<usize>, String)>,
    pub used_lists: BTreeSet<usize>,
    pub used_reasons: BTreeSet<usize>,
    /// The `let`s being expanded, to notice circles.
    pub expanding: Vec<(Option<usize>, String)>,
    /// Whether the comparison at hand is followed by values that were meant to be in it.
    pub shares_its_comparison: bool,
    /// Nodes made for the condition at hand, to bound what `let`s can multiply.
    pub nodes: usize,
    /// How many of them are around the one at hand.
    pub depth: usize,
    /// Beside what the name at hand stands, and the values that may have: what is no name may be meant as one of them.
    pub beside: Option<(crate::types::Type, Arc<[Arc<str>]>)>,
    /// Optional fields read in the condition at hand and not handled there.
    pub optional: Vec<OptionalRead>,
    /// What the atom at hand reads, with the name the trace gives it.
    pub reads: Vec<(Arc<str>, Expr)>,
    /// Whether the atom at hand runs a script.
    pub scripted: bool,
    /// What the policy at hand asks of history.
    pub asked: Asked,
    pub atom_index: HashMap<Arc<str>, usize>,
}

/// The program as far as it is made.
#[derive(Default)]
pub(crate) struct Draft {
    pub events: Vec<EventSchema>,
    pub actions: HashMap<Arc<str>, EventId>,
    pub slots: Vec<Arc<str>>,
    pub atoms: Vec<Atom>,
    pub policies: Vec<Policy>,
    pub by_event: Vec<Vec<usize>>,
    pub fallback: Vec<usize>,
    pub reasons: Vec<ReasonText>,
    pub lists: Vec<List>,
    pub questions: Vec<ListQuestion>,
    pub scripts: Vec<Script>,
    pub rates: Option<Rates>,
    /// Of the amounts that the rules name.
    pub currencies: Vec<Currency>,
    pub plan: HistoryPlan,
    pub recorded: Recorded,
    pub tests: Vec<crate::testing::TestCase>,
    pub proofs: Vec<crate::program::Proof>,
    pub needs: Needs,
}

impl Draft {
    fn finish(self, version: String, sources: SourceMap) -> Program {
        let numbering = Numbering::new(&self.atoms);
        let (panels, panel_of, fallback) = self.panels(&numbering);
        Program {
            version,
            events: self.events,
            actions: self.actions,
            slots: self.slots.into(),
            atoms: self.atoms,
            policies: self.policies,
            panels,
            numbering,
            panel_of,
            fallback,
            reasons: self.reasons,
            lists: self.lists,
            questions: self.questions,
            scripts: self.scripts,
            rates: self.rates,
            currencies: self.currencies,
            plan: Arc::new(self.plan),
            recorded: self.recorded,
            needs: self.needs,
            tests: self.tests,
            proofs: self.proofs,
            sources,
        }
    }

    /// One panel for each set of policies that judge together, the panel of each event, and the fallback's.
    fn panels(&self, numbering: &Numbering) -> (Vec<Panel>, Vec<usize>, usize) {
        let mut panels: Vec<Panel> = Vec::new();
        let mut panel = |policies: &Vec<usize>| match panels.iter().position(|panel| panel.policies == *policies) {
            Some(known) => known,
            None => {
                let judging: Vec<&Policy> = policies.iter().filter_map(|index| self.policies.get(*index)).collect();
                panels.push(Panel {
                    policies: policies.clone(),
                    index: Index::new(&judging, &self.atoms, numbering, self.rates.is_some()),
                });
                panels.len() - 1
            }
        };
        let fallback = panel(&self.fallback);
        let named = |policies: &Vec<usize>| if policies.is_empty() { fallback } else { panel(policies) };
        let panel_of = self.by_event.iter().map(named).collect();
        (panels, panel_of, fallback)
    }

    /// Notes what a leaf needs enrichment to look up.
    pub fn need(&mut self, signal: Signal) {
        match signal {
            Signal::Geo(_, GeoPart::Fix) | Signal::Geo(_, _) => {
                self.needs.geo = true;
                // Whether a fix hides its person is the network's to say.
                self.needs.network = true;
            }
            Signal::Network(
                NetworkFact::Asn | NetworkFact::AsOrg | NetworkFact::Hosting | NetworkFact::Vpn | NetworkFact::Tor,
            ) => self.needs.network = true,
            Signal::UserTz => self.needs.user_tz = true,
            Signal::UserHomeCountry => self.needs.user_home_country = true,
            Signal::User
            | Signal::Action
            | Signal::Time(_)
            | Signal::Ip(_)
            | Signal::Device(_)
            | Signal::Status
            | Signal::Completed => {}
        }
    }
}

impl<'a> Checker<'a> {
    fn new(pack: &'a PackSource, sources: &'a SourceMap, limits: Limits) -> Checker<'a> {
        Checker {
            pack,
            sources,
            limits,
            diagnostics: Vec::new(),
            parsed: 0,
            standard: standard_fields(),
            draft: Draft::default(),
            event_names: HashMap::new(),
            list_names: HashMap::new(),
            script_names: HashMap::new(),
            reason_names: HashMap::new(),
            rates_span: None,
            broken: BTreeSet::new(),
            rule_names: BTreeSet::new(),
            lets: HashMap::new(),
            used_lets: BTreeSet::new(),
            used_lists: BTreeSet::new(),
            used_reasons: BTreeSet::new(),
            expanding: Vec::new(),
            shares_its_comparison: false,
            nodes: 0,
            depth: 0,
            beside: None,
            optional: Vec::new(),
            reads: Vec::new(),
            scripted: false,
            asked: Asked::default(),
            atom_index: HashMap::new(),
        }
    }

    fn pack(&mut self, files: &'a [ast::File]) {
        let items = || files.iter().flat_map(|file| &file.items);
        self.declare(items());
        let policies: Vec<&ast::Policy> = items()
            .filter_map(|item| match item {
                ast::Item::Policy(policy) => Some(policy),
                _ => None,
            })
            .collect();
        self.policies(&policies);
        self.tests(items());
        self.unused_lets(files);
        self.unused();
    }

    pub fn report(&mut self, mut diagnostic: Diagnostic) {
        for label in &mut diagnostic.labels {
            label.span = self.trimmed(label.span);
        }
        // One mistake in a `let` is found each time it is used; the same finding is shown once.
        self.diagnostics.push(diagnostic);
    }

    /// Whether the parser found something wrong inside this piece of source.
    pub fn could_not_read(&self, span: Span) -> bool {
        let parsed = self.diagnostics.get(..self.parsed).unwrap_or_default();
        let first = parsed.partition_point(|finding| finding.span() < Some(span.before()));
        let inside = |finding: &&Diagnostic| {
            finding.span().is_some_and(|place| place.file == span.file && place.start < span.end)
        };
        parsed.iter().skip(first).take_while(inside).any(Diagnostic::is_error)
    }

    /// The span of an expression may run on to the next word; a caret under a space says nothing.
    pub fn trimmed(&self, span: Span) -> Span {
        let text = self.sources.slice(span);
        let blank = text.len() - text.trim_end().len();
        Span { end: span.end - u32::try_from(blank).unwrap_or(0), ..span }
    }

    /// Reports a name that nothing has; unless it is that of something with a mistake of its own.
    pub fn unknown(&mut self, name: &str, finding: Diagnostic) {
        if !self.broken.contains(name) {
            self.report(finding);
        }
    }
}

/// What is between the quotes of a text.
pub(crate) fn inside_quotes(span: Span) -> Span {
    if span.end > span.start + 1 { Span { start: span.start + 1, end: span.end - 1, ..span } } else { span }
}
