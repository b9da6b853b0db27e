//! `setup test-connection`: whether a guild can be reached, point by point.

use crate::fault::{Fault, FaultKind};
use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{GuildId, Untrusted};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Test whether punishments can reach a guild, point by point
///
/// A main tests its children and itself, a child only itself. Nothing is changed. On the command line the exit code is 10
/// where a point failed; what is only warned of leaves it 0.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupTestConnection {
    /// The child, or this guild itself
    #[arg(value_name = "GUILD-ID")]
    pub child: GuildId,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// As it should be.
    Ok,
    /// Something is missing, or not known.
    Warn,
    /// Something that is allowed cannot be delivered like this.
    Fail,
}

impl CheckResult {
    /// The word for it, in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }

    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warn => Tone::Warning,
            Self::Fail => Tone::Bad,
        }
    }
}

/// One point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it went.
    pub result: CheckResult,
    /// What was seen.
    pub detail: Untrusted,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<Untrusted>,
    /// Whether an invite with the least permissions does that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_invite: bool,
}

impl Check {
    /// A point with nothing to be done about it.
    pub fn new(name: &str, result: CheckResult, detail: impl AsRef<str>) -> Self {
        Self {
            name: name.to_owned(),
            result,
            detail: Untrusted::clipped(detail.as_ref()),
            mend: None,
            by_invite: false,
        }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn mended_by(mut self, mend: impl AsRef<str>) -> Self {
        self.mend = Some(Untrusted::clipped(mend.as_ref()));
        self
    }

    /// The same, where the invite does it too.
    #[must_use]
    pub fn mended_by_invite(self, mend: impl AsRef<str>) -> Self {
        Self { by_invite: true, ..self.mended_by(mend) }
    }

    /// What was seen and what to do about it, on one line.
    pub(super) fn line(&self) -> Untrusted {
        match &self.mend {
            None => self.detail.clone(),
            Some(mend) => Untrusted::clipped(&format!("{}: {}", self.detail.raw(), mend.raw())),
        }
    }
}

/// All points, in an order in which one would mend them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionTested {
    /// The guild.
    pub guild_id: GuildId,
    /// Its name, where it is known.
    pub guild_name: Option<Untrusted>,
    /// The points.
    pub checks: Vec<Check>,
}

impl Reported for ConnectionTested {
    fn report(&self) -> Report {
        let count = |result| self.checks.iter().filter(|check| check.result == result).count();
        let (failed, warned) = (count(CheckResult::Fail), count(CheckResult::Warn));
        let worst = self.checks.iter().map(|check| check.result).max().unwrap_or(CheckResult::Warn);
        let title = format!("checks: {}, warnings: {warned}, failed: {failed}", self.checks.len());
        let mut table = Table::new(["check", "result", "what was seen"], "nothing could be checked");
        for check in &self.checks {
            table.push([
                check.name.clone().into(),
                Cell::toned(check.result.word(), check.result.tone()),
                Text::Prose(check.line()).into(),
            ]);
        }
        Report::new(title, worst.tone())
            .field("Guild", Text::guild(self.guild_id, self.guild_name.as_ref()))
            .table(table)
    }

    /// A point that failed has to be mended before punishments arrive. What is only warned of may be wanted so.
    fn verdict(&self) -> Option<Fault> {
        let failed = self.checks.iter().filter(|check| check.result == CheckResult::Fail);
        let failed: Vec<&str> = failed.map(|check| check.name.as_str()).collect();
        let (count, all) = (failed.len(), self.checks.len());
        let message =
            format!("{count} of {all} checks of guild {} failed: {}", self.guild_id, failed.join(", "));
        (!failed.is_empty()).then(|| {
            Fault::new(FaultKind::Verification, message)
                .hint("mend what is marked FAIL, from the top, and test again")
        })
    }
}
