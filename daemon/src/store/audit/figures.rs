//! The audit in figures.

use super::result_from_word;
use crate::store::rows::{column, word};
use crate::store::{StoreError, View};
use rusqlite::params_from_iter;
use rusqlite::types::Value;
use std::collections::{BTreeMap, HashMap};
use wayhaven_shared::operations::audit::{ActorCount, AuditFigures, AuditResult, DayCount, OperationCount};
use wayhaven_shared::value::{GuildId, Timestamp, Untrusted};

/// How many operations and actors are told.
const MOST: usize = 10;

/// A day, in milliseconds.
const DAY: i64 = 86_400_000;

/// Who stands for all operators where their accounts are nobody's business.
const AN_OPERATOR: &str = "an operator";

/// What is told of a set of outcomes.
#[derive(Default)]
struct Tally {
    requests: u64,
    denied: u64,
    failed: u64,
    /// How many took a time that was measured, and how long in all, in microseconds.
    timed: u64,
    micros: u64,
}

impl Tally {
    fn add(&mut self, result: AuditResult, micros: Option<u64>) {
        self.requests += 1;
        self.denied += u64::from(result == AuditResult::Denied);
        self.failed += u64::from(matches!(result, AuditResult::Error | AuditResult::Interrupted));
        self.timed += u64::from(micros.is_some());
        self.micros += micros.unwrap_or_default();
    }
}

/// Tallies by a name.
#[derive(Default)]
struct Tallies(HashMap<String, Tally>);

impl Tallies {
    fn add(&mut self, name: &str, result: AuditResult, micros: Option<u64>) {
        // Names come by the million and are few: one is copied where it is new.
        match self.0.get_mut(name) {
            Some(tally) => tally.add(result, micros),
            None => self.0.entry(name.to_owned()).or_default().add(result, micros),
        }
    }

    /// The largest first, and those as large by their names.
    fn most(self, at_most: usize) -> Vec<(String, Tally)> {
        let mut all: Vec<_> = self.0.into_iter().collect();
        all.sort_by(|(name, tally), (other, than)| {
            than.requests.cmp(&tally.requests).then_with(|| name.cmp(other))
        });
        all.truncate(at_most);
        all
    }
}

impl View<'_> {
    /// What was asked for since then, in a guild or everywhere. Where `discreet`, operators stand together: their accounts
    /// are nobody's business in a guild.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn audit_figures(
        &self,
        guild: Option<GuildId>,
        since: Timestamp,
        days: u16,
        discreet: bool,
    ) -> Result<AuditFigures, StoreError> {
        let mut results = AuditResult::ALL.map(|result| (result, 0));
        let (mut surfaces, mut operations, mut actors) =
            (Tallies::default(), Tallies::default(), Tallies::default());
        let mut by_day: BTreeMap<i64, Tally> = BTreeMap::new();
        // Each row is read once, in the order in which they lie: a year may be a million of them.
        let mut values: Vec<Value> =
            vec![self.audit_since(since)?.cast_signed().into(), since.millis().into()];
        let mut of_guild = "";
        if let Some(guild) = guild {
            values.push(guild.get().cast_signed().into());
            of_guild = "AND a.guild_id = ?3";
        }
        let sql = format!(
            "SELECT a.created_at, a.surface, a.command_name, a.result_status, a.execution_time_us, p.value
               FROM command_audit a
               LEFT JOIN command_audit_personal p ON p.audit_id = a.id AND p.field = 'actor'
              WHERE a.id >= ?1 AND a.created_at >= ?2 AND a.kind = 'outcome' {of_guild}"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let result = word(row, "result_status", result_from_word)?;
            let micros = row.get::<_, Option<i64>>(4)?.map(i64::cast_unsigned);
            let at: Timestamp = column(row, "created_at")?;
            let surface = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            let operation = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
            let actor = row.get_ref(5)?.as_str_or_null().map_err(rusqlite::Error::from)?;
            if let Some((_, count)) = results.iter_mut().find(|(of, _)| *of == result) {
                *count += 1;
            }
            surfaces.add(surface, result, micros);
            operations.add(operation, result, micros);
            by_day.entry(at.millis().div_euclid(DAY)).or_default().add(result, micros);
            // Whoever was erased is nobody.
            if let Some(actor) = actor {
                let concealed = discreet && matches!(surface, "cli" | "console");
                actors.add(if concealed { AN_OPERATOR } else { actor }, result, micros);
            }
        }
        Ok(AuditFigures {
            guild_id: guild,
            days,
            results: results.to_vec(),
            surfaces: surfaces
                .most(usize::MAX)
                .into_iter()
                .map(|(surface, tally)| (surface, tally.requests))
                .collect(),
            operations: operations
                .most(MOST)
                .into_iter()
                .map(|(operation, tally)| OperationCount {
                    operation,
                    requests: tally.requests,
                    denied: tally.denied,
                    failed: tally.failed,
                    mean_us: tally.micros.checked_div(tally.timed),
                })
                .collect(),
            actors: actors
                .most(MOST)
                .into_iter()
                .map(|(actor, tally)| ActorCount {
                    actor: Untrusted::clipped(&actor),
                    requests: tally.requests,
                    denied: tally.denied,
                })
                .collect(),
            by_day: by_day
                .into_iter()
                .map(|(day, tally)| DayCount {
                    day: Timestamp::from_millis(day * DAY),
                    requests: tally.requests,
                    denied: tally.denied,
                    failed: tally.failed,
                })
                .collect(),
        })
    }
}
