//! Bots of other makers and integrations. What is done to a bot by hand stays in its guild, as does what an integration does;
//! Wayhaven itself, and the bots that the settings list, are punished nowhere else.

use super::super::model::{GUILDS, Guild, MAINS, MUTE};
use super::super::steps::{Foreign, ToBot, Untouchable};
use super::super::tally::count;
use super::{Driver, acts};
use crate::pipeline;
use crate::testing::{by_operator, confirmed, user as user_id};
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::FaultKind;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::punishment::Action;

/// The bots of a history beside the one whose bans are a case.
pub(super) struct Outsiders {
    /// Is a member everywhere at first, and is kicked, muted and timed out by hand.
    bot: u64,
    /// Where it is one by now.
    member: [bool; GUILDS],
    /// Stands in the settings.
    pub(super) listed: u64,
    /// Where that one was banned by hand.
    banned: [bool; GUILDS],
}

impl Outsiders {
    pub(super) fn new(sandbox: &Sandbox) -> Self {
        let people = sandbox.people();
        let (bot, listed) = (people.another_bot(), people.another_bot());
        Self { bot, member: [true; GUILDS], listed, banned: [false; GUILDS] }
    }

    pub(super) fn is_one(&self, user: u64) -> bool {
        user == self.bot || user == self.listed
    }
}

impl Driver {
    /// The bots are members everywhere.
    pub(super) fn seat_bots(&self) {
        for guild in 0..GUILDS {
            for bot in [self.outsiders.bot, self.outsiders.listed] {
                self.stage.sandbox.people().had_joined(self.id(guild), bot).unwrap();
            }
        }
    }

    /// Nobody has decided anything: of what reaches another guild because of it `check_effects` finds no reason.
    pub(super) fn integration(&mut self, guild: Guild, deed: Foreign, named: bool) -> Result<(), String> {
        self.settle()?;
        let (place, mains) = (self.id(guild), MAINS.contains(&guild));
        let actor = named.then(|| self.owner(guild));
        let people = self.stage.sandbox.people();
        match deed {
            Foreign::Kick => {
                let is_member =
                    |user| self.stage.sandbox.read(|world| world.guilds[&place].members.contains_key(&user));
                if !is_member(self.kicked) {
                    return Ok(());
                }
                people.integration_kick(place, "twitch", actor, self.kicked)?;
                self.overhear();
                self.kicks.removed(guild);
                count("somebody was removed by an integration");
            }
            Foreign::Mute(on) => {
                let whom = self.whom(MUTE);
                // What an integration does in a child is its staff's.
                if !mains || self.stands(guild, MUTE) == on {
                    return Ok(());
                }
                let muted = self.stage.sandbox.role(place, "Muted");
                people.integration_role(place, "youtube", actor, whom, (muted, on))?;
                self.overhear();
                self.model.aside(guild, MUTE, on);
                count("a mute was changed by an integration");
            }
        }
        self.settle()
    }

    pub(super) fn bot_by_hand(&mut self, guild: Guild, deed: ToBot) -> Result<(), String> {
        self.settle()?;
        let (place, bot, by) = (self.id(guild), self.outsiders.bot, self.owner(guild));
        let sandbox = &self.stage.sandbox;
        let people = sandbox.people();
        match deed {
            _ if !self.outsiders.member[guild] => {
                people.join(place, bot)?;
                self.outsiders.member[guild] = true;
                count("a kicked bot was invited again");
            }
            ToBot::Kick => {
                people.kick(place, by, bot, None)?;
                self.outsiders.member[guild] = false;
                count("a bot was kicked by hand");
            }
            ToBot::Timeout => people.timeout(place, by, bot, Some(acts::TIMEOUT), None)?,
            ToBot::Mute => people.add_role(place, by, bot, sandbox.role(place, "Muted"))?,
        }
        if matches!(deed, ToBot::Timeout | ToBot::Mute) {
            count("a bot was timed out or muted by hand");
        }
        self.overhear();
        self.settle()
    }

    pub(super) fn untouchable(&mut self, guild: Guild, how: Untouchable) -> Result<(), String> {
        let place = self.id(guild);
        let whom = match how {
            Untouchable::Wayhaven => self.stage.sandbox.bot_id(),
            Untouchable::Listed => self.outsiders.listed,
            Untouchable::ListedByHand => {
                self.settle()?;
                if !std::mem::replace(&mut self.outsiders.banned[guild], true) {
                    let by = self.owner(guild);
                    self.stage.sandbox.people().ban(place, by, self.outsiders.listed, None)?;
                    self.overhear();
                    count("a listed bot was banned by hand");
                }
                return self.settle();
            }
        };
        self.is_refused(guild, whom)
    }

    /// A command that bans somebody is refused, since nobody may.
    pub(super) fn is_refused(&self, guild: Guild, whom: u64) -> Result<(), String> {
        let request = acts::request(Action::Ban, user_id(whom));
        let asked = confirmed(by_operator(Role::Owner, Some(self.id(guild)), request));
        match self.wait(pipeline::run(self.systems(), asked)) {
            Err(fault) if fault.kind == FaultKind::Denied => {
                count("a command against an owner, Wayhaven or a listed bot was refused");
                Ok(())
            }
            other => Err(format!("a command banned {whom} in guild {guild}: {other:?}")),
        }
    }

    /// The bots are where they should be, and nowhere punished for what was done elsewhere.
    pub(super) fn compare_outsiders(&self) -> Result<(), String> {
        let Outsiders { bot, member, listed, banned } = self.outsiders;
        for guild in 0..GUILDS {
            let place = self.id(guild);
            let (is_member, is_banned) = self.stage.sandbox.read(|world| {
                let found = &world.guilds[&place];
                (found.members.contains_key(&bot), found.bans.contains_key(&listed))
            });
            if is_member != member[guild] {
                return Err(format!(
                    "the bot is a member of guild {guild}: {is_member}, and should not be so"
                ));
            }
            if is_banned != banned[guild] {
                return Err(format!("guild {guild} bans the listed bot: {is_banned}, and should not be so"));
            }
        }
        Ok(())
    }
}
