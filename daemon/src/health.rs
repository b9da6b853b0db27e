//! How each part of the daemon stands: looked at again and again, and noted where it has changed.

mod clock;

use crate::disk;
use crate::log::{LogHandle, Problem};
use crate::services::Services;
use crate::store::AlertFilter;
use crate::tasks::{Task, Trigger};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::status::{Connection, ConnectionState, Health};

/// How often.
pub(crate) const PAUSE: Duration = Duration::from_secs(60);

/// For how long the connection to Discord may be down before that counts as an error: a resumed session takes seconds.
pub(crate) const MAX_AWAY: Duration = Duration::from_secs(60);

/// The least room on the disk of the store, in bytes: below the first a person should look, below the second writes fail
/// soon. A store of a million audit rows has some 600 MB.
const ROOM: (u64, u64) = (1 << 30, 64 << 20);

/// Looks at each part: the task `health`. It looks at once whenever the connection to Discord or the log changes.
pub(crate) struct Checks {
    services: Services,
    log: LogHandle,
    pause: Duration,
    max_away: Duration,
    connection: watch::Receiver<Connection>,
    problem: watch::Receiver<Option<Problem>>,
    /// Since when there has been no connection.
    away: Option<Instant>,
}

impl Checks {
    /// Looks every `pause`, and at this log too. A connection that is down for `max_away` is an error.
    pub(crate) fn new(services: Services, log: LogHandle, pause: Duration, max_away: Duration) -> Self {
        let (connection, problem) = (services.gateway().follow(), log.problem());
        Self { services, log, pause, max_away, connection, problem, away: None }
    }

    async fn check(&mut self) -> Result<(), Fault> {
        self.problem.mark_unchanged();
        self.log.check();
        let state = self.connection.borrow_and_update().state;
        self.away = match state {
            ConnectionState::Ready => None,
            ConnectionState::Connecting | ConnectionState::Stopped => {
                self.away.or_else(|| Some(Instant::now()))
            }
        };
        let is_long = self.away.is_some_and(|since| since.elapsed() >= self.max_away);
        // Each is looked at, whatever becomes of the others.
        let noted = look(&self.services, &self.log, is_long).await;
        let clocks = clock::look(&self.services).await;
        let shrunk = self.services.store().shrink_log().await;
        noted.and(clocks).and(shrunk)
    }
}

impl Task for Checks {
    fn name(&self) -> &'static str {
        "health"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.check().boxed()
    }

    fn next(&mut self) -> Trigger {
        let (mut connection, mut problem) = (self.connection.clone(), self.problem.clone());
        let change = async move {
            tokio::select! {
                Ok(()) = connection.changed() => {}
                Ok(()) = problem.changed() => {}
                else => std::future::pending().await,
            }
        };
        Trigger::EventWithin(change.boxed(), self.pause)
    }
}

type Found = (&'static str, Health, Option<String>);

/// Looks at every part, and notes what is another than before. `is_long_away` is whether there has been no connection to
/// Discord for long.
async fn look(services: &Services, log: &LogHandle, is_long_away: bool) -> Result<(), Fault> {
    let connection = services.gateway().connection();
    let discord = match connection.state {
        ConnectionState::Ready => Health::Healthy,
        ConnectionState::Connecting if !is_long_away => Health::Warning,
        ConnectionState::Connecting | ConnectionState::Stopped => Health::Error,
    };
    let room = room(&services.layout().data);
    let cut = AlertFilter { kind: Some("audit_cut".into()), ..AlertFilter::default() };
    let before = services.store().read(move |view| {
        let counts = view.delivery_counts(None)?;
        let blocked = counts.blocked + view.blocked_at_origin()?;
        let mut refusing: Vec<_> =
            view.refusals(None)?.into_iter().filter(|one| one.bars).map(|one| one.guild).collect();
        refusing.dedup();
        let waits = (blocked, counts.held, refusing);
        Ok((waits, !view.alerts(&cut, 1)?.is_empty(), view.components()?))
    });
    let (waits, cut, before) = before.await?;
    let deliveries = match waits {
        (0, 0, refusing) if refusing.is_empty() => (Health::Healthy, None),
        (blocked, held, refusing) => match refusing.first() {
            None => (Health::Warning, Some(format!("{blocked} blocked, {held} held"))),
            Some(guild) => {
                let guilds = refusing.len();
                let doctor = format!("wayhaven setup doctor {guild} shows why");
                let refused = format!("Discord refuses requests to {guilds} guilds ({doctor})");
                (Health::Error, Some(format!("{refused}, {blocked} blocked, {held} held")))
            }
        },
    };
    let audit = match cut {
        false => (Health::Healthy, None),
        true => (
            Health::SecurityBreach,
            Some("rows that were noted are gone: audit verify tells which".to_owned()),
        ),
    };
    let log = log.problem().borrow().clone();
    let log = match log {
        None => (Health::Healthy, None),
        Some(Problem::Misplaced(text)) => (Health::Warning, Some(text)),
        Some(Problem::Lost(text)) => (Health::Error, Some(text)),
    };
    let found: [Found; 5] = [
        ("audit", audit.0, audit.1),
        ("deliveries", deliveries.0, deliveries.1),
        ("discord", discord, connection.reason.filter(|_| discord != Health::Healthy)),
        ("disk", room.0, room.1),
        ("log", log.0, log.1),
    ];
    let same = |(name, health, details): &Found| {
        before.iter().any(|one| {
            one.name == *name
                && one.health == *health
                && one.details.as_ref().map(|details| details.raw()) == details.as_deref()
        })
    };
    if found.iter().all(same) {
        return Ok(());
    }
    let changed = services.store().write(move |change| {
        let mut changed = Vec::new();
        for (name, health, details) in found {
            if change.note_health(name, health, details.as_deref())? {
                changed.push((name, health, details));
            }
        }
        Ok(changed)
    });
    // The log itself says what is wrong with it.
    for (name, health, details) in changed.await?.into_iter().filter(|(name, ..)| *name != "log") {
        let details = details.unwrap_or_default();
        match health {
            Health::Healthy => tracing::info!(part = name, "healthy"),
            health => tracing::warn!(part = name, health = health.word(), "{details}"),
        }
    }
    Ok(())
}

/// How much room there is on the disk of the store.
pub(crate) fn room(data: &Path) -> (Health, Option<String>) {
    disk::free(data)
        .map_or_else(|| (Health::Warning, Some("how much room there is cannot be told".into())), judge)
}

fn judge(free: u64) -> (Health, Option<String>) {
    // In steps, so that a disk that fills slowly is not noted every minute.
    let words = |at: u64| Some(format!("less than {} MiB are free", at >> 20));
    match free {
        free if free < ROOM.1 => (Health::Error, words(ROOM.1)),
        free if free < ROOM.0 => (Health::Warning, words(ROOM.0)),
        _ => (Health::Healthy, None),
    }
}

#[cfg(test)]
mod tests;
