//! What is to blame when a condition is unknown: the first thing it reads without which it would be known.

use std::sync::Arc;

use super::scene::{Reading, Scene};
use crate::{
    history::plan::{FieldRef, Window},
    ir::{Ask, Atom, Expr, GeoPart, Moment, Signal},
    maybe::Why,
};

/// The name of a field, an aggregate or a script, and why it is not known, or not well enough.
pub(super) type Cause = (Arc<str>, Why);

/// What makes an atom unknown: something unknown, or else values that do not go together, like two currencies, of which
/// the first stands for all, or else something known too weakly. `None` for an atom that is known.
pub(super) fn cause(scene: &Scene<'_>, index: usize) -> Option<Cause> {
    let atom = scene.program.atoms.get(index)?;
    let blame = Blame { scene, atom };
    let read = blame.reads();
    let why = scene.ask(index).1?;
    let unknown = read.iter().find_map(|expr| blame.unknown_in(expr));
    // Values that do not go together would not, were they known better.
    let weak = || match why {
        Why::CurrencyMismatch | Why::Overflow => None,
        _ => read.iter().find_map(|expr| blame.weak_in(expr)),
    };
    unknown.or_else(weak).or_else(|| {
        let name = read.iter().find_map(|expr| blame.known_in(expr));
        Some((name.unwrap_or_else(|| Arc::clone(&atom.text)), why))
    })
}

struct Blame<'s, 'a> {
    scene: &'s Scene<'a>,
    atom: &'s Atom,
}

impl<'s, 'a> Blame<'s, 'a> {
    /// What the atom reads. A zone stands before the moment it is about.
    fn reads(&self) -> Vec<&'s Expr> {
        match &self.atom.ask {
            Ask::Holds(expr)
            | Ask::Among(expr, _)
            | Ask::Within(expr, _)
            | Ask::Matches(expr, _)
            | Ask::Missing(expr)
            | Ask::Known(expr) => vec![expr],
            Ask::Compare(_, a, b) | Ask::Contains(a, b) => vec![a, b],
            Ask::Clock { time, zone, .. } => vec![zone, time],
            Ask::Listed(question) => {
                self.scene.program.questions.get(*question).map(|asked| &asked.value).into_iter().collect()
            }
        }
    }

    fn name(&self, leaf: &Expr) -> Arc<str> {
        let named = self.atom.reads.iter().find(|(_, expr)| expr == leaf);
        named.map_or_else(|| Arc::clone(&self.atom.text), |(name, _)| Arc::clone(name))
    }

    fn unknown_in(&self, expr: &Expr) -> Option<Cause> {
        let Reading::Unknown(why) = self.scene.read(expr) else { return None };
        let own = || (self.name(expr), why);
        match expr {
            Expr::Const(_) => None,
            Expr::Field(_) | Expr::Signal(_) => Some(own()),
            Expr::Window(slot) => {
                let plan = &self.scene.program.plan;
                let spec = plan.windows.get(*slot);
                let key = spec.and_then(|spec| self.missing(&spec.keys));
                let zone = || match spec?.window {
                    Window::Calendar { zone, .. } => {
                        self.unknown_in(self.scene.program.recorded.zones.get(usize::from(zone.0))?)
                    }
                    Window::Sliding(_) | Window::Tumbling(_) | Window::Since(_) | Window::Retained => None,
                };
                Some(key.or_else(zone).unwrap_or_else(own))
            }
            Expr::Seen(slot) => {
                let spec = self.scene.program.plan.seen.get(*slot);
                let missing = spec.and_then(|spec| self.missing(&[spec.what]).or_else(|| self.missing(&spec.keys)));
                Some(missing.unwrap_or_else(own))
            }
            Expr::Arithmetic(_, a, b) | Expr::Coalesce(a, b) => self.unknown_in(a).or_else(|| self.unknown_in(b)),
            Expr::Distance(a, b) | Expr::Speed(a, b) => {
                let place = |moment: &Moment| self.unknown_in(&Expr::Signal(Signal::Geo(*moment, GeoPart::Fix)));
                Some(place(a).or_else(|| place(b)).unwrap_or_else(own))
            }
            Expr::Weekday(time, zone) => self.unknown_in(zone).or_else(|| self.unknown_in(time)),
            Expr::Script(_, arguments) => {
                let unknown = arguments.iter().find_map(|argument| self.unknown_in(argument));
                let weak = || arguments.iter().find_map(|argument| self.weak_in(argument));
                Some(unknown.or_else(weak).unwrap_or_else(own))
            }
            Expr::Test(cond) => {
                let mut atoms = Vec::new();
                self.scene.unknown_atoms(cond, &mut atoms);
                atoms.first().and_then(|atom| cause(self.scene, *atom))
            }
        }
    }

    /// The first of these fields that the event lacks.
    fn missing(&self, fields: &[FieldRef]) -> Option<Cause> {
        fields.iter().find_map(|field| {
            let index = usize::from(field.0);
            let Reading::Unknown(why) = self.scene.read(&self.scene.program.recorded.fields.get(index)?.expr) else {
                return None;
            };
            Some((Arc::clone(self.scene.program.plan.fields.get(index)?), why))
        })
    }

    fn weak_in(&self, expr: &Expr) -> Option<Cause> {
        match expr {
            Expr::Const(_) | Expr::Test(_) | Expr::Script(_, _) => None,
            Expr::Field(_)
            | Expr::Signal(_)
            | Expr::Window(_)
            | Expr::Seen(_)
            | Expr::Distance(_, _)
            | Expr::Speed(_, _) => match self.scene.read(expr) {
                Reading::Within(interval) => Some((self.name(expr), interval.why.unwrap_or(Why::LowPrecision))),
                Reading::Known(_) | Reading::Unknown(_) => None,
            },
            Expr::Arithmetic(_, a, b) | Expr::Weekday(b, a) => self.weak_in(a).or_else(|| self.weak_in(b)),
            Expr::Coalesce(value, fallback) => self.weak_in(self.taken(value, fallback)),
        }
    }

    fn known_in(&self, expr: &Expr) -> Option<Arc<str>> {
        match expr {
            Expr::Const(_) | Expr::Test(_) => None,
            Expr::Field(_)
            | Expr::Signal(_)
            | Expr::Window(_)
            | Expr::Seen(_)
            | Expr::Distance(_, _)
            | Expr::Speed(_, _)
            | Expr::Script(_, _) => Some(self.name(expr)),
            Expr::Arithmetic(_, a, b) | Expr::Weekday(b, a) => self.known_in(a).or_else(|| self.known_in(b)),
            // Behind a constant that took its place, the field that is absent.
            Expr::Coalesce(value, fallback) => {
                self.known_in(self.taken(value, fallback)).or_else(|| self.known_in(value))
            }
        }
    }

    /// The side of `??` that counts.
    fn taken<'e>(&self, value: &'e Expr, fallback: &'e Expr) -> &'e Expr {
        match self.scene.read(value) {
            Reading::Unknown(Why::Absent) => fallback,
            Reading::Known(_) | Reading::Within(_) | Reading::Unknown(_) => value,
        }
    }
}
