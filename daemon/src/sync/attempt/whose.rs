//! Provenance: in a child only what Wayhaven did is undone, and only when no other cause remains. Where the store does
//! not know who did it, the guild's audit log is asked for our own entry.

use super::reading::Reading;
use super::{STORE_WAIT, Stop, Tools, overtaken, priority_of};
use crate::discord::event::{Deed, Entry, entry_kind};
use crate::discord::rest::{AUDIT_PAGE, AuditLogEntry, LogOf, Rest, RestError};
use crate::discord::routes::Route;
use crate::store::{Asked, Judged, Leave, LostBulkBan, Queued, Scope, done_by_staff};
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{RoleId, Timestamp, Untrusted, UserId};

/// How far Discord's clock and ours may be apart, in milliseconds.
const CLOCKS_DIFFER: i64 = 60_000;

/// How long after the last word of a request its entry may be made, in milliseconds: it may still have been on its way.
const LEFT_BEFORE: i64 = 3 * 60_000;

/// How much earlier than a bulk ban of ours its entry may seem to be, in milliseconds, where its reason says so too.
const SEEMS_EARLIER: i64 = 5_000;

/// How much earlier it may seem to be where nothing but its time tells it from another, in milliseconds: both clocks are cut
/// to milliseconds, one of them twice.
const CUT: i64 = 2;

/// How long after Discord's answer its log may not have the entry yet (FACTS 0), in milliseconds.
const LOG_FOLLOWS: i64 = 3_000;

/// How long Discord keeps an entry: 45 days (FACTS A4).
const KEPT_MS: i64 = 45 * 86_400_000;

/// How long until it is asked again what its log does not have yet.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What is said of an undo that has to be asked for first.
pub const IS_ASKED: &str = "Discord is asked first whether Wayhaven did it";

/// Why nothing is undone where nobody can tell whose it is.
pub fn unseen(action: Action) -> String {
    let done = action.measure().done_to("them");
    format!("whether Wayhaven has {done} there is not known: the bot may not view the guild's audit log")
}

/// What the guild's audit log says.
enum Answer {
    /// We did it, by this entry.
    Ours(u64),
    /// It has no such entry.
    NotOurs,
    /// It says nothing, for this reason.
    Silent(String),
}

/// Whether an undo may lift what stands in its guild. In the guild that has decided it this is asked only of what ends by
/// itself: there a ban that was there before Wayhaven's stays.
pub(super) async fn may_take_back(tools: &Tools, delivery: &Queued) -> Result<(), Stop> {
    wait_for_the_log(tools, delivery).await?;
    let Some(asked) = judge(tools, delivery, None).await? else { return Ok(()) };
    let entry = match ask(tools, delivery, asked).await? {
        Answer::Ours(entry) => Some(entry),
        Answer::NotOurs => None,
        // Where nobody can tell, what the guild itself has decided ends as it was decided.
        Answer::Silent(_) if delivery.scope == Scope::Origin => return Ok(()),
        Answer::Silent(reason) => {
            let (guild, user, action) = (delivery.guild, delivery.user, delivery.action);
            let local =
                tools.services.store().read(move |view| Ok(view.is_done_locally(guild, user, action)?)).await;
            let reason = if local.map_err(Stop::Store)? { done_by_staff(action) } else { reason };
            return Err(Stop::Not(DeliveryState::Skipped, reason));
        }
    };
    match judge(tools, delivery, Some(entry)).await? {
        // Something else was found out meanwhile.
        Some(_) => Err(Stop::Wait(ASK_AGAIN)),
        None => Ok(()),
    }
}

/// The guild's own staff may have done it anew while the daemon did not look: its log is read first. Whoever asks for an undo
/// in the guild itself means what stands there, and does not wait.
async fn wait_for_the_log(tools: &Tools, delivery: &Queued) -> Result<(), Stop> {
    let (guild, punishment) = (delivery.guild, delivery.punishment);
    if delivery.scope == Scope::Origin {
        let ends = tools.services.store().read(move |view| Ok(view.ends_by_itself(punishment)?)).await;
        if !ends.map_err(Stop::Store)? {
            return Ok(());
        }
    }
    match tools.unread.is_known(guild) {
        true => Ok(()),
        false => Err(Stop::Wait(ASK_AGAIN)),
    }
}

/// What the store says, once it has noted Discord's answer: what Discord has to be asked, where it does not know.
async fn judge(tools: &Tools, delivery: &Queued, answer: Option<Option<u64>>) -> Result<Option<Asked>, Stop> {
    let (guild, user, source) = (delivery.guild, delivery.user, delivery.source);
    let (id, action, punishment) = (delivery.id, delivery.action, delivery.punishment);
    let at_origin = delivery.scope == Scope::Origin;
    // Asked of the writer, which has taken in by now what became of the deliveries before this one.
    let judged = tools.services.store().write(move |change| {
        // What is held takes its place too, and comes to the lane only later.
        if change.may_leave(id)? == Leave::Ended {
            return Ok(None);
        }
        if let Some(entry) = answer {
            change.note_provenance(guild, user, action, id, entry)?;
        }
        if at_origin {
            // Whoever has asked for an undo is not asked whose it is.
            let asked_for = !change.ends_by_itself(punishment)?;
            return Ok(Some(match asked_for {
                true => Judged::TakeBack,
                false => change.judge_end(guild, user, action, id)?,
            }));
        }
        let judged = change.judge_undo(guild, user, source, action, Some(id))?;
        if action == Action::Untimeout && judged.is_left_to_others(action.measure()) {
            change.hand_timeout_over(guild, user, source)?;
        }
        Ok(Some(judged))
    });
    match judged.await {
        Ok(Some(Judged::TakeBack)) => Ok(None),
        Ok(Some(Judged::Ask(asked))) => Ok(Some(asked)),
        Ok(Some(Judged::Leave(reason))) => Err(Stop::Not(DeliveryState::Skipped, reason)),
        Ok(None) => Err(overtaken()),
        Err(fault) => Err(Stop::Store(fault)),
    }
}

/// Asks the guild's audit log whether we did it.
async fn ask(tools: &Tools, delivery: &Queued, asked: Asked) -> Result<Answer, Stop> {
    let (guild, action) = (delivery.guild, delivery.action);
    let now = tools.services.clock().now();
    let Some(kind) = entry_kind(action.measure()) else { return Ok(Answer::NotOurs) };
    // A refusal counts against us (FACTS C1), and this one is foreseen.
    if tools.services.directory().shows_log(guild) == Some(false) {
        return Ok(Answer::Silent(unseen(action)));
    }
    let Some(me) = tools.services.directory().me() else { return Err(Stop::Wait(STORE_WAIT)) };
    let roles = super::roles::of(tools, delivery).await?;
    let (user, undo) = (delivery.user, delivery.id);
    let last_end =
        tools.services.store().read(move |view| Ok(view.last_end(guild, user, action, undo)?)).await;
    let sought = Sought { me, kind, roles, behind: last_end.map_err(Stop::Store)? };
    let found = match find(tools, delivery, asked, &sought).await {
        Ok(None) if action.measure() == Action::Ban => find_unnamed(tools, delivery, &sought).await,
        found => found,
    };
    // What was read while Discord's log may follow is read once more.
    if found.is_ok() || is_just_done(asked, now) {
        tools.readings.forget(delivery.id);
    }
    match found {
        Ok(Some(entry)) => Ok(Answer::Ours(entry)),
        Ok(None) if is_just_done(asked, now) => Err(Stop::Wait(ASK_AGAIN)),
        Ok(None) if now.millis() - asked.since.millis() > KEPT_MS => {
            let done = action.measure().done_to("them");
            let reason = "Discord keeps its audit log for 45 days";
            Ok(Answer::Silent(format!("whether Wayhaven has {done} there is not known any more: {reason}")))
        }
        Ok(None) => Ok(Answer::NotOurs),
        Err(Stop::Rest(error)) if matches!(error.code(), Some(50001 | 50013)) => {
            Ok(Answer::Silent(unseen(action)))
        }
        Err(stop) => Err(stop),
    }
}

/// Whether Discord did it a moment ago, so that its log may follow. Not where the clock was set back meanwhile.
fn is_just_done(asked: Asked, now: Timestamp) -> bool {
    asked.applied.is_some_and(|applied| (0..LOG_FOLLOWS).contains(&(now.millis() - applied.millis())))
}

/// Whose entry is looked for.
struct Sought {
    me: UserId,
    kind: u64,
    /// Those that a mute is made of.
    roles: Vec<RoleId>,
    /// Later than this one: by then what stood there before was taken back.
    behind: u64,
}

/// Our entry that did it: the log is read from before our first request on, to after what was heard last.
async fn find(tools: &Tools, delivery: &Queued, asked: Asked, sought: &Sought) -> Result<Option<u64>, Stop> {
    let span = (asked.since.millis() - CLOCKS_DIFFER, asked.until.millis() + LEFT_BEFORE);
    let ours = |entry: &Entry| {
        entry.actor == Some(sought.me)
            && does(entry, delivery.action.measure(), &sought.roles)
            && entry.id > sought.behind
    };
    let found = entries(tools, delivery, (sought.kind, Some(sought.me)), span, ours).await?;
    Ok(found.into_iter().max())
}

/// The entry of a bulk ban of ours that had no answer. It names nobody (FACTS B5), and one of the staff's own looks the same:
/// so it has to be the only one that was made while ours was on its way, and give the same reason.
async fn find_unnamed(tools: &Tools, delivery: &Queued, sought: &Sought) -> Result<Option<u64>, Stop> {
    let (guild, user, undo) = (delivery.guild, delivery.user, delivery.id);
    let lost = tools.services.store().read(move |view| Ok(view.lost_bulk_bans(guild, user, undo)?)).await;
    let spans: Vec<_> = lost.map_err(Stop::Store)?.into_iter().map(|one| (span_of(&one), one)).collect();
    let Some(from) = spans.iter().map(|((from, _), _)| *from).min() else { return Ok(None) };
    let until = spans.iter().map(|((_, until), _)| *until).max().unwrap_or(from);
    let skew = tools.services.clock().skew();
    let may_be_ours = |entry: &Entry| {
        entry.actor.is_none()
            && does(entry, Action::Ban, &[])
            && entry.id > sought.behind
            && spans.iter().any(|((from, until), one)| {
                (*from..=*until).contains(&skew.made_at(entry.id).millis())
                    && entry.reason.as_ref().map(Untrusted::raw) == one.reason.as_deref()
            })
    };
    let found = entries(tools, delivery, (sought.kind, None), (from, until), may_be_ours).await?;
    Ok(found.first().copied().filter(|_| found.len() == 1))
}

/// When the entry of such a bulk ban may have been made. Clocks differ, but where it gave no reason nothing else tells it
/// from another.
fn span_of(lost: &LostBulkBan) -> (i64, i64) {
    let (left, heard) = (lost.left.millis(), lost.heard.millis());
    match lost.reason {
        Some(_) => (left - SEEMS_EARLIER, heard + LEFT_BEFORE),
        None => (left - CUT, heard),
    }
}

/// The guild's entries of that kind about the user, in that span of milliseconds, that are so. They are kept until the
/// delivery's question is answered: where the log shows one page at a time, another reading takes the next.
async fn entries(
    tools: &Tools,
    delivery: &Queued,
    (kind, by): (u64, Option<UserId>),
    (from, until): (i64, i64),
    wanted: impl Fn(&Entry) -> bool,
) -> Result<Vec<u64>, Stop> {
    let route = Rest::audit_log_route(delivery.guild);
    let skew = tools.services.clock().skew();
    let at = |millis: i64| skew.first_snowflake(Timestamp::from_millis(millis));
    // The last id that is sure to be earlier, and the first that is later.
    let (first, end) = (at(from).saturating_sub(1), at(until.saturating_add(1)));
    let reading = (delivery.id, kind, by, first);
    let Reading { mut after, mut found, whole } = tools.readings.take(reading);
    let keep = |after, found: &[u64], whole| {
        tools.readings.keep(reading, Reading { after, found: found.to_vec(), whole });
    };
    if whole {
        keep(after, &found, true);
        return Ok(found);
    }
    loop {
        let asked = page(tools, delivery, route, (kind, by, after)).await;
        let page = match asked {
            Ok(page) => page,
            Err(stop) => {
                keep(after, &found, false);
                return Err(stop);
            }
        };
        let is_last = page.len() < AUDIT_PAGE;
        let furthest = page.iter().filter_map(|entry| entry.id.parse().ok()).max().unwrap_or(after);
        let entries = page.into_iter().filter_map(|entry| Entry::from_log(delivery.guild, entry));
        let wanted = entries.filter(|one| one.user == delivery.user && one.id < end && wanted(one));
        found.extend(wanted.map(|entry| entry.id));
        if is_last || furthest >= end || furthest <= after {
            keep(after, &found, true);
            return Ok(found);
        }
        after = furthest;
    }
}

async fn page(
    tools: &Tools,
    delivery: &Queued,
    route: Route,
    (kind, by, after): (u64, Option<UserId>, u64),
) -> Result<Vec<AuditLogEntry>, Stop> {
    if let Some(opens) = tools.services.rest().opens_at(route) {
        return Err(Stop::Wait(opens.saturating_duration_since(Instant::now()).max(ASK_AGAIN)));
    }
    let Some(slot) = tools.services.rest().slot_now(priority_of(delivery), route).await? else {
        return Err(Stop::Wait(ASK_AGAIN));
    };
    let asked = LogOf { kind, by, about: delivery.user };
    tools.services.rest().audit_log_of(slot, delivery.guild, asked, after).await.map_err(limited)
}

/// A limit of the log's route is none of the guild's others: it is waited for here.
fn limited(error: RestError) -> Stop {
    match error {
        RestError::RateLimited { wait, everything: false } => Stop::Wait(wait.max(ASK_AGAIN)),
        // Nothing was done, whether it was answered or not.
        RestError::Lost(why) => Stop::Rest(RestError::Unreachable(why)),
        RestError::Stumbled(status) => Stop::Rest(RestError::Unreachable(format!("it answered {status}"))),
        error => Stop::Rest(error),
    }
}

/// Whether an entry tells of what the measure does.
fn does(entry: &Entry, measure: Action, roles: &[RoleId]) -> bool {
    match &entry.deed {
        Deed::Done(action) => *action == measure,
        Deed::Timeout { until, .. } => {
            measure == Action::Timeout && until.is_some_and(|until| until > entry.at())
        }
        Deed::Roles { added, .. } => measure == Action::Mute && roles.iter().any(|role| added.contains(role)),
    }
}
