//! What a user of this machine may do: the first of owner, operator and observer that fits.

use super::Door;
use super::limits::Limits;
use crate::settings::{Principal, Settings};
use crate::systems::Systems;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wayhaven_shared::control::Role;

/// Root and the daemon's own user own it.
pub(super) fn is_owner(uid: u32, limits: &Limits) -> bool {
    match limits.owner {
        Some(owner) => uid == owner,
        None => uid == 0 || uid == rustix::process::geteuid().as_raw(),
    }
}

/// What a connection's peer may do: asked again whenever the settings are others, so that whoever is struck from them loses
/// what they had at once.
pub(super) struct Standing {
    uid: u32,
    gid: u32,
    /// The role, and the settings by which it was told.
    known: Mutex<(Arc<Settings>, Option<Role>)>,
}

impl Standing {
    pub(super) async fn of(uid: u32, gid: u32, systems: &Arc<Systems>, door: &Door) -> Self {
        let settings = systems.services.settings();
        let role = role(uid, gid, systems, door).await;
        Self { uid, gid, known: Mutex::new((settings, role)) }
    }

    /// The role by the settings as they are now.
    pub(super) async fn role(&self, systems: &Arc<Systems>, door: &Door) -> Option<Role> {
        let settings = systems.services.settings();
        {
            let known = self.known();
            if Arc::ptr_eq(&known.0, &settings) {
                return known.1;
            }
        }
        let role = role(self.uid, self.gid, systems, door).await;
        *self.known() = (settings, role);
        role
    }

    /// The role as it was told last.
    pub(super) fn latest(&self) -> Option<Role> {
        self.known().1
    }

    fn known(&self) -> MutexGuard<'_, (Arc<Settings>, Option<Role>)> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The role of a peer, by the settings as they are now.
async fn role(uid: u32, gid: u32, systems: &Arc<Systems>, door: &Door) -> Option<Role> {
    if is_owner(uid, &door.limits) {
        return Some(Role::Owner);
    }
    let settings = systems.services.settings();
    let (operators, observers) = (&settings.control.operators, &settings.control.observers);
    let by_group = |one: &Principal| matches!(one, Principal::Group(_));
    let mut groups = vec![gid];
    if operators.iter().chain(observers).any(by_group) && !operators.contains(&Principal::User(uid)) {
        // It may ask a directory service, and blocks as long as that takes.
        let turn = Arc::clone(&door.lookups).acquire_owned().await;
        let look_up = move || {
            let groups = groups_of(uid);
            drop(turn);
            groups
        };
        groups.extend(tokio::task::spawn_blocking(look_up).await.unwrap_or_default());
    }
    let fits = |one: &Principal| match one {
        Principal::User(user) => *user == uid,
        Principal::Group(group) => groups.contains(group),
    };
    match (operators.iter().any(fits), observers.iter().any(fits)) {
        (true, _) => Some(Role::Operator),
        (false, true) => Some(Role::Observer),
        (false, false) => None,
    }
}

/// The groups of a user as the machine's lists have them now.
pub(super) fn groups_of(uid: u32) -> Vec<u32> {
    let groups = uzers::get_user_by_uid(uid).and_then(|user| user.groups());
    groups.into_iter().flatten().map(|group| group.gid()).collect()
}
