//! Drills: what would become of a punishment in each guild of a network, found out without doing it.
//!
//! The answer is that of the real thing: the gates are those that every delivery passes, the permissions those that a lane
//! looks at, and of somebody it asks Discord what a delivery would be told.

use crate::discord::budget::Priority;
use crate::discord::directory::{Presence, needed};
use crate::discord::mute_role::unfit;
use crate::discord::rest::{Rest, RestError};
use crate::doctor::EVERY_MEASURE;
use crate::handlers::examine_for;
use crate::invocation::Context;
use crate::jobs::{self, Running, Stop};
use crate::network::{Refusal, authorise, authorise_for};
use crate::store::NewJob;
use serde_json::Value;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::drill::{Drill, DrilledGuild, Outlook, Prospect};
use wayhaven_shared::operations::job::{Job, JobKind, JobResult};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::setup::CheckResult;
use wayhaven_shared::value::{GuildId, RoleId, Untrusted, UserId};

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
    let daemon = cx.daemon.clone();
    jobs::begin(&daemon, new, move |running, _| async move { work(running, &cx, main, user).await }).await
}

async fn work(
    mut running: Running,
    cx: &Context,
    main: GuildId,
    user: Option<UserId>,
) -> Result<JobResult, Stop> {
    let topology = cx.daemon.store().topology();
    let agreed = topology.links(main).iter().filter(|link| link.state == crate::network::LinkState::Active);
    let children: Vec<GuildId> = agreed.map(|link| link.child).collect();
    let total = children.len() as u64 + 1;
    let mut guilds = Vec::new();
    for guild in std::iter::once(main).chain(children) {
        running.check()?;
        let looked = look(cx, main, guild, user);
        guilds.push(running.unless_cancelled(looked).await??);
        running.tell(guilds.len() as u64, Some(total), None).await;
    }
    let drill = Drill {
        id: None,
        main_guild_id: main,
        user_id: user,
        asked_by: Untrusted::clipped(&cx.invocation.actor.audit_name()),
        at: cx.daemon.clock().now(),
        guilds,
    };
    // A plan of what is a plan already: it is shown, and not kept.
    let drill = match cx.invocation.dry_run {
        true => drill,
        false => cx.daemon.store().write(move |change| Ok(change.keep_drill(drill)?)).await?,
    };
    Ok(JobResult::Drilled(drill))
}

/// One guild of the network.
async fn look(
    cx: &Context,
    main: GuildId,
    guild: GuildId,
    user: Option<UserId>,
) -> Result<DrilledGuild, Fault> {
    let topology = cx.daemon.store().topology();
    let link = topology.link(main, guild);
    let uses = link.map_or_else(|| EVERY_MEASURE.to_vec(), |link| link.actions.clone());
    let patient = examine_for(cx, guild, &uses, main).await?;
    let person = match user {
        Some(user) => Some(Person::of(cx, guild, user).await),
        None => None,
    };
    let mute_role = cx.daemon.store().read(move |view| Ok(view.config(guild)?.mute_role_id)).await?;
    let outlooks = EVERY_MEASURE.into_iter().map(|action| {
        let unmutable = (action == Action::Mute).then(|| why_unmutable(cx, guild, mute_role)).flatten();
        let (prospect, why) = outlook(cx, main, guild, action, unmutable, person.as_ref());
        Outlook { action, prospect, why: why.map(|why| Untrusted::clipped(&why)) }
    });
    let outlooks = outlooks.collect();
    let mut findings = patient.findings;
    findings.retain(|check| check.result != CheckResult::Ok);
    Ok(DrilledGuild { guild_id: guild, guild_name: cx.daemon.directory().name(guild), outlooks, findings })
}

/// Somebody, as a guild knows them.
struct Person {
    user: UserId,
    banned: Result<bool, String>,
    /// Their roles; nothing where they are no member.
    roles: Result<Option<Vec<RoleId>>, String>,
}

impl Person {
    async fn of(cx: &Context, guild: GuildId, user: UserId) -> Self {
        let rest = cx.daemon.rest();
        let banned = async {
            let slot = rest.slot(Priority::Upkeep, Rest::banned_route(guild)).await?;
            rest.is_banned(slot, guild, user).await
        };
        let roles = async {
            let slot = rest.slot(Priority::Upkeep, Rest::member_route(guild)).await?;
            Ok(rest.member_now(slot, guild, user).await?.map(|member| member.roles))
        };
        let words = |error: RestError| format!("Discord did not say: {error}");
        Self { user, banned: banned.await.map_err(words), roles: roles.await.map_err(words) }
    }
}

type Found = (Prospect, Option<String>);

/// Why nobody can be muted in the guild: the check is that of every mute.
fn why_unmutable(cx: &Context, guild: GuildId, role: Option<RoleId>) -> Option<String> {
    let role = role?;
    unfit(cx.daemon.directory(), guild, role).map(|unfit| unfit.reason(role))
}

/// What would become of a measure in a guild, in the order in which a delivery would meet it. `unmutable` is why the guild's
/// mute role is in the way.
fn outlook(
    cx: &Context,
    main: GuildId,
    guild: GuildId,
    action: Action,
    unmutable: Option<String>,
    person: Option<&Person>,
) -> Found {
    let (topology, directory) = (cx.daemon.store().topology(), cx.daemon.directory());
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
    match directory.presence(guild) {
        Some(Presence::Here) => {}
        Some(Presence::Absent) => return fails("the bot is not in the guild"),
        Some(Presence::Outage) => return waits("Discord has an outage for the guild"),
        None => return waits("Discord has not told of the guild yet"),
    }
    if directory.may(guild, action) == Some(false) {
        return fails(&format!("the bot lacks {}", needed(action).1));
    }
    if let Some(why) = unmutable {
        return fails(&why);
    }
    if let Some(person) = person
        && let Some(found) = of_person(cx, guild, action, person)
    {
        return found;
    }
    match frozen {
        Some(why) => (Prospect::Waits, Some(why)),
        None => (Prospect::Arrives, None),
    }
}

/// What somebody's own standing makes of it; nothing where nothing is in the way.
fn of_person(cx: &Context, guild: GuildId, action: Action, person: &Person) -> Option<Found> {
    let (topology, directory) = (cx.daemon.store().topology(), cx.daemon.directory());
    if directory.owner(guild) == Some(person.user) {
        return Some(fails("they own the guild, and Discord lets nobody punish an owner"));
    }
    if topology.protection().shield(guild, guild, person.user).is_some() {
        return Some((Prospect::Spared, Some("they are protected there".to_owned())));
    }
    let roles = match &person.roles {
        Ok(roles) => roles,
        Err(why) => return Some((Prospect::Waits, Some(why.clone()))),
    };
    match (roles, action) {
        (Some(roles), _) => {
            if topology.protection().by_roles(guild, roles).is_some() {
                return Some((Prospect::Spared, Some("they hold a protected role".to_owned())));
            }
            if directory.i_outrank(guild, roles) == Some(false) {
                return Some(fails("they rank above the bot"));
            }
        }
        (None, Action::Ban) => {}
        // A mute is put on when they join.
        (None, Action::Mute) => return Some(waits("they are no member: it is put on when they join")),
        (None, _) => return Some((Prospect::Spared, Some("they are no member".to_owned()))),
    }
    match (&person.banned, action) {
        (Ok(true), Action::Ban) => Some((Prospect::Already, None)),
        (Err(why), Action::Ban) => Some((Prospect::Waits, Some(why.clone()))),
        _ => None,
    }
}

fn fails(why: &str) -> Found {
    (Prospect::Fails, Some(why.to_owned()))
}

fn waits(why: &str) -> Found {
    (Prospect::Waits, Some(why.to_owned()))
}
