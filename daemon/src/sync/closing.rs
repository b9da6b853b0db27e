//! Links that close and take back what went along them. That a link is *closing* says that it is not finished: this goes
//! on with it whenever something changes, and at the start.

use super::Engine;
use crate::network::LinkRow;
use crate::store::{Change, Severity, Store, View};
use std::collections::HashSet;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::value::{GuildId, LinkId};

/// How many users are looked at in one transaction: thousands must not hold the writer for long.
const CHUNK: u16 = 200;

/// How long nothing is tried where the store fails.
const STORE_WAIT: Duration = Duration::from_secs(5);

/// Takes back what went along closing links, and closes them, as long as the store is there.
pub async fn keep(store: Store, engine: Engine) {
    let mut sequence = store.sequence();
    // Links of which everything is stored that there is to take back.
    let mut stored: HashSet<LinkId> = HashSet::new();
    loop {
        sequence.mark_unchanged();
        let closing: Vec<LinkRow> = store.topology().closing().cloned().collect();
        stored.retain(|id| closing.iter().any(|link| link.id == *id));
        for link in &closing {
            match go_on(&store, &engine, link, !stored.contains(&link.id)).await {
                Ok(()) => drop(stored.insert(link.id)),
                Err(fault) => {
                    tracing::error!(main = %link.main, child = %link.child, "a link does not close: {fault}");
                    tokio::time::sleep(STORE_WAIT).await;
                }
            }
        }
        if sequence.changed().await.is_err() {
            return;
        }
    }
}

async fn go_on(store: &Store, engine: &Engine, link: &LinkRow, first: bool) -> Result<(), Fault> {
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
    let waits = move |view: &View<'_>| {
        let Some(link) = view.closing_link(main, child)? else { return Ok(true) };
        Ok(view.is_open_along(&link)? || view.is_locked(main)? || view.is_locked(child)?)
    };
    if store.read(waits).await? {
        return Ok(());
    }
    store.write(move |change| finish(change, main, child)).await
}

/// Closes a link of which nothing is open any more. A locked guild keeps it closing until it is unlocked.
fn finish(change: &Change<'_>, main: GuildId, child: GuildId) -> Result<(), Fault> {
    let Some(link) = change.closing_link(main, child)? else { return Ok(()) };
    if change.is_open_along(&link)? || change.is_locked(main)? || change.is_locked(child)? {
        return Ok(());
    }
    let left = change.not_taken_back(&link)?;
    if left > 0 {
        let details = format!(
            "the link of main {main} to guild {child} is closed, and {left} of what was delivered could not be taken back"
        );
        change.alert("undo_incomplete", Severity::Medium, Some(main), None, &details)?;
    }
    change.close_undone_link(link.id, main, child)?;
    Ok(())
}
