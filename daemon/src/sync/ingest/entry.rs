//! What an audit entry means, decided in the transaction that stores it: the same whether it came by the gateway or
//! was read from the log, and once only.

use super::author::Author;
use crate::clock::{SAME_END_MS, Skew};
use crate::discord::directory::Directory;
use crate::discord::event::{Deed, Entry};
use crate::discord::mute_role::unfit;
use crate::network::Shield;
use crate::store::{AuditRow, Change, Echo, NewPunishment, Personal, Severity, StoreError};
use crate::sync::overrides::taken_back_here;
use crate::sync::record::{AtOrigin, record};
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::operations::punishment::{Action, Origin};
use wayhaven_shared::value::{GuildId, RoleId, Timestamp, Untrusted, UserId};

/// The entry without those of the roles it gave that are no mute, whatever the guild has set: a role that moderates or
/// manages is an office. Whoever is promoted by hand in a main is not muted in its children.
pub fn without_offices(directory: &Directory, by: Author, entry: Entry) -> Entry {
    let Entry { guild, ref deed, .. } = entry;
    let Deed::Roles { added, removed } = deed else { return entry };
    if by == Author::Us {
        return entry;
    }
    let is_office =
        |role: &RoleId| unfit(directory, guild, *role).is_some_and(|unfit| unfit.is_of_the_role());
    let added = added.iter().copied().filter(|role| !is_office(role)).collect();
    Entry { deed: Deed::Roles { added, removed: removed.clone() }, ..entry }
}

/// Works an entry that was written by `by`.
///
/// # Errors
/// Where the store fails; then nothing of it is stored.
pub fn work_entry(change: &Change<'_>, by: Author, entry: Entry) -> Result<(), StoreError> {
    let topology = change.topology_here()?;
    let Some(seen) = meaning(change, &entry)? else { return Ok(()) };
    let Entry { guild, id, user, .. } = entry;
    if topology.is_main(guild) {
        if let Some(local) = why_local(change, by, &entry, &seen)? {
            return if change.note_aside(guild, id, user)? {
                pass_over(change, &seen, &local)
            } else {
                Ok(())
            };
        }
        if !change.note_entry(guild, id, user, seen.action)? {
            return Ok(());
        }
        change.entry_came(guild, user, seen.action)?;
        if by == Author::Us {
            change.note_echo(Echo::of_entry(guild, user, seen.action, id))?;
            return confirm(change, &seen, id);
        }
        return from_entry(change, seen, id);
    }
    // Our own effect comes back: it only confirms. That of a bulk ban has no actor (FACTS B5).
    let told = Echo::of_entry(guild, user, seen.action, id);
    if by == Author::Us {
        return note_echo(change, &entry);
    }
    if entry.actor.is_none() && entry.integration.is_none() && change.is_echo(told)? {
        // Once what we did is taken back nothing tells any more whose it was, and the log may be read again.
        if topology.is_child(guild) {
            change.note_aside(guild, id, user)?;
        }
        return note_echo(change, &entry);
    }
    // Of guilds that belong to no network nothing is followed, and so nothing is remembered twice.
    if topology.is_child(guild) {
        if !change.note_entry(guild, id, user, seen.action)? {
            return Ok(());
        }
        if change.is_outrun(guild, user, seen.action, id)? || change.is_undone_since(told)? {
            change.audit(&row(&seen))?;
            return Ok(());
        }
        if seen.action.is_undo() && change.is_done_by_us_since(told)? {
            // It took back nothing of what we did later, and its entry was read late.
            change.note_local_cause(told, seen.by, None)?;
            change.audit(&row(&seen))?;
            return Ok(());
        }
    }
    contain_seen(change, &seen, told)
}

/// Works a ban event in a guild that is no main and does not show its log.
///
/// # Errors
/// Where the store fails.
pub fn from_event(
    change: &Change<'_>,
    guild: GuildId,
    user: UserId,
    action: Action,
) -> Result<(), StoreError> {
    let told = Echo::of_event(guild, user, action, change);
    match change.is_echo(told)? {
        true => change.note_echo(told),
        false => contain_seen(change, &Seen::bare(guild, user, action), told),
    }
}

/// Notes that an entry tells of what we did, and what it says of what was there before us.
///
/// # Errors
/// Where the store fails.
pub fn note_echo(change: &Change<'_>, entry: &Entry) -> Result<(), StoreError> {
    let Some(seen) = meaning(change, entry)? else { return Ok(()) };
    let Entry { guild, id, user, .. } = *entry;
    if let (Action::Timeout, Deed::Timeout { before, .. }) = (seen.action, &entry.deed) {
        let before = before.filter(|before| *before > entry.at()).map(|end| change.skew().to_local(end));
        let skew = change.skew();
        let is_theirs = before.is_some()
            && !change.was_timed_out_by_us(guild, user, skew.made_at(id))?
            && !is_over_by_now(change, guild, user, id)?;
        if is_theirs {
            // Theirs went on while ours began.
            let theirs = Echo::of_entry(guild, user, Action::Timeout, id.saturating_sub(1));
            change.note_local_cause(theirs, None, before)?;
        } else {
            change.timeout_was(guild, user, id, before)?;
        }
    }
    change.note_echo(Echo::of_entry(guild, user, seen.action, id))
}

/// Whether something is known of the user's timeouts in the guild that is later than an entry of ours, which is read once more
/// then: the staff's later word, or that we took ours back. What was there before us says nothing of now.
fn is_over_by_now(change: &Change<'_>, guild: GuildId, user: UserId, entry: u64) -> Result<bool, StoreError> {
    let ours = Echo::of_entry(guild, user, Action::Timeout, entry);
    Ok(change.is_outrun(guild, user, Action::Timeout, entry)? || change.is_undone_since(ours)?)
}

/// Why something that was done by hand in a main stays there.
enum Local {
    /// Another bot did it, which `network.bots` does not list.
    AnotherBot,
    /// An integration of this kind did it.
    Integration(Untrusted),
    /// It was done to a bot, which a main may have no use for any more while others do.
    OfBot,
}

impl Local {
    fn words(&self) -> String {
        match self {
            Self::AnotherBot => "not propagated: another bot did it".to_owned(),
            Self::Integration(kind) => format!("not propagated: the integration {} did it", kind.line()),
            Self::OfBot => "not propagated: the user is a bot".to_owned(),
        }
    }
}

/// Why what an entry of a main tells stays in the main, where it does. A ban of a bot is propagated once somebody has
/// approved it; what takes back is propagated where something was.
fn why_local(
    change: &Change<'_>,
    by: Author,
    entry: &Entry,
    seen: &Seen,
) -> Result<Option<Local>, StoreError> {
    match (by, &entry.integration) {
        (Author::Us, _) => return Ok(None),
        (_, Some(kind)) => return Ok(Some(Local::Integration(kind.clone()))),
        (Author::AnotherBot, None) => return Ok(Some(Local::AnotherBot)),
        (Author::Somebody, None) => {}
    }
    let Seen { guild, user, action, of_bot, .. } = *seen;
    let stays = match action {
        Action::Ban | Action::Unban | Action::Warn => false,
        Action::Kick | Action::Mute | Action::Timeout => true,
        Action::Unmute | Action::Untimeout => {
            change.causes(guild, user, action.measure(), change.now())?.is_empty()
        }
    };
    Ok((stays && (of_bot == Some(true) || change.is_known_bot(user)?)).then_some(Local::OfBot))
}

fn pass_over(change: &Change<'_>, seen: &Seen, local: &Local) -> Result<(), StoreError> {
    // Its ban event is explained by it, and is nobody else's.
    change.entry_came(seen.guild, seen.user, seen.action)?;
    let mut row = row(seen);
    let reason = seen.reason.as_ref().map(Untrusted::raw);
    let mut parameters = serde_json::json!({ "reason": reason, "local": local.words() });
    if let Local::Integration(kind) = local {
        parameters["integration"] = kind.raw().into();
    }
    row.personal.parameters = Some(parameters.to_string());
    change.audit(&row)?;
    tell_contained(change, seen)
}

/// What an entry means in its guild; nothing where it punishes nobody. Roles mean something where one of them is the
/// guild's mute role.
///
/// # Errors
/// Where the store fails.
pub fn meaning(change: &Change<'_>, entry: &Entry) -> Result<Option<Seen>, StoreError> {
    let (action, until) = match &entry.deed {
        Deed::Done(action) => (*action, None),
        Deed::Timeout { until: Some(until), before } if *until > entry.at() => {
            // It has come and gone unseen. Where it cut short one that would go on, it is the end of that one.
            let local = |end: Timestamp| change.skew().to_local(end);
            if local(*until) <= change.now() && before.is_some_and(|before| local(before) > change.now()) {
                (Action::Untimeout, None)
            } else {
                (Action::Timeout, Some(local(*until)))
            }
        }
        // An end that has passed is none (FACTS A3).
        Deed::Timeout { .. } => (Action::Untimeout, None),
        Deed::Roles { added, removed } => match change.config(entry.guild)?.mute_role_id {
            Some(role) if added.contains(&role) => (Action::Mute, None),
            Some(role) if removed.contains(&role) => (Action::Unmute, None),
            _ if change
                .former_mute_roles(entry.guild, entry.user)?
                .iter()
                .any(|role| removed.contains(role)) =>
            {
                (Action::Unmute, None)
            }
            _ => return Ok(None),
        },
    };
    let Entry { guild, user, actor, of_bot, .. } = *entry;
    Ok(Some(Seen { guild, user, action, until, by: actor, reason: entry.reason.clone(), of_bot }))
}

/// Our own request, done in the main. It only confirms, unless somebody did the opposite by hand in between and that
/// was taken for the last word: the main's order decides, and this entry is the later one (FAULTS 15).
fn confirm(change: &Change<'_>, seen: &Seen, id: u64) -> Result<(), StoreError> {
    let Seen { guild, user, action, .. } = *seen;
    if is_overtaken(change, seen, id)? {
        return Ok(());
    }
    let Some((last, Some(of))) = change.last_decision(guild, user, action)? else { return Ok(()) };
    if of >= id || last == action && !changes_the_end(change, seen)? {
        return Ok(());
    }
    let asked = change.last_asked(guild, user, action)?;
    let mut new = NewPunishment::new(guild, user, action, Origin::System);
    new.audit_entry = Some(id);
    if let Some(asked) = asked {
        (new.reason, new.moderator, new.origin) = (asked.reason, asked.moderator_id, asked.origin);
        (new.expires_at, new.evidence) = (asked.expires_at, asked.evidence);
    }
    if new.origin == Origin::System && action.is_undo() {
        // What was done by hand in between has no end that has come: our request took it back.
        for cause in change.causes(guild, user, action, change.now())? {
            change.mark_reversed(cause)?;
        }
    }
    change.audit(&row(seen))?;
    record(change, &new, AtOrigin::Done).map(drop)
}

/// Whether a timeout ends at another time than the main's latest does, as far as that is known.
fn changes_the_end(change: &Change<'_>, seen: &Seen) -> Result<bool, StoreError> {
    let Some(until) = seen.until else { return Ok(false) };
    let latest = change.punishments(Some(seen.guild), Some(seen.user), None, 20)?;
    let latest = latest.into_iter().find(|punishment| punishment.action == seen.action);
    let end = latest.and_then(|latest| latest.expires_at);
    // Without a correction an end is exact.
    let same = if change.skew() == Skew::default() { 0 } else { SAME_END_MS };
    Ok(end.is_some_and(|end| end.millis().abs_diff(until.millis()) > same))
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
    if seen.by.is_none() && change.is_echo(Echo::of_entry(seen.guild, seen.user, seen.action, id))? {
        // The entry of our own bulk ban names nobody (FACTS B5).
        change.note_echo(Echo::of_entry(seen.guild, seen.user, seen.action, id))?;
        return confirm(change, &seen, id);
    }
    if is_overtaken(change, &seen, id)? || seen.until.is_some_and(|until| until <= change.now()) {
        // It comes after a later one: the order in the main guild wins (FAULTS 14, 15). Or it is over already.
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
    /// Whether they are known as a bot; nothing where Discord does not tell.
    pub of_bot: Option<bool>,
}

impl Seen {
    /// Something of which neither actor nor reason is known.
    pub fn bare(guild: GuildId, user: UserId, action: Action) -> Self {
        Self { guild, user, action, until: None, by: None, reason: None, of_bot: Some(false) }
    }
}

/// Stores a punishment that was made by hand in a main.
///
/// # Errors
/// Where the store fails.
pub fn by_hand(change: &Change<'_>, seen: &Seen, audit_entry: Option<u64>) -> Result<(), StoreError> {
    change.audit(&row(seen))?;
    tell_protected(change, seen)?;
    let mut new = NewPunishment::new(seen.guild, seen.user, seen.action, Origin::Guild);
    (new.reason, new.moderator) = (seen.reason.clone(), seen.by);
    (new.expires_at, new.audit_entry) = (seen.until, audit_entry);
    new.of_bot = seen.of_bot == Some(true);
    // A ban of a bot too many is seen and lifted again, and one of a person must not wait in a
    // raid. What else was done by hand to a bot stays in the main, so where it may be one somebody
    // decides.
    new.may_be_bot = seen.of_bot.is_none() && seen.action != Action::Ban;
    record(change, &new, AtOrigin::Done)?;
    if !seen.action.is_undo() {
        return Ok(());
    }
    // Nothing of what Wayhaven did there before stands any more.
    let Seen { guild, user, action, .. } = *seen;
    let told = match audit_entry {
        Some(entry) => Echo::of_entry(guild, user, action, entry),
        None => Echo::of_event(guild, user, action, change),
    };
    // Also of what its staff did before it was a main.
    change.note_local_cause(told, None, None)?;
    change.note_lifted(told)
}

/// Somebody punished by hand in Discord whom the main protects: done is done, but nothing of it is delivered (the plan
/// skips every child), and people have to look at it.
fn tell_protected(change: &Change<'_>, seen: &Seen) -> Result<(), StoreError> {
    let Seen { guild, user, action, by, .. } = *seen;
    let topology = change.topology_here()?;
    let Some(shield) = topology.protection().shield(guild, guild, user).filter(|_| !action.is_undo()) else {
        return Ok(());
    };
    let by_whom = by.map_or_else(|| "somebody unknown".to_owned(), |by| format!("user {by}"));
    let done = action.past();
    let what = format!("{by_whom} has {done} user {user} by hand in main {guild}, and {shield}");
    let span = if action == Action::Timeout { " --for SPAN" } else { "" };
    let details = match shield {
        Shield::Owner { .. } => format!("{what}: nothing of it is delivered as long as they own it"),
        _ => format!(
            "{what}. Nothing of it is delivered to children, also not when the protection ends. To deliver it, end the \
             protection and issue it again: `wayhaven {action} {user}{span} --guild {guild}`"
        ),
    };
    change.alert("protected_punished", Severity::High, Some(guild), by, &details)
}

/// What was done in a guild that is no main stays there.
///
/// # Errors
/// Where the store fails.
pub fn contain_seen(change: &Change<'_>, seen: &Seen, told: Echo) -> Result<(), StoreError> {
    let Seen { guild, user, action, by, until, .. } = *seen;
    change.note_local_cause(told, by, until)?;
    if action.is_undo() {
        change.let_go(guild, user, action)?;
    }
    taken_back_here(change, guild, user, action, by, change.skew().made_at(told.entry))?;
    if action.is_undo() {
        change.note_lifted(told)?;
    }
    if change.topology_here()?.is_child(guild) {
        change.audit(&row(seen))?;
        tell_contained(change, seen)?;
    }
    Ok(())
}

fn tell_contained(change: &Change<'_>, seen: &Seen) -> Result<(), StoreError> {
    let action = seen.action.word().to_owned();
    change.tell(&Changed::Contained { guild_id: seen.guild, action, user_id: seen.user, by: seen.by })
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
