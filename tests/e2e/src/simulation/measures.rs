//! Mutes and timeouts. The picture of what must be done where knows of one measure alone, which it calls a ban: here is who is
//! muted or timed out instead, and how that is asked for, done by hand and looked at.

use super::model::{Guild, Length, User};
use super::steps::By;
use super::{Failure, Simulation};
use std::time::Duration;
use wayhaven_sandbox::World;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::ban::{Ban, Unban};
use wayhaven_shared::operations::mute::{Mute, Unmute};
use wayhaven_shared::operations::timeout::{Timeout, Untimeout};

/// The role that mutes.
pub(super) const MUTES: &str = "Muted";

/// How long timeouts of a guild's decisions last, and those of a child's own staff: a shorter one of theirs is what a main's
/// replaces at Discord. None ends in a run.
const DECIDED: &str = "20d";
const DECIDED_DAYS: u64 = 20;
const OF_STAFF_DAYS: u64 = 10;

const DAY: Duration = Duration::from_secs(86_400);

/// What is done to a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Measure {
    #[default]
    Ban,
    Mute,
    Timeout,
}

impl Measure {
    /// The command that does it, or takes it back.
    pub(super) fn word(self, ban: bool) -> &'static str {
        match (self, ban) {
            (Self::Ban, true) => "ban",
            (Self::Ban, false) => "unban",
            (Self::Mute, true) => "mute",
            (Self::Mute, false) => "unmute",
            (Self::Timeout, true) => "timeout",
            (Self::Timeout, false) => "untimeout",
        }
    }

    /// What somebody is to whom it is done.
    pub(super) fn done(self) -> &'static str {
        match self {
            Self::Ban => "banned",
            Self::Mute => "muted",
            Self::Timeout => "timed out",
        }
    }

    /// How long it lasts, as a command's argument.
    pub(super) fn span(self, ban: bool, length: Option<Length>) -> Option<&'static str> {
        match self {
            Self::Timeout => ban.then_some(DECIDED),
            Self::Ban | Self::Mute => length.map(Length::text),
        }
    }
}

impl Simulation {
    /// What is done to that user.
    pub(super) fn measure(&self, user: User) -> Measure {
        self.measures.get(&user).copied().unwrap_or_default()
    }

    /// The command that does to a user what is done to them, or takes it back.
    pub(super) fn request(&self, user: User, ban: bool, length: Option<Length>) -> Result<Request, Failure> {
        let (measure, user) = (self.measure(user), self.network.user(user)?);
        let span = measure.span(ban, length).and_then(|span| span.parse().ok());
        let reason = None;
        Ok(match (measure, ban) {
            (Measure::Ban, true) => Ban { span, ..Ban::new(user) }.into(),
            (Measure::Ban, false) => Unban { user, reason }.into(),
            (Measure::Mute, true) => Mute { user, span, reason, evidence: None }.into(),
            (Measure::Mute, false) => Unmute { user, reason }.into(),
            (Measure::Timeout, true) => {
                let span = span.ok_or_else(|| Failure::broken(format!("{DECIDED} is no span")))?;
                Timeout { user, span, reason, evidence: None }.into()
            }
            (Measure::Timeout, false) => Untimeout { user, reason }.into(),
        })
    }

    /// Somebody does it in Discord's own client.
    pub(super) fn done_by_hand(
        &self,
        guild: u64,
        by: u64,
        whom: u64,
        what: (Measure, bool),
    ) -> Result<(), String> {
        let (sandbox, people) = (&self.network.sandbox, self.network.sandbox.people());
        match what {
            (Measure::Ban, true) => people.ban(guild, by, whom, None),
            (Measure::Ban, false) => people.unban(guild, by, whom, None),
            (Measure::Mute, true) => people.add_role(guild, by, whom, sandbox.role(guild, MUTES)),
            (Measure::Mute, false) => people.remove_role(guild, by, whom, sandbox.role(guild, MUTES)),
            (Measure::Timeout, true) => {
                let days = if self.is_main(guild) { DECIDED_DAYS } else { OF_STAFF_DAYS };
                let length = DAY * u32::try_from(days).unwrap_or(1);
                people.timeout(guild, by, whom, Some(length), None)
            }
            (Measure::Timeout, false) => people.timeout(guild, by, whom, None, None),
        }
    }

    fn is_main(&self, guild: u64) -> bool {
        super::model::MAINS.into_iter().any(|main| self.network.guilds[main] == guild)
    }

    /// Whether Discord shows it of a user in a guild.
    pub(super) fn is_shown(&self, world: &World, guild: Guild, user: User) -> bool {
        let (found, whom) = (&world.guilds[&self.network.guilds[guild]], self.network.users[user]);
        let member = found.members.get(&whom);
        match self.measure(user) {
            Measure::Ban => found.bans.contains_key(&whom),
            Measure::Mute => member.is_some_and(|member| {
                member.roles.iter().any(|role| found.roles.get(role).is_some_and(|role| role.name == MUTES))
            }),
            Measure::Timeout => {
                member.and_then(|member| member.timeout_ms).is_some_and(|end| end > world.clock.unix_ms())
            }
        }
    }

    /// What nobody may carry out is no decision in the judge's eyes.
    pub(super) fn tell_judge(&mut self, guild: Guild, user: User, by: By, ban: bool) {
        let stays = ban && by == By::Hand && self.model.is_shielded(guild, user);
        if !stays || self.measure(user) != Measure::Ban {
            self.judge.decided(guild, user, ban);
        }
    }

    /// A command is refused that punishes somebody whom the guild protects.
    pub(super) async fn is_refused(&mut self, main: Guild, user: User) -> Result<(), Failure> {
        let client = self.network.up().await?;
        let request = self.request(user, true, None)?;
        match client.run(self.network.envelope(main, &request)?).await {
            Err(_) => Ok(()),
            Ok(_) => {
                let done = self.measure(user).done();
                Err(Failure::about(user, format!("somebody protected was {done} by a command")))
            }
        }
    }
}
