//! Drills: what would become of a punishment in each guild of a network, found out without doing it.
//!
//! The answer is that of the real thing: the gates are those that every delivery passes, the permissions those that a lane
//! looks at, the obstacles those that explain a refusal, and of somebody it asks Discord who they are there.

use crate::context::Context;
use crate::discord::accounts::Kind;
use crate::discord::budget::Priority;
use crate::discord::rest::{Rest, RestError};
use crate::doctor::EVERY_MEASURE;
use crate::handlers::examine_for;
use crate::handlers::punishment::hold_foreseen;
use crate::jobs::{Running, Stop};
use crate::network::{Refusal, authorise, authorise_for};
use crate::store::{NewJob, ORIGIN_REFUSED, UNKNOWN_USER};
use crate::sync::attempt::obstacle::{Known, Obstacle};
use crate::sync::foresight::{self, Foresight};
use crate::sync::plan::plan;
use serde_json::Value;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::drill::{Drill, DrilledGuild, Outlook, Prospect};
use wayhaven_shared::operations::job::{Job, JobKind, JobResult};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::setup::CheckResult;
use wayhaven_shared::value::{GuildId, Untrusted, UserId};

/// Begins a drill.
///
/// # Errors
/// Where one goes on in that network.
pub(crate) async fn begin(cx: &Context, main: GuildId, user: Option<UserId>) -> Result<Job, Fault> {
    let new = NewJob {
        kind: JobKind::Drill,
        guild: Some(main),
        main: Some(main),
        asked_by: cx.invocation.actor.audit_name(),
        dry_run: cx.invocation.dry_run,
        cursor: Value::Null,
    };
    let cx = cx.clone();
    let jobs = cx.systems.jobs.clone();
    jobs.begin(new, move |running, _| async move { work(running, &cx, main, user).await }).await
}

async fn work(
    mut running: Running,
    cx: &Context,
    main: GuildId,
    user: Option<UserId>,
) -> Result<JobResult, Stop> {
    let topology = cx.services.store().topology();
    let agreed = topology.links(main).iter().filter(|link| link.state == crate::network::LinkState::Active);
    let children: Vec<GuildId> = agreed.map(|link| link.child).collect();
    let total = children.len() as u64 + 1;
    let mut foreseen = Foreseen::of(cx, main, user).await?;
    let mut guilds = Vec::new();
    for guild in std::iter::once(main).chain(children) {
        running.check()?;
        let looked = look(cx, (main, guild), user, &mut foreseen);
        guilds.push(running.unless_cancelled(looked).await??);
        running.tell(guilds.len() as u64, Some(total), None).await;
    }
    let drill = Drill {
        id: None,
        main_guild_id: main,
        user_id: user,
        asked_by: Untrusted::clipped(&cx.invocation.actor.audit_name()),
        at: cx.services.clock().now(),
        guilds,
    };
    // A plan of what is a plan already: it is shown, and not kept.
    let drill = match cx.invocation.dry_run {
        true => drill,
        false => cx.services.store().write(move |change| Ok(change.keep_drill(drill)?)).await?,
    };
    Ok(JobResult::Drilled(drill))
}

/// Facts that are the same for all guilds of a drill.
#[derive(Default)]
struct Foreseen {
    /// Discord knows no such user: it fails everywhere.
    is_nobody: bool,
    /// What would be held for approval, and why.
    held: Vec<(Action, String)>,
    /// What the main cannot do itself: its children's deliveries are held then.
    refused: Vec<Action>,
}

impl Foreseen {
    async fn of(cx: &Context, main: GuildId, user: Option<UserId>) -> Result<Self, Fault> {
        let kind = match user {
            Some(user) => cx.services.directory().accounts().ask(cx.services.rest(), user).await,
            None => Kind::Person,
        };
        let topology = cx.services.store().topology();
        let mut held = Vec::new();
        // A drill for nobody in particular is about an id of no user.
        let whom = user.or(UserId::new(1));
        for (action, user) in EVERY_MEASURE.into_iter().zip(std::iter::repeat(whom)) {
            let Some(user) = user else { break };
            let steps = plan(&topology, main, action, user);
            let why = hold_foreseen(cx, main, (action, user, kind == Kind::Bot), steps).await?;
            held.extend(why.map(|why| (action, why)));
        }
        Ok(Self { is_nobody: kind == Kind::Nobody, held, refused: Vec::new() })
    }

    /// Notes what the main cannot do itself. Where the bot is absent nothing is held, and without a mute role nothing is
    /// decided.
    fn of_main(&mut self, cx: &Context, foresight: &Foresight) {
        let is_refused = |action: &Action| {
            let obstacle = foresight.obstacle(&cx.services, *action);
            obstacle.is_some_and(|obstacle| {
                obstacle.state() == DeliveryState::Blocked
                    && !matches!(obstacle, Obstacle::Absent | Obstacle::NoMuteRole)
            })
        };
        self.refused = EVERY_MEASURE.into_iter().filter(is_refused).collect();
    }

    /// What becomes of a measure in every child, whatever stands in its way there.
    fn in_children(&self, action: Action) -> Option<Found> {
        if let Some((_, why)) = self.held.iter().find(|(held, _)| *held == action) {
            return Some((Prospect::Waits, Some(why.clone())));
        }
        self.refused.contains(&action).then(|| (Prospect::Waits, Some(ORIGIN_REFUSED.to_owned())))
    }
}

/// One guild of the network. What its main cannot do itself is noted with the main, which comes first.
async fn look(
    cx: &Context,
    (main, guild): (GuildId, GuildId),
    user: Option<UserId>,
    foreseen: &mut Foreseen,
) -> Result<DrilledGuild, Fault> {
    let topology = cx.services.store().topology();
    let link = topology.link(main, guild);
    let uses = link.map_or_else(|| EVERY_MEASURE.to_vec(), |link| link.actions.clone());
    let patient = examine_for(cx, guild, &uses, main).await?;
    let person = match user {
        Some(user) => Some(Person::of(cx, guild, user).await),
        None => None,
    };
    let known = person.as_ref().and_then(|person| person.known.clone().ok()).unwrap_or(Known::Nothing);
    let foresight = Foresight::of(&cx.services, guild, user, known).await?;
    if guild == main {
        foreseen.of_main(cx, &foresight);
    }
    let outlooks = EVERY_MEASURE.into_iter().map(|action| {
        let (prospect, why) = match foreseen.is_nobody {
            true => (Prospect::Fails, Some(UNKNOWN_USER.to_owned())),
            false => outlook(cx, (main, guild), action, person.as_ref(), (&foresight, foreseen)),
        };
        Outlook { action, prospect, why: why.map(|why| Untrusted::clipped(&why)) }
    });
    let outlooks = outlooks.collect();
    let mut findings = patient.findings;
    findings.retain(|check| check.result != CheckResult::Ok);
    Ok(DrilledGuild { guild_id: guild, guild_name: cx.services.directory().name(guild), outlooks, findings })
}

/// Somebody, as a guild knows them.
struct Person {
    user: UserId,
    banned: Result<bool, String>,
    known: Result<Known, String>,
}

impl Person {
    async fn of(cx: &Context, guild: GuildId, user: UserId) -> Self {
        let rest = cx.services.rest();
        let banned = async {
            let slot = rest.slot(Priority::Upkeep, Rest::banned_route(guild)).await?;
            rest.is_banned(slot, guild, user).await
        };
        let words = |error: RestError| format!("Discord did not say: {error}");
        let known = foresight::ask(&cx.services, Priority::Upkeep, guild, user);
        Self { user, banned: banned.await.map_err(words), known: known.await.map_err(words) }
    }
}

type Found = (Prospect, Option<String>);

/// What would become of a measure in a guild, in the order in which a delivery would meet it.
fn outlook(
    cx: &Context,
    (main, guild): (GuildId, GuildId),
    action: Action,
    person: Option<&Person>,
    (foresight, foreseen): (&Foresight, &Foreseen),
) -> Found {
    let (topology, directory) = (cx.services.store().topology(), cx.services.directory());
    let mut frozen = None;
    if guild != main {
        let gates = match person {
            Some(person) => authorise_for(&topology, main, guild, action, person.user),
            None => authorise(&topology, main, guild, action),
        };
        match gates {
            Ok(_) => {}
            Err(refusal @ Refusal::Frozen) => frozen = Some(refusal.to_string()),
            Err(refusal) => {
                let prospect = match refusal.state() {
                    DeliveryState::Held => Prospect::Waits,
                    _ => Prospect::Spared,
                };
                return (prospect, Some(refusal.to_string()));
            }
        }
    }
    if let Some(found) = foreseen.in_children(action).filter(|_| guild != main && frozen.is_none()) {
        return found;
    }
    if directory.presence(guild).is_none() {
        return waits("Discord has not told of the guild yet");
    }
    if let Some(obstacle) = foresight.obstacle(&cx.services, action) {
        return (prospect_of(&obstacle), Some(obstacle.words()));
    }
    if let Some(person) = person
        && let Some(found) = of_person(cx, (main, guild), action, person)
    {
        return found;
    }
    match frozen {
        Some(why) => (Prospect::Waits, Some(why)),
        None => (Prospect::Arrives, None),
    }
}

/// What an obstacle makes of it.
fn prospect_of(obstacle: &Obstacle) -> Prospect {
    match (obstacle, obstacle.state()) {
        // It is done when they join.
        (Obstacle::NotThere(Action::Mute | Action::Timeout), _) | (_, DeliveryState::Pending) => {
            Prospect::Waits
        }
        (_, DeliveryState::Skipped) => Prospect::Spared,
        _ => Prospect::Fails,
    }
}

/// What somebody's own standing makes of it beside what stands in the way; nothing where nothing does.
fn of_person(
    cx: &Context,
    (main, guild): (GuildId, GuildId),
    action: Action,
    person: &Person,
) -> Option<Found> {
    let topology = cx.services.store().topology();
    // What protects somebody from a main's deliveries its gates have told.
    if guild == main && topology.protection().shield(guild, guild, person.user).is_some() {
        return Some((Prospect::Spared, Some("they are protected there".to_owned())));
    }
    if let Err(why) = &person.known {
        return Some((Prospect::Waits, Some(why.clone())));
    }
    match (&person.banned, action) {
        (Ok(true), Action::Ban) => Some((Prospect::Already, None)),
        (Err(why), Action::Ban) => Some((Prospect::Waits, Some(why.clone()))),
        _ => None,
    }
}

fn waits(why: &str) -> Found {
    (Prospect::Waits, Some(why.to_owned()))
}
