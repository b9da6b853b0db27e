//! Whole systems: real processes against the sandbox Discord. Each test has a sandbox and a daemon of its own.

mod contract;
mod crash;
mod demo;
mod interactions;
mod leak;
mod origins;
mod setting;
mod startup;
mod terminal;
