//! What Discord refuses in a guild although the bot has the permission: for everybody, as far as anybody can tell.
//!
//! After the first such refusal of an action others still go: it may have been about that user alone. After the second in a
//! row, or one whose code leaves no doubt, deliveries of the action wait, and one of them is tried again at a low rate. What
//! that one comes to counts for all.

use super::{Lane, Resumed, blocked};
use crate::store::{Queued, Settlement};
use crate::sync::attempt::Refused;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::DeliveryId;

/// How long until the first try after a refusal; each that is refused again doubles it.
const FIRST_PROBE: Duration = Duration::from_secs(60);

/// The longest time between two tries.
const LONGEST_PROBE: Duration = Duration::from_secs(3_600);

/// Actions that Discord refuses in this guild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sync) struct Refusal {
    pub(in crate::sync) actions: Vec<Action>,
    pub(in crate::sync) reason: String,
    pub(in crate::sync) footing: Option<String>,
    /// Whether deliveries of these actions wait.
    pub(in crate::sync) bars: bool,
    /// Refusals in a row while others could still go.
    pub(in crate::sync) strikes: u32,
    /// How often one was tried again in vain.
    pub(in crate::sync) probes: u32,
    /// When one is tried again; at once without it.
    pub(in crate::sync) probe_at: Option<Instant>,
}

/// How long until the next try after so many in vain.
pub(super) fn probe_wait(probes: u32) -> Duration {
    FIRST_PROBE.saturating_mul(2_u32.saturating_pow(probes.min(6))).min(LONGEST_PROBE)
}

impl Refusal {
    /// Whether the delivery waits for it: all of the action while it bars, otherwise those alone that were refused.
    fn is_about(&self, delivery: &Queued) -> bool {
        self.actions.contains(&delivery.action)
            && (self.bars || delivery.doubt.asks_first)
            && delivery.doubt.outranked_by.is_none()
    }
}

impl Lane {
    /// Takes over what an earlier daemon has stored.
    pub(in crate::sync) fn restore(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }

    /// Takes over a delivery that an earlier daemon has left blocked.
    pub(in crate::sync) fn adopt(&mut self, mut delivery: Queued) {
        // Where others still go, it may be itself the one that was refused.
        delivery.doubt.asks_first |=
            self.refusals.iter().any(|one| !one.bars && one.actions.contains(&delivery.action));
        self.parked.push(delivery);
    }

    /// Why a delivery of the action waits here.
    pub(super) fn why_refused(&self, action: Action) -> Option<&String> {
        let bars = |refusal: &&Refusal| refusal.bars && refusal.actions.contains(&action);
        self.refusals.iter().find(bars).map(|refusal| &refusal.reason)
    }

    /// Whether a parked delivery waits for what Discord refuses, and not for something else.
    pub(super) fn waits_for_refusal(&self, delivery: &Queued) -> bool {
        self.refusals.iter().any(|refusal| refusal.is_about(delivery))
    }

    /// What is refused here now, where that has changed since it was asked for last.
    pub(in crate::sync) fn changed_refusals(&mut self) -> Option<Vec<Refusal>> {
        let parked = &self.parked;
        let is_needed = |refusal: &Refusal| {
            refusal.bars || refusal.probe_at.is_none() || parked.iter().any(|one| refusal.is_about(one))
        };
        // A single one that was refused has ended otherwise: nothing is known of any other.
        if self.probing.is_none() && self.sending.is_none() {
            self.refusals.retain(is_needed);
        }
        (self.refusals != self.stored_refusals).then(|| {
            self.stored_refusals.clone_from(&self.refusals);
            self.refusals.clone()
        })
    }

    /// Takes in a refusal that no rank explains. Whether it is the first of its kind, and what waits from now on.
    pub(super) fn refuse(
        &mut self,
        refused: Refused,
        was_probe: bool,
        now: Instant,
    ) -> (bool, Vec<(DeliveryId, Settlement)>) {
        let Refused { actions, reason, footing, about_everybody } = refused;
        let together = std::mem::take(&mut self.refused_together) && actions.contains(&Action::Ban);
        let known =
            self.refusals.iter_mut().find(|known| known.actions.iter().any(|one| actions.contains(one)));
        let (is_first, refusal) = match known {
            Some(known) => {
                known.strikes += 1;
                known.probes += u32::from(was_probe);
                known.actions.extend(
                    actions.iter().filter(|one| !known.actions.contains(one)).copied().collect::<Vec<_>>(),
                );
                (known.reason, known.footing) = (reason, footing);
                (false, known)
            }
            None => {
                let (bars, strikes, probes, probe_at) = (false, 1, 0, None);
                self.refusals.push(Refusal { actions, reason, footing, bars, strikes, probes, probe_at });
                let Some(new) = self.refusals.last_mut() else { return (true, Vec::new()) };
                (true, new)
            }
        };
        refusal.bars |= about_everybody || together || refusal.strikes >= 2;
        refusal.probe_at = Some(now + probe_wait(refusal.probes));
        let refusal = refusal.clone();
        if !refusal.bars {
            return (is_first, Vec::new());
        }
        let mut settlements = Vec::new();
        let waits = |one: &Queued| refusal.actions.contains(&one.action);
        let (queued, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.queue).into_iter().partition(waits);
        self.queue = others.into();
        let (late, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.deferred).into_iter().partition(waits);
        self.deferred = others.into();
        for delivery in queued.into_iter().chain(late) {
            settlements.push((delivery.id, blocked(&refusal.reason, delivery.attempts)));
            self.parked.push(delivery);
        }
        (is_first, settlements)
    }

    /// Discord has carried out the action: what was refused was about single users, or is over. What goes on.
    pub(super) fn passes(&mut self, action: Action) -> Vec<Resumed> {
        if action == Action::Ban {
            self.refused_together = false;
        }
        let mut over = Vec::new();
        self.refusals.retain_mut(|refusal| {
            let opens = refusal.bars && refusal.actions.contains(&action);
            if opens {
                over.extend(refusal.actions.iter().copied());
            } else if refusal.actions.contains(&action) {
                refusal.strikes = 0;
            }
            !opens
        });
        if over.is_empty() {
            return Vec::new();
        }
        let goes_on = |one: &Queued| {
            over.contains(&one.action)
                && one.doubt.outranked_by.is_none()
                && !self.barred.iter().any(|(measure, _)| *measure == one.action.measure())
        };
        let (waiting, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.parked).into_iter().partition(goes_on);
        self.parked = others;
        self.put_in_order(waiting)
    }

    /// Puts deliveries back into the queue, in the order in which they were decided.
    pub(super) fn put_in_order(&mut self, mut waiting: Vec<Queued>) -> Vec<Resumed> {
        let resumed = waiting.iter().map(Resumed::of).collect();
        waiting.extend(std::mem::take(&mut self.queue));
        waiting.sort_by_key(|delivery| delivery.id);
        self.queue = waiting.into();
        resumed
    }

    /// Takes one that waits for what Discord refuses to the front of the queue, where its time has come: it is tried for all of
    /// them. When the next one's time comes.
    pub(super) fn probe(&mut self, now: Instant) -> (Option<Resumed>, Option<Instant>) {
        if let Some(id) = self.probing {
            if self.queue.iter().chain(&self.deferred).any(|one| one.id == id) {
                return (None, None);
            }
            // Something newer has taken its place.
            self.probing = None;
        }
        // Where nothing waits for it any more, the next delivery tells whether Discord still refuses.
        let parked = &self.parked;
        self.refusals.retain(|refusal| {
            let is_due = refusal.probe_at.is_none_or(|at| at <= now);
            !is_due || parked.iter().any(|one| refusal.is_about(one))
        });
        let mut wake = None::<Instant>;
        for place in 0..self.refusals.len() {
            let Some(refusal) = self.refusals.get(place) else { break };
            let barred = |one: &Queued| self.barred.iter().any(|(of, _)| *of == one.action.measure());
            let waits = |one: &Queued| refusal.is_about(one) && !barred(one);
            let Some(candidate) = self.parked.iter().position(waits) else {
                let later = refusal.probe_at.filter(|at| refusal.bars && *at > now);
                wake = wake.into_iter().chain(later).min();
                continue;
            };
            match refusal.probe_at.filter(|at| *at > now) {
                Some(at) => wake = Some(wake.map_or(at, |earlier| earlier.min(at))),
                None => {
                    let next = now + probe_wait(refusal.probes);
                    if let Some(refusal) = self.refusals.get_mut(place) {
                        refusal.probe_at = Some(next);
                    }
                    let mut delivery = self.parked.remove(candidate);
                    // Somebody whose rank explains a refusal tells nothing of the others.
                    delivery.doubt.asks_first = true;
                    let resumed = Resumed::of(&delivery);
                    self.probing = Some(delivery.id);
                    self.queue.push_front(delivery);
                    return (Some(resumed), None);
                }
            }
        }
        (None, wake)
    }

    /// What the one that was tried for all has come to, unless it is tried again.
    pub(super) fn probed(&mut self, id: DeliveryId, action: Action) {
        let goes_on = self.queue.iter().chain(&self.deferred).any(|one| one.id == id);
        if self.probing != Some(id) || goes_on {
            return;
        }
        self.probing = None;
        let refused = |one: &Queued| one.id == id && one.doubt.outranked_by.is_none();
        if self.parked.iter().any(refused) {
            return;
        }
        // It has ended, or its rank explains the answer: that tells nothing of the others, and the next one is tried.
        self.probe_soon(|refusal| refusal.bars && refusal.actions.contains(&action));
    }

    /// Has one tried at once for what was refused where `changed` says that Discord may answer otherwise by now.
    pub(super) fn probe_soon(&mut self, changed: impl Fn(&Refusal) -> bool) {
        for refusal in self.refusals.iter_mut().filter(|refusal| changed(refusal)) {
            refusal.probe_at = None;
        }
    }
}
