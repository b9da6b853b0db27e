//! The accounts of operators by name. Requests record the number of an account; people know its name.
//!
//! A name service may hang (FAULTS 52): lookups run on threads that may block, two at once at most, and nobody waits for
//! one longer than `PATIENCE`. A number whose name is not known in time is shown as a number.

use crate::invocation::operator_name;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wayhaven_shared::Fault;
use wayhaven_shared::event::{Change, Event};
use wayhaven_shared::value::Account;

/// How long an answer waits for names.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a name is believed: accounts are renamed rarely, and removed sometimes.
const FRESH: Duration = Duration::from_secs(300);

/// Lookups at once.
const AT_ONCE: usize = 2;

/// How a number of an account becomes its name, and back. Tests give others.
#[derive(Clone, Copy)]
pub struct Lookup {
    /// The name of this number.
    pub name_of: fn(u32) -> Option<String>,
    /// The number of this name.
    pub uid_of: fn(&str) -> Option<u32>,
}

impl Default for Lookup {
    fn default() -> Self {
        Self {
            name_of: |uid| uzers::get_user_by_uid(uid).map(|user| user.name().to_string_lossy().into_owned()),
            uid_of: |name| uzers::get_user_by_name(OsStr::new(name)).map(|user| user.uid()),
        }
    }
}

/// The names that are known, and when each was looked up.
type Names = Arc<Mutex<HashMap<u32, (Option<Account>, Instant)>>>;

/// Account names, looked up when an answer needs them.
pub struct Operators {
    lookup: Lookup,
    names: Names,
    turns: Arc<Semaphore>,
    patience: Duration,
}

impl Operators {
    /// Names as `lookup` has them.
    pub fn new(lookup: Lookup) -> Self {
        Self { lookup, names: Arc::default(), turns: Arc::new(Semaphore::new(AT_ONCE)), patience: PATIENCE }
    }

    /// Puts the name of the account in front of its number in every text that is the audit's name of an operator and
    /// nothing else: `alice (unix user 1000)`.
    pub async fn name(&self, value: &mut Value) {
        let mut uids = BTreeSet::new();
        visit(value, &mut |text| uids.extend(uid_in(text)));
        if uids.is_empty() {
            return;
        }
        let names = self.names_of(uids).await;
        visit(value, &mut |text| {
            if let Some((uid, name)) = uid_in(text).and_then(|uid| Some((uid, names.get(&uid)?))) {
                *text = format!("{name} ({})", operator_name(uid));
            }
        });
    }

    /// The same in events, for those kinds that name who asked.
    pub async fn name_in(&self, events: &mut [Event]) {
        for event in events {
            let names_somebody = matches!(
                event.change,
                Change::Job { .. } | Change::Incident { .. } | Change::AlertResolved { .. }
            );
            let Some(mut value) = names_somebody.then(|| serde_json::to_value(&event.change).ok()).flatten()
            else {
                continue;
            };
            self.name(&mut value).await;
            if let Ok(change) = serde_json::from_value(value) {
                event.change = change;
            }
        }
    }

    /// The number of an account that somebody named.
    ///
    /// # Errors
    /// This machine knows no such account, or does not say so in time.
    pub async fn uid_of(&self, account: &Account) -> Result<u32, Fault> {
        if let Some(uid) = account.number() {
            return Ok(uid);
        }
        let (name, uid_of) = (account.as_str().to_owned(), self.lookup.uid_of);
        let found = self.blocking(move || uid_of(&name)).await.ok_or_else(|| {
            Fault::unavailable(format!("The machine did not say in time which account {account} is"))
                .hint("give the number of the account instead: id -u shows it")
        })?;
        found.ok_or_else(|| {
            Fault::not_found(format!("The daemon's machine has no account {account}"))
                .hint("getent passwd lists the accounts; the number of a removed account works too")
        })
    }

    async fn names_of(&self, uids: BTreeSet<u32>) -> HashMap<u32, Account> {
        let missing: Vec<u32> = {
            let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            let is_fresh = |uid: &u32| names.get(uid).is_some_and(|(_, at)| at.elapsed() < FRESH);
            uids.iter().copied().filter(|uid| !is_fresh(uid)).collect()
        };
        if !missing.is_empty() {
            let (names, name_of) = (Arc::clone(&self.names), self.lookup.name_of);
            // What comes too late for this answer is there for the next.
            self.blocking(move || {
                for uid in missing {
                    let name = name_of(uid).and_then(|name| name.parse().ok());
                    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
                    names.insert(uid, (name, Instant::now()));
                }
            })
            .await;
        }
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        uids.into_iter().filter_map(|uid| Some((uid, names.get(&uid)?.0.clone()?))).collect()
    }

    /// Runs a lookup; nothing where it does not end in time.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let turns = Arc::clone(&self.turns);
        let looking = async move {
            let turn = turns.acquire_owned().await.ok()?;
            let work = move || {
                let found = work();
                drop(turn);
                found
            };
            tokio::task::spawn_blocking(work).await.ok()
        };
        tokio::time::timeout(self.patience, looking).await.ok().flatten()
    }
}

/// The number in the audit's name of an operator.
fn uid_in(text: &str) -> Option<u32> {
    let uid = text.strip_prefix("unix user ")?.parse().ok()?;
    (operator_name(uid) == text).then_some(uid)
}

/// Visits every text of a value.
fn visit(value: &mut Value, act: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => act(text),
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, act)),
        Value::Object(fields) => fields.values_mut().for_each(|field| visit(field, act)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Condvar;

    fn names(lookup: Lookup) -> Operators {
        Operators::new(lookup)
    }

    const KNOWN: Lookup = Lookup {
        name_of: |uid| match uid {
            1000 => Some("alice".to_owned()),
            1002 => Some("odd\u{1b}[31m name".to_owned()),
            _ => None,
        },
        uid_of: |name| (name == "alice").then_some(1000),
    };

    #[tokio::test]
    async fn an_operator_is_shown_by_name_wherever_the_text_is_nothing_but_theirs() {
        let mut value = json!({
            "entries": [{"actor": "unix user 1000"}, {"actor": "unix user 1001"}, {"actor": "unix user 1002"}],
            "reason": "said unix user 1000", "odd": "unix user 01000", "count": 3,
        });
        names(KNOWN).name(&mut value).await;
        let actors: Vec<_> = value["entries"].as_array().unwrap().iter().map(|one| &one["actor"]).collect();
        assert_eq!(actors, ["alice (unix user 1000)", "unix user 1001", "unix user 1002"]);
        assert_eq!(
            (&value["reason"], &value["odd"]),
            (&json!("said unix user 1000"), &json!("unix user 01000"))
        );
    }

    #[tokio::test]
    async fn an_account_is_found_by_name_or_number() {
        let operators = names(KNOWN);
        let uid = async |text: &str| operators.uid_of(&text.parse().unwrap()).await;
        assert_eq!((uid("alice").await, uid("1001").await), (Ok(1000), Ok(1001)));
        let fault = uid("bob").await.unwrap_err();
        assert_eq!(fault.kind, wayhaven_shared::FaultKind::NotFound);
        assert!(fault.message.contains("no account bob"), "{fault}");
    }

    #[tokio::test]
    async fn a_name_service_that_hangs_costs_an_answer_the_name_and_nothing_else() {
        static RELEASED: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
        let hangs = Lookup {
            name_of: |_| {
                let released = RELEASED.0.lock().unwrap();
                drop(RELEASED.1.wait_while(released, |released| !*released).unwrap());
                None
            },
            uid_of: |_| None,
        };
        let operators = Operators { patience: Duration::from_millis(1), ..names(hangs) };
        let mut value = json!("unix user 1000");
        operators.name(&mut value).await;
        assert_eq!(value, "unix user 1000", "shown by number");
        *RELEASED.0.lock().unwrap() = true;
        RELEASED.1.notify_all();
    }
}
