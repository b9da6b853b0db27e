//! `sync reconcile`: what a guild's mains have decided, compared with what Discord says of the guild.

use super::Reply;
use super::action::Action;
use super::job::{Job, JobResult, JobState};
use super::sync::unreadable_entries;
use crate::fault::{Fault, FaultKind};
use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{GuildId, JobId, PunishmentId, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Compare children with what their mains have decided, and mend what differs
///
/// Without --apply it shows what would be done. In a main it looks at its children, in a child at that guild.
///
/// --apply is confirmed, because it may deliver and lift many punishments at once:
/// --confirm=GUILD-ID with a child, --confirm=apply without one, or a button on Discord.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncReconcile {
    /// Only this child
    #[arg(value_name = "GUILD-ID")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<GuildId>,
    /// Do it: also where nobody can tell who took a ban back
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apply: bool,
}

/// How a user stands in a guild against what a main has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difference {
    /// As decided.
    InOrder,
    /// On its way already: pending, held or unknown.
    OnItsWay,
    /// Blocked there: something in the guild has to change first.
    Blocked,
    /// Decided, and never delivered there.
    Missing,
    /// Delivered there, and gone although nobody there took it back.
    Gone,
    /// Delivered there, and gone; who took it back cannot be read.
    Unclear,
    /// Delivered there, and taken back by the guild's own staff: the main's security level decides.
    Overridden,
    /// There already before it was delivered: it is noted, and nothing is sent.
    Found,
    /// Ours, and decided no more.
    Surplus,
    /// Not delivered by a decision: an exception, a protected user, discarded.
    LeftOut,
    /// Not delivered because the user was protected when it was decided: only a new punishment is delivered.
    Protected,
    /// Discord has refused it for good.
    Failed,
    /// Somebody else's in that guild: none of our business.
    Theirs,
}

impl Difference {
    /// Every difference, those that want something done first.
    pub const ALL: [Self; 13] = [
        Self::Missing,
        Self::Gone,
        Self::Overridden,
        Self::Unclear,
        Self::Surplus,
        Self::Found,
        Self::Blocked,
        Self::Failed,
        Self::OnItsWay,
        Self::LeftOut,
        Self::Protected,
        Self::InOrder,
        Self::Theirs,
    ];

    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Self::InOrder => "as decided",
            Self::OnItsWay => "on its way",
            Self::Blocked => "blocked",
            Self::Missing => "missing",
            Self::Gone => "gone, and nobody took it back",
            Self::Unclear => "gone, and nobody can tell who took it back",
            Self::Overridden => "taken back by the guild's staff",
            Self::Found => "there before it was delivered",
            Self::Surplus => "ours, and decided no more",
            Self::LeftOut => "left out: an exception, protected, or discarded",
            Self::Protected => "not delivered: protected when it was decided",
            Self::Failed => "refused by Discord",
            Self::Theirs => "the guild's own",
        }
    }

    /// Whether applying the plan does something about it.
    pub fn is_mended(self) -> bool {
        matches!(
            self,
            Self::Missing | Self::Gone | Self::Overridden | Self::Unclear | Self::Surplus | Self::Found
        )
    }

    fn tone(self) -> Tone {
        match self {
            Self::InOrder => Tone::Good,
            Self::OnItsWay | Self::Missing | Self::Gone | Self::Surplus => Tone::Waiting,
            Self::Unclear | Self::Overridden => Tone::Warning,
            Self::Failed | Self::Blocked => Tone::Bad,
            Self::Found | Self::LeftOut | Self::Protected | Self::Theirs => Tone::Quiet,
        }
    }
}

/// How many have one difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Which.
    pub difference: Difference,
    /// How many users, of each main and measure.
    pub count: u64,
}

/// One user who stands otherwise than decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    /// Who.
    pub user_id: UserId,
    /// `ban`, `mute` or `timeout`.
    pub measure: Action,
    /// Whose decision it is.
    pub main_guild_id: GuildId,
    /// The decision.
    pub punishment_id: PunishmentId,
    /// How they stand.
    pub difference: Difference,
}

/// What was found in a guild, and whether it was mended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reconciled {
    /// The guild.
    pub guild_id: GuildId,
    /// How many of each, none of those that nobody has.
    pub counts: Vec<Counted>,
    /// The first that stand otherwise than decided.
    pub differing: Vec<Differing>,
    /// Whether what differs is mended, and not only shown.
    pub applied: bool,
    /// How many entries of Discord's ban list were skipped, because Discord did not name their user.
    #[serde(default)]
    pub unreadable: u64,
}

/// How many of those that differ are named.
pub const NAMED: usize = 20;

impl Reconciled {
    /// Nothing found yet.
    pub fn new(guild_id: GuildId, applied: bool) -> Self {
        Self { guild_id, counts: Vec::new(), differing: Vec::new(), applied, unreadable: 0 }
    }

    /// How many have this difference.
    pub fn count(&self, of: Difference) -> u64 {
        self.counts.iter().find(|counted| counted.difference == of).map_or(0, |counted| counted.count)
    }

    /// Counts so many more of this difference.
    pub fn add(&mut self, of: Difference, more: u64) {
        if more == 0 {
            return;
        }
        match self.counts.iter_mut().find(|counted| counted.difference == of) {
            Some(counted) => counted.count += more,
            None => self.counts.push(Counted { difference: of, count: more }),
        }
    }

    /// Counts one that stands so, and names it where it is among the first that want something done.
    pub fn note(&mut self, one: Differing) {
        self.add(one.difference, 1);
        let told = one.difference.is_mended()
            || matches!(one.difference, Difference::Failed | Difference::Blocked | Difference::Protected);
        if told && self.differing.len() < NAMED {
            self.differing.push(one);
        }
    }

    /// How many the plan would mend, or has.
    pub fn mended(&self) -> u64 {
        self.counts.iter().filter(|one| one.difference.is_mended()).map(|one| one.count).sum()
    }
}

impl Reported for Reconciled {
    fn report(&self) -> Report {
        let (mended, id, guild) = (self.mended(), self.guild_id, Text::from(self.guild_id));
        let blocked = self.count(Difference::Blocked);
        let (title, tone) = match (mended, self.applied) {
            (0, false) if blocked > 0 => {
                (Text::from(format!("{blocked} blocked in guild ")) + guild, Tone::Bad)
            }
            (0, true) if blocked > 0 => {
                (Text::from(format!("{blocked} blocked in guild ")) + guild + " were retried", Tone::Waiting)
            }
            (0, _) => (Text::from("guild ") + guild + " is as decided", Tone::Good),
            (_, false) => {
                let here = Text::from("nothing was changed: in guild ") + guild;
                (here + format!(" {mended} would be mended"), Tone::Plain)
            }
            (_, true) => (Text::from("in guild ") + guild + format!(" {mended} are mended"), Tone::Good),
        };
        let mut report = Report::new(title, tone);
        for difference in Difference::ALL {
            let count = self.count(difference);
            if count > 0 {
                let cell = Cell::toned(count.to_string(), difference.tone());
                report = report.field(difference.words(), cell);
            }
        }
        if !self.differing.is_empty() {
            let mut table = Table::new(["user", "measure", "how it stands", "main", "punishment"], "");
            table.title = Some(match self.differing.len() {
                NAMED => format!("The first {NAMED} that differ").into(),
                _ => "What differs".into(),
            });
            for one in &self.differing {
                table.push([
                    one.user_id.into(),
                    one.measure.word().into(),
                    Cell::toned(one.difference.words(), one.difference.tone()),
                    one.main_guild_id.into(),
                    one.punishment_id.to_string().into(),
                ]);
            }
            report = report.table(table);
        }
        if mended > 0 && !self.applied {
            report = report.hint("--apply mends it");
        }
        if blocked > 0 {
            report = report.hint(format!("wayhaven setup doctor {id} shows what blocks them"));
        }
        unreadable_entries(report, self.unreadable)
    }
}

/// The comparisons that were begun, one of each guild.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reconciling {
    /// The guild in which it was asked: a main, or a child. Nothing of an older daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guild_id: Option<GuildId>,
    /// One job per guild; those that are over within two seconds with what they found.
    pub jobs: Vec<Job>,
    /// Which of these jobs another request began. The guild is busy with them, so this request did
    /// not compare it: their results are not an answer to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<JobId>,
}

impl Reconciling {
    /// Whether this request began the job.
    fn is_own(&self, job: &Job) -> bool {
        !self.others.contains(&job.id)
    }

    /// What a job of this request has found, once it is done.
    fn found<'a>(&self, job: &'a Job) -> Option<&'a Reconciled> {
        match &job.result {
            Some(JobResult::Reconciled(found)) if self.is_own(job) && job.state == JobState::Done => {
                Some(found)
            }
            _ => None,
        }
    }

    /// Puts the jobs in the place of what was known of them.
    pub fn update(&mut self, jobs: &[Job]) {
        for job in &mut self.jobs {
            if let Some(now) = jobs.iter().find(|now| now.id == job.id) {
                *job = now.clone();
            }
        }
    }

    /// How many guilds were compared, and how many differences the plan would repair in them, or
    /// has.
    pub fn compared(&self) -> (usize, u64) {
        let found: Vec<u64> =
            self.jobs.iter().filter_map(|job| self.found(job)).map(Reconciled::mended).collect();
        (found.len(), found.iter().sum())
    }

    /// How many comparisons of this request still run.
    pub fn running(&self) -> usize {
        self.jobs.iter().filter(|job| job.is_running() && self.is_own(job)).count()
    }

    /// The plan as it is shown before it is confirmed: also with guilds that are not compared yet,
    /// or could not be.
    pub fn preview(&self) -> Report {
        if let [job] = self.jobs.as_slice()
            && self.found(job).is_some()
        {
            return job.report();
        }
        let ((compared, repairs), all) = (self.compared(), self.jobs.len());
        let guilds = if all == 1 { "guild" } else { "guilds" };
        let title = match all - compared {
            0 => format!("nothing was changed: would repair {repairs} in {all} {guilds}"),
            left => format!(
                "nothing was changed: would repair {repairs} in {compared} of {all} {guilds}, {left} not compared"
            ),
        };
        let tone = if compared < all { Tone::Warning } else { Tone::Plain };
        let report = Report::new(title, tone).table(self.table(true));
        match compared < all {
            true => report.hint("once confirmed, a guild that was not compared is compared and repaired too"),
            false => report,
        }
    }

    fn table(&self, is_preview: bool) -> Table {
        let mut table = Table::new(["guild", "job", "state", "to mend", "note"], "no child");
        for job in &self.jobs {
            let to_mend = match self.found(job) {
                Some(found) => found.mended().to_string(),
                None if job.is_running() && self.is_own(job) && !is_preview => "—".to_owned(),
                None => "not compared".to_owned(),
            };
            table.push([
                job.place().into(),
                job.id.to_string().into(),
                Cell::toned(job.state.word(), job.state.tone()),
                to_mend.into(),
                job.note.clone().map_or_else(|| Text::from("—"), Text::Prose).into(),
            ]);
        }
        table
    }
}

impl Reported for Reconciling {
    fn report(&self) -> Report {
        if let [job] = self.jobs.as_slice()
            && self.is_own(job)
        {
            return job.report();
        }
        let (all, running, (compared, _)) = (self.jobs.len(), self.running(), self.compared());
        let not_compared = all - running - compared;
        let title = match (all, running, not_compared) {
            (0, ..) => "there is no child to look at".to_owned(),
            (_, 0, 0) => format!("{all} guilds were looked at"),
            (_, _, 0) => format!("{all} guilds are looked at, {running} still"),
            (_, 0, left) => format!("{compared} of {all} guilds compared, {left} not compared"),
            (_, _, left) => {
                format!("{compared} of {all} guilds compared, {running} still running, {left} not compared")
            }
        };
        let tone = match (running, not_compared) {
            (0, 0) => Tone::Plain,
            (_, 0) => Tone::Waiting,
            _ => Tone::Warning,
        };
        Report::new(title, tone).table(self.table(false)).hint("job show tells what one of them has found")
    }

    fn jobs(&self) -> Vec<JobId> {
        let own = self.jobs.iter().filter(|job| job.is_running() && self.is_own(job));
        own.map(|job| job.id).collect()
    }

    fn verdict(&self) -> Option<Fault> {
        let own = self.jobs.iter().filter(|job| self.is_own(job));
        own.clone().find_map(Reported::verdict).or_else(|| {
            let busy = self.jobs.iter().find(|job| !self.is_own(job))?;
            let guild = busy.guild_id.map_or_else(String::new, |guild| format!(" {guild}"));
            let message = format!("guild{guild} was not compared: another comparison of it runs already");
            Some(Fault::new(FaultKind::Partial, message).hint("ask again once that is over"))
        })
    }
}

impl Reply {
    /// The report of a plan as it is shown before the operation is confirmed.
    pub fn preview(&self) -> Report {
        match self {
            Self::SyncReconcile(plan) => plan.preview(),
            reply => reply.report(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn job(id: u64, state: &str, result: Value) -> Value {
        let at = "2026-01-02T03:04:05Z";
        json!({"id": id.to_string(), "kind": "reconcile", "state": state, "guild_id": format!("200{id}"),
               "asked_by": "7", "dry_run": true, "done": 0, "result": result, "created_at": at, "updated_at": at})
    }

    fn found(guild: &str, missing: u64) -> Value {
        json!({"of": "reconciled", "guild_id": guild, "differing": [], "applied": false,
               "counts": [{"difference": "missing", "count": missing}]})
    }

    fn plan() -> Reconciling {
        let jobs = [
            job(1, "done", found("2001", 7)),
            job(2, "running", Value::Null),
            job(3, "failed", Value::Null),
            job(4, "done", found("2004", 4_711)),
        ];
        serde_json::from_value(json!({ "guild_id": "1000", "jobs": jobs, "others": ["4"] })).unwrap()
    }

    #[test]
    fn a_job_of_another_request_is_neither_followed_nor_counted() {
        let plan = plan();
        assert_eq!((plan.compared(), plan.running()), ((1, 7), 1));
        assert_eq!(plan.jobs(), [JobId::new(2).unwrap()]);
        let busy = Reconciling { jobs: vec![plan.jobs[3].clone()], ..plan };
        assert!(busy.jobs().is_empty() && !format!("{:?}", busy.report()).contains("4711"));
        assert_eq!(busy.verdict().unwrap().kind, FaultKind::Partial);
    }

    #[test]
    fn a_preview_counts_what_was_not_compared() {
        let title = "nothing was changed: would repair 7 in 1 of 4 guilds, 3 not compared";
        let preview = plan().preview();
        assert_eq!(preview.title.line(), title);
        let cells: Vec<String> = preview.tables[0].rows.iter().map(|row| row[3].text.line()).collect();
        assert_eq!(cells, ["7", "not compared", "not compared", "not compared"]);
    }
}
