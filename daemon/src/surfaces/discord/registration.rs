//! Registering the slash commands: only when they are others than last time, since Discord counts creations.

use crate::discord::rest::{Rest, RestError};
use crate::discord::slash::{Command, fingerprint, registration};
use crate::services::Services;
use crate::settings::LiveSettings;
use crate::store::Store;
use crate::tasks::{Task, Trigger};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
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
    let encoded = |command: &Command| serde_json::to_value(command).unwrap_or_default();
    let mut everywhere: Vec<Value> = lists.everywhere.iter().map(encoded).collect();
    everywhere.extend(lists.menus.iter().map(|menu| serde_json::to_value(menu).unwrap_or_default()));
    send(rest, store, application, None, &everywhere).await?;
    if let Some(guild) = operations_guild.filter(|_| !lists.operations_guild.is_empty()) {
        let of_guild: Vec<Value> = lists.operations_guild.iter().map(encoded).collect();
        send(rest, store, application, Some(guild), &of_guild).await?;
    }
    Ok(())
}

/// Registers the commands anew when `discord.operations_guild` changes: the task `slash-commands`. Before the first
/// connection there is nothing to do: it registers them.
pub struct Registering {
    services: Services,
    settings: LiveSettings,
    registered: Option<GuildId>,
}

impl Registering {
    /// Follows the settings of these services.
    pub fn new(services: Services) -> Self {
        let registered = services.settings().discord.operations_guild;
        let settings = services.live_settings();
        Self { services, settings, registered }
    }

    async fn register(&mut self) -> Result<(), Fault> {
        let wanted = self.settings.read().discord.operations_guild;
        if wanted != self.registered
            && let Some(application) = self.services.gateway().application()
        {
            let (rest, store) = (self.services.rest(), self.services.store());
            register(rest, store, &application, wanted).await?;
        }
        self.registered = wanted;
        Ok(())
    }
}

impl Task for Registering {
    fn name(&self) -> &'static str {
        "slash-commands"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.register().boxed()
    }

    fn next(&mut self) -> Trigger {
        let mut settings = self.settings.clone();
        Trigger::Event(async move { settings.changed().await }.boxed())
    }
}

async fn send(
    rest: &Rest,
    store: &Store,
    application: &str,
    guild: Option<GuildId>,
    commands: &[Value],
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
    rest.register(application, guild, Value::Array(commands.to_vec())).await?;
    tracing::info!(scope, commands = commands.len(), "slash commands registered");
    let remembered: Result<(), Fault> = store.write(move |change| Ok(change.set_meta(&name, &hash)?)).await;
    if let Err(fault) = remembered {
        tracing::warn!("the registration is sent again at the next start: {fault}");
    }
    Ok(())
}
