//! Taking punishments back one by one: what becomes of each, and doing it. The plan and the real thing judge alike, so
//! their counts are the same.

use super::alone::{alone_in, take_back_alone};
use super::plan::{Step, plan};
use super::record::{AtOrigin, record};
use crate::network::Topology;
use crate::store::{Change, Judged, NewPunishment, Scope, StoreError, View, lasts_longer};
use std::collections::HashSet;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin, Punishment};
use wayhaven_shared::operations::reversal::{Counts, Reverted};
use wayhaven_shared::operations::setup::SecurityLevel;
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, Untrusted, UserId};

/// Who takes back, and why.
#[derive(Clone, Debug)]
pub struct Reverting {
    /// The member; nothing for an operator.
    pub moderator: Option<UserId>,
    /// The operator's account, by number.
    pub operator: Option<u32>,
    /// Where it comes from.
    pub origin: Origin,
    /// Why, where it was said.
    pub reason: Option<Untrusted>,
}

/// What becomes of a punishment that is to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was before.
    Already,
    /// It has ended by itself.
    Expired,
    /// It takes something back itself.
    Undo,
    /// It cannot be undone, and is only marked.
    Marked,
    /// Another cause of that guild and measure remains: the one of its own punishments that lasts longest, or a main's.
    OneOfSeveral(Option<PunishmentId>),
    /// It is undone by this.
    Undone(Action),
}

/// Judges punishments one after the other, as they would be taken back in this order.
#[derive(Debug, Default)]
pub struct Judge {
    /// What would be taken back by now, and is not.
    gone: HashSet<PunishmentId>,
    found: Counts,
    stay: Counts,
}

impl Judge {
    /// What becomes of a punishment, counted into `counted`.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn judge(
        &mut self,
        view: &View<'_>,
        topology: &Topology,
        now: Timestamp,
        one: &Punishment,
        counted: &mut Reverted,
    ) -> Result<Fate, StoreError> {
        self.found.add(one.action, None);
        let fate = self.fate(view, topology, now, one)?;
        match fate {
            Fate::Already => counted.already += 1,
            Fate::Expired => counted.expired += 1,
            Fate::Undo => counted.undos += 1,
            Fate::Marked => counted.marked += 1,
            Fate::OneOfSeveral(_) => {
                counted.one_of_several += 1;
                let alone = alone_in(view, topology, one, &self.remaining(view, one, now)?)?;
                self.count_children(view, alone, one, counted)?;
            }
            Fate::Undone(undo) => {
                counted.undone += 1;
                self.count_children(view, plan(topology, one.guild_id, undo, one.user_id), one, counted)?;
            }
        }
        self.gone.insert(one.id);
        Ok(fate)
    }

    fn fate(
        &self,
        view: &View<'_>,
        topology: &Topology,
        now: Timestamp,
        one: &Punishment,
    ) -> Result<Fate, StoreError> {
        if one.action.is_undo() {
            return Ok(Fate::Undo);
        }
        if self.gone.contains(&one.id) {
            return Ok(Fate::Already);
        }
        let ended = one.expires_at.is_some_and(|end| end <= now);
        match one.status.as_str() {
            "active" if !ended => {}
            "active" | "expired" => return Ok(Fate::Expired),
            // A shorter one has replaced it.
            "superseded" if !ended && view.is_replaced(one.id)? => {}
            _ => return Ok(Fate::Already),
        }
        let Some(undo) = one.action.undo() else { return Ok(Fate::Marked) };
        let remains = self.remaining(view, one, now)?.last().copied();
        if remains.is_some() {
            return Ok(Fate::OneOfSeveral(remains));
        }
        // What a main has delivered to a child stays when the child takes back its own.
        let of_main =
            topology.is_child(one.guild_id) && view.has_mains_cause(one.guild_id, one.user_id, one.action)?;
        Ok(if of_main { Fate::OneOfSeveral(None) } else { Fate::Undone(undo) })
    }

    /// What else the guild has decided of that measure and is active once this one is reverted, the one that lasts longest
    /// last.
    fn remaining(
        &self,
        view: &View<'_>,
        one: &Punishment,
        now: Timestamp,
    ) -> Result<Vec<PunishmentId>, StoreError> {
        let mut causes = view.overlapping(one.guild_id, one.user_id, one.action, now)?;
        causes.retain(|other| other.id != one.id && !self.gone.contains(&other.id));
        let mut remaining: Vec<_> = causes.into_iter().map(|other| (other.until, other.id)).collect();
        for id in view.restored_without(one, &self.gone)? {
            if let Some(restored) = view.punishment(id)? {
                remaining.push((restored.expires_at, id));
            }
        }
        let end = |until: Option<Timestamp>| until.map_or(i64::MAX, Timestamp::millis);
        remaining.sort_by_key(|(until, id)| (end(*until), *id));
        remaining.dedup();
        Ok(remaining.into_iter().map(|(_, id)| id).collect())
    }

    /// What the undo comes to in the children.
    fn count_children(
        &mut self,
        view: &View<'_>,
        steps: Vec<Step>,
        one: &Punishment,
        counted: &mut Reverted,
    ) -> Result<(), StoreError> {
        let (source, user) = (one.guild_id, one.user_id);
        let approved_first = view.security_level(source)? == SecurityLevel::Maximum;
        for step in steps {
            let (state, reason) = match step.state {
                DeliveryState::Skipped => (DeliveryState::Skipped, step.reason),
                state => match view.judge_undo(step.guild, user, source, one.action, None)? {
                    Judged::Leave(reason) => (DeliveryState::Skipped, Some(reason)),
                    // Where Discord will have to be asked, the asking comes with the undo.
                    Judged::TakeBack | Judged::Ask(_) if approved_first => (DeliveryState::Held, None),
                    Judged::TakeBack | Judged::Ask(_) => (state, None),
                },
            };
            *counted.deliveries.of(state) += 1;
            if state == DeliveryState::Skipped {
                self.stay.add(one.action, reason);
            }
        }
        Ok(())
    }

    /// Hands over what was counted by action and by reason.
    pub fn finish(self, counted: &mut Reverted) {
        (counted.found, counted.stay) = (self.found.into(), self.stay.into());
    }
}

/// Takes the next of the punishments back, at most so many deliveries' worth of them, judging each as the plan does. How
/// many of `ids` it has come through.
///
/// # Errors
/// Where the store fails; then nothing of it is stored.
pub fn revert_some(
    change: &Change<'_>,
    ids: &[PunishmentId],
    by: &Reverting,
    deliveries: usize,
    judge: &mut Judge,
    counted: &mut Reverted,
) -> Result<usize, StoreError> {
    let topology = change.topology_here()?;
    let mut left = deliveries;
    for (index, id) in ids.iter().enumerate() {
        if left == 0 {
            return Ok(index);
        }
        let Some(one) = change.punishment(*id)? else { continue };
        let fate = judge.judge(change, &topology, change.now(), &one, counted)?;
        match fate {
            Fate::Already | Fate::Expired | Fate::Undo => continue,
            Fate::Marked => {
                change.mark_reversed(one.id)?;
                change.end_open(one.id, None)?;
            }
            Fate::OneOfSeveral(_) => {
                let was_in_force = one.status == "active";
                let remaining = judge.remaining(change, &one, change.now())?;
                change.mark_reversed(one.id)?;
                change.restore_replaced(&one)?;
                hand_over(change, &topology, (&one, was_in_force), &remaining)?;
                if remaining.is_empty() && one.action == Action::Timeout {
                    // A main's timeout remains in the child, and ends at another time.
                    change.hand_timeout_over(one.guild_id, one.user_id, one.guild_id)?;
                }
                take_back_alone(change, &topology, &one, &remaining, (by.moderator, by.origin))?;
            }
            Fate::Undone(undo) => {
                let reason = by.reason.clone();
                let new = NewPunishment {
                    reason: reason
                        .or_else(|| Some(Untrusted::clipped(&format!("reverted: punishment {id}")))),
                    moderator: by.moderator,
                    operator: by.operator,
                    because: Some(one.id),
                    reverts: true,
                    ..NewPunishment::new(one.guild_id, one.user_id, undo, by.origin)
                };
                record(change, &new, AtOrigin::ToDo)?;
            }
        }
        left = left.saturating_sub(1 + topology.links(one.guild_id).len());
    }
    Ok(ids.len())
}

/// A punishment is taken back, and another one of the same measure remains: where only this one has come, or would have, the
/// other takes its place. A member has one timeout at a time, so where this one was in force the other one is sent again,
/// until its own end.
fn hand_over(
    change: &Change<'_>,
    topology: &Topology,
    (one, was_in_force): (&Punishment, bool),
    remaining: &[PunishmentId],
) -> Result<(), StoreError> {
    let action = one.action;
    let steps = plan(topology, one.guild_id, action, one.user_id).into_iter();
    let children = steps.map(|step| (step.guild, Scope::Child(step.link), step.state, step.reason));
    let origin = (one.guild_id, Scope::Origin, DeliveryState::Pending, None);
    for (guild, scope, state, reason) in std::iter::once(origin).chain(children) {
        // What waits for approval there, was refused it, or is kept away by a protection takes nobody's place.
        let Some(other) = longest_in(change, remaining, guild, action)? else { continue };
        let again = action == Action::Timeout
            && was_in_force
            && (other.id < one.id || lasts_longer(one.expires_at, other.expires_at));
        let reached = change.stand(one.id, guild, action)?;
        if let Some(stand) = reached
            && change.is_taken_back_along_its_link(stand.id)?
        {
            // Nothing of it stands there whose place could be taken.
            continue;
        }
        let reached = reached.map(|stand| stand.state);
        let others = change.stand(other.id, guild, action)?;
        // Of several that were taken back with their link only the newest comes again with the next: what it stands for is not
        // there by itself.
        let is_gone = match others {
            Some(stand) => change.is_taken_back_along_its_link(stand.id)?,
            None => false,
        };
        let missed = match (scope, reached) {
            // Made by hand there.
            (Scope::Origin, None) => false,
            (_, None | Some(DeliveryState::Skipped | DeliveryState::Failed)) => continue,
            // Where this one was not done yet, the other may never have been.
            (Scope::Origin, Some(DeliveryState::Applied)) => false,
            _ => {
                others.is_none_or(|stand| stand.state != DeliveryState::Applied || is_gone)
                    && (others.is_some() || scope != Scope::Origin)
            }
        };
        change.end_open(one.id, Some(guild))?;
        if !again && !missed {
            continue;
        }
        match others {
            None => change.add_delivery(&other, guild, scope, state, reason.as_deref())?,
            Some(stand) => {
                if is_gone {
                    // From now on it is the later word.
                    change.note_handed_over(stand.id)?;
                }
                change.apply_again(stand.id, state, reason.as_deref())?;
            }
        }
    }
    Ok(())
}

/// The one of these that lasts longest and may stand in the guild.
fn longest_in(
    view: &View<'_>,
    of: &[PunishmentId],
    guild: GuildId,
    action: Action,
) -> Result<Option<Punishment>, StoreError> {
    for id in of.iter().rev() {
        if !view.is_not_approved(*id, guild, action)? && !view.is_kept_from(*id, guild)? {
            return view.punishment(*id);
        }
    }
    Ok(None)
}
