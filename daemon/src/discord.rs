//! The boundary to Discord.

pub mod embed;
pub mod interaction;
pub mod slash;
