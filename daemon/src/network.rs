//! Who may reach whom. ZERO-LEAK's first wall: a [`Permit`] is made here and nowhere else.

mod bulk;
mod containment;
mod excepted;
mod permit;
mod protection;
mod topology;

pub use bulk::{BulkPermit, Gathered, bulk_permit};
pub use containment::{Budget, Budgets};
pub use excepted::{Excepted, Exceptions};
pub use permit::{GuildChannel, Permit, Refusal, authorise, authorise_for, permit_for};
pub use protection::{OwnAccounts, Protection, Shield};
pub use topology::{Freeze, LinkRow, LinkState, Topology};

use std::time::Duration;

/// How long a closing link retries undos where the settings do not say.
pub const UNDO_LIMIT: Duration = Duration::from_secs(7 * 86_400);
