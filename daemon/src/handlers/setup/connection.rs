//! `setup test-connection`: presence, a real request, permissions, role height, intents and links, point by point.

use super::link::open_link;
use super::main_guild;
use crate::discord::directory::Presence;
use crate::discord::gateway;
use crate::handlers::Handle;
use crate::invocation::Context;
use std::time::{Duration, Instant};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::setup::{
    Check, CheckResult, ConnectionTested, Link, Mode, SetupTestConnection,
};
use wayhaven_shared::value::{GuildId, RoleId, Untrusted};

/// How long Discord may take for one of the requests.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// The intent that tells who joins and leaves (FACTS B4).
const GUILD_MEMBERS: u64 = 1 << 1;

/// What several bans in one request need besides.
const MANAGE_SERVER: u64 = 1 << 5;

/// The least set for a child (FACTS A1), with what is missing without each. Without the first nothing is delivered.
const LEAST: [(u64, &str, &str); 8] = [
    (1 << 2, "Ban Members", "no ban is delivered"),
    (
        1 << 7,
        "View Audit Log",
        "nobody learns who did what there by hand, and what may not be ours is not undone",
    ),
    (1 << 1, "Kick Members", "no kick can be delivered"),
    (1 << 40, "Timeout Members", "no timeout can be delivered"),
    (1 << 28, "Manage Roles", "no mute can be delivered"),
    (1 << 10, "View Channels", "nothing can be posted to a log channel"),
    (1 << 11, "Send Messages", "nothing can be posted to a log channel"),
    (1 << 14, "Embed Links", "what is posted to a log channel has no tables"),
];

fn check(name: &str, result: CheckResult, detail: impl AsRef<str>) -> Check {
    Check { name: name.to_owned(), result, detail: Untrusted::clipped(detail.as_ref()) }
}

impl Handle for SetupTestConnection {
    async fn handle(self, cx: &Context) -> Result<ConnectionTested, Fault> {
        let guild = self.child;
        let links = links(cx, guild).await?;
        let guild_name = cx.daemon.directory().name(guild);
        // Before it has agreed, nothing about the child is the business of the main's members.
        if cx.is_member() && cx.scope() != Some(guild) && !links.iter().any(Link::is_agreed) {
            let checks = links.iter().map(link_check).collect();
            return Ok(ConnectionTested { guild_id: guild, guild_name: None, checks });
        }
        let mut checks = vec![presence(cx, guild)];
        let (reachable, roles) = reach(cx, guild).await;
        checks.push(reachable);
        checks.extend(permissions(cx, guild, roles.as_deref()));
        checks.push(height(cx, guild, roles.as_deref()));
        checks.push(members_intent(cx).await);
        if links.is_empty() && !cx.daemon.store().topology().is_main(guild) {
            checks.push(check("link", CheckResult::Warn, "no main is linked to it"));
        }
        checks.extend(links.iter().map(link_check));
        Ok(ConnectionTested { guild_id: guild, guild_name, checks })
    }
}

/// The links to the guild that the caller may know of: in a main its own, in the guild itself and for an operator
/// who names no guild all.
async fn links(cx: &Context, guild: GuildId) -> Result<Vec<Link>, Fault> {
    let store = cx.daemon.store();
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

fn presence(cx: &Context, guild: GuildId) -> Check {
    let (result, detail) = match cx.daemon.directory().presence(guild) {
        Some(Presence::Here) => (CheckResult::Ok, "the bot is in the guild"),
        Some(Presence::Outage) => (CheckResult::Warn, "Discord has an outage for the guild"),
        None if !cx.daemon.is_ready() => {
            (CheckResult::Warn, "not known: Discord has not told which guilds there are")
        }
        Some(Presence::Absent) | None => {
            (CheckResult::Fail, "the bot is not in the guild: invite it, and check the number")
        }
    };
    check("bot in the guild", result, detail)
}

/// Reads the bot's own member: a real request, and the roles as they are now.
async fn reach(cx: &Context, guild: GuildId) -> (Check, Option<Vec<RoleId>>) {
    let not = |why: String| (check("reachable", CheckResult::Fail, why), None);
    let Some(me) = cx.daemon.directory().me() else {
        return not("not asked: Discord has not told who the bot is".into());
    };
    let asked = Instant::now();
    match tokio::time::timeout(ANSWERS_WITHIN, cx.daemon.rest().member(guild, me)).await {
        Err(_) => not(format!("no answer within {} s", ANSWERS_WITHIN.as_secs())),
        Ok(Err(error)) => not(error.reason()),
        Ok(Ok(None)) => not("Discord says that the bot is no member of it".into()),
        Ok(Ok(Some(member))) => {
            let answered = format!("Discord answered in {} ms", asked.elapsed().as_millis());
            (check("reachable", CheckResult::Ok, answered), Some(member.roles))
        }
    }
}

fn permissions(cx: &Context, guild: GuildId, roles: Option<&[RoleId]>) -> Vec<Check> {
    let directory = cx.daemon.directory();
    let here = directory.presence(guild) == Some(Presence::Here);
    let fresh = directory.me().zip(roles).filter(|_| here);
    let bits = match fresh {
        Some((me, roles)) => directory.permissions(guild, me, roles),
        None => directory.my_permissions(guild),
    };
    let row = |(at, (bit, name, without)): (usize, (u64, &str, &str))| match bits {
        None => check(name, CheckResult::Warn, "not known: Discord has not told of the guild's roles"),
        Some(bits) if bits & bit != 0 => check(name, CheckResult::Ok, "the bot has it"),
        Some(_) if at == 0 => check(name, CheckResult::Fail, format!("missing: {without}")),
        Some(_) => check(name, CheckResult::Warn, format!("missing: {without}")),
    };
    let mut rows: Vec<_> = LEAST.into_iter().enumerate().map(row).collect();
    // Nothing fails without it, so that it is no warning either.
    rows.extend(bits.map(|bits| {
        let detail = match bits & MANAGE_SERVER {
            0 => "not there, and not needed: bans go one by one instead of up to 200 at once",
            _ => "the bot has it",
        };
        check("Manage Server", CheckResult::Ok, detail)
    }));
    rows
}

fn height(cx: &Context, guild: GuildId, roles: Option<&[RoleId]>) -> Check {
    let name = "role height";
    let Some(height) = cx.daemon.directory().my_height(guild, roles) else {
        return check(name, CheckResult::Warn, "not known: Discord has not told of the guild's roles");
    };
    let place = format!("the bot's highest role stands at {} of {}", height.position, height.highest);
    match height.above {
        _ if height.position == 0 => {
            check(name, CheckResult::Fail, "the bot has no role of its own, and outranks no member with one")
        }
        0 => check(name, CheckResult::Ok, format!("{place}, and no role above it")),
        above => check(
            name,
            CheckResult::Warn,
            format!("{place}, and {above} above it: nobody who has one of those can be punished"),
        ),
    }
}

/// Whether the application may ask who joins and leaves and who has which role, in no guild in particular.
///
/// # Errors
/// Why Discord does not say.
pub(in crate::handlers) async fn sees_members(cx: &Context) -> Result<bool, String> {
    match tokio::time::timeout(ANSWERS_WITHIN, cx.daemon.rest().application()).await {
        Err(_) => Err(format!("no answer within {} s", ANSWERS_WITHIN.as_secs())),
        Ok(Err(error)) => Err(error.reason()),
        Ok(Ok((_, flags))) => Ok(gateway::intents(flags) & GUILD_MEMBERS != 0),
    }
}

async fn members_intent(cx: &Context) -> Check {
    let name = "members intent";
    match sees_members(cx).await {
        Err(why) => check(name, CheckResult::Warn, format!("not known: {why}")),
        Ok(true) => check(name, CheckResult::Ok, "granted"),
        Ok(false) => check(
            name,
            CheckResult::Warn,
            "not granted: who joins is not seen, and whoever was muted and joins again stays unmuted; switch on Server \
             Members Intent on the application's page Bot",
        ),
    }
}

fn link_check(link: &Link) -> Check {
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
    check(&name, result, detail)
}
