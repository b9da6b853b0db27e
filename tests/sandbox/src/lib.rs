//! A strict Discord on loopback: the ground Wayhaven is tested on, and where it can be tried without an account.
//!
//! REST v10 and gateway v10 as FACTS.md and Discord's own API description say, plus a control address that does
//! what people do. In one process with a test ([`Sandbox`]) or as a binary ([`serve`]).
//!
//! ```text
//! bot ── REST ────▶ rest     ─┐
//! bot ── gateway ─▶ gateway  ─┼─▶ Discord (one mutex: World) ─▶ events to sessions, a log of every request
//! test, demo ─────▶ people   ─┤        ▲
//! anything else ──▶ control  ─┘        └ Clock: real time plus what was advanced
//! ```
//!
//! Invariants: the world's mutex is never held across an await; nothing but [`world`] changes the state; whatever
//! changes wakes those who wait ([`Discord::wait_until`]), so no test sleeps.

pub mod attachment;
pub mod clock;
pub mod commands;
mod complain;
pub mod conformance;
mod connection;
pub mod control;
mod discord;
pub mod fault;
pub mod gateway;
pub mod interaction;
pub mod message;
mod options;
pub mod people;
pub mod permissions;
pub mod record;
mod refusal;
pub mod rest;
mod sandbox;
pub mod serve;
pub mod snowflake;
mod wire;
pub mod world;

pub use conformance::Conformance;
pub use discord::{Addresses, Discord, Timeout};
pub use fault::{Aim, At, EventFate, Fault, FaultId, Scope, Trouble};
pub use interaction::InteractionId;
pub use options::{Changes, DmWindow, Guesses, Options, RouteWindow};
pub use people::People;
pub use record::{Effect, Recorded};
pub use refusal::{FormErrors, Refusal};
pub use sandbox::Sandbox;
pub use serve::main;
pub use world::World;
