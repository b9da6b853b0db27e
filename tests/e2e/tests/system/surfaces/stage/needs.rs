//! Which permissions are enough, and which are not.

use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::Authority;

/// Any permission that moderates: one of them makes staff.
const MODERATION: u64 = permissions::KICK_MEMBERS
    | permissions::BAN_MEMBERS
    | permissions::MODERATE_MEMBERS
    | permissions::MANAGE_GUILD;

/// The permissions that are just enough. Staff needs none: the staff role is enough.
pub(super) fn exactly(needs: Authority) -> u64 {
    needs.permission().unwrap_or(0)
}

/// The permissions that a line needs besides, for what it lets Wayhaven do: who has warnings lead to a kick
/// may kick, and who imports bans may ban.
pub(super) fn besides(line: &str) -> u64 {
    match line {
        line if line.starts_with("config warnings") => permissions::KICK_MEMBERS,
        line if line.starts_with("sync import") => permissions::BAN_MEMBERS,
        _ => 0,
    }
}

/// Who has just that: no permission makes an owner of the bot.
pub(super) fn who(needs: Authority, sandbox: &Sandbox) -> u64 {
    match needs {
        Authority::Owner => sandbox.owner(),
        _ => sandbox.moderator(),
    }
}

/// Every permission that is not enough.
pub(super) fn all_but(needs: Authority) -> u64 {
    permissions::ALL & !permissions::ADMINISTRATOR & !needs.permission().unwrap_or(MODERATION)
}
