//! Notices: what Wayhaven posts by itself into a guild's own channels.
//!
//! One task follows events and audit from a cursor in the store. What concerns a guild that wants to be told becomes
//! messages (`gather`), stored in the transaction that moves the cursor; messages that wait are posted one after
//! the other in each channel and then forgotten (`poster`). So each event makes its message once, and a daemon that
//! ends at any moment goes on where it was: a message that may have been posted already goes out again with
//! the same nonce, by which Discord knows it for a few minutes.
//!
//! ZERO-LEAK: a guild is told what was decided in it and what was delivered to it, in a channel that Discord says is
//! its own. Posting tells no event and no audit row, so nothing that was posted leads to a message. Requests are of
//! the least priority, so deliveries never wait for them.

mod gather;
mod poster;
mod wording;

use crate::services::Services;
use crate::tasks::{Task, Trigger};
use futures::FutureExt;
use futures::future::BoxFuture;
use gather::{Gathered, gather};
use poster::Poster;
use std::time::Duration;
use tokio::sync::watch;
use wayhaven_shared::Fault;

/// How long events gather before they are told, and how often a message is posted in a channel at most.
pub const PAUSE: Duration = Duration::from_secs(2);

/// What the task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// Nothing: there is more.
    No,
    /// Something new, at most so long.
    AtMost(Duration),
    /// Something new.
    Change,
}

/// Posts notices: the task `notices`.
pub struct Notices {
    services: Services,
    pause: Duration,
    events: watch::Receiver<u64>,
    audited: watch::Receiver<u64>,
    poster: Poster,
    wait: Wait,
}

impl Notices {
    /// Posts with at least `pause` between messages in one channel.
    pub fn new(services: Services, pause: Duration) -> Self {
        let (events, audited) = (services.store().sequence(), services.store().audited());
        Self { services, pause, events, audited, poster: Poster::default(), wait: Wait::No }
    }

    async fn post(&mut self) -> Result<(), Fault> {
        self.events.mark_unchanged();
        self.audited.mark_unchanged();
        self.wait = round(&self.services, &mut self.poster).await?;
        Ok(())
    }
}

impl Task for Notices {
    fn name(&self) -> &'static str {
        "notices"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.post().boxed()
    }

    fn next(&mut self) -> Trigger {
        let (mut events, mut audited, pause) = (self.events.clone(), self.audited.clone(), self.pause);
        let change = async move {
            tokio::select! {
                // The store, and with it the senders, lives as long as the daemon.
                _ = events.changed() => {}
                _ = audited.changed() => {}
            }
            tokio::time::sleep(pause).await;
        };
        match self.wait {
            Wait::No => Trigger::After(pause),
            Wait::AtMost(span) => Trigger::EventWithin(change.boxed(), span.saturating_add(pause)),
            Wait::Change => Trigger::Event(change.boxed()),
        }
    }
}

/// Takes up what is new and posts what waits, one message in each channel.
async fn round(services: &Services, poster: &mut Poster) -> Result<Wait, Fault> {
    let store = services.store();
    let epoch = store.epoch().to_owned();
    // Before Discord is there too: what comes from now on is told later.
    if store.read(move |view| Ok(gather::cursor(view, &epoch)?)).await?.is_none() {
        let epoch = store.epoch().to_owned();
        store.write(move |change| Ok(change.set_notice_cursor(&change.notice_cursor_now(&epoch)?)?)).await?;
    }
    if !services.gateway().is_ready() {
        // Once it is, an event says so.
        return Ok(Wait::Change);
    }
    let (epoch, now) = (store.epoch().to_owned(), services.clock().now());
    let gathered = store.read(move |view| gather(view, &epoch, now)).await?;
    let (more, next) = (gathered.more, gathered.next_due);
    if gathered.is_news() {
        store.write(move |change| store_gathered(change, &gathered)).await?;
    }
    let waiting = poster.post(services).await?;
    Ok(match next {
        _ if more || waiting => Wait::No,
        Some(due) => Wait::AtMost(due),
        None => Wait::Change,
    })
}

fn store_gathered(change: &crate::store::Change<'_>, gathered: &Gathered) -> Result<(), Fault> {
    change.set_notice_cursor(&gathered.cursor)?;
    for notice in &gathered.notices {
        change.insert_notice(notice)?;
    }
    for owed in &gathered.owed {
        change.owe(*owed)?;
    }
    for settled in &gathered.settled {
        change.settle_owed(*settled)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
