//! What a row looks at once it was done.

use serde_json::json;
use wayhaven_sandbox::Discord;

/// Somebody in a guild, as Discord has them.
pub(in super::super) struct Place<'d> {
    pub(super) discord: &'d Discord,
    pub(super) guild: u64,
    pub(super) user: u64,
    pub(super) muted: u64,
    pub(super) is_main: bool,
}

impl Place<'_> {
    pub(in super::super) fn is_main(&self) -> bool {
        self.is_main
    }

    pub(in super::super) fn is_banned(&self) -> bool {
        self.discord.is_banned(self.guild, self.user)
    }

    pub(in super::super) fn is_member(&self) -> bool {
        self.discord.is_member(self.guild, self.user)
    }

    pub(in super::super) fn is_timed_out(&self) -> bool {
        !self.discord.member(self.guild, self.user)["communication_disabled_until"].is_null()
    }

    pub(in super::super) fn is_muted(&self) -> bool {
        let member = self.discord.member(self.guild, self.user);
        member["roles"].as_array().is_some_and(|roles| roles.contains(&json!(self.muted.to_string())))
    }
}
