//! Links that close and take back what went along them. That a link is *closing* says that it is not finished: this goes
//! on with it whenever something changes, and at the start. An undo that cannot be done (no permission, no mute role) does
//! not keep a link closing for ever: it is given up after `network.undo_limit`, or at once with `--force`.

use super::Engine;
use crate::clock::Clock;
use crate::network::LinkRow;
use crate::store::{Change, Severity, Store, View};
use crate::tasks::{Task, Trigger, Until};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::watch;
use wayhaven_shared::Fault;
use wayhaven_shared::value::{GuildId, LinkId, Span, Timestamp};

/// How many users are looked at in one transaction: thousands must not hold the writer for long.
const CHUNK: u16 = 200;

/// How often it is looked whether the time of a closing link is over: the wall clock makes no event.
const LOOK: Duration = Duration::from_secs(60);

/// Takes back what went along closing links, and closes them: the task `closing`.
pub struct Closing {
    store: Store,
    engine: Engine,
    clock: Clock,
    changes: watch::Receiver<u64>,
    /// Links of which everything is stored that there is to take back.
    stored: HashSet<LinkId>,
    is_idle: bool,
}

impl Closing {
    /// Closes links of this store.
    pub fn new(store: Store, engine: Engine, clock: Clock) -> Self {
        let changes = store.sequence();
        Self { store, engine, clock, changes, stored: HashSet::new(), is_idle: true }
    }

    async fn close(&mut self) -> Result<(), Fault> {
        self.changes.mark_unchanged();
        let closing: Vec<LinkRow> = self.store.topology().closing().cloned().collect();
        self.stored.retain(|id| closing.iter().any(|link| link.id == *id));
        let mut failed = None;
        for link in &closing {
            let first = !self.stored.contains(&link.id);
            match go_on(&self.store, &self.engine, &self.clock, link, first).await {
                Ok(()) => drop(self.stored.insert(link.id)),
                Err(fault) => {
                    tracing::error!(main = %link.main, child = %link.child, "a link does not close: {fault}");
                    failed = Some(fault);
                }
            }
        }
        self.is_idle = closing.is_empty();
        failed.map_or(Ok(()), Err)
    }
}

impl Task for Closing {
    fn name(&self) -> &'static str {
        "closing"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.close().boxed()
    }

    fn next(&mut self) -> Trigger {
        let mut changes = self.changes.clone();
        // The store, and with it the sender, lives as long as the daemon.
        let change = async move { drop(changes.changed().await) };
        match self.is_idle {
            true => Trigger::Event(change.boxed()),
            false => Trigger::EventWithin(change.boxed(), LOOK),
        }
    }

    fn until(&self) -> Until {
        Until::Closing
    }
}

async fn go_on(
    store: &Store,
    engine: &Engine,
    clock: &Clock,
    link: &LinkRow,
    first: bool,
) -> Result<(), Fault> {
    if first {
        // A request that had left when the link began to close may have been carried out.
        engine.landed(link.child).await;
        let mut after = None;
        loop {
            let (main, child) = (link.main, link.child);
            let step = move |change: &Change<'_>| {
                let Some(link) = change.closing_link(main, child)? else { return Ok(None) };
                Ok(change.take_back_along(&link, after.as_ref(), CHUNK)?)
            };
            after = store.write(step).await?;
            if after.is_none() {
                break;
            }
        }
    }
    let (main, child) = (link.main, link.child);
    let (limit, now) = (store.undo_limit(), clock.now());
    let look = move |view: &View<'_>| {
        let Some(link) = view.closing_link(main, child)? else { return Ok((true, None)) };
        let locked = view.is_locked(main)? || view.is_locked(child)?;
        let end = Timestamp::from_millis(link.updated_at.millis().saturating_add_unsigned(millis(limit)));
        let give_up = match (view.is_forced(&link)?, now >= end) {
            _ if locked => None,
            (_, true) => Some(GiveUp::All(limit)),
            (true, false) => Some(GiveUp::Blocked),
            (false, false) => None,
        };
        Ok((locked || view.is_open_along(&link)?, give_up))
    };
    let (waits, give_up) = store.read(look).await?;
    match give_up {
        Some(give_up) if waits => {
            // What is on its way right now is followed to its end first.
            engine.landed(link.child).await;
            store.write(move |change| finish(change, main, child, Some(give_up))).await
        }
        _ if waits => Ok(()),
        _ => store.write(move |change| finish(change, main, child, None)).await,
    }
}

/// Which undos of a closing link are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GiveUp {
    /// Those that are blocked or wait after a failure: `--force`.
    Blocked,
    /// All but held ones, since the link has been closing for so long.
    All(Duration),
}

impl GiveUp {
    fn why(self) -> String {
        match self {
            Self::Blocked => "given up by --force".to_owned(),
            Self::All(limit) => format!("given up after {}", words(limit)),
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A span for people: `7d`.
fn words(span: Duration) -> String {
    format!("{}s", span.as_secs())
        .parse::<Span>()
        .map_or_else(|_| "a while".to_owned(), |span| span.to_string())
}

/// Closes a link of which nothing is open any more, once what cannot be undone is given up. A locked guild keeps it closing
/// until it is unlocked.
fn finish(change: &Change<'_>, main: GuildId, child: GuildId, give_up: Option<GiveUp>) -> Result<(), Fault> {
    let Some(link) = change.closing_link(main, child)? else { return Ok(()) };
    if change.is_locked(main)? || change.is_locked(child)? {
        return Ok(());
    }
    if let Some(give_up) = give_up {
        change.give_up_undos(&link, matches!(give_up, GiveUp::All(_)), &give_up.why())?;
    }
    if change.is_open_along(&link)? {
        return Ok(());
    }
    let failed = change.failed_undos(&link)?;
    if !failed.is_empty() {
        let left: u64 = failed.iter().map(|one| one.count).sum();
        let reasons: Vec<String> =
            failed.iter().map(|one| format!("{} ({}: users {})", one.reason, one.count, one.users)).collect();
        let details = format!(
            "The link of main {main} to guild {child} is closed, but {left} undos failed: {}. The punishments remain \
             there. wayhaven sync deliveries --guild {main} --child {child} --state failed lists them",
            reasons.join("; ")
        );
        change.alert("undo_incomplete", Severity::Medium, Some(main), None, &details)?;
    }
    change.close_undone_link(link.id, main, child)?;
    Ok(())
}
