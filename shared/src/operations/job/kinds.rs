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
/// `/// What it does. Kind => Result, "word", how many at once, after a restart, file;`.
///
/// *After a restart* is `Ended`, or `GoesOn(system)` with the system of the daemon that goes on with
/// it. *File* is `NoFile`, or `File("operation")` with the operation that has the file written. The
/// daemon reads the same list, so that a kind without a way to go on does not compile.
#[macro_export]
macro_rules! jobs {
    ($callback:ident) => {
        $callback! {
            /// Compares a guild with what its mains have decided.
            Reconcile => Reconciled, "reconcile", OneInAGuild, GoesOn(reconcile), NoFile;
            /// Delivers to a new child what its main had decided before.
            Backfill => Reconciled, "backfill", OneInAGuild, GoesOn(reconcile), NoFile;
            /// Takes over a list of bans. A plan changes nothing, so it keeps no import waiting.
            Import => Imported, "import", OneInAGuildAndPlans(4), GoesOn(lists), NoFile;
            /// Writes a list of bans.
            Export => Exported, "export", OneInAGuild, Ended, File("sync export");
            /// Writes the audit.
            AuditExport => AuditExported, "audit_export", OneInAGuild, Ended, File("audit export");
            /// Reads the audit, and whether it holds.
            AuditVerify => AuditVerified, "audit_verify", OneInAll, Ended, NoFile;
            /// Tries out where a punishment would arrive.
            Drill => Drilled, "drill", OneInAGuild, Ended, NoFile;
        }
    };
}

/// How many jobs of a kind run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtOnce {
    /// One, wherever.
    OneInAll,
    /// One in each guild, plan or not.
    OneInAGuild,
    /// One in each guild that changes something, and beside it so many plans.
    OneInAGuildAndPlans(usize),
}

/// What becomes of a job when the daemon ends before it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterRestart {
    /// It is over: whoever wants its result asks again.
    Ended,
    /// It goes on from its cursor. A plan does not: it is over.
    GoesOn,
}

macro_rules! kinds {
    ($($(#[$help:meta])+ $kind:ident => $result:ident, $word:literal, $at_once:ident$(($plans:literal))?,
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

            /// How many of its kind run at once.
            pub fn at_once(self) -> AtOnce {
                match self {
                    $(Self::$kind => AtOnce::$at_once$(($plans))?,)+
                }
            }

            /// What becomes of it at a restart.
            pub fn after_restart(self) -> AfterRestart {
                match self {
                    $(Self::$kind => AfterRestart::$after,)+
                }
            }

            /// The operation that has a file written by it, where it writes one.
            pub fn file_by(self) -> Option<&'static str> {
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

    /// What is wrong with what was looked at, where something is.
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
