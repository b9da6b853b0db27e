//! From a change to the sessions that may see it.

use serde_json::Value;

use super::World;
use crate::fault::EventFate;
use crate::gateway::intent;
use crate::permissions::{BAN_MEMBERS, VIEW_AUDIT_LOG};

/// Something that happened, before it is numbered for a session.
#[derive(Debug, Clone)]
pub struct Event {
    /// Discord's name, as `GUILD_BAN_ADD`.
    pub name: &'static str,
    /// Where; events without a guild go to shard 0.
    pub guild: Option<u64>,
    /// The `d` of the payload.
    pub data: Value,
}

impl Event {
    /// An event of a guild.
    #[must_use]
    pub fn in_guild(name: &'static str, guild: u64, data: Value) -> Self {
        Self { name, guild: Some(guild), data }
    }

    /// The user it tells of, if it tells of one.
    #[must_use]
    pub fn about(&self) -> Option<u64> {
        let id = self.data["user"]["id"].as_str().or_else(|| self.data["target_id"].as_str());
        id.and_then(|id| id.parse().ok())
    }

    /// The intent a session needs, if any.
    fn intent(&self) -> Option<u64> {
        Some(match self.name {
            "GUILD_CREATE" | "GUILD_UPDATE" | "GUILD_DELETE" | "GUILD_ROLE_CREATE" | "GUILD_ROLE_UPDATE"
            | "GUILD_ROLE_DELETE" | "CHANNEL_UPDATE" | "CHANNEL_DELETE" => intent::GUILDS,
            "GUILD_MEMBER_ADD" | "GUILD_MEMBER_REMOVE" | "GUILD_MEMBER_UPDATE" => intent::GUILD_MEMBERS,
            "GUILD_BAN_ADD" | "GUILD_BAN_REMOVE" | "GUILD_AUDIT_LOG_ENTRY_CREATE" => intent::GUILD_MODERATION,
            _ => return None,
        })
    }
}

impl World {
    /// Sends events in the order Discord mostly has, unless a fault says otherwise.
    pub fn emit(&mut self, events: Vec<Event>) {
        if self.muted {
            return;
        }
        let events = self.faults.reorder(events);
        for event in events {
            match self.faults.fate_of(&event) {
                EventFate::Pass => self.deliver(&event),
                EventFate::Drop => {}
                EventFate::Twice => {
                    self.deliver(&event);
                    self.deliver(&event);
                }
                EventFate::After(delay) => {
                    let due = self.clock.now() + delay;
                    self.delayed.push((due, event));
                }
            }
        }
    }

    /// Sends what was held back until now.
    pub fn deliver_delayed(&mut self) {
        let now = self.clock.now();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.delayed).into_iter().partition(|(at, _)| *at <= now);
        self.delayed = later;
        for (_, event) in due {
            self.deliver(&event);
        }
    }

    /// Gives an event to every session with its shard, its intent and the bot's permission for it.
    pub fn deliver(&mut self, event: &Event) {
        if !self.bot_may_see(event) {
            return;
        }
        let (needed, about_bot) = (event.intent(), self.is_about_bot(event));
        let data = event.data.to_string();
        let (now, keep) = (self.clock.now(), self.options.replay_buffer);
        for session in self.sessions.values_mut().filter(|session| session.covers(event.guild)) {
            // A bot hears of itself without the members intent.
            if about_bot || needed.is_none_or(|intent| session.intents & intent != 0) {
                session.dispatch(event.name, &data, keep, now);
            }
        }
    }

    fn bot_may_see(&self, event: &Event) -> bool {
        let Some(guild) = event.guild else { return true };
        let needed = match event.name {
            "GUILD_BAN_ADD" | "GUILD_BAN_REMOVE" => BAN_MEMBERS | VIEW_AUDIT_LOG,
            "GUILD_AUDIT_LOG_ENTRY_CREATE" => VIEW_AUDIT_LOG,
            "GUILD_DELETE" => return true,
            _ => return self.guilds.get(&guild).is_some_and(|g| g.members.contains_key(&self.bot)),
        };
        self.bot_permissions(guild) & needed != 0
    }

    fn is_about_bot(&self, event: &Event) -> bool {
        event.name == "GUILD_MEMBER_UPDATE"
            && event.data["user"]["id"].as_str() == Some(&self.bot.to_string())
    }
}
