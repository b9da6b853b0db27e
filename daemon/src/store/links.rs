//! `guild_relationships`: the links, and the topology that is read from them.

use super::rows::{Sql, column, odd, optional, word};
use super::{Change, StoreError, View};
use crate::network::{Freeze, LinkRow, LinkState, Topology};
use rusqlite::{OptionalExtension, Row, params};
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::setup::{AllowedActions, Link, Mode};
use wayhaven_shared::value::{GuildId, LinkId};

/// What a link lets through, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Sent or only recorded.
    pub mode: Mode,
    /// What may be delivered.
    pub actions: AllowedActions,
}

const COLUMNS: &str =
    "r.id, r.main_guild_id, r.child_guild_id, r.sync_mode, r.allowed_actions, r.state, r.updated_at,
    r.accepted_at, r.begins_after, g.name
    FROM guild_relationships r JOIN guild_settings g ON g.guild_id = r.child_guild_id";

fn link(row: &Row<'_>) -> rusqlite::Result<Link> {
    let words: String = row.get("allowed_actions")?;
    let words: Vec<String> = serde_json::from_str(&words).map_err(|_| odd("allowed_actions"))?;
    Ok(Link {
        id: column(row, "id")?,
        main_guild_id: column(row, "main_guild_id")?,
        child_guild_id: column(row, "child_guild_id")?,
        child_name: optional(row, "name")?,
        mode: word(row, "sync_mode", Mode::from_word)?,
        state: row.get("state")?,
        // Words of actions that this version does not know allow nothing.
        allowed_actions: words.iter().filter_map(|word| Action::from_word(word)).collect(),
        updated_at: column(row, "updated_at")?,
        accepted_at: optional(row, "accepted_at")?,
    })
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
                Ok(LinkRow {
                    id: link.id,
                    main: link.main_guild_id,
                    child: link.child_guild_id,
                    mode: link.mode,
                    state: LinkState::from_word(&link.state).ok_or_else(|| odd("state"))?,
                    actions: link.allowed_actions,
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

impl Change<'_> {
    /// Makes a link active, because both sides agree to it, or changes its mode.
    ///
    /// # Errors
    /// Where the store fails, or refuses because it would make a chain or a guild of it is locked.
    pub fn activate_link(&self, main: GuildId, child: GuildId, mode: Mode) -> Result<Link, StoreError> {
        let before = self.link(main, child)?.filter(|link| link.state != "closed");
        let actions =
            before.map_or_else(AllowedActions::all, |link| AllowedActions::of(&link.allowed_actions));
        self.put_link(main, child, LinkState::Active, &Terms { mode, actions })
    }

    /// Stores a link in this state on these terms, whether there is one or not. Active means that both sides agree
    /// to it, since now where it was not active before.
    ///
    /// # Errors
    /// Where the store fails, or refuses: for a chain, a lock, or a state that does not follow the one before.
    pub fn put_link(
        &self,
        main: GuildId,
        child: GuildId,
        state: LinkState,
        terms: &Terms,
    ) -> Result<Link, StoreError> {
        self.ensure_guild(child)?;
        let words: Vec<&str> = terms.actions.as_slice().iter().map(|action| action.word()).collect();
        let words = serde_json::to_string(&words).map_err(|_| StoreError::Row {
            table: "guild_relationships",
            what: "the actions cannot be written as JSON".into(),
        })?;
        let sql = "INSERT INTO guild_relationships
                (main_guild_id, child_guild_id, sync_mode, allowed_actions, state, accepted_at, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, iif(?5 = 'proposed', NULL, ?6), ?6, ?6)
             ON CONFLICT (main_guild_id, child_guild_id) DO UPDATE
                SET sync_mode = excluded.sync_mode, allowed_actions = excluded.allowed_actions,
                    state = excluded.state, undone = iif(excluded.state = 'active', 0, undone), updated_at = excluded.updated_at,
                    accepted_at = iif(state IN ('active', 'closing'), coalesce(accepted_at, excluded.accepted_at),
                                      excluded.accepted_at)";
        let now = self.now().millis();
        let values = params![Sql(main), Sql(child), terms.mode.word(), words, state.word(), now];
        self.connection().prepare_cached(sql)?.execute(values)?;
        self.link_changed(main, child)
    }

    /// Closes a link: it authorises nothing more, and nobody's consent to it is left.
    ///
    /// # Errors
    /// Where the store fails, or a guild of it is locked.
    pub fn close_link(&self, id: LinkId, main: GuildId, child: GuildId) -> Result<Link, StoreError> {
        let sql = "UPDATE guild_relationships SET state = 'closed', accepted_at = NULL, updated_at = ?2 WHERE id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![Sql(id), self.now().millis()])?;
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
