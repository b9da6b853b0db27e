//! Roles that guilds protect: members who hold one are punished by hand, or by another guild's command, and lose it. What was
//! not delivered because of that stays undelivered.

use super::measures::{MUTES, Measure};
use super::members::{Unheard, Way};
use super::model::{GUILDS, Guild, MAINS, User};
use super::network::Network;
use super::scene::Scene;
use super::steps::{By, Step};
use super::{Failure, Simulation};
use crate::dice::Dice;
use std::time::{Duration, Instant};
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::config::ConfigMuterole;
use wayhaven_shared::operations::kick::Kick;
use wayhaven_shared::operations::protect::ProtectAdd;
use wayhaven_shared::value::{RoleId, UserId};

/// Guilds that protect a role: the mains, and some of their children.
const SHIELDING: [Guild; 4] = [0, 1, 2, 4];

/// The role.
const PROTECTED: &str = "Regular";

/// Maximum time until the daemon knows who holds it.
const KNOWN_WITHIN: Duration = Duration::from_secs(10);

impl Network {
    fn role(&self, guild: Guild, name: &str) -> Option<RoleId> {
        RoleId::new(self.sandbox.role(self.guilds[guild], name))
    }

    /// Every guild names the role that mutes, and some protect one.
    pub(super) async fn name_roles(&mut self) -> Result<(), Failure> {
        for guild in 0..GUILDS {
            let role = self.role(guild, MUTES);
            self.ask(guild, ConfigMuterole { role, unset: false }.into()).await?;
        }
        for guild in SHIELDING {
            let role = self.role(guild, PROTECTED);
            self.ask(guild, ProtectAdd { role, ..ProtectAdd::default() }.into()).await?;
        }
        Ok(())
    }
}

/// What holders of such a role meet next.
pub(super) fn draw(dice: &mut Dice, scene: &Scene<'_>) -> Option<Step> {
    let (model, main) = (scene.model, dice.of(MAINS));
    let holder = model.shields.iter().filter(|(_, holds)| **holds).nth(dice.below(model.shields.len()));
    let holder = holder.map(|((guild, user), _)| (*guild, *user));
    let hand = |guild, user| scene.may_touch(guild, user, By::Hand) && !scene.crippled.contains(&guild);
    match dice.below(20) {
        0..7 => {
            let guild = dice.pick(&SHIELDING)?;
            let of = if dice.once_in(2) { scene.regulars } else { scene.pool };
            let user = of[dice.below(of.len().min(20))];
            let is_new = !model.is_shielded(guild, user) && !model.is_absent(guild, user);
            // Whom a main has decided something about is another story.
            let is_fresh = !MAINS.contains(&guild) || model.active(guild, user) == 0;
            let is_free = !model.place(guild, user).banned
                && !scene.raised.contains_key(&(guild, user))
                && hand(guild, user);
            Some(Step::Shield { guild, user }).filter(|_| is_new && is_fresh && is_free)
        }
        7..12 => {
            // By hand where a main protects them, by a command where a child does.
            let (guild, user) = holder?;
            let is_main = MAINS.contains(&guild);
            let (source, by) = if is_main { (guild, By::Hand) } else { (main, By::Operator) };
            let free = scene.may_decide(source, user, by) && !model.place(source, user).banned;
            Some(Step::Ban { guild: source, user, by }).filter(|_| free)
        }
        12..17 => {
            let (guild, user) = holder?;
            // Mostly once something was kept back.
            let free = hand(guild, user)
                && (MAINS.into_iter().any(|main| model.is_kept_anywhere(main, user)) || dice.once_in(4));
            Some(Step::Unshield { guild, user, leaves: dice.below(3) > 0 }).filter(|_| free)
        }
        17 => Some(Step::KickHolder { main }),
        _ => {
            // What was kept back is decided anew, or taken back.
            let user = model.kept_by(main).nth(dice.below(3))?;
            let free = scene.may_decide(main, user, By::Operator);
            Some(super::steps::act(main, user, By::Operator, dice.once_in(2))).filter(|_| free)
        }
    }
}

impl Simulation {
    async fn until_holder(&mut self, main: Guild, whom: u64) -> Result<(), Failure> {
        let began = Instant::now();
        while !self.network.store.holds_protected(self.network.guilds[main], whom)? {
            if began.elapsed() > KNOWN_WITHIN {
                return Err(Failure::wrong(format!(
                    "it never knows that {whom} holds a role of main {main}"
                )));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Somebody who is not banned in a guild joins it where they are no member, and is given the role.
    pub(super) async fn shield(&mut self, guild: Guild, user: User) -> Result<(), Failure> {
        self.settle().await?;
        let (id, whom) = (self.network.guilds[guild], self.network.users[user]);
        let (people, by) = (self.network.sandbox.people(), self.network.owner(guild));
        people.join(id, whom).map_err(Failure::broken)?;
        let role = self.network.sandbox.role(id, PROTECTED);
        people.add_role(id, by, whom, role).map_err(Failure::broken)?;
        self.model.shields.insert((guild, user), true);
        self.tally.count(if MAINS.contains(&guild) { "holder in a main" } else { "holder in a child" });
        if MAINS.contains(&guild) {
            self.until_holder(guild, whom).await?;
            self.is_refused(guild, user).await?;
        }
        Ok(())
    }

    /// They lose it.
    pub(super) async fn unshield(&mut self, guild: Guild, user: User, leaves: bool) -> Result<(), Failure> {
        if leaves && self.measure(user) != Measure::Ban {
            return self.rejoin(guild, user, Way::Leaves, Unheard::No).await;
        }
        let (id, whom) = (self.network.guilds[guild], self.network.users[user]);
        let (people, by) = (self.network.sandbox.people(), self.network.owner(guild));
        if leaves {
            people.leave(id, whom).map_err(Failure::broken)?;
            self.tally.count("protected role lost by leaving");
        } else {
            let role = self.network.sandbox.role(id, PROTECTED);
            people.remove_role(id, by, whom, role).map_err(Failure::broken)?;
            self.tally.count("protected role taken");
        }
        self.model.is_gone(guild, user);
        self.touched.insert(user, (guild, true));
        Ok(())
    }

    /// Of those who lost the role in a main the daemon knows that by now, or not yet; nobody who holds it is forgotten.
    pub(super) fn forget_shields(&mut self) -> Result<(), Failure> {
        let of_mains = self.model.shields.iter().filter(|((guild, _), _)| MAINS.contains(guild));
        let of_mains: Vec<_> = of_mains.map(|(place, holds)| (*place, *holds)).collect();
        for ((main, user), holds) in of_mains {
            let whom = self.network.users[user];
            if self.network.store.holds_protected(self.network.guilds[main], whom)? {
                continue;
            }
            if holds && !self.model.lost.contains(&user) {
                let text = format!("it has forgotten that user {user} ({whom}) holds a role of main {main}");
                return Err(Failure::about(user, text));
            }
            self.model.shields.remove(&(main, user));
        }
        Ok(())
    }

    /// What might deliver what is kept from a child.
    pub(super) fn count_kept(&mut self, main: Guild, child: Guild, what: &str) {
        if self.model.is_kept(main, child) {
            self.tally.count(format!("{what} where something is kept away"));
        }
    }

    /// Somebody with the role, who is a member of every guild, is kicked from a main by hand: they stay in all others.
    pub(super) async fn kick_holder(&mut self, main: Guild) -> Result<(), Failure> {
        self.settle().await?;
        let (sandbox, whom) = (&self.network.sandbox, self.network.sandbox.stranger());
        let (people, by, id) = (sandbox.people(), self.network.owner(main), self.network.guilds[main]);
        for guild in self.network.guilds {
            people.had_joined(guild, whom).map_err(Failure::broken)?;
        }
        people.add_role(id, by, whom, sandbox.role(id, PROTECTED)).map_err(Failure::broken)?;
        self.until_holder(main, whom).await?;
        let client = self.network.up().await?;
        let user = UserId::new(whom).ok_or_else(|| Failure::broken("nobody".to_owned()))?;
        let request: Request = Kick { user, reason: None, evidence: None }.into();
        if client.run(self.network.envelope(main, &request)?).await.is_ok() {
            return Err(Failure::wrong(format!("{whom}, who is protected, was kicked by a command")));
        }
        match self.dice.below(3) {
            0 => self.network.kill()?,
            1 => self.network.terminate().await?,
            _ => {}
        }
        people.kick(id, by, whom, None).map_err(Failure::broken)?;
        self.stay.push((main, whom));
        self.tally.count("kick of a holder by hand");
        Ok(())
    }
}
