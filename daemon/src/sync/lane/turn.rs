//! What follows in a lane from what became of what was on its way.

use super::refusals::probe_wait;
use super::{Lane, Resumed, Shut, blocked};
use crate::backoff::backoff;
use crate::store::{Queued, Settlement};
use crate::sync::attempt::{Fate, NON_MEMBER_WAIT, Next, Tried};
use std::collections::VecDeque;
use tokio::time::Instant;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::DeliveryId;

/// After so many failures in a row a guild counts as broken, and an operator is told.
pub(super) const BROKEN: u32 = 5;

/// What an operator is to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sync) enum Alarm {
    /// Deliveries are blocked until somebody mends the guild.
    Blocked(String),
    /// Discord stumbles over this guild again and again.
    Broken(String),
    /// The guild's budget of bans of non-members is spent.
    Deferred(String),
}

/// What followed from an attempt.
#[derive(Debug, Default)]
pub(in crate::sync) struct Turn {
    /// What became of other deliveries by it.
    pub(in crate::sync) settlements: Vec<(DeliveryId, Settlement)>,
    /// What was refused, and is tried again all the same: the guild was mended meanwhile.
    pub(in crate::sync) resumed: Vec<Resumed>,
    /// What an operator is to hear of.
    pub(in crate::sync) alarm: Option<Alarm>,
    /// Nothing at all leaves any more.
    pub(in crate::sync) halt: bool,
}

impl Lane {
    /// Takes in what became of what was on its way. Its own settlements are the caller's to store.
    pub(in crate::sync) fn returned(&mut self, tried: Vec<Tried>, next: Next, now: Instant) -> Turn {
        self.sending = None;
        let probe = self.probe.take();
        let probed = tried.iter().any(|one| Some(one.delivery.id) == probe);
        let refused_before = self.probing.filter(|id| tried.iter().any(|one| one.delivery.id == *id));
        // What was refused before, for this user or for others, was told of then.
        let is_news = tried.iter().any(|one| !one.delivery.doubt.told);
        let carried_out = |one: &Tried| {
            one.settlement.as_ref().is_some_and(|settled| {
                settled.state == DeliveryState::Applied && settled.attempts > one.delivery.attempts
            })
        };
        let passed = tried.iter().find(|one| carried_out(one)).map(|one| one.delivery.action);
        let mended = std::mem::take(&mut self.mended);
        let next = match next {
            // Refused for what may be mended by now: once more tells.
            Next::Park(_) | Next::Bar(_) | Next::Refuse(_) | Next::Shut(_) | Next::Away | Next::Singly
                if mended =>
            {
                Next::Again(backoff(0))
            }
            next => next,
        };
        let action = tried.first().map_or(Action::Ban, |one| one.delivery.action);
        // The first one goes back last, to be first again.
        let mut resumed: Vec<_> =
            tried.into_iter().rev().filter_map(|one| self.put_back(one, &next)).collect();
        resumed.extend(passed.into_iter().flat_map(|action| self.passes(action)));
        let is_again = !is_news && matches!(next, Next::Park(_) | Next::Bar(_));
        let mut turn = self.follow(next, action, (probed, refused_before.is_some()), now);
        turn.alarm = turn.alarm.filter(|_| !is_again);
        if let Some(id) = refused_before {
            self.probed(id, action);
        }
        Turn { resumed, ..turn }
    }

    /// Puts one that was tried to where it waits for another try, if there is to be one.
    fn put_back(&mut self, tried: Tried, next: &Next) -> Option<Resumed> {
        let Tried { mut delivery, settlement, fate } = tried;
        delivery.alone |= fate == Fate::Alone;
        let mut refused = false;
        if let Some(settlement) = settlement {
            delivery.attempts = settlement.attempts;
            refused = settlement.state == DeliveryState::Blocked;
            // What is known of an earlier try is known too when somebody has mended the guild.
            if !refused {
                delivery.state = settlement.state;
            }
            if settlement.state.is_final() {
                // It was asked for a second time while it was on its way.
                self.queue.retain(|other| other.id != delivery.id);
            }
            for again in self.queue.iter_mut().filter(|other| other.id == delivery.id) {
                (again.attempts, again.state, again.alone) =
                    (delivery.attempts, delivery.state, delivery.alone);
            }
        }
        // Something newer for this user came meanwhile: this one is not tried again.
        if self.has_overtaken(&delivery) {
            return None;
        }
        let resumed = Resumed::of(&delivery);
        match (fate, next) {
            (Fate::Done, _) | (Fate::WithTheLane, Next::Forward) => return None,
            (Fate::WithTheLane, Next::Park(_) | Next::Refuse(_)) => {
                (delivery.doubt.asks_first, delivery.doubt.told) = (true, true);
                self.parked.push(delivery);
                return None;
            }
            (Fate::WithTheLane, Next::Bar(_) | Next::Shut(_) | Next::Away) => {
                // Whether the mute role still ranks above the bot costs no refusal to find out.
                let of_mute_role = matches!(next, Next::Bar(_)) && delivery.action.measure() == Action::Mute;
                delivery.doubt.asks_first |= of_mute_role;
                delivery.doubt.told |= of_mute_role;
                self.parked.push(delivery);
                return None;
            }
            // Before the others that wait: it was tried first.
            (Fate::WithTheLane, Next::Defer(_)) => self.deferred.push_front(delivery),
            _ => {
                delivery.doubt.asks_first |= refused;
                self.queue.push_front(delivery);
            }
        }
        refused.then_some(resumed)
    }

    /// What follows for the lane.
    fn follow(
        &mut self,
        next: Next,
        action: Action,
        (probed, refused_before): (bool, bool),
        now: Instant,
    ) -> Turn {
        let (mut turn, measure) = (Turn::default(), action.measure());
        match next {
            Next::Forward => {
                (self.failures, self.limited) = (0, 0);
                if probed {
                    // There is budget again: the others follow.
                    self.deferred_until = Some(now);
                }
            }
            Next::Route => {}
            Next::Singly => (self.singly, self.refused_together) = (true, true),
            Next::Again(wait) => self.not_before = Some(now + wait),
            Next::Limited(wait) => {
                self.limited = self.limited.saturating_add(1);
                // Whatever the headers say, many in a row slow down.
                self.not_before = Some(now + wait.max(backoff(self.limited) / 4));
            }
            Next::Failed(reason) => {
                self.failures = self.failures.saturating_add(1);
                self.not_before = Some(now + backoff(self.failures));
                turn.alarm = (self.failures == BROKEN).then_some(Alarm::Broken(reason));
            }
            Next::Defer(reason) => {
                turn.alarm =
                    self.deferred_until.is_none_or(|at| at <= now).then_some(Alarm::Deferred(reason));
                self.deferred_until = Some(now + NON_MEMBER_WAIT);
            }
            Next::Turned(reason) => {
                self.failures = self.failures.saturating_add(1);
                // Such answers are counted against the bot (FACTS C1), so after two of them they become rare.
                let wait = if self.failures < 2 { backoff(1) } else { probe_wait(self.failures - 2) };
                self.not_before = Some(now + wait);
                turn.alarm = (self.failures == 2).then_some(Alarm::Broken(reason));
            }
            Next::Refuse(refused) => {
                let reason = refused.reason.clone();
                let (is_first, waiting) = self.refuse(refused, refused_before, now);
                turn.settlements.extend(waiting);
                turn.alarm = is_first.then_some(Alarm::Blocked(reason));
            }
            Next::Park(reason) => turn.alarm = Some(Alarm::Blocked(reason)),
            Next::Bar(reason) => {
                let of = |delivery: &Queued| delivery.action.measure() == measure;
                let (barred, others) = std::mem::take(&mut self.queue).into_iter().partition(of);
                self.queue = others;
                let (late, others) = std::mem::take(&mut self.deferred).into_iter().partition(of);
                self.deferred = others;
                let barred: VecDeque<Queued> = barred;
                let late: VecDeque<Queued> = late;
                for delivery in barred.into_iter().chain(late) {
                    turn.settlements.push((delivery.id, blocked(&reason, delivery.attempts)));
                    self.parked.push(delivery);
                }
                turn.alarm = Some(Alarm::Blocked(reason.clone()));
                self.barred.retain(|(other, _)| *other != measure);
                self.barred.push((measure, reason));
            }
            Next::Shut(reason) => {
                let waiting =
                    std::mem::take(&mut self.queue).into_iter().chain(std::mem::take(&mut self.deferred));
                for delivery in waiting {
                    turn.settlements.push((delivery.id, blocked(&reason, delivery.attempts)));
                    self.parked.push(delivery);
                }
                turn.alarm = Some(Alarm::Blocked(reason.clone()));
                self.shut = Some(Shut::Blocked(reason));
            }
            Next::Away => {
                self.parked.extend(std::mem::take(&mut self.queue));
                self.shut = Some(Shut::Away);
            }
            Next::Halt => turn.halt = true,
        }
        turn
    }
}
