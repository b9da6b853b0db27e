//! `job list`, `show`, `cancel`: what takes longer than a caller waits.

mod kinds;

pub use kinds::{AfterRestart, Concurrency, JobKind, JobOutcome, JobResult, Written};

use crate::fault::{Fault, FaultKind};
use crate::operation::Reported;
use crate::report::{Cell, Progress, Report, Table, Text, Tone};
use crate::value::{GuildId, JobId, PageSize, Timestamp, Untrusted};
use clap::Args;
use serde::{Deserialize, Serialize};

/// What takes its time in the background, newest first
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobList {
    /// Only those that are not over
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub running: bool,
    /// How many at most, 1 to 500 (default 25)
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageSize>,
}

/// How far a job has come, and what came of it
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobShow {
    /// Its number, as "job list" shows it
    #[arg(value_name = "JOB")]
    pub id: JobId,
}

/// End a job where it is: what it has done stays
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobCancel {
    /// Its number, as "job list" shows it
    #[arg(value_name = "JOB")]
    pub id: JobId,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It goes on; after a restart too, where its kind can.
    Running,
    /// It is done.
    Done,
    /// It could not go on.
    Failed,
    /// Somebody ended it.
    Cancelled,
    /// The daemon ended before it did, and its kind begins anew instead.
    Interrupted,
}

impl JobState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Running, Self::Done, Self::Failed, Self::Cancelled, Self::Interrupted];

    /// The word for it, as in the store and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// The state with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// How it stands.
    pub fn tone(self) -> Tone {
        match self {
            Self::Running => Tone::Waiting,
            Self::Done => Tone::Good,
            Self::Failed => Tone::Bad,
            Self::Cancelled | Self::Interrupted => Tone::Warning,
        }
    }
}

/// A job, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// Where it stands.
    pub state: JobState,
    /// The guild that it is about; nothing for the whole of Wayhaven.
    #[serde(default)]
    pub guild_id: Option<GuildId>,
    /// The main that it concerns, where it is one alone.
    #[serde(default)]
    pub main_guild_id: Option<GuildId>,
    /// Who asked for it, as the audit names them.
    pub asked_by: String,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
    /// How much is done, in units of its kind: users for a reconcile and a backfill, rows for an import and of the audit,
    /// bans for an export, guilds for a drill.
    pub done: u64,
    /// How much there is, where that is known.
    #[serde(default)]
    pub total: Option<u64>,
    /// What it waits for, or why it ended so.
    #[serde(default)]
    pub note: Option<Untrusted>,
    /// What it has found or done; complete once it is done.
    #[serde(default)]
    pub result: Option<JobResult>,
    /// When it began.
    pub created_at: Timestamp,
    /// When something about it changed last.
    pub updated_at: Timestamp,
}

impl Job {
    /// What it does, and where, in words.
    pub fn about(&self) -> String {
        let words = self.kind.words();
        let words = if self.dry_run { format!("{words} (dry run)") } else { words };
        self.guild_id.map_or_else(|| words.clone(), |guild| format!("{words} of guild {guild}"))
    }

    /// The guild that it is about, as a cell.
    pub fn place(&self) -> Text {
        self.guild_id.as_ref().into()
    }

    /// What it does, and where.
    fn heading(&self) -> Text {
        let words = Text::from(self.kind.words());
        self.guild_id.map_or_else(|| words.clone(), |guild| words.clone() + " of guild " + guild)
    }

    /// Whether it goes on.
    pub fn is_running(&self) -> bool {
        self.state == JobState::Running
    }

    /// How far it has come, in words.
    pub fn come(&self) -> String {
        match self.total {
            Some(total) => format!("{} of {total}", self.done),
            None => self.done.to_string(),
        }
    }
}

impl Reported for Job {
    fn report(&self) -> Report {
        let (id, kind, state) = (self.id, self.kind.word(), self.state.word());
        let title = self.heading() + format!(": {state}");
        let mut report = match &self.result {
            Some(result) if self.state == JobState::Done => result.report(),
            Some(result) => {
                let Report { fields, tables, .. } = result.report();
                Report { fields, tables, ..Report::new(title, self.state.tone()) }
            }
            None => Report::new(title, self.state.tone()),
        };
        report = report.field("Job", format!("{id}, {kind}, {state}"));
        if let Some(note) = &self.note {
            report = report.field("Note", Text::Prose(note.clone()));
        }
        if self.is_running() {
            report = report.field("So far", self.come());
            report.progress = self.total.map(|total| Progress { done: self.done.min(total), total });
            report = report.hint(format!("job show {id} tells how it goes on, job cancel {id} ends it"));
        }
        report
    }

    fn jobs(&self) -> Vec<JobId> {
        if self.is_running() { vec![self.id] } else { Vec::new() }
    }

    fn verdict(&self) -> Option<Fault> {
        let words = self.note.as_ref().map_or_else(String::new, |note| format!(": {}", note.line()));
        let message = format!("job {} is {}{words}", self.id, self.state.word());
        match self.state {
            JobState::Done => self.result.as_ref().and_then(JobResult::verdict),
            JobState::Running => None,
            JobState::Failed => Some(Fault::new(FaultKind::Partial, message)),
            JobState::Cancelled | JobState::Interrupted => {
                let hint = match self.kind.after_restart() {
                    AfterRestart::Ended => "asked for again, it begins anew",
                    AfterRestart::Resumes => "asked for again, it goes on where it was",
                };
                Some(Fault::new(FaultKind::Partial, message).hint(hint))
            }
        }
    }
}

/// Jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Jobs {
    /// Newest first.
    pub jobs: Vec<Job>,
}

impl Reported for Jobs {
    fn report(&self) -> Report {
        let headers = ["job", "kind", "state", "guild", "so far", "began (UTC)", "asked by", "note"];
        let mut table = Table::new(headers, "no job");
        for job in &self.jobs {
            table.push([
                job.id.to_string().into(),
                job.kind.word().into(),
                Cell::toned(job.state.word(), job.state.tone()),
                job.place().into(),
                job.come().into(),
                job.created_at.into(),
                Text::actor(&Untrusted::clipped(&job.asked_by)).into(),
                job.note.clone().map_or_else(|| Text::from("—"), Text::Prose).into(),
            ]);
        }
        let title = match self.jobs.len() {
            1 => "1 job".to_owned(),
            several => format!("{several} jobs"),
        };
        Report::new(title, Tone::Plain).table(table)
    }
}

/// Whether a job was ended, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobCancelled {
    /// The job, as it stands.
    pub job: Job,
    /// Whether it was over already.
    pub already: bool,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for JobCancelled {
    fn report(&self) -> Report {
        let (title, tone) = match (self.already, self.dry_run) {
            (true, _) => (format!("it is {} already: nothing changed", self.job.state.word()), Tone::Warning),
            (_, true) => ("nothing was changed: it would end where it is".to_owned(), Tone::Plain),
            (_, false) => ("it ends where it is".to_owned(), Tone::Good),
        };
        Report::new(title, tone)
            .field("Job", format!("{}, {}", self.job.id, self.job.kind.word()))
            .field("Guild", self.job.place())
            .field("So far", self.job.come())
    }
}
