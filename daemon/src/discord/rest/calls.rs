//! The requests Wayhaven makes, one method each.

use super::{Call, Rest, RestError};
use crate::clock::SAME_END_MS;
use crate::discord::accounts::Account;
use crate::discord::budget::{Priority, Slot};
use crate::discord::channel::ChannelView;
use crate::discord::interaction::InteractionToken;
use crate::discord::routes::Route;
use crate::network::{GuildChannel, Permit};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{ChannelId, GuildId, RoleId, Timestamp, UserId};

/// `GET /users/@me`.
#[derive(Clone, Debug, Deserialize)]
pub struct CurrentUser {
    /// The bot's own id.
    pub id: UserId,
    /// Its name.
    pub username: String,
}

/// `GET /gateway/bot`: what is needed of it.
#[derive(Clone, Debug, Deserialize)]
pub struct GatewayBot {
    /// The gateway's address.
    pub url: String,
    /// How many shards Discord recommends.
    pub shards: u32,
    /// How many sessions may still be started.
    pub session_start_limit: SessionStartLimit,
}

/// How many sessions may be started in 24 hours (FACTS B2).
#[derive(Clone, Debug, Deserialize)]
pub struct SessionStartLimit {
    /// Of so many.
    pub total: u32,
    /// How many are left; who goes below loses the token.
    pub remaining: u32,
    /// Until all are there again, in milliseconds.
    pub reset_after: i64,
    /// How many shards may identify in each 5 s.
    pub max_concurrency: u32,
}

/// `GET /guilds/{guild}/members/{user}`: what is needed of it, with times by this machine's clock.
#[derive(Clone, Debug, Deserialize)]
pub struct MemberView {
    /// Whose account it is; nothing where Discord did not say.
    #[serde(default)]
    pub user: Option<Account>,
    /// The member's roles.
    pub roles: Vec<RoleId>,
    /// When they joined; nothing for guests.
    #[serde(default)]
    pub joined_at: Option<Timestamp>,
    /// When the timeout ends that they have, or had last.
    #[serde(default)]
    pub communication_disabled_until: Option<Timestamp>,
}

/// What a punishment's request carries beside its permit.
#[derive(Clone, Debug)]
pub struct Order {
    /// To whom it is done.
    pub user: UserId,
    /// For the guild's audit log.
    pub reason: Option<String>,
    /// How many seconds of messages a ban deletes.
    pub delete_seconds: u32,
    /// When a timeout ends, by this machine's clock.
    pub until: Option<Timestamp>,
    /// The guild's mute role.
    pub role: Option<RoleId>,
}

/// An audit-log entry. Our own type: serenity's refuses one without an actor, as bulk bans have (FACTS D4).
#[derive(Clone, Debug, Deserialize)]
pub struct AuditLogEntry {
    /// Its snowflake.
    pub id: String,
    /// Which kind.
    pub action_type: u64,
    /// The actor, where Discord says.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// The target.
    #[serde(default)]
    pub target_id: Option<String>,
    /// The reason given.
    #[serde(default)]
    pub reason: Option<String>,
    /// What was changed, where the kind has such: as it came, since kinds that are not used may have other shapes.
    #[serde(default)]
    pub changes: Value,
    /// Further facts, which depend on the kind.
    #[serde(default)]
    pub options: Value,
}

/// A page of an audit log.
#[derive(Clone, Debug, Deserialize)]
pub struct AuditPage {
    /// Its entries.
    #[serde(rename = "audit_log_entries")]
    pub entries: Vec<AuditLogEntry>,
    /// Whom they are by and about.
    #[serde(default)]
    pub users: Vec<Account>,
}

/// The most entries of an audit log that Discord gives at once (FACTS A4).
pub const AUDIT_PAGE: usize = 100;

fn application(value: &Value) -> Result<(String, u64), RestError> {
    let id = value["id"].as_str().ok_or_else(|| RestError::Lost("an application without id".into()))?;
    Ok((id.to_owned(), value["flags"].as_u64().unwrap_or(0)))
}

pub(super) fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, RestError> {
    serde_json::from_value(value)
        .map_err(|error| RestError::Lost(format!("the answer is not understood: {error}")))
}

impl Rest {
    /// The route of a punishment's request.
    pub fn punishment_route(guild: GuildId, action: Action) -> Route {
        let template = match action {
            Action::Ban => "PUT /guilds/{guild}/bans/{user}",
            Action::Unban => "DELETE /guilds/{guild}/bans/{user}",
            Action::Kick => "DELETE /guilds/{guild}/members/{user}",
            Action::Mute => "PUT /guilds/{guild}/members/{user}/roles/{role}",
            Action::Unmute => "DELETE /guilds/{guild}/members/{user}/roles/{role}",
            Action::Timeout | Action::Untimeout => "PATCH /guilds/{guild}/members/{user}",
            // It makes no request, and its route never shuts.
            Action::Warn => "none",
        };
        Route { template, major: guild.get() }
    }

    /// Whether a user is banned in a guild: what tells, where an answer was lost.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn is_banned(&self, slot: Slot, guild: GuildId, user: UserId) -> Result<bool, RestError> {
        let path = format!("/guilds/{guild}/bans/{user}");
        let route = Self::banned_route(guild);
        let call = Call { method: Method::GET, route, path, body: None, reason: None, bare: false };
        match self.send(Some(slot), call).await {
            Ok(_) => Ok(true),
            Err(error) if error.code() == Some(10026) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The route of [`is_banned`](Self::is_banned).
    pub fn banned_route(guild: GuildId) -> Route {
        Route { template: "GET /guilds/{guild}/bans/{user}", major: guild.get() }
    }

    /// Who the bot is: also the test of its token.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn current_user(&self) -> Result<CurrentUser, RestError> {
        let route = Route { template: "GET /users/@me", major: 0 };
        read(self.read(Priority::Upkeep, route, "/users/@me").await?)
    }

    /// The application's id and flags, which tell the intents it may ask for.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn application(&self) -> Result<(String, u64), RestError> {
        let route = Route { template: "GET /applications/@me", major: 0 };
        application(&self.read(Priority::Upkeep, route, "/applications/@me").await?)
    }

    /// Whose the token is: the bot, its application's id and flags. Asked once each, so that whoever waits for it hears
    /// at once what is wrong.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn identity(&self) -> Result<(CurrentUser, String, u64), RestError> {
        let once = async |template: &'static str, path: &str| {
            let route = Route { template, major: 0 };
            let slot = self.slot(Priority::Interactive, route).await?;
            let path = path.to_owned();
            let call = Call { method: Method::GET, route, path, body: None, reason: None, bare: false };
            self.send(Some(slot), call).await
        };
        let me = read(once("GET /users/@me", "/users/@me").await?)?;
        let (application, flags) = application(&once("GET /applications/@me", "/applications/@me").await?)?;
        Ok((me, application, flags))
    }

    /// How many shards Discord recommends.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn gateway(&self) -> Result<GatewayBot, RestError> {
        let route = Route { template: "GET /gateway/bot", major: 0 };
        read(self.read(Priority::Upkeep, route, "/gateway/bot").await?)
    }

    /// A member's roles; nothing where the user is no member.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn member(&self, guild: GuildId, user: UserId) -> Result<Option<MemberView>, RestError> {
        self.member_at(Priority::Interactive, guild, user).await
    }

    /// The same, for whoever can wait.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn member_at(
        &self,
        priority: Priority,
        guild: GuildId,
        user: UserId,
    ) -> Result<Option<MemberView>, RestError> {
        let path = format!("/guilds/{guild}/members/{user}");
        match self.read(priority, Self::member_route(guild), &path).await {
            Ok(value) => Ok(Some(self.local(read(value)?))),
            Err(error) if matches!(error.code(), Some(10007 | 10013)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A channel; nothing for one that the bot does not see.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn channel(
        &self,
        priority: Priority,
        channel: ChannelId,
    ) -> Result<Option<ChannelView>, RestError> {
        let route = Route { template: "GET /channels/{channel}", major: channel.get() };
        match self.read(priority, route, &format!("/channels/{channel}")).await {
            Ok(value) => read(value).map(Some),
            Err(error) if matches!(error.code(), Some(10003 | 50001)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whose account it is.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn account(&self, user: UserId) -> Result<Account, RestError> {
        self.account_at(Priority::Interactive, user).await
    }

    /// The same at another priority.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn account_at(&self, priority: Priority, user: UserId) -> Result<Account, RestError> {
        let route = Route { template: "GET /users/{user}", major: 0 };
        read(self.read(priority, route, &format!("/users/{user}")).await?)
    }

    /// Replaces the application's commands, everywhere or in one guild.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn register(
        &self,
        application: &str,
        guild: Option<GuildId>,
        commands: Value,
    ) -> Result<(), RestError> {
        let (template, path) = match guild {
            None => ("PUT /applications/{app}/commands", format!("/applications/{application}/commands")),
            Some(guild) => (
                "PUT /applications/{app}/guilds/{guild}/commands",
                format!("/applications/{application}/guilds/{guild}/commands"),
            ),
        };
        let route = Route { template, major: guild.map_or(0, GuildId::get) };
        let slot = self.slot(Priority::Upkeep, route).await?;
        let call = Call { method: Method::PUT, route, path, body: Some(commands), reason: None, bare: false };
        self.send(Some(slot), call).await.map(drop)
    }

    /// Carries out a permit's action as ordered, in the permit's guild.
    ///
    /// # Errors
    /// [`RestError`]. Lifting a ban, or taking a role, that is not there is no error.
    pub async fn punish(&self, slot: Slot, permit: &Permit, order: Order) -> Result<(), RestError> {
        let (guild, action, user) = (permit.guild(), permit.action(), order.user);
        let route = Self::punishment_route(guild, action);
        let ban = format!("/guilds/{guild}/bans/{user}");
        let member = format!("/guilds/{guild}/members/{user}");
        let role = order.role.map(|role| format!("{member}/roles/{role}"));
        let role = || role.ok_or_else(|| RestError::Lost("a mute without its role".into()));
        // Measured anew with every answer, so what is sent is kept.
        let end = order.until.filter(|_| action == Action::Timeout);
        let sent_end = end.map(|end| self.clock.skew().to_discord(end));
        let (method, path, body) = match action {
            Action::Ban => {
                (Method::PUT, ban, Some(json!({ "delete_message_seconds": order.delete_seconds })))
            }
            Action::Unban => (Method::DELETE, ban, None),
            Action::Kick => (Method::DELETE, member, None),
            // By the routes of one role: the whole list would be read, changed and written (FACTS A3).
            Action::Mute => (Method::PUT, role()?, None),
            Action::Unmute => (Method::DELETE, role()?, None),
            Action::Timeout => {
                (Method::PATCH, member, Some(json!({ "communication_disabled_until": sent_end })))
            }
            Action::Untimeout => {
                (Method::PATCH, member, Some(json!({ "communication_disabled_until": null })))
            }
            Action::Warn => return Ok(()),
        };
        let call = Call { method, route, path, body, reason: order.reason, bare: false };
        match (action, self.send(Some(slot), call).await) {
            (Action::Unban, Err(error)) if error.code() == Some(10026) => Ok(()),
            (Action::Unmute, Err(error)) if error.code() == Some(10011) => Ok(()),
            (Action::Timeout | Action::Untimeout, Ok(member)) => self.check_timeout(sent_end, &member),
            // The answer's date shows that this machine's clock was set meanwhile: the end was
            // another one than was meant.
            (Action::Timeout, Err(error))
                if error.is_about_the_form()
                    && Self::is_another(sent_end, end.map(|end| self.clock.skew().to_discord(end))) =>
            {
                Err(RestError::NotApplied)
            }
            (_, result) => result.map(drop),
        }
    }

    /// Whether the member that Discord answers with has the timeout that was asked for: with `end`
    /// by Discord's clock, or none. Without a member in the answer its status alone counts.
    pub(super) fn check_timeout(&self, end: Option<Timestamp>, member: &Value) -> Result<(), RestError> {
        let Some(shown) = member.get("communication_disabled_until") else { return Ok(()) };
        let shown = shown.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let measured = self.clock.skew().to_discord(self.clock.now());
        let now = self.clock.discord_said().unwrap_or(measured);
        let shown = shown.filter(|shown| *shown > now);
        match shown.is_some() != end.is_some() || Self::is_another(end, shown) {
            false => Ok(()),
            true => Err(RestError::NotApplied),
        }
    }

    /// Whether two ends by Discord's clock are not the same one.
    fn is_another(one: Option<Timestamp>, other: Option<Timestamp>) -> bool {
        matches!((one, other), (Some(one), Some(other)) if one.millis().abs_diff(other.millis()) > SAME_END_MS)
    }

    /// A member's times by this machine's clock.
    fn local(&self, member: MemberView) -> MemberView {
        let local = |at: Timestamp| self.clock.skew().to_local(at);
        MemberView {
            joined_at: member.joined_at.map(local),
            communication_disabled_until: member.communication_disabled_until.map(local),
            ..member
        }
    }

    /// A member as far as it is needed here, with a slot that the caller has; nothing where the user is none.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn member_now(
        &self,
        slot: Slot,
        guild: GuildId,
        user: UserId,
    ) -> Result<Option<MemberView>, RestError> {
        let path = format!("/guilds/{guild}/members/{user}");
        let route = Self::member_route(guild);
        let call = Call { method: Method::GET, route, path, body: None, reason: None, bare: false };
        match self.send(Some(slot), call).await {
            Ok(value) => Ok(Some(self.local(read(value)?))),
            Err(error) if matches!(error.code(), Some(10007 | 10013)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The route of [`member_now`](Self::member_now).
    pub fn member_route(guild: GuildId) -> Route {
        Route { template: "GET /guilds/{guild}/members/{user}", major: guild.get() }
    }

    /// Posts to a guild's own channel.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn post(&self, channel: GuildChannel, message: Value) -> Result<(), RestError> {
        let channel = channel.channel();
        let route = Route { template: "POST /channels/{channel}/messages", major: channel.get() };
        let slot = self.slot(Priority::Upkeep, route).await?;
        let path = format!("/channels/{channel}/messages");
        let call = Call { method: Method::POST, route, path, body: Some(message), reason: None, bare: false };
        self.send(Some(slot), call).await.map(drop)
    }

    /// Answers an autocomplete.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn complete(
        &self,
        interaction: u64,
        token: &InteractionToken,
        choices: Value,
    ) -> Result<(), RestError> {
        let body = json!({ "type": 8, "data": { "choices": choices } });
        let route = Route { template: "POST /interactions/{id}/{token}/callback", major: interaction };
        let path = format!("/interactions/{interaction}/{}/callback", token.expose());
        let call = Call { method: Method::POST, route, path, body: Some(body), reason: None, bare: true };
        self.send(None, call).await.map(drop)
    }

    /// Fills in the answer of a deferred interaction, or changes it.
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn answer(
        &self,
        application: &str,
        token: &InteractionToken,
        message: Value,
    ) -> Result<(), RestError> {
        let route = Route { template: "PATCH /webhooks/{app}/{token}/messages/@original", major: 0 };
        let path = format!("/webhooks/{application}/{}/messages/@original", token.expose());
        let call = Call { method: Method::PATCH, route, path, body: Some(message), reason: None, bare: true };
        self.send(None, call).await.map(drop)
    }
}
