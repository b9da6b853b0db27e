//! Registering the slash commands: only when they are others than last time, since Discord counts creations.

use crate::discord::rest::{Rest, RestError};
use crate::discord::slash::{Command, fingerprint, registration};
use crate::store::Store;
use wayhaven_shared::Fault;
use wayhaven_shared::value::GuildId;

/// Sends what differs from what was sent last.
///
/// # Errors
/// What Discord answers; nothing is remembered then, so that the next connection tries again.
pub async fn register(
    rest: &Rest,
    store: &Store,
    application: &str,
    operations_guild: Option<GuildId>,
) -> Result<(), RestError> {
    let lists = registration();
    send(rest, store, application, None, &lists.everywhere).await?;
    if let Some(guild) = operations_guild.filter(|_| !lists.operations_guild.is_empty()) {
        send(rest, store, application, Some(guild), &lists.operations_guild).await?;
    }
    Ok(())
}

async fn send(
    rest: &Rest,
    store: &Store,
    application: &str,
    guild: Option<GuildId>,
    commands: &[Command],
) -> Result<(), RestError> {
    let scope = guild.map_or_else(|| "everywhere".to_owned(), |guild| guild.to_string());
    let name = format!("commands.{application}.{scope}");
    let hash = fingerprint(commands);
    let known = store.read({
        let name = name.clone();
        move |view| Ok(view.meta(&name)?)
    });
    if known.await.is_ok_and(|known| known.as_ref() == Some(&hash)) {
        return Ok(());
    }
    let body = serde_json::to_value(commands).unwrap_or_default();
    rest.register(application, guild, body).await?;
    tracing::info!(scope, commands = commands.len(), "slash commands registered");
    let remembered: Result<(), Fault> = store.write(move |change| Ok(change.set_meta(&name, &hash)?)).await;
    if let Err(fault) = remembered {
        tracing::warn!("the registration is sent again at the next start: {fault}");
    }
    Ok(())
}
