//! `setup doctor`: what is missing where, and what would mend it.

use super::connection::{Check, CheckResult};
use crate::fault::{Fault, FaultKind};
use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{GuildId, Untrusted};
use clap::Args;
use serde::{Deserialize, Serialize};

/// What is missing where, and the invite link that would mend it
///
/// A main asks about its children and itself, a child only about itself. With a guild everything about it is shown, read from
/// Discord anew; without one only what is not as it should be. Nothing is changed. The same is looked at when a link is
/// made, when the daemon starts and whenever the bot's roles or permissions change: an alert tells of what stops
/// deliveries, and what was blocked goes on by itself when it is mended.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetupDoctor {
    /// The child, or this guild itself; without it all of them
    #[arg(value_name = "GUILD-ID")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<GuildId>,
}

/// What was found in one guild.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Patient {
    /// The guild.
    pub guild_id: GuildId,
    /// Its name, where it is known.
    pub guild_name: Option<Untrusted>,
    /// What was looked at; where several guilds were asked about, only what is not as it should be.
    pub findings: Vec<Check>,
    /// The address that invites the bot with the least permissions that the guild's links need, once Discord has told which
    /// application this is.
    pub invite: Option<String>,
}

impl Patient {
    /// The worst of what was found.
    pub fn worst(&self) -> CheckResult {
        self.findings.iter().map(|finding| finding.result).max().unwrap_or(CheckResult::Ok)
    }
}

/// What was found in all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The guilds, the worst first; where several were asked about, without those that are well.
    pub patients: Vec<Patient>,
    /// How many were asked about.
    pub examined: u64,
    /// Whether one guild was asked about, and everything of it is here.
    pub thorough: bool,
    /// Why the daemon is not connected to Discord, where it is not: what is known of the guilds may be out of date then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected: Option<Untrusted>,
}

impl Reported for Diagnosis {
    fn report(&self) -> Report {
        let mut worst = self.patients.iter().map(Patient::worst).max().unwrap_or(CheckResult::Ok);
        let mut title = self.title();
        if self.disconnected.is_some() {
            (worst, title) = (CheckResult::Fail, format!("Not connected to Discord. Last seen: {title}"));
        }
        let mut report = Report::new(title, worst.tone());
        if let Some(why) = &self.disconnected {
            report = report.field("Discord", Cell::toned(why.line(), Tone::Bad));
        }
        if self.thorough {
            for patient in &self.patients {
                report = report
                    .field("Guild", Text::guild(patient.guild_id, patient.guild_name.as_ref()))
                    .table(patient.table());
            }
        } else {
            report = report.table(self.overview());
        }
        report = self.mends().into_iter().fold(report, Report::hint);
        let invites = self.patients.iter().filter(|patient| self.thorough || patient.is_mended_by_invite());
        invites
            .filter_map(|patient| Some((patient.guild_id, patient.invite.as_ref()?)))
            .fold(report, |report, (guild, invite)| {
                report.hint(format!("invite for guild {guild}: {invite}"))
            })
    }

    fn verdict(&self) -> Option<Fault> {
        let fails = |patient: &&Patient| patient.worst() == CheckResult::Fail;
        let failing: Vec<String> =
            self.patients.iter().filter(fails).map(|patient| patient.guild_id.to_string()).collect();
        match failing.as_slice() {
            [] => self.disconnected.as_ref().map(|why| {
                Fault::new(FaultKind::Verification, format!("Not connected to Discord: {}", why.line()))
                    .hint("wayhaven status")
            }),
            [one] => Some(Fault::new(FaultKind::Verification, format!("A check failed in guild {one}"))),
            several => {
                let message = format!("Checks failed in {} guilds: {}", several.len(), several.join(", "));
                Some(Fault::new(FaultKind::Verification, message))
            }
        }
    }
}

impl Patient {
    /// Whether an invite with the least permissions mends any of it.
    fn is_mended_by_invite(&self) -> bool {
        self.findings.iter().any(|finding| finding.by_invite)
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["check", "result", "what was seen"], "nothing was found");
        for finding in &self.findings {
            table.push([
                finding.name.clone().into(),
                Cell::toned(finding.result.word(), finding.result.tone()),
                Text::Prose(finding.detail.clone()).into(),
            ]);
        }
        table
    }
}

impl Diagnosis {
    /// What to do, once for all guilds that have the same: a line each, since columns are cut and this must not be.
    fn mends(&self) -> Vec<String> {
        let wrong = |finding: &&Check| finding.result != CheckResult::Ok;
        let mut mends: Vec<String> = Vec::new();
        for finding in self.patients.iter().flat_map(|patient| &patient.findings).filter(wrong) {
            let Some(mend) = &finding.mend else { continue };
            let line = format!("{}: {}", finding.name, mend.line());
            if !mends.contains(&line) {
                mends.push(line);
            }
        }
        mends
    }

    fn title(&self) -> String {
        let of = |result| {
            let found = self.patients.iter().flat_map(|patient| &patient.findings);
            found.filter(|finding| finding.result == result).count()
        };
        let (failed, warned) = (of(CheckResult::Fail), of(CheckResult::Warn));
        match (self.examined, failed + warned) {
            (0, _) => "there is no guild to examine: setup main-guild makes one a main".into(),
            (1, 0) => "the guild is well".into(),
            (guilds, 0) => format!("all {guilds} guilds are well"),
            (1, _) => format!("failed: {failed}, warnings: {warned}"),
            (guilds, _) => {
                format!(
                    "guilds: {guilds}, unwell: {}, failed: {failed}, warnings: {warned}",
                    self.patients.len()
                )
            }
        }
    }

    fn overview(&self) -> Table {
        let mut table = Table::new(["guild", "check", "result", "what was seen"], "all are well");
        for patient in &self.patients {
            for finding in &patient.findings {
                table.push([
                    Text::guild(patient.guild_id, patient.guild_name.as_ref()).into(),
                    finding.name.clone().into(),
                    Cell::toned(finding.result.word(), finding.result.tone()),
                    Text::Prose(finding.detail.clone()).into(),
                ]);
            }
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Tone;

    fn patient(guild: u64, results: &[CheckResult]) -> Patient {
        let finding = |result: &CheckResult| Check {
            name: "Ban Members".into(),
            result: *result,
            detail: Untrusted::clipped("missing: no ban is delivered"),
            mend: Some(Untrusted::clipped("give it")),
            by_invite: *result == CheckResult::Fail,
        };
        Patient {
            guild_id: GuildId::new(guild).unwrap(),
            guild_name: None,
            findings: results.iter().map(finding).collect(),
            invite: Some(format!("https://discord.com/oauth2/authorize?guild_id={guild}")),
        }
    }

    #[test]
    fn an_overview_counts_and_gives_the_invite_of_whoever_is_unwell() {
        let ill = patient(1, &[CheckResult::Fail, CheckResult::Warn]);
        let warned = patient(2, &[CheckResult::Warn]);
        let diagnosis =
            Diagnosis { patients: vec![ill, warned], examined: 3, thorough: false, disconnected: None };
        let report = diagnosis.report();
        assert_eq!(report.title, "guilds: 3, unwell: 2, failed: 1, warnings: 2");
        let verdict = diagnosis.verdict().unwrap();
        assert_eq!((verdict.kind.exit_code(), verdict.message.as_str()), (10, "A check failed in guild 1"));
        assert_eq!(report.tone, Tone::Bad);
        let invite = "invite for guild 1: https://discord.com/oauth2/authorize?guild_id=1";
        assert_eq!(
            report.hints,
            ["Ban Members: give it", invite],
            "each once, and no invite that mends nothing"
        );
        let well = Diagnosis { patients: Vec::new(), examined: 3, thorough: false, disconnected: None };
        assert_eq!(
            (well.report().title.line().as_str(), well.report().tone),
            ("all 3 guilds are well", Tone::Good)
        );
    }

    #[test]
    fn one_guild_is_shown_whole() {
        let one = patient(1, &[CheckResult::Ok, CheckResult::Ok]);
        let report =
            Diagnosis { patients: vec![one], examined: 1, thorough: true, disconnected: None }.report();
        assert_eq!(report.title, "the guild is well");
        assert_eq!(report.tables[0].rows.len(), 2);
    }

    #[test]
    fn without_a_connection_nothing_is_called_well() {
        let why = Some(Untrusted::clipped("the gateway cannot be reached; it is tried again"));
        let diagnosis = Diagnosis { patients: Vec::new(), examined: 3, thorough: false, disconnected: why };
        assert_eq!(diagnosis.verdict().unwrap().kind.exit_code(), 10);
        let report = diagnosis.report();
        assert_eq!(report.tone, Tone::Bad);
        assert_eq!(report.title.line(), "Not connected to Discord. Last seen: all 3 guilds are well");
    }

    #[test]
    fn warnings_alone_end_with_success() {
        let warned = patient(1, &[CheckResult::Ok, CheckResult::Warn]);
        let diagnosis = Diagnosis { patients: vec![warned], examined: 1, thorough: true, disconnected: None };
        assert_eq!(diagnosis.verdict(), None);
    }
}
