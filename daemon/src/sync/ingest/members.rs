//! What the gateway tells of members: whoever lacks the mute role, or has joined again, has shaken off what the guild's staff
//! did by hand (`store/local_causes.rs`). Changes of members are many and concern hardly anybody: they are collected while the
//! store is read, and written only where something may end.

use crate::clock::Clock;
use crate::discord::event::MemberFacts;
use crate::store::{Change, ShownMember, Store};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use wayhaven_shared::value::{GuildId, RoleId, Timestamp, UserId};

/// How old what an event shows may be, in milliseconds: a resumed session replays minutes.
const REPLAYED_WITHIN: i64 = 10 * 60_000;

/// How many members wait at most. Beyond it the events are dropped: what they show is looked at before something is done.
const MOST: usize = 65_536;

/// A member as an event shows them.
pub(super) fn shown(clock: &Clock, roles: Vec<RoleId>, facts: MemberFacts) -> ShownMember {
    let skew = clock.skew();
    ShownMember {
        roles,
        joined_at: facts.joined_at.map(|at| skew.to_local(at)),
        timeout: facts.timeout.map(|until| until.map(|until| skew.to_local(until))),
        as_of: Timestamp::from_millis(clock.now().millis().saturating_sub(REPLAYED_WITHIN)),
    }
}

/// Members of whom the gateway told and who wait to be looked at. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Members(Arc<Mutex<HashMap<(GuildId, UserId), ShownMember>>>);

impl Members {
    /// Has a member looked at. It does not wait: what is shown says itself how old it may be.
    pub(super) fn look(&self, store: &Store, guild: GuildId, user: UserId, shown: ShownMember) {
        {
            let mut waiting = self.waiting();
            if waiting.len() >= MOST {
                return;
            }
            let is_first = waiting.is_empty();
            waiting.insert((guild, user), shown);
            if !is_first {
                return;
            }
        }
        let (members, store) = (self.clone(), store.clone());
        tokio::spawn(async move {
            let work = members.clone();
            let concerned = store.read(move |view| {
                let mut concerned = Vec::new();
                for ((guild, user), shown) in std::mem::take(&mut *work.waiting()) {
                    if view.may_have_ended(guild, user)? {
                        concerned.push((guild, user, shown));
                    }
                }
                Ok(concerned)
            });
            let concerned = match concerned.await {
                Ok(concerned) if concerned.is_empty() => return,
                Ok(concerned) => concerned,
                Err(fault) => {
                    // What waits would wait for ever: only the first begins a reading.
                    members.waiting().clear();
                    return tracing::warn!("members were not looked at: {fault}");
                }
            };
            let note = move |change: &Change<'_>| {
                for (guild, user, shown) in &concerned {
                    change.take_in_member(*guild, *user, shown)?;
                }
                Ok(())
            };
            store.write_later("what Discord shows of members", note).await;
        });
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<(GuildId, UserId), ShownMember>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
