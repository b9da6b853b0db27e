//! `settings`: what the daemon works with, where it comes from, and what is changed of it while it runs.

use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Tone};
use crate::value::{Timestamp, Untrusted};
use clap::Args;
use serde::{Deserialize, Serialize};

/// What the daemon works with, and where each setting comes from
///
/// The environment is stronger than .env, that than what settings set has changed, that than wayhaven.toml, that than the
/// default. Of a secret only whether it is set is shown.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SettingsShow {
    /// Only this one, as network.reconcile_every
    #[arg(value_name = "KEY")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Untrusted>,
}

/// Change a setting while the daemon runs
///
/// It takes effect at once and stays after a restart, stronger than wayhaven.toml and weaker than the environment. What
/// takes effect at the next start only is written in wayhaven.toml. A list is written with commas.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingsSet {
    /// Which, as network.reconcile_every
    #[arg(value_name = "KEY")]
    pub key: Untrusted,
    /// What it is from now on, in the words of wayhaven.toml
    #[arg(value_name = "VALUE")]
    pub value: Untrusted,
}

/// Take back what settings set has changed
///
/// What wayhaven.toml says holds again, or the default where it says nothing.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingsUnset {
    /// Which, as network.reconcile_every
    #[arg(value_name = "KEY")]
    pub key: Untrusted,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingSource {
    /// `default`, `file`, `dotenv`, `environment`, `run_time`, or another word of a newer version.
    pub kind: String,
    /// The place for people: the file and its line, the variable, who and when.
    pub place: Untrusted,
    /// Who set it at run time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Untrusted>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// One setting as it holds now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingShown {
    /// Its path in `wayhaven.toml`.
    pub key: String,
    /// Its value; *set* or *not set* for a secret.
    pub value: Untrusted,
    /// Where it comes from, several for a list that is added to.
    pub sources: Vec<SettingSource>,
    /// Whether a change of it takes effect at once; otherwise it does at the next start.
    pub at_once: bool,
    /// What it is for.
    pub help: String,
}

impl SettingShown {
    fn places(&self) -> Untrusted {
        let places: Vec<_> = self.sources.iter().map(|source| source.place.raw()).collect();
        Untrusted::clipped(&places.join("; "))
    }

    fn changes(&self) -> &'static str {
        if self.at_once { "at once" } else { "at the next start" }
    }
}

/// The settings as they hold now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingsShown {
    /// Each that was asked for.
    pub settings: Vec<SettingShown>,
    /// What was set at run time and this version does not understand: one line each.
    #[serde(default)]
    pub not_understood: Vec<String>,
}

impl Reported for SettingsShown {
    fn report(&self) -> Report {
        if let [only] = self.settings.as_slice() {
            return Report::new(only.key.clone(), Tone::Plain)
                .field("Value", &only.value)
                .field("From", &only.places())
                .field("A change holds", only.changes())
                .field("What it is", only.help.clone());
        }
        let mut table = Table::new(["Setting", "Value", "From", "A change holds"], "There is no setting.");
        for one in &self.settings {
            let from = one.places();
            table.push([
                one.key.clone().into(),
                Cell::from(&one.value),
                Cell::toned(&from, Tone::Quiet),
                one.changes().into(),
            ]);
        }
        Report::new(format!("{} settings", self.settings.len()), Tone::Plain).table(table)
    }

    fn warnings(&self) -> Vec<String> {
        self.not_understood.clone()
    }
}

/// One setting's change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingChanged {
    /// Its path in `wayhaven.toml`.
    pub key: String,
    /// What it was.
    pub before: Untrusted,
    /// What it is.
    pub after: Untrusted,
}

impl SettingChanged {
    /// From what to what, for people.
    pub fn words(&self) -> Untrusted {
        Untrusted::clipped(&format!("{} → {}", self.before.raw(), self.after.raw()))
    }
}

/// What came of `settings set` and `settings unset`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingsChanged {
    /// The key that was asked for.
    pub key: String,
    /// What has changed by it: others follow where one says what they are without a word of their own.
    pub changed: Vec<SettingChanged>,
    /// Where the key's value comes from now.
    pub sources: Vec<SettingSource>,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for SettingsChanged {
    fn report(&self) -> Report {
        let (title, tone) = match (self.dry_run, self.changed.is_empty()) {
            (true, _) => ("nothing was changed: it would be", Tone::Plain),
            (false, true) => ("it is what it was", Tone::Plain),
            (false, false) => ("it holds from now on", Tone::Good),
        };
        let report = Report::new(format!("{}: {title}", self.key), tone);
        let report =
            self.changed.iter().fold(report, |report, changed| report.field(&changed.key, &changed.words()));
        let places: Vec<_> = self.sources.iter().map(|source| source.place.raw()).collect();
        report.field("From", &Untrusted::clipped(&places.join("; ")))
    }
}
