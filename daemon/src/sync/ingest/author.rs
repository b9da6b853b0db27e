//! Who did what an audit entry tells of, as far as it matters: we, somebody whose word counts, or another bot; and
//! whether it was done to a bot.

use crate::discord::accounts::Kind;
use crate::discord::event::{Deed, Entry};
use crate::discord::rest::{AuditLogEntry, AuditPage};
use crate::sync::attempt::Tools;
use std::time::Duration;
use wayhaven_shared::value::UserId;

/// How long the log is asked what made an entry. Events wait for it, since their order is kept.
const READ_WITHIN: Duration = Duration::from_secs(2);

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
    let mut by = author(tools, entry.actor).await;
    if by != Author::Us && entry.has_unread_options() && matters(tools, entry).await {
        read_options(tools, entry).await;
    }
    // Of what stays in the main anyway nobody has to know.
    if by == Author::Somebody && entry.integration.is_none() {
        entry.of_bot = is_bot(tools, entry.user).await;
        let accounts = tools.services.directory().accounts();
        let untold = |user: UserId| accounts.kind(user) == Some(Kind::Untold);
        // A page of the log tells of a hundred accounts at once: in a raid one request for each is
        // too many.
        if (untold(entry.user) || entry.actor.is_some_and(untold)) && log_page(tools, entry).await.is_some() {
            by = author(tools, entry.actor).await;
            entry.of_bot = is_bot(tools, entry.user).await;
        }
    }
    by
}

/// Whether an entry means anything: of roles only the guild's mute role does, and integrations change others often.
async fn matters(tools: &Tools, entry: &Entry) -> bool {
    let Deed::Roles { added, removed } = &entry.deed else { return true };
    let guild = entry.guild;
    let role = tools.services.store().read(move |view| Ok(view.config(guild)?.mute_role_id)).await;
    role.ok().flatten().is_some_and(|role| added.contains(&role) || removed.contains(&role))
}

/// Reads from the log itself what made an entry. Where it cannot be read in time, it was an integration of unknown kind.
async fn read_options(tools: &Tools, entry: &mut Entry) {
    let (guild, id) = (entry.guild, entry.id);
    let Some(entries) = log_page(tools, entry).await else {
        tracing::warn!(%guild, "which integration made an entry of the audit log is not known");
        return;
    };
    let mut entries = entries.into_iter().filter_map(|entry| Entry::from_log(guild, entry));
    if let Some(found) = entries.find(|found| found.id == id) {
        entry.integration = found.integration;
    }
}

/// The newest entries of the same kind, where the log can be read in time. The accounts that the
/// page tells of are known then.
async fn log_page(tools: &Tools, entry: &Entry) -> Option<Vec<AuditLogEntry>> {
    let page = tools.services.rest().audit_log(entry.guild, entry.log_kind()?);
    let AuditPage { entries, users } = tokio::time::timeout(READ_WITHIN, page).await.ok()?.ok()?;
    users.into_iter().for_each(|account| tools.services.directory().accounts().learn(account));
    Some(entries)
}

async fn author(tools: &Tools, actor: Option<UserId>) -> Author {
    let Some(actor) = actor else { return Author::Somebody };
    if tools.services.directory().me() == Some(actor) {
        return Author::Us;
    }
    let accounts = tools.services.directory().accounts();
    if accounts.is_listed(actor) {
        return Author::Somebody;
    }
    match accounts.ask(tools.services.rest(), actor).await {
        Kind::Person | Kind::Untold => Author::Somebody,
        Kind::Bot | Kind::Nobody => Author::AnotherBot,
    }
}

/// Whether an account is a bot's, by what is known or else by one request; nothing where Discord
/// does not tell.
pub async fn is_bot(tools: &Tools, user: UserId) -> Option<bool> {
    match tools.services.directory().accounts().ask(tools.services.rest(), user).await {
        Kind::Bot => Some(true),
        Kind::Person | Kind::Nobody => Some(false),
        Kind::Untold => None,
    }
}

/// The same where nothing depends on it but whether it was we: in a child everybody else is its own staff.
pub fn author_in_child(tools: &Tools, actor: Option<UserId>) -> Author {
    match actor.is_some() && actor == tools.services.directory().me() {
        true => Author::Us,
        false => Author::Somebody,
    }
}
