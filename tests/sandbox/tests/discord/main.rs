//! The sandbox as a stranger sees it: raw HTTP and raw WebSocket, no client library.

mod bot;
mod commands;
mod conformance;
mod control;
mod faults;
mod forms;
mod gateway;
mod interactions;
mod limits;
mod moderation;
