//! `guild_relationships`: the links, and the topology that is read from them.

use super::rows::{Sql, column, odd, optional, word};
use super::{Change, StoreError, View};
use crate::network::{Freeze, LinkRow, LinkState, Topology};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::setup::{AllowedActions, Link, Mode, SecurityLevel};
use wayhaven_shared::value::{GuildId, LinkId};

pub use wayhaven_shared::operations::setup::LinkTerms as Terms;

const COLUMNS: &str =
    "r.id, r.main_guild_id, r.child_guild_id, r.sync_mode, r.allowed_actions, r.state, r.updated_at,
    r.accepted_at, r.begins_after, r.accepted_mode, r.accepted_actions, r.accepted_level, r.proposed_mode,
    r.proposed_actions, r.proposed_level, g.name
    FROM guild_relationships r JOIN guild_settings g ON g.guild_id = r.child_guild_id";

/// Words of actions that this version does not know allow nothing.
fn actions(text: &str, column: &'static str) -> rusqlite::Result<Vec<Action>> {
    let words: Vec<String> = serde_json::from_str(text).map_err(|_| odd(column))?;
    Ok(words.iter().filter_map(|word| Action::from_word(word)).collect())
}

/// Terms in two columns; nothing where they are empty.
fn terms(row: &Row<'_>, mode: &'static str, allowed: &'static str) -> rusqlite::Result<Option<Terms>> {
    let (Some(word), Some(text)) =
        (row.get::<_, Option<String>>(mode)?, row.get::<_, Option<String>>(allowed)?)
    else {
        return Ok(None);
    };
    let mode = Mode::from_word(&word).ok_or_else(|| odd(mode))?;
    Ok(Some(Terms { mode, actions: AllowedActions::of(&actions(&text, allowed)?) }))
}

fn level(row: &Row<'_>, column: &'static str) -> rusqlite::Result<Option<SecurityLevel>> {
    let word: Option<String> = row.get(column)?;
    word.map(|word| SecurityLevel::from_word(&word).ok_or_else(|| odd(column))).transpose()
}

fn link(row: &Row<'_>) -> rusqlite::Result<Link> {
    let words: String = row.get("allowed_actions")?;
    Ok(Link {
        id: column(row, "id")?,
        main_guild_id: column(row, "main_guild_id")?,
        child_guild_id: column(row, "child_guild_id")?,
        child_name: optional(row, "name")?,
        mode: word(row, "sync_mode", Mode::from_word)?,
        state: row.get("state")?,
        allowed_actions: actions(&words, "allowed_actions")?,
        updated_at: column(row, "updated_at")?,
        accepted_at: optional(row, "accepted_at")?,
        accepted: terms(row, "accepted_mode", "accepted_actions")?,
        accepted_level: level(row, "accepted_level")?,
        proposed: terms(row, "proposed_mode", "proposed_actions")?,
        proposed_level: level(row, "proposed_level")?,
    })
}

/// What a link lets through: its terms, and of them no more than its child has accepted, whoever wrote the row.
fn in_force(link: &Link) -> Terms {
    let terms = Terms { mode: link.mode, actions: AllowedActions::of(&link.allowed_actions) };
    match &link.accepted {
        Some(accepted) => terms.within(accepted),
        None => terms,
    }
}

impl View<'_> {
    /// Mains, links, freezes and who is protected, as they are in this transaction.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn topology(&self) -> Result<Topology, StoreError> {
        let mut mains = self.connection.prepare_cached(
            "SELECT guild_id, frozen_at, frozen_except_reversals FROM guild_settings WHERE is_main = 1",
        )?;
        let mains = mains
            .query_map([], |row| {
                let frozen = row.get::<_, Option<i64>>("frozen_at")?.is_some();
                let freeze = match row.get("frozen_except_reversals")? {
                    true => Freeze::ExceptReversals,
                    false => Freeze::Everything,
                };
                Ok((column(row, "guild_id")?, frozen.then_some(freeze)))
            })?
            .collect::<Result<Vec<(GuildId, Option<Freeze>)>, _>>()?;
        let mut links = self
            .connection
            .prepare_cached(&format!("SELECT {COLUMNS} WHERE r.state <> 'closed' ORDER BY r.id"))?;
        let links = links
            .query_map([], |row| {
                let link = link(row)?;
                let Terms { mode, actions } = in_force(&link);
                Ok(LinkRow {
                    id: link.id,
                    main: link.main_guild_id,
                    child: link.child_guild_id,
                    mode,
                    state: LinkState::from_word(&link.state).ok_or_else(|| odd("state"))?,
                    actions: actions.as_slice().to_vec(),
                    begins_after: row.get::<_, i64>("begins_after")?.cast_unsigned(),
                })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        let topology = Topology::new(mains, links).protecting(self.protection()?);
        Ok(topology.with_exceptions(self.exceptions()?).with_holds(self.undecided_holds()?))
    }

    /// One link.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn link(&self, main: GuildId, child: GuildId) -> Result<Option<Link>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE r.main_guild_id = ?1 AND r.child_guild_id = ?2");
        Ok(self.connection.prepare_cached(&sql)?.query_row([Sql(main), Sql(child)], link).optional()?)
    }

    /// A main's links that are not closed, in the order in which they were made.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn links_of(&self, main: GuildId) -> Result<Vec<Link>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} WHERE r.main_guild_id = ?1 AND r.state <> 'closed' ORDER BY r.id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_map([Sql(main)], link)?.collect::<Result<_, _>>()?)
    }

    /// The links of all mains to a guild that are not closed, in the order in which they were made.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn links_to(&self, child: GuildId) -> Result<Vec<Link>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} WHERE r.child_guild_id = ?1 AND r.state <> 'closed' ORDER BY r.id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_map([Sql(child)], link)?.collect::<Result<_, _>>()?)
    }
}

impl View<'_> {
    /// The security level of a main as it holds in a child: a higher one than the child has accepted does not.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn security_level_in(&self, main: GuildId, child: GuildId) -> Result<SecurityLevel, StoreError> {
        match self.link(main, child)?.and_then(|link| link.accepted_level) {
            Some(SecurityLevel::Standard) => Ok(SecurityLevel::Standard),
            _ => self.security_level(main),
        }
    }
}

impl Change<'_> {
    /// Makes a link active, because both sides agree to it, or changes its mode, because both agree to that.
    ///
    /// # Errors
    /// Where the store fails, or refuses because it would make a chain or a guild of it is locked.
    pub fn activate_link(&self, main: GuildId, child: GuildId, mode: Mode) -> Result<Link, StoreError> {
        let before = self.link(main, child)?.filter(|link| link.state != "closed");
        let before_active = before.as_ref().is_some_and(Link::is_agreed);
        let actions =
            before.map_or_else(AllowedActions::all, |link| AllowedActions::of(&link.allowed_actions));
        let terms = Terms { mode, actions };
        match before_active {
            true => self.agree_to_terms(main, child, &terms),
            false => self.put_link(main, child, LinkState::Active, &terms),
        }
    }

    /// Stores a link in this state on these terms, whether there is one or not. Active means that both sides agree
    /// to it, since now where it was not active before; what was accepted then are these terms. Wider terms that were proposed
    /// for it are proposed no more.
    ///
    /// # Errors
    /// Where the store fails, or refuses: for a chain, a lock, a state that does not follow the one before, or terms that allow
    /// more than an active link's child has accepted.
    pub fn put_link(
        &self,
        main: GuildId,
        child: GuildId,
        state: LinkState,
        terms: &Terms,
    ) -> Result<Link, StoreError> {
        self.ensure_guild(child)?;
        let words = words(terms)?;
        let sql = "INSERT INTO guild_relationships
                (main_guild_id, child_guild_id, sync_mode, allowed_actions, state, accepted_at, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, iif(?5 = 'proposed', NULL, ?6), ?6, ?6)
             ON CONFLICT (main_guild_id, child_guild_id) DO UPDATE
                SET sync_mode = excluded.sync_mode, allowed_actions = excluded.allowed_actions,
                    proposed_mode = NULL, proposed_actions = NULL, state = excluded.state, undone = iif(excluded.state = 'active', 0, undone), updated_at = excluded.updated_at,
                    accepted_at = iif(state IN ('active', 'closing'), coalesce(accepted_at, excluded.accepted_at),
                                      excluded.accepted_at)";
        let now = self.now().millis();
        let values = params![Sql(main), Sql(child), terms.mode.word(), words, state.word(), now];
        self.connection().prepare_cached(sql)?.execute(values)?;
        self.link_changed(main, child)
    }

    /// Asks the child of an active link to accept wider terms. Until it does the link goes on as it is.
    ///
    /// # Errors
    /// Where the store fails, or a guild of it is locked.
    pub fn propose_terms(&self, main: GuildId, child: GuildId, terms: &Terms) -> Result<Link, StoreError> {
        let sql = "UPDATE guild_relationships SET proposed_mode = ?3, proposed_actions = ?4, updated_at = ?5
             WHERE main_guild_id = ?1 AND child_guild_id = ?2 AND state = 'active'";
        let now = self.now().millis();
        let values = params![Sql(main), Sql(child), terms.mode.word(), words(terms)?, now];
        self.connection().prepare_cached(sql)?.execute(values)?;
        self.link_changed(main, child)
    }

    /// Puts an active link on terms that both sides agree to now, however wide they are.
    ///
    /// # Errors
    /// Where the store fails, or a guild of it is locked.
    pub fn agree_to_terms(&self, main: GuildId, child: GuildId, terms: &Terms) -> Result<Link, StoreError> {
        self.propose_terms(main, child, terms)?;
        // What the child accepted before it has accepted still.
        let sql = "UPDATE guild_relationships
               SET accepted_mode = iif('ACTIVE' IN (accepted_mode, proposed_mode), 'ACTIVE', 'MONITOR'),
                   accepted_actions = (SELECT json_group_array(value) FROM
                       (SELECT value FROM json_each(accepted_actions) UNION SELECT value FROM json_each(proposed_actions))),
                   sync_mode = proposed_mode, allowed_actions = proposed_actions,
                   proposed_mode = NULL, proposed_actions = NULL
             WHERE main_guild_id = ?1 AND child_guild_id = ?2 AND state = 'active' AND proposed_mode IS NOT NULL";
        self.connection().prepare_cached(sql)?.execute([Sql(main), Sql(child)])?;
        self.link_changed(main, child)
    }

    /// Asks the children of a main to accept its security level, where they have accepted only the standard one; those that
    /// `agrees` names have accepted it at once. A locked child keeps its link as it is. Those that have not accepted it.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn ask_for_level(
        &self,
        main: GuildId,
        level: SecurityLevel,
        agrees: impl Fn(GuildId) -> bool,
    ) -> Result<Vec<GuildId>, StoreError> {
        let mut waiting = Vec::new();
        for link in self.links_of(main)?.into_iter().filter(|link| link.state == "active") {
            let child = link.child_guild_id;
            let wider =
                level != SecurityLevel::Standard && link.accepted_level == Some(SecurityLevel::Standard);
            if self.is_locked(child)? {
                waiting.extend(wider.then_some(child));
                continue;
            }
            let proposed = wider.then_some(level);
            if link.proposed_level != proposed {
                let sql = "UPDATE guild_relationships SET proposed_level = ?2 WHERE id = ?1";
                let word = proposed.map(SecurityLevel::word);
                self.connection().prepare_cached(sql)?.execute(params![Sql(link.id), word])?;
            }
            if wider && agrees(child) {
                self.accept_level(&link)?;
            } else if wider {
                waiting.push(child);
            }
        }
        Ok(waiting)
    }

    /// The child of a link accepts the security level that was proposed to it.
    ///
    /// # Errors
    /// Where the store fails, or a guild of it is locked.
    pub fn accept_level(&self, link: &Link) -> Result<Link, StoreError> {
        let sql = "UPDATE guild_relationships SET accepted_level = proposed_level, proposed_level = NULL
             WHERE id = ?1 AND proposed_level IS NOT NULL";
        self.connection().prepare_cached(sql)?.execute([Sql(link.id)])?;
        self.link_changed(link.main_guild_id, link.child_guild_id)
    }

    /// The child of a link declines what was proposed to it: the link goes on as it is.
    ///
    /// # Errors
    /// Where the store fails, or a guild of it is locked.
    pub fn decline_terms(&self, link: &Link) -> Result<Link, StoreError> {
        let sql = "UPDATE guild_relationships
               SET proposed_mode = NULL, proposed_actions = NULL, proposed_level = NULL, updated_at = ?2 WHERE id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![Sql(link.id), self.now().millis()])?;
        self.link_changed(link.main_guild_id, link.child_guild_id)
    }

    /// Closes a link: it authorises nothing more, and nobody's consent to it is left.
    ///
    /// # Errors
    /// Where the store fails, or a guild of it is locked.
    pub fn close_link(&self, id: LinkId, main: GuildId, child: GuildId) -> Result<Link, StoreError> {
        let sql = "UPDATE guild_relationships SET state = 'closed', accepted_at = NULL, updated_at = ?2 WHERE id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![Sql(id), self.now().millis()])?;
        let sql = "DELETE FROM forced_closings WHERE link_id = ?1";
        self.connection().prepare_cached(sql)?.execute([Sql(id)])?;
        self.link_changed(main, child)
    }

    /// Closes a link along which what was delivered was taken back, as far as it was to be: none of it is a cause any more.
    ///
    /// # Errors
    /// Where the store fails, or a guild of it is locked.
    pub fn close_undone_link(&self, id: LinkId, main: GuildId, child: GuildId) -> Result<Link, StoreError> {
        let sql = "UPDATE guild_relationships SET undone = 1 WHERE id = ?1";
        self.connection().prepare_cached(sql)?.execute([Sql(id)])?;
        self.close_link(id, main, child)
    }

    /// Says whether what was decided so far is delivered along the link unasked, where it never was.
    ///
    /// # Errors
    /// Where the store fails, or a guild of it is locked.
    pub fn set_beginning(&self, id: LinkId, with_what_was: bool) -> Result<(), StoreError> {
        let sql = "UPDATE guild_relationships
               SET begins_after = iif(?2, 0, (SELECT coalesce(max(event_id), 0) FROM punishments)) WHERE id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![Sql(id), with_what_was])?;
        self.topology_changed();
        Ok(())
    }

    fn link_changed(&self, main: GuildId, child: GuildId) -> Result<Link, StoreError> {
        self.topology_changed();
        self.follow_audit_log(child)?;
        let link = self.link(main, child)?.ok_or_else(|| StoreError::Row {
            table: "guild_relationships",
            what: "the link that was just written is not there".into(),
        })?;
        self.tell(&Changed::Network { link: Some(link.clone()) })?;
        Ok(link)
    }
}

/// The actions of terms as the store has them.
fn words(terms: &Terms) -> Result<String, StoreError> {
    let words: Vec<&str> = terms.actions.as_slice().iter().map(|action| action.word()).collect();
    serde_json::to_string(&words).map_err(|_| StoreError::Row {
        table: "guild_relationships",
        what: "the actions cannot be written as JSON".into(),
    })
}
