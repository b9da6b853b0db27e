//! The doctor's rounds: a guild is looked at when its links, its settings, or the bot's roles and permissions there have
//! changed. What stops deliveries raises one alert; when it is mended, what was blocked goes on.

use super::EVERY_MEASURE;
use super::points::{Chart, examine};
use crate::discord::directory::Presence;
use crate::network::{LinkState, Topology};
use crate::services::Services;
use crate::store::{Change, Severity};
use crate::sync::Engine;
use crate::tasks::{Task, Trigger};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::watch;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::setup::{Check, CheckResult};
use wayhaven_shared::value::GuildId;

/// What is delivered to each guild of a network, or decided there.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rounds(HashMap<GuildId, Vec<Action>>);

impl Rounds {
    /// The guilds of every network, with the measures that reach them.
    pub fn of(topology: &Topology) -> Self {
        let mut uses: HashMap<GuildId, Vec<Action>> = HashMap::new();
        for main in topology.mains() {
            uses.insert(main, EVERY_MEASURE.to_vec());
            for link in topology.links(main).iter().filter(|link| link.state != LinkState::Proposed) {
                let of_child = uses.entry(link.child).or_default();
                of_child.extend(
                    link.actions.iter().filter(|action| !of_child.contains(action)).collect::<Vec<_>>(),
                );
            }
        }
        Self(uses)
    }

    /// The measures that reach the guild; nothing where it is in no network.
    pub fn uses(&self, guild: GuildId) -> Option<&[Action]> {
        self.0.get(&guild).map(Vec::as_slice)
    }

    /// The guilds that somebody who asks in this guild may ask about: a main about itself and its children, a child about
    /// itself, and who asks in no guild about all.
    pub fn guilds_for(&self, scope: Option<GuildId>, topology: &Topology) -> Vec<GuildId> {
        let concerns = |guild: &GuildId| {
            scope.is_none_or(|scope| {
                let linked = topology.link(scope, *guild).filter(|link| link.state != LinkState::Proposed);
                scope == *guild || linked.is_some()
            })
        };
        self.0.keys().copied().filter(concerns).collect()
    }

    /// Those to which something else is delivered than before, or nothing any more.
    fn changed_since(&self, before: &Self) -> Vec<GuildId> {
        let gone = before.0.keys().filter(|guild| !self.0.contains_key(guild));
        let changed = self.0.iter().filter(|(guild, uses)| before.0.get(guild) != Some(uses));
        changed.map(|(guild, _)| guild).chain(gone).copied().collect()
    }
}

/// Looks at guilds that have changed: the task `doctor`.
pub struct Visits {
    services: Services,
    engine: Engine,
    touched: watch::Receiver<HashSet<GuildId>>,
    changes: watch::Receiver<u64>,
    rounds: Rounds,
    topology: Option<Arc<Topology>>,
    /// Whether it has looked for guilds that left while the daemon was away.
    began: bool,
}

impl Visits {
    /// Looks at the guilds of these services.
    pub fn new(services: Services, engine: Engine) -> Self {
        let (touched, changes) = (services.directory().touched(), services.store().sequence());
        Self { services, engine, touched, changes, rounds: Rounds::default(), topology: None, began: false }
    }

    async fn go(&mut self) -> Result<(), Fault> {
        let services = &self.services;
        if !self.began {
            // Who left while nobody looked is forgotten too.
            let examined = services.store().read(|view| Ok(view.examined()?)).await?;
            examined.into_iter().for_each(|guild| services.directory().touch(guild));
            self.began = true;
        }
        self.touched.mark_unchanged();
        self.changes.mark_unchanged();
        let mut due = services.directory().take_touched();
        let now = services.store().topology();
        if self.topology.as_ref().is_none_or(|before| !Arc::ptr_eq(before, &now)) {
            let linked = Rounds::of(&now);
            due.extend(linked.changed_since(&self.rounds));
            (self.rounds, self.topology) = (linked, Some(now));
        }
        visit(services, &self.engine, &self.rounds, due.clone()).await.inspect_err(|_| {
            due.into_iter().for_each(|guild| services.directory().touch(guild));
        })
    }
}

impl Task for Visits {
    fn name(&self) -> &'static str {
        "doctor"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.go().boxed()
    }

    fn next(&mut self) -> Trigger {
        let (mut touched, mut changes) = (self.touched.clone(), self.changes.clone());
        let change = async move {
            tokio::select! {
                _ = touched.changed() => {}
                // The store, and with it the sender, lives as long as the daemon.
                _ = changes.changed() => {}
            }
        };
        Trigger::Event(change.boxed())
    }
}

/// Looks at the guilds that have changed, and tells of what is new.
async fn visit(
    services: &Services,
    engine: &Engine,
    rounds: &Rounds,
    due: HashSet<GuildId>,
) -> Result<(), Fault> {
    // What an outage hides is looked at when it is over, and before Discord has told nothing is known.
    let hidden = |guild| matches!(services.directory().presence(guild), None | Some(Presence::Outage));
    let (linked, gone): (Vec<GuildId>, _) = due.into_iter().partition(|guild| rounds.uses(*guild).is_some());
    forget(services, gone).await?;
    let due: Vec<(GuildId, Vec<Action>)> = linked
        .into_iter()
        .filter(|guild| !hidden(*guild))
        .filter_map(|guild| Some((guild, rounds.uses(guild)?.to_vec())))
        .collect();
    if due.is_empty() {
        return Ok(());
    }
    let read = move |view: &crate::store::View<'_>| {
        let one =
            |(guild, uses): (GuildId, Vec<Action>)| Ok((guild, uses, view.config(guild)?, view.ills(guild)?));
        due.into_iter().map(one).collect::<Result<Vec<_>, Fault>>()
    };
    for (guild, uses, config, before) in services.store().read(read).await? {
        let directory = services.directory();
        let chart = Chart {
            directory,
            guild,
            roles: None,
            config: &config,
            uses: &uses,
            mutes: false,
            deferred: 0,
            blocked: None,
            // The lane has raised its own alert of that.
            refusals: &[],
        };
        let mut found = examine(&chart);
        found.retain(|check| check.result == CheckResult::Fail);
        let ills: Vec<String> = found.iter().map(|check| check.name.clone()).collect();
        if ills == before {
            continue;
        }
        let worse = ills.iter().any(|ill| !before.contains(ill));
        let better = before.iter().any(|ill| !ills.contains(ill));
        let told = told(guild, &found);
        match &told {
            Some(told) if worse => tracing::warn!(%guild, "{told}"),
            Some(told) => tracing::info!(%guild, "better: {told}"),
            None => tracing::info!(%guild, "nothing stops deliveries to the guild any more"),
        }
        let note = move |change: &Change<'_>| {
            change.set_ills(guild, ills)?;
            match told {
                Some(told) if worse => {
                    change.alert_of_cause("guild_unwell", Severity::Medium, Some(guild), &told)?
                }
                // What has been repaired is told no more.
                Some(told) => change.correct_alert("guild_unwell", guild, &told)?,
                None => {}
            }
            Ok(())
        };
        services.store().write(note).await?;
        if better {
            // What was blocked by that goes on; what the bot still may not do the engine asks the directory about.
            engine.mended(guild);
        }
    }
    Ok(())
}

/// Forgets what was found in guilds that are in no network any more.
async fn forget(services: &Services, mut gone: Vec<GuildId>) -> Result<(), Fault> {
    if gone.is_empty() {
        return Ok(());
    }
    let examined: HashSet<GuildId> =
        services.store().read(|view| Ok(view.examined()?)).await?.into_iter().collect();
    gone.retain(|guild| examined.contains(guild));
    if gone.is_empty() {
        return Ok(());
    }
    let forget =
        move |change: &Change<'_>| Ok(gone.into_iter().try_for_each(|guild| change.forget_ills(guild))?);
    services.store().write(forget).await
}

/// What stops deliveries, on one line; nothing where nothing does.
fn told(guild: GuildId, found: &[Check]) -> Option<String> {
    let each = |check: &Check| format!("{} ({})", check.name, check.detail.raw());
    let all: Vec<_> = found.iter().map(each).collect();
    (!all.is_empty()).then(|| format!("{}. setup doctor {guild} tells how to mend it", all.join("; ")))
}
