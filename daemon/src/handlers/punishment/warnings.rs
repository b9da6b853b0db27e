//! Warnings that count, and what follows them.

use crate::store::{Change, View};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punished::WarningCount;
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, UserId};

/// How many warnings the user has in the guild, with `more` that are about to come; nothing where none escalate.
///
/// # Errors
/// Where the store fails.
pub(super) fn count(
    view: &View<'_>,
    guild: GuildId,
    user: UserId,
    now: Timestamp,
    more: u64,
) -> Result<Option<WarningCount>, Fault> {
    let config = view.config(guild)?;
    if config.warnings.is_off() {
        return Ok(None);
    }
    let warnings = standing(view, guild, user, now)? + more;
    Ok(Some(WarningCount { warnings, step: config.warnings.next(warnings) }))
}

/// How many warnings of the user count in the guild: those that stand and are recent enough.
///
/// # Errors
/// Where the store fails.
pub(crate) fn standing(view: &View<'_>, guild: GuildId, user: UserId, now: Timestamp) -> Result<u64, Fault> {
    let within = view.config(guild)?.warnings_within;
    let span = |seconds: u64| i64::try_from(seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let since = within.map(|within| now.millis().saturating_sub(span(within.seconds())));
    Ok(view.warnings(guild, user, since.map(Timestamp::from_millis))?)
}

/// Counts a warning that was just stored, and notes what has to follow it, in the same transaction: the scheduler asks
/// for that, at the next start if need be.
///
/// # Errors
/// Where the store fails.
pub(super) fn escalate(
    change: &Change<'_>,
    warning: PunishmentId,
    guild: GuildId,
    user: UserId,
) -> Result<Option<WarningCount>, Fault> {
    let counted = count(change, guild, user, change.now(), 0)?;
    if let Some(counted) = counted
        && let Some(step) = counted.reached()
    {
        change.owe_escalation(warning, counted.warnings, step)?;
    }
    Ok(counted)
}

/// Takes a warning's escalation off the list as it is carried out.
///
/// # Errors
/// Where it was carried out before, or the warning was taken back.
pub(super) fn settle(change: &Change<'_>, warning: PunishmentId) -> Result<(), Fault> {
    if change.settle_escalation(warning)? {
        return Ok(());
    }
    Err(Fault::conflict(format!("nothing has to follow warning {warning} any more")))
}
