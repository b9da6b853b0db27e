//! `setup`: mains, children and the links between them.

mod actions;
mod connection;
mod consent;
mod dashboard;
mod doctor;
mod guild;
mod link;

pub use actions::AllowedActions;
pub use connection::{Check, CheckResult, ConnectionTested, SetupTestConnection};
pub use consent::{SetupAccept, SetupDecline, SetupLeave};
pub use dashboard::{Child, Dashboard, Network, SetupDashboard};
pub use doctor::{Diagnosis, Patient, SetupDoctor};
pub use guild::{
    GuildDesignated, LockChanged, SecurityChanged, SecurityLevel, SetupLock, SetupMainGuild,
    SetupSecurityLevel, SetupUnlock, SetupUnsetMain,
};
pub use link::{
    Backfill, Link, LinkChanged, LinkTerms, LinkUndo, Mode, SetupActions, SetupAddChild, SetupMode,
    SetupRemoveChild,
};
