//! How each part of the daemon stands: looked at again and again, and noted where it has changed.

mod clock;

use crate::daemon::Daemon;
use crate::disk;
use crate::log::Problem;
use crate::store::AlertFilter;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::status::{ConnectionState, Health};

/// How often.
pub(crate) const PAUSE: Duration = Duration::from_secs(60);

/// For how long the connection to Discord may be down before that counts as an error: a resumed session takes seconds.
pub(crate) const MAX_AWAY: Duration = Duration::from_secs(60);

/// The least room on the disk of the store, in bytes: below the first a person should look, below the second writes fail
/// soon. A store of a million audit rows has some 600 MB.
const ROOM: (u64, u64) = (1 << 30, 64 << 20);

/// Looks until the daemon stops; at once whenever the connection to Discord or the log changes. A connection that is down
/// for `max_away` is an error.
pub(crate) async fn keep(daemon: Arc<Daemon>, pause: Duration, max_away: Duration) {
    let mut away = None::<Instant>;
    let (mut stopping, mut told) = (daemon.stopping(), daemon.store().sequence());
    let mut connection = None;
    let mut log = daemon.reload().log().problem();
    loop {
        log.mark_unchanged();
        daemon.reload().log().check();
        told.mark_unchanged();
        connection = Some(daemon.connection()).filter(|now| connection.as_ref() != Some(now)).or(connection);
        away = match daemon.connection().state {
            ConnectionState::Ready => None,
            ConnectionState::Connecting | ConnectionState::Stopped => away.or_else(|| Some(Instant::now())),
        };
        let is_long = away.is_some_and(|since| since.elapsed() >= max_away);
        if let Err(fault) = look(&daemon, is_long).await {
            tracing::debug!("how the daemon stands is not noted: {fault}");
        }
        if let Err(fault) = clock::look(&daemon).await {
            tracing::debug!("how far the clocks are apart is not noted: {fault}");
        }
        if let Err(fault) = daemon.store().shrink_log().await {
            tracing::debug!("the store's log does not shrink: {fault}");
        }
        let changed = async {
            while told.changed().await.is_ok() {
                if connection.as_ref() != Some(&daemon.connection()) {
                    return;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = stopping.raised() => return,
            () = changed => {}
            Ok(()) = log.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

type Found = (&'static str, Health, Option<String>);

/// Looks at every part, and notes what is another than before. `is_long_away` is whether there has been no connection to
/// Discord for long.
async fn look(daemon: &Daemon, is_long_away: bool) -> Result<(), Fault> {
    let connection = daemon.connection();
    let discord = match connection.state {
        ConnectionState::Ready => Health::Healthy,
        ConnectionState::Connecting if !is_long_away => Health::Warning,
        ConnectionState::Connecting | ConnectionState::Stopped => Health::Error,
    };
    let room = room(&daemon.layout().data);
    let cut = AlertFilter { kind: Some("audit_cut".into()), ..AlertFilter::default() };
    let before = daemon.store().read(move |view| {
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
    let log = daemon.reload().log().problem().borrow().clone();
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
    let changed = daemon.store().write(move |change| {
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
