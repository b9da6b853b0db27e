//! One delivery, tried once: its gates, its request, and what follows from the answer. What is asked first where an
//! earlier try had no answer is in `earlier`.

mod earlier;

use crate::clock::Clock;
use crate::discord::budget::Priority;
use crate::discord::directory::{Directory, Presence, needed};
use crate::discord::rest::{Order, Outcome, Rest, RestError};
use crate::network::{Refusal, permit_for};
use crate::store::{Queued, Scope, Settlement, Store};
use std::sync::Arc;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{RoleId, Timestamp};

/// How long a guild whose budget of bans of non-members is spent (30035) is left alone before one of them is tried
/// again: the budget comes back within hours, not seconds (FACTS C2).
pub const NON_MEMBER_WAIT: Duration = Duration::from_secs(3_600);

/// The longest timeout that Discord takes at once, less what the two clocks may differ: 28 days (FACTS A3).
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(28 * 86_400 - 60);

/// How long nothing is tried where the store cannot say whether it may be.
const STORE_WAIT: Duration = Duration::from_secs(4);

/// What a delivery is tried with.
#[derive(Clone)]
pub struct Tools {
    /// Time.
    pub clock: Clock,
    /// The store.
    pub store: Store,
    /// The way to Discord.
    pub rest: Arc<Rest>,
    /// What the bot may do where.
    pub directory: Arc<Directory>,
}

/// What the lane does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This one is done with: go on.
    Forward,
    /// The route was shut meanwhile: this one goes when it opens.
    Route,
    /// Try this one again after so long.
    Again(Duration),
    /// 429: nothing in this guild before so long; where it concerns one route, the route knows how long.
    Limited(Duration),
    /// Discord stumbled, for this reason: try this one again, later with every failure in a row.
    Failed(String),
    /// The guild's budget of bans of non-members is spent: this one waits for hours, others go on.
    Defer(String),
    /// This one waits for somebody to mend the guild, for this reason; others go on.
    Park(String),
    /// Nothing of this measure can go on in this guild before somebody mends it.
    Bar(String),
    /// Nothing in this guild can go on before somebody mends it.
    Shut(String),
    /// Nothing in this guild can go on before it is back from an outage.
    Away,
    /// Nothing at all leaves any more.
    Halt,
}

/// Tries a delivery once.
pub async fn attempt(tools: &Tools, delivery: &Queued) -> (Option<Settlement>, Next) {
    match try_once(tools, delivery).await {
        Ok(sent) => {
            let attempts = delivery.attempts + u32::from(sent);
            (Some(settled(DeliveryState::Applied, None, attempts)), Next::Forward)
        }
        Err(Stop::Not(state, reason)) => {
            (Some(settled(state, Some(reason), delivery.attempts)), Next::Forward)
        }
        Err(Stop::Store(fault)) => {
            tracing::error!(delivery = %delivery.id, "not tried: {fault}");
            (None, Next::Again(STORE_WAIT))
        }
        Err(Stop::Route) => (None, Next::Route),
        Err(Stop::Away) => (None, Next::Away),
        Err(Stop::Absent) => {
            let reason = "the bot is not in the guild";
            let settlement = settled(DeliveryState::Blocked, Some(reason.into()), delivery.attempts);
            (Some(settlement), Next::Shut(reason.into()))
        }
        Err(Stop::Missing(reason)) => {
            let settlement = settled(DeliveryState::Blocked, Some(reason.clone()), delivery.attempts);
            (Some(settlement), Next::Bar(reason))
        }
        Err(Stop::Rest(error)) => after(tools, delivery, &error, DeliveryState::Pending),
        Err(Stop::Asking(error)) => after(tools, delivery, &error, DeliveryState::Unknown),
    }
}

/// Why it was not applied.
enum Stop {
    /// It is not to be sent.
    Not(DeliveryState, String),
    /// The store could not say whether it is.
    Store(Fault),
    /// The route is shut.
    Route,
    /// Discord has an outage of the guild.
    Away,
    /// The bot is not in the guild.
    Absent,
    /// The guild lacks what the measure needs.
    Missing(String),
    /// Discord did not do it.
    Rest(RestError),
    /// Discord did not say whether it was done.
    Asking(RestError),
}

impl From<RestError> for Stop {
    fn from(error: RestError) -> Self {
        Self::Rest(error)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Not(refusal.state(), refusal.to_string())
    }
}

/// Whether a request of the delivery left, where it was applied: it may turn out that it is not needed.
async fn try_once(tools: &Tools, delivery: &Queued) -> Result<bool, Stop> {
    // What the gates refuse costs no slot of the budget.
    permit_for(&tools.store.topology(), delivery)?;
    match tools.directory.presence(delivery.guild) {
        Some(Presence::Absent) => return Err(Stop::Absent),
        Some(Presence::Outage) => return Err(Stop::Away),
        Some(Presence::Here) | None => {}
    }
    match delivery.scope {
        Scope::Origin => still_open(tools, delivery).await?,
        Scope::Child(_) if delivery.action.is_undo() => may_take_back(tools, delivery).await?,
        // No newer one takes its place without coming to the lane, or holding this one at the gates.
        Scope::Child(_) => {}
    }
    let role = mute_role(tools, delivery).await?;
    if earlier::is_done(tools, delivery).await? {
        return Ok(false);
    }
    if !delivery.action.is_idempotent() {
        mark(tools, delivery).await?;
    }
    match send(tools, delivery, role, None).await {
        // Whether Discord counts 512 characters or 512 encoded bytes is not known (FACTS A5).
        Err(Stop::Rest(error)) if error.is_about_the_form() => match short_reason(delivery) {
            Some(reason) => send(tools, delivery, role, Some(reason)).await?,
            None => return Err(error.into()),
        },
        Err(Stop::Rest(error)) if error.code() == Some(10007) => return Err(not_there(delivery)),
        sent => sent?,
    }
    Ok(true)
}

async fn send(
    tools: &Tools,
    delivery: &Queued,
    role: Option<RoleId>,
    reason: Option<String>,
) -> Result<(), Stop> {
    let route = Rest::punishment_route(delivery.guild, delivery.action);
    let slot = tools.rest.slot_now(priority(delivery), route).await?.ok_or(Stop::Route)?;
    // The gates once more, now that the request is about to leave: the link may be gone by now.
    let permit = permit_for(&tools.store.topology(), delivery)?;
    let reason = reason.or_else(|| Some(delivery.reason.as_ref()?.audit_reason()));
    let order = Order {
        user: delivery.user,
        reason,
        delete_seconds: delivery.delete_seconds,
        until: delivery.until.map(|until| until.min(longest(tools))),
        role,
    };
    Ok(tools.rest.punish(slot, &permit, order).await?)
}

/// The latest end that Discord takes for a timeout now. What is to last longer is renewed.
fn longest(tools: &Tools) -> Timestamp {
    let span = i64::try_from(LONGEST_TIMEOUT.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(tools.clock.now().millis().saturating_add(span))
}

/// The role that mutes in the delivery's guild, where it mutes or unmutes.
async fn mute_role(tools: &Tools, delivery: &Queued) -> Result<Option<RoleId>, Stop> {
    if delivery.action.measure() != Action::Mute {
        return Ok(None);
    }
    let guild = delivery.guild;
    match tools.store.read(move |view| Ok(view.config(guild)?)).await {
        Ok(config) => match config.mute_role_id {
            None => Err(Stop::Missing("the guild has no mute role: config muterole sets it".to_owned())),
            role => Ok(role),
        },
        Err(fault) => Err(Stop::Store(fault)),
    }
}

/// What must not be repeated is marked before it leaves: after a crash nobody knows otherwise whether it did.
async fn mark(tools: &Tools, delivery: &Queued) -> Result<(), Stop> {
    let id = delivery.id;
    match tools.store.write(move |change| Ok(change.mark_sending(id)?)).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(overtaken()),
        Err(fault) => Err(Stop::Store(fault)),
    }
}

/// The user is no member of the guild.
fn not_there(delivery: &Queued) -> Stop {
    let reason = match delivery.action {
        Action::Mute | Action::Timeout => "no member there: it is done when they join",
        _ => "no member there",
    };
    Stop::Not(DeliveryState::Skipped, reason.to_owned())
}

fn priority(delivery: &Queued) -> Priority {
    match delivery.scope {
        // What follows another punishment comes by itself, or by the hundred: nobody waits for it.
        Scope::Origin if delivery.because.is_none() => Priority::Interactive,
        _ => Priority::Enforcement,
    }
}

/// The reason again, where it was too long if encoded bytes are counted.
fn short_reason(delivery: &Queued) -> Option<String> {
    let whole = delivery.reason.as_ref()?.audit_reason();
    let short = Rest::reason_within(&whole, 512);
    (short.len() < whole.len()).then_some(short)
}

/// What somebody did by hand in the guild meanwhile takes the place of what waits, and tells the lane nothing of it.
async fn still_open(tools: &Tools, delivery: &Queued) -> Result<(), Stop> {
    let id = delivery.id;
    match tools.store.read(move |view| Ok(view.is_open(id)?)).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(overtaken()),
        Err(fault) => Err(Stop::Store(fault)),
    }
}

/// Something newer has ended it: this says so once more, and changes nothing.
fn overtaken() -> Stop {
    Stop::Not(DeliveryState::Superseded, "a newer punishment took its place".to_owned())
}

/// Provenance: in a child only what Wayhaven did is undone, and only when no other cause remains.
async fn may_take_back(tools: &Tools, delivery: &Queued) -> Result<(), Stop> {
    let (guild, user, source) = (delivery.guild, delivery.user, delivery.source);
    let (id, action) = (delivery.id, delivery.action);
    // Asked of the writer, which has taken in by now what became of the deliveries before this one.
    let why_not = tools.store.write(move |change| {
        // What is held takes its place too, and comes to the lane only later.
        Ok(change
            .is_open(id)?
            .then(|| change.why_not_undo(guild, user, source, action, Some(id)))
            .transpose()?)
    });
    match why_not.await {
        Ok(Some(None)) => Ok(()),
        Ok(Some(Some(reason))) => Err(Stop::Not(DeliveryState::Skipped, reason)),
        Ok(None) => Err(overtaken()),
        Err(fault) => Err(Stop::Store(fault)),
    }
}

fn settled(state: DeliveryState, reason: Option<String>, attempts: u32) -> Settlement {
    Settlement { state, reason, attempts, wait: None }
}

/// What follows from Discord's refusal. `waiting` is how it stands where it is tried again.
fn after(
    tools: &Tools,
    delivery: &Queued,
    error: &RestError,
    waiting: DeliveryState,
) -> (Option<Settlement>, Next) {
    let attempts = delivery.attempts + 1;
    let permitted = tools.directory.may(delivery.guild, delivery.action) == Some(true);
    let mutes = delivery.action.measure() == Action::Mute;
    // Discord says 50013 for a missing permission, and for a user or a role that ranks above the bot alike. Where the
    // bot has the permission it is the second, and only this user is concerned, or only the role.
    let outranked = error.code() == Some(50013) && permitted && !mutes;
    let reason = match error.code() {
        Some(50013) if outranked => "403 the user ranks above the bot".to_owned(),
        Some(50013) if permitted => "403 the mute role ranks above the bot".to_owned(),
        Some(50013) => format!("403 missing permission {}", needed(delivery.action).1),
        Some(10011) if mutes => "404 the mute role is gone: config muterole names another".to_owned(),
        _ => error.reason(),
    };
    let settle = |state| Some(settled(state, Some(reason.clone()), attempts));
    match error.outcome() {
        Outcome::Retry => match error {
            // Other routes of the guild go on: this one is shut for as long.
            RestError::RateLimited { wait, everything } => {
                (settle(waiting), Next::Limited(if *everything { *wait } else { Duration::ZERO }))
            }
            RestError::Refused { code: 30035, .. } => {
                let settlement = Settlement {
                    wait: Some(NON_MEMBER_WAIT),
                    ..settled(waiting, Some(reason.clone()), attempts)
                };
                (Some(settlement), Next::Defer(reason))
            }
            _ => (settle(waiting), Next::Failed(reason)),
        },
        Outcome::Unknown => (settle(DeliveryState::Unknown), Next::Failed(reason)),
        Outcome::Blocked if outranked => (settle(DeliveryState::Blocked), Next::Park(reason)),
        Outcome::Blocked if matches!(error.code(), Some(50013 | 10011)) => {
            (settle(DeliveryState::Blocked), Next::Bar(reason))
        }
        Outcome::Blocked => (settle(DeliveryState::Blocked), Next::Shut(reason)),
        Outcome::Failed => (settle(DeliveryState::Failed), Next::Forward),
        Outcome::Stopped => (None, Next::Halt),
    }
}
