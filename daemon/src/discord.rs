//! The boundary to Discord. Only this module names serenity, and sends requests; `FACTS` in its comments is the design's
//! collection of what is known of Discord's behaviour.

pub mod accounts;
pub mod attachment;
pub mod budget;
pub mod channel;
pub mod directory;
pub mod embed;
pub mod event;
pub mod gateway;
pub mod grants;
pub mod interaction;
pub mod mute_role;
pub mod name_book;
pub mod refusals;
pub mod rest;
pub mod routes;
pub mod slash;
pub mod status;
