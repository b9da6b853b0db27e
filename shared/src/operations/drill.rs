//! `drill run`, `list`, `show`: a dry run of a whole network.

use super::setup::{Check, CheckResult};
use crate::operation::Reported;
use crate::operations::punishment::Action;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{DrillId, GuildId, PageSize, Timestamp, Untrusted, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Try out, without doing it, where in this network a punishment would arrive, and what would fail
///
/// With --user it is about somebody: where they could be banned, and where they are, rank too high or are protected.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DrillRun {
    /// As if this user were to be punished
    #[arg(long, value_name = "USER")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
}

/// Drills, newest first
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DrillList {
    /// How many at most, 1 to 500 (default 25)
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageSize>,
}

/// What one drill found, guild by guild
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrillShow {
    /// Its number, as "drill list" shows it
    #[arg(value_name = "DRILL")]
    pub id: DrillId,
}

/// What would become of a punishment in a guild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prospect {
    /// It would be carried out.
    Arrives,
    /// It is so already.
    Already,
    /// It would wait.
    Waits,
    /// It is not meant to arrive: a link that does not allow it, or only watches; somebody who is protected.
    Spared,
    /// It would fail.
    Fails,
}

impl Prospect {
    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Arrives => "arrives",
            Self::Already => "already",
            Self::Waits => "waits",
            Self::Spared => "spared",
            Self::Fails => "fails",
        }
    }

    /// How it stands.
    pub fn tone(self) -> Tone {
        match self {
            Self::Arrives | Self::Already => Tone::Good,
            Self::Waits => Tone::Waiting,
            Self::Spared => Tone::Quiet,
            Self::Fails => Tone::Bad,
        }
    }
}

/// What would become of one measure in a guild.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// The measure.
    pub action: Action,
    /// What would become of it.
    pub prospect: Prospect,
    /// Why, where it would not simply arrive.
    #[serde(default)]
    pub why: Option<Untrusted>,
}

/// A guild in a drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrilledGuild {
    /// Which.
    pub guild_id: GuildId,
    /// Its name, where it is known.
    #[serde(default)]
    pub guild_name: Option<Untrusted>,
    /// Each measure.
    pub outlooks: Vec<Outlook>,
    /// What the doctor finds there, apart from what is as it should be.
    pub findings: Vec<Check>,
}

/// A drill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drill {
    /// Its number; nothing for one that is not kept.
    #[serde(default)]
    pub id: Option<DrillId>,
    /// The main whose network it was.
    pub main_guild_id: GuildId,
    /// Whom it was about.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// Who asked for it, as the audit names them.
    pub asked_by: Untrusted,
    /// When.
    pub at: Timestamp,
    /// The main, and each of its children.
    pub guilds: Vec<DrilledGuild>,
}

impl Drill {
    /// In how many guilds a ban would come to this.
    pub fn bans(&self, prospect: Prospect) -> usize {
        let of_ban = self.guilds.iter().flat_map(|guild| &guild.outlooks);
        of_ban.filter(|outlook| outlook.action == Action::Ban && outlook.prospect == prospect).count()
    }

    fn title(&self) -> Text {
        let whom =
            self.user_id.map_or_else(|| Text::from("a ban"), |user| Text::from("a ban of user ") + user);
        let there = self.bans(Prospect::Arrives) + self.bans(Prospect::Already);
        whom + format!(" would arrive in {there} of {} guilds", self.guilds.len())
    }

    fn tone(&self) -> Tone {
        match (self.bans(Prospect::Fails), self.bans(Prospect::Waits)) {
            (0, 0) => Tone::Good,
            (0, _) => Tone::Waiting,
            _ => Tone::Bad,
        }
    }
}

impl Reported for Drill {
    fn report(&self) -> Report {
        let mut table = Table::new(["guild", "ban", "kick", "mute", "timeout", "why"], "no guild");
        let mut findings = Table::new(["guild", "what", "", "seen", "mended by"], "nothing");
        for guild in &self.guilds {
            let of = |action| guild.outlooks.iter().find(|outlook| outlook.action == action);
            let cell = |action| {
                of(action).map_or_else(
                    || Cell::from("—"),
                    |one| Cell::toned(one.prospect.word(), one.prospect.tone()),
                )
            };
            // What keeps a ban from arriving comes before what keeps a mute.
            let why = guild.outlooks.iter().find_map(|outlook| outlook.why.as_ref());
            let place = || Text::guild(guild.guild_id, guild.guild_name.as_ref());
            table.push([
                place().into(),
                cell(Action::Ban),
                cell(Action::Kick),
                cell(Action::Mute),
                cell(Action::Timeout),
                why.map_or_else(|| Text::from("—"), |why| Text::Prose(why.clone())).into(),
            ]);
            for check in &guild.findings {
                let tone = if check.result == CheckResult::Fail { Tone::Bad } else { Tone::Warning };
                let word = if check.result == CheckResult::Fail { "fails" } else { "may fail" };
                findings.push([
                    place().into(),
                    check.name.clone().into(),
                    Cell::toned(word, tone),
                    Cell::from(&check.detail),
                    Cell::from(check.mend.as_ref()),
                ]);
            }
        }
        let kept = self.id.map_or_else(|| "not kept".to_owned(), |id| id.to_string());
        Report::new(self.title(), self.tone())
            .field("Drill", kept)
            .field("Main", self.main_guild_id)
            .field("When", self.at)
            .field("By", Text::actor(&self.asked_by))
            .table(table)
            .table(findings.titled("What the doctor finds"))
    }
}

/// Drills.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drills {
    /// Newest first.
    pub drills: Vec<Drill>,
}

impl Reported for Drills {
    fn report(&self) -> Report {
        let headers = ["drill", "when (UTC)", "main", "user", "arrives", "waits", "spared", "fails", "by"];
        let mut table = Table::new(headers, "none yet: drill run tries one");
        for drill in &self.drills {
            let arrives = drill.bans(Prospect::Arrives) + drill.bans(Prospect::Already);
            let fails = drill.bans(Prospect::Fails);
            table.push([
                drill.id.map_or_else(|| "—".to_owned(), |id| id.to_string()).into(),
                Text::short(drill.at).into(),
                drill.main_guild_id.into(),
                Text::from(drill.user_id.as_ref()).into(),
                arrives.to_string().into(),
                drill.bans(Prospect::Waits).to_string().into(),
                drill.bans(Prospect::Spared).to_string().into(),
                Cell::toned(fails.to_string(), if fails == 0 { Tone::Plain } else { Tone::Bad }),
                Text::actor(&drill.asked_by).into(),
            ]);
        }
        let title = match self.drills.len() {
            1 => "1 drill".to_owned(),
            several => format!("{several} drills"),
        };
        Report::new(title, Tone::Plain).table(table)
    }
}
