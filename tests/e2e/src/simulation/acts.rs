//! What people decide, by command and by hand.

use super::measures::Measure;
use super::model::{Guild, Length, MAINS, User};
use super::scene::Scene;
use super::steps::By;
use super::{Failure, Simulation};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use wayhaven_shared::operations::protect::ProtectAdd;
use wayhaven_shared::operations::reversal::{PunishmentAmend, PunishmentRevert};
use wayhaven_shared::operations::warn::Warn;
use wayhaven_shared::value::{PunishmentId, Untrusted};

/// How many of a raid are banned.
const RAID: usize = 30;

/// Maximum time until what follows a warning is decided.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(20);

/// How long somebody is banned after their first warning in a main, their second, and so on.
const FOLLOWING: [Length; 4] = [Length::Brief, Length::Long, Length::Brief, Length::Brief];

/// The same as an argument of a command.
pub(super) fn warning_steps() -> String {
    let steps = FOLLOWING.iter().enumerate().map(|(at, length)| format!("{}:ban:{}", at + 1, length.text()));
    steps.collect::<Vec<_>>().join(",")
}

impl Simulation {
    pub(super) async fn act(&mut self, guild: Guild, user: User, by: By, ban: bool) -> Result<(), Failure> {
        self.tell_judge(guild, user, by, ban);
        self.count_act(guild, user, by, ban);
        match by {
            By::Hand => return self.by_hand(guild, user, ban),
            By::Moderator if !self.shaky => self.slash(guild, user, ban, None).await?,
            _ => drop(self.network.ask(guild, self.request(user, ban, None)?).await?),
        }
        self.touched.insert(user, (guild, false));
        self.model.decide(guild, user, ban, false);
        Ok(())
    }

    /// In Discord's own client, which shows whether somebody is banned.
    pub(super) fn by_hand(&mut self, guild: Guild, user: User, ban: bool) -> Result<(), Failure> {
        let (id, whom) = (self.network.guilds[guild], self.network.users[user]);
        self.done_by_hand(id, self.network.owner(guild), whom, (self.measure(user), ban)).map_err(|why| {
            Failure::about(user, format!("Discord refuses what was to be done by hand: {why}"))
        })?;
        self.touched.insert(user, (guild, true));
        if MAINS.contains(&guild) {
            self.model.decide(guild, user, ban, true);
        } else {
            self.model.local(guild, user, ban);
        }
        if ban && self.measure(user) == Measure::Ban {
            self.model.is_gone(guild, user);
        }
        Ok(())
    }

    async fn slash(
        &mut self,
        guild: Guild,
        user: User,
        ban: bool,
        length: Option<Length>,
    ) -> Result<(), Failure> {
        self.network.up().await?;
        let (id, whom) = (self.network.guilds[guild], self.network.users[user]);
        let before = self.network.store.decided(id, whom)?;
        let sandbox = &self.network.sandbox;
        let by = if guild == 0 { sandbox.moderator() } else { sandbox.child_moderator(id) };
        let (people, measure) = (sandbox.people(), self.measure(user));
        let command = measure.word(ban);
        let options = match measure.span(ban, length) {
            Some(span) => json!({ "user": whom.to_string(), "for": span }),
            None => json!({ "user": whom.to_string() }),
        };
        let asked = people.slash(id, by, command, options);
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
        let request = self.request(user, ban, None)?;
        self.count_act(guild, user, By::Operator, ban);
        self.network.ask_and_kill(guild, &request, after).await?;
        if self.network.store.decided(id, whom)? > before {
            self.touched.insert(user, (guild, false));
            self.model.decide(guild, user, ban, false);
        }
        self.network.store.close();
        Ok(())
    }

    /// Somebody is banned for a time, whatever else their guild has decided about them.
    pub(super) async fn ban_for(
        &mut self,
        main: Guild,
        user: User,
        by: By,
        length: Length,
    ) -> Result<(), Failure> {
        self.judge.decided(main, user, true);
        match by {
            By::Moderator if !self.shaky => self.slash(main, user, true, Some(length)).await?,
            _ => {
                drop(self.network.ask(main, self.request(user, true, Some(length))?).await?);
            }
        }
        self.touched.insert(user, (main, false));
        self.model.ban_for(main, user, length, false);
        self.retire_lost();
        Ok(())
    }

    /// Somebody is warned, and the daemon bans them by itself for a time because of that.
    pub(super) async fn warn(&mut self, main: Guild, user: User) -> Result<(), Failure> {
        let given = self.warnings.get(&(main, user)).copied().unwrap_or(0);
        let Some(length) = FOLLOWING.get(given).copied() else { return Ok(()) };
        self.judge.decided(main, user, true);
        let reason = Untrusted::clipped(&format!("as of step {}", self.step));
        let warn = Warn { user: self.network.user(user)?, reason, evidence: None };
        let (id, whom) = (self.network.guilds[main], self.network.users[user]);
        let before = self.network.store.decided(id, whom)?;
        self.network.ask(main, warn.into()).await?;
        *self.warnings.entry((main, user)).or_default() += 1;
        let began = Instant::now();
        // The warning, and what follows it.
        while self.network.store.decided(id, whom)? < before + 2 {
            if began.elapsed() > FOLLOWS_WITHIN {
                return Err(Failure::about(
                    user,
                    format!("nothing follows the warning of user {user} in main {main}"),
                ));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.touched.insert(user, (main, false));
        self.model.ban_for(main, user, length, true);
        self.retire_lost();
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
            let envelope = self.network.envelope(main, &self.request(*user, ban, None)?)?;
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
            regulars: &self.regulars,
            measures: &self.measures,
            crippled: &self.crippled,
            raised: &self.raised,
            late: self.late,
        }
    }

    /// One of a main's bans is reverted, by its number.
    pub(super) async fn revert(&mut self, main: Guild, user: User, nth: usize) -> Result<(), Failure> {
        let ban = self.active_ban(main, user, nth).await?;
        self.judge.decided(main, user, false);
        let revert = PunishmentRevert { punishments: vec![ban], ..PunishmentRevert::default() };
        self.network.ask(main, revert.into()).await?;
        self.touched.insert(user, (main, false));
        self.model.revert(main, user, nth);
        self.retire_lost();
        Ok(())
    }

    pub(super) async fn amend(&mut self, main: Guild, user: User) -> Result<(), Failure> {
        let id = self.active_ban(main, user, 0).await?;
        let reason = Untrusted::clipped(&format!("as of step {}", self.step));
        self.network.ask(main, PunishmentAmend { id, reason }.into()).await.map(drop)
    }

    /// The number of one of a main's bans that nobody has lifted, counted from the oldest.
    async fn active_ban(&mut self, main: Guild, user: User, nth: usize) -> Result<PunishmentId, Failure> {
        // Also a killed daemon's file is whole only once it was opened again.
        self.network.up().await?;
        let place = (self.network.guilds[main], self.network.users[user]);
        let bans = self.network.store.active_bans()?.remove(&place).unwrap_or_default();
        let found = bans.get(nth).and_then(|(ban, _)| PunishmentId::new(*ban));
        found.ok_or_else(|| {
            Failure::about(user, format!("main {main} has the bans {bans:?} of user {user}, and no {nth}th"))
        })
    }

    /// Somebody is protected, and then banned all the same: by hand where they are protected, by a command elsewhere.
    pub(super) async fn protect(&mut self, guild: Guild, user: User) -> Result<(), Failure> {
        let protect = ProtectAdd { user: Some(self.network.user(user)?), ..ProtectAdd::default() };
        self.network.ask(guild, protect.into()).await?;
        self.model.protected.insert((guild, user));
        let main = if MAINS.contains(&guild) { guild } else { MAINS.start };
        let by = if main == guild { By::Hand } else { By::Operator };
        if main == guild {
            self.is_refused(main, user).await?;
        }
        self.act(main, user, by, true).await?;
        self.replace(user);
        Ok(())
    }
}
