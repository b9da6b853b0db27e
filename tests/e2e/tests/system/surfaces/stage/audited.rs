//! What stands in the audit of what a row asked for.

use super::{Row, Stage, definition};
use std::time::Instant;
use wayhaven_e2e::process::{PATIENCE, ask};
use wayhaven_shared::operations::audit::{AuditEntry, AuditLog};
use wayhaven_shared::operations::config::ConfigStaffrole;
use wayhaven_shared::value::{PageSize, RoleId};

impl Stage {
    async fn entries(&self, row: &Row) -> Vec<AuditEntry> {
        let operation = Some(definition(row).name.parse().unwrap());
        let limit = PageSize::try_from(50).ok();
        let log = AuditLog { operation, limit, ..AuditLog::default() };
        self.setting.client.call(log).await.unwrap().entries
    }

    /// The number of the last outcome of the row's operation, once everything that was asked before is in the audit: a
    /// change is answered after its commit, and its commit is behind theirs.
    pub(super) async fn latest(&self, row: &Row) -> u64 {
        let again = ConfigStaffrole { role: RoleId::new(self.staff()), unset: false };
        ask(&self.setting.client, self.setting.main, again).await.unwrap();
        self.entries(row).await.first().map_or(0, |entry| entry.sequence)
    }

    /// The newest of so many outcomes that came after `since`. An answer may be there before its audit row is, and a row
    /// tells no event: it is looked for again and again.
    pub(super) async fn audited(&self, row: &Row, since: u64, surface: &str, count: usize) -> AuditEntry {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // What is done at Discord comes back by the gateway, and is audited with the same word.
            // What is read here to know that is asked for in no guild.
            let is_new = |entry: &AuditEntry| {
                entry.sequence > since && entry.surface == surface && entry.guild_id.is_some()
            };
            let mut found: Vec<_> = self.entries(row).await.into_iter().filter(is_new).collect();
            assert!(found.len() <= count, "{} from {surface}: {found:?}", row.line);
            if found.len() == count {
                return found.remove(0);
            }
            assert!(Instant::now() < deadline, "{} from {surface} is not in the audit: {found:?}", row.line);
        }
    }
}
