//! What of a guild decides permissions, ranks and names, and how events change it.

use super::{RoleView, Unreadable, field};
use serde::Deserialize;
use serde_json::Value;
use wayhaven_shared::value::{GuildId, Untrusted, UserId};

/// A guild that was changed. Fields that the event does not carry, or that cannot be read, stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuildChange {
    /// Its name from now on.
    pub name: Option<Untrusted>,
    /// Its owner from now on.
    pub owner: Option<UserId>,
    /// Whether moderators need two-factor authentication from now on (FACTS A1).
    pub two_factor: Option<bool>,
    /// All its roles.
    pub roles: Option<Vec<RoleView>>,
}

/// Reads GUILD_UPDATE: the guild's id, and what is used of the rest.
pub(super) fn change(kind: &str, data: &Value) -> Result<(GuildId, GuildChange), Unreadable> {
    let name = data["name"].as_str().map(Untrusted::clipped);
    let owner = UserId::deserialize(&data["owner_id"]).ok();
    let roles = Vec::<RoleView>::deserialize(&data["roles"]).ok();
    let change = GuildChange { name, owner, two_factor: two_factor(data), roles };
    Ok((field(kind, data, "id")?, change))
}

/// Whether moderators of the guild need two-factor authentication: MFA level 1 (FACTS A1).
pub(super) fn two_factor(data: &Value) -> Option<bool> {
    data["mfa_level"].as_u64().map(|level| level == 1)
}

#[cfg(test)]
mod tests {
    use crate::discord::event::{GatewayEvent, read};
    use serde_json::json;

    #[test]
    fn a_changed_guild_is_read_down_to_what_decides_and_what_is_missing_stays_open() {
        let whole = json!({"id": "100", "name": "New", "owner_id": "9", "mfa_level": 1,
            "roles": [{"id": "100", "position": 0, "permissions": "1024"}], "features": ["COMMUNITY"]});
        let Ok(Some(GatewayEvent::GuildChanged { guild, change })) = read("GUILD_UPDATE", &whole) else {
            panic!("not read")
        };
        assert_eq!((guild.get(), change.owner.map(|owner| owner.get())), (100, Some(9)));
        assert_eq!((change.name.unwrap().raw(), change.two_factor), ("New", Some(true)));
        assert_eq!(change.roles.map(|roles| roles.len()), Some(1));
        let Ok(Some(GatewayEvent::GuildChanged { change, .. })) =
            read("GUILD_UPDATE", &json!({"id": "100", "owner_id": null}))
        else {
            panic!("not read")
        };
        assert_eq!(change, super::GuildChange::default());
        assert!(read("GUILD_UPDATE", &json!({"name": "of no guild"})).is_err());
    }
}
