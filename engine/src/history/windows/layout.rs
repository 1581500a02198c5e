//! From a plan to structures: what is asked by the same keys lives together, and what keeps the same events is shared.

use super::{
    super::{
        calendar,
        limits::Limits,
        plan::{
            Bound, EventKind, FieldRef, FilterId, Function, HistoryPlan, SeenKind, SeenSpec, Unit, Window, WindowSpec,
        },
    },
    amounts::Room,
    log::{LogPlan, Straight},
};

/// Where everything of a plan lives.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub groups: Vec<GroupPlan>,
}

/// Everything kept by the same keys.
#[derive(Clone, Debug)]
pub(super) struct GroupPlan {
    pub fields: Vec<FieldRef>,
    pub tracks: Vec<TrackPlan>,
    pub asks: Vec<Ask>,
    /// The windows that differ: those alike start together.
    pub openings: Vec<Window>,
    /// How long after its newest event a key can still matter, in microseconds, to events that come in time.
    pub span: i64,
    /// The same, to events that come late.
    pub stay: i64,
    /// Undecided events kept one by one in each structure.
    pub most_pending: usize,
    /// How events stand in a log, if they can.
    pub log: Option<LogPlan>,
    /// What is asked of a log, if all of it is simple.
    pub straight: Option<Straight>,
}

/// One structure under a key: which events it takes, and what it keeps of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TrackPlan {
    pub feed: Feed,
    pub filter: Option<FilterId>,
    pub what: What,
    /// How long an event can matter, in microseconds.
    pub span: i64,
    /// How many of what it keeps.
    pub keep: Keep,
}

/// Which events a structure takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    Only(EventKind),
    AnyAction,
}

/// What a structure keeps of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Times,
    /// Times, and when the first one was.
    Appearances,
    /// For counts without a useful threshold: each event is an amount of one.
    Ones,
    Values(FieldRef),
    Amounts {
        field: FieldRef,
        unit: Unit,
        distinct: bool,
        for_sums: bool,
    },
    Greatest(FieldRef, Unit),
    Least(FieldRef, Unit),
}

/// The threshold of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keep {
    /// The largest constant any of its windows is compared with.
    pub bound: Bound,
    /// So many entries stay, where entries are counted.
    pub entries: usize,
}

/// A question, and the structure that answers it.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    Window { slot: usize, spec: WindowSpec, track: usize, anchor: Option<usize>, opening: usize, by: AskedBy },
    Seen { slot: usize, spec: SeenSpec, track: usize, by: AskedBy },
}

/// Whether each action asks, by `EventId`; an action beyond the end does.
pub(super) type AskedBy = Vec<bool>;

impl Feed {
    pub fn takes(self, kind: EventKind) -> bool {
        match self {
            Feed::Only(only) => only == kind,
            Feed::AnyAction => matches!(kind, EventKind::Action(_)),
        }
    }
}

impl Keep {
    pub fn room(&self, what: What) -> Room {
        let (distinct, for_sums) = match what {
            What::Amounts { distinct, for_sums, .. } => (distinct, for_sums),
            What::Ones => (false, true),
            What::Times | What::Appearances | What::Values(_) | What::Greatest(..) | What::Least(..) => (false, false),
        };
        let total = match self.bound {
            Bound::AtMost(total) if for_sums && !distinct => Some(total.max(0)),
            Bound::AtMost(_) | Bound::Unbounded => None,
        };
        Room { entries: self.entries, total, distinct, ones: what == What::Ones }
    }
}

impl Ask {
    /// Whether an event of this kind asks it.
    pub fn asked_by(&self, kind: EventKind) -> bool {
        let (Ask::Window { by, .. } | Ask::Seen { by, .. }) = self;
        asked_by(by, kind)
    }
}

/// Whether an event of this kind asks what is asked by these.
pub(super) fn asked_by(by: &AskedBy, kind: EventKind) -> bool {
    match kind {
        EventKind::Action(id) => by.get(usize::from(id.0)).copied().unwrap_or(true),
        EventKind::ChallengeIssued
        | EventKind::ChallengeSucceeded
        | EventKind::ChallengeDeclined
        | EventKind::ChallengeExpired => true,
    }
}

impl Layout {
    pub fn of(plan: &HistoryPlan, limits: &Limits) -> Layout {
        let mut layout = Layout::default();
        for (slot, spec) in plan.windows.iter().enumerate() {
            let by = plan.asked.iter().map(|asked| asked.windows.contains(&slot)).collect();
            layout.place_window(slot, spec, by, limits);
        }
        for (slot, spec) in plan.seen.iter().enumerate() {
            let by = plan.asked.iter().map(|asked| asked.seen.contains(&slot)).collect();
            layout.place_seen(slot, spec, by, limits);
        }
        for group in &mut layout.groups {
            group.most_pending = limits.pending;
            group.log = LogPlan::of(&group.tracks);
            let retention = limits.retention_ms.saturating_mul(1_000);
            group.straight = group.log.as_ref().and_then(|log| Straight::of(group, log, retention));
            group.stay = group.span.saturating_add(limits.lateness_ms.saturating_mul(1_000));
        }
        layout
    }

    fn place_window(&mut self, slot: usize, spec: &WindowSpec, by: AskedBy, limits: &Limits) {
        let retention = limits.retention_ms.saturating_mul(1_000);
        let span = calendar::longest(spec.window).unwrap_or(retention).min(retention);
        let what = what_is_kept(spec, limits);
        let (feed, filter) = (Feed::Only(spec.event), spec.filter);
        let wanted = TrackPlan { feed, filter, what, span, keep: keep(what, spec.bound, limits) };
        let anchor = match spec.window {
            Window::Since(kind) => Some(TrackPlan {
                feed: Feed::Only(kind),
                filter: None,
                what: What::Times,
                span: retention,
                keep: keep(What::Times, Bound::AtMost(2), limits),
            }),
            Window::Sliding(_) | Window::Tumbling(_) | Window::Calendar { .. } | Window::Retained => None,
        };
        self.in_group(&spec.keys, |group| {
            let track = group.track(wanted);
            let anchor = anchor.map(|anchor| group.track(anchor));
            let opening = group.opening(spec.window);
            group.asks.push(Ask::Window { slot, spec: spec.clone(), track, anchor, opening, by });
        });
    }

    fn place_seen(&mut self, slot: usize, spec: &SeenSpec, by: AskedBy, limits: &Limits) {
        let retention = limits.retention_ms.saturating_mul(1_000);
        let within = spec.within_ms.map_or(retention, |ms| ms.max(0).saturating_mul(1_000));
        let bound = match spec.kind {
            SeenKind::Times => spec.bound,
            // The newest before this event, and some more in case this event is late.
            SeenKind::Last => Bound::AtMost(2),
            SeenKind::First if spec.within_ms.is_some() => Bound::Unbounded,
            SeenKind::First => Bound::AtMost(0),
        };
        let what = What::Appearances;
        let fields: Vec<FieldRef> = spec.keys.iter().copied().chain([spec.what]).collect();
        // The run of first_seen is only forgotten after a gap as long as the retention.
        let span = if spec.kind == SeenKind::First { retention } else { within.min(retention) };
        let wanted = TrackPlan { feed: Feed::AnyAction, filter: None, what, span, keep: keep(what, bound, limits) };
        self.in_group(&fields, |group| {
            let track = group.track(wanted);
            group.asks.push(Ask::Seen { slot, spec: spec.clone(), track, by });
        });
    }

    /// Does something with the group of these keys, which is made if it is not there.
    fn in_group(&mut self, fields: &[FieldRef], place: impl FnOnce(&mut GroupPlan)) {
        if let Some(group) = self.groups.iter_mut().find(|group| group.fields == fields) {
            return place(group);
        }
        let mut group = GroupPlan {
            fields: fields.to_vec(),
            tracks: Vec::new(),
            asks: Vec::new(),
            openings: Vec::new(),
            span: 0,
            stay: 0,
            most_pending: 0,
            log: None,
            straight: None,
        };
        place(&mut group);
        self.groups.push(group);
    }
}

impl GroupPlan {
    /// The structure that keeps this, made larger where it must be, or a new one.
    fn track(&mut self, wanted: TrackPlan) -> usize {
        self.span = self.span.max(wanted.span);
        let same =
            |track: &TrackPlan| (track.feed, track.filter, track.what) == (wanted.feed, wanted.filter, wanted.what);
        if let Some((place, track)) = self.tracks.iter_mut().enumerate().find(|(_, track)| same(track)) {
            track.span = track.span.max(wanted.span);
            track.keep.bound = track.keep.bound.max(wanted.keep.bound);
            track.keep.entries = track.keep.entries.max(wanted.keep.entries);
            return place;
        }
        self.tracks.push(wanted);
        self.tracks.len() - 1
    }

    fn opening(&mut self, window: Window) -> usize {
        self.openings.iter().position(|other| *other == window).unwrap_or_else(|| {
            self.openings.push(window);
            self.openings.len() - 1
        })
    }
}

/// Which structure answers a window.
fn what_is_kept(spec: &WindowSpec, limits: &Limits) -> What {
    let amounts = |field, for_sums| What::Amounts { field, unit: spec.unit, distinct: spec.distinct, for_sums };
    match spec.function {
        Function::Count => match spec.bound {
            Bound::AtMost(most) if most <= limits.entries as i128 => What::Times,
            Bound::AtMost(_) | Bound::Unbounded => What::Ones,
        },
        Function::CountDistinct(field) => What::Values(field),
        Function::Sum(field) => amounts(field, true),
        Function::Avg(field) | Function::Stddev(field) | Function::P95(field) => amounts(field, false),
        Function::Min(field) => What::Least(field, spec.unit),
        Function::Max(field) => What::Greatest(field, spec.unit),
    }
}

fn keep(what: What, bound: Bound, limits: &Limits) -> Keep {
    // One more than the threshold tells "more than k" from "k"; another for an event that turns out to be the one
    // being judged, seen again.
    let past_the_threshold = match bound {
        Bound::AtMost(most) => usize::try_from(most.clamp(0, limits.threshold as i128)).unwrap_or(0) + 2,
        Bound::Unbounded => limits.entries.max(2),
    };
    let entries = match what {
        What::Times | What::Appearances | What::Values(_) => past_the_threshold,
        What::Ones | What::Amounts { .. } => limits.entries.max(2),
        What::Greatest(..) | What::Least(..) => limits.entries.clamp(2, 256),
    };
    Keep { bound, entries }
}
