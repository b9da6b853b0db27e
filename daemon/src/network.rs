//! Who may reach whom. ZERO-LEAK's first wall: a [`Permit`] is made here and nowhere else.

mod permit;
mod topology;

pub use permit::{GuildChannel, Permit, Refusal, authorise, authorise_for, permit_for};
pub use topology::{Freeze, LinkRow, LinkState, Topology};
