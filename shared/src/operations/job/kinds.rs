//! The list of all kinds of jobs, and what each of them results in.

use crate::fault::Fault;
use crate::operation::Reported;
use crate::operations::audit::{AuditExported, AuditVerified};
use crate::operations::drill::Drill;
use crate::operations::reconcile::Reconciled;
use crate::operations::sync::{Exported, Imported};
use crate::report::Report;
use crate::value::UploadId;
use serde::{Deserialize, Serialize};

/// Calls `$callback!` with the list of all kinds of jobs, one line each:
/// `/// What it does. Kind => Result, "word", concurrency, after a restart, file;`.
///
/// *After a restart* is `Ended`, or `Resumes(system)` with the system of the daemon that resumes it.
/// *File* is `NoFile`, or `File("operation")` with the operation that asks for the file. The daemon
/// reads the same list: a kind does not compile if its system cannot resume it.
#[macro_export]
macro_rules! jobs {
    ($callback:ident) => {
        $callback! {
            /// Compares a guild with what its mains have decided.
            Reconcile => Reconciled, "reconcile", OnePerGuild, Resumes(reconcile), NoFile;
            /// Delivers to a new child what its main had decided before.
            Backfill => Reconciled, "backfill", OnePerGuild, Resumes(reconcile), NoFile;
            /// Imports a list of bans. A dry run changes nothing, so it does not block an import.
            Import => Imported, "import", OnePerGuildAndPlans(4), Resumes(lists), NoFile;
            /// Writes a list of bans.
            Export => Exported, "export", OnePerGuild, Ended, File("sync export");
            /// Writes the audit.
            AuditExport => AuditExported, "audit_export", OnePerGuild, Ended, File("audit export");
            /// Reads the audit, and whether it holds.
            AuditVerify => AuditVerified, "audit_verify", OneOverall, Ended, NoFile;
            /// Tries out where a punishment would arrive.
            Drill => Drilled, "drill", OnePerGuild, Ended, NoFile;
        }
    };
}

/// How many jobs of a kind run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// One in the whole daemon.
    OneOverall,
    /// One in each guild, dry run or not.
    OnePerGuild,
    /// One in each guild, and beside it so many dry runs.
    OnePerGuildAndPlans(usize),
}

/// What becomes of a job when the daemon ends before it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRestart {
    /// It ends as interrupted.
    Ended,
    /// It resumes from its cursor. A dry run ends as interrupted.
    Resumes,
}

macro_rules! kinds {
    ($($(#[$help:meta])+ $kind:ident => $result:ident, $word:literal, $concurrency:ident$(($plans:literal))?,
       $after:ident$(($system:ident))?, $file:ident$(($operation:literal))?;)+) => {
        /// What a job does.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum JobKind {
            $($(#[$help])+ $kind,)+
        }

        impl JobKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// The word for it, as in the store and in JSON.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                }
            }

            /// How many jobs of its kind run at once.
            pub fn concurrency(self) -> Concurrency {
                match self {
                    $(Self::$kind => Concurrency::$concurrency$(($plans))?,)+
                }
            }

            /// What becomes of it at a restart.
            pub fn after_restart(self) -> AfterRestart {
                match self {
                    $(Self::$kind => AfterRestart::$after,)+
                }
            }

            /// The operation that asks for its file, if it writes one.
            pub fn file_operation(self) -> Option<&'static str> {
                match self {
                    $(Self::$kind => kinds!(@file $file $($operation)?),)+
                }
            }
        }
    };
    (@file NoFile) => { None };
    (@file File $operation:literal) => { Some($operation) };
}

jobs!(kinds);

impl JobKind {
    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    /// The word for it, as people read it.
    pub fn words(self) -> String {
        self.word().replace('_', " ")
    }
}

/// What a kind of job results in.
pub trait JobOutcome: Reported {
    /// The file that was written, where one was.
    fn written(&self) -> Option<Written> {
        None
    }
}

/// A file that a job has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where the daemon keeps it, an hour at most.
    pub file: UploadId,
    /// Its length in bytes.
    pub bytes: u64,
    /// What it is called where nobody says.
    pub name: String,
}

macro_rules! results {
    ($($(#[$help:meta])+ $result:ident($of:ty);)+) => {
        /// What a job has found or done.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "of", rename_all = "snake_case")]
        pub enum JobResult {
            $($(#[$help])+ $result($of),)+
        }

        impl JobResult {
            fn of(&self) -> &dyn JobOutcome {
                match self {
                    $(Self::$result(of) => of,)+
                }
            }
        }
    };
}

results! {
    /// Of a reconcile or a backfill.
    Reconciled(Reconciled);
    /// Of an import.
    Imported(Imported);
    /// Of an export.
    Exported(Exported);
    /// Of an export of the audit.
    AuditExported(AuditExported);
    /// Of a verification of the audit.
    AuditVerified(AuditVerified);
    /// Of a drill.
    Drilled(Drill);
}

impl JobResult {
    /// What it says.
    pub(super) fn report(&self) -> Report {
        self.of().report()
    }

    /// The fault that the result reports, if there is one.
    pub(super) fn verdict(&self) -> Option<Fault> {
        self.of().verdict()
    }

    /// The file that was written, where one was.
    pub fn written(&self) -> Option<Written> {
        self.of().written()
    }
}

impl JobOutcome for Reconciled {}

impl JobOutcome for Imported {}

impl JobOutcome for AuditVerified {}

impl JobOutcome for Drill {}

impl JobOutcome for Exported {
    fn written(&self) -> Option<Written> {
        let name = format!("bans-{}.{}", self.guild_id, self.format.word());
        Some(Written { file: self.file?, bytes: self.bytes, name })
    }
}

impl JobOutcome for AuditExported {
    fn written(&self) -> Option<Written> {
        let guild = self.guild_id.map_or_else(String::new, |guild| format!("-{guild}"));
        let name = format!("audit{guild}.{}", self.format.word());
        Some(Written { file: self.file?, bytes: self.bytes, name })
    }
}
