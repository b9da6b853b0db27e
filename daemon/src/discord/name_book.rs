//! The names in memory: those seen or shown last, what is still to be stored, and whom Discord is asked about.

use crate::clock::Clock;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::Notify;
use wayhaven_shared::value::{Timestamp, Untrusted, UserId};

/// How many names are in memory: those used last. The others are in the store.
const MOST: usize = 10_000;

/// How many names wait to be stored. What is beyond is learned when it is seen again.
const MOST_UNSAVED: usize = 20_000;

/// How many users Discord is still to be asked about.
const MOST_WANTED: usize = 500;

/// When a name that did not change is stored again as seen, in milliseconds.
const SEEN_ANEW_MS: i64 = 86_400_000;

/// When Discord is asked again about a user of whom there was no answer, in milliseconds.
const ASKED_ANEW_MS: i64 = 600_000;

/// What users are called.
#[derive(Debug, Default)]
pub struct NameBook {
    state: Mutex<State>,
    clock: OnceLock<Clock>,
    unsaved: Notify,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<UserId, Known>,
    uses: u64,
    unsaved: HashMap<UserId, Untrusted>,
    wanted: VecDeque<UserId>,
    asked: HashMap<UserId, Timestamp>,
}

#[derive(Debug)]
struct Known {
    /// Nothing where Discord knows nobody with this id.
    name: Option<Untrusted>,
    /// When the store was told of it.
    seen: Timestamp,
    used: u64,
}

impl State {
    fn put(&mut self, user: UserId, name: Option<Untrusted>, seen: Timestamp) {
        self.uses += 1;
        if self.known.len() >= MOST && !self.known.contains_key(&user) {
            // A quarter at once, so that it is not looked through for each.
            let mut uses: Vec<u64> = self.known.values().map(|known| known.used).collect();
            let (_, bound, _) = uses.select_nth_unstable(MOST / 4);
            let bound = *bound;
            self.known.retain(|_, known| known.used > bound);
        }
        self.known.insert(user, Known { name, seen, used: self.uses });
    }
}

impl NameBook {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells time by that clock. The first word stands.
    pub fn tell_time_by(&self, clock: Clock) {
        let _ = self.clock.set(clock);
    }

    fn now(&self) -> Timestamp {
        self.clock.get_or_init(Clock::default).now()
    }

    /// Remembers what Discord calls a user. Called for every event, so it does no more than look whether that is new.
    pub fn learn(&self, user: UserId, name: &str) {
        self.take(user, name, true);
    }

    /// The same for a long list: it does not push out what is known of others.
    pub fn learn_of_list(&self, user: UserId, name: &str) {
        self.take(user, name, false);
    }

    fn take(&self, user: UserId, name: &str, displaces: bool) {
        let Some(name) = kept(name) else { return };
        let now = self.now();
        let mut state = self.state();
        let same = state.known.get(&user).is_some_and(|known| {
            known.name.as_ref() == Some(&name) && now.millis() - known.seen.millis() < SEEN_ANEW_MS
        });
        if same || (!displaces && state.known.len() >= MOST / 2) {
            return;
        }
        state.put(user, Some(name.clone()), now);
        if state.unsaved.len() < MOST_UNSAVED || state.unsaved.contains_key(&user) {
            state.unsaved.insert(user, name);
        }
        drop(state);
        self.unsaved.notify_one();
    }

    /// Takes up a name that was stored.
    pub fn restore(&self, user: UserId, name: Untrusted, seen: Timestamp) {
        self.state().put(user, Some(name), seen);
    }

    /// Discord knows no user with this id.
    pub fn is_nobody(&self, user: UserId) {
        let now = self.now();
        self.state().put(user, None, now);
    }

    /// A user's name that was seen no earlier than that. Nothing where it is not in memory; no name where Discord knows
    /// nobody.
    pub fn get(&self, user: UserId, oldest: Timestamp) -> Option<Option<Untrusted>> {
        let mut state = self.state();
        state.uses += 1;
        let uses = state.uses;
        let known = state.known.get_mut(&user)?;
        if known.seen < oldest {
            state.known.remove(&user);
            return None;
        }
        known.used = uses;
        Some(known.name.clone())
    }

    /// Has Discord asked about these users, unless that was done a moment ago.
    pub fn want(&self, users: impl Iterator<Item = UserId>) {
        let now = self.now();
        let mut state = self.state();
        if state.asked.len() > MOST {
            state.asked.retain(|_, at| now.millis() - at.millis() < ASKED_ANEW_MS);
        }
        let mut any = false;
        for user in users {
            let asked = state.asked.get(&user).is_some_and(|at| now.millis() - at.millis() < ASKED_ANEW_MS);
            if asked || state.wanted.len() >= MOST_WANTED {
                continue;
            }
            state.asked.insert(user, now);
            state.wanted.push_back(user);
            any = true;
        }
        drop(state);
        if any {
            self.wanted.notify_one();
        }
    }

    /// Waits until somebody wants to read a name.
    pub async fn has_wanted(&self) {
        while self.state().wanted.is_empty() {
            self.wanted.notified().await;
        }
    }

    /// Takes the next user whose name somebody wants to read and is not known yet.
    pub fn take_wanted(&self) -> Option<UserId> {
        let mut state = self.state();
        while let Some(user) = state.wanted.pop_front() {
            if !state.known.contains_key(&user) {
                return Some(user);
            }
        }
        None
    }

    /// Waits until there is something to store.
    pub async fn has_unsaved(&self) {
        while self.state().unsaved.is_empty() {
            self.unsaved.notified().await;
        }
    }

    /// Takes what is to be stored.
    pub fn take_unsaved(&self) -> Vec<(UserId, Untrusted)> {
        std::mem::take(&mut self.state().unsaved).into_iter().collect()
    }
}

/// A name as it is kept: cut, since a name that is longer is no name of Discord's.
fn kept(name: &str) -> Option<Untrusted> {
    let name: String = name.chars().take(LONGEST).collect();
    let name = Untrusted::clipped(&name);
    (!name.is_blank()).then_some(name)
}

/// The longest name that is kept, in characters: above Discord's 32.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::user;

    fn time(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_name_is_stored_when_it_is_new_or_was_not_seen_for_a_day() {
        let (book, clock) = (NameBook::default(), Clock::default());
        book.tell_time_by(clock.clone());
        book.learn(user(5), "alice");
        book.learn(user(5), "alice");
        book.learn(user(6), " \u{202e} ");
        assert_eq!(book.take_unsaved(), [(user(5), Untrusted::clipped("alice"))]);
        book.learn(user(5), "alice");
        assert!(book.take_unsaved().is_empty());
        book.learn(user(5), "bob");
        assert_eq!(book.take_unsaved(), [(user(5), Untrusted::clipped("bob"))]);
        clock.shift(SEEN_ANEW_MS);
        book.learn(user(5), "bob");
        assert_eq!(book.take_unsaved().len(), 1);
        assert_eq!(book.get(user(5), time(0)).flatten().unwrap().raw(), "bob");
    }

    #[test]
    fn memory_is_bounded_and_forgets_what_was_used_longest_ago() {
        let book = NameBook::default();
        book.learn(user(1), "first");
        for id in 2..=2 * MOST as u64 {
            book.learn(user(id), "x");
            assert!(book.get(user(1), time(0)).is_some(), "it was used a moment ago");
        }
        assert!(book.state().known.len() <= MOST);
        assert!(book.state().unsaved.len() <= MOST_UNSAVED);
        assert!(book.get(user(2), time(0)).is_none());
        // A ban list of any length leaves the others alone.
        let before = book.state().known.len();
        for id in 1..=MOST as u64 {
            book.learn_of_list(user(1_000_000 + id), "listed");
        }
        assert_eq!(book.state().known.len(), before);
    }

    #[test]
    fn what_was_seen_too_long_ago_is_not_shown() {
        let book = NameBook::default();
        book.restore(user(5), Untrusted::clipped("alice"), time(1_000));
        assert!(book.get(user(5), time(1_000)).is_some());
        assert!(book.get(user(5), time(1_001)).is_none());
        assert!(book.get(user(5), time(0)).is_none(), "it is gone");
    }

    #[tokio::test]
    async fn discord_is_asked_about_each_user_once() {
        let (book, clock) = (NameBook::default(), Clock::default());
        book.tell_time_by(clock.clone());
        book.want([user(5), user(6), user(5)].into_iter());
        book.learn(user(6), "known by now");
        assert_eq!(book.take_wanted(), Some(user(5)));
        book.want([user(5)].into_iter());
        assert!(book.state().wanted.iter().all(|one| *one == user(6)));
        clock.shift(ASKED_ANEW_MS);
        book.want([user(5)].into_iter());
        assert_eq!(book.take_wanted(), Some(user(5)));
        book.want((1..=2 * MOST_WANTED as u64).map(user));
        assert!(book.state().wanted.len() <= MOST_WANTED);
    }
}
