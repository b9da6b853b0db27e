//! What Discord tells of what was done in a guild, and which of our deliveries it tells of.
//!
//! What is kept of it are snowflakes: a `PUT` of what is so already makes no audit entry (FACTS A3), so that a
//! delivery of which an entry tells has changed something, and what has changed since is later than that entry.

use super::APPLIED_AGAIN;
use crate::store::rows::Sql;
use crate::store::{Change, StoreError, View};
use rusqlite::{Row, params};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, UserId};

/// How much earlier than its delivery an entry may seem to be, in milliseconds: the two clocks differ.
const CLOCKS_DIFFER: i64 = 5_000;

/// How long after the answer Discord may tell of what it did, in milliseconds: a resumed session replays minutes.
const COMES_WITHIN: i64 = 10 * 60_000;

/// How long the answer to a request for several may take, with each of its tries, in milliseconds: until then nothing else
/// tells that what was ended meanwhile has left.
const ANSWERED_WITHIN: i64 = 2 * 60_000;

/// What Discord tells of something that was done in a guild.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// Where.
    pub guild: GuildId,
    /// To whom.
    pub user: UserId,
    /// What.
    pub action: Action,
    /// The audit entry, or the first that there may be now where only an event tells of it.
    pub entry: u64,
    /// Whether it is an audit entry.
    pub logged: bool,
}

impl Echo {
    /// One that an audit entry tells of.
    pub fn of_entry(guild: GuildId, user: UserId, action: Action, entry: u64) -> Self {
        Self { guild, user, action, entry, logged: true }
    }

    /// One that only an event tells of, which came now.
    pub fn of_event(guild: GuildId, user: UserId, action: Action, view: &View<'_>) -> Self {
        Self { guild, user, action, entry: view.skew().first_snowflake(view.now()), logged: false }
    }

    /// When it was done, by this machine's clock.
    fn at(self, view: &View<'_>) -> i64 {
        view.skew().made_at(self.entry).millis()
    }
}

/// A delivery of ours that Discord may tell of.
struct Candidate {
    id: i64,
    /// The entry that is known of it.
    echo: Option<u64>,
    /// Whether nothing of it is to be heard any more.
    is_over: bool,
    /// Whether it may be the one of which Discord tells without an actor.
    may_be: bool,
}

impl Candidate {
    /// Whether it may have done what is told of. An entry is the effect of one delivery only; an event may come twice.
    fn is_told_of(&self, of: Echo) -> bool {
        let told_before = of.logged && self.echo.is_some_and(|known| known != of.entry);
        self.may_be && !self.is_over && !told_before
    }
}

impl View<'_> {
    /// Whether what Discord tells without an actor is the effect of an open delivery of ours, or of one that was just
    /// applied.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_echo(&self, of: Echo) -> Result<bool, StoreError> {
        Ok(self.candidates(of)?.iter().any(|one| one.is_told_of(of)))
    }

    /// Whether we have taken back since what Discord tells of only now.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_undone_since(&self, of: Echo) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3
             AND action <> measure AND state = 'applied' AND echo > ?4)";
        let values = params![Sql(of.guild), Sql(of.user), of.action.measure().word(), of.entry.cast_signed()];
        let undone: bool = self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
        Ok(undone && !of.action.is_undo())
    }

    /// Our deliveries of the action, the newest first. Not always the newest is the last that left: what a freeze held is
    /// older than what another main did meanwhile, and took back.
    fn candidates(&self, of: Echo) -> Result<Vec<Candidate>, StoreError> {
        // What was lifted and is open, or was applied again, is done once more, and another entry tells of that, whether or not
        // anything has told yet of what took it back.
        let sql = format!(
            "SELECT d.delivery_id,
                    CASE WHEN d.echo <= coalesce(d.lifted, 0) AND d.let_go = 0
                           OR EXISTS (SELECT 1 FROM deliveries later WHERE later.guild_id = d.guild_id
                                AND later.measure = d.measure AND later.target_user = d.target_user
                                AND later.delivery_id > d.delivery_id AND later.action <> d.action
                                AND later.state = 'applied' AND (later.echo IS NULL OR later.echo > d.echo)
                                AND {APPLIED_AGAIN})
                         THEN NULL ELSE d.echo END AS known,
                    d.state = 'applied' AND d.updated_at < ?5
                    OR d.lifted IS NOT NULL AND d.lifted >= coalesce(d.echo, 0)
                       AND (d.let_go = 1 OR d.state NOT IN ('applied', 'sending', 'unknown', 'pending'))
                    OR EXISTS (SELECT 1 FROM deliveries later WHERE later.guild_id = d.guild_id AND later.measure = d.measure
                       AND later.target_user = d.target_user AND later.delivery_id > d.delivery_id
                       AND later.action <> d.action AND later.state = 'applied'
                       AND d.state NOT IN ('sending', 'unknown', 'pending') AND NOT {APPLIED_AGAIN}
                       AND (d.echo IS NOT NULL OR later.updated_at < ?6)),
                    d.state IN ('applied', 'sending', 'unknown', 'pending') OR d.sent = 1
                    OR coalesce(d.together_at >= ?8, 0)
              FROM deliveries d
             WHERE d.guild_id = ?1 AND d.target_user = ?2 AND d.measure = ?3 AND d.action = ?4 AND d.created_at <= ?7
             ORDER BY d.delivery_id DESC"
        );
        let (at, measure) = (of.at(self), of.action.measure().word());
        let values = params![
            Sql(of.guild),
            Sql(of.user),
            measure,
            of.action.word(),
            at - COMES_WITHIN,
            at - CLOCKS_DIFFER,
            at + CLOCKS_DIFFER,
            at - ANSWERED_WITHIN,
        ];
        let read = |row: &Row<'_>| {
            Ok(Candidate {
                id: row.get(0)?,
                echo: row.get::<_, Option<i64>>(1)?.map(i64::cast_unsigned),
                is_over: row.get(2)?,
                may_be: row.get(3)?,
            })
        };
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(values, read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Notes that Discord tells of what we did: it was not so before. That is the delivery of which it was told before, or
    /// the latest that may have done it, or else the latest that there was by then.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_echo(&self, of: Echo) -> Result<(), StoreError> {
        self.changed_by_us(of)?;
        let candidates = self.candidates(of)?;
        let known = candidates.iter().find(|one| of.logged && one.echo == Some(of.entry));
        let told_of = || candidates.iter().find(|one| one.is_told_of(of));
        let Some(told) = known.or_else(told_of).or(candidates.first()) else { return Ok(()) };
        let sql = "UPDATE deliveries SET was_there = 0, echo = max(coalesce(echo, 0), ?2)
             WHERE delivery_id = ?1 AND (was_there IS NOT 0 OR coalesce(echo, 0) < ?2)";
        self.connection().prepare_cached(sql)?.execute(params![told.id, of.entry.cast_signed()])?;
        Ok(())
    }

    /// Notes that somebody else took back what stood there: none of our deliveries before stands any more.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn note_lifted(&self, of: Echo) -> Result<(), StoreError> {
        let sql = "UPDATE deliveries SET lifted = max(coalesce(lifted, 0), ?4)
             WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3 AND action = measure AND created_at <= ?5
               AND (state = 'applied' OR sent = 1)";
        let measure = of.action.measure().word();
        let entry = of.entry.cast_signed();
        let values = params![Sql(of.guild), Sql(of.user), measure, entry, of.at(self) + CLOCKS_DIFFER];
        self.connection().prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}
