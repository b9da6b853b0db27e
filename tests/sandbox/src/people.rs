//! What people do in Discord's own interface: moderate by hand, use commands, read the replies, change roles.

mod before;
mod bots;
mod guild;
mod slash;
mod two_factor;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Refusal;
use crate::discord::Discord;
use crate::interaction::{Answered, Interaction, InteractionId};
use crate::world::{Event, Role, World, action};

/// How long [`People::reply`] waits, in real time.
const PATIENCE: Duration = Duration::from_secs(60);

/// People. Every act is checked as Discord would check it for that person.
#[derive(Clone)]
pub struct People {
    discord: Arc<Discord>,
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("People")
    }
}

/// What came of an act; the error is Discord's, in words.
pub type Done = Result<(), String>;

impl People {
    pub(crate) fn of(discord: Arc<Discord>) -> Self {
        Self { discord }
    }

    fn act(&self, act: impl FnOnce(&mut World) -> Result<(), Refusal>) -> Done {
        self.discord.change(act).map_err(|refusal| refusal.to_string())
    }

    /// Bans somebody.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn ban(&self, guild: u64, by: u64, user: u64, reason: Option<&str>) -> Done {
        self.act(|world| world.ban(guild, by, user, reason))
    }

    /// Bans many at once, as from the list of members.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn bulk_ban(&self, guild: u64, by: u64, users: &[u64], reason: Option<&str>) -> Done {
        self.act(|world| world.bulk_ban(guild, by, users, reason).map(|_| ()))
    }

    /// Lifts a ban.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn unban(&self, guild: u64, by: u64, user: u64, reason: Option<&str>) -> Done {
        self.act(|world| world.unban(guild, by, user, reason))
    }

    /// Kicks a member.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn kick(&self, guild: u64, by: u64, user: u64, reason: Option<&str>) -> Done {
        self.act(|world| world.kick(guild, by, user, reason))
    }

    /// Times a member out from now on; `None` ends a timeout.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn timeout(
        &self,
        guild: u64,
        by: u64,
        user: u64,
        length: Option<Duration>,
        reason: Option<&str>,
    ) -> Done {
        let millis = length.map(|length| u64::try_from(length.as_millis()).unwrap_or(u64::MAX / 2));
        self.act(|world| {
            let until = millis.map(|millis| world.clock.unix_ms() + millis);
            world.timeout(guild, by, user, until, reason)
        })
    }

    /// Prunes members, as inactive for 7 days: one entry for all of them.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn prune(&self, guild: u64, by: u64, users: &[u64]) -> Done {
        self.act(|world| world.prune(guild, by, users))
    }

    /// A rule of AutoMod times a member out for something they wrote in `general`.
    ///
    /// # Errors
    /// Not a member, somebody whom AutoMod spares, or a length beyond 28 days.
    pub fn automod_timeout(&self, guild: u64, user: u64, rule: &str, length: Duration) -> Done {
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX / 2);
        self.act(|world| {
            let until = world.clock.unix_ms() + millis;
            world.automod_timeout(guild, user, rule, until)
        })
    }

    /// Gives a role.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn add_role(&self, guild: u64, by: u64, user: u64, role: u64) -> Done {
        self.act(|world| world.change_role(guild, by, user, role, true, None))
    }

    /// Takes a role.
    ///
    /// # Errors
    /// What Discord would say to that person.
    pub fn remove_role(&self, guild: u64, by: u64, user: u64, role: u64) -> Done {
        self.act(|world| world.change_role(guild, by, user, role, false, None))
    }

    /// Joins a guild.
    ///
    /// # Errors
    /// Banned there, or no such guild or user.
    pub fn join(&self, guild: u64, user: u64) -> Done {
        self.act(|world| world.join(guild, user))
    }

    /// Leaves a guild.
    ///
    /// # Errors
    /// Not a member, or no such guild.
    pub fn leave(&self, guild: u64, user: u64) -> Done {
        self.act(|world| world.leave(guild, user))
    }

    /// Accepts direct messages or not.
    pub fn accept_dms(&self, user: u64, accepts: bool) {
        self.discord.change(|world| {
            if let Some(user) = world.users.get_mut(&user) {
                user.accepts_dms = accepts;
            }
        });
    }

    /// The owner sets what a role grants.
    ///
    /// # Errors
    /// No such role.
    pub fn set_role_permissions(&self, guild: u64, role: u64, bits: u64) -> Done {
        self.edit_role(guild, role, |role| role.permissions = bits)
    }

    /// The owner moves a role; greater positions rank higher.
    ///
    /// # Errors
    /// No such role.
    pub fn move_role(&self, guild: u64, role: u64, position: i64) -> Done {
        self.edit_role(guild, role, |role| role.position = position)
    }

    /// The owner sets what the bot's own role grants.
    ///
    /// # Errors
    /// The bot is not there.
    pub fn set_bot_permissions(&self, guild: u64, bits: u64) -> Done {
        let role = self.discord.read(|world| {
            let roles = world.guilds.get(&guild).map(|found| found.roles.values());
            roles.into_iter().flatten().find(|role| role.bot == Some(world.bot)).map(|role| role.id)
        });
        self.set_role_permissions(guild, role.ok_or("the bot has no role there")?, bits)
    }

    fn edit_role(&self, guild: u64, role: u64, edit: impl FnOnce(&mut Role)) -> Done {
        self.act(|world| {
            let found = world.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
            let owner = found.owner;
            edit(found.roles.get_mut(&role).ok_or_else(|| Refusal::unknown(10011))?);
            world.role_changed(guild, owner, role, action::ROLE_UPDATE, None);
            Ok(())
        })
    }

    /// The owner deletes a role.
    ///
    /// # Errors
    /// No such role.
    pub fn delete_role(&self, guild: u64, role: u64) -> Done {
        self.act(|world| {
            let found = world.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
            let owner = found.owner;
            found.roles.remove(&role).ok_or_else(|| Refusal::unknown(10011))?;
            found.members.values_mut().for_each(|member| member.roles.retain(|held| *held != role));
            world.role_changed(guild, owner, role, action::ROLE_DELETE, None);
            Ok(())
        })
    }

    /// The owner removes the bot: GUILD_DELETE without `unavailable`.
    ///
    /// # Errors
    /// It is not there.
    pub fn remove_bot(&self, guild: u64) -> Done {
        self.act(|world| {
            let bot = world.bot;
            let found = world.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?;
            found.members.remove(&bot).ok_or_else(|| Refusal::unknown(10007))?;
            world.emit(vec![Event::in_guild("GUILD_DELETE", guild, json!({"id": guild.to_string()}))]);
            Ok(())
        })
    }

    /// The owner invites the bot (again), with its role: GUILD_CREATE.
    ///
    /// # Errors
    /// No such guild.
    pub fn invite_bot(&self, guild: u64) -> Done {
        self.act(|world| {
            let bot = world.bot;
            world.join(guild, bot)?;
            if let Some(found) = world.guilds.get_mut(&guild) {
                let own: Vec<u64> =
                    found.roles.values().filter(|r| r.bot == Some(bot)).map(|r| r.id).collect();
                if let Some(member) = found.members.get_mut(&bot) {
                    member.roles = own;
                }
            }
            let data = world.guild_create_json(guild);
            world.emit(vec![Event::in_guild("GUILD_CREATE", guild, data)]);
            Ok(())
        })
    }

    /// A guild goes into an outage: GUILD_DELETE with `unavailable`, and 503 to requests.
    ///
    /// # Errors
    /// No such guild.
    pub fn outage(&self, guild: u64) -> Done {
        self.act(|world| {
            world.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?.unavailable = true;
            let data = json!({"id": guild.to_string(), "unavailable": true});
            world.emit(vec![Event::in_guild("GUILD_DELETE", guild, data)]);
            Ok(())
        })
    }

    /// The outage ends: GUILD_CREATE.
    ///
    /// # Errors
    /// No such guild.
    pub fn restore(&self, guild: u64) -> Done {
        self.act(|world| {
            world.guilds.get_mut(&guild).ok_or_else(|| Refusal::unknown(10004))?.unavailable = false;
            let data = world.guild_create_json(guild);
            world.emit(vec![Event::in_guild("GUILD_CREATE", guild, data)]);
            Ok(())
        })
    }

    /// Discord resets the bot's token: every session ends, every request is 401. Gives the new one.
    #[must_use]
    pub fn reset_token(&self) -> String {
        self.discord.change(|world| {
            world.reset_token();
            world.token.clone()
        })
    }

    /// The reply to an interaction as it is once it is there: after a deferral the first real message. For an
    /// autocomplete `{"choices": …}`, for a modal the modal.
    ///
    /// # Errors
    /// There is none within a minute.
    pub async fn reply(&self, interaction: InteractionId) -> Result<Value, String> {
        self.reply_within(interaction, PATIENCE).await
    }

    /// As [`People::reply`], with a patience (real time).
    ///
    /// # Errors
    /// There is none in time.
    pub async fn reply_within(
        &self,
        interaction: InteractionId,
        patience: Duration,
    ) -> Result<Value, String> {
        let answer =
            |discord: &Discord| discord.read(|world| world.interactions.get(&interaction).and_then(shown));
        let waited = self.discord.wait_until(|discord| answer(discord).is_some(), patience).await;
        answer(&self.discord).ok_or_else(|| match waited {
            Err(timeout) => format!("interaction {interaction} has no reply: {timeout}"),
            Ok(()) => format!("interaction {interaction} has no reply any more"),
        })
    }

    /// The original reply as it was after each write, oldest first; after a press also what was sent beside its message.
    #[must_use]
    pub fn replies(&self, interaction: InteractionId) -> Vec<Value> {
        self.interaction(interaction).map(|found| found.history).unwrap_or_default()
    }

    /// Everything about an interaction: whether it was deferred, after how long it was answered, follow-ups.
    #[must_use]
    pub fn interaction(&self, interaction: InteractionId) -> Option<Interaction> {
        self.discord.read(|world| world.interactions.get(&interaction).cloned())
    }
}

/// What the person sees, if there is anything yet.
fn shown(found: &Interaction) -> Option<Value> {
    if found.answered != Answered::Done {
        return None;
    }
    if let Some(choices) = &found.choices {
        return Some(json!({"choices": choices}));
    }
    found.modal.clone().or_else(|| found.history.last().cloned())
}
