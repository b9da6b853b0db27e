//! Several bans of one guild, tried once by one request. Each has its own gates and its own outcome.

use super::outcome::after;
use super::{
    Fate, Next, OVERTAKEN, Outcome, STORE_WAIT, Tools, Tried, attempt_with, priority, settled, short_reason,
    waiting_as,
};
use crate::discord::budget::Slot;
use crate::discord::directory::Presence;
use crate::discord::rest::{Rest, RestError};
use crate::network::{Gathered, Refusal, bulk_permit, permit_for};
use crate::store::{BOT_ABSENT, Change, Leave, Queued, Scope, Settlement, TRIED_ALONE};
use crate::sync::batch::{Batch, is_in_question, route_of};
use std::collections::{HashMap, HashSet};
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::value::{DeliveryId, Timestamp, UserId};

/// Waits for a slot, seals the batch, and tries who is in it by then: one as ever, several by one request.
pub async fn attempt_together(tools: &Tools, batch: &Batch) -> (Vec<Tried>, Next) {
    match tools.services.directory().presence(batch.guild()) {
        Some(Presence::Absent) => {
            let reason = BOT_ABSENT;
            let blocked =
                |one: &Queued| Some(settled(DeliveryState::Blocked, Some(reason.into()), one.attempts));
            return (with_the_lane(batch.seal(), blocked), Next::Shut(reason.into()));
        }
        Some(Presence::Outage) => return (with_the_lane(batch.seal(), |_| None), Next::Away),
        Some(Presence::Here) | None => {}
    }
    // What the gates refuse costs no slot of the budget.
    let topology = tools.services.store().topology();
    if batch.all(|one| permit_for(&topology, one).is_err()) {
        let Gathered { granted, refused, .. } = bulk_permit(&topology, batch.guild(), batch.seal());
        let mut tried = with_the_lane(granted, |_| None);
        tried.extend(refused.into_iter().map(not_sent));
        return (tried, Next::Forward);
    }
    let late = tools.services.rest().slot_late(priority(batch.is_of_origin(), batch.trickles()), || {
        let leaving = batch.seal();
        (route_of(&leaving), leaving)
    });
    match late.await {
        Ok((Some(slot), leaving)) => send(tools, leaving, slot).await,
        Ok((None, leaving)) => (with_the_lane(leaving, |_| None), Next::Route),
        Err(_) => (with_the_lane(batch.seal(), |_| None), Next::Halt),
    }
}

fn with_the_lane(deliveries: Vec<Queued>, settle: impl Fn(&Queued) -> Option<Settlement>) -> Vec<Tried> {
    let tried = |delivery: Queued| Tried { settlement: settle(&delivery), delivery, fate: Fate::WithTheLane };
    deliveries.into_iter().map(tried).collect()
}

fn not_sent((delivery, refusal): (Queued, Refusal)) -> Tried {
    if matches!(refusal, Refusal::Excepted(_)) {
        // It may have left earlier, which is found out of each by itself.
        return Tried { settlement: None, delivery, fate: Fate::Alone };
    }
    let settlement = settled(refusal.state(), Some(refusal.to_string()), delivery.attempts);
    Tried { delivery, settlement: Some(settlement), fate: Fate::Done }
}

async fn send(tools: &Tools, mut leaving: Vec<Queued>, slot: Slot) -> (Vec<Tried>, Next) {
    if leaving.len() == 1
        && let Some(delivery) = leaving.pop_if(|one| !is_in_question(one))
    {
        let (tried, next) = attempt_with(tools, delivery, Some(slot)).await;
        return (vec![tried], next);
    }
    let mut tried = Vec::with_capacity(leaving.len());
    match still_open(tools, &leaving).await {
        Ok(found) => {
            let (open, stopped) =
                leaving.into_iter().partition(|one| found.get(&one.id) == Some(&Leave::Open));
            leaving = open;
            tried.extend(stopped.into_iter().map(|one| match found.get(&one.id) {
                Some(Leave::Waits(hold)) => not_sent((one, Refusal::Held(*hold))),
                _ => superseded(one),
            }));
        }
        Err(()) => return (with_the_lane(leaving, |_| None), Next::Again(STORE_WAIT)),
    }
    let next = request(tools, leaving, slot, &mut tried).await;
    (tried, next)
}

/// Marks those that nothing else has ended or holds: what takes their place tells the lane nothing
/// of it where it is not sent itself.
async fn still_open(tools: &Tools, leaving: &[Queued]) -> Result<HashMap<DeliveryId, Leave>, ()> {
    let ids: Vec<DeliveryId> = leaving.iter().map(|one| one.id).collect();
    let marked = tools.services.store().write(move |change| Ok(change.mark_together(&ids)?));
    marked.await.map_err(|fault| tracing::error!("bans of a guild were not tried: {fault}"))
}

fn superseded(delivery: Queued) -> Tried {
    let settlement = settled(DeliveryState::Superseded, Some(OVERTAKEN.to_owned()), delivery.attempts);
    Tried { delivery, settlement: Some(settlement), fate: Fate::Done }
}

/// Sends one request for all whose gates are open now that it is about to leave.
async fn request(tools: &Tools, mut leaving: Vec<Queued>, slot: Slot, tried: &mut Vec<Tried>) -> Next {
    let Some(first) = leaving.first() else { return Next::Forward };
    let (guild, at_origin) = (first.guild, first.scope == Scope::Origin);
    let (mut slot, mut shorter) = (slot, None::<String>);
    // Whose roles have to be asked for, is asked about alone.
    if tools.services.store().topology().protection().has_roles(guild) {
        let alone = |delivery: Queued| Tried { settlement: None, delivery, fate: Fate::Alone };
        tried.extend(leaving.into_iter().map(alone));
        return Next::Forward;
    }
    loop {
        let Gathered { permit, granted, refused } =
            bulk_permit(&tools.services.store().topology(), guild, leaving);
        tried.extend(refused.into_iter().map(not_sent));
        let Some(first) = granted.first() else { return Next::Forward };
        // Of a reason that nobody can see nothing is sent, and its entry has none.
        let reason = shorter.clone().or_else(|| Some(first.reason.as_ref()?.audit_reason()));
        let reason = reason.filter(|reason| !reason.is_empty());
        let left = tools.services.clock().now();
        let answer =
            tools.services.rest().bulk_ban(slot, &permit, reason.clone(), first.delete_seconds).await;
        if answer.as_ref().is_err_and(|error| error.outcome() == Outcome::Unknown) {
            note_lost(tools, &granted, left, reason).await;
        }
        // Whether Discord counts 512 characters or 512 encoded bytes is not known (FACTS A5).
        let too_long = matches!(&answer, Err(error) if error.is_about_the_form()) && shorter.is_none();
        shorter = short_reason(first).filter(|_| too_long);
        if shorter.is_none() {
            return judge(tools, granted, answer, tried);
        }
        let route = Rest::bulk_ban_route(guild);
        slot = match tools.services.rest().slot_now(priority(at_origin, first.trickle), route).await {
            Ok(Some(slot)) => slot,
            refused => {
                tried.extend(with_the_lane(granted, |_| None));
                return if refused.is_ok() { Next::Route } else { Next::Halt };
            }
        };
        leaving = granted;
    }
}

/// No entry will name us: when it was on its way is what tells later whether one is ours.
async fn note_lost(tools: &Tools, sent: &[Queued], left: Timestamp, reason: Option<String>) {
    let ids: Vec<DeliveryId> = sent.iter().map(|one| one.id).collect();
    let note = move |change: &Change<'_>| Ok(change.note_lost_bulk_ban(&ids, left, reason.as_deref())?);
    tools.services.store().write_later("a bulk ban without an answer", note).await;
}

/// What follows for each from the answer for all.
fn judge(
    tools: &Tools,
    sent: Vec<Queued>,
    answer: Result<HashSet<UserId>, RestError>,
    tried: &mut Vec<Tried>,
) -> Next {
    let error = match answer {
        Ok(banned) => {
            tried.extend(sent.into_iter().map(|one| {
                let is_banned = banned.contains(&one.user);
                if is_banned { applied(one) } else { alone(one, "not banned along with others") }
            }));
            return Next::Forward;
        }
        Err(error) => error,
    };
    match (error.code(), error.outcome()) {
        // The directory said that the bot may. A single ban tells what of it is missing.
        (Some(50013), _) => {
            let reason = format!("403 no bulk ban: {TRIED_ALONE}");
            let waits = |one: &Queued| Some(settled(waiting_as(one), Some(reason.clone()), one.attempts + 1));
            tried.extend(with_the_lane(sent, waits));
            Next::Singly
        }
        // Nobody of them was banned, each for a reason of their own: by itself each is told its own.
        (Some(30035), _) | (_, Outcome::Failed) => {
            let reason = error.reason();
            tried.extend(sent.into_iter().map(|one| alone(one, &reason)));
            Next::Forward
        }
        _ => {
            let mut all = Next::Forward;
            for delivery in sent {
                let (settlement, next) = after(tools, &delivery, &error, waiting_as(&delivery));
                // A bulk ban is sent once more where its answer was lost, since it does nothing twice. Then each is asked for.
                let lost_again = error.outcome() == Outcome::Unknown && is_in_question(&delivery);
                let fate = if lost_again { Fate::Alone } else { Fate::WithTheLane };
                tried.push(Tried { delivery, settlement, fate });
                all = next;
            }
            all
        }
    }
}

fn applied(delivery: Queued) -> Tried {
    let settlement =
        Settlement { was_there: Some(false), ..settled(DeliveryState::Applied, None, delivery.attempts + 1) };
    Tried { delivery, settlement: Some(settlement), fate: Fate::Done }
}

/// Banned already, above the bot, or no member where the budget for such is spent: the question and a ban of its own tell
/// which. Discord has not done it, so nobody may take it for ours: it waits as it did before.
fn alone(delivery: Queued, reason: &str) -> Tried {
    let reason = format!("{reason}: {TRIED_ALONE}");
    let settlement = settled(waiting_as(&delivery), Some(reason), delivery.attempts + 1);
    Tried { delivery, settlement: Some(settlement), fate: Fate::Alone }
}
