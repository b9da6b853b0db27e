//! What users and guilds are called, so that people read names beside ids.
//!
//! Names of users come with events, interactions, pages of audit logs and ban lists ([`NameBook::learn`]). Of a user
//! who is shown and whose name is not known Discord is asked once, at the lowest priority, and no answer waits for it.
//! Names of guilds are the directory's, or the store's where the bot is away.
//!
//! Replies carry ids. At the edge, and nowhere else, [`of`] finds the names of those ids that the reader may know.

mod book;

pub use book::NameBook;

use crate::daemon::Daemon;
use crate::discord::budget::Priority;
use crate::discord::rest::RestError;
use crate::network::LinkState;
use crate::store::MOST_NAMES;
use std::sync::Arc;
use std::time::Duration;
use wayhaven_shared::names::Mentions;
use wayhaven_shared::value::{GuildId, Timestamp, Untrusted, UserId};
use wayhaven_shared::{Fault, Names, Report};

/// How long names are collected before they are stored together: a raid's are one change.
pub const PAUSE: Duration = Duration::from_secs(2);

/// How often it is looked for names that are too old.
const EXPIRE_EVERY: Duration = Duration::from_secs(3_600);

/// How many numbers in running text are looked up at most.
const MOST_QUOTED: usize = 1_000;

/// Who reads the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Somebody on this machine.
    Operator,
    /// Members of a guild: they read names of that guild and of those that share an accepted link with it, and of no
    /// others.
    Member(Option<GuildId>),
}

/// The names of what is mentioned, as far as the reader may know them.
pub async fn of(daemon: &Daemon, mentions: &Mentions, reader: Reader) -> Names {
    let mut names = Names::default();
    if mentions.is_empty() {
        return names;
    }
    let quoted: Vec<u64> = mentions.quoted.iter().copied().take(MOST_QUOTED).collect();
    let guilds = mentions.guilds.iter().copied().chain(quoted.iter().copied().filter_map(GuildId::new));
    let mut nameless = Vec::new();
    for guild in guilds.filter(|guild| knows(daemon, reader, *guild)) {
        match daemon.directory().name(guild) {
            Some(name) => drop(names.guilds.insert(guild, name)),
            None => nameless.push(guild),
        }
    }
    let book = daemon.directory().accounts().names();
    let oldest = oldest(daemon);
    let mut unknown = Vec::new();
    for user in mentions.users.iter().copied().chain(quoted.iter().copied().filter_map(UserId::new)) {
        match book.get(user, oldest) {
            Some(name) => names.users.extend(name.map(|name| (user, name))),
            None => unknown.push(user),
        }
    }
    if !(nameless.is_empty() && unknown.is_empty()) {
        let asked = unknown.clone();
        let read = daemon.store().read(move |view| {
            let mut guilds = Vec::new();
            for guild in nameless {
                guilds.extend(view.guild(guild)?.and_then(|known| Some((guild, known.name?))));
            }
            Ok((guilds, view.user_names(&asked)?))
        });
        // Without its store the daemon shows ids.
        if let Ok((guilds, users)) = read.await {
            names.guilds.extend(guilds);
            for seen in users.into_iter().filter(|seen| seen.seen >= oldest) {
                book.restore(&seen);
                names.users.insert(seen.user, seen.name);
            }
        }
    }
    // People can write any number, so nobody is asked for one that was only quoted.
    let shown = unknown.into_iter().filter(|user| mentions.users.contains(user));
    book.want(shown.filter(|user| !names.users.contains_key(user)));
    names
}

/// Whether the reader may know what a guild is called.
fn knows(daemon: &Daemon, reader: Reader, guild: GuildId) -> bool {
    let reader = match reader {
        Reader::Operator => return true,
        Reader::Member(None) => return false,
        Reader::Member(Some(reader)) => reader,
    };
    let topology = daemon.store().topology();
    let agreed = |main, child| {
        let state = topology.link(main, child).map(|link| link.state);
        matches!(state, Some(LinkState::Active | LinkState::Closing))
    };
    reader == guild || agreed(reader, guild) || agreed(guild, reader)
}

/// Names that were seen before then are too old to be kept or shown.
fn oldest(daemon: &Daemon) -> Timestamp {
    let kept = daemon.settings().moderation.keep_names;
    let kept = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(daemon.clock().now().millis().saturating_sub(kept))
}

/// The report with the names that the reader may know.
pub async fn report(daemon: &Daemon, report: Report, reader: Reader) -> Report {
    let names = of(daemon, &report.mentions(), reader).await;
    report.named(&names)
}

/// The fault with names beside the ids in its text.
pub async fn fault(daemon: &Daemon, fault: Fault, reader: Reader) -> Fault {
    let mut mentions = Mentions::default();
    mentions.quote(&fault.message);
    fault.hints.iter().for_each(|hint| mentions.quote(hint));
    of(daemon, &mentions, reader).await.in_fault(fault)
}

/// Stores what was learned, asks Discord for names that are missing, and lets go of what is too old, until the daemon
/// stops.
pub async fn keep(daemon: Arc<Daemon>, pause: Duration) {
    let asking = tokio::spawn(ask(Arc::clone(&daemon)));
    let mut stopping = daemon.stopping();
    let mut expiry = tokio::time::interval(EXPIRE_EVERY);
    let names = daemon.directory().accounts().names();
    loop {
        tokio::select! {
            () = names.has_unsaved() => {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stopping.raised() => break,
                }
                save(&daemon).await;
            }
            _ = expiry.tick() => expire(&daemon).await,
            () = stopping.raised() => break,
        }
    }
    save(&daemon).await;
    asking.abort();
}

/// Stores the names that were learned since.
async fn save(daemon: &Daemon) {
    let names = daemon.directory().accounts().names().take_unsaved();
    if !names.is_empty() {
        let work = move |change: &crate::store::Change<'_>| Ok(change.keep_user_names(&names)?);
        daemon.store().write_later("names", work).await;
    }
}

/// Deletes what is too old, where there is something.
pub async fn expire(daemon: &Daemon) {
    let oldest = oldest(daemon);
    if daemon.store().read(|view| Ok(view.count_user_names()?)).await.unwrap_or(0) == 0 {
        return;
    }
    let work = move |change: &crate::store::Change<'_>| {
        let gone = change.forget_user_names(oldest, MOST_NAMES)?;
        if gone > 0 {
            tracing::info!("{gone} names of users were deleted: nobody has seen them for long enough");
        }
        Ok(())
    };
    daemon.store().write_later("names that are too old", work).await;
}

/// Asks Discord for names, one after the other, behind everything else.
async fn ask(daemon: Arc<Daemon>) {
    let accounts = Arc::clone(daemon.directory().accounts());
    loop {
        let user = accounts.names().next_wanted().await;
        match daemon.rest().account_at(Priority::Upkeep, user).await {
            Ok(account) => accounts.learn(account),
            Err(error) if error.code() == Some(UNKNOWN_USER) => accounts.names().is_nobody(user),
            Err(RestError::Stopped) => return,
            Err(error) => tracing::debug!(%user, "a name is not known: {error}"),
        }
    }
}

/// Discord knows no such user (FACTS A9).
const UNKNOWN_USER: u64 = 10_013;

/// A name as it is kept: cut, since a name that is longer is no name of Discord's.
fn kept(name: &str) -> Option<Untrusted> {
    let name: String = name.chars().take(LONGEST).collect();
    let name = Untrusted::clipped(&name);
    (!name.is_blank()).then_some(name)
}

/// The longest name that is kept, in characters: above Discord's 32.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests;
