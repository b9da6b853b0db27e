//! Bans of one guild that leave as one request.
//!
//! A delivery waits mostly for its slot of the request budget. So a batch stays open while it waits for that: bans
//! which are committed meanwhile join it, and one that something newer takes the place of leaves it. Once the slot is
//! granted the batch is sealed, and only then it shows whether it is a bulk ban or a single one.

use crate::discord::rest::{MOST_AT_ONCE, Rest};
use crate::discord::routes::Route;
use crate::store::{Queued, Scope};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{GuildId, Untrusted};

/// What bans of one request have in common, since it has it once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    guild: GuildId,
    /// Whether the guild decided it itself: it goes before what others have decided.
    origin: bool,
    /// Whether nobody waits for it.
    trickle: bool,
    reason: Option<Arc<Untrusted>>,
    delete_seconds: u32,
}

impl Kind {
    /// The kind of a delivery that may share its request; nothing for one that may not.
    pub(super) fn of(delivery: &Queued) -> Option<Self> {
        (delivery.action == Action::Ban && !delivery.alone && !delivery.doubt.asks_first).then(|| Self {
            guild: delivery.guild,
            origin: delivery.scope == Scope::Origin,
            trickle: delivery.trickle,
            reason: delivery.reason.clone(),
            delete_seconds: delivery.delete_seconds,
        })
    }
}

/// Bans of one guild that leave as one request.
#[derive(Debug)]
pub struct Batch {
    kind: Kind,
    content: Mutex<Content>,
}

#[derive(Debug)]
struct Content {
    members: Vec<Queued>,
    sealed: bool,
}

impl Batch {
    pub(super) fn open(kind: Kind, members: Vec<Queued>) -> Arc<Self> {
        Arc::new(Self { kind, content: Mutex::new(Content { members, sealed: false }) })
    }

    /// Whose lane it is of.
    pub fn guild(&self) -> GuildId {
        self.kind.guild
    }

    /// Whether the guild decided it itself.
    pub fn is_of_origin(&self) -> bool {
        self.kind.origin
    }

    /// Whether nobody waits for it.
    pub fn trickles(&self) -> bool {
        self.kind.trickle
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one more in; gives it back where it does not belong here, or comes too late.
    #[expect(clippy::result_large_err, reason = "what does not belong here is given back, not reported")]
    pub(super) fn join(&self, delivery: Queued) -> Result<(), Queued> {
        let mut content = self.content();
        let fits = !content.sealed
            && content.members.len() < MOST_AT_ONCE
            && Kind::of(&delivery).is_some_and(|kind| kind == self.kind)
            && !content.members.iter().any(|other| other.user == delivery.user);
        if !fits {
            return Err(delivery);
        }
        content.members.push(delivery);
        Ok(())
    }

    /// Leaves out whom `stays` does not name. What is sealed is on its way, and stays as it is.
    pub(super) fn retain(&self, stays: impl Fn(&Queued) -> bool) {
        let mut content = self.content();
        if !content.sealed {
            content.members.retain(stays);
        }
    }

    /// Whether one of them, before they leave, is so.
    pub(super) fn has(&self, is: impl Fn(&Queued) -> bool) -> bool {
        let content = self.content();
        !content.sealed && content.members.iter().any(is)
    }

    /// Whether all of them, before they leave, are so.
    pub fn all(&self, are: impl Fn(&Queued) -> bool) -> bool {
        !self.has(|one| !are(one))
    }

    /// Closes it. Those who are in it now are what is sent; nobody joins or leaves any more.
    pub fn seal(&self) -> Vec<Queued> {
        let mut content = self.content();
        content.sealed = true;
        content.members.clone()
    }
}

/// The route of those who leave together; nothing where nobody does.
pub(super) fn route_of(leaving: &[Queued]) -> Option<Route> {
    match leaving {
        [] => None,
        [one] if !is_in_question(one) => Some(Rest::punishment_route(one.guild, one.action)),
        [one, ..] => Some(Rest::bulk_ban_route(one.guild)),
    }
}

/// Whether Discord has to be asked what became of an earlier try before it is sent again by itself. A bulk ban needs
/// no question: whoever it has banned before comes back as failed, and is asked for then.
pub(super) fn is_in_question(delivery: &Queued) -> bool {
    delivery.alone || matches!(delivery.state, DeliveryState::Unknown | DeliveryState::Sending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::lane::tests::ban;

    fn batch(of: &Queued) -> Arc<Batch> {
        Batch::open(Kind::of(of).unwrap(), vec![of.clone()])
    }

    #[test]
    fn only_what_one_request_can_say_goes_together() {
        let reason = |text: &str| Some(Arc::new(Untrusted::clipped(text)));
        let first = Queued { reason: reason("raid"), delete_seconds: 60, ..ban(1, 10) };
        let like =
            |id: u64, user: u64| Queued { reason: reason("raid"), delete_seconds: 60, ..ban(id, user) };
        let batch = batch(&first);
        let others = [
            Queued { reason: reason("spam"), ..like(2, 11) },
            Queued { reason: None, ..like(3, 12) },
            Queued { delete_seconds: 0, ..like(4, 13) },
            Queued { scope: Scope::Origin, ..like(5, 14) },
            Queued { guild: GuildId::new(9).unwrap(), ..like(6, 15) },
            Queued { action: Action::Unban, ..like(7, 16) },
            Queued { alone: true, ..like(8, 17) },
            like(9, 10),
        ];
        for other in others {
            let id = other.id;
            assert_eq!(batch.join(other).unwrap_err().id, id);
        }
        // Whichever main it comes from, and also where it is not known what became of it.
        batch.join(Queued { source: GuildId::new(7).unwrap(), ..like(10, 18) }).unwrap();
        batch.join(Queued { state: DeliveryState::Unknown, ..like(11, 19) }).unwrap();
        let users: Vec<u64> = batch.seal().iter().map(|one| one.user.get()).collect();
        assert_eq!(users, [10, 18, 19]);
    }

    #[test]
    fn two_hundred_are_enough_and_who_comes_after_the_seal_comes_too_late() {
        let full = batch(&ban(1, 1));
        for id in 2..=200 {
            full.join(ban(id, id)).unwrap();
        }
        assert!(full.join(ban(201, 201)).is_err());
        assert_eq!(full.seal().len(), MOST_AT_ONCE);
        let sealed = batch(&ban(1, 1));
        assert_eq!(sealed.seal().len(), 1);
        assert!(sealed.join(ban(2, 2)).is_err());
        sealed.retain(|_| false);
        assert_eq!(sealed.seal().len(), 1, "it is on its way");
        assert!(!sealed.has(|_| true));
    }

    #[test]
    fn one_is_a_single_ban_and_several_are_a_bulk_ban() {
        let (one, other) = (ban(1, 10), ban(2, 11));
        let (single, bulk) =
            (Rest::punishment_route(one.guild, Action::Ban), Rest::bulk_ban_route(one.guild));
        assert_eq!(route_of(&[]), None);
        assert_eq!(route_of(std::slice::from_ref(&one)), Some(single));
        assert_eq!(route_of(&[one.clone(), other]), Some(bulk));
        // By itself it would have to be asked for first; a bulk ban asks by itself.
        assert_eq!(route_of(&[Queued { state: DeliveryState::Unknown, ..one }]), Some(bulk));
    }
}
