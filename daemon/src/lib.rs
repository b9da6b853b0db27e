//! wayhavend: the Discord bot, the sync engine, the store and the control socket.

pub mod clock;
pub mod network;
pub mod store;
