//! Refusals that are about the guild, or the bot, and not about the user: what is refused, and the likely cause.

use super::{Refused, Tools};
use crate::discord::directory::{Directory, Presence, needed};
use crate::discord::rest::{NO_TWO_FACTOR, RestError};
use crate::store::Queued;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::GuildId;

/// What needs two-factor authentication of the bot's owner where the guild requires that: timeouts do not (FACTS A1).
const NEED_TWO_FACTOR: [Action; 5] = [Action::Ban, Action::Unban, Action::Kick, Action::Mute, Action::Unmute];

/// What a refusal says about everybody in the guild, once it is known that the user's rank does not explain it; nothing where
/// a permission or a role is missing, which events tell of.
pub(super) fn of(tools: &Tools, delivery: &Queued, error: &RestError) -> Option<Refused> {
    let (directory, guild, action) = (tools.services.directory(), delivery.guild, delivery.action);
    let refused = |actions: &[Action], reason: String, about_everybody| {
        let footing = directory.footing(guild);
        Some(Refused { actions: actions.to_vec(), reason, footing, about_everybody })
    };
    match (error.code()?, error) {
        (50013, _) if directory.may(guild, action) == Some(true) => {
            let actions: &[Action] =
                if lacks_two_factor(directory, guild, action) { &NEED_TWO_FACTOR } else { &[action] };
            refused(actions, although_permitted(directory, guild, action), false)
        }
        (60003, _) => refused(&NEED_TWO_FACTOR, NO_TWO_FACTOR.to_owned(), true),
        (50001, _) if directory.presence(guild) == Some(Presence::Here) => {
            let reason = "403 Discord refuses access although the bot is in the guild";
            refused(&[action], reason.to_owned(), true)
        }
        // The bot may not be in the guild: whatever is told of the guild next is worth a try.
        (50001 | 10004 | 30005, _) => {
            let whole = refused(&Action::ALL, error.reason(), true);
            whole.map(|refused| Refused { footing: None, ..refused })
        }
        (0, RestError::Refused { status: 403, .. }) => refused(&[action], error.reason(), false),
        _ => None,
    }
}

/// Why Discord refuses what the bot has the permission for.
fn although_permitted(directory: &Directory, guild: GuildId, action: Action) -> String {
    if lacks_two_factor(directory, guild, action) {
        return NO_TWO_FACTOR.to_owned();
    }
    format!("403 Discord refuses although the permission is present: {}", needed(action).1)
}

/// Whether the likely cause of a refusal is that the guild requires two-factor authentication.
fn lacks_two_factor(directory: &Directory, guild: GuildId, action: Action) -> bool {
    directory.requires_two_factor(guild) && NEED_TWO_FACTOR.contains(&action)
}
