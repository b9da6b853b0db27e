//! One delivery, tried once: its gates, its request, and what follows from the answer. What is asked first where an
//! earlier try had no answer is in `earlier`, what an exception makes of one in `excepted`, why Discord refused in
//! `explain`, whether what the guild's own staff did still stands in `local`, whether a longer timeout stands in `outlasted`, whether an undo may take something back in `whose`, what the guild's
//! protected roles ask for in `protected`, which roles a mute is made of in `roles`; what follows from the
//! answer in `outcome`; several by one request are in `bulk`.

mod bulk;
mod earlier;
mod everybody;
mod excepted;
mod explain;
mod local;
pub mod obstacle;
mod outcome;
mod outlasted;
mod protected;
pub mod reading;
mod roles;
pub mod whose;

pub use bulk::attempt_together;
use outcome::conclude;
pub use outcome::waiting_as;

use crate::discord::budget::{Priority, Slot};
use crate::discord::directory::{OutOfReach, Presence};
use crate::discord::rest::{Order, Outcome, Rest, RestError};
use crate::network::{Refusal, permit_for};
use crate::services::Services;
use crate::store::{LONGEST_TIMEOUT, Leave, Queued, Scope, Settlement, WHEN_THEY_JOIN};
use crate::sync::batch::is_in_question;
use crate::sync::unread::Unread;
use obstacle::Obstacle;
use reading::Readings;
use std::sync::Arc;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{RoleId, Timestamp};

/// How long a guild whose budget of bans of non-members is spent (30035) is left alone before one of them is tried
/// again: the budget comes back within hours, not seconds (FACTS C2).
pub const NON_MEMBER_WAIT: Duration = Duration::from_secs(3_600);

/// Why nobody is muted in a guild that has not said how.
pub const NO_MUTE_ROLE: &str = "the guild has no mute role: config muterole sets it";

/// How long nothing is tried where the store cannot say whether it may be.
const STORE_WAIT: Duration = Duration::from_secs(4);

/// Why one is not sent that something newer has ended.
const OVERTAKEN: &str = "a newer punishment took its place";

/// What a delivery is tried with.
#[derive(Clone)]
pub struct Tools {
    /// The services.
    pub services: Services,
    /// How far audit logs were read.
    pub readings: Arc<Readings>,
    /// Which guilds' logs may hold what is not known.
    pub unread: Arc<Unread>,
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
    /// Discord refuses it although the bot has the permission, and the user's rank does not explain that.
    Refuse(Refused),
    /// Something in front of Discord refused it, for this reason: try this one again, and soon at a low rate.
    Turned(String),
    /// Nothing of this measure can go on in this guild before somebody mends it.
    Bar(String),
    /// Nothing in this guild can go on before somebody mends it.
    Shut(String),
    /// Nothing in this guild can go on before it is back from an outage.
    Away,
    /// Discord takes no bulk ban here: bans go one by one until somebody mends the guild.
    Singly,
    /// Nothing at all leaves any more.
    Halt,
}

/// A refusal that no rank of the user explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The actions that are refused for the same cause.
    pub actions: Vec<Action>,
    /// The likely cause.
    pub reason: String,
    /// What the bot was allowed there.
    pub footing: Option<String>,
    /// Whether Discord's code says that it is about everybody.
    pub about_everybody: bool,
}

/// What becomes of one that was tried, among others that were tried with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done with.
    Done,
    /// It is tried again, or waits, as the lane does.
    WithTheLane,
    /// It is tried again by itself, and Discord is asked first.
    Alone,
}

/// One that was tried.
#[derive(Debug)]
pub struct Tried {
    /// The delivery, as it was before.
    pub delivery: Queued,
    /// What is to be stored of it.
    pub settlement: Option<Settlement>,
    /// What becomes of it.
    pub fate: Fate,
}

/// Tries a delivery once.
pub async fn attempt(tools: &Tools, delivery: Queued) -> (Vec<Tried>, Next) {
    let (tried, next) = attempt_with(tools, delivery, None).await;
    (vec![tried], next)
}

/// Tries a delivery once, with the slot that it has already.
async fn attempt_with(tools: &Tools, mut delivery: Queued, slot: Option<Slot>) -> (Tried, Next) {
    let tried = try_once(tools, &delivery, slot).await;
    let refused = matches!(&tried, Err(Stop::Rest(error)) if error.code() == Some(50013));
    let tried = explain::explained(tools, &delivery, tried).await;
    // Where the question has to wait it is asked before anything is sent again.
    delivery.doubt.asks_first |= refused && matches!(tried, Err(Stop::Later(_) | Stop::Roles(_)));
    if let Err(Stop::OutOfReach { roles, .. }) = &tried {
        delivery.doubt.outranked_by = Some(roles.clone());
    } else {
        delivery.doubt.outranked_by = None;
    }
    let (settlement, next) = conclude(tools, &delivery, tried);
    (Tried { delivery, settlement, fate: Fate::WithTheLane }, next)
}

/// Why it was not applied.
enum Stop {
    /// It is not to be sent.
    Not(DeliveryState, String),
    /// The store could not say whether it is.
    Store(Fault),
    /// The route is shut.
    Route,
    /// Discord may not have told yet what it is asked for: again after so long.
    Wait(Duration),
    /// Discord has an outage of the guild.
    Away,
    /// The bot is not in the guild.
    Absent,
    /// The guild lacks what the measure needs.
    Missing(String),
    /// The guild's mute role must not be given to this user, or taken from them.
    Unfit(String),
    /// The user ranks above the bot, or nobody may punish them there.
    OutOfReach {
        why: OutOfReach,
        /// Their roles there.
        roles: Vec<RoleId>,
        /// Whether Discord has refused it just now.
        refused: bool,
    },
    /// Discord has refused it, and there was nothing to do.
    Needless,
    /// Discord did not do it.
    Rest(RestError),
    /// Discord did not say whether it was done.
    Asking(RestError),
    /// Discord did not say which roles the user has there.
    Roles(RestError),
    /// Another route, which tells what has to be known first, is shut for so long.
    Later(Duration),
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
async fn try_once(tools: &Tools, delivery: &Queued, slot: Option<Slot>) -> Result<bool, Stop> {
    // What the gates refuse costs no slot of the budget.
    match permit_for(&tools.services.store().topology(), delivery).err() {
        Some(refusal @ Refusal::Excepted(_)) => return excepted::settle(tools, delivery, refusal).await,
        Some(refusal) => return Err(refusal.into()),
        None => {}
    }
    match obstacle::of_guild(tools.services.directory(), delivery.guild) {
        Some(Obstacle::Outage) => return Err(Stop::Away),
        Some(_) => return Err(Stop::Absent),
        None => {}
    }
    if delivery.action == Action::Timeout
        && delivery.until.is_some_and(|until| until <= tools.services.clock().now())
    {
        // An end that has passed would end whatever timeout they have now (FACTS A3).
        return Err(Stop::Not(DeliveryState::Skipped, "the timeout has ended meanwhile".to_owned()));
    }
    match delivery.scope {
        _ if delivery.action.is_undo() => whose::may_take_back(tools, delivery).await?,
        Scope::Origin => still_open(tools, delivery).await?,
        // No question is worth a request where it has ended.
        Scope::Child(_) if is_in_question(delivery) => still_open(tools, delivery).await?,
        Scope::Child(_) => {}
    }
    let roles = roles::of(tools, delivery).await?;
    roles::check_fit(tools, delivery, &roles).await?;
    if earlier::is_done(tools, delivery).await? {
        return Ok(false);
    }
    if delivery.doubt.asks_first && explain::before(tools, delivery, &roles).await? {
        return Ok(false);
    }
    protected::check_roles(tools, delivery).await?;
    local::look(tools, delivery, &roles).await?;
    outlasted::check(tools, delivery).await?;
    if !delivery.action.is_idempotent() {
        mark(tools, delivery).await?;
    }
    // Once, but for an unmute that takes several roles.
    let mut slot = slot;
    let former = roles.iter().copied().filter(|role| Some(*role) != roles.last().copied());
    for role in former.map(Some).chain([roles.last().copied()]) {
        send_well_formed(tools, delivery, role, slot.take()).await?;
    }
    roles::taken(tools, delivery, &roles).await;
    Ok(true)
}

/// Sends it, and once more where Discord finds its reason too long.
async fn send_well_formed(
    tools: &Tools,
    delivery: &Queued,
    role: Option<RoleId>,
    slot: Option<Slot>,
) -> Result<(), Stop> {
    match send(tools, delivery, role, None, slot).await {
        // Whether Discord counts 512 characters or 512 encoded bytes is not known (FACTS A5).
        Err(Stop::Rest(error)) if error.is_about_the_form() => match short_reason(delivery) {
            Some(reason) => send(tools, delivery, role, Some(reason), None).await,
            None => Err(error.into()),
        },
        Err(Stop::Rest(error))
            if error.code() == Some(10007)
                && tools.services.directory().presence(delivery.guild) != Some(Presence::Outage) =>
        {
            Err(not_there(delivery))
        }
        sent => sent,
    }
}

async fn send(
    tools: &Tools,
    delivery: &Queued,
    role: Option<RoleId>,
    reason: Option<String>,
    slot: Option<Slot>,
) -> Result<(), Stop> {
    let slot = match slot {
        Some(slot) => slot,
        None => {
            let route = Rest::punishment_route(delivery.guild, delivery.action);
            tools.services.rest().slot_now(priority_of(delivery), route).await?.ok_or(Stop::Route)?
        }
    };
    if matches!(delivery.scope, Scope::Child(_)) && !delivery.action.is_undo() {
        // It may have ended in the store alone: the gate that kept its undo from being sent may be open again by now.
        still_open(tools, delivery).await?;
    }
    // The gates once more, now that the request is about to leave: the link may be gone by now.
    let permit = match permit_for(&tools.services.store().topology(), delivery) {
        // It may have left earlier: the next try finds that out.
        Err(Refusal::Excepted(_)) => return Err(Stop::Wait(Duration::ZERO)),
        permit => permit?,
    };
    roles::check_still_fit(tools, delivery, role)?;
    let reason = reason.or_else(|| Some(delivery.reason.as_ref()?.audit_reason()));
    let order = Order {
        user: delivery.user,
        reason,
        delete_seconds: delivery.delete_seconds,
        until: delivery.until.map(|until| until.min(longest(tools))),
        role,
    };
    Ok(tools.services.rest().punish(slot, &permit, order).await?)
}

/// The latest end that Discord takes for a timeout now. What is to last longer is renewed.
fn longest(tools: &Tools) -> Timestamp {
    let span = i64::try_from(LONGEST_TIMEOUT.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(tools.services.clock().now().millis().saturating_add(span))
}

/// What must not be repeated is marked before it leaves: after a crash nobody knows otherwise whether it did.
async fn mark(tools: &Tools, delivery: &Queued) -> Result<(), Stop> {
    let id = delivery.id;
    let leave = tools.services.store().write(move |change| Ok(change.mark_sending(id)?)).await;
    may_leave(leave.map_err(Stop::Store)?)
}

/// The user is no member of the guild.
fn not_there(delivery: &Queued) -> Stop {
    Stop::Not(DeliveryState::Skipped, absent(delivery.action).to_owned())
}

/// Why it is not done where the user is no member.
pub fn absent(action: Action) -> &'static str {
    match action {
        Action::Mute | Action::Timeout => WHEN_THEY_JOIN,
        _ => "no member there",
    }
}

fn priority(at_origin: bool, trickle: bool) -> Priority {
    match (at_origin, trickle) {
        (true, _) => Priority::Interactive,
        (false, false) => Priority::Enforcement,
        (false, true) => Priority::Backfill,
    }
}

/// What follows another punishment comes by itself, or by the hundred: nobody waits for it.
fn priority_of(delivery: &Queued) -> Priority {
    priority(delivery.scope == Scope::Origin && delivery.because.is_none(), delivery.trickle)
}

/// The reason again, where it was too long if encoded bytes are counted.
fn short_reason(delivery: &Queued) -> Option<String> {
    let whole = delivery.reason.as_ref()?.audit_reason();
    let short = Rest::reason_within(&whole, 512);
    (short.len() < whole.len()).then_some(short)
}

/// What takes the place of what waits tells the lane nothing of it where it is not sent itself:
/// somebody did it by hand in the guild meanwhile, or a gate is shut. Nor does what holds it: the
/// main has refused its own step meanwhile.
async fn still_open(tools: &Tools, delivery: &Queued) -> Result<(), Stop> {
    let id = delivery.id;
    let leave = tools.services.store().read(move |view| Ok(view.may_leave(id)?)).await;
    may_leave(leave.map_err(Stop::Store)?)
}

fn may_leave(leave: Leave) -> Result<(), Stop> {
    match leave {
        Leave::Open => Ok(()),
        Leave::Waits(hold) => Err(Refusal::Held(hold).into()),
        Leave::Ended => Err(overtaken()),
    }
}

/// Something newer has ended it: this says so once more, and changes nothing.
fn overtaken() -> Stop {
    Stop::Not(DeliveryState::Superseded, OVERTAKEN.to_owned())
}

fn settled(state: DeliveryState, reason: Option<String>, attempts: u32) -> Settlement {
    Settlement { state, reason, attempts, wait: None, was_there: None }
}
