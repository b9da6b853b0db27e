//! One guild's audit log, read from its cursor to its end.

use crate::discord::directory::{Presence, VIEW_AUDIT_LOG};
use crate::discord::event::Entry;
use crate::discord::rest::{AUDIT_PAGE, AuditPage, RestError};
use crate::store::{Change, Severity};
use crate::sync::attempt::Tools;
use crate::sync::ingest::author::{author_in_child, judge};
use crate::sync::ingest::entry::{without_offices, work_entry};
use wayhaven_shared::Fault;
use wayhaven_shared::value::GuildId;

/// How long Discord keeps an entry, in milliseconds: 45 days (FACTS A4).
const KEPT_MS: i64 = 45 * 86_400_000;

/// How far the cursor stays behind the newest entry that was read, in milliseconds: Discord promises no order in
/// which entries can be seen first (FACTS 0), and what is read twice is worked once.
const STILL_MOVING_MS: u64 = 10 * 60_000;

/// How a reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Everything is worked.
    Read,
    /// The guild is not there, or does not show its log.
    Unreadable,
    /// Something failed: worth another try.
    Failed,
}

/// Reads audit logs.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) tools: Tools,
}

/// A page of what punishes, oldest first.
struct Page {
    entries: Vec<Entry>,
    /// The newest entry of any kind in it: up to there nothing is missing.
    covers: u64,
    /// Whether nothing follows it.
    is_last: bool,
}

enum Stop {
    Refused,
    Failed(String),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.to_string())
    }
}

impl From<RestError> for Stop {
    fn from(error: RestError) -> Self {
        match error.code() {
            Some(50001 | 50013 | 10004) => Self::Refused,
            _ => Self::Failed(error.reason()),
        }
    }
}

/// What the log does not tell the guild's lists do: a child is compared with what its mains have decided.
fn compare_instead(change: &Change<'_>, guild: GuildId) -> Result<(), Fault> {
    match change.topology_here()?.is_child(guild) {
        true => Ok(change.reconcile_soon(guild)?),
        false => Ok(()),
    }
}

impl Reader {
    /// Works what the guild's log has behind the cursor.
    pub(super) async fn read(&self, guild: GuildId) -> Ended {
        match self.read_to_the_end(guild).await {
            Ok(ended) => ended,
            Err(Stop::Refused) => self.unreadable(guild).await,
            Err(Stop::Failed(why)) => {
                tracing::warn!(%guild, "the audit log was not read: {why}");
                Ended::Failed
            }
        }
    }

    async fn read_to_the_end(&self, guild: GuildId) -> Result<Ended, Stop> {
        let store = &self.tools.services.store();
        let Some(cursor) = store.read(move |view| Ok(view.audit_cursor(guild)?)).await? else {
            // A store from before there were cursors: what happened before now is not known to be missing.
            store.write(move |change| Ok(change.follow_audit_log(guild)?)).await?;
            return Ok(Ended::Read);
        };
        if self.tools.services.directory().presence(guild) != Some(Presence::Here) {
            return Ok(Ended::Unreadable);
        }
        // A refusal counts against us (FACTS C1), and this one is foreseen.
        if self.tools.services.directory().my_permissions(guild).is_none_or(|bits| bits & VIEW_AUDIT_LOG == 0)
        {
            return Err(Stop::Refused);
        }
        let mut after = cursor.entry;
        loop {
            let page = self.page(guild, after).await?;
            after = page.covers;
            let is_last = page.is_last;
            self.work(guild, page).await?;
            if is_last {
                break;
            }
        }
        let forgotten = store.write(move |change| {
            let forgotten = change.now().millis() - cursor.read_at.millis() > KEPT_MS;
            if forgotten {
                let details = format!(
                    "the audit log of guild {guild} was last read before what Discord still keeps of it (45 days)"
                );
                change.alert("gap_not_filled", Severity::High, Some(guild), None, &details)?;
                compare_instead(change, guild)?;
            }
            Ok(change.audit_log_was_read(guild)?)
        });
        forgotten.await?;
        Ok(Ended::Read)
    }

    async fn page(&self, guild: GuildId, after: u64) -> Result<Page, Stop> {
        let AuditPage { entries: page, users } =
            self.tools.services.rest().audit_log_after(guild, after).await?;
        let accounts = self.tools.services.directory().accounts();
        users.into_iter().for_each(|account| accounts.learn(account));
        let is_last = page.len() < AUDIT_PAGE;
        // A page that does not go on would be asked for without an end.
        let furthest = page.iter().filter_map(|entry| entry.id.parse().ok()).max().filter(|id| *id > after);
        let covers = match (furthest, is_last) {
            (Some(furthest), _) => furthest,
            (None, true) => after,
            (None, false) => return Err(Stop::Failed("a page without an end".into())),
        };
        let mut entries: Vec<_> =
            page.into_iter().filter_map(|entry| Entry::from_log(guild, entry)).collect();
        entries.retain(|entry| entry.id > after);
        entries.sort_by_key(|entry| entry.id);
        Ok(Page { entries, covers, is_last })
    }

    /// Works a page in one transaction, together with the cursor.
    async fn work(&self, guild: GuildId, page: Page) -> Result<(), Fault> {
        let newest = page.covers;
        let is_main = self.tools.services.store().topology().is_main(guild);
        let mut entries = Vec::with_capacity(page.entries.len());
        for mut entry in page.entries {
            let by = match is_main {
                true => judge(&self.tools, &mut entry).await,
                false => author_in_child(&self.tools, entry.actor),
            };
            entries.push((by, without_offices(self.tools.services.directory(), by, entry)));
        }
        let work = move |change: &Change<'_>| {
            for (by, entry) in entries {
                work_entry(change, by, entry)?;
            }
            Ok(change.move_audit_cursor(guild, newest.saturating_sub(STILL_MOVING_MS << 22))?)
        };
        self.tools.services.store().write(work).await
    }

    /// What happened there while nobody listened is not known; said once.
    async fn unreadable(&self, guild: GuildId) -> Ended {
        let told = self.tools.services.store().write(move |change| {
            if change.audit_log_is_unreadable(guild)? {
                let details = format!(
                    "the bot may not view the audit log of guild {guild}: what happened there while the daemon was \
                     not connected is not known"
                );
                change.alert("gap_not_filled", Severity::Medium, Some(guild), None, &details)?;
            }
            compare_instead(change, guild)
        });
        match told.await {
            Ok(()) => Ended::Unreadable,
            Err(fault) => {
                tracing::warn!(%guild, "not stored that the audit log is unreadable: {fault}");
                Ended::Failed
            }
        }
    }

    /// Whether it was told that the guild's log cannot be read.
    pub(super) async fn was_unreadable(&self, guild: GuildId) -> bool {
        let cursor = self.tools.services.store().read(move |view| Ok(view.audit_cursor(guild)?)).await;
        cursor.is_ok_and(|cursor| cursor.is_some_and(|cursor| cursor.unreadable))
    }

    /// Moves the cursors of children to what came of them live.
    pub(super) async fn move_cursors(&self, seen: Vec<(GuildId, u64)>) {
        let topology = self.tools.services.store().topology();
        let seen: Vec<_> = seen.into_iter().filter(|(guild, _)| topology.is_child(*guild)).collect();
        if seen.is_empty() {
            return;
        }
        let moved = self.tools.services.store().write(move |change| {
            for (guild, entry) in seen {
                change.move_audit_cursor(guild, entry)?;
            }
            Ok(())
        });
        if let Err(fault) = moved.await {
            // More is read next time, and worked once.
            tracing::warn!("cursors of audit logs were not moved: {fault}");
        }
    }
}
