//! Who did what an audit entry tells of, as far as it matters: we, somebody whose word counts, or another bot.

use crate::sync::attempt::Tools;
use std::time::Duration;
use wayhaven_shared::value::UserId;

/// How long Discord is asked whose an account is. Events wait for it, since their order is kept.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The bot that Wayhaven is.
    Us,
    /// A person, a bot whose word counts (`network.bots`), or nobody knows.
    Somebody,
    /// Another bot.
    AnotherBot,
}

/// Who the actor of an entry in a main is. Discord is asked about each account once.
pub async fn author(tools: &Tools, actor: Option<UserId>) -> Author {
    let Some(actor) = actor else { return Author::Somebody };
    if tools.directory.me() == Some(actor) {
        return Author::Us;
    }
    let accounts = tools.directory.accounts();
    if accounts.is_listed(actor) {
        return Author::Somebody;
    }
    let is_bot = match accounts.is_bot(actor) {
        Some(is_bot) => is_bot,
        None => match tokio::time::timeout(TOLD_WITHIN, tools.rest.account(actor)).await {
            Ok(Ok(account)) => {
                let bot = account.bot;
                accounts.learn(account);
                bot
            }
            failed => {
                let why =
                    failed.map_or_else(|_| "no answer in time".to_owned(), |answer| format!("{answer:?}"));
                tracing::warn!(%actor, "whether this is a bot is not known, so it counts as a person: {why}");
                accounts.presume_person(actor);
                false
            }
        },
    };
    if is_bot { Author::AnotherBot } else { Author::Somebody }
}

/// The same where nothing depends on it but whether it was we: in a child everybody else is its own staff.
pub fn author_in_child(tools: &Tools, actor: Option<UserId>) -> Author {
    match actor.is_some() && actor == tools.directory.me() {
        true => Author::Us,
        false => Author::Somebody,
    }
}
