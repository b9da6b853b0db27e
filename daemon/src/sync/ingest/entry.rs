//! What an audit entry means, decided in the transaction that stores it: the same whether it came by the gateway or
//! was read from the log, and once only.

use crate::discord::event::{Deed, Entry};
use crate::store::{AuditRow, Change, NewPunishment, Personal, StoreError};
use crate::sync::overrides::taken_back_here;
use crate::sync::record::{AtOrigin, record};
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::operations::punishment::{Action, Origin};
use wayhaven_shared::value::{GuildId, Timestamp, Untrusted, UserId};

/// Works an entry. `me` is the bot's own id.
///
/// # Errors
/// Where the store fails; then nothing of it is stored.
pub fn work_entry(change: &Change<'_>, me: Option<UserId>, entry: Entry) -> Result<(), StoreError> {
    let topology = change.topology_here()?;
    let Some(seen) = meaning(change, &entry)? else { return Ok(()) };
    let Entry { guild, id, user, actor, .. } = entry;
    let ours = actor.is_some() && actor == me;
    if topology.is_main(guild) {
        if !change.note_entry(guild, id, user, seen.action)? {
            return Ok(());
        }
        change.entry_came(guild, user, seen.action)?;
        return if ours { confirm(change, &seen, id) } else { from_entry(change, seen, id) };
    }
    // Our own effect comes back: it only confirms.
    if ours {
        return Ok(());
    }
    // Of guilds that belong to no network nothing is followed, and so nothing is remembered twice.
    if topology.is_child(guild) {
        if !change.note_entry(guild, id, user, seen.action)? {
            return Ok(());
        }
        if change.is_outrun(guild, user, seen.action, id)? {
            change.audit(&row(&seen))?;
            return Ok(());
        }
    }
    contain_seen(change, &seen)
}

/// What an entry means in its guild; nothing where it punishes nobody. Roles mean something where one of them is the
/// guild's mute role.
///
/// # Errors
/// Where the store fails.
pub fn meaning(change: &Change<'_>, entry: &Entry) -> Result<Option<Seen>, StoreError> {
    let (action, until) = match &entry.deed {
        Deed::Done(action) => (*action, None),
        // An end that has passed is none (FACTS A3).
        Deed::Timeout { until: Some(until), .. } if *until > change.now() => (Action::Timeout, Some(*until)),
        Deed::Timeout { .. } => (Action::Untimeout, None),
        Deed::Roles { added, removed } => match change.config(entry.guild)?.mute_role_id {
            Some(role) if added.contains(&role) => (Action::Mute, None),
            Some(role) if removed.contains(&role) => (Action::Unmute, None),
            _ => return Ok(None),
        },
    };
    let Entry { guild, user, actor, .. } = *entry;
    Ok(Some(Seen { guild, user, action, until, by: actor, reason: entry.reason.clone() }))
}

/// Our own request, done in the main. It only confirms, unless somebody did the opposite by hand in between and that
/// was taken for the last word: the main's order decides, and this entry is the later one (FAULTS 15).
fn confirm(change: &Change<'_>, seen: &Seen, id: u64) -> Result<(), StoreError> {
    let Seen { guild, user, action, .. } = *seen;
    if is_overtaken(change, seen, id)? {
        return Ok(());
    }
    let Some((last, Some(of))) = change.last_decision(guild, user, action)? else { return Ok(()) };
    if last == action || of >= id {
        return Ok(());
    }
    let asked = change.last_asked(guild, user, action)?;
    let mut new = NewPunishment::new(guild, user, action, Origin::System);
    new.audit_entry = Some(id);
    if let Some(asked) = asked {
        (new.reason, new.moderator, new.origin) = (asked.reason, asked.moderator_id, asked.origin);
        (new.expires_at, new.evidence) = (asked.expires_at, asked.evidence);
    }
    change.audit(&row(seen))?;
    record(change, &new, AtOrigin::Done).map(drop)
}

fn is_overtaken(change: &Change<'_>, seen: &Seen, entry: u64) -> Result<bool, StoreError> {
    let Seen { guild, user, action, .. } = *seen;
    Ok(change.is_overtaken(guild, user, action, entry)? || change.is_outrun(guild, user, action, entry)?)
}

/// Stores what somebody else's entry in a main tells, unless it is known.
///
/// # Errors
/// Where the store fails.
pub fn from_entry(change: &Change<'_>, seen: Seen, id: u64) -> Result<(), StoreError> {
    if change.is_recorded(seen.guild, id)? {
        return Ok(());
    }
    if is_overtaken(change, &seen, id)? {
        // It comes after a later one: the order in the main guild wins (FAULTS 14, 15).
        change.audit(&row(&seen))?;
        return Ok(());
    }
    // The entry comes late to a ban that was already stored without one: it says who and why.
    let Seen { guild, user, action, by, ref reason, .. } = seen;
    if change.adopt_entry(guild, user, action, id, by, reason.as_ref())? {
        return Ok(());
    }
    by_hand(change, &seen, Some(id))
}

/// Something that was done by hand, as far as it is known.
pub struct Seen {
    /// Where.
    pub guild: GuildId,
    /// To whom.
    pub user: UserId,
    /// What.
    pub action: Action,
    /// Until when, where Discord ends it by itself.
    pub until: Option<Timestamp>,
    /// By whom, where that is known.
    pub by: Option<UserId>,
    /// Why, where that is known.
    pub reason: Option<Untrusted>,
}

impl Seen {
    /// Something of which neither actor nor reason is known.
    pub fn bare(guild: GuildId, user: UserId, action: Action) -> Self {
        Self { guild, user, action, until: None, by: None, reason: None }
    }
}

/// Stores a punishment that was made by hand in a main.
///
/// # Errors
/// Where the store fails.
pub fn by_hand(change: &Change<'_>, seen: &Seen, audit_entry: Option<u64>) -> Result<(), StoreError> {
    change.audit(&row(seen))?;
    let mut new = NewPunishment::new(seen.guild, seen.user, seen.action, Origin::Guild);
    (new.reason, new.moderator) = (seen.reason.clone(), seen.by);
    (new.expires_at, new.audit_entry) = (seen.until, audit_entry);
    record(change, &new, AtOrigin::Done).map(drop)
}

/// What was done in a guild that is no main stays there.
///
/// # Errors
/// Where the store fails.
pub fn contain_seen(change: &Change<'_>, seen: &Seen) -> Result<(), StoreError> {
    let Seen { guild, user, action, by, until, .. } = *seen;
    change.note_local_cause(guild, user, by, action, until)?;
    taken_back_here(change, guild, user, action, by)?;
    if change.topology_here()?.is_child(guild) {
        change.audit(&row(seen))?;
        let action = action.word().to_owned();
        change.tell(&Changed::Contained { guild_id: guild, action, user_id: user, by })?;
    }
    Ok(())
}

/// The audit row of something that was seen and not asked of us.
fn row(seen: &Seen) -> AuditRow {
    let parameters = seen.reason.as_ref().map(|reason| serde_json::json!({ "reason": reason }).to_string());
    AuditRow {
        intent: None,
        result: Some(AuditResult::Success),
        operation: seen.action.word(),
        family: "punishment",
        surface: "gateway",
        guild: Some(seen.guild),
        channel: None,
        fault: None,
        micros: None,
        personal: Personal {
            actor: seen.by.map(|user| user.to_string()),
            target: Some(seen.user.to_string()),
            parameters,
            message: None,
        },
    }
}
