//! Settings that change while the daemon runs: SIGHUP and `daemon reload`, which read them again, and `settings set` and
//! `settings unset`. All of them hold, but for those that need a restart, or none does.
//!
//! The environment of a running process does not change, so that what is read again are the file and the `.env`.

use crate::log::LogHandle;
use crate::secrets::modes;
use crate::services::Services;
use crate::settings::{
    Difference, Key, Origin, Reloaded, Setting, Settings, SettingsWriter, Sources, Stored, key, without_place,
};
use crate::store::{Severity, Store};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::daemon::DaemonReloaded;
use wayhaven_shared::operations::settings::{SettingChanged, SettingSource, SettingsChanged};
use wayhaven_shared::paths::Layout;
use wayhaven_shared::value::{GuildId, Untrusted};

/// The alert that something was set at run time and is not understood.
const NOT_UNDERSTOOD: &str = "setting_not_understood";

/// Reads everything, and what was set at run time with it.
type Read = dyn Fn(Vec<Stored>) -> Result<(Sources, Settings), Fault> + Send + Sync;

/// Where the settings are read from.
pub struct SettingsSource {
    read: Arc<Read>,
    log: LogHandle,
    /// What the settings that hold were read from. Whoever changes them holds it, so that one change ends before the next.
    taken: Mutex<Sources>,
}

/// A change that was asked for by name.
pub struct Wanted {
    /// Which setting.
    pub key: String,
    /// Its value; nothing to take back what was set before.
    pub value: Option<String>,
    /// Who asks, as the audit names them.
    pub by: String,
    /// Whether only the plan is wanted.
    pub dry_run: bool,
}

impl SettingsSource {
    /// Of a process, whose settings were just read from `sources`.
    pub fn of_process(config: Option<&Path>, layout: &Layout, sources: Sources, log: LogHandle) -> Self {
        let (config, layout) = (config.map(Path::to_owned), layout.clone());
        let read = move |stored| {
            let mut sources = Sources::of_process(config.as_deref(), &layout)?;
            let settings = Settings::load_with(&mut sources, stored)?.completed(&sources, &layout)?;
            Ok((sources, settings))
        };
        Self { read: Arc::new(read), log, taken: Mutex::new(sources) }
    }

    /// Of a daemon whose sources never change.
    #[cfg(test)]
    pub(crate) fn fixed(sources: Sources) -> Self {
        let always = sources.clone();
        Self {
            read: Arc::new(move |stored| {
                let mut sources = always.clone();
                Settings::load_with(&mut sources, stored).map(|settings| (sources, settings))
            }),
            log: LogHandle::default(),
            taken: Mutex::new(sources),
        }
    }

    /// At the start: what was set at run time joins what was read before the store was open.
    pub(crate) async fn begin(&self, settings: Settings, store: &Store) -> Result<Settings, Fault> {
        let stored = store.read(|view| Ok(view.stored_settings()?)).await?;
        if stored.is_empty() {
            return Ok(settings);
        }
        let read = Settings::load_with(&mut *self.taken.lock().await, stored)?;
        let settings = settings.give_way(read).settings;
        self.log.set_level(settings.log.level)?;
        tell_not_understood(store, &settings.not_understood).await;
        Ok(settings)
    }

    /// The running log.
    pub(crate) fn log(&self) -> &LogHandle {
        &self.log
    }

    async fn read(&self, store: &Store) -> Result<(Sources, Settings), Fault> {
        let stored = store.read(|view| Ok(view.stored_settings()?)).await?;
        let read = Arc::clone(&self.read);
        let read = tokio::task::spawn_blocking(move || read(stored));
        read.await.map_err(|_| Fault::internal("reading the settings failed unexpectedly"))?
    }
}

/// Changes the settings while the daemon runs.
pub struct Reload {
    services: Services,
    source: SettingsSource,
    writer: SettingsWriter,
}

impl Reload {
    /// Changes what `writer` writes, and reads it again from `source`.
    pub fn new(services: Services, source: SettingsSource, writer: SettingsWriter) -> Self {
        let reload = Self { services, source, writer };
        reload.hand_on(&reload.services.settings());
        reload
    }

    /// Puts settings in the place of those that held, as if they had been read.
    #[cfg(test)]
    pub(crate) fn put(&self, settings: Settings) {
        self.apply(&settings);
    }

    /// The same settings, read from elsewhere.
    #[cfg(test)]
    pub(crate) fn read_from(&self, source: SettingsSource) -> Self {
        Self { services: self.services.clone(), source, writer: self.writer.clone() }
    }

    /// What else has to know of settings that hold from now on.
    fn hand_on(&self, settings: &Settings) {
        let (directory, store) = (self.services.directory(), self.services.store());
        directory.accounts().listen_to(settings.network.bots.clone());
        store.own_accounts().set_bots(settings.network.bots.clone());
        store.set_budgets(settings.network.budgets);
        store.set_undo_limit(settings.network.undo_limit);
    }

    /// Puts them in the place of those that held.
    fn apply(&self, settings: &Settings) {
        self.hand_on(settings);
        self.writer.replace(settings.clone());
    }

    /// The running log.
    pub(crate) fn log(&self) -> &LogHandle {
        self.source.log()
    }

    /// SIGHUP: opens the log again and reads the settings again; what came of it is in the log.
    pub(crate) async fn hang_up(&self) {
        // The log has it.
        let _ = self.again("SIGHUP", false).await;
    }

    /// Reads the settings again, takes them or keeps the old ones, and logs which and why.
    ///
    /// # Errors
    /// Why the old ones were kept.
    pub(crate) async fn again(&self, asked_by: &str, dry_run: bool) -> Result<DaemonReloaded, Fault> {
        let mut warnings = modes::warnings(self.services.layout());
        if !dry_run {
            // The log has its own warning already.
            let misplaced = self.log().reopen().await;
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
            warnings.extend(misplaced);
        }
        let taken = self.take(dry_run).await;
        match &taken {
            _ if dry_run => {}
            Ok(reloaded) => {
                for warning in &reloaded.settings.warnings {
                    tracing::warn!("{warning}");
                }
                tracing::info!("{asked_by}: {}", told(reloaded));
            }
            Err(fault) => {
                let hints: String = fault.hints.iter().map(|hint| format!("; {hint}")).collect();
                tracing::error!("{asked_by}: the settings stay as they are: {}{hints}", fault.message);
            }
        }
        let Reloaded { settings, changed, after_restart } = taken?;
        let told = warnings.into_iter().chain(settings.warnings).chain(settings.not_understood).collect();
        Ok(DaemonReloaded { changed: shown(&changed), after_restart: shown(&after_restart), told, dry_run })
    }

    /// What can fail comes first, so that nothing is half applied.
    async fn take(&self, dry_run: bool) -> Result<Reloaded, Fault> {
        let services = &self.services;
        let mut taken = self.source.taken.lock().await;
        let (sources, read) = self.source.read(services.store()).await?;
        let reloaded = services.settings().reload(read)?;
        if dry_run {
            return Ok(reloaded);
        }
        if let Some(main) = reloaded.settings.network.main_guild {
            designate(services.store(), main).await?;
        }
        self.log().set_level(reloaded.settings.log.level)?;
        *taken = sources;
        self.apply(&reloaded.settings);
        tell_not_understood(services.store(), &reloaded.settings.not_understood).await;
        Ok(reloaded)
    }

    /// The settings as the next start would read them.
    ///
    /// # Errors
    /// Why it would not start with them.
    pub(crate) async fn next_start(&self) -> Result<(), Fault> {
        self.source.read(self.services.store()).await?.1.check_token()
    }

    /// Sets or takes back one setting. The files are not read again: what else stands there by now is not asked for.
    ///
    /// # Errors
    /// An unknown key, one that needs a restart, a value that it cannot have, or a stronger place that has it.
    pub(crate) async fn change(&self, wanted: Wanted) -> Result<SettingsChanged, Fault> {
        let services = &self.services;
        let mut taken = self.source.taken.lock().await;
        let store = services.store();
        let stored = store.read(|view| Ok(view.stored_settings()?)).await?;
        let was_set = stored.iter().any(|one| one.key == wanted.key);
        // What another version has set may be taken back, though this one knows no such setting.
        if wanted.value.is_none() && was_set && key(&wanted.key).is_err() {
            return self.forget_unknown(&mut taken, stored, wanted).await;
        }
        let key = key(&wanted.key)?;
        let takes_back = wanted.value.is_none() && was_set;
        if !(key.is_of_the_run_time() || takes_back) {
            return Err(at_the_next_start(key, services.layout()));
        }
        let others = stored.into_iter().filter(|one| one.key != key.name).collect();
        let mut sources = taken.clone();
        let mut read = Settings::load_with(&mut sources, others)?;
        let new = wanted.value.map(|value| Stored {
            key: key.name.to_owned(),
            value,
            by: wanted.by,
            at: services.clock().now(),
        });
        if let Some(new) = &new {
            sources.stored.push(new.clone());
            let not_understood = std::mem::take(&mut read.not_understood);
            read = Settings::load(&sources).map_err(|fault| without_place(fault, &new.origin()))?;
            read.not_understood = not_understood;
            check_not_pinned(key, new, &read)?;
        }
        let Reloaded { settings, changed, .. } = services.settings().give_way(read);
        if !wanted.dry_run {
            let before = services.settings().log.level;
            // What can fail comes first.
            self.log().set_level(settings.log.level)?;
            let written = store.write(move |change| match new {
                Some(new) => Ok(change.store_setting(&new)?),
                None => Ok(change.forget_setting(key.name).map(drop)?),
            });
            if let Err(fault) = written.await {
                self.log().set_level(before)?;
                return Err(fault);
            }
            *taken = sources;
            self.apply(&settings);
            for one in &changed {
                tracing::info!("{} is {} now, and was {}", one.key.name, one.after, one.before);
            }
        }
        Ok(SettingsChanged {
            key: key.name.to_owned(),
            changed: shown(&changed),
            sources: settings.setting(key).map(sources_of).unwrap_or_default(),
            dry_run: wanted.dry_run,
        })
    }

    async fn forget_unknown(
        &self,
        taken: &mut MutexGuard<'_, Sources>,
        mut stored: Vec<Stored>,
        wanted: Wanted,
    ) -> Result<SettingsChanged, Fault> {
        if !wanted.dry_run {
            stored.retain(|one| one.key != wanted.key);
            let read = Settings::load_with(taken, stored)?;
            let name = wanted.key.clone();
            let store = self.services.store();
            store.write(move |change| Ok(change.forget_setting(&name).map(drop)?)).await?;
            self.apply(&self.services.settings().give_way(read).settings);
        }
        let Wanted { key, dry_run, .. } = wanted;
        Ok(SettingsChanged { key, changed: Vec::new(), sources: Vec::new(), dry_run })
    }
}

/// MAIN_GUILD_ID names the main of a new installation: it becomes one the first time it is named, and what an
/// operator decides afterwards stands.
pub(crate) async fn designate(store: &Store, main: GuildId) -> Result<(), Fault> {
    if store.topology().is_child(main) {
        tracing::warn!("MAIN_GUILD_ID names guild {main}, which is a child: a child becomes no main");
        return Ok(());
    }
    let name = format!("designated.{main}");
    store
        .write(move |change| {
            if change.meta(&name)?.is_none() {
                change.make_main(main)?;
                change.set_meta(&name, "1")?;
            }
            Ok(())
        })
        .await
}

fn at_the_next_start(key: &Key, layout: &Layout) -> Fault {
    let fault = Fault::usage(format!("{} cannot be changed while the daemon runs", key.name));
    if key.secret {
        return fault
            .hint("a secret is set in the environment or in a file, never in words that others can read");
    }
    fault.hint(format!("write it in {}, then: wayhaven daemon restart", layout.config.display()))
}

/// What stands in a stronger place would go on to hold, whatever is stored.
fn check_not_pinned(key: &Key, new: &Stored, read: &Settings) -> Result<(), Fault> {
    let setting = read.setting(key);
    let Some(setting) = setting.filter(|setting| !setting.origins.contains(&new.origin())) else {
        return Ok(());
    };
    let places: Vec<_> = setting.origins.iter().map(ToString::to_string).collect();
    let fault = Fault::conflict(format!(
        "{} is {}, set {}, which is stronger than what is set at run time",
        key.name,
        setting.value,
        places.join(" and ")
    ));
    Err(match setting.origins.as_slice() {
        [Origin::Dotenv { .. }] => fault.hint("take it out of there, then: wayhaven daemon reload"),
        _ => fault.hint("take it out of the daemon's environment and start the daemon anew"),
    })
}

/// Where it comes from, as it is answered.
pub(crate) fn sources_of(setting: &Setting) -> Vec<SettingSource> {
    let source = |origin: &Origin| {
        let (by, at) = match origin {
            Origin::RunTime { by, at } => (Some(Untrusted::clipped(by)), Some(*at)),
            _ => (None, None),
        };
        let place = Untrusted::clipped(&origin.to_string());
        SettingSource { kind: origin.kind().to_owned(), place, by, at }
    };
    setting.origins.iter().map(source).collect()
}

fn shown(differences: &[Difference]) -> Vec<SettingChanged> {
    let one = |difference: &Difference| SettingChanged {
        key: difference.key.name.to_owned(),
        before: Untrusted::clipped(&difference.before),
        after: Untrusted::clipped(&difference.after),
    };
    differences.iter().map(one).collect()
}

/// Nothing is done about it by itself: it may be what the version wants to which one goes back.
async fn tell_not_understood(store: &Store, lines: &[String]) {
    for line in lines {
        tracing::warn!("{line}");
    }
    if lines.is_empty() {
        let note = "all settings that are stored are understood";
        let resolve = move |change: &crate::store::Change<'_>| Ok(change.resolve_kind(NOT_UNDERSTOOD, note)?);
        return store.write_later("an alert that is over", resolve).await;
    }
    // Who has set it is in the log: an alert is told in guilds, where an operator's account is nobody's business.
    let details = "something that was set at run time is not understood by this version, and not used: the log and \
                   settings show tell what";
    let alert = move |change: &crate::store::Change<'_>| {
        Ok(change.alert(NOT_UNDERSTOOD, Severity::Medium, None, None, details)?)
    };
    store.write_later("an alert", alert).await;
}

/// What was taken, in one line.
fn told(reloaded: &Reloaded) -> String {
    let mut parts: Vec<String> =
        reloaded.changed.iter().map(|one| format!("{} is {}", one.key.name, one.after)).collect();
    let waiting: Vec<_> = reloaded.after_restart.iter().map(|one| one.key.name).collect();
    if !waiting.is_empty() {
        parts.push(format!("a restart takes {}", waiting.join(", ")));
    }
    match parts.is_empty() {
        true => "the settings were read again, and nothing in them has changed".to_owned(),
        false => format!("the settings were read again: {}", parts.join("; ")),
    }
}

#[cfg(test)]
mod tests;
