//! `audit`: who asked for what, what came of it, and whether anybody has changed what is written about it.

mod export;
mod log;
mod stats;
mod verify;
mod warnings;

pub use export::{AuditExport, AuditExported};
pub use log::{AuditEntries, AuditEntry, AuditLog, AuditResult};
pub use stats::{ActorCount, AuditFigures, AuditStats, DayCount, OperationCount};
pub use verify::{Amiss, AuditVerified, AuditVerify};
pub use warnings::{AuditWarnings, Warnings};
