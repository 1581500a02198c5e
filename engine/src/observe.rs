//! What history keeps of an event, and the signals that come of asking it.

use std::sync::Arc;

use crate::{
    evaluate::{Lists, Scene, in_layout},
    event::UNDECLARED,
    history::{Observation, Snapshot, observation::Observed, plan::EventKind},
    lists::ListState,
    maybe::{Maybe, Why},
    program::Program,
    signals::{Listed, Located, Signals},
    status::Status,
    tri::Tri,
    value::Value,
};

/// What happened, when, and under which number: what an event does not say about itself.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// The order of ingestion: unique and increasing.
    pub seq: u64,
    /// By which the event is settled later; unique among the user's events.
    pub reference: Arc<str>,
    /// What happened: the action itself, or a step in the life of its challenge.
    pub kind: Option<EventKind>,
    /// Whether the event's time lay in the future and was clamped.
    pub future: bool,
}

impl Program {
    /// What history is told about an event. Evaluates every key, filter and zone now, so that history never has to.
    #[must_use]
    pub fn observe(&self, located: &Located, lists: &ListState, occasion: &Occasion) -> Observation {
        let located = &*in_layout(self, located);
        let event = &located.event;
        let kind = occasion.kind.unwrap_or(EventKind::Action(event.id));
        let mut scene = Scene::new(self, located, None, Lists::State(lists));
        let fields = self.recorded.fields.iter().map(|expr| scene.read(expr).maybe()).collect();
        let zones = self.recorded.zones.iter().map(|expr| match scene.read(expr).maybe() {
            Maybe::Known(Value::Text(name)) => Maybe::Known(name),
            Maybe::Known(_) => Maybe::Unknown(Why::LookupFailed),
            Maybe::Unknown(why) => Maybe::Unknown(why),
        });
        let zones = zones.collect();
        let mut filters = Vec::with_capacity(self.recorded.filters.len());
        for filter in &self.recorded.filters {
            let mut results = [Tri::False; Status::ALL.len()];
            if filter.event == kind {
                for (result, status) in results.iter_mut().zip(Status::ALL) {
                    scene.status = Some(status);
                    *result = scene.holds(&filter.cond);
                }
            }
            filters.push(results);
        }
        Observation {
            seq: occasion.seq,
            time: event.time,
            future: occasion.future,
            kind,
            user: Arc::clone(&event.user),
            status: event.status.unwrap_or(Status::Pending),
            fields,
            filters,
            zones,
            snapshot: self.snapshot(located),
            reference: Arc::clone(&occasion.reference),
        }
    }

    /// Puts together everything the decision rests on.
    #[must_use]
    pub fn assemble(&self, located: Located, observed: Observed, lists: &ListState) -> Signals {
        let listed = {
            let located = in_layout(self, &located);
            let scene = Scene::new(self, &located, Some(&observed), Lists::State(lists));
            let answer = |(index, question): (usize, &crate::program::ListQuestion)| {
                let (member, why) = scene.answer_list(index);
                Listed { question: Arc::clone(&question.text), member, why }
            };
            self.questions.iter().enumerate().map(answer).collect()
        };
        Signals { located, observed, listed, scripts: Vec::new() }
    }

    /// Where and with what the event happened.
    pub(crate) fn snapshot(&self, located: &Located) -> Snapshot {
        let field = |name: &str| self.slot(name).and_then(|slot| located.event.fields.get(slot));
        Snapshot {
            time: located.event.time,
            geo: located.place.clone(),
            ip: match field("ip") {
                Some(Value::Ip(ip)) => Maybe::Known(*ip),
                Some(_) | None => Maybe::Unknown(Why::Absent),
            },
            asn: located.network.asn,
            device: match field("device") {
                Some(Value::Device(device)) => Maybe::Known(Arc::clone(device)),
                Some(_) | None => Maybe::Unknown(Why::Absent),
            },
        }
    }

    /// Whether an action is one the pack declares.
    #[must_use]
    pub fn declares(&self, located: &Located) -> bool {
        located.event.id != UNDECLARED
    }
}
