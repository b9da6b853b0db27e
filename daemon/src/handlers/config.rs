//! `config`: what a guild has set.

use super::Handle;
use crate::authority;
use crate::context::Context;
use crate::discord::budget::Priority;
use crate::discord::channel::{ChannelView, WRITES, missing};
use crate::discord::mute_role::{self, Unfit};
use crate::invocation::Actor;
use crate::network::GuildChannel;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::config::{
    ConfigAudit, ConfigLogchannel, ConfigMuterole, ConfigNotifications, ConfigShow, ConfigStaffrole,
    ConfigWarnings, GuildConfig, GuildConfigShown, GuildConfigured, Switch,
};
use wayhaven_shared::value::{ChannelId, GuildId, RoleId, WarningStep};

impl Handle for ConfigShow {
    async fn handle(self, cx: &Context) -> Result<GuildConfigShown, Fault> {
        let guild_id = cx.guild()?;
        let config = cx.services.store().read(move |view| Ok(view.config(guild_id)?)).await?;
        Ok(GuildConfigShown { guild_id, guild_name: cx.services.directory().name(guild_id), config })
    }
}

impl Handle for ConfigNotifications {
    async fn handle(self, cx: &Context) -> Result<GuildConfigured, Fault> {
        let guild = cx.guild()?;
        let Self { channel, off } = self;
        if off && channel.is_some() {
            return Err(Fault::usage(
                "a channel turns the notifications on, and --off turns them off: say one",
            ));
        }
        if let Some(channel) = channel {
            check_channel(cx, guild, channel).await?;
        }
        configure(cx, guild, move |before| {
            let channel = channel.or(before.notification_channel_id);
            if channel.is_none() && !off {
                return Err(Fault::usage("this guild has no notification channel yet")
                    .hint("config notifications CHANNEL sets it and turns the notifications on"));
            }
            Ok(GuildConfig { notification_channel_id: channel, notifications: !off, ..before })
        })
        .await
    }
}

impl Handle for ConfigLogchannel {
    async fn handle(self, cx: &Context) -> Result<GuildConfigured, Fault> {
        let guild = cx.guild()?;
        let channel = set_or_unset(self.channel, self.unset, "a channel")?;
        if let Some(channel) = channel {
            check_channel(cx, guild, channel).await?;
        }
        configure(cx, guild, move |before| Ok(GuildConfig { log_channel_id: channel, ..before })).await
    }
}

impl Handle for ConfigStaffrole {
    async fn handle(self, cx: &Context) -> Result<GuildConfigured, Fault> {
        let guild = cx.guild()?;
        let role = set_or_unset(self.role, self.unset, "a role")?;
        if let Some(role) = role {
            check_role(cx, guild, role)?;
            check_below_caller(cx, guild, role)?;
        }
        configure(cx, guild, move |before| {
            if role.is_some() && role == before.mute_role_id {
                return Err(Fault::conflict(
                    "this is the guild's mute role: whoever is muted would be its staff",
                )
                .hint("config muterole names another role for mutes"));
            }
            Ok(GuildConfig { staff_role_id: role, ..before })
        })
        .await
    }
}

impl Handle for ConfigMuterole {
    async fn handle(self, cx: &Context) -> Result<GuildConfigured, Fault> {
        let guild = cx.guild()?;
        let role = set_or_unset(self.role, self.unset, "a role")?;
        if let Some(role) = role {
            check_role(cx, guild, role)?;
            check_mutes(cx, guild, role)?;
            check_below_caller(cx, guild, role)?;
            if cx.services.store().topology().protection().by_roles(guild, &[role]).is_some() {
                return Err(Fault::conflict(format!(
                    "role {role} is protected in this guild: whoever is muted could not be punished any more"
                ))
                .hint("make a role for nothing but mutes, or protect remove --role ends the protection"));
            }
        }
        let configured = configure(cx, guild, move |before| {
            if role.is_some() && role == before.staff_role_id {
                return Err(Fault::conflict(
                    "this is the guild's staff role: whoever is muted would be its staff",
                )
                .hint("make a role for nothing but mutes"));
            }
            Ok(GuildConfig { mute_role_id: role, ..before })
        })
        .await?;
        match (configured.dry_run, role) {
            (true, _) => {}
            // Mutes that waited for it go on. Who waits for them counts them as soon as this
            // returns.
            (false, Some(_)) => {
                cx.systems.engine.mended_recorded(guild).await;
                cx.services.store().write(|_| Ok::<_, Fault>(())).await?;
            }
            (false, None) => cx.systems.engine.lost(guild),
        }
        Ok(configured)
    }
}

impl Handle for ConfigWarnings {
    async fn handle(self, cx: &Context) -> Result<GuildConfigured, Fault> {
        let Self { steps, within } = self;
        if let (true, Some(within)) = (steps.is_off(), within) {
            return Err(Fault::usage(format!("off counts no warnings, so --within {within} means nothing"))
                .hint("say either config warnings off, or steps and --within"));
        }
        // Who warns people into a ban has banned them.
        let mut refused = Vec::new();
        for step in steps.iter() {
            refused.extend(authority::check_action(cx, step.action()).err().map(|fault| (step, fault)));
        }
        configure(cx, cx.guild()?, move |before| {
            let is_new = |step: WarningStep| !before.warnings.iter().any(|was| was == step);
            match refused.into_iter().find(|(step, _)| is_new(*step)) {
                Some((_, fault)) => Err(fault),
                None => Ok(GuildConfig { warnings: steps, warnings_within: within, ..before }),
            }
        })
        .await
    }
}

impl Handle for ConfigAudit {
    async fn handle(self, cx: &Context) -> Result<GuildConfigured, Fault> {
        let audit = self.state == Switch::On;
        configure(cx, cx.guild()?, move |before| {
            if audit && before.notification_channel_id.is_none() {
                return Err(Fault::conflict(
                    "the audit is posted to the notification channel, and there is none",
                )
                .hint("config notifications CHANNEL sets it"));
            }
            Ok(GuildConfig { audit, ..before })
        })
        .await
    }
}

/// What is set from now on: a value, or nothing where that was asked for.
fn set_or_unset<T>(value: Option<T>, unset: bool, what: &str) -> Result<Option<T>, Fault> {
    match (value, unset) {
        (value @ Some(_), false) => Ok(value),
        (None, true) => Ok(None),
        (Some(_), true) | (None, false) => Err(Fault::usage(format!("say either {what} or --unset"))),
    }
}

/// Changes the settings as `plan` says; a dry run is only the plan.
async fn configure(
    cx: &Context,
    guild_id: GuildId,
    plan: impl FnOnce(GuildConfig) -> Result<GuildConfig, Fault> + Send + 'static,
) -> Result<GuildConfigured, Fault> {
    let (store, dry_run) = (cx.services.store(), cx.invocation.dry_run);
    let (before, after) = if dry_run {
        let work = move |view: &crate::store::View<'_>| {
            let before = view.config(guild_id)?;
            Ok((before.clone(), plan(before)?))
        };
        store.read(work).await?
    } else {
        let work = move |change: &crate::store::Change<'_>| {
            let before = change.config(guild_id)?;
            let after = plan(before.clone())?;
            // Also where nothing is new: setting a channel again says that it may be tried again.
            change.configure(guild_id, &after)?;
            Ok((before, after))
        };
        let configured = store.write(work).await?;
        // What the doctor found there may hang on it.
        cx.services.directory().touch(guild_id);
        configured
    };
    Ok(GuildConfigured { guild_id, before, after, dry_run })
}

/// Whether the guild can be told something there. One guild's notices are posted in no other's channel.
async fn check_channel(cx: &Context, guild: GuildId, channel: ChannelId) -> Result<(), Fault> {
    let view = cx.services.rest().channel(Priority::Interactive, channel).await?;
    let own = view.filter(|view| GuildChannel::of(guild, channel, view.guild_id).is_some());
    let Some(view) = own else {
        return Err(Fault::not_found(format!("guild {guild} has no channel {channel} that the bot sees"))
            .hint("it has to be a channel of this guild itself, in which the bot's role has View Channel"));
    };
    if !view.takes_messages() {
        return Err(Fault::usage(format!("channel {channel} is of a kind that takes no messages for good"))
            .hint("name a text channel: categories, forums and threads do not do"));
    }
    check_caller_writes(cx, guild, &view, channel)?;
    // Where Discord has not told of the guild yet, the first message will show it.
    let lacks = cx.services.directory().my_permissions_in(guild, &view).map(missing).unwrap_or_default();
    if lacks.is_empty() {
        return Ok(());
    }
    Err(Fault::conflict(format!("the bot may not post in channel {channel}: it lacks {}", lacks.join(", ")))
        .hint("give the bot's role that permission in the channel, and ask again"))
}

/// A member lets Wayhaven post only where they can post themselves.
fn check_caller_writes(
    cx: &Context,
    guild: GuildId,
    view: &ChannelView,
    channel: ChannelId,
) -> Result<(), Fault> {
    let Actor::Member { user, roles, .. } = &cx.invocation.actor else { return Ok(()) };
    let Some(base) = cx.services.directory().permissions(guild, *user, roles) else {
        return Err(Fault::unavailable(
            "Discord has not told about this guild's roles yet: try again in a moment",
        ));
    };
    let bits = view.permissions(base, guild, *user, roles);
    if bits & WRITES == WRITES {
        return Ok(());
    }
    Err(Fault::denied(format!("you cannot see channel {channel}, or cannot write there"))
        .hint("name a channel in which you have View Channel and Send Messages"))
}

/// Whether the role is one of the guild's, and not everybody's.
pub(super) fn check_role(cx: &Context, guild: GuildId, role: RoleId) -> Result<(), Fault> {
    if role.get() == guild.get() {
        return Err(Fault::usage("@everyone is no such role: everybody in the guild has it"));
    }
    match cx.services.directory().has_role(guild, role) {
        Some(true) => Ok(()),
        Some(false) => Err(Fault::not_found(format!("guild {guild} has no role {role}"))
            .hint("on Discord: Server Settings, Roles, Copy Role ID (with Developer Mode)")),
        None => Err(Fault::unavailable(
            "Discord has not told about this guild's roles yet: try again in a moment",
        )),
    }
}

/// Whether the role may be given to people as a mute. Every mute asks the same again.
fn check_mutes(cx: &Context, guild: GuildId, role: RoleId) -> Result<(), Fault> {
    let Some(unfit) = mute_role::unfit(cx.services.directory(), guild, role) else { return Ok(()) };
    let hint = match unfit {
        Unfit::AboveBot => "on Discord: Server Settings, Roles, drag the bot's role above it, and ask again",
        _ => "make a role for nothing but mutes, without permissions and below the bot's own role",
    };
    let message = unfit.reason(role).replacen("the mute role", "role", 1);
    Err(Fault::conflict(format!("{message}: it cannot be the mute role")).hint(hint))
}

/// A member lets Wayhaven use only a role that they could use themselves: Discord lets people give roles below their own
/// highest one (FACTS A2). The guild's owner, and operators on the socket, stand above every role.
pub(super) fn check_below_caller(cx: &Context, guild: GuildId, role: RoleId) -> Result<(), Fault> {
    let Actor::Member { user, roles, .. } = &cx.invocation.actor else { return Ok(()) };
    let directory = cx.services.directory();
    if directory.owner(guild) == Some(*user) {
        return Ok(());
    }
    match directory.ranks_above(guild, roles, &[role]) {
        Some(true) => Ok(()),
        Some(false) => Err(Fault::denied(format!("role {role} does not rank below your own highest role"))
            .hint("the guild's owner can do this, or a member whose highest role ranks above it")),
        None => Err(Fault::unavailable(
            "Discord has not told about this guild's roles yet: try again in a moment",
        )),
    }
}

#[cfg(test)]
mod tests;
