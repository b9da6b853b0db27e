//! Local override: a child's own staff take back what a main had delivered to their guild. The main's security level
//! decides: it is respected, and an exception says so, or it is applied again.

use crate::network::authorise_for;
use crate::store::{Change, Overridden, Severity, StoreError};
use wayhaven_shared::operations::exception::ExceptionOrigin;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::setup::SecurityLevel;
use wayhaven_shared::value::{GuildId, PunishmentId, Timestamp, UserId};

/// How often one delivery is applied again within a day: two sides do not fight for ever.
pub const AGAIN_AT_MOST: u32 = 3;

/// A day, in milliseconds.
const WINDOW: i64 = 86_400_000;

/// A guild's own staff have done something there at that time, or have it done. Where that takes back what a main had delivered, the
/// main's security level decides, and the network learns of it either way.
///
/// # Errors
/// Where the store fails.
pub fn taken_back_here(
    change: &Change<'_>,
    guild: GuildId,
    user: UserId,
    action: Action,
    by: Option<UserId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    if !action.is_undo() || !change.topology_here()?.is_child(guild) {
        return Ok(());
    }
    let measure = action.measure();
    if change.exception(guild, user, measure)?.is_some_and(|one| one.origin == ExceptionOrigin::Command) {
        // It was agreed that the guild does not apply it.
        return Ok(());
    }
    let overridden = change.overridden(guild, user, measure, at)?;
    let Some(first) = overridden.first() else { return Ok(()) };
    // Where several mains have delivered it, one that does not give way decides.
    let mut strict = None;
    for one in &overridden {
        if change.security_level_in(one.main, guild)? != SecurityLevel::Standard {
            strict = Some(one);
            break;
        }
    }
    let one = strict.unwrap_or(first);
    let Overridden { delivery, punishment, main } = *one;
    let what = format!(
        "guild {guild} has taken back the {measure} of {user} that main {main} had delivered (#{punishment})"
    );
    let since = Timestamp::from_millis(change.now().millis().saturating_sub(WINDOW));
    let times = change.reapplied_since(delivery, since)?;
    let (severity, outcome) = match strict {
        None => {
            change.except(guild, user, measure, "taken back by the guild's own staff", by)?;
            (Severity::Medium, "it is respected, and not delivered there again".to_owned())
        }
        Some(_) if times < AGAIN_AT_MOST => {
            apply_again(change, guild, user, one, measure)?;
            (Severity::Medium, format!("it is applied again ({} of {AGAIN_AT_MOST} in 24 hours)", times + 1))
        }
        Some(_) => {
            let why = format!(
                "taken back by the guild's own staff, again after it was applied {AGAIN_AT_MOST} times more in 24 hours"
            );
            change.except(guild, user, measure, &why, by)?;
            let outcome =
                format!("it stays so: it was applied again {AGAIN_AT_MOST} times in 24 hours already");
            (Severity::High, outcome)
        }
    };
    change.alert("local_override", severity, Some(guild), by, &format!("{what}: {outcome}"))
}

/// What a guild's own staff have asked of us was done there. What ends by itself is nobody's word.
///
/// # Errors
/// Where the store fails.
pub fn done_by_command(change: &Change<'_>, punishment: PunishmentId) -> Result<(), StoreError> {
    match change.punishment(punishment)?.filter(|one| one.origin != Origin::System) {
        Some(one) => {
            taken_back_here(change, one.guild_id, one.user_id, one.action, one.moderator_id, change.now())
        }
        None => Ok(()),
    }
}

/// Through the gates, as they are now.
fn apply_again(
    change: &Change<'_>,
    guild: GuildId,
    user: UserId,
    one: &Overridden,
    measure: Action,
) -> Result<(), StoreError> {
    let topology = change.topology_here()?;
    let (state, reason) = match authorise_for(&topology, one.main, guild, measure, user) {
        Ok(_) => (DeliveryState::Pending, None),
        Err(refusal) => (refusal.state(), Some(refusal.to_string())),
    };
    change.note_reapplication(one.delivery)?;
    change.apply_again(one.delivery, state, reason.as_deref()).map(drop)
}
