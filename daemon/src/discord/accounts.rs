//! Whose account it is: a person's or a bot's, as far as Discord has told, and which other bots are listened to.

use super::name_book::NameBook;
use super::rest::Rest;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::value::UserId;

/// How many accounts are known at once: beyond it all are forgotten, and asked for again.
const MOST: usize = 20_000;

/// How long an account of which Discord did not tell counts as a person's before it is asked for again.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(10 * 60);

/// How long Discord is asked whose an account is. Events wait for it, since their order is kept.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

/// Unknown User (FACTS A8).
const UNKNOWN_USER: u64 = 10_013;

/// A user object, as far as it is used here.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "UserObject")]
pub struct Account {
    /// Whose.
    pub id: UserId,
    /// Whether it is a bot's, or Discord's own.
    pub bot: bool,
    /// Its unique name, where Discord sent it.
    pub name: Option<String>,
}

/// The same as Discord sends it. A name of another shape than text costs nothing but the name.
#[derive(Deserialize)]
struct UserObject {
    id: UserId,
    #[serde(default)]
    bot: bool,
    #[serde(default)]
    system: bool,
    #[serde(default)]
    username: Value,
}

impl From<UserObject> for Account {
    fn from(user: UserObject) -> Self {
        let name = user.username.as_str().map(str::to_owned);
        Self { id: user.id, bot: user.bot || user.system, name }
    }
}

/// Whose an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A person's.
    Person,
    /// A bot's, or Discord's own.
    Bot,
    /// No user's: an application without a bot, or a webhook.
    Nobody,
    /// Discord has not told: it counts as a person's, except where a bot could be harmed.
    Untold,
}

#[derive(Clone, Copy, Debug)]
enum Known {
    Told(Kind),
    /// Discord did not tell in time; it is asked again after a while.
    Untold(Instant),
}

/// The accounts.
#[derive(Debug, Default)]
pub struct Accounts {
    known: Mutex<HashMap<UserId, Known>>,
    listed: RwLock<Vec<UserId>>,
    names: NameBook,
}

impl Accounts {
    fn known(&self) -> MutexGuard<'_, HashMap<UserId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what Discord tells of an account.
    pub fn learn(&self, account: Account) {
        let kind = if account.bot { Kind::Bot } else { Kind::Person };
        self.put(account.id, Known::Told(kind));
        if let Some(name) = &account.name {
            self.names.learn(account.id, name);
        }
    }

    /// What the accounts are called.
    pub fn names(&self) -> &NameBook {
        &self.names
    }

    /// Remembers what an event tells of the one whom it is about, who caused it, or whom a command names.
    pub fn learn_of_event(&self, data: &Value) {
        let named = data["data"]["resolved"]["users"].as_object();
        let named = named.into_iter().flat_map(|users| users.values());
        for user in [&data["user"], &data["member"]["user"]].into_iter().chain(named) {
            if user["id"].is_string()
                && let Ok(account) = Account::deserialize(user)
            {
                self.learn(account);
            }
        }
    }

    /// Discord does not tell, for a while.
    pub fn note_untold(&self, user: UserId) {
        self.put(user, Known::Untold(Instant::now()));
    }

    fn put(&self, user: UserId, known: Known) {
        let mut all = self.known();
        if all.len() >= MOST && !all.contains_key(&user) {
            all.clear();
        }
        all.insert(user, known);
    }

    /// Whether an account is a bot's; nothing where that is not known.
    pub fn is_bot(&self, user: UserId) -> Option<bool> {
        self.kind(user).map(|kind| kind == Kind::Bot)
    }

    /// Whose an account is; nothing where that is not known.
    pub fn kind(&self, user: UserId) -> Option<Kind> {
        match *self.known().get(&user)? {
            Known::Told(kind) => Some(kind),
            Known::Untold(since) => (since.elapsed() < ASKED_AGAIN_AFTER).then_some(Kind::Untold),
        }
    }

    /// Whose an account is, by what is known or else by one request. Where Discord does not say in
    /// time, it is not asked again for a while.
    pub async fn ask(&self, rest: &Rest, user: UserId) -> Kind {
        if let Some(kind) = self.kind(user) {
            return kind;
        }
        match tokio::time::timeout(TOLD_WITHIN, rest.account(user)).await {
            Ok(Ok(account)) => self.learn(account),
            Ok(Err(error)) if error.code() == Some(UNKNOWN_USER) => {
                self.put(user, Known::Told(Kind::Nobody));
            }
            failed => {
                let why =
                    failed.map_or_else(|_| "no answer in time".to_owned(), |answer| format!("{answer:?}"));
                tracing::warn!(%user, "whether this is a bot is not known for now: {why}");
                self.note_untold(user);
            }
        }
        self.kind(user).unwrap_or(Kind::Untold)
    }

    /// Listens to these bots as to people, and to no others (`network.bots`).
    pub fn listen_to(&self, bots: Vec<UserId>) {
        *self.listed.write().unwrap_or_else(PoisonError::into_inner) = bots;
    }

    /// Whether a bot is listened to.
    pub fn is_listed(&self, user: UserId) -> bool {
        self.listed.read().unwrap_or_else(PoisonError::into_inner).contains(&user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user(id: u64) -> UserId {
        UserId::new(id).unwrap()
    }

    #[test]
    fn events_tell_of_accounts_and_what_is_told_outlasts_what_was_not() {
        let accounts = Accounts::default();
        assert_eq!(accounts.is_bot(user(5)), None);
        accounts.note_untold(user(5));
        assert_eq!(accounts.is_bot(user(5)), Some(false));
        accounts.learn_of_event(&json!({ "user": { "id": "5", "bot": true } }));
        accounts.learn_of_event(&json!({ "member": { "user": { "id": "6" } } }));
        accounts.learn_of_event(&json!({ "user": { "id": 7 }, "member": null }));
        assert_eq!([5, 6, 7].map(|id| accounts.is_bot(user(id))), [Some(true), Some(false), None]);
        let users = json!({ "8": { "id": "8", "bot": true }, "9": { "id": "9" }, "10": { "id": "10", "system": true } });
        accounts.learn_of_event(&json!({ "data": { "resolved": { "users": users } } }));
        let told = [8, 9, 10].map(|id| accounts.kind(user(id)).unwrap());
        assert_eq!(told, [Kind::Bot, Kind::Person, Kind::Bot], "Discord's own account is no person's");
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_that_was_not_told_is_asked_for_again_after_a_while() {
        let accounts = Accounts::default();
        accounts.note_untold(user(5));
        tokio::time::advance(ASKED_AGAIN_AFTER).await;
        assert_eq!(accounts.is_bot(user(5)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let accounts = Accounts::default();
        for id in 1..=3 * MOST as u64 {
            accounts.learn(Account { id: user(id), bot: false, name: None });
        }
        assert!(accounts.known().len() <= MOST);
    }
}
