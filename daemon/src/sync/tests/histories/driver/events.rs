//! What the daemon hears of Discord: from the gateway, or from the driver in its place.

use super::super::model::{Guild, UNLINKED};
use super::Driver;
use crate::discord::event;
use crate::testing::{guild as guild_id, user as user_id};
use serde_json::{Value, json};
use wayhaven_sandbox::world::action;
use wayhaven_shared::operations::punishment::Action;

/// What an audit log has that was not taken in.
struct Fresh {
    id: u64,
    guild: Guild,
    /// Its place in the log.
    at: usize,
    entry: Value,
    /// The event that comes with it, by its name.
    event: Option<(&'static str, Value)>,
}

impl Driver {
    /// Waits until the gateway's events so far are taken in: one more is made, and they keep their order. Whether there
    /// were any about the history's users.
    pub(super) fn hear(&mut self) -> bool {
        let (sandbox, place) = (&self.stage.sandbox, self.id(UNLINKED));
        let entries = sandbox.read(|world| {
            let of_ours = |id: &u64| {
                let audit = &world.guilds[id].audit;
                audit.iter().filter(|entry| entry.target.is_some_and(|user| self.is_followed(user))).count()
            };
            self.stage.guilds.iter().map(of_ours).collect::<Vec<_>>()
        });
        let marker = sandbox.stranger();
        sandbox.people().ban(place, sandbox.owner(), marker, None).unwrap();
        self.until(move |_, view| {
            view.is_done_locally(guild_id(place), user_id(marker), Action::Ban).unwrap()
        });
        std::mem::replace(&mut self.taken, entries.try_into().unwrap()) != self.taken
    }

    /// Whether the history is about that user.
    pub(super) fn is_followed(&self, user: u64) -> bool {
        user == self.kicked || self.users.contains(&user) || self.outsiders.is_one(user)
    }

    /// Hands on what Discord's audit logs have that was not taken in; whether there was anything.
    pub(super) fn pump(&mut self) -> bool {
        if self.stage.gateway {
            return self.hear();
        }
        self.pump_for(None)
    }

    /// The same, given up in the middle after so many turns.
    pub(super) fn pump_for(&mut self, turns: Option<usize>) -> bool {
        let mut fresh: Vec<Fresh> = Vec::new();
        self.stage.sandbox.read(|world| {
            for (guild, id) in self.stage.guilds.iter().enumerate() {
                for (at, entry) in world.guilds[id].audit.iter().enumerate().skip(self.taken[guild]) {
                    let ours = entry.target.is_some_and(|user| user == self.framed || self.is_followed(user));
                    if ours {
                        let mut data = entry.json();
                        data["guild_id"] = json!(id.to_string());
                        let user = entry.target.unwrap_or_default().to_string();
                        let event = json!({ "guild_id": id.to_string(), "user": { "id": user } });
                        let event = match entry.action {
                            action::BAN_ADD => Some(("GUILD_BAN_ADD", event)),
                            action::BAN_REMOVE => Some(("GUILD_BAN_REMOVE", event)),
                            _ => None,
                        };
                        fresh.push(Fresh { id: entry.id, guild, at, entry: data, event });
                    }
                }
            }
        });
        fresh.sort_by_key(|one| one.id);
        let any = !fresh.is_empty();
        for Fresh { guild, at, entry, event, .. } in fresh {
            let event = event.map(|(name, event)| event::read(name, &event).unwrap().unwrap());
            let entry = event::read("GUILD_AUDIT_LOG_ENTRY_CREATE", &entry).unwrap().unwrap();
            // Events come in either order, and may come twice.
            let events = match (self.dice.below(4), event) {
                (0, Some(event)) => vec![entry, event],
                (1, Some(event)) => vec![event.clone(), event, entry.clone(), entry],
                (1, None) => vec![entry.clone(), entry],
                (_, event) => event.into_iter().chain([entry]).collect(),
            };
            let systems = self.systems();
            let take = async {
                for event in events {
                    let taken = systems.ingest.take(event).await;
                    systems.ingest.follow(taken.committed().await);
                }
            };
            match turns {
                None => self.wait(take),
                Some(turns) => {
                    let cut = self.life().runtime.block_on(async {
                        tokio::select! {
                            biased;
                            () = take => false,
                            () = async { for _ in 0..turns { tokio::task::yield_now().await } } => true,
                        }
                    });
                    if cut {
                        return true;
                    }
                }
            }
            self.taken[guild] = at + 1;
        }
        any
    }
}
