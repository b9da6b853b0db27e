//! SIGHUP: the settings are read again. All of them hold, but for those that need a restart, or none does.
//!
//! The environment of a running process does not change, so that what changes are the file and the `.env`.

use crate::daemon::Daemon;
use crate::discord::registration::register;
use crate::log::Log;
use crate::settings::{Reloaded, Settings};
use crate::startup::designate;
use std::path::PathBuf;
use std::sync::Arc;
use wayhaven_shared::Fault;
use wayhaven_shared::paths::Layout;

/// What is read again, and what is told of it beside the daemon.
pub(crate) struct Reload {
    /// The settings file that `--config` names.
    pub(crate) config: Option<PathBuf>,
    /// Where it is otherwise.
    pub(crate) layout: Layout,
    /// The log.
    pub(crate) log: Log,
}

impl Reload {
    /// Reads the settings again, takes them or keeps the old ones, and logs which and why.
    pub(crate) async fn run(&self, daemon: &Arc<Daemon>) {
        match self.take(daemon).await {
            Ok(reloaded) => {
                for warning in &reloaded.settings.warnings {
                    tracing::warn!("{warning}");
                }
                tracing::info!("SIGHUP: {}", told(&reloaded));
            }
            Err(fault) => {
                let hints: String = fault.hints.iter().map(|hint| format!("; {hint}")).collect();
                tracing::error!("SIGHUP: the settings stay as they are: {}{hints}", fault.message);
            }
        }
    }

    /// What can fail comes first, so that nothing is half applied.
    async fn take(&self, daemon: &Arc<Daemon>) -> Result<Reloaded, Fault> {
        let (config, layout) = (self.config.clone(), self.layout.clone());
        let read = tokio::task::spawn_blocking(move || Settings::of_process(config.as_deref(), &layout));
        let read = read.await.map_err(|_| Fault::internal("reading the settings failed unexpectedly"))??;
        let reloaded = daemon.settings().reload(read)?;
        if let Some(main) = reloaded.settings.network.main_guild {
            designate(daemon.store(), main).await?;
        }
        let level = reloaded.settings.log.level;
        self.log.set_level(level).map_err(|error| Fault::internal(format!("log.level: {error}")))?;
        let operations_guild = reloaded.settings.discord.operations_guild;
        let moved = operations_guild != daemon.settings().discord.operations_guild;
        daemon.set_settings(reloaded.settings.clone());
        if moved {
            register_later(daemon);
        }
        Ok(reloaded)
    }
}

/// The commands for owners go to another guild. Before the first connection there is nothing to do: it registers them.
fn register_later(daemon: &Arc<Daemon>) {
    let Some(application) = daemon.application() else { return };
    let daemon = Arc::clone(daemon);
    drop(tokio::spawn(async move {
        let guild = daemon.settings().discord.operations_guild;
        if let Err(error) = register(daemon.rest(), daemon.store(), &application, guild).await {
            tracing::warn!("slash commands are not registered: {error}");
        }
    }));
}

/// What was taken, in one line.
fn told(reloaded: &Reloaded) -> String {
    let mut parts: Vec<String> =
        reloaded.changed.iter().map(|setting| format!("{} is {}", setting.key.name, setting.value)).collect();
    let waiting: Vec<_> = reloaded.after_restart.iter().map(|key| key.name).collect();
    if !waiting.is_empty() {
        parts.push(format!("a restart takes {}", waiting.join(", ")));
    }
    match parts.is_empty() {
        true => "the settings were read again, and nothing in them has changed".to_owned(),
        false => format!("the settings were read again: {}", parts.join("; ")),
    }
}
