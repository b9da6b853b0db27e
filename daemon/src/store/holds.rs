//! `holds`: what waits for somebody's approval, and how much was propagated, which decides about it.

mod carrying;
mod opening;

pub use carrying::{Carried, OPEN_IN_A_GUILD, Reached};

use super::rows::{Sql, column, optional, word};
use super::{Change, StoreError, View};
use crate::network::Budget;
use rusqlite::{OptionalExtension, Row, params};
use std::collections::HashSet;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::hold::{HeldAction, Hold, HoldKind};
use wayhaven_shared::operations::punishment::{Action, Origin};
use wayhaven_shared::value::{DeliveryId, GuildId, HoldId, PunishmentId, Timestamp, UserId};

/// How many of the users of a hold are named.
const NAMED: u8 = 5;

/// What was decided about a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is sent.
    Approved,
    /// It never is.
    Discarded,
}

impl Decided {
    fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Discarded => "discarded",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Approved, Self::Discarded].into_iter().find(|decided| decided.word() == word)
    }
}

/// A hold as it stands, without what it keeps back.
#[derive(Clone, Copy, Debug)]
pub struct HoldRow {
    /// Which.
    pub id: HoldId,
    /// Whose deliveries.
    pub main: GuildId,
    /// Why they are held.
    pub kind: HoldKind,
    /// What was decided about it, by whom, where it was a member, and when.
    pub decided: Option<(Decided, Option<UserId>, Timestamp)>,
}

/// Whose punishments a hold is about: one hold each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldOf {
    /// The main.
    pub main: GuildId,
    /// Why they are held.
    pub kind: HoldKind,
    /// The member who decided them; nothing where it is about several.
    pub moderator: Option<UserId>,
    /// Where they came from, where it is about one and no member is known.
    pub origin: Option<Origin>,
}

/// A hold that was looked for, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Which.
    pub id: HoldId,
    /// Whether it kept nothing back before.
    pub is_new: bool,
}

/// That a punishment `p` counts in the window from `?since` to `?now`. One from the future was decided before the clock was
/// set back, which gives nobody a fresh budget: it counts until something that came after it is older than a window itself.
fn within(since: u8, now: u8) -> String {
    format!(
        "p.created_at > ?{since} AND (p.created_at <= ?{now} OR NOT EXISTS (SELECT 1 FROM punishments later
            WHERE later.event_id > p.event_id AND later.created_at <= ?{since}))"
    )
}

/// A hold, and what was decided about it.
pub(super) fn kept_by(row: &Row<'_>) -> rusqlite::Result<(HoldId, Option<Decided>)> {
    let decision: Option<String> = row.get("decision")?;
    Ok((column(row, "id")?, decision.as_deref().and_then(Decided::from_word)))
}

fn hold_row(row: &Row<'_>) -> rusqlite::Result<HoldRow> {
    let decision: Option<String> = row.get("decision")?;
    let decided = match decision.as_deref().and_then(Decided::from_word) {
        Some(decided) => Some((decided, optional(row, "decided_by")?, column(row, "decided_at")?)),
        None => None,
    };
    Ok(HoldRow {
        id: column(row, "id")?,
        main: column(row, "main_guild_id")?,
        kind: word(row, "kind", HoldKind::from_word)?,
        decided,
    })
}

impl View<'_> {
    /// Holds that nobody has decided about.
    pub(super) fn undecided_holds(&self) -> Result<HashSet<HoldId>, StoreError> {
        let sql = "SELECT id FROM holds WHERE decided_at IS NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_map([], |row| column(row, "id"))?.collect::<Result<_, _>>()?)
    }

    /// One hold.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn hold(&self, id: HoldId) -> Result<Option<HoldRow>, StoreError> {
        let sql = "SELECT id, main_guild_id, kind, decision, decided_by, decided_at FROM holds WHERE id = ?1";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(id)], hold_row).optional()?)
    }

    /// Holds that nobody has decided about and that keep something back, the oldest first: of a main, or of all.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn open_holds(&self, main: Option<GuildId>) -> Result<Vec<Hold>, StoreError> {
        self.holds_keeping(main, None)
    }

    /// What holds of its mains keep from a child, and nothing of what they keep from others.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn open_holds_in(&self, child: GuildId) -> Result<Vec<Hold>, StoreError> {
        self.holds_keeping(None, Some(child))
    }

    fn holds_keeping(&self, main: Option<GuildId>, child: Option<GuildId>) -> Result<Vec<Hold>, StoreError> {
        let sql = "SELECT id, main_guild_id, kind, moderator_id, origin, opened_at FROM holds
             WHERE decided_at IS NULL AND (?1 IS NULL OR main_guild_id = ?1)
               AND EXISTS (SELECT 1 FROM deliveries WHERE hold_id = holds.id AND state = 'held'
                   AND (?2 IS NULL OR guild_id = ?2)) ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![Sql(main), Sql(child)], |row| {
            let origin: Option<String> = row.get("origin")?;
            Ok(Hold {
                id: column(row, "id")?,
                main_guild_id: column(row, "main_guild_id")?,
                kind: word(row, "kind", HoldKind::from_word)?,
                moderator_id: optional(row, "moderator_id")?,
                origin: origin.as_deref().and_then(Origin::from_word),
                opened_at: column(row, "opened_at")?,
                actions: Vec::new(),
                users: 0,
                whom: Vec::new(),
                guilds: 0,
                deliveries: 0,
            })
        })?;
        let mut holds = rows.collect::<Result<Vec<_>, _>>()?;
        holds.iter_mut().try_for_each(|hold| self.count_held(hold, child))?;
        Ok(holds)
    }

    /// How many holds of the main wait for somebody.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn open_hold_count(&self, main: GuildId) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM holds WHERE decided_at IS NULL AND main_guild_id = ?1
               AND EXISTS (SELECT 1 FROM deliveries WHERE hold_id = holds.id AND state = 'held')";
        let count: i64 = self.connection.prepare_cached(sql)?.query_row([Sql(main)], |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// Fills in what a hold keeps back, from one child where one is named.
    fn count_held(&self, hold: &mut Hold, child: Option<GuildId>) -> Result<(), StoreError> {
        let sql = "SELECT count(*) AS deliveries, count(DISTINCT target_user) AS users,
                count(DISTINCT guild_id) AS guilds FROM deliveries
             WHERE hold_id = ?1 AND state = 'held' AND (?2 IS NULL OR guild_id = ?2)";
        let of = params![Sql(hold.id), Sql(child)];
        let mut statement = self.connection.prepare_cached(sql)?;
        let count = |row: &Row<'_>, name| Ok::<_, rusqlite::Error>(row.get::<_, i64>(name)?.cast_unsigned());
        (hold.deliveries, hold.users, hold.guilds) = statement.query_row(of, |row| {
            Ok((count(row, "deliveries")?, count(row, "users")?, count(row, "guilds")?))
        })?;
        let sql = "SELECT action, count(DISTINCT target_user) AS users FROM deliveries
             WHERE hold_id = ?1 AND state = 'held' AND (?2 IS NULL OR guild_id = ?2) GROUP BY action ORDER BY users DESC, action";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(of, |row| {
            Ok(HeldAction { action: word(row, "action", Action::from_word)?, users: count(row, "users")? })
        })?;
        hold.actions = rows.collect::<Result<_, _>>()?;
        let sql = "SELECT target_user FROM deliveries WHERE hold_id = ?1 AND state = 'held' AND (?2 IS NULL OR guild_id = ?2)
             GROUP BY target_user ORDER BY min(delivery_id) LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement
            .query_map(params![Sql(hold.id), Sql(child), NAMED], |row| column(row, "target_user"))?;
        hold.whom = rows.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Whether something of what a hold keeps back was decided by this member, or followed from what they decided.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn holds_what_was_decided_by(&self, hold: HoldId, user: UserId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM holds WHERE id = ?1 AND moderator_id = ?2)
               OR EXISTS (SELECT 1 FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
                    LEFT JOIN punishments first ON first.event_id = p.because
                    WHERE d.hold_id = ?1 AND d.state = 'held' AND coalesce(p.moderator_id, first.moderator_id) = ?2)";
        let values = params![Sql(hold), Sql(user)];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether something of what a hold keeps back was done by hand, and nobody knows by whom.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn holds_what_nobody_owns(&self, hold: HoldId) -> Result<bool, StoreError> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
              WHERE d.hold_id = ?1 AND d.state = 'held' AND p.origin = 'guild' AND p.moderator_id IS NULL)";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(hold)], |row| row.get(0))?)
    }

    /// Whether somebody has discarded a punishment for a guild: it stands where it was decided, and does not come there
    /// by itself any more, whatever looks at what should be there.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn is_discarded(&self, punishment: PunishmentId, guild: GuildId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries d JOIN holds h ON h.id = d.hold_id
             WHERE d.punishment_id = ?1 AND d.guild_id = ?2 AND h.decision = 'discarded')";
        let values = params![Sql(punishment), Sql(guild)];
        Ok(self.connection.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether a member, or those without one of the same origin, have spent their budget in the main.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn moderator_has_spent(
        &self,
        main: GuildId,
        moderator: Option<UserId>,
        origin: Origin,
        budget: Budget,
    ) -> Result<bool, StoreError> {
        // No more are counted than are allowed: a thousand in a minute cost no more each than the budget.
        let sql = format!(
            "SELECT count(*) >= ?4 FROM (SELECT 1 FROM punishments p WHERE source_guild = ?1 AND moderator_id IS ?2
               AND counted = 1 AND {} AND (?2 IS NOT NULL OR origin = ?3) LIMIT ?4)",
            within(5, 6)
        );
        let now = self.now().millis();
        let since = now.saturating_sub(budget.window());
        let values = params![Sql(main), Sql(moderator), origin.word(), budget.most, since, now];
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
    }

    /// Whether all of a main's moderators together have spent its budget.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn network_has_spent(&self, main: GuildId, budget: Budget) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT count(*) >= ?2 FROM (SELECT 1 FROM punishments p WHERE source_guild = ?1
               AND counted = 1 AND {} LIMIT ?2)",
            within(3, 4)
        );
        let now = self.now().millis();
        let values = params![Sql(main), budget.most, now.saturating_sub(budget.window()), now];
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
    }

    /// The hold of a delivery, and what was decided about it.
    pub(super) fn hold_of(
        &self,
        delivery: DeliveryId,
    ) -> Result<Option<(HoldId, Option<Decided>)>, StoreError> {
        let sql = "SELECT h.id, h.decision FROM deliveries d JOIN holds h ON h.id = d.hold_id WHERE d.delivery_id = ?1";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(delivery)], kept_by).optional()?)
    }
}

impl Change<'_> {
    /// Counts a punishment towards the budgets of its moderator and its network.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn count_propagated(&self, punishment: PunishmentId) -> Result<(), StoreError> {
        let sql = "UPDATE punishments SET counted = 1 WHERE event_id = ?1";
        self.connection().prepare_cached(sql)?.execute([Sql(punishment)])?;
        Ok(())
    }

    /// The hold that is open for this, or a new one. Of imports each has one of its own.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn open_hold(&self, of: HoldOf) -> Result<Opened, StoreError> {
        let origin = of.origin.map(Origin::word);
        let now = self.now().millis();
        if of.kind != HoldKind::Import
            && let Some(open) = self.join_hold(of, now)?
        {
            return Ok(open);
        }
        let sql = "INSERT INTO holds (main_guild_id, kind, moderator_id, origin, opened_at)
             VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id";
        let values = params![Sql(of.main), of.kind.word(), Sql(of.moderator), origin, now];
        let id = self.connection().prepare_cached(sql)?.query_row(values, |row| column(row, "id"))?;
        self.topology_changed();
        self.tell(&Changed::Network { link: None })?;
        Ok(Opened { id, is_new: true })
    }

    /// The hold that is open for this.
    fn join_hold(&self, of: HoldOf, now: i64) -> Result<Option<Opened>, StoreError> {
        let sql = "SELECT id, EXISTS (SELECT 1 FROM deliveries WHERE hold_id = holds.id AND state = 'held') AS keeps
             FROM holds WHERE main_guild_id = ?1 AND kind = ?2 AND coalesce(moderator_id, 0) = coalesce(?3, 0)
               AND coalesce(origin, '') = coalesce(?4, '') AND decided_at IS NULL";
        let values = params![Sql(of.main), of.kind.word(), Sql(of.moderator), of.origin.map(Origin::word)];
        let read = |row: &Row<'_>| Ok((column(row, "id")?, row.get::<_, bool>("keeps")?));
        let Some((id, keeps)) = self.connection().prepare_cached(sql)?.query_row(values, read).optional()?
        else {
            return Ok(None);
        };
        if !keeps {
            // What it kept back was ended by something newer: it begins anew.
            let sql = "UPDATE holds SET opened_at = ?2 WHERE id = ?1";
            self.connection().prepare_cached(sql)?.execute(params![Sql(id), now])?;
        }
        Ok(Some(Opened { id, is_new: !keeps }))
    }

    /// More comes into a hold: what was decided about it has to reach that too.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn hold_grows(&self, id: HoldId) -> Result<(), StoreError> {
        let sql = "UPDATE holds SET finished_at = NULL WHERE id = ?1 AND finished_at IS NOT NULL";
        self.connection().prepare_cached(sql)?.execute([Sql(id)])?;
        Ok(())
    }

    /// A hold that is approved as it opens: what is decided goes on by [`carry_out_hold`](Self::carry_out_hold), guild by
    /// guild.
    pub(super) fn open_approved_hold(&self, of: HoldOf) -> Result<HoldId, StoreError> {
        let sql =
            "INSERT INTO holds (main_guild_id, kind, moderator_id, origin, opened_at, decided_at, decision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, 'approved') RETURNING id";
        let (origin, now) = (of.origin.map(Origin::word), self.now().millis());
        let values = params![Sql(of.main), of.kind.word(), Sql(of.moderator), origin, now];
        let id = self.connection().prepare_cached(sql)?.query_row(values, |row| column(row, "id"))?;
        self.topology_changed();
        self.tell(&Changed::Network { link: None })?;
        Ok(id)
    }

    /// Decides about a hold. What it keeps back follows by [`carry_out_hold`](Self::carry_out_hold); what is decided from
    /// now on joins another.
    ///
    /// # Errors
    /// Where the store fails, or somebody has decided already.
    pub fn decide_hold(&self, id: HoldId, decided: Decided, by: Option<UserId>) -> Result<(), StoreError> {
        let sql = "UPDATE holds SET decision = ?2, decided_at = ?3, decided_by = ?4 WHERE id = ?1";
        let values = params![Sql(id), decided.word(), self.now().millis(), Sql(by)];
        self.connection().prepare_cached(sql)?.execute(values)?;
        self.approve_refused(id, decided)?;
        if let Some(hold) = self.hold(id)?.filter(|hold| hold.kind == HoldKind::Refused) {
            self.resolve_refusals(hold.main)?;
        }
        self.topology_changed();
        self.tell(&Changed::Network { link: None })
    }
}
