//! Reading guilds' audit logs.

use super::calls::{AuditLogEntry, AuditPage, read};
use super::{AUDIT_PAGE, Call, Rest, RestError};
use crate::discord::budget::{Priority, Slot};
use crate::discord::routes::Route;
use reqwest::Method;
use wayhaven_shared::value::{GuildId, UserId};

/// How many pages of an audit log are read for one user.
const PAGES: usize = 20;

/// Which entries of an audit log are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOf {
    /// Their kind.
    pub kind: u64,
    /// Who made them; anybody where nobody is named.
    pub by: Option<UserId>,
    /// To whom it was done.
    pub about: UserId,
}

impl Rest {
    /// The newest entries of one kind in a guild's audit log, newest first.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn audit_log(&self, guild: GuildId, kind: u64) -> Result<AuditPage, RestError> {
        let route = Route { template: "GET /guilds/{guild}/audit-logs", major: guild.get() };
        let path = format!("/guilds/{guild}/audit-logs?action_type={kind}&limit=100");
        read(self.read(Priority::Interactive, route, &path).await?)
    }

    /// The newest entries of one kind that this user made in a guild's audit log, newest first.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn latest_audit_log_by(
        &self,
        guild: GuildId,
        kind: u64,
        by: UserId,
    ) -> Result<Vec<AuditLogEntry>, RestError> {
        let route = Route { template: "GET /guilds/{guild}/audit-logs", major: guild.get() };
        let path = format!("/guilds/{guild}/audit-logs?user_id={by}&action_type={kind}&limit=100");
        let mut value = self.read(Priority::Interactive, route, &path).await?;
        read(value["audit_log_entries"].take())
    }

    /// A page of a guild's audit log: the oldest entries of every kind behind `after`, oldest first, at most
    /// [`AUDIT_PAGE`] of them.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn audit_log_after(&self, guild: GuildId, after: u64) -> Result<AuditPage, RestError> {
        let route = Route { template: "GET /guilds/{guild}/audit-logs", major: guild.get() };
        let path = format!("/guilds/{guild}/audit-logs?after={after}&limit={AUDIT_PAGE}");
        read(self.read(Priority::Backfill, route, &path).await?)
    }

    /// A page of what was done to one user, from a guild's audit log: the oldest entries behind `after`, oldest first, at
    /// most [`AUDIT_PAGE`] of them. Entries about others may be among them: that Discord can be asked for a target is
    /// only in its API description (FACTS A4).
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn audit_log_of(
        &self,
        slot: Slot,
        guild: GuildId,
        LogOf { kind, by, about }: LogOf,
        after: u64,
    ) -> Result<Vec<AuditLogEntry>, RestError> {
        let by = by.map_or_else(String::new, |by| format!("user_id={by}&"));
        let path = format!(
            "/guilds/{guild}/audit-logs?{by}target_id={about}&action_type={kind}&after={after}&limit={AUDIT_PAGE}"
        );
        let route = Self::audit_log_route(guild);
        let call = Call { method: Method::GET, route, path, body: None, reason: None, bare: false };
        read(self.send(Some(slot), call).await?["audit_log_entries"].take())
    }

    /// What of one kind was done to one user since then, by a guild's audit log, oldest first. Nothing where the log is too
    /// long to tell: Discord may not let itself be asked for a target (FACTS A4).
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn audit_log_about(
        &self,
        guild: GuildId,
        kind: u64,
        about: UserId,
        after: u64,
    ) -> Result<Option<Vec<AuditLogEntry>>, RestError> {
        let (mut after, mut found) = (after, Vec::new());
        let target = about.to_string();
        for _ in 0..PAGES {
            let path = format!(
                "/guilds/{guild}/audit-logs?target_id={about}&action_type={kind}&after={after}&limit={AUDIT_PAGE}"
            );
            let mut value = self.read(Priority::Backfill, Self::audit_log_route(guild), &path).await?;
            let page: Vec<AuditLogEntry> = read(value["audit_log_entries"].take())?;
            let (count, last) = (page.len(), page.iter().filter_map(|entry| entry.id.parse().ok()).max());
            found.extend(page.into_iter().filter(|entry| entry.target_id.as_ref() == Some(&target)));
            match last {
                Some(last) if count >= AUDIT_PAGE => after = last,
                _ => {
                    found.sort_by_key(|entry| entry.id.parse::<u64>().unwrap_or(0));
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The route of everything that reads a guild's audit log.
    pub fn audit_log_route(guild: GuildId) -> Route {
        Route { template: "GET /guilds/{guild}/audit-logs", major: guild.get() }
    }
}
