//! Where requests come from: Discord, the control socket, and the daemon's own schedule. Only these ask the pipeline.

pub mod discord;
pub mod schedule;
pub mod socket;
