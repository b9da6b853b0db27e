//! When alerts are over: for each kind the condition that ends it, judged by the store and by how the daemon stands.

use crate::store::deliveries::NOTHING_REFUSED;
use crate::store::rows::Sql;
use crate::store::{AlertFilter, Change, StoreError, View};
use rusqlite::params;
use wayhaven_shared::operations::alert::{Alert, Severity};
use wayhaven_shared::operations::hold::HoldKind;
use wayhaven_shared::value::{AlertId, GuildId, Timestamp, Untrusted};

/// Who resolves alerts that are over.
pub const BY_ITSELF: &str = "wayhaven";

/// A day in milliseconds.
const DAY: i64 = 86_400_000;

/// So many identifies in a day are worth an alert (FACTS I).
pub const MANY_IDENTIFIES: u32 = 50;

/// The condition that ends an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// It tells of something that has happened: a person looks at it and resolves it.
    ByPerson,
    /// No hold of these kinds waits in the main.
    Decided(&'static [HoldKind]),
    /// The main has done what it was refused, or somebody has decided about it.
    MainDone,
    /// Nothing is blocked in the guild.
    Unblocked,
    /// No ban waits for the guild's budget of bans of non-members.
    BudgetBack,
    /// Nothing that failed is tried again: in the guild, or in any where the alert names none.
    Delivered,
    /// Requests leave again.
    RequestsAgain,
    /// The audit logs of all guilds were read since.
    LogsRead,
    /// The guild's audit log can be read.
    LogReadable,
    /// Fewer identifies were made in the last day.
    FewIdentifies,
    /// The daemon is connected to Discord.
    Connected,
    /// The doctor finds nothing in the guild that stops deliveries.
    GuildWell,
    /// Nothing is overdue.
    NothingOverdue,
    /// The guild has set no channel any more. What is posted there again resolves the alert where it is posted.
    NoChannel,
    /// The guild has no open incident.
    IncidentClosed,
    /// The stored settings are understood. The settings resolve it when they are read.
    WhenRead,
    /// This machine's clock agrees with Discord's. `health/clock.rs` resolves it, where the
    /// difference is measured.
    ClockAgrees,
    /// The guild's whole ban list was read, with no entry that names no user: who has read it
    /// resolves it (`pages.rs`). It also ends when nobody reads the list any more.
    ListReadable,
    /// No task keeps failing. The runner of the tasks resolves it (`tasks.rs`).
    TaskSucceeds,
    /// No undo remains failed along a link of the main that is closed.
    Undone,
    /// Nobody remains punished by hand in the main who is protected there.
    ProtectedFree,
}

/// Every kind of alert, and what ends it.
const KINDS: &[(&str, Ends)] = &[
    ("approval_needed", Ends::Decided(&[HoldKind::Maximum, HoldKind::Import, HoldKind::Bot])),
    ("audit_cut", Ends::ByPerson),
    ("ban_list_unreadable", Ends::ListReadable),
    ("budget_exceeded", Ends::Decided(&[HoldKind::Moderator, HoldKind::Network])),
    ("child_reaches_out", Ends::ByPerson),
    ("clock_skew", Ends::ClockAgrees),
    ("delivery_blocked", Ends::Unblocked),
    ("delivery_deferred", Ends::BudgetBack),
    ("delivery_delayed", Ends::Delivered),
    ("edge_refuses", Ends::RequestsAgain),
    ("escalation_refused", Ends::ByPerson),
    ("event_gap", Ends::LogsRead),
    ("event_not_understood", Ends::ByPerson),
    ("gap_not_filled", Ends::LogReadable),
    ("guild_unwell", Ends::GuildWell),
    ("identifies_high", Ends::FewIdentifies),
    ("identify_budget_spent", Ends::Connected),
    ("incident", Ends::IncidentClosed),
    ("interaction_not_understood", Ends::ByPerson),
    ("local_override", Ends::ByPerson),
    ("notices_refused", Ends::NoChannel),
    ("origin_refused", Ends::MainDone),
    ("protected_punished", Ends::ProtectedFree),
    ("requests_refused", Ends::RequestsAgain),
    ("schedule_delayed", Ends::NothingOverdue),
    ("setting_not_understood", Ends::WhenRead),
    ("task_failing", Ends::TaskSucceeds),
    ("undo_incomplete", Ends::Undone),
];

/// How the daemon stands, as far as alerts depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// Whether it is connected to Discord, and all guilds are known.
    pub connected: bool,
    /// Whether it may make requests now.
    pub requests: bool,
}

/// What ends a kind of alert; nothing for a kind that is not known.
fn ends(kind: &str) -> Option<Ends> {
    KINDS.iter().find(|(known, _)| *known == kind).map(|(_, ends)| *ends)
}

impl View<'_> {
    /// Why an alert is over, where it is.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn why_over(&self, alert: &Alert, now: &Circumstances) -> Result<Option<String>, StoreError> {
        let (guild, since) = (alert.guild_id, alert.last_at);
        let Some(ends) = ends(&alert.kind) else { return Ok(None) };
        let (over, note) = match ends {
            Ends::ByPerson | Ends::WhenRead | Ends::ClockAgrees | Ends::TaskSucceeds => (false, ""),
            Ends::Decided(kinds) => {
                (!self.waits_for_decision(guild, kinds)?, "no hold waits for a decision any more")
            }
            Ends::MainDone => {
                (!guild.map_or(Ok(false), |main| self.has_refused_step(main))?, NOTHING_REFUSED)
            }
            Ends::Unblocked => (!self.has_delivery(guild, BLOCKED)?, "nothing is blocked there any more"),
            Ends::BudgetBack => {
                (!self.has_delivery(guild, DEFERRED)?, "no ban waits for the budget any more")
            }
            Ends::Delivered => (!self.has_delivery(guild, FAILING)?, "nothing fails there any more"),
            Ends::RequestsAgain => (now.requests, "requests are sent again"),
            Ends::LogsRead => {
                (self.logs_were_read(since)?, "the audit logs were read: what was lost is known")
            }
            Ends::LogReadable => {
                // What Discord has deleted comes back by no permission.
                let lost = alert.severity > Severity::Medium;
                (!lost && !self.is_log_unreadable(guild)?, "the audit log can be read")
            }
            Ends::FewIdentifies => {
                (self.identifies_since_yesterday()? < MANY_IDENTIFIES, "they have become fewer")
            }
            Ends::Connected => (now.connected, "the daemon is connected"),
            Ends::GuildWell => {
                let ills = guild.map(|guild| self.ills(guild)).transpose()?.unwrap_or_default();
                (ills.is_empty(), "nothing stops deliveries to the guild any more")
            }
            Ends::NothingOverdue => (!self.is_overdue()?, "nothing is overdue any more"),
            Ends::NoChannel => {
                let config = guild.map(|guild| self.config(guild)).transpose()?;
                let none = |config: &wayhaven_shared::operations::config::GuildConfig| {
                    config.notification_channel_id.is_none() && config.log_channel_id.is_none()
                };
                (config.as_ref().is_none_or(none), "the guild has set no channel")
            }
            Ends::IncidentClosed => {
                let open = guild.map(|guild| self.open_incident(guild)).transpose()?.flatten();
                (open.is_none(), "the incident is closed")
            }
            Ends::ListReadable => {
                let topology = self.topology()?;
                let read = |guild: GuildId| topology.is_main(guild) || topology.is_child(guild);
                (!guild.is_some_and(read), "the guild is in no network any more: its ban list is not read")
            }
            Ends::Undone => (!self.has_failed_undo(guild)?, "no undo along a closed link is left to be done"),
            Ends::ProtectedFree => {
                let since = alert.first_at;
                (
                    !self.has_protected_punished(guild, since)?,
                    "nobody who is protected is punished by hand any more",
                )
            }
        };
        Ok(over.then(|| note.to_owned()))
    }

    fn waits_for_decision(&self, main: Option<GuildId>, kinds: &[HoldKind]) -> Result<bool, StoreError> {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
        let kinds = serde_json::Value::from(kinds).to_string();
        let sql = "SELECT EXISTS (SELECT 1 FROM holds WHERE decided_at IS NULL AND (?1 IS NULL OR main_guild_id = ?1)
               AND kind IN (SELECT value FROM json_each(?2))
               AND EXISTS (SELECT 1 FROM deliveries WHERE hold_id = holds.id AND state = 'held'))";
        Ok(self.connection.prepare_cached(sql)?.query_row(params![Sql(main), kinds], |row| row.get(0))?)
    }

    fn has_delivery(&self, guild: Option<GuildId>, such: &str) -> Result<bool, StoreError> {
        let sql = match guild {
            Some(_) => {
                format!("SELECT EXISTS (SELECT 1 FROM deliveries WHERE guild_id = ?1 AND {such} AND ?2 = ?2)")
            }
            None => {
                format!("SELECT EXISTS (SELECT 1 FROM deliveries WHERE {such} AND ?1 IS NULL AND ?2 = ?2)")
            }
        };
        let values = params![Sql(guild), self.now().millis()];
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether an undo is failed along a closed link of the main, and what it was to lift may still
    /// be in force: Wayhaven has applied nothing newer of that kind to the user there, and its time
    /// is not over.
    fn has_failed_undo(&self, main: Option<GuildId>) -> Result<bool, StoreError> {
        // Few deliveries are in these states, so they are looked for first.
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries d
              JOIN guild_relationships link ON link.id = d.link_id
              JOIN punishments p ON p.event_id = d.punishment_id
             WHERE d.scope = 'child' AND d.state IN ('failed', 'pending', 'sending', 'blocked', 'unknown')
               AND d.action <> d.measure AND link.state = 'closed' AND (?1 IS NULL OR link.main_guild_id = ?1)
               AND (p.expires_at IS NULL OR p.expires_at > ?2 OR d.measure <> 'timeout')
               AND NOT EXISTS (SELECT 1 FROM deliveries newer
                     WHERE newer.guild_id = d.guild_id AND newer.target_user = d.target_user
                       AND newer.measure = d.measure AND newer.delivery_id > d.delivery_id
                       AND newer.state = 'applied'))";
        let values = params![Sql(main), self.now().millis()];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether somebody remains punished by hand in the main who was protected then, or is on its
    /// list now. A kick leaves nothing that could end: a person looks at it.
    fn has_protected_punished(&self, main: Option<GuildId>, since: Timestamp) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM punishments
             WHERE source_guild = ?1 AND protection IS NOT NULL AND origin = 'guild' AND action = measure
               AND (status = 'active' AND measure <> 'kick' OR measure = 'kick' AND created_at >= ?2))
           OR EXISTS (SELECT 1 FROM (SELECT target_id AS user FROM protected WHERE guild_id = ?1 AND kind = 'user'
                  UNION SELECT user_id FROM protected_holders WHERE guild_id = ?1) listed
                JOIN punishments p ON p.target_user = listed.user AND p.source_guild = ?1
             WHERE p.origin = 'guild' AND p.action = p.measure
               AND (p.status = 'active' AND p.measure <> 'kick' OR p.measure = 'kick' AND p.created_at >= ?2))";
        // What was done by hand may be known by its audit log entry only, which is older than the
        // alert.
        let values = params![Sql(main), since.millis() - DAY];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether the log of every guild that is followed, and shows its log, was read after that time.
    fn logs_were_read(&self, since: Timestamp) -> Result<bool, StoreError> {
        let topology = self.topology()?;
        for guild in topology.mains().chain(topology.children()) {
            if let Some(cursor) = self.audit_cursor(guild)?
                && !cursor.unreadable
                && cursor.read_at <= since
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_log_unreadable(&self, guild: Option<GuildId>) -> Result<bool, StoreError> {
        let Some(guild) = guild else { return Ok(false) };
        let topology = self.topology()?;
        let followed = topology.is_main(guild) || topology.is_child(guild);
        Ok(followed && self.audit_cursor(guild)?.is_some_and(|cursor| cursor.unreadable))
    }

    fn identifies_since_yesterday(&self) -> Result<u32, StoreError> {
        let sql = "SELECT count(*) FROM identifies WHERE at > ?1";
        let since = self.now().millis() - DAY;
        Ok(self.connection.prepare_cached(sql)?.query_row([since], |row| row.get(0))?)
    }

    fn is_overdue(&self) -> Result<bool, StoreError> {
        let now = self.now();
        Ok(!self.ended(now, None, 1)?.is_empty()
            || !self.ended_exceptions(now, None, 1)?.is_empty()
            || !self.escalations(None, 1)?.is_empty())
    }
}

/// Deliveries that wait for somebody to repair their guild.
const BLOCKED: &str = "state = 'blocked'";
/// Bans that wait for their guild's budget of bans of non-members.
const DEFERRED: &str = "state = 'pending' AND not_before IS NOT NULL AND not_before > ?2";
/// Deliveries that were tried and are tried again.
const FAILING: &str = "state IN ('pending', 'sending', 'unknown') AND attempts > 0
     AND (not_before IS NULL OR not_before <= ?2)";

impl Change<'_> {
    /// Resolves an alert that is over; whether it was open.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn resolve_over(&self, id: AlertId, now: &Circumstances) -> Result<bool, StoreError> {
        let Some(alert) = self.alert_of(id)?.filter(|alert| alert.resolved.is_none()) else {
            return Ok(false);
        };
        match self.why_over(&alert, now)? {
            Some(note) => self.resolve_alert(id, BY_ITSELF, &Untrusted::clipped(&note)),
            None => Ok(false),
        }
    }

    /// Raises an alert about the present cause of something that lasts: what told of an earlier cause is resolved.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn alert_of_cause(
        &self,
        kind: &str,
        severity: Severity,
        guild: Option<GuildId>,
        details: &str,
    ) -> Result<(), StoreError> {
        self.alert(kind, severity, guild, None, details)?;
        let Some(guild) = guild else { return Ok(()) };
        let note = Untrusted::clipped("the cause has changed: a newer alert tells the present one");
        for earlier in self.open_alerts_of(kind, guild)?.into_iter().skip(1) {
            self.resolve_alert(earlier, BY_ITSELF, &note)?;
        }
        Ok(())
    }

    /// What an open alert tells has changed, and is nothing new to look at: it says so from now on.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn correct_alert(&self, kind: &str, guild: GuildId, details: &str) -> Result<(), StoreError> {
        let sql = "UPDATE security_alerts SET details = ?2 WHERE id = ?1";
        match self.open_alerts_of(kind, guild)?.first() {
            Some(newest) => {
                self.connection().prepare_cached(sql)?.execute(params![Sql(*newest), details])?;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Resolves every open alert of a kind: its condition is known to be over.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn resolve_kind(&self, kind: &str, note: &str) -> Result<(), StoreError> {
        let filter = AlertFilter { kind: Some(kind.to_owned()), ..AlertFilter::default() };
        for alert in self.alerts(&filter, u16::MAX)? {
            self.resolve_alert(alert.id, BY_ITSELF, &Untrusted::clipped(note))?;
        }
        Ok(())
    }

    /// The alerts of that kind about a guild that nobody has resolved, newest first.
    fn open_alerts_of(&self, kind: &str, guild: GuildId) -> Result<Vec<AlertId>, StoreError> {
        let sql = "SELECT id FROM security_alerts WHERE alert_type = ?1 AND guild_id = ?2 AND resolved = 0 ORDER BY id DESC";
        let mut statement = self.connection().prepare_cached(sql)?;
        let rows =
            statement.query_map(params![kind, Sql(guild)], |row| crate::store::rows::column(row, "id"))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    fn sources(below: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(below).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true if path.ends_with("tests") => {}
                true => sources(&path, found),
                false => found.push(path),
            }
        }
    }

    /// The first string behind each `opening` in a source, or the string of the constant that
    /// stands there, if it looks like a kind.
    fn kinds_behind<'t>(text: &'t str, opening: &str) -> Vec<&'t str> {
        let kinds = text.match_indices(opening).filter_map(|(at, _)| {
            let behind = text[at + opening.len()..].trim_start();
            let name = behind.split(|one: char| !one.is_ascii_uppercase() && one != '_').next()?;
            let quoted = match name {
                "" => behind.strip_prefix('"')?,
                name => text.split_once(&format!("const {name}: &str = \""))?.1,
            };
            let kind = quoted.split('"').next()?;
            kind.chars().all(|one| one.is_ascii_lowercase() || one == '_').then_some(kind)
        });
        kinds.collect()
    }

    #[test]
    fn every_kind_that_is_raised_says_what_ends_it_and_no_other_is_listed() {
        let mut found = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let mut raised = BTreeSet::new();
        let is_source = |path: &&PathBuf| !path.ends_with("ending.rs") && !path.ends_with("tests.rs");
        for path in found.iter().filter(is_source) {
            let text = std::fs::read_to_string(path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for opening in [".alert(", ".alert_of_cause(", ".raise("] {
                raised.extend(kinds_behind(text, opening).into_iter().map(ToOwned::to_owned));
            }
            for line in text.lines().filter(|line| line.contains("Severity::")) {
                raised.extend(kinds_behind(line.trim(), "(").into_iter().map(ToOwned::to_owned));
            }
        }
        let listed: BTreeSet<String> = KINDS.iter().map(|(kind, _)| (*kind).to_owned()).collect();
        assert_eq!(raised, listed, "a kind of alert needs a line that says what ends it");
        assert_eq!(listed.len(), KINDS.len(), "each once");
    }
}
