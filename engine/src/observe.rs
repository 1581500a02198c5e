//! What history keeps of an event, and the signals that come of asking it.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    codes::Currency,
    evaluate::{Lists, Scene, in_layout},
    event::UNDECLARED,
    history::{Observation, Snapshot, observation::Observed, plan::EventKind},
    lists::ListState,
    maybe::{Maybe, Why},
    program::{Kept, Program},
    rates::Rate,
    signals::{Listed, Located, Signals},
    status::Status,
    tri::Tri,
    types::Type,
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
        let field = |kept: &Kept| match (scene.read(&kept.expr).maybe(), kept.currency) {
            (Maybe::Known(Value::Money(amount)), Some(currency)) => match scene.exchange.convert(amount, currency) {
                Ok(amount) => Maybe::Known(Value::Money(amount)),
                Err(why) => Maybe::Unknown(why),
            },
            (value, _) => value,
        };
        let fields = self.recorded.fields.iter().map(field).collect();
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
        let rates = self.rates_for(&located, &observed, lists);
        Signals { located, observed, listed, rates, scripts: Vec::new() }
    }

    /// The rates in force for the currencies that may meet in this event.
    fn rates_for(&self, located: &Located, observed: &Observed, lists: &ListState) -> Vec<Rate> {
        let Some(rates) = &self.rates else { return Vec::new() };
        let mut currencies: BTreeSet<Currency> = self.currencies.iter().copied().collect();
        let mut note = |value: &Value| match value {
            Value::Money(amount) => drop(currencies.insert(amount.currency)),
            Value::List(values) => values.iter().for_each(|value| {
                if let Value::Money(amount) = value {
                    currencies.insert(amount.currency);
                }
            }),
            _ => {}
        };
        located.event.fields.iter().for_each(|(_, value)| note(value));
        let intervals = observed.windows.iter().filter_map(Maybe::known);
        intervals.for_each(|interval| interval.lo.iter().chain(&interval.hi).for_each(&mut note));
        for list in self.lists.iter().filter(|list| list.element == Type::Money) {
            list.amounts(lists, located.event.time).for_each(&mut note);
        }
        if currencies.len() < 2 {
            return Vec::new();
        }
        let others = currencies.into_iter().filter(|currency| *currency != rates.base());
        others.filter_map(|currency| rates.at(currency, located.event.time)).collect()
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
