//! What an audit entry means, decided in the transaction that stores it: the same whether it came by the gateway or
//! was read from the log, and once only.

use crate::discord::event::Entry;
use crate::store::{AuditRow, Change, NewPunishment, Personal, Severity, StoreError};
use crate::sync::record::{AtOrigin, record};
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::operations::punishment::{Action, Origin};
use wayhaven_shared::value::{GuildId, Untrusted, UserId};

/// Works an entry. `me` is the bot's own id.
///
/// # Errors
/// Where the store fails; then nothing of it is stored.
pub fn work_entry(change: &Change<'_>, me: Option<UserId>, entry: Entry) -> Result<(), StoreError> {
    let topology = change.topology_here()?;
    let Entry { guild, id, user, actor, action, .. } = entry;
    let ours = actor.is_some() && actor == me;
    if topology.is_main(guild) {
        if !change.note_entry(guild, id, user)? {
            return Ok(());
        }
        change.entry_came(guild, user, action)?;
        return if ours { confirm(change, &entry) } else { from_entry(change, entry) };
    }
    // Our own effect comes back: it only confirms.
    if ours {
        return Ok(());
    }
    // Of guilds that belong to no network nothing is followed, and so nothing is remembered twice.
    if topology.is_child(guild) {
        if !change.note_entry(guild, id, user)? {
            return Ok(());
        }
        if change.is_outrun(guild, user, id)? {
            change.audit(&observed(&entry))?;
            return Ok(());
        }
    }
    contain(change, &entry)
}

/// Our own request, done in the main. It only confirms, unless somebody did the opposite by hand in between and that
/// was taken for the last word: the main's order decides, and this entry is the later one (FAULTS 15).
fn confirm(change: &Change<'_>, entry: &Entry) -> Result<(), StoreError> {
    let Entry { guild, id, user, action, .. } = *entry;
    if is_overtaken(change, guild, user, id)? {
        return Ok(());
    }
    let Some((last, Some(of))) = change.last_decision(guild, user)? else { return Ok(()) };
    if last == action || of >= id {
        return Ok(());
    }
    let asked = change.last_asked(guild, user, action)?;
    let new = NewPunishment {
        guild,
        user,
        action,
        reason: asked.as_ref().and_then(|asked| asked.reason.clone()),
        moderator: asked.as_ref().and_then(|asked| asked.moderator_id),
        origin: asked.map_or(Origin::System, |asked| asked.origin),
        delete_seconds: 0,
        audit_entry: Some(id),
    };
    change.audit(&observed(entry))?;
    record(change, &new, AtOrigin::Done).map(drop)
}

fn is_overtaken(change: &Change<'_>, guild: GuildId, user: UserId, entry: u64) -> Result<bool, StoreError> {
    Ok(change.is_overtaken(guild, user, entry)? || change.is_outrun(guild, user, entry)?)
}

/// Stores what somebody else's entry in a main tells, unless it is known.
///
/// # Errors
/// Where the store fails.
pub fn from_entry(change: &Change<'_>, entry: Entry) -> Result<(), StoreError> {
    if change.is_recorded(entry.guild, entry.id)? {
        return Ok(());
    }
    if is_overtaken(change, entry.guild, entry.user, entry.id)? {
        // It comes after a later one: the order in the main guild wins (FAULTS 14, 15).
        change.audit(&observed(&entry))?;
        return Ok(());
    }
    let Entry { guild, id, user, actor, ref reason, action } = entry;
    // The entry comes late to a ban that was already stored without one: it says who and why.
    if change.adopt_entry(guild, user, action, id, actor, reason.as_ref())? {
        return Ok(());
    }
    by_hand(change, &Seen { guild, user, action, by: actor, reason: entry.reason }, Some(id))
}

/// Something that was done by hand, as far as it is known.
pub struct Seen {
    /// Where.
    pub guild: GuildId,
    /// To whom.
    pub user: UserId,
    /// What.
    pub action: Action,
    /// By whom, where that is known.
    pub by: Option<UserId>,
    /// Why, where that is known.
    pub reason: Option<Untrusted>,
}

/// Stores a punishment that was made by hand in a main.
///
/// # Errors
/// Where the store fails.
pub fn by_hand(change: &Change<'_>, seen: &Seen, audit_entry: Option<u64>) -> Result<(), StoreError> {
    change.audit(&row(seen.guild, seen.user, seen.by, seen.reason.as_ref(), seen.action))?;
    let new = NewPunishment {
        guild: seen.guild,
        user: seen.user,
        action: seen.action,
        reason: seen.reason.clone(),
        moderator: seen.by,
        origin: Origin::Guild,
        delete_seconds: 0,
        audit_entry,
    };
    record(change, &new, AtOrigin::Done).map(drop)
}

fn contain(change: &Change<'_>, entry: &Entry) -> Result<(), StoreError> {
    let Entry { guild, user, actor, action, .. } = *entry;
    contain_seen(change, &Seen { guild, user, action, by: actor, reason: entry.reason.clone() })
}

/// What was done in a guild that is no main stays there.
///
/// # Errors
/// Where the store fails.
pub fn contain_seen(change: &Change<'_>, seen: &Seen) -> Result<(), StoreError> {
    let Seen { guild, user, action, by, .. } = *seen;
    change.note_local_ban(guild, user, by, action)?;
    if action == Action::Unban {
        tell_override(change, guild, user, by)?;
    }
    if change.topology_here()?.is_child(guild) {
        change.audit(&row(guild, user, by, seen.reason.as_ref(), action))?;
        let action = action.word().to_owned();
        change.tell(&Changed::Contained { guild_id: guild, action, user_id: user, by })?;
    }
    Ok(())
}

/// A child's staff have the last word in their own guild, and the network learns that they have used it.
fn tell_override(
    change: &Change<'_>,
    guild: GuildId,
    user: UserId,
    by: Option<UserId>,
) -> Result<(), StoreError> {
    let Some((punishment, main)) = change.overridden(guild, user)? else { return Ok(()) };
    let details =
        format!("guild {guild} lifted the ban of {user} that main {main} had delivered (#{punishment})");
    change.alert("local_override", Severity::Medium, Some(guild), by, &details)
}

fn observed(entry: &Entry) -> AuditRow {
    row(entry.guild, entry.user, entry.actor, entry.reason.as_ref(), entry.action)
}

/// The audit row of something that was seen and not asked of us.
fn row(
    guild: GuildId,
    user: UserId,
    by: Option<UserId>,
    reason: Option<&Untrusted>,
    action: Action,
) -> AuditRow {
    let parameters = reason.map(|reason| serde_json::json!({ "reason": reason }).to_string());
    AuditRow {
        intent: None,
        result: Some(AuditResult::Success),
        operation: action.word(),
        family: "punishment",
        surface: "gateway",
        guild: Some(guild),
        channel: None,
        fault: None,
        micros: None,
        personal: Personal {
            actor: by.map(|user| user.to_string()),
            target: Some(user.to_string()),
            parameters,
            message: None,
        },
    }
}
