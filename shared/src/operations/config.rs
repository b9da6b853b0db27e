//! `config`: what a guild has set.

use crate::operation::Reported;
use crate::report::{Report, Table, Text, Tone};
use crate::value::{ChannelId, GuildId, RoleId, Span, Untrusted, WarningSteps};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// Everything this guild has set
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfigShow {}

/// Where this guild is told of the punishments that reached it or were decided in it
///
/// A channel turns them on; --off turns them off and keeps the channel; neither turns them on again.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfigNotifications {
    /// A text channel of this guild that the bot may write to
    #[arg(value_name = "CHANNEL")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
    /// Post nothing any more, and keep the channel for later
    #[arg(long)]
    #[serde(default)]
    pub off: bool,
}

/// Where this guild's alerts and late results are posted
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfigLogchannel {
    /// A text channel of this guild that the bot may write to
    #[arg(value_name = "CHANNEL")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelId>,
    /// Have no log channel any more
    #[arg(long)]
    #[serde(default)]
    pub unset: bool,
}

/// Which role counts as this guild's staff
///
/// Staff may look: at punishments, at the dashboard and at the audit.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfigStaffrole {
    /// A role of this guild
    #[arg(value_name = "ROLE")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleId>,
    /// Have no staff role any more
    #[arg(long)]
    #[serde(default)]
    pub unset: bool,
}

/// Which role mutes in this guild
///
/// mute and unmute give and take it. It must rank below the bot's own role. What a mute role may not do is set on Discord.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfigMuterole {
    /// A role of this guild
    #[arg(value_name = "ROLE")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleId>,
    /// Have no mute role any more
    #[arg(long)]
    #[serde(default)]
    pub unset: bool,
}

/// What follows when somebody reaches a number of warnings in this guild
///
/// When a warning brings somebody's warnings to exactly the number of a step, what the step says follows by itself, like
/// a command here: from a main guild in every linked child too. Each step is WARNINGS:ACTION, with how long after another
/// colon: timeout needs it, mute and ban may have it, kick has none. off is what a guild begins with.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigWarnings {
    /// The steps, as 3:timeout:1h,5:kick,7:ban:7d; or off
    #[arg(value_name = "STEPS")]
    pub steps: WarningSteps,
    /// Count only warnings that are not older, as 30d; all without
    #[arg(long, value_name = "SPAN")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
}

/// Whether this guild's audit is posted to its notification channel
///
/// What changed something, was refused or failed is posted. The recording itself is always on.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigAudit {
    /// Whether it is posted
    #[arg(value_name = "STATE", value_enum)]
    pub state: Switch,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// Posted.
    On,
    /// Not posted.
    Off,
}

/// What a guild has set by the operations of this family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuildConfig {
    /// Where punishments and the audit are posted.
    pub notification_channel_id: Option<ChannelId>,
    /// Whether punishments are posted there.
    pub notifications: bool,
    /// Whether the audit is posted there.
    pub audit: bool,
    /// Where alerts and late results go.
    pub log_channel_id: Option<ChannelId>,
    /// The role that counts as staff.
    pub staff_role_id: Option<RoleId>,
    /// The role that mutes.
    #[serde(default)]
    pub mute_role_id: Option<RoleId>,
    /// What follows how many warnings.
    #[serde(default)]
    pub warnings: WarningSteps,
    /// How old a warning that counts may be.
    #[serde(default)]
    pub warnings_within: Option<Span>,
}

/// One setting for people.
struct Setting {
    name: &'static str,
    value: String,
    purpose: &'static str,
}

impl GuildConfig {
    fn settings(&self) -> [Setting; 6] {
        let id = |id: Option<String>| id.unwrap_or_else(|| "not set".into());
        let notifications = match (self.notification_channel_id, self.notifications) {
            (None, _) => "not set".to_owned(),
            (Some(channel), true) => format!("{channel}, on"),
            (Some(channel), false) => format!("{channel}, off"),
        };
        [
            Setting {
                name: "notifications",
                value: notifications,
                purpose: "what reached this guild or was decided in it",
            },
            Setting {
                name: "audit",
                value: if self.audit { "on" } else { "off" }.into(),
                purpose: "who asked for what, posted there too",
            },
            Setting {
                name: "logchannel",
                value: id(self.log_channel_id.map(|id| id.to_string())),
                purpose: "alerts and late results",
            },
            Setting {
                name: "staffrole",
                value: id(self.staff_role_id.map(|id| id.to_string())),
                purpose: "who may look without a permission",
            },
            Setting {
                name: "muterole",
                value: id(self.mute_role_id.map(|id| id.to_string())),
                purpose: "what mute gives and unmute takes",
            },
            Setting {
                name: "warnings",
                value: match self.warnings_within {
                    Some(span) => format!("{}, within {span}", self.warnings),
                    None => self.warnings.to_string(),
                },
                purpose: "what follows how many warnings",
            },
        ]
    }
}

/// Everything a guild has set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuildConfigShown {
    /// The guild.
    pub guild_id: GuildId,
    /// Its name, where it is known.
    pub guild_name: Option<Untrusted>,
    /// What it has set.
    pub config: GuildConfig,
}

impl Reported for GuildConfigShown {
    fn report(&self) -> Report {
        let mut table = Table::new(["setting", "value", "what it is for"], "nothing");
        for setting in self.config.settings() {
            table.push([setting.name.into(), setting.value.into(), setting.purpose.into()]);
        }
        Report::new("what this guild has set", Tone::Plain)
            .field("Guild", Text::guild(self.guild_id, self.guild_name.as_ref()))
            .table(table)
    }
}

/// A guild's settings before and after a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuildConfigured {
    /// The guild.
    pub guild_id: GuildId,
    /// As it was.
    pub before: GuildConfig,
    /// As it is now, or would be.
    pub after: GuildConfig,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for GuildConfigured {
    fn report(&self) -> Report {
        let title = match (self.before == self.after, self.dry_run) {
            (true, _) => "it was set so already: nothing changed",
            (false, true) => "nothing was changed: it would be set",
            (false, false) => "set",
        };
        let report = Report::new(title, Tone::Good).field("Guild", self.guild_id);
        let changes = self.before.settings().into_iter().zip(self.after.settings());
        changes
            .filter(|(before, after)| before.value != after.value)
            .fold(report, |report, (before, after)| {
                report.field(after.name, format!("{} → {}", before.value, after.value))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_shows_what_was_before_and_after_and_nothing_that_stayed() {
        let before = GuildConfig { log_channel_id: ChannelId::new(5), ..GuildConfig::default() };
        let after =
            GuildConfig { notification_channel_id: ChannelId::new(7), notifications: true, ..before.clone() };
        let guild_id = GuildId::new(1).unwrap();
        let report = |before: &GuildConfig, after: &GuildConfig| {
            let changed =
                GuildConfigured { guild_id, before: before.clone(), after: after.clone(), dry_run: false };
            let report = changed.report();
            (report.title, report.fields.into_iter().map(|(name, cell)| (name, cell.text.line())))
        };
        let (title, fields) = report(&before, &after);
        let fields: Vec<_> = fields.skip(1).collect();
        assert_eq!(
            (title.line().as_str(), fields),
            ("set", vec![("notifications".into(), "not set → 7, on".into())])
        );
        let (title, fields) = report(&after, &after);
        assert_eq!((title.line().as_str(), fields.count()), ("it was set so already: nothing changed", 1));
    }
}
