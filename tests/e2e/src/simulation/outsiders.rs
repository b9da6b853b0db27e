//! Integrations and bots of other makers: what they do, and what is done to them, stays in its guild. A ban of a bot waits
//! for approval.

use super::model::Guild;
use super::{Failure, Simulation};
use wayhaven_shared::operations::hold::{SyncApprove, SyncDiscard};
use wayhaven_shared::value::HoldId;

/// What becomes of the ban of a bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It waits until the end.
    Waits,
    Approved,
    Discarded,
}

impl Simulation {
    /// An integration removes somebody from a main who is a member of every guild: nobody else does because of that.
    pub(super) fn integration(&mut self, main: Guild) -> Result<(), Failure> {
        let (sandbox, member) = (&self.network.sandbox, self.network.sandbox.stranger());
        let people = sandbox.people();
        for guild in self.network.guilds {
            people.had_joined(guild, member).map_err(Failure::broken)?;
        }
        let actor = self.dice.once_in(2).then(|| self.network.owner(main));
        people
            .integration_kick(self.network.guilds[main], "twitch", actor, member)
            .map_err(Failure::broken)?;
        self.stay.push((main, member));
        Ok(())
    }

    /// A bot of another maker, which is in every guild, is kicked from a main by hand: it stays in all others.
    pub(super) fn kick_bot(&mut self, main: Guild) -> Result<(), Failure> {
        let (bot, id) = (self.bot_everywhere(main)?, self.network.guilds[main]);
        self.network
            .sandbox
            .people()
            .kick(id, self.network.owner(main), bot, None)
            .map_err(Failure::broken)?;
        self.stay.push((main, bot));
        Ok(())
    }

    fn bot_everywhere(&self, main: Guild) -> Result<u64, Failure> {
        let people = self.network.sandbox.people();
        let bot = people.invite_other_bot(self.network.guilds[main], 0).map_err(Failure::broken)?;
        for guild in self.network.guilds {
            people.had_joined(guild, bot).map_err(Failure::broken)?;
        }
        Ok(bot)
    }

    /// Such a bot is banned in a main by hand: that reaches no child before somebody approves it.
    pub(super) async fn ban_bot(&mut self, main: Guild, verdict: Verdict) -> Result<(), Failure> {
        let (bot, id) = (self.bot_everywhere(main)?, self.network.guilds[main]);
        self.network
            .sandbox
            .people()
            .ban(id, self.network.owner(main), bot, None)
            .map_err(Failure::broken)?;
        self.stay.push((main, bot));
        if verdict == Verdict::Waits {
            return Ok(());
        }
        self.settle().await?;
        let links = self.model.links.iter().filter(|((of, _), monitor)| *of == main && !**monitor).count();
        let waiting = self.network.store.waits_for_approval(bot)?;
        if waiting.len() != links {
            let history = self.network.store.history(bot)?;
            return Err(Failure::wrong(format!(
                "the ban of bot {bot} in main {main} waits for approval in {waiting:?}, and it has {links} links\n    {history}"
            )));
        }
        // What is approved in a frozen main waits for the end of the freeze, and is not looked at here.
        let Some(hold) =
            waiting.first().map(|(hold, _)| *hold).filter(|_| !self.model.frozen.contains(&main))
        else {
            return Ok(());
        };
        let number = HoldId::new(hold);
        if verdict == Verdict::Discarded {
            let discard = SyncDiscard { id: number, all: false };
            return self.network.ask(main, discard.into()).await.map(drop);
        }
        // One hold keeps back all bots of one moderator.
        let approved = self.network.store.kept_back_by(hold)?;
        for (guild, whom) in approved {
            let user = self.known(whom);
            let child = self.network.guilds.iter().position(|id| *id == guild);
            self.judge.decided(main, user, true);
            self.model.approved(main, child, user);
            self.touched.insert(user, (main, true));
            self.stay.retain(|(_, id)| *id != whom);
            self.approved_bots.push(user);
        }
        self.network.ask(main, SyncApprove { id: number, all: false }.into()).await.map(drop)
    }

    /// Everybody who was removed from one guild only is a member of all others still.
    pub(super) fn nobody_else_was_removed(&self) -> Result<(), Failure> {
        self.network.sandbox.read(|world| {
            for (main, whom) in &self.stay {
                for (guild, id) in self.network.guilds.iter().enumerate().filter(|(guild, _)| guild != main) {
                    if !world.guilds[id].members.contains_key(whom) {
                        return Err(Failure::wrong(format!(
                            "LEAK: {whom} was removed from main {main} only, and is gone from guild {guild} too"
                        )));
                    }
                }
            }
            Ok(())
        })
    }
}
