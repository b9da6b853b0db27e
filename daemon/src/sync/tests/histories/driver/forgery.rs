//! Rows that somebody writes past the daemon: refused by the triggers, and without them not sent.

use super::super::model::{CHILDREN, Guild, MAINS, UNLINKED};
use super::super::steps::Forgery;
use super::Driver;

impl Driver {
    /// SQL for a link's id.
    pub(super) fn link(&self, main: Guild, child: Guild) -> String {
        let (main, child) = (self.id(main), self.id(child));
        format!(
            "(SELECT id FROM guild_relationships WHERE main_guild_id = {main} AND child_guild_id = {child})"
        )
    }

    pub(super) fn forge(&mut self, kind: Forgery, bare: bool) -> Result<(), String> {
        // In a sound store, so that what is refused is refused for what it is.
        let (main, first, second) = (MAINS.start, CHILDREN.start, CHILDREN.start + 1);
        let framed = self.framed;
        let punishment = |source: Guild| {
            let source = self.id(source);
            format!(
                "INSERT INTO punishments (source_guild, target_user, action, origin, created_at)
                 VALUES ({source}, {framed}, 'ban', 'operator', 1);"
            )
        };
        let delivery = |guild: Guild, scope: &str, link: &str| {
            let guild = self.id(guild);
            format!(
                "INSERT INTO deliveries (punishment_id, guild_id, scope, link_id, action, target_user, state,
                                         created_at, updated_at)
                 VALUES ((SELECT max(event_id) FROM punishments), {guild}, '{scope}', {link}, 'ban', {framed}, 'pending', 1, 1);"
            )
        };
        let sql = match kind {
            Forgery::SourceIsNoMain => {
                punishment(UNLINKED) + &delivery(first, "child", &self.link(main, first))
            }
            Forgery::FromChildToChild => {
                punishment(first) + &delivery(second, "child", &self.link(main, second))
            }
            Forgery::ToAnotherGuild => {
                punishment(main) + &delivery(UNLINKED, "child", &self.link(main, first))
            }
            Forgery::AsOriginElsewhere => punishment(main) + &delivery(first, "origin", "NULL"),
            Forgery::Chain => {
                let (from, to) = (self.id(first), self.id(second));
                format!(
                    "INSERT INTO guild_relationships (main_guild_id, child_guild_id, state, created_at, updated_at)
                     VALUES ({from}, {to}, 'active', 1, 1);"
                ) + &punishment(first)
                    + &delivery(second, "child", &self.link(first, second))
            }
            Forgery::MovedPunishment => {
                let to = self.id(first);
                punishment(main)
                    + &delivery(main, "origin", "NULL")
                    + &format!("UPDATE punishments SET source_guild = {to} WHERE target_user = {framed};")
            }
            Forgery::MovedDelivery => {
                let to = self.id(first);
                punishment(main)
                    + &delivery(main, "origin", "NULL")
                    + &format!("UPDATE deliveries SET guild_id = {to} WHERE target_user = {framed};")
            }
        };
        let systems = self.systems();
        let forged = sql.clone();
        let tried = self.wait(systems.services.store().write(move |change| Ok(change.raw(&forged)?)));
        if tried.is_ok() {
            return Err("the store took a forged row".into());
        }
        if !bare {
            return Ok(());
        }
        // Where a constraint refuses it even without triggers there is nothing to send.
        let _ = self.wait(systems.services.store().write(move |change| Ok(change.without_triggers(&sql)?)));
        drop(systems);
        self.die();
        self.born();
        self.settle()?;
        let mains: Vec<String> = MAINS.map(|main| self.id(main).to_string()).collect();
        let clean = format!(
            "DELETE FROM deliveries WHERE target_user = {framed};
             DELETE FROM punishments WHERE target_user = {framed};
             DELETE FROM guild_relationships WHERE main_guild_id NOT IN ({});",
            mains.join(", ")
        );
        self.change(move |change| change.raw(&clean));
        Ok(())
    }
}
