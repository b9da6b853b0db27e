//! `setup test-connection`: presence, a real request, permissions, role height, intents and links, point by point.

use super::link::open_link;
use super::main_guild;
use crate::context::Context;
use crate::discord::gateway;
use crate::discord::rest::BUDGET_SPENT;
use crate::doctor::{self, Chart, EVERY_MEASURE, Rounds};
use crate::handlers::Handle;
use std::time::{Duration, Instant};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::setup::{
    Check, CheckResult, ConnectionTested, Link, Mode, SetupTestConnection,
};
use wayhaven_shared::value::{GuildId, RoleId};

/// How long Discord may take for one of the requests.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

impl Handle for SetupTestConnection {
    async fn handle(self, cx: &Context) -> Result<ConnectionTested, Fault> {
        let guild = self.child;
        let links = links(cx, guild).await?;
        let guild_name = cx.services.directory().name(guild);
        // Before it has agreed, nothing about the child is the business of the main's members.
        if cx.is_member() && cx.scope() != Some(guild) && !links.iter().any(Link::is_agreed) {
            let checks = links.iter().map(link_check).collect();
            return Ok(ConnectionTested { guild_id: guild, guild_name: None, checks });
        }
        let (reachable, roles) = reach(cx, guild).await;
        let mains: Vec<GuildId> = links.iter().map(|link| link.main_guild_id).collect();
        let asks = cx.scope();
        let read = move |view: &crate::store::View<'_>| {
            let mut mutes = false;
            for main in mains {
                mutes |= view.config(main)?.mute_role_id.is_some();
            }
            let waits = view.waits_of(guild, asks, BUDGET_SPENT)?;
            Ok((view.config(guild)?, mutes, waits, view.refusals(Some(guild))?))
        };
        let (config, mutes, (deferred, blocked), refusals) = cx.services.store().read(read).await?;
        let rounds = Rounds::of(&cx.services.store().topology());
        let chart = Chart {
            directory: cx.services.directory(),
            guild,
            roles: roles.as_deref(),
            config: &config,
            uses: rounds.uses(guild).unwrap_or(&EVERY_MEASURE),
            mutes,
            deferred,
            blocked,
            refusals: &refusals,
        };
        let mut checks = vec![doctor::presence(&chart), reachable];
        checks.extend(doctor::standing(&chart));
        if chart.uses.contains(&Action::Mute) && (mutes || config.mute_role_id.is_some()) {
            checks.push(doctor::mute_role(&chart));
        }
        checks.extend(doctor::waits(&chart));
        checks.push(doctor::members_intent(sees_members(cx).await));
        checks.extend(link_checks(cx, guild, &links));
        Ok(ConnectionTested { guild_id: guild, guild_name, checks })
    }
}

/// The links to the guild that the caller may know of: in a main its own, in the guild itself and for an operator
/// who names no guild all.
pub(super) async fn links(cx: &Context, guild: GuildId) -> Result<Vec<Link>, Fault> {
    let store = cx.services.store();
    if cx.scope().is_none_or(|scope| scope == guild) {
        return store.read(move |view| Ok(view.links_to(guild)?)).await;
    }
    let main = main_guild(cx).await?;
    let link = store.read(move |view| open_link(view, main, guild)).await?;
    let link = link.ok_or_else(|| {
        Fault::not_found(format!("guild {guild} is no child of guild {main}"))
            .hint("setup dashboard lists the children")
    })?;
    Ok(vec![link])
}

/// Reads the bot's own member: a real request, and the roles as they are now.
pub(super) async fn reach(cx: &Context, guild: GuildId) -> (Check, Option<Vec<RoleId>>) {
    let not = |why: String| (Check::new("reachable", CheckResult::Fail, why), None);
    let Some(me) = cx.services.directory().me() else {
        return not("not asked: Discord has not told who the bot is".into());
    };
    let asked = Instant::now();
    match tokio::time::timeout(ANSWERS_WITHIN, cx.services.rest().member(guild, me)).await {
        Err(_) => not(format!("no answer within {} s", ANSWERS_WITHIN.as_secs())),
        Ok(Err(error)) => not(error.reason()),
        Ok(Ok(None)) => not("Discord says that the bot is no member of it".into()),
        Ok(Ok(Some(member))) => {
            let answered = format!("Discord answered in {} ms", asked.elapsed().as_millis());
            (Check::new("reachable", CheckResult::Ok, answered), Some(member.roles))
        }
    }
}

/// Whether the application may ask who joins and leaves and who has which role, in no guild in particular.
///
/// # Errors
/// Why Discord does not say.
pub(in crate::handlers) async fn sees_members(cx: &Context) -> Result<bool, String> {
    match tokio::time::timeout(ANSWERS_WITHIN, cx.services.rest().application()).await {
        Err(_) => Err(format!("no answer within {} s", ANSWERS_WITHIN.as_secs())),
        Ok(Err(error)) => Err(error.reason()),
        Ok(Ok((_, flags))) => Ok(gateway::intents(flags) & gateway::GUILD_MEMBERS != 0),
    }
}

/// The guild's links, a row each.
pub(super) fn link_checks(cx: &Context, guild: GuildId, links: &[Link]) -> Vec<Check> {
    if links.is_empty() && !cx.services.store().topology().is_main(guild) {
        let mend = "setup add-child, in a main, links it";
        return vec![Check::new("link", CheckResult::Warn, "no main is linked to it").mended_by(mend)];
    }
    links.iter().map(link_check).collect()
}

pub(super) fn link_check(link: &Link) -> Check {
    let name = format!("link of {}", link.main_guild_id);
    let actions = link.actions();
    let (result, detail) = match (link.state.as_str(), link.mode) {
        ("proposed", _) => (
            CheckResult::Warn,
            "proposed: nothing is delivered, or looked at, before the guild accepts it".into(),
        ),
        ("active", Mode::Monitor) => (CheckResult::Warn, "monitor mode: recorded and not sent".into()),
        ("active", _) if link.allowed_actions.is_empty() => {
            (CheckResult::Warn, "active, and no action is allowed".into())
        }
        ("active", _) => (CheckResult::Ok, format!("active, allowed actions: {actions}")),
        (state, _) => (CheckResult::Warn, format!("{state}: nothing new is delivered")),
    };
    Check::new(&name, result, detail)
}
