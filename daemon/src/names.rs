//! What users and guilds are called, so that people read names beside ids.
//!
//! Names of users come with events, interactions, pages of audit logs and ban lists
//! ([`learn`](crate::discord::name_book::NameBook::learn)). Discord is asked once, at the lowest priority, for a missing
//! name of a user who is shown. No answer waits for it.
//! Names of guilds are the directory's, or the store's where the bot is away.
//!
//! Replies carry ids. At the edge, and nowhere else, [`of`] finds the names of those ids that the reader may know.

use crate::discord::budget::Priority;
use crate::discord::rest::RestError;
use crate::network::LinkState;
use crate::services::Services;
use crate::store::MOST_NAMES;
use crate::tasks::{Task, Trigger};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::names::Mentions;
use wayhaven_shared::value::{GuildId, Timestamp, UserId};
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
pub async fn of(services: &Services, mentions: &Mentions, reader: Reader) -> Names {
    let mut names = Names::default();
    if mentions.is_empty() {
        return names;
    }
    let quoted: Vec<u64> = mentions.quoted.iter().copied().take(MOST_QUOTED).collect();
    let guilds = mentions.guilds.iter().copied().chain(quoted.iter().copied().filter_map(GuildId::new));
    let mut nameless = Vec::new();
    for guild in guilds.filter(|guild| knows(services, reader, *guild)) {
        match services.directory().name(guild) {
            Some(name) => drop(names.guilds.insert(guild, name)),
            None => nameless.push(guild),
        }
    }
    let book = services.directory().accounts().names();
    let oldest = oldest(services);
    let mut unknown = Vec::new();
    for user in mentions.users.iter().copied().chain(quoted.iter().copied().filter_map(UserId::new)) {
        match book.get(user, oldest) {
            Some(name) => names.users.extend(name.map(|name| (user, name))),
            None => unknown.push(user),
        }
    }
    if !(nameless.is_empty() && unknown.is_empty()) {
        let asked = unknown.clone();
        let read = services.store().read(move |view| {
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
                book.restore(seen.user, seen.name.clone(), seen.seen);
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
fn knows(services: &Services, reader: Reader, guild: GuildId) -> bool {
    let reader = match reader {
        Reader::Operator => return true,
        Reader::Member(None) => return false,
        Reader::Member(Some(reader)) => reader,
    };
    let topology = services.store().topology();
    let agreed = |main, child| {
        let state = topology.link(main, child).map(|link| link.state);
        matches!(state, Some(LinkState::Active | LinkState::Closing))
    };
    reader == guild || agreed(reader, guild) || agreed(guild, reader)
}

/// Names that were seen before then are too old to be kept or shown.
fn oldest(services: &Services) -> Timestamp {
    let kept = services.settings().moderation.keep_names;
    let kept = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(services.clock().now().millis().saturating_sub(kept))
}

/// The report with the names that the reader may know.
pub async fn report(services: &Services, report: Report, reader: Reader) -> Report {
    let names = of(services, &report.mentions(), reader).await;
    report.named(&names)
}

/// The fault with names beside the ids in its text.
pub async fn fault(services: &Services, fault: Fault, reader: Reader) -> Fault {
    let mut mentions = Mentions::default();
    mentions.quote(&fault.message);
    fault.hints.iter().for_each(|hint| mentions.quote(hint));
    of(services, &mentions, reader).await.in_fault(fault)
}

/// Stores the names that were learned, and deletes those that are too old: the task `names`.
pub struct Keeping {
    services: Services,
    pause: Duration,
    expired: Option<Instant>,
}

impl Keeping {
    /// Stores them at most once every `pause`.
    pub fn new(services: Services, pause: Duration) -> Self {
        Self { services, pause, expired: None }
    }

    async fn keep(&mut self) -> Result<(), Fault> {
        save(&self.services).await;
        if self.expired.is_none_or(|at| at.elapsed() >= EXPIRE_EVERY) {
            self.expired = Some(Instant::now());
            expire(&self.services).await;
        }
        Ok(())
    }
}

impl Task for Keeping {
    fn name(&self) -> &'static str {
        "names"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.keep().boxed()
    }

    fn next(&mut self) -> Trigger {
        let (accounts, pause) = (Arc::clone(self.services.directory().accounts()), self.pause);
        let unsaved = async move {
            accounts.names().has_unsaved().await;
            tokio::time::sleep(pause).await;
        };
        let expiry = self.expired.map_or(Duration::ZERO, |at| EXPIRE_EVERY.saturating_sub(at.elapsed()));
        Trigger::EventWithin(unsaved.boxed(), expiry)
    }

    fn end(&mut self) -> BoxFuture<'_, ()> {
        save(&self.services).boxed()
    }
}

/// Asks Discord for names that are missing, one after the other, behind everything else: the task `names-asking`.
pub struct Asking {
    services: Services,
    is_over: bool,
}

impl Asking {
    /// Asks for the names that somebody wants to read.
    pub fn new(services: Services) -> Self {
        Self { services, is_over: false }
    }

    async fn ask(&mut self) -> Result<(), Fault> {
        let accounts = self.services.directory().accounts();
        let Some(user) = accounts.names().take_wanted() else { return Ok(()) };
        match self.services.rest().account_at(Priority::Upkeep, user).await {
            Ok(account) => accounts.learn(account),
            Err(error) if error.code() == Some(UNKNOWN_USER) => accounts.names().is_nobody(user),
            Err(RestError::Stopped) => self.is_over = true,
            Err(error) => tracing::debug!(%user, "a name is not known: {error}"),
        }
        Ok(())
    }
}

impl Task for Asking {
    fn name(&self) -> &'static str {
        "names-asking"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.ask().boxed()
    }

    fn next(&mut self) -> Trigger {
        if self.is_over {
            return Trigger::Never;
        }
        let accounts = Arc::clone(self.services.directory().accounts());
        Trigger::Event(async move { accounts.names().has_wanted().await }.boxed())
    }
}

/// Stores the names that were learned since.
async fn save(services: &Services) {
    let names = services.directory().accounts().names().take_unsaved();
    if !names.is_empty() {
        let work = move |change: &crate::store::Change<'_>| Ok(change.keep_user_names(&names)?);
        services.store().write_later("names", work).await;
    }
}

/// Deletes what is too old, where there is something.
pub async fn expire(services: &Services) {
    let oldest = oldest(services);
    if services.store().read(|view| Ok(view.count_user_names()?)).await.unwrap_or(0) == 0 {
        return;
    }
    let work = move |change: &crate::store::Change<'_>| {
        let gone = change.forget_user_names(oldest, MOST_NAMES)?;
        if gone > 0 {
            tracing::info!("{gone} names of users were deleted: nobody has seen them for long enough");
        }
        Ok(())
    };
    services.store().write_later("names that are too old", work).await;
}

/// Discord knows no such user (FACTS A9).
const UNKNOWN_USER: u64 = 10_013;

#[cfg(test)]
mod tests;
