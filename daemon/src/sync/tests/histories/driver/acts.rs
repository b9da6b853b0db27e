//! What people decide: by command, and by hand.

use super::super::model::{Guild, MAINS, User};
use super::{Decision, Driver};
use crate::pipeline;
use crate::testing::{by_operator, user as user_id};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::ban::{Ban, Unban};

impl Driver {
    pub(super) fn command(&mut self, guild: Guild, user: User, ban: bool) -> Result<(), String> {
        let (whom, place, at) = (user_id(self.users[user]), self.id(guild), self.stage.requests());
        let request = match ban {
            true => Ban::new(whom).into(),
            false => Unban { user: whom, reason: None }.into(),
        };
        self.decisions.push(Decision { source: guild, user, ban, at });
        let asked = pipeline::run(self.daemon(), by_operator(Role::Owner, Some(place), request));
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
                    return Ok(());
                }
                cut.map_or(Ok(()), |outcome| outcome.map(drop))
            }
            _ => self.wait(asked).map(drop),
        };
        outcome.map_err(|fault| format!("refused: {fault}"))?;
        self.model.decide(guild, user, ban, false);
        Ok(())
    }

    fn stored(&self, user: User) -> usize {
        let (daemon, user) = (self.daemon(), user_id(self.users[user]));
        self.wait(daemon.store().read(move |view| Ok(view.punishments(None, Some(user), None, 500)?.len())))
            .unwrap()
    }

    /// People act on what they see, so everything has come to rest before.
    pub(super) fn hand(&mut self, guild: Guild, user: User, ban: bool) -> Result<(), String> {
        self.settle()?;
        let (sandbox, place, whom) = (&self.stage.sandbox, self.id(guild), self.users[user]);
        if sandbox.is_banned(place, whom) == ban {
            return Ok(());
        }
        let (people, by, at) = (sandbox.people(), sandbox.owner(), self.stage.requests());
        match ban {
            true => people.ban(place, by, whom, None)?,
            false => people.unban(place, by, whom, None)?,
        }
        if MAINS.contains(&guild) {
            self.decisions.push(Decision { source: guild, user, ban, at });
        }
        if !self.stage.gateway && self.dice.below(6) == 0 {
            let turns = self.dice.below(40);
            self.pump_for(Some(turns));
            self.die();
            self.born();
        }
        self.pump();
        match MAINS.contains(&guild) {
            true => self.model.decide(guild, user, ban, true),
            false => self.model.local(guild, user, ban),
        }
        Ok(())
    }
}
