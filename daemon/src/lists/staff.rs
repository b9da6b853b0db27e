//! Our own people: an import bans none of them.
//!
//! The bot, the owners of the main and its children, `owner_ids`, `network.bots` and the importing moderator are known
//! without asking. Members with a role that moderates, or with the staff role, are asked for: a few users one by one, many
//! by reading the guild's members, which needs the members intent. A guild that cannot be asked is named in the result, and
//! there only the target's rank keeps Discord from banning its staff.

use crate::daemon::Daemon;
use crate::discord::budget::Priority;
use crate::discord::directory::Presence;
use crate::discord::rest::Outcome;
use crate::sync::backoff;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};
use wayhaven_shared::Fault;
use wayhaven_shared::value::{GuildId, RoleId, UserId};

/// How many users are asked for one by one in each guild, and in the main where its members cannot be read.
const FEW: usize = 20;
const FEW_OF_MAIN: usize = 200;

/// How often a request is tried.
const TRIES: u32 = 5;

/// Who may not be imported as banned.
pub struct Staff {
    daemon: Arc<Daemon>,
    people: HashMap<UserId, String>,
    guilds: Vec<GuildId>,
    unknown: Vec<GuildId>,
}

impl fmt::Debug for Staff {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Staff").field("people", &self.people).finish_non_exhaustive()
    }
}

impl Staff {
    /// Those who are known without asking Discord.
    pub(super) fn known(daemon: &Arc<Daemon>, main: GuildId, moderator: Option<UserId>) -> Self {
        let (directory, settings) = (daemon.directory(), daemon.settings());
        let topology = daemon.store().topology();
        let mut people = HashMap::new();
        let guilds: Vec<GuildId> =
            [main].into_iter().chain(topology.links(main).iter().map(|link| link.child)).collect();
        for guild in &guilds {
            if let Some(owner) = directory.owner(*guild) {
                people.entry(owner).or_insert_with(|| format!("they own guild {guild}"));
            }
        }
        people.extend(moderator.map(|user| (user, "they import this list".to_owned())));
        people.extend(settings.owner_ids.iter().map(|user| (*user, "they are in owner_ids".to_owned())));
        people.extend(settings.network.bots.iter().map(|user| (*user, "it is in network.bots".to_owned())));
        people.extend(directory.me().map(|me| (me, "it is Wayhaven itself".to_owned())));
        Self { daemon: Arc::clone(daemon), people, guilds, unknown: Vec::new() }
    }

    /// Why the user may not be imported, where they are one of our own. The one place that decides it.
    pub(super) fn who(&self, user: UserId) -> Option<String> {
        self.people.get(&user).cloned()
    }

    /// What else than a user the id belongs to.
    pub(super) fn place(&self, user: UserId) -> Option<&'static str> {
        self.daemon.directory().place(user.get())
    }

    /// The guilds whose staff is not known.
    pub(super) fn unknown(&self) -> &[GuildId] {
        &self.unknown
    }

    /// Asks which of these users, in the order of their ids, are staff in the main or a child, until `deadline`.
    ///
    /// # Errors
    /// Where the store fails.
    pub(super) async fn ask(&mut self, users: &[UserId], deadline: Option<Instant>) -> Result<(), Fault> {
        if users.is_empty() {
            return Ok(());
        }
        for (number, guild) in self.guilds.clone().into_iter().enumerate() {
            let store = self.daemon.store();
            let role = store.read(move |view| Ok(view.config(guild)?.staff_role_id)).await?;
            let asked = self.of_guild(guild, role, users, number == 0);
            let found = match deadline {
                Some(deadline) => timeout_at(deadline, asked).await.unwrap_or(None),
                None => asked.await,
            };
            match found {
                Some(found) => {
                    for user in found {
                        self.people.entry(user).or_insert_with(|| format!("they are staff of guild {guild}"));
                    }
                }
                None => self.unknown.push(guild),
            }
        }
        Ok(())
    }

    /// Those of the users who are staff of a guild; nothing where Discord does not tell.
    async fn of_guild(
        &self,
        guild: GuildId,
        role: Option<RoleId>,
        users: &[UserId],
        is_main: bool,
    ) -> Option<Vec<UserId>> {
        let (directory, rest) = (self.daemon.directory(), self.daemon.rest());
        if directory.presence(guild) != Some(Presence::Here) {
            return None;
        }
        let is_staff = |roles: &[RoleId]| {
            directory.moderates(guild, roles) || role.is_some_and(|role| roles.contains(&role))
        };
        let mut found = Vec::new();
        if users.len() > FEW {
            let mut after = users.first().and_then(|first| UserId::new(first.get() - 1));
            let whole = loop {
                let Ok(page) = patiently(|| rest.members_after(guild, after)).await else { break false };
                let staff = page.iter().filter(|member| is_staff(&member.roles)).map(|member| member.user);
                found.extend(staff.filter(|user| users.binary_search(user).is_ok()));
                match page.last().map(|member| member.user) {
                    Some(last) if Some(last) > after && Some(&last) < users.last() => after = Some(last),
                    _ => break true,
                }
            };
            if whole {
                return Some(found);
            }
            if !is_main || users.len() > FEW_OF_MAIN {
                return None;
            }
        }
        for user in users {
            let member = patiently(|| rest.member_at(Priority::Backfill, guild, *user)).await.ok()?;
            found.extend(member.filter(|member| is_staff(&member.roles)).map(|_| *user));
        }
        Some(found)
    }
}

/// Tries a request again that Discord has not answered.
async fn patiently<T, F>(ask: impl Fn() -> F) -> Result<T, ()>
where
    F: Future<Output = Result<T, crate::discord::rest::RestError>>,
{
    for failures in 1..=TRIES {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error)
                if matches!(error.outcome(), Outcome::Retry | Outcome::Unknown) && failures < TRIES =>
            {
                tokio::time::sleep(backoff(failures)).await;
            }
            Err(_) => return Err(()),
        }
    }
    Err(())
}
