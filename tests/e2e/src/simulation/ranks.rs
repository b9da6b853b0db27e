//! Users whom the bot cannot ban in a guild for a time: their role ranks above the bot's, or they own the guild.
//!
//! A delivery that meets such a user is blocked, and has to resume by itself once the user is within reach. The model need
//! not know of that: before anything is compared, everybody is within reach again.

use super::model::{GUILDS, Guild, MAINS, User};
use super::{Failure, Simulation};
use std::time::{Duration, Instant};
use wayhaven_sandbox::{EventFate, Fault, Trouble, World};
use wayhaven_shared::operations::ban::Ban;

/// How a user gets out of the bot's reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Height {
    /// They get a role that is moved above the bot's.
    Role,
    /// They have a role, and the bot's own is moved below it.
    Bot,
    /// They become the guild's owner.
    Owner,
}

/// The role that is given to users, or moved above the bot's.
const OFFICE: &str = "Admin";

/// Where that role stands, below the bot's, and above it.
const OFFICE_BELOW: i64 = 4;
const OFFICE_ABOVE: i64 = 9;

/// Where the bot's own role stands, and where it stands when nearly everybody ranks above it.
const BOT_ROLE: &str = "Wayhaven";
const BOT_ABOVE: i64 = 5;
const BOT_BELOW: i64 = 1;

/// The events that tell who ranks where.
const CHANGES_OF_RANKS: [&str; 4] =
    ["GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "GUILD_ROLE_UPDATE", "GUILD_UPDATE"];

/// Maximum time until what a rank blocked has resumed by itself.
const RESUMES_WITHIN: Duration = Duration::from_secs(10);

/// Maximum time until what is on its way has met those who are out of reach: where it has not, it will not meet them.
const BLOCKED_WITHIN: Duration = Duration::from_millis(500);

/// Maximum time until the daemon knows what has happened.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);

impl Simulation {
    /// A user who is not banned in a guild joins it and gets out of the bot's reach.
    pub(super) async fn raise(&mut self, guild: Guild, user: User, height: Height) -> Result<(), Failure> {
        let (id, whom) = (self.network.guilds[guild], self.network.users[user]);
        let (people, owner) = (self.network.sandbox.people(), self.network.owner(guild));
        // A ban may have arrived meanwhile.
        if people.join(id, whom).is_err() {
            return Ok(());
        }
        let office = self.network.sandbox.role(id, OFFICE);
        match height {
            Height::Role => {
                people.add_role(id, owner, whom, office).map_err(Failure::broken)?;
                people.move_role(id, office, OFFICE_ABOVE).map_err(Failure::broken)?;
            }
            Height::Bot => {
                people.add_role(id, owner, whom, office).map_err(Failure::broken)?;
                let own = self.network.sandbox.role(id, BOT_ROLE);
                people.move_role(id, own, BOT_BELOW).map_err(Failure::broken)?;
            }
            Height::Owner => {
                people.transfer(id, owner, whom).map_err(Failure::broken)?;
                self.raised.retain(|(of, _), height| *of != guild || *height != Height::Owner);
            }
        }
        self.raised.insert((guild, user), height);
        self.rises += 1;
        if height == Height::Owner && MAINS.contains(&guild) && !self.shaky && !self.must_begin_anew {
            self.owner_is_refused(guild, user).await?;
        }
        Ok(())
    }

    /// A command that bans the owner of its guild is refused.
    async fn owner_is_refused(&mut self, main: Guild, user: User) -> Result<(), Failure> {
        let client = self.network.up().await?;
        let (marker, began) = (self.mark()?, Instant::now());
        while !self.network.store.knows_local(marker.0, marker.1)? {
            if began.elapsed() > KNOWN_WITHIN {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let request = Ban::new(self.network.user(user)?).into();
        match client.run(self.network.envelope(main, &request)?).await {
            Err(_) => Ok(()),
            Ok(_) => {
                Err(Failure::about(user, format!("user {user} owns main {main}, and a command banned them")))
            }
        }
    }

    /// All users of a guild are within the bot's reach again, each by one of the ways that lead there.
    pub(super) fn lower(&mut self, guild: Guild) -> Result<(), Failure> {
        let users: Vec<(User, Height)> = self
            .raised
            .iter()
            .filter(|((of, _), _)| *of == guild)
            .map(|((_, user), how)| (*user, *how))
            .collect();
        if users.is_empty() {
            return Ok(());
        }
        self.raised.retain(|(of, _), _| *of != guild);
        let id = self.network.guilds[guild];
        let office = self.network.sandbox.role(id, OFFICE);
        // One change of roles has everybody within reach; or each user loses the role, or leaves.
        let at_once = self.dice.once_in(3);
        for (user, height) in users {
            let (whom, people) = (self.network.users[user], self.network.sandbox.people());
            if height == Height::Owner && self.network.owner(guild) == whom {
                self.network.transfer(guild)?;
            }
            let leaves = self.dice.once_in(2);
            let (is_member, holds) = self.network.sandbox.read(|world| {
                let member = world.guilds[&id].members.get(&whom);
                (member.is_some(), member.is_some_and(|member| member.roles.contains(&office)))
            });
            if at_once || !is_member {
                continue;
            }
            if leaves {
                people.leave(id, whom).map_err(Failure::broken)?;
            } else if holds {
                people.remove_role(id, self.network.owner(guild), whom, office).map_err(Failure::broken)?;
            }
        }
        self.put_role(guild, BOT_ROLE, BOT_ABOVE)?;
        // Otherwise only those who held it have changed, which the guild's roles do not show.
        if at_once { self.put_role(guild, OFFICE, OFFICE_BELOW) } else { Ok(()) }
    }

    fn put_role(&self, guild: Guild, role: &str, position: i64) -> Result<(), Failure> {
        let id = self.network.guilds[guild];
        let role = self.network.sandbox.role(id, role);
        let is_there =
            self.network.sandbox.read(|world: &World| world.guilds[&id].roles[&role].position == position);
        if is_there {
            return Ok(());
        }
        self.network.sandbox.people().move_role(id, role, position).map_err(Failure::broken)
    }

    /// All roles stand where they stood at first.
    pub(super) fn put_roles_back(&self) -> Result<(), Failure> {
        (0..GUILDS).try_for_each(|guild| self.put_role(guild, OFFICE, OFFICE_BELOW))
    }

    /// Everybody is within reach again: while the daemon listens, while it is down, or while it has lost its session.
    pub(super) async fn end_ranks(&mut self) -> Result<(), Failure> {
        if self.raised.is_empty() {
            return Ok(());
        }
        if !self.dice.once_in(4) {
            self.until_blocked().await?;
        }
        let is_quiet = self.touched.values().all(|(_, by_hand)| !by_hand);
        match self.dice.below(6) {
            0 => self.network.kill()?,
            1 => self.network.terminate().await?,
            2 if is_quiet && self.network.is_up() => return self.lower_between_sessions(),
            _ => {}
        }
        (0..GUILDS).try_for_each(|guild| self.lower(guild))
    }

    /// Everybody is within reach again, and no session is told of that: the next one begins with the guilds as they are.
    fn lower_between_sessions(&mut self) -> Result<(), Failure> {
        let drop = |name: &str| Fault::Events {
            name: Some(name.to_owned()),
            guild: None,
            times: None,
            fate: EventFate::Drop,
        };
        let lost = CHANGES_OF_RANKS.map(|name| self.network.sandbox.inject(drop(name)));
        let lowered = (0..GUILDS).try_for_each(|guild| self.lower(guild));
        for fault in lost {
            self.network.sandbox.clear(fault);
        }
        self.network.sandbox.inject(Fault::Gateway { trouble: Trouble::InvalidSession(false) });
        self.session_lost = true;
        lowered
    }

    /// Waits until what is on its way has met those who are out of reach.
    async fn until_blocked(&mut self) -> Result<(), Failure> {
        self.network.up().await?;
        let began = Instant::now();
        while self.network.open()?.moving > 0 && began.elapsed() < BLOCKED_WITHIN {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.blocked += self.network.store.blocked_by_rank()?.len();
        Ok(())
    }

    /// Whether what is blocked is to be left alone: all of it waits for ranks, which nobody has to say.
    pub(super) fn resumes_by_itself(&mut self, blocked: i64, lowered: Instant) -> Result<bool, Failure> {
        let waiting = self.network.store.blocked_by_rank()?;
        if waiting.is_empty() || i64::try_from(waiting.len()).is_ok_and(|count| count < blocked) {
            return Ok(false);
        }
        if lowered.elapsed() < RESUMES_WITHIN {
            return Ok(true);
        }
        let user = waiting.first().and_then(|id| self.ids.get(id)).copied();
        let history = waiting.first().map_or(Ok(String::new()), |id| self.network.store.history(*id))?;
        let text = format!(
            "LOSS: {} deliveries that a rank blocked do not resume by themselves\n    {history}",
            waiting.len()
        );
        Err(Failure { user, text })
    }

    /// A guild changes hands: to the other of its two usual owners, or back to one of them.
    pub(super) fn transfer(&mut self, guild: Guild) -> Result<(), Failure> {
        self.raised.retain(|(of, _), height| *of != guild || *height != Height::Owner);
        self.network.transfer(guild)
    }
}
