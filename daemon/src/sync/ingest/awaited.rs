//! Ban events of a main that came without their audit entry: they wait a moment for it, then the log is asked, and
//! then the actor is unknown.

use super::Ingest;
use super::author::{Author, is_bot, judge};
use super::entry::{Seen, by_hand, work_entry};
use crate::discord::event::{Deed, Entry, entry_kind};
use crate::store::Awaited;
use std::time::Duration;
use wayhaven_shared::Fault;

/// How long a ban event waits for its audit entry (ARCHITECTURE 5).
const ENTRY_COMES_WITHIN: Duration = Duration::from_millis(1_500);

/// How far an entry's time may lie from the event it explains, in milliseconds: the log is asked seconds later.
const SAME_OCCASION: u64 = 60_000;

impl Ingest {
    /// Waits for the entry of a ban event in a main, and then looks for it.
    pub(super) fn resolve_later(&self, awaited: Awaited) {
        let ingest = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(ENTRY_COMES_WITHIN).await;
            if let Err(fault) = ingest.resolve(awaited).await {
                // The journal still has it, and the next start tries again.
                tracing::error!(guild = %awaited.guild, "a ban event is not resolved: {fault}");
            }
        });
    }

    async fn resolve(&self, awaited: Awaited) -> Result<(), Fault> {
        let still =
            self.tools.services.store().read(move |view| Ok(view.awaited()?.contains(&awaited))).await?;
        if !still {
            return Ok(());
        }
        let found = self.look_for(awaited).await;
        let found = match found {
            Some(mut entry) => Some((judge(&self.tools, &mut entry).await, entry)),
            None => None,
        };
        let of_bot = match found {
            Some(_) => Some(false),
            None => is_bot(&self.tools, awaited.user).await,
        };
        let resolved = self.tools.services.store().write(move |change| {
            // The entry may have come while the log was asked.
            if !change.settle_awaited(awaited.sequence)? {
                return Ok(());
            }
            let Awaited { guild, user, action, .. } = awaited;
            match found {
                Some((Author::Us, _)) => Ok(()),
                Some((by, entry)) => Ok(work_entry(change, by, entry)?),
                // Something newer was decided while nobody knew whose this was.
                None if change.decided_since(guild, user, action, awaited.received_at)? => Ok(()),
                None if change
                    .last_decision(guild, user, action)?
                    .is_some_and(|(last, _)| last == action) =>
                {
                    Ok(())
                }
                None => Ok(by_hand(change, &Seen { of_bot, ..Seen::bare(guild, user, action) }, None)?),
            }
        });
        resolved.await
    }

    /// The newest entry of the guild's log that explains the event; nothing where the log cannot be read.
    async fn look_for(&self, awaited: Awaited) -> Option<Entry> {
        let entries =
            match self.tools.services.rest().audit_log(awaited.guild, entry_kind(awaited.action)?).await {
                Ok(page) => {
                    page.users
                        .into_iter()
                        .for_each(|account| self.tools.services.directory().accounts().learn(account));
                    page.entries
                }
                Err(error) => {
                    tracing::warn!(guild = %awaited.guild, "the audit log is not readable: {error}");
                    return None;
                }
            };
        let (received, skew) = (awaited.received_at.millis(), self.tools.services.clock().skew());
        entries.into_iter().find_map(|entry| {
            let entry = Entry::from_log(awaited.guild, entry)?;
            let same_occasion = skew.made_at(entry.id).millis().abs_diff(received) <= SAME_OCCASION;
            (same_occasion && entry.user == awaited.user && entry.deed == Deed::Done(awaited.action))
                .then_some(entry)
        })
    }
}
