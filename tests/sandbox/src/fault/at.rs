//! Which requests a fault concerns, and whom a 429 blames.

use serde::Deserialize;
use serde_json::Value;

use crate::wire;

/// Which requests a fault concerns. What is left out matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct At {
    /// HTTP method.
    pub method: Option<String>,
    /// Route as Discord writes it, as `/guilds/{guild_id}/bans/{user_id}`.
    pub route: Option<String>,
    /// Guild id.
    #[serde(deserialize_with = "wire::optional_id")]
    pub guild: Option<u64>,
    /// User id; of requests for direct messages, the other person's.
    #[serde(deserialize_with = "wire::optional_id")]
    pub user: Option<u64>,
    /// How often; without it, until cleared.
    pub times: Option<u32>,
}

impl At {
    /// Every request.
    #[must_use]
    pub fn anything() -> Self {
        Self::default()
    }

    /// Requests of one method and route.
    #[must_use]
    pub fn route(method: &str, route: &str) -> Self {
        Self { method: Some(method.to_owned()), route: Some(route.to_owned()), ..Self::default() }
    }

    /// In one guild only.
    #[must_use]
    pub fn guild(mut self, guild: u64) -> Self {
        self.guild = Some(guild);
        self
    }

    /// About one user only, also where a bulk ban lists them.
    #[must_use]
    pub fn user(mut self, user: u64) -> Self {
        self.user = Some(user);
        self
    }

    /// Only the next so many.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    pub(super) fn matches(&self, request: &Asked<'_>) -> bool {
        self.method.as_deref().is_none_or(|method| method == request.method)
            && self.route.as_deref().is_none_or(|route| route == request.route)
            && self.guild.is_none_or(|guild| request.guild == Some(guild))
            && self.user.is_none_or(|user| request.is_about(user))
    }
}

/// The request as a matcher sees it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Route template.
    pub route: &'a str,
    /// Guild id.
    pub guild: Option<u64>,
    /// User id; of requests for direct messages, the other person's.
    pub user: Option<u64>,
    /// Its body, if that was JSON.
    pub body: Option<&'a Value>,
}

impl Asked<'_> {
    /// Whether it concerns a user, by its path or its list of users.
    pub(super) fn is_about(&self, user: u64) -> bool {
        let listed = |body: &Value| {
            let id = user.to_string();
            body["user_ids"].as_array().is_some_and(|list| list.iter().any(|one| *one == *id))
        };
        self.user == Some(user) || self.body.is_some_and(listed)
    }
}

/// Whom a 429 blames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The route's own window.
    User,
    /// The bot as a whole.
    Global,
    /// A resource that others use too.
    Shared,
}

impl Scope {
    /// As in the X-RateLimit-Scope header.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Global => "global",
            Self::Shared => "shared",
        }
    }
}
