//! Who did what an audit entry tells of, as far as it matters: we, somebody whose word counts, or another bot; and
//! whether it was done to a bot.

use crate::discord::accounts::Kind;
use crate::discord::event::Entry;
use crate::sync::attempt::Tools;
use wayhaven_shared::value::UserId;

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The bot that Wayhaven is.
    Us,
    /// A person, a bot whose word counts (`network.bots`), or nobody knows.
    Somebody,
    /// Another bot, or something that is no user at all: an application, a webhook.
    AnotherBot,
}

/// Who the author of an entry in a main is. Discord is asked about each account once. The entry is told whether its target
/// is a bot, where something depends on that.
pub async fn judge(tools: &Tools, entry: &mut Entry) -> Author {
    let by = author(tools, entry.actor).await;
    // Of what stays in the main anyway nobody has to know.
    if by == Author::Somebody && entry.integration.is_none() {
        entry.of_bot = is_bot(tools, entry.user).await;
    }
    by
}

async fn author(tools: &Tools, actor: Option<UserId>) -> Author {
    let Some(actor) = actor else { return Author::Somebody };
    if tools.directory.me() == Some(actor) {
        return Author::Us;
    }
    let accounts = tools.directory.accounts();
    if accounts.is_listed(actor) {
        return Author::Somebody;
    }
    match accounts.ask(&tools.rest, actor).await {
        Kind::Person => Author::Somebody,
        Kind::Bot | Kind::Nobody => Author::AnotherBot,
    }
}

/// Whether an account is a bot's, by what is known or else by one request.
pub async fn is_bot(tools: &Tools, user: UserId) -> bool {
    tools.directory.accounts().ask(&tools.rest, user).await == Kind::Bot
}

/// The same where nothing depends on it but whether it was we: in a child everybody else is its own staff.
pub fn author_in_child(tools: &Tools, actor: Option<UserId>) -> Author {
    match actor.is_some() && actor == tools.directory.me() {
        true => Author::Us,
        false => Author::Somebody,
    }
}
