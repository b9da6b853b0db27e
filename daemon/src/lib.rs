//! wayhavend: the Discord bot, the sync engine and the control socket, as a library.

pub mod discord;
pub mod settings;
