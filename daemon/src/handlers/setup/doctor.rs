//! `setup doctor`: what is missing where, and the invite link that would mend it.

use super::connection::{link_check, link_checks, links, reach, sees_members};
use crate::context::Context;
use crate::discord::rest::BUDGET_SPENT;
use crate::doctor::{self, Chart, EVERY_MEASURE, MANAGE_GUILD, Rounds};
use crate::handlers::Handle;
use std::cmp::Reverse;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::setup::{Check, CheckResult, Diagnosis, Link, Patient, SetupDoctor};
use wayhaven_shared::operations::status::ConnectionState;
use wayhaven_shared::value::{GuildId, RoleId, Untrusted};

impl Handle for SetupDoctor {
    async fn handle(self, cx: &Context) -> Result<Diagnosis, Fault> {
        let connection = cx.services.gateway().connection();
        let disconnected = (connection.state != ConnectionState::Ready).then(|| {
            let why = connection.reason.unwrap_or_else(|| connection.state.word().to_owned());
            Untrusted::clipped(&why)
        });
        let diagnosis = match self.child {
            Some(guild) => thoroughly(cx, guild).await?,
            None => overview(cx).await?,
        };
        Ok(Diagnosis { disconnected, ..diagnosis })
    }
}

/// Everything about one guild, with what Discord says when it is asked.
async fn thoroughly(cx: &Context, guild: GuildId) -> Result<Diagnosis, Fault> {
    let links = links(cx, guild).await?;
    let uses = allowed(cx, guild, &links);
    // Before it has agreed, nothing about the child is the business of the main's members, and an invite tells nothing.
    if cx.is_member() && cx.scope() != Some(guild) && !links.iter().any(Link::is_agreed) {
        let findings = links.iter().map(link_check).collect();
        let invite =
            cx.services.gateway().application().map(|id| doctor::invite(&id, guild, doctor::least(&uses)));
        let patient = Patient { guild_id: guild, guild_name: None, findings, invite };
        return Ok(Diagnosis { patients: vec![patient], examined: 1, thorough: true, disconnected: None });
    }
    let (reachable, roles) = reach(cx, guild).await;
    let mut patient = examine(cx, guild, &uses, roles.as_deref(), None).await?;
    patient.findings.insert(1, reachable);
    patient.findings.push(doctor::members_intent(sees_members(cx).await));
    patient.findings.extend(cx.services.clock().measured_skew().map(doctor::clock));
    patient.findings.extend(link_checks(cx, guild, &links));
    Ok(Diagnosis { patients: vec![patient], examined: 1, thorough: true, disconnected: None })
}

/// What is not as it should be, in all guilds that the caller may ask about.
async fn overview(cx: &Context) -> Result<Diagnosis, Fault> {
    let rounds = Rounds::of(&cx.services.store().topology());
    let mut guilds = rounds.guilds_for(cx.scope(), &cx.services.store().topology());
    guilds.sort();
    let examined = guilds.len() as u64;
    let mut patients = Vec::new();
    for guild in guilds {
        let uses = rounds.uses(guild).unwrap_or_default();
        let mut patient = examine(cx, guild, uses, None, None).await?;
        patient.findings.retain(|finding| finding.result != CheckResult::Ok);
        if !patient.findings.is_empty() {
            patients.push(patient);
        }
    }
    patients.sort_by_key(|patient| Reverse(patient.worst()));
    Ok(Diagnosis { patients, examined, thorough: false, disconnected: None })
}

/// The measures that links, or proposals, allow to reach the guild; in a main, and where nothing is linked, all.
fn allowed(cx: &Context, guild: GuildId, links: &[Link]) -> Vec<Action> {
    if cx.services.store().topology().is_main(guild) || links.is_empty() {
        return EVERY_MEASURE.to_vec();
    }
    let mut allowed = EVERY_MEASURE.to_vec();
    allowed.retain(|measure| links.iter().any(|link| link.allowed_actions.contains(measure)));
    allowed
}

/// Looks at one guild, with these measures in mind, for a main that means to deliver to it.
///
/// # Errors
/// Where the store fails.
pub(crate) async fn examine_for(
    cx: &Context,
    guild: GuildId,
    uses: &[Action],
    main: GuildId,
) -> Result<Patient, Fault> {
    examine(cx, guild, uses, None, Some(main)).await
}

/// Looks at one guild; `asked_by` is a main that is about to deliver to it.
pub(super) async fn examine(
    cx: &Context,
    guild: GuildId,
    uses: &[Action],
    roles: Option<&[RoleId]>,
    asked_by: Option<GuildId>,
) -> Result<Patient, Fault> {
    let (topology, asks) = (cx.services.store().topology(), cx.scope());
    // What other mains mean to do there is not the business of one that asks.
    let concerns = |main: GuildId| asks.is_none_or(|asks| asks == guild || asks == main);
    let delivers = |main: &GuildId| topology.link(*main, guild).is_some() || asked_by == Some(*main);
    let mains: Vec<GuildId> = topology.mains().filter(delivers).filter(|main| concerns(*main)).collect();
    let read = move |view: &crate::store::View<'_>| {
        let mut mutes = false;
        for main in mains {
            mutes |= view.config(main)?.mute_role_id.is_some();
        }
        let waits = view.waits_of(guild, asks, BUDGET_SPENT)?;
        Ok((view.config(guild)?, mutes, waits, view.refusals(Some(guild))?))
    };
    let (config, mutes, (deferred, blocked), refusals) = cx.services.store().read(read).await?;
    let refusals = &refusals;
    let directory = cx.services.directory();
    let chart = Chart { directory, guild, roles, config: &config, uses, mutes, deferred, blocked, refusals };
    let invite = cx.services.gateway().application().map(|application| {
        // Whoever is invited again with less loses it, and with it bans of many at once.
        let kept = chart.permissions().map_or(0, |bits| bits & MANAGE_GUILD);
        doctor::invite(&application, guild, doctor::least(uses) | kept)
    });
    let findings: Vec<Check> = doctor::examine(&chart);
    Ok(Patient { guild_id: guild, guild_name: directory.name(guild), findings, invite })
}
