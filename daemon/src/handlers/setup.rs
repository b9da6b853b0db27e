//! `setup`: mains, children and their links.

mod connection;
mod consent;
mod dashboard;
mod doctor;
mod guild;
mod link;
mod plan;

pub(super) use connection::sees_members;
pub(crate) use doctor::examine_for;

use crate::context::Context;
use crate::discord::directory::Presence;
use crate::doctor::{EVERY_MEASURE, invite, least};
use crate::network::LinkState;
use crate::store::{Severity, UNLOCKED_BY, View};
use wayhaven_shared::Fault;
use wayhaven_shared::value::GuildId;

/// The guild in which it is asked for, which has to be a main. A child that asks reaches further than it may,
/// and that is told.
pub(super) async fn main_guild(cx: &Context) -> Result<GuildId, Fault> {
    let guild = cx.guild()?;
    let topology = cx.services.store().topology();
    if topology.is_main(guild) {
        return Ok(guild);
    }
    // Who was only proposed is nobody's child yet.
    let agreed =
        |main: &GuildId| topology.link(*main, guild).is_some_and(|link| link.state != LinkState::Proposed);
    if let Some(main) = topology.mains().find(agreed) {
        let by = cx.invocation.actor.user();
        let operation = cx.invocation.request.name();
        let details = format!("{operation} was asked for in guild {guild}, which is a child");
        let alert = move |change: &crate::store::Change<'_>| {
            Ok(change.alert("child_reaches_out", Severity::Medium, Some(guild), by, &details)?)
        };
        if !cx.invocation.dry_run {
            cx.services.store().write(alert).await?;
        }
        return Err(Fault::denied(format!("guild {guild} is a child, and a child decides for itself only"))
            .hint(format!("this is asked for in its main, guild {main}")));
    }
    Err(Fault::conflict(format!("guild {guild} is no main")).hint("setup main-guild makes it one"))
}

fn check_presence(cx: &Context, child: GuildId) -> Result<(), Fault> {
    let absent = match cx.services.directory().presence(child) {
        Some(Presence::Here | Presence::Outage) => false,
        Some(Presence::Absent) => true,
        // Before Discord has told, nobody can say; a delivery to a wrong guild would be blocked with a reason.
        None => cx.services.gateway().is_ready(),
    };
    if absent {
        let fault = Fault::not_found(format!("the bot is in no guild {child}"))
            .hint("invite it there first, and check the number: Developer Mode, Copy Server ID");
        let invite = cx.services.gateway().application().map(|id| invite(&id, child, least(&EVERY_MEASURE)));
        return Err(invite.into_iter().fold(fault, |fault, invite| fault.hint(format!("invite: {invite}"))));
    }
    Ok(())
}

/// Refuses a change of what belongs to a guild whose links are locked.
fn refuse_locked(view: &View<'_>, guild: GuildId) -> Result<(), Fault> {
    match view.is_locked(guild)? {
        true => Err(Fault::conflict(format!("the links of guild {guild} are locked")).hint(UNLOCKED_BY)),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
