//! Who may: the surface, the authority, the rank, the confirmation.

use crate::context::Context;
use crate::discord::directory::{ADMINISTRATOR, Presence};
use crate::invocation::{Actor, Surface};
use crate::network::Shield;
use crate::services::Services;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::protect::Protected;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, RoleId, UserId};
use wayhaven_shared::{Authority, Definition, Effect, Fault, FaultKind, Surfaces, grammar};

/// What is for the command line is not to be had on Discord, whatever an old registration still offers.
pub(crate) fn check_surface(cx: &Context) -> Result<(), Fault> {
    let definition = cx.invocation.request.definition();
    if cx.invocation.surface == Surface::Discord && definition.surfaces == Surfaces::CommandLine {
        return Err(Fault::denied(format!("{} is for the command line only", definition.name)));
    }
    Ok(())
}

/// Whether the actor may ask for the operation at all.
pub(crate) async fn check_authority(cx: &Context) -> Result<(), Fault> {
    let definition = cx.invocation.request.definition();
    match &cx.invocation.actor {
        Actor::Operator { role, .. } => check_role(*role, definition),
        // Nobody makes this actor but the daemon, and it asks for what somebody with authority set.
        Actor::System => Ok(()),
        Actor::Member { user, roles, permissions, .. } => {
            let guild = cx.invocation.guild;
            if may(&cx.services, guild, definition.authority, *user, roles, *permissions).await? {
                return Ok(());
            }
            Err(Fault::denied(format!("{} needs {}", definition.name, definition.authority.needs())))
        }
    }
}

/// Whether the actor could do that action by themselves: what somebody lets Wayhaven do they have to be allowed to do.
///
/// # Errors
/// A member lacks the permission that Discord asks of them for it.
pub(crate) fn check_action(cx: &Context, action: Action) -> Result<(), Fault> {
    let Actor::Member { user, permissions, .. } = &cx.invocation.actor else { return Ok(()) };
    let needed = match action.measure() {
        Action::Ban => Authority::Ban,
        Action::Kick => Authority::Kick,
        Action::Mute | Action::Timeout => Authority::Moderate,
        _ => Authority::Staff,
    };
    let bit = needed.permission().unwrap_or(0) | ADMINISTRATOR;
    if permissions & bit != 0 || cx.services.settings().owner_ids.contains(user) || needed == Authority::Staff
    {
        return Ok(());
    }
    let asked_for = cx.invocation.request.name();
    Err(Fault::denied(format!("this {asked_for} needs {} besides, for {action}", needed.needs()))
        .hint(format!("a member who has {} can ask for it", needed.needs())))
}

/// Whether somebody with this role on the socket may ask for the operation.
///
/// # Errors
/// The role is too small.
pub(crate) fn check_role(role: Role, definition: &Definition) -> Result<(), Fault> {
    let needed = role_for(definition.authority, definition.effect);
    if role >= needed {
        return Ok(());
    }
    Err(Fault::denied(format!(
        "{} needs the role {}, and yours is {}",
        definition.name,
        needed.word(),
        role.word()
    ))
    .hint("the role follows from your user and groups on this machine: control.operators and control.observers in the daemon's settings name them"))
}

/// The least role on the socket.
fn role_for(authority: Authority, effect: Effect) -> Role {
    match (effect, authority) {
        (Effect::Read, _) => Role::Observer,
        (_, Authority::Owner) => Role::Owner,
        _ => Role::Operator,
    }
}

/// Whether a member of a guild has that authority there.
///
/// # Errors
/// Where the store fails.
pub(crate) async fn may(
    services: &Services,
    guild: Option<GuildId>,
    authority: Authority,
    user: UserId,
    roles: &[RoleId],
    bits: u64,
) -> Result<bool, Fault> {
    let all: u64 = [Authority::Kick, Authority::Moderate, Authority::Ban, Authority::Admin]
        .into_iter()
        .filter_map(Authority::permission)
        .fold(0, |all, bit| all | bit);
    if services.settings().owner_ids.contains(&user) {
        return Ok(true);
    }
    let everything = bits & ADMINISTRATOR != 0;
    Ok(match (authority, authority.permission()) {
        (Authority::Owner, _) => false,
        (Authority::Anyone, _) => true,
        (_, Some(bit)) => everything || bits & bit != 0,
        (_, None) => everything || bits & all != 0 || is_staff(services, guild, roles).await?,
    })
}

async fn is_staff(services: &Services, guild: Option<GuildId>, roles: &[RoleId]) -> Result<bool, Fault> {
    let Some(guild) = guild else { return Ok(false) };
    let config = services.store().read(move |view| Ok(view.config(guild)?)).await?;
    Ok(config.staff_role_id.is_some_and(|role| roles.contains(&role)))
}

/// Nobody punishes through us whom they could not punish in Discord's own UI: themselves, the owner, the bot,
/// and whoever does not rank below them.
pub(crate) async fn check_rank(cx: &Context) -> Result<(), Fault> {
    let invocation = &cx.invocation;
    let (Some(target), Some(guild), true) = (invocation.target(), invocation.guild, invocation.punishes())
    else {
        return Ok(());
    };
    let directory = cx.services.directory();
    if directory.me() == Some(target) {
        return Err(Fault::denied("Wayhaven does not punish itself")
            .hint("to have it out of a guild, remove it in Discord's own server settings; setup dashboard shows its links"));
    }
    if directory.owner(guild) == Some(target) {
        return Err(Fault::denied(format!(
            "user {target} owns guild {guild}, and Discord lets nobody punish an owner"
        ))
        .hint("a child that they do not own can ask for it itself: then it acts there only"));
    }
    let Actor::Member { user, roles, .. } = &invocation.actor else { return Ok(()) };
    if *user == target {
        return Err(Fault::denied("you cannot punish yourself").hint("another moderator of this guild can"));
    }
    if directory.owner(guild) == Some(*user) {
        return Ok(());
    }
    // Somebody who is no member has no rank (FACTS A2).
    let Some(theirs) = member_roles(cx, guild, target).await? else { return Ok(()) };
    match directory.ranks_above(guild, roles, &theirs) {
        Some(true) => Ok(()),
        Some(false) => Err(Fault::denied(format!("user {target} does not rank below you in this guild"))
            .hint("somebody whose highest role stands above theirs can, or the guild's owner")),
        None => Err(Fault::unavailable(
            "Discord has not told about this guild's roles yet: try again in a moment",
        )),
    }
}

/// Nobody punishes whom this guild protects: neither members nor operators, nor the daemon itself.
pub(crate) async fn check_protection(cx: &Context) -> Result<(), Fault> {
    let invocation = &cx.invocation;
    let (Some(target), Some(guild), true) = (invocation.target(), invocation.guild, invocation.punishes())
    else {
        return Ok(());
    };
    let topology = cx.services.store().topology();
    let protection = topology.protection();
    let mut shield = protection.shield(guild, guild, target);
    if shield.is_none() && protection.has_roles(guild) {
        let roles = member_roles(cx, guild, target).await?;
        shield = roles.and_then(|roles| protection.by_roles(guild, &roles));
    }
    match shield {
        None => Ok(()),
        Some(Shield::Listed { line, .. }) => {
            let who = match line {
                Protected::User(user) => format!("user {user} is protected in this guild"),
                Protected::Role(role) => {
                    format!("user {target} is protected in this guild: they hold the protected role {role}")
                }
            };
            let remove = format!("protect remove --{}={} ends the protection", line.kind(), line.id());
            Err(Fault::denied(who).hint(remove))
        }
        Some(shield @ Shield::ListedBot(_)) => Err(Fault::denied(format!("{shield}: it is never punished"))
            .hint("wayhaven settings show network.bots")),
        Some(shield) => Err(Fault::denied(format!("{shield}: nobody can punish this user here"))),
    }
}

/// The roles of somebody whom the request names; nothing where they are no member.
async fn member_roles(cx: &Context, guild: GuildId, user: UserId) -> Result<Option<Vec<RoleId>>, Fault> {
    if let Actor::Member { resolved, .. } = &cx.invocation.actor
        && let Some((_, roles)) = resolved.iter().find(|(named, _)| *named == user)
    {
        return Ok(Some(roles.clone()));
    }
    if cx.services.directory().presence(guild) == Some(Presence::Outage) {
        // It would be said of everybody that they are no members.
        return Err(Fault::unavailable(format!("Discord has an outage for guild {guild}"))
            .hint("try again once wayhaven setup dashboard shows the guild again"));
    }
    Ok(cx.services.rest().member(guild, user).await?.map(|member| member.roles))
}

/// What cannot be put back is confirmed by name.
pub(crate) fn check_confirmation(cx: &Context) -> Result<(), Fault> {
    let definition = cx.invocation.request.definition();
    let name = grammar::confirmation(&cx.invocation.request);
    let confirmed = cx.invocation.confirm.as_ref() == Some(&name);
    if cx.invocation.request.effect() == Effect::Severe && !cx.invocation.dry_run && !confirmed {
        let quoted = grammar::shell_line(&[name]);
        return Err(Fault::new(FaultKind::Declined, format!("{} was not confirmed", definition.name))
            .hint(format!("--dry-run shows what it would do; --confirm={quoted} does it")));
    }
    Ok(())
}
