//! `setup add-child`, `remove-child`, `mode`, `actions`: what a main does with its links, and what a link is.

use super::connection::Check;
use super::{AllowedActions, SecurityLevel};
use crate::operation::Reported;
use crate::operations::punishment::Action;
use crate::operations::reversal::{Counted, words};
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{GuildId, JobId, LinkId, Timestamp, Untrusted};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Link a child guild to this main
///
/// It is active at once if you are an administrator of the child too, or sit on the control socket. Otherwise
/// it is proposed, and delivers nothing before an administrator of the child accepts it there. Once it is active, bans, mutes
/// and timeouts that stand here are delivered there too, those of members first; --dry-run counts them. With --no-backfill only
/// what is decided from then on is delivered.
///
/// It is confirmed, because it may deliver many punishments at once: --confirm=GUILD-ID, or a
/// button on Discord. With --mode=monitor or --no-backfill it is not.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupAddChild {
    /// The child; the bot must be in it
    #[arg(value_name = "GUILD-ID")]
    pub child: GuildId,
    /// Whether punishments are sent or only recorded
    #[arg(long, value_name = "MODE", value_enum)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// What may be delivered: a list such as ban,kick,mute, or none (default all)
    #[arg(long, value_name = "ACTIONS")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actions: Option<AllowedActions>,
    /// Do not deliver what was decided before
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_backfill: bool,
}

/// Unlink a child guild from this main
///
/// What is on its way stops, and a proposal is withdrawn. With --keep, which is what happens where nothing is said, what was
/// delivered stays. With --undo the link is closing until everything is taken back that Wayhaven did there for this main
/// and for which no other cause remains; it delivers nothing else meanwhile. --dry-run counts both. --keep, asked for while
/// the link is closing, ends it at once.
///
/// --undo lifts everything at once, so that it is confirmed: --confirm=GUILD-ID, or a button on Discord.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupRemoveChild {
    /// The child
    #[arg(value_name = "GUILD-ID")]
    pub child: GuildId,
    /// Leave what was delivered as it is (default)
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
    /// Take back what was delivered, and close the link when that is done
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// With --undo: give up at once what cannot be undone now, for example without a permission
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

impl SetupRemoveChild {
    /// What was delivered is left as it is.
    pub fn new(child: GuildId) -> Self {
        Self { child, keep: false, undo: false, force: false }
    }
}

/// Say whether punishments are sent to a child or only recorded
///
/// active, where the child has accepted monitor only, waits until the child accepts it with setup accept; an operator, and
/// whoever administers both guilds, changes it at once.
///
/// What has not left yet follows the new mode: in monitor mode it is skipped. When the mode is
/// active again, what was decided and taken back meanwhile is made good; --dry-run counts it. With
/// --no-backfill it is left. Without it active is confirmed: --confirm=GUILD-ID, or a button on
/// Discord.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupMode {
    /// The child
    #[arg(value_name = "GUILD-ID")]
    pub child: GuildId,
    /// Sent, or only recorded
    #[arg(value_name = "MODE", value_enum)]
    pub mode: Mode,
    /// Do not deliver what was decided before
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_backfill: bool,
}

/// Say what may be delivered to a child
///
/// Actions that the child has not accepted wait until it accepts them with setup accept; an operator, and whoever administers
/// both guilds, changes them at once. Fewer actions need nobody's consent.
///
/// What has not left yet and is not allowed any more is skipped. An undo is allowed wherever its
/// action is. What is allowed anew and stands here is delivered there; --dry-run counts it. With
/// --no-backfill only what is decided from now on is. Without it a list with ban, mute or timeout
/// is confirmed: --confirm=GUILD-ID, or a button on Discord.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupActions {
    /// The child
    #[arg(value_name = "GUILD-ID")]
    pub child: GuildId,
    /// What may be delivered: a list such as ban,kick,mute, or none
    #[arg(value_name = "ACTIONS")]
    pub actions: AllowedActions,
    /// Do not deliver what was decided before
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_backfill: bool,
}

/// What a link does with a punishment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Punishments are sent.
    #[default]
    Active,
    /// Punishments are recorded and not sent.
    Monitor,
}

impl Mode {
    /// The word for it, as in the store (the seed's spelling) and in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Monitor => "MONITOR",
        }
    }

    /// The mode with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Active, Self::Monitor].into_iter().find(|mode| mode.word() == word)
    }
}

/// What a link lets through, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkTerms {
    /// Sent or only recorded.
    pub mode: Mode,
    /// What may be delivered.
    pub actions: AllowedActions,
}

impl LinkTerms {
    /// Whether a child that accepted these terms has accepted the others: they allow no more.
    pub fn covers(&self, others: &Self) -> bool {
        let mode = self.mode == Mode::Active || others.mode == Mode::Monitor;
        mode && others.actions.as_slice().iter().all(|action| self.actions.as_slice().contains(action))
    }

    /// The part of these terms that the accepted ones cover.
    pub fn within(&self, accepted: &Self) -> Self {
        let mode = if accepted.mode == Mode::Active { self.mode } else { Mode::Monitor };
        let actions: Vec<Action> = self
            .actions
            .as_slice()
            .iter()
            .filter(|one| accepted.actions.as_slice().contains(one))
            .copied()
            .collect();
        Self { mode, actions: AllowedActions::of(&actions) }
    }
}

impl fmt::Display for LinkTerms {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.mode.word(), self.actions)
    }
}

/// A link from a main to a child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// Its number.
    pub id: LinkId,
    /// The main.
    pub main_guild_id: GuildId,
    /// The child.
    pub child_guild_id: GuildId,
    /// The child's name, where it is known and the caller may know it.
    pub child_name: Option<Untrusted>,
    /// Sent or only recorded.
    pub mode: Mode,
    /// `proposed`, `active`, `closing` or `closed`.
    pub state: String,
    /// What may be delivered.
    pub allowed_actions: Vec<Action>,
    /// Since when it is so.
    pub updated_at: Timestamp,
    /// Since when both sides agree to it; nothing while they do not.
    #[serde(default)]
    pub accepted_at: Option<Timestamp>,
    /// The most that the child has accepted; nothing while it has accepted nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<LinkTerms>,
    /// The security level of the main that the child has accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_level: Option<SecurityLevel>,
    /// The wider terms that wait for the child's answer, while the link goes on as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<LinkTerms>,
    /// The higher security level that waits for the child's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_level: Option<SecurityLevel>,
}

impl Link {
    /// Whether the child has agreed to it. Before, nothing about the child is the main's business.
    pub fn is_agreed(&self) -> bool {
        matches!(self.state.as_str(), "active" | "closing")
    }

    /// What waits for the child's answer, in words; nothing where nothing does.
    pub fn asked_of_child(&self) -> Option<String> {
        let level = self.proposed_level.map(|level| format!("security level {}", level.word()));
        let all: Vec<String> = self.proposed.iter().map(ToString::to_string).chain(level).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// What may be delivered, in words.
    pub fn actions(&self) -> String {
        AllowedActions::of(&self.allowed_actions).to_string()
    }
}

/// A link that was made, changed or closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinkChanged {
    /// The link as it is now; nothing where a dry run would make one.
    pub link: Option<Link>,
    /// The main.
    pub main_guild_id: GuildId,
    /// The child.
    pub child_guild_id: GuildId,
    /// The state it is in now, or would be.
    pub state: String,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
    /// Open deliveries that stop with the link.
    pub stopped: u64,
    /// What taking back comes to, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<LinkUndo>,
    /// Of a plan that closes the link and takes nothing back: what there is to keep, and what could be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<LinkUndo>,
    /// What is, or would be, another than before, a line each: `mode: ACTIVE → MONITOR`.
    #[serde(default)]
    pub changes: Vec<String>,
    /// The terms that wait, or would wait, for the child's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<LinkTerms>,
    /// What was decided before and is delivered now, where the link was opened for something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<Backfill>,
    /// What the doctor finds wanting in the child, where it is linked and the caller may know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Check>,
}

/// What a link that was opened for something delivers of what was decided before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// The job that does it; nothing where it is not done, or there is nothing to do.
    #[serde(default)]
    pub job: Option<JobId>,
    /// How many decisions there are to deliver, at most: what the guild has already shows when it is looked at.
    pub to_deliver: u64,
    /// How many of those that were taken back meanwhile are lifted, where they are ours.
    #[serde(default)]
    pub to_lift: u64,
    /// Whether it was asked for that nothing of it is done.
    pub left_out: bool,
}

impl Backfill {
    fn words(&self, dry_run: bool) -> String {
        let lift = match self.to_lift {
            0 => String::new(),
            lift => format!(", and up to {lift} would be taken back"),
        };
        match (self.to_deliver, self.job, self.left_out, dry_run) {
            (0, None, ..) if self.to_lift == 0 => "nothing stands that was decided before".to_owned(),
            (count, _, true, _) => format!("left out: {count} decided before"),
            (count, Some(job), ..) => {
                format!("job {job}: up to {count} decided before{lift}").replace("would be", "are")
            }
            (count, ..) => format!("up to {count} decided before would be delivered{lift}"),
        }
    }
}

/// What is not as it should be, and what to do about it.
fn findings_table(findings: &[Check]) -> Table {
    let mut table = Table::new(["not yet well", "result", "what was seen"], "all is well");
    for finding in findings {
        let tone = Cell::toned(finding.result.word(), finding.result.tone());
        table.push([finding.name.clone().into(), tone, Text::Prose(finding.line()).into()]);
    }
    table
}

/// What taking back everything that was delivered along a link comes to, counted by action.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkUndo {
    /// What is taken back, or would be.
    pub taken_back: Vec<Counted>,
    /// What stays, and why.
    pub stay: Vec<Counted>,
}

impl Reported for LinkChanged {
    fn jobs(&self) -> Vec<JobId> {
        self.backfill.iter().filter_map(|backfill| backfill.job).collect()
    }

    fn report(&self) -> Report {
        let same = self.changes.is_empty();
        let made = self.changes.iter().any(|change| change.starts_with("state: "));
        let title = match (self.dry_run, self.state.as_str()) {
            _ if self.proposed.is_some() && same => "already proposed to the child: nothing changed",
            (true, _) if self.proposed.is_some() => {
                "nothing was changed: the child would be asked to accept the wider terms"
            }
            (false, _) if self.proposed.is_some() => {
                "not in effect yet: the child has to accept the wider terms first"
            }
            (_, "proposed") if same => "it is proposed already: nothing changed",
            _ if same => "it is so already: nothing changed",
            (true, "closed") => "nothing was changed: the link would be closed",
            (true, "proposed") => "nothing was changed: the link would be proposed",
            (true, "closing") => "nothing was changed: deliveries would be taken back, the link closed",
            (true, _) if made => "nothing was changed: the link would be active",
            (true, _) => "nothing was changed: the link would be changed",
            (false, "closed") => "the link is closed",
            (false, "closing") => "the link is closing: what was delivered is taken back",
            (false, "proposed") => "the link is proposed, and delivers nothing before the child accepts it",
            (false, _) if made => "the link is active",
            (false, _) => "the link is changed",
        };
        let waits = matches!(self.state.as_str(), "proposed" | "closing") || self.proposed.is_some();
        let tone = if waits { Tone::Waiting } else { Tone::Good };
        let child_name = self.link.as_ref().and_then(|link| link.child_name.as_ref());
        let mut report = Report::new(title, tone)
            .field("Main", self.main_guild_id)
            .field("Child", Text::guild(self.child_guild_id, child_name));
        if let Some(link) = &self.link {
            report = report
                .field("State", link.state.clone())
                .field("Mode", link.mode.word())
                .field("Actions", link.actions());
        }
        if !same {
            report = report.field("Changes", self.changes.join("; "));
        }
        if let Some(backfill) = &self.backfill {
            report = report.field("Backfill", backfill.words(self.dry_run));
            if let Some(job) = backfill.job {
                report = report
                    .hint(format!("job show {job} tells how far the backfill is, job cancel {job} ends it"));
            } else if backfill.left_out && backfill.to_deliver > 0 {
                let child = self.child_guild_id;
                report = report
                    .hint(format!("sync reconcile {child} --apply, asked for in the main, delivers it"));
            }
        }
        if let Some(undo) = &self.undo {
            report = report
                .field("Taken back", words(&undo.taken_back))
                .field("Stays", words(&undo.stay))
                .field("Open deliveries stopped", self.stopped.to_string());
        }
        if let Some(kept) = &self.kept {
            report = report.field("Stays", words(&[kept.taken_back.as_slice(), &kept.stay].concat()));
            if !kept.taken_back.is_empty() {
                let could = words(&kept.taken_back);
                report = report.hint(format!("with --undo these would be taken back instead: {could}"));
            }
        }
        let report = match self.findings.is_empty() {
            true => report,
            false => report.table(findings_table(&self.findings)).hint(format!(
                "setup doctor {} gives the invite link that mends permissions",
                self.child_guild_id
            )),
        };
        if let Some(proposed) = &self.proposed {
            let (main, child) = (self.main_guild_id, self.child_guild_id);
            return report.field("Waits for the child", proposed.to_string()).hint(format!(
                "an administrator of guild {child} accepts it there: /setup accept {main}, or \
                 wayhaven setup accept {main} --guild {child}"
            ));
        }
        match self.state.as_str() {
            "closing" => report.hint("setup dashboard shows how many are left; --keep closes the link at once"),
            "closed" => report.field("Open deliveries stopped", self.stopped.to_string()),
            "proposed" => report.hint(format!(
                "an administrator of guild {} accepts it there with /setup accept {}; the bot has to be in that guild",
                self.child_guild_id, self.main_guild_id
            )),
            _ => report,
        }
    }
}
