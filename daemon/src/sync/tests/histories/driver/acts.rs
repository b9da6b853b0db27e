//! What people decide: by command, and by hand.

use super::super::model::{CASES, Case, GUILDS, Guild, MAINS};
use super::{Decision, Driver};
use crate::pipeline;
use crate::testing::{by_operator, confirmed, guild as guild_id, user as user_id};
use std::time::Duration;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::ban::{Ban, Unban};
use wayhaven_shared::operations::config::GuildConfig;
use wayhaven_shared::operations::mute::{Mute, Unmute};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::timeout::{Timeout, Untimeout};
use wayhaven_shared::value::{RoleId, UserId};

/// How long timeouts last: longer than any history.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20 * 86_400);

/// What is asked for to do an action.
pub(super) fn request(action: Action, user: UserId) -> Request {
    let span = "10d".parse().unwrap();
    match action {
        Action::Ban => Ban::new(user).into(),
        Action::Unban => Unban { user, reason: None }.into(),
        Action::Mute => Mute { user, span: None, reason: None, evidence: None }.into(),
        Action::Unmute => Unmute { user, reason: None }.into(),
        Action::Timeout => Timeout { user, span, reason: None, evidence: None }.into(),
        Action::Untimeout => Untimeout { user, reason: None }.into(),
        other => panic!("{other} is asked for elsewhere"),
    }
}

/// The action of a case, or its undo.
pub(super) fn action(case: Case, on: bool) -> Action {
    let measure = CASES[case].1;
    if on { measure } else { measure.undo().unwrap() }
}

impl Driver {
    /// Who is muted or timed out is a member everywhere, and each guild has its mute role.
    pub(super) fn seat(&mut self) {
        let people = self.stage.sandbox.people();
        let mut roles = Vec::new();
        for guild in 0..GUILDS {
            let id = self.id(guild);
            for (user, _) in CASES.into_iter().filter(|(_, measure)| *measure == Action::Mute) {
                people.join(id, self.users[user]).unwrap();
            }
            people.join(id, self.kicked).unwrap();
            roles.push((guild_id(id), RoleId::new(self.stage.sandbox.role(id, "Muted"))));
        }
        self.seat_bots();
        self.change(move |change| {
            for (guild, role) in roles {
                let config = change.config(guild)?;
                change.configure(guild, &GuildConfig { mute_role_id: role, ..config })?;
            }
            Ok(())
        });
    }

    /// Whether it stands at Discord.
    pub(super) fn stands(&self, guild: Guild, case: Case) -> bool {
        let (sandbox, place, user) = (&self.stage.sandbox, self.id(guild), self.users[CASES[case].0]);
        let muted = sandbox.role(place, "Muted");
        sandbox.read(|world| {
            let guild = &world.guilds[&place];
            let member = guild.members.get(&user);
            match CASES[case].1 {
                Action::Mute => member.is_some_and(|member| member.roles.contains(&muted)),
                Action::Timeout => member.is_some_and(|member| member.timeout_ms.is_some()),
                _ => guild.bans.contains_key(&user),
            }
        })
    }

    pub(super) fn command(&mut self, guild: Guild, case: Case, on: bool) -> Result<(), String> {
        if on && self.model.owns(guild, case) {
            return self.is_refused(guild, self.whom(case));
        }
        if on && self.model.protects(guild, case) {
            // The command is refused.
            return Ok(());
        }
        let request = request(action(case, on), user_id(self.users[CASES[case].0]));
        let before = self.latest_delivery();
        if self.ask(guild, self.users[CASES[case].0], action(case, on), request)? {
            let hold = self.held_since(before, guild, Some((case, on)))?;
            self.model.decide(guild, case, on, false, hold);
        }
        Ok(())
    }

    /// Asks for something as an operator; whether it was decided. It may be killed in the middle of it.
    pub(super) fn ask(
        &mut self,
        guild: Guild,
        user: u64,
        action: Action,
        request: Request,
    ) -> Result<bool, String> {
        let (place, at) = (self.id(guild), self.stage.requests());
        self.decisions.push(Decision { source: guild, user, action, at });
        let asked = pipeline::run(self.systems(), confirmed(by_operator(Role::Owner, Some(place), request)));
        let outcome = match self.dice.below(8) {
            // It is killed in the middle of it; whoever asked never hears.
            0 => {
                let stored = self.stored(user);
                let turns = self.dice.below(60);
                let cut = self.life().runtime.block_on(async {
                    tokio::select! {
                        biased;
                        outcome = asked => Some(outcome),
                        () = async { for _ in 0..turns { tokio::task::yield_now().await } } => None,
                    }
                });
                self.die();
                self.born();
                if cut.is_none() && self.stored(user) == stored {
                    self.decisions.pop();
                    return Ok(false);
                }
                cut.map_or(Ok(()), |outcome| outcome.map(drop))
            }
            _ => self.wait(asked).map(drop),
        };
        if outcome.is_err() && !action.is_undo() && self.model.asks_for_roles(guild) {
            // Discord did not say whether they hold a protected role, so the command was refused.
            self.decisions.pop();
            return Ok(false);
        }
        outcome.map(|()| true).map_err(|fault| format!("refused: {fault}"))
    }

    fn stored(&self, user: u64) -> usize {
        let (systems, user) = (self.systems(), user_id(user));
        self.wait(
            systems
                .services
                .store()
                .read(move |view| Ok(view.punishments(None, Some(user), None, 500)?.len())),
        )
        .unwrap()
    }

    /// People act on what they see, so everything has come to rest before.
    pub(super) fn hand(&mut self, guild: Guild, case: Case, on: bool) -> Result<(), String> {
        self.settle()?;
        let (sandbox, place, whom) = (&self.stage.sandbox, self.id(guild), self.users[CASES[case].0]);
        if self.stands(guild, case) == on || self.model.owns(guild, case) {
            // There is nothing to do, or nobody can.
            return Ok(());
        }
        let (people, by, at) = (sandbox.people(), self.owner(guild), self.stage.requests());
        let muted = sandbox.role(place, "Muted");
        let before = self.latest_delivery();
        match action(case, on) {
            Action::Ban => people.ban(place, by, whom, None)?,
            Action::Unban => people.unban(place, by, whom, None)?,
            Action::Mute => people.add_role(place, by, whom, muted)?,
            Action::Unmute => people.remove_role(place, by, whom, muted)?,
            Action::Timeout => people.timeout(place, by, whom, Some(TIMEOUT), None)?,
            _ => people.timeout(place, by, whom, None, None)?,
        }
        if MAINS.contains(&guild) {
            self.decisions.push(Decision { source: guild, user: whom, action: action(case, on), at });
        }
        self.overhear();
        if self.model.is_raised(guild, case) {
            // Whoever is banned is no member any more.
            self.model.rank(guild, case, false);
            self.tell_of(guild, whom);
        }
        match MAINS.contains(&guild) {
            true => {
                let hold = self.held_since(before, guild, Some((case, on)))?;
                self.model.decide(guild, case, on, true, hold);
            }
            false => self.model.local(guild, case, on),
        }
        Ok(())
    }

    /// The daemon hears of what was done by hand; or is killed in the middle of that, and hears of it afterwards.
    pub(super) fn overhear(&mut self) {
        if !self.stage.gateway && self.dice.below(6) == 0 {
            let turns = self.dice.below(40);
            self.pump_for(Some(turns));
            self.die();
            self.born();
        }
        self.pump();
    }
}
