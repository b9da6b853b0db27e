//! Our own people: an import bans none of them, and it knows which of its users are bots. Where a
//! list is short enough to ask for each user, one of whom Discord does not tell counts as a bot.
//!
//! The bot, the owners of the main and its children, `owner_ids`, `network.bots` and the importing
//! moderator are known without asking. Members with a role that moderates, or with the staff role,
//! are asked for: by reading the guild's members, which needs the members intent, or else user by
//! user.
//!
//! Invariant: an import bans nobody in a guild whose staff was not looked for. It is refused,
//! unless the bans wait for an approval there. Guilds that its bans do not reach, because their
//! links are not active, are not asked.

use crate::backoff::backoff;
use crate::discord::accounts::{Account, Kind};
use crate::discord::budget::Priority;
use crate::discord::directory::Presence;
use crate::discord::rest::{Outcome, RestError};
use crate::network::Topology;
use crate::services::Services;
use crate::sync::plan;
use std::collections::{HashMap, HashSet};
use std::fmt;
use tokio::time::{Instant, timeout_at};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, RoleId, UserId};

/// Up to so many users it is asked user by user, which is quicker than reading a large guild's
/// members.
const FEW: usize = 20;

/// The most requests for members, one for each user and guild, where a guild's members cannot be
/// read. The job may take a few minutes: the requests leave room for everything more urgent.
const MOST_REQUESTS: usize = if cfg!(test) { 100 } else { 5_000 };

/// Up to so many users it is also asked whether they are bots where they are in no guild of the
/// network. Of a longer list this is not worth a request for each: a bot that is in no guild does
/// nothing there, and its ban can be lifted.
const MOST_ACCOUNTS: usize = 200;

/// How many users one reading of the store looks up.
const CHUNK: usize = 500;

/// How often a request is tried.
const TRIES: u32 = 5;

/// Unknown User (FACTS A8).
const UNKNOWN_USER: u64 = 10_013;

/// Who may not be imported as banned, and who is a bot.
pub struct Staff {
    services: Services,
    main: GuildId,
    people: HashMap<UserId, String>,
    bots: HashSet<UserId>,
    /// Users who were asked for, and of whom Discord did not tell whether they are bots.
    untold: HashSet<UserId>,
    /// The main, and the children that its bans reach.
    guilds: Vec<GuildId>,
    unread: Vec<(GuildId, Unread)>,
    /// How many users were asked for.
    asked: usize,
}

/// Why the staff of a guild is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unread {
    /// The bot is not in the guild.
    Absent,
    /// Discord has an outage for it.
    Outage,
    /// Its members cannot be read, and the users are too many to be asked for.
    TooMany,
    /// Discord did not answer.
    NoAnswer,
    /// A plan does not wait so long.
    Late,
}

/// What a guild tells of the users.
#[derive(Debug, Default)]
struct Found {
    staff: Vec<UserId>,
    /// Those who are members, with whether they are bots.
    accounts: Vec<(UserId, bool)>,
}

impl fmt::Debug for Staff {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Staff").field("people", &self.people).finish_non_exhaustive()
    }
}

impl Staff {
    /// Those who are known without asking Discord.
    pub(super) fn known(services: &Services, main: GuildId, moderator: Option<UserId>) -> Self {
        let (directory, settings) = (services.directory(), services.settings());
        let topology = services.store().topology();
        let mut people = HashMap::new();
        let linked = [main].into_iter().chain(topology.links(main).iter().map(|link| link.child));
        for guild in linked {
            if let Some(owner) = directory.owner(guild) {
                people.entry(owner).or_insert_with(|| format!("they own guild {guild}"));
            }
        }
        people.extend(moderator.map(|user| (user, "they import this list".to_owned())));
        people.extend(settings.owner_ids.iter().map(|user| (*user, "they are in owner_ids".to_owned())));
        people.extend(settings.network.bots.iter().map(|user| (*user, "it is in network.bots".to_owned())));
        people.extend(directory.me().map(|me| (me, "it is Wayhaven itself".to_owned())));
        Self {
            services: services.clone(),
            main,
            people,
            bots: HashSet::new(),
            untold: HashSet::new(),
            guilds: banned_in(&topology, main),
            unread: Vec::new(),
            asked: 0,
        }
    }

    /// Why the user may not be imported, where they are one of our own. The one place that decides it.
    pub(super) fn who(&self, user: UserId) -> Option<String> {
        self.people.get(&user).cloned()
    }

    /// Whether the user is known to be a bot: what its ban sends to children waits for an approval.
    pub(super) fn is_bot(&self, user: UserId) -> bool {
        self.bots.contains(&user)
    }

    /// Whether the user may be a bot, because Discord did not tell.
    pub(super) fn may_be_bot(&self, user: UserId) -> bool {
        self.untold.contains(&user)
    }

    /// What else than a user the id belongs to.
    pub(super) fn place(&self, user: UserId) -> Option<&'static str> {
        self.services.directory().place(user.get())
    }

    /// The guilds whose staff is not known.
    pub(super) fn unknown(&self) -> Vec<GuildId> {
        self.unread.iter().map(|(guild, _)| *guild).collect()
    }

    /// Refuses an import that would ban users in a guild whose staff is not known. Without `apply`
    /// nobody is banned in a child before an approval. What a plan did not wait for it does not
    /// know.
    ///
    /// # Errors
    /// Which guild, and why.
    pub(super) fn check(&self, apply: bool) -> Result<(), Fault> {
        let counts =
            |(guild, why): &&(GuildId, Unread)| *why != Unread::Late && (apply || *guild == self.main);
        let mut refused = self.unread.iter().filter(counts);
        let Some((guild, why)) = refused.next() else { return Ok(()) };
        let others = match refused.count() {
            0 => String::new(),
            1 => " and of 1 more guild".to_owned(),
            more => format!(" and of {more} more guilds"),
        };
        let said = match why {
            Unread::Absent => "the bot is not in the guild".to_owned(),
            Unread::Outage => "Discord has an outage for the guild".to_owned(),
            Unread::NoAnswer | Unread::Late => "Discord did not answer".to_owned(),
            Unread::TooMany => format!(
                "the bot may not read the guild's members, and {} new users are too many to be asked for one by one",
                self.asked
            ),
        };
        let fault = Fault::conflict(format!(
            "nobody was banned, because the list may name staff of guild {guild}{others}, and this cannot be checked: {said}"
        ));
        let fault = match why {
            Unread::TooMany => fault
                .hint("switch on Server Members Intent on the application's page Bot, and restart the daemon")
                .hint(format!(
                    "or split the list into files of at most {} users",
                    MOST_REQUESTS / self.guilds.len().max(1)
                )),
            Unread::Absent => {
                fault.hint(format!("invite the bot again, or remove the guild: setup remove-child {guild}"))
            }
            _ => fault.hint("import the list again later; status shows when Discord answers"),
        };
        Err(match *guild == self.main {
            true => fault,
            false => fault.hint(
                "or import it without --apply: the bans then wait for sync approve before they reach a child",
            ),
        })
    }

    /// Asks which of these users, in the order of their ids, are bots, or staff in the main or a
    /// child, until `deadline`.
    ///
    /// # Errors
    /// Where the store fails.
    pub(super) async fn ask(&mut self, users: &[UserId], deadline: Option<Instant>) -> Result<(), Fault> {
        if users.is_empty() {
            return Ok(());
        }
        self.asked = users.len();
        let mut persons = HashSet::new();
        for guild in self.guilds.clone() {
            let store = self.services.store();
            let role = store.read(move |view| Ok(view.config(guild)?.staff_role_id)).await?;
            let asked = self.of_guild(guild, role, users);
            let found = match deadline {
                Some(deadline) => timeout_at(deadline, asked).await.unwrap_or(Err(Unread::Late)),
                None => asked.await,
            };
            match found {
                Ok(found) => {
                    for user in found.staff {
                        self.people.entry(user).or_insert_with(|| format!("they are staff of guild {guild}"));
                    }
                    for (user, is_bot) in found.accounts {
                        if is_bot {
                            self.bots.insert(user)
                        } else {
                            persons.insert(user)
                        };
                    }
                }
                Err(why) => self.unread.push((guild, why)),
            }
        }
        self.known_bots(users).await?;
        let others: Vec<UserId> = users
            .iter()
            .filter(|user| !persons.contains(user) && !self.bots.contains(user))
            .copied()
            .collect();
        if users.len() <= MOST_ACCOUNTS {
            self.untold = others.iter().filter(|user| !self.is_told(**user)).copied().collect();
            let asked = self.ask_accounts(&others);
            match deadline {
                // The rest stays untold.
                Some(deadline) => drop(timeout_at(deadline, asked).await),
                None => asked.await,
            }
        }
        Ok(())
    }

    /// The bots among these users whom the daemon has seen, or decided about before.
    async fn known_bots(&mut self, users: &[UserId]) -> Result<(), Fault> {
        let services = self.services.clone();
        let accounts = services.directory().accounts();
        self.bots.extend(users.iter().filter(|user| accounts.is_bot(**user) == Some(true)));
        for some in users.chunks(CHUNK) {
            let some = some.to_vec();
            let known = services.store().read(move |view| {
                let mut known = Vec::new();
                for user in some {
                    known.extend(view.is_known_bot(user)?.then_some(user));
                }
                Ok(known)
            });
            self.bots.extend(known.await?);
        }
        Ok(())
    }

    /// Whether it is known whose an account is, and not only presumed for a while.
    fn is_told(&self, user: UserId) -> bool {
        let kind = self.services.directory().accounts().kind(user);
        matches!(kind, Some(Kind::Person | Kind::Bot | Kind::Nobody))
    }

    /// Asks which of the users who are in no guild of the network are bots.
    async fn ask_accounts(&mut self, users: &[UserId]) {
        let services = self.services.clone();
        let (rest, accounts) = (services.rest(), services.directory().accounts());
        for user in users {
            if !self.untold.contains(user) {
                continue;
            }
            match patiently(|| rest.account_at(Priority::Backfill, *user)).await {
                Ok(account) => {
                    if account.bot {
                        self.bots.insert(*user);
                    }
                    accounts.learn(account);
                }
                Err(error) if error.code() == Some(UNKNOWN_USER) => {}
                Err(error) => {
                    tracing::warn!(%user, "whether the user of a list is a bot is not known: {}", error.reason());
                    continue;
                }
            }
            self.untold.remove(user);
        }
    }

    /// What a guild tells of the users.
    async fn of_guild(
        &self,
        guild: GuildId,
        role: Option<RoleId>,
        users: &[UserId],
    ) -> Result<Found, Unread> {
        let (directory, rest) = (self.services.directory(), self.services.rest());
        match directory.presence(guild) {
            Some(Presence::Here) => {}
            Some(Presence::Outage) => return Err(Unread::Outage),
            Some(Presence::Absent) => return Err(Unread::Absent),
            None => return Err(Unread::NoAnswer),
        }
        let mut found = Found::default();
        let note = |found: &mut Found, user: UserId, roles: &[RoleId], is_bot: Option<bool>| {
            found.accounts.extend(is_bot.map(|is_bot| (user, is_bot)));
            if directory.moderates(guild, roles) || role.is_some_and(|role| roles.contains(&role)) {
                found.staff.push(user);
            }
        };
        if users.len() > FEW {
            let mut after = users.first().and_then(|first| UserId::new(first.get() - 1));
            let ended = loop {
                let page = match patiently(|| rest.members_after(guild, after)).await {
                    Ok(page) => page,
                    Err(error) => break Err(error),
                };
                let listed = page.iter().filter(|member| users.binary_search(&member.user).is_ok());
                listed.for_each(|member| note(&mut found, member.user, &member.roles, Some(member.is_bot)));
                match page.last().map(|member| member.user) {
                    Some(last) if Some(last) > after && Some(&last) < users.last() => after = Some(last),
                    _ => break Ok(()),
                }
            };
            match ended {
                Ok(()) => return Ok(found),
                Err(error) if error.is_passing() || error.outcome() == Outcome::Stopped => {
                    return Err(Unread::NoAnswer);
                }
                Err(_) if users.len().saturating_mul(self.guilds.len()) > MOST_REQUESTS => {
                    return Err(Unread::TooMany);
                }
                Err(_) => found = Found::default(),
            }
        }
        for user in users {
            let member = patiently(|| rest.member_at(Priority::Backfill, guild, *user)).await;
            if let Some(member) = member.map_err(|_| Unread::NoAnswer)? {
                let is_bot = member.user.as_ref().map(|account: &Account| account.bot);
                note(&mut found, *user, &member.roles, is_bot);
            }
        }
        Ok(found)
    }
}

/// The main, and the children that its bans reach.
pub(super) fn banned_in(topology: &Topology, main: GuildId) -> Vec<GuildId> {
    [main].into_iter().chain(plan::reached(topology, main, Action::Ban)).collect()
}

/// Tries a request again that Discord has not answered.
async fn patiently<T, F>(ask: impl Fn() -> F) -> Result<T, RestError>
where
    F: Future<Output = Result<T, RestError>>,
{
    let mut failures = 0;
    loop {
        failures += 1;
        match ask().await {
            Err(error) if error.is_passing() && failures < TRIES => {
                tokio::time::sleep(backoff(failures)).await;
            }
            answer => return answer,
        }
    }
}
