//! Every route the sandbox serves, with its window, and how a path finds it.

use super::call::{Answer, Call};
use super::limits::Bucket;
use super::{
    applications, audit_logs, bans, channels, guilds, interactions, members, messages, roles, users, webhooks,
};
use crate::Refusal;

/// Whether and whom a route asks for its credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The bot's token.
    Bot,
    /// Nobody's.
    Open,
    /// The token in the path; not counted towards the bot's global limit.
    PathToken,
}

/// A route.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) method: &'static str,
    /// As Discord's description writes it.
    pub(crate) template: &'static str,
    pub(crate) door: Door,
    pub(crate) bucket: Bucket,
    /// Whether it changes a guild: such requests are effects.
    pub(crate) effect: bool,
    pub(crate) handle: fn(&mut Call<'_>) -> Result<Answer, Refusal>,
}

impl Endpoint {
    /// Whether it reads a guild's ban list.
    pub(crate) fn is_ban_list(&self) -> bool {
        self.template.ends_with("/bans")
    }

    /// Whether it can be carried out later than it is answered: changes of members and bans, whose answer says
    /// nothing that is only made then.
    pub(crate) fn can_be_late(&self) -> bool {
        self.effect && (self.template.contains("{user_id}") || self.template.ends_with("/bulk-ban"))
    }
}

type Handler = fn(&mut Call<'_>) -> Result<Answer, Refusal>;

const fn at(method: &'static str, template: &'static str, bucket: Bucket, handle: Handler) -> Endpoint {
    Endpoint { method, template, door: Door::Bot, bucket, effect: false, handle }
}

const fn change(method: &'static str, template: &'static str, bucket: Bucket, handle: Handler) -> Endpoint {
    Endpoint { method, template, door: Door::Bot, bucket, effect: true, handle }
}

const fn open(
    method: &'static str,
    template: &'static str,
    door: Door,
    bucket: Bucket,
    handle: Handler,
) -> Endpoint {
    Endpoint { method, template, door, bucket, effect: false, handle }
}

const fn per(name: &'static str, limit: u32, seconds: u32) -> Bucket {
    Bucket { name, limit, seconds }
}

const COMMANDS: &str = "/applications/{application_id}/commands";
const GUILD_COMMANDS: &str = "/applications/{application_id}/guilds/{guild_id}/commands";
const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";
const MEMBER: &str = "/guilds/{guild_id}/members/{user_id}";
const MEMBER_ROLE: &str = "/guilds/{guild_id}/members/{user_id}/roles/{role_id}";
const ROLES: &str = "/guilds/{guild_id}/roles";
const ROLE: &str = "/guilds/{guild_id}/roles/{role_id}";
const MESSAGES: &str = "/channels/{channel_id}/messages";
const MESSAGE: &str = "/channels/{channel_id}/messages/{message_id}";
const WEBHOOK: &str = "/webhooks/{webhook_id}/{webhook_token}";
const ORIGINAL: &str = "/webhooks/{webhook_id}/{webhook_token}/messages/@original";
const FOLLOWUP: &str = "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}";
const CALLBACK: &str = "/interactions/{interaction_id}/{interaction_token}/callback";

/// Literal segments stand before parameters, since the first match wins. Windows are planning figures: Discord
/// publishes none (FACTS F).
pub(crate) static ROUTES: &[Endpoint] = &[
    open("GET", "/gateway", Door::Open, per("gateway", 10, 10), users::gateway),
    at("GET", "/gateway/bot", per("gateway-bot", 10, 10), users::gateway_bot),
    at("GET", "/users/@me", per("me", 10, 10), users::me),
    at("GET", "/users/@me/guilds", per("my-guilds", 10, 10), users::my_guilds),
    at("POST", "/users/@me/channels", per("my-channels", 10, 10), users::open_dm),
    at("GET", "/users/{user_id}", per("users", 10, 10), users::user),
    at("GET", "/applications/@me", per("application", 10, 10), applications::me),
    at("GET", "/oauth2/applications/@me", per("application", 10, 10), applications::me),
    at("GET", COMMANDS, per("commands", 10, 10), applications::list),
    at("PUT", COMMANDS, per("commands-write", 5, 20), applications::replace),
    at("POST", COMMANDS, per("commands-write", 5, 20), applications::upsert),
    at("GET", GUILD_COMMANDS, per("guild-commands", 10, 10), applications::list),
    at("PUT", GUILD_COMMANDS, per("guild-commands-write", 5, 20), applications::replace),
    at("POST", GUILD_COMMANDS, per("guild-commands-write", 5, 20), applications::upsert),
    at("GET", "/guilds/{guild_id}", per("guild", 10, 10), guilds::guild),
    at("GET", "/guilds/{guild_id}/channels", per("guild-channels", 10, 10), guilds::channels),
    at("GET", "/guilds/{guild_id}/audit-logs", per("audit-logs", 10, 10), audit_logs::page),
    at("GET", ROLES, per("roles", 10, 10), roles::list),
    change("POST", ROLES, per("roles-write", 10, 10), roles::create),
    at("GET", ROLE, per("roles", 10, 10), roles::one),
    change("PATCH", ROLE, per("roles-write", 10, 10), roles::edit),
    change("DELETE", ROLE, per("roles-write", 10, 10), roles::delete),
    at("GET", "/guilds/{guild_id}/members", per("members", 10, 10), members::list),
    at("GET", MEMBER, per("member", 10, 10), members::one),
    change("PATCH", MEMBER, per("member-write", 10, 10), members::edit),
    change("DELETE", MEMBER, per("kick", 5, 5), members::kick),
    change("PUT", MEMBER_ROLE, per("member-role", 10, 10), members::give_role),
    change("DELETE", MEMBER_ROLE, per("member-role", 10, 10), members::take_role),
    at("GET", "/guilds/{guild_id}/bans", per("bans", 10, 10), bans::list),
    at("GET", BAN, per("ban", 10, 10), bans::one),
    change("PUT", BAN, per("ban-write", 5, 5), bans::put),
    change("DELETE", BAN, per("ban-write", 5, 5), bans::delete),
    change("POST", "/guilds/{guild_id}/bulk-ban", per("bulk-ban", 5, 5), bans::bulk),
    at("GET", "/channels/{channel_id}", per("channel", 10, 10), channels::one),
    at("GET", MESSAGES, per("messages", 10, 10), messages::list),
    at("POST", MESSAGES, per("messages-write", 5, 5), messages::create),
    at("GET", MESSAGE, per("messages", 10, 10), messages::one),
    at("PATCH", MESSAGE, per("messages-write", 5, 5), messages::edit),
    at("DELETE", MESSAGE, per("messages-delete", 5, 1), messages::delete),
    open("POST", CALLBACK, Door::PathToken, per("callback", 10, 10), interactions::callback),
    open("POST", WEBHOOK, Door::PathToken, per("webhook", 5, 2), webhooks::follow_up),
    open("GET", ORIGINAL, Door::PathToken, per("webhook", 5, 2), webhooks::original),
    open("PATCH", ORIGINAL, Door::PathToken, per("webhook", 5, 2), webhooks::edit_original),
    open("DELETE", ORIGINAL, Door::PathToken, per("webhook", 5, 2), webhooks::delete_original),
    open("GET", FOLLOWUP, Door::PathToken, per("webhook", 5, 2), webhooks::one),
    open("PATCH", FOLLOWUP, Door::PathToken, per("webhook", 5, 2), webhooks::edit),
    open("DELETE", FOLLOWUP, Door::PathToken, per("webhook", 5, 2), webhooks::delete),
];

/// Whether a route has a window of that name.
pub(crate) fn is_bucket(name: &str) -> bool {
    ROUTES.iter().any(|endpoint| endpoint.bucket.name == name)
}

/// What a path and a method lead to.
pub(crate) enum Found<'a> {
    Endpoint(&'static Endpoint, Vec<(&'static str, &'a str)>),
    /// The path exists with other methods.
    OtherMethod,
    Nothing,
}

/// Finds the route of a path, which is given without `/api/v10`.
pub(crate) fn find<'a>(method: &str, path: &'a str) -> Found<'a> {
    let mut other = false;
    for endpoint in ROUTES {
        let Some(parameters) = fit(endpoint.template, path) else { continue };
        if endpoint.method == method {
            return Found::Endpoint(endpoint, parameters);
        }
        other = true;
    }
    if other { Found::OtherMethod } else { Found::Nothing }
}

/// The values of a template's parameters, if the path has its shape.
pub(crate) fn fit<'t, 'p>(template: &'t str, path: &'p str) -> Option<Vec<(&'t str, &'p str)>> {
    let mut parameters = Vec::new();
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(parameters),
            (Some(wanted), Some(given)) => {
                match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) if !given.is_empty() => parameters.push((name, given)),
                    None if wanted == given => {}
                    _ => return None,
                }
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_segments_win_over_parameters() {
        let Found::Endpoint(endpoint, _) = find("GET", "/users/@me") else { panic!("not found") };
        assert_eq!(endpoint.template, "/users/@me");
        let Found::Endpoint(endpoint, parameters) = find("PUT", "/guilds/1/bans/2") else {
            panic!("not found")
        };
        assert_eq!((endpoint.template, parameters), (BAN, vec![("guild_id", "1"), ("user_id", "2")]));
        assert!(matches!(find("POST", "/guilds/1/bans/2"), Found::OtherMethod));
        assert!(matches!(find("GET", "/nothing"), Found::Nothing));
    }
}
