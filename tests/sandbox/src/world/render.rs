//! The state as Discord writes it in JSON. Keys follow Discord's description; where serenity needs one more,
//! FACTS D4 says so.

use serde_json::{Value, json};

use super::{Channel, Role, World};
use crate::permissions;
use crate::snowflake;

/// The most exceptions a channel can have (FACTS A11, 30060).
const OVERWRITES_PER_CHANNEL: u64 = 1_000;

impl World {
    /// A user; an unknown one is shown as deleted.
    #[must_use]
    pub fn user_json(&self, id: u64) -> Value {
        let user = self.users.get(&id);
        let name = user.map_or("deleted_user", |user| user.name.as_str());
        let mut json = json!({
            "id": id.to_string(),
            "username": name,
            "discriminator": "0",
            "global_name": null,
            "avatar": null,
            "banner": null,
            "accent_color": null,
            "avatar_decoration_data": null,
            "collectibles": null,
            "primary_guild": null,
            "public_flags": 0,
            "flags": 0,
        });
        if user.is_some_and(|user| user.bot) {
            json["bot"] = json!(true);
        }
        json
    }

    /// A member with its user; for somebody outside the guild a bare one.
    #[must_use]
    pub fn member_json(&self, guild: u64, user: u64) -> Value {
        let member = self.guilds.get(&guild).and_then(|g| g.members.get(&user));
        let roles: Vec<String> =
            member.map(|m| m.roles.iter().map(ToString::to_string).collect()).unwrap_or_default();
        json!({
            "user": self.user_json(user),
            "roles": roles,
            "nick": member.and_then(|m| m.nick.clone()),
            "joined_at": member.map(|m| snowflake::timestamp(m.joined_ms)),
            "communication_disabled_until": member.and_then(|m| m.timeout_ms).map(snowflake::timestamp),
            "flags": member.map_or(0, |m| m.flags),
            "avatar": null,
            "banner": null,
            "premium_since": null,
            "pending": false,
            "mute": false,
            "deaf": false,
        })
    }

    /// A role.
    #[must_use]
    pub fn role_json(&self, guild: u64, role: u64) -> Value {
        let found = self.guilds.get(&guild).and_then(|g| g.roles.get(&role));
        found.map_or(Value::Null, role_json)
    }

    /// A guild's channel or a DM.
    #[must_use]
    pub fn channel_json(&self, channel: &Channel) -> Value {
        let last = channel.messages.last().map_or(Value::Null, |message| message["id"].clone());
        let Some(guild) = channel.guild else {
            let recipients: Vec<Value> = channel.recipient.iter().map(|id| self.user_json(*id)).collect();
            return json!({
                "id": channel.id.to_string(), "type": 1, "flags": 0,
                "last_message_id": last, "recipients": recipients,
            });
        };
        let overwrites: Vec<Value> = channel
            .overwrites
            .iter()
            .map(|o| {
                json!({
                    "id": o.id.to_string(), "type": u8::from(o.member),
                    "allow": o.allow.to_string(), "deny": o.deny.to_string(),
                })
            })
            .collect();
        json!({
            "id": channel.id.to_string(), "type": 0, "guild_id": guild.to_string(), "name": channel.name,
            "position": channel.position, "permission_overwrites": overwrites, "flags": 0, "nsfw": false,
            "topic": null, "parent_id": null, "rate_limit_per_user": 0, "last_message_id": last,
        })
    }

    /// A guild as REST gives it.
    #[must_use]
    pub fn guild_json(&self, id: u64, with_counts: bool) -> Value {
        let Some(guild) = self.guilds.get(&id) else { return Value::Null };
        let roles: Vec<Value> = guild.roles.values().map(role_json).collect();
        let mut json = json!({
            "id": id.to_string(), "name": guild.name, "owner_id": guild.owner.to_string(),
            "icon": null, "description": null, "home_header": null, "splash": null, "discovery_splash": null,
            "features": [], "banner": null, "application_id": null, "region": "deprecated",
            "afk_channel_id": null, "afk_timeout": 300, "system_channel_id": null, "system_channel_flags": 0,
            "widget_enabled": false, "widget_channel_id": null, "verification_level": 0, "roles": roles,
            "default_message_notifications": 0, "mfa_level": u8::from(guild.two_factor), "explicit_content_filter": 0,
            "max_presences": null, "max_members": 500_000, "max_stage_video_channel_users": 50,
            "max_video_channel_users": 25, "vanity_url_code": null, "premium_tier": 0,
            "premium_subscription_count": 0, "preferred_locale": "en-US", "rules_channel_id": null,
            "safety_alerts_channel_id": null, "public_updates_channel_id": null,
            "premium_progress_bar_enabled": false, "nsfw": false, "nsfw_level": 0, "emojis": [],
            "stickers": [], "incidents_data": null,
        });
        if with_counts {
            json["approximate_member_count"] = json!(guild.members.len());
            json["approximate_presence_count"] = json!(guild.members.len().div_ceil(3));
        }
        json
    }

    /// A guild as GUILD_CREATE carries it. Without the presences intent its members are only the bot.
    #[must_use]
    pub fn guild_create_json(&self, id: u64) -> Value {
        let mut json = self.guild_json(id, false);
        let Some(guild) = self.guilds.get(&id) else { return json };
        let channels: Vec<Value> = guild
            .channels
            .iter()
            .filter_map(|c| self.channels.get(c))
            .map(|c| self.channel_json(c))
            .collect();
        json["joined_at"] = self.member_json(id, self.bot)["joined_at"].clone();
        json["large"] = json!(guild.members.len() > 250);
        json["unavailable"] = json!(false);
        json["member_count"] = json!(guild.members.len());
        json["channels"] = json!(channels);
        json["members"] = json!([self.member_json(id, self.bot)]);
        self.enlarge(id, &mut json);
        for empty in [
            "threads",
            "presences",
            "voice_states",
            "stage_instances",
            "guild_scheduled_events",
            "soundboard_sounds",
        ] {
            json[empty] = json!([]);
        }
        json
    }

    /// Adds channels full of exceptions until GUILD_CREATE is as large as a fault asks.
    fn enlarge(&self, guild: u64, json: &mut Value) {
        let least = self.faults.least_size(guild);
        let (Some(channels), mut size) = (json["channels"].as_array_mut(), 0) else { return };
        // What does not count here, the rest of the payload, makes it only larger.
        for at in 1u64.. {
            if size >= least {
                return;
            }
            let exception =
                |nth: u64| json!({"id": (guild + nth).to_string(), "type": 1, "allow": "0", "deny": "1024"});
            let exceptions: Vec<Value> = (1..=OVERWRITES_PER_CHANNEL).map(exception).collect();
            let id = guild + OVERWRITES_PER_CHANNEL + at;
            let mut channel =
                self.channel_json(&Channel::empty(id, Some(guild), None, &format!("archive-{at}"), 2));
            channel["permission_overwrites"] = json!(exceptions);
            size += channel.to_string().len();
            channels.push(channel);
        }
    }

    /// The application, with the flags that tell which privileged intents it has.
    #[must_use]
    pub fn application_json(&self) -> Value {
        let flags = self.application_flags();
        let mut json = json!({
            "id": self.application.to_string(), "name": "Wayhaven", "icon": null,
            "description": "Punishments of one guild, delivered to its network.", "type": null,
            "bot": self.user_json(self.bot), "bot_public": false, "bot_require_code_grant": false,
            "verify_key": "0".repeat(64), "flags": flags, "flags_new": flags.to_string(),
            "redirect_uris": [], "interactions_endpoint_url": null,
            "role_connections_verification_url": null, "owner": self.user_json(self.owner),
            "approximate_guild_count": self.guilds.len(), "approximate_user_install_count": 0,
            "approximate_user_authorization_count": 0, "explicit_content_filter": 0, "team": null,
            "eligible_oauth2_scopes": [], "integration_types_config": {"0": {}}, "tags": [],
        });
        json["install_params"] = json!({
            "scopes": ["bot", "applications.commands"],
            "permissions": permissions::LEAST_FOR_BOT.to_string(),
        });
        json
    }

    /// Flags of the application: the limited forms of the privileged intents that are granted.
    #[must_use]
    pub fn application_flags(&self) -> u64 {
        let granted = [
            (self.options.presences_intent, 1 << 13),
            (self.options.members_intent, 1 << 15),
            (self.options.content_intent, 1 << 19),
        ];
        granted.iter().filter(|(on, _)| *on).fold(0, |flags, (_, bit)| flags | bit)
    }
}

fn role_json(role: &Role) -> Value {
    let mut json = json!({
        "id": role.id.to_string(), "name": role.name, "permissions": role.permissions.to_string(),
        "position": role.position, "color": role.color,
        "colors": {"primary_color": role.color, "secondary_color": null, "tertiary_color": null},
        "hoist": role.hoist, "managed": role.bot.is_some(), "mentionable": role.mentionable,
        "icon": null, "unicode_emoji": null, "flags": 0,
    });
    if let Some(bot) = role.bot {
        json["tags"] = json!({"bot_id": bot.to_string()});
    }
    json
}
