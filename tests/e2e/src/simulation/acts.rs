//! What people decide, by command and by hand.

use super::model::{Guild, MAINS, User};
use super::steps::{By, Scene};
use super::{Failure, Simulation};
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinSet;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::ban::{Ban, Unban};
use wayhaven_shared::operations::protect::ProtectAdd;
use wayhaven_shared::operations::reversal::{PunishmentAmend, PunishmentRevert};
use wayhaven_shared::value::{PunishmentId, Untrusted, UserId};

/// How many of a raid are banned.
const RAID: usize = 30;

/// How long a bans lasts that ends by itself: longer than any run, whose clock is put forward instead.
const BRIEF: &str = "30d";

fn request(user: UserId, ban: bool) -> Request {
    if ban { Ban::new(user).into() } else { Unban { user, reason: None }.into() }
}

impl Simulation {
    pub(super) async fn act(&mut self, guild: Guild, user: User, by: By, ban: bool) -> Result<(), Failure> {
        self.judge.decided(guild, user, ban);
        match by {
            By::Hand => return self.by_hand(guild, user, ban),
            By::Moderator if !self.shaky => self.slash(guild, user, ban).await?,
            _ => drop(self.network.ask(guild, request(self.network.user(user)?, ban)).await?),
        }
        self.touched.insert(user, (guild, false));
        self.model.decide(guild, user, ban, false);
        Ok(())
    }

    /// In Discord's own client, which shows whether somebody is banned.
    fn by_hand(&mut self, guild: Guild, user: User, ban: bool) -> Result<(), Failure> {
        let (id, whom) = (self.network.guilds[guild], self.network.users[user]);
        let (people, by) = (self.network.sandbox.people(), self.network.owner(guild));
        let done = if ban { people.ban(id, by, whom, None) } else { people.unban(id, by, whom, None) };
        done.map_err(|why| {
            Failure::about(user, format!("Discord refuses what was to be done by hand: {why}"))
        })?;
        self.touched.insert(user, (guild, true));
        if MAINS.contains(&guild) {
            self.model.decide(guild, user, ban, true);
        } else {
            self.model.local(guild, user, ban);
        }
        Ok(())
    }

    /// An integration removes somebody from a main who is a member of every guild: nobody else does because of that.
    pub(super) fn integration(&mut self, main: Guild) -> Result<(), Failure> {
        let (sandbox, member) = (&self.network.sandbox, self.network.sandbox.stranger());
        let people = sandbox.people();
        for guild in self.network.guilds {
            people.had_joined(guild, member).map_err(Failure::broken)?;
        }
        let actor = self.dice.once_in(2).then(|| self.network.owner(main));
        people.integration_kick(self.network.guilds[main], "twitch", actor, member).map_err(Failure::broken)
    }

    /// A bot of another maker, which is in every guild, is kicked from a main or banned there: by hand, it reaches no child
    /// unless somebody approves it, and nobody does.
    pub(super) fn old_bot(&mut self, main: Guild, ban: bool) -> Result<(), Failure> {
        let (people, id) = (self.network.sandbox.people(), self.network.guilds[main]);
        let bot = people.invite_other_bot(id, 0).map_err(Failure::broken)?;
        for guild in self.network.guilds {
            people.had_joined(guild, bot).map_err(Failure::broken)?;
        }
        let by = self.network.owner(main);
        let done = if ban { people.ban(id, by, bot, None) } else { people.kick(id, by, bot, None) };
        done.map_err(Failure::broken)
    }

    async fn slash(&mut self, guild: Guild, user: User, ban: bool) -> Result<(), Failure> {
        self.network.up().await?;
        let (id, whom) = (self.network.guilds[guild], self.network.users[user]);
        let before = self.network.store.decided(id, whom)?;
        let sandbox = &self.network.sandbox;
        let by = if guild == 0 { sandbox.moderator() } else { sandbox.child_moderator(id) };
        let (people, command) = (sandbox.people(), if ban { "ban" } else { "unban" });
        let asked = people.slash(id, by, command, json!({ "user": whom.to_string() }));
        let asked = asked.map_err(|why| Failure::about(user, format!("no /{command}: {why}")))?;
        let reply =
            people.reply(asked).await.map_err(|why| Failure::about(user, format!("/{command}: {why}")))?;
        if self.network.store.decided(id, whom)? == before {
            return Err(Failure::about(user, format!("/{command} decided nothing: {reply}")));
        }
        Ok(())
    }

    /// Killed in the middle of it, so that nobody but the store knows whether it was decided.
    pub(super) async fn killed(&mut self, guild: Guild, user: User, ban: bool) -> Result<(), Failure> {
        self.network.up().await?;
        self.judge.decided(guild, user, ban);
        let (id, whom) = (self.network.guilds[guild], self.network.users[user]);
        let before = self.network.store.decided(id, whom)?;
        let after = Duration::from_micros(self.dice.below(6_000) as u64);
        let request = request(self.network.user(user)?, ban);
        self.network.ask_and_kill(guild, &request, after).await?;
        if self.network.store.decided(id, whom)? > before {
            self.touched.insert(user, (guild, false));
            self.model.decide(guild, user, ban, false);
        }
        self.network.store.close();
        Ok(())
    }

    pub(super) async fn brief(&mut self, main: Guild, user: User) -> Result<(), Failure> {
        // A brief ban over another one of the main replaces it, which this model does not know: the random histories of
        // the daemon's tests play that.
        if self.model.active(main, user) > 0 {
            return Ok(());
        }
        self.judge.decided(main, user, true);
        let span = BRIEF.parse().ok();
        let ban = Ban { span, ..Ban::new(self.network.user(user)?) };
        self.network.ask(main, ban.into()).await?;
        self.touched.insert(user, (main, false));
        self.model.decide(main, user, true, false);
        self.model.ends_by_itself(main, user);
        Ok(())
    }

    /// Thirty of those who may be touched, all at once.
    pub(super) async fn many(&mut self, main: Guild, by: By, ban: bool) -> Result<(), Failure> {
        let wanted = |user: &User| {
            self.model.place(main, *user).banned != ban && self.scene().may_touch(main, *user, by)
        };
        let users: Vec<User> = self.pool.iter().copied().filter(wanted).take(RAID).collect();
        users.iter().for_each(|user| self.judge.decided(main, *user, ban));
        if by == By::Hand {
            return users.iter().try_for_each(|user| self.by_hand(main, *user, ban));
        }
        let client = self.network.up().await?;
        let mut asked = JoinSet::new();
        for user in &users {
            let envelope = self.network.envelope(main, &request(self.network.user(*user)?, ban))?;
            let client = client.clone();
            asked.spawn(async move { client.run(envelope).await });
        }
        for answer in asked.join_all().await {
            answer.map_err(|fault| Failure::wrong(format!("of many at once one was refused: {fault}")))?;
        }
        for user in users {
            self.touched.insert(user, (main, false));
            self.model.decide(main, user, ban, false);
        }
        Ok(())
    }

    pub(super) fn scene(&self) -> Scene<'_> {
        Scene {
            model: &self.model,
            touched: &self.touched,
            pool: &self.pool,
            crippled: &self.crippled,
            late: self.late,
        }
    }

    pub(super) async fn revert(&mut self, main: Guild, user: User) -> Result<(), Failure> {
        let Some(newest) = self.newest_ban(main, user).await? else { return Ok(()) };
        self.judge.decided(main, user, false);
        let revert = PunishmentRevert { punishments: vec![newest], ..PunishmentRevert::default() };
        self.network.ask(main, revert.into()).await?;
        self.touched.insert(user, (main, false));
        self.model.revert(main, user);
        self.retire_lost();
        Ok(())
    }

    pub(super) async fn amend(&mut self, main: Guild, user: User) -> Result<(), Failure> {
        let Some(id) = self.newest_ban(main, user).await? else { return Ok(()) };
        let reason = Untrusted::clipped(&format!("as of step {}", self.step));
        self.network.ask(main, PunishmentAmend { id, reason }.into()).await.map(drop)
    }

    async fn newest_ban(&mut self, main: Guild, user: User) -> Result<Option<PunishmentId>, Failure> {
        // Also a killed daemon's file is whole only once it was opened again.
        self.network.up().await?;
        let newest = self.network.store.newest_ban(self.network.guilds[main], self.network.users[user])?;
        let found = PunishmentId::new(newest);
        match found {
            None => Err(Failure::about(user, format!("main {main} has no ban of user {user} that stands"))),
            found => Ok(found),
        }
    }

    /// Somebody is protected, and then banned all the same: by hand where they are protected, by a command elsewhere.
    pub(super) async fn protect(&mut self, guild: Guild, user: User) -> Result<(), Failure> {
        let protect = ProtectAdd { user: Some(self.network.user(user)?), ..ProtectAdd::default() };
        self.network.ask(guild, protect.into()).await?;
        self.model.protected.insert((guild, user));
        let main = if MAINS.contains(&guild) { guild } else { MAINS.start };
        let by = if main == guild { By::Hand } else { By::Operator };
        if main == guild {
            let (client, id) = (self.network.up().await?, self.network.user(user)?);
            let refused = client.run(self.network.envelope(main, &request(id, true))?).await;
            if refused.is_ok() {
                return Err(Failure::about(user, "somebody protected was banned by a command".to_owned()));
            }
        }
        self.act(main, user, by, true).await?;
        self.replace(user);
        Ok(())
    }
}
