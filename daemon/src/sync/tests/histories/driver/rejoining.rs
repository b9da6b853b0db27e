//! Whoever is muted or timed out leaves a guild, or is kicked by hand, and joins it again.

use super::super::model::{CASES, Guild, MAINS};
use super::Driver;
use crate::discord::event;
use crate::testing::{guild as guild_id, user as user_id};
use serde_json::json;
use wayhaven_shared::operations::punishment::Action;

impl Driver {
    /// They are gone and back once everything has come to rest. The daemon may not hear of it: it is away, or Discord does not
    /// tell. A kick by hand is a main's decision there, so that they leave a main by themselves.
    pub(super) fn rejoin(&mut self, guild: Guild, kicked: bool, heard: bool) -> Result<(), String> {
        self.settle()?;
        let Some((user, _)) = CASES.into_iter().find(|(_, measure)| *measure == Action::Mute) else {
            return Ok(());
        };
        let (whom, place) = (self.users[user], self.id(guild));
        if !self.stage.sandbox.read(|world| world.guilds[&place].members.contains_key(&whom)) {
            return Ok(());
        }
        if !heard {
            self.die();
        }
        let sandbox = &self.stage.sandbox;
        let people = sandbox.people();
        match kicked && heard && !MAINS.contains(&guild) {
            true => people.kick(place, self.owner(guild), whom, None)?,
            false => people.leave(place, whom)?,
        }
        people.join(place, whom)?;
        if !heard {
            self.born();
            if !self.stage.gateway {
                // As who holds protected roles is read after READY.
                let (guild, user) = (guild_id(place), user_id(whom));
                self.change(move |change| change.note_holder(guild, user, &[]));
            }
        } else if self.stage.gateway {
            self.hear();
            // What follows a join follows its commit.
            let systems = self.systems();
            self.wait(systems.services.store().write(|_| Ok(()))).map_err(|fault| fault.to_string())?;
        } else {
            let mut joined = sandbox.read(|world| world.member_json(place, whom));
            joined["guild_id"] = json!(place.to_string());
            let left = json!({ "guild_id": place.to_string(), "user": { "id": whom.to_string() } });
            let systems = self.systems();
            for (name, data) in [("GUILD_MEMBER_REMOVE", left), ("GUILD_MEMBER_ADD", joined)] {
                let event = event::read(name, &data).unwrap().unwrap();
                self.wait(async {
                    let taken = systems.ingest.take(event).await;
                    systems.ingest.follow(taken.committed().await);
                });
            }
        }
        self.model.rejoined(guild, heard);
        self.settle().map_err(|why| {
            let (systems, user) = (self.systems(), user_id(whom));
            let rows = self.wait(systems.services.store().read(move |view| Ok(view.history_of(user)?)));
            format!("{} joined {} again: {why}\n{}", user, guild_id(place), rows.unwrap_or_default())
        })
    }
}
