//! Challenged events whose challenge has not ended yet.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::signals::Located;

/// So many may wait at once; beyond, the one that has waited longest is forgotten. No challenge lives longer than ten
/// minutes, so only a stream that never says how challenges end comes here, and its memory must stay bounded too.
pub(super) const MOST: usize = 1 << 16;

type Key = (Arc<str>, Arc<str>);

/// By user and reference.
#[derive(Debug, Default)]
pub(super) struct Open {
    events: HashMap<Key, (u64, Located)>,
    /// By the order in which they came.
    order: BTreeMap<u64, Key>,
}

impl Open {
    /// Lets an event wait; `seq` is larger than any before.
    pub fn insert(&mut self, user: &Arc<str>, reference: Arc<str>, seq: u64, located: Located) {
        let key = (Arc::clone(user), reference);
        if let Some((earlier, _)) = self.events.insert(key.clone(), (seq, located)) {
            self.order.remove(&earlier);
        }
        self.order.insert(seq, key);
        if self.events.len() > MOST
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.events.remove(&oldest);
        }
    }

    /// The event whose challenge ends now.
    pub fn remove(&mut self, user: &str, reference: &str) -> Option<Located> {
        let (seq, located) = self.events.remove(&(Arc::from(user), Arc::from(reference)))?;
        self.order.remove(&seq);
        Some(located)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::event::{Event, Fields, UNDECLARED};

    fn located(user: &str) -> Located {
        let user = user.into();
        let time = Timestamp::UNIX_EPOCH;
        let event = Event {
            id: UNDECLARED,
            action: "a".into(),
            user,
            time,
            reference: None,
            status: None,
            fields: Fields::default(),
        };
        Located::nowhere(Arc::new(event))
    }

    #[test]
    fn the_longest_waiting_is_forgotten_and_a_repeat_waits_anew() {
        let mut open = Open::default();
        let user: Arc<str> = "u".into();
        for seq in 0..MOST as u64 {
            open.insert(&user, format!("k{seq}").into(), seq, located("u"));
        }
        open.insert(&user, "k0".into(), MOST as u64, located("again"));
        open.insert(&user, "last".into(), MOST as u64 + 1, located("u"));
        assert_eq!(open.remove("u", "k1"), None);
        assert_eq!(open.remove("u", "k0").map(|located| located.event.user.to_string()).as_deref(), Some("again"));
        assert!(open.remove("u", "k2").is_some() && open.remove("u", "last").is_some());
        assert_eq!((open.events.len(), open.order.len()), (MOST - 3, MOST - 3));
    }
}
