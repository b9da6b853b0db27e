//! What nobody else is to read: the bot's token, sealed at rest, and who may look into our files.
//!
//! Sealing protects the token where the data directory is read without the state directory: in a backup, a copy, a disk
//! that is given away. Whoever may read both as the daemon's user has the token; nothing on the same machine can help
//! against that.
//!
//! `seal` knows the two lines, `files` writes a file so that a crash leaves the old one or the new one, `vault` puts
//! both together, `modes` refuses files and directories that others may read, and `trust` those that others may change or replace.

mod files;
pub mod modes;
mod seal;
pub mod trust;
mod vault;

pub use vault::{Rotated, Sealed, Vault};
