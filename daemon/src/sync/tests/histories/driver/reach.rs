//! Somebody is out of the bot's reach in a guild for a time: by a role that ranks above the bot's, or as its owner. What that
//! blocks goes on by itself once they are within reach.

use super::super::model::{CASES, Case, GUILDS, Guild, MAINS};
use super::super::tally::count;
use super::Driver;
use crate::discord::event;
use crate::testing::{guild as guild_id, user as user_id};
use serde_json::{Value, json};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{GuildId, UserId};

/// The role that ranks above the bot's everywhere.
pub(super) const OFFICE: &str = "Admin";
/// Where it stands.
pub(super) const ABOVE: i64 = 50;

impl Driver {
    /// The daemon is told, where the driver is its gateway.
    fn tell(&self, name: &str, data: &Value) {
        if self.stage.gateway {
            return;
        }
        let (systems, event) = (self.systems(), event::read(name, data).unwrap().unwrap());
        self.wait(async {
            let taken = systems.ingest.take(event).await;
            systems.ingest.follow(taken.committed().await);
        });
    }

    /// Discord describes all guilds as a session begins.
    pub(super) fn describe(&self) {
        for place in self.stage.guilds {
            self.tell("GUILD_CREATE", &self.stage.sandbox.read(|world| world.guild_create_json(place)));
        }
    }

    /// The daemon is told what has become of somebody's roles there, or that they are gone.
    pub(super) fn tell_of(&self, guild: Guild, whom: u64) {
        let (place, sandbox) = (self.id(guild), &self.stage.sandbox);
        let is_member = sandbox.read(|world| world.guilds[&place].members.contains_key(&whom));
        let (name, mut data) = match is_member {
            true => ("GUILD_MEMBER_UPDATE", sandbox.read(|world| world.member_json(place, whom))),
            false => ("GUILD_MEMBER_REMOVE", json!({ "user": { "id": whom.to_string() } })),
        };
        data["guild_id"] = json!(place.to_string());
        self.tell(name, &data);
    }

    /// Whether what is blocked there for that user may stay so.
    pub(super) fn may_be_blocked(&self, guild: GuildId, user: UserId) -> bool {
        let guild = (0..GUILDS).find(|of| guild_id(self.id(*of)) == guild);
        let cases = (0..CASES.len()).filter(|case| user_id(self.whom(*case)) == user);
        guild.is_some_and(|guild| cases.into_iter().any(|case| self.model.is_out_of_reach(guild, case)))
    }

    /// What else fails would hide whether something goes on by itself.
    fn unhinder(&mut self) -> Result<(), String> {
        for fault in self.faults.drain(..) {
            self.stage.sandbox.clear(fault);
        }
        if std::mem::take(&mut self.hindered) {
            let systems = self.systems();
            self.stage.guilds.into_iter().for_each(|id| systems.engine.mended(guild_id(id)));
        }
        self.settle()
    }

    fn is_blocked(&self, guild: Guild, whom: u64) -> bool {
        let (guild, user, systems) = (guild_id(self.id(guild)), user_id(whom), self.systems());
        let open = self.wait(systems.services.store().read(|view| Ok(view.open_deliveries()?))).unwrap();
        let mut theirs = open.iter().filter(|one| one.guild == guild && one.user == user);
        theirs.any(|one| one.state == DeliveryState::Blocked)
    }

    /// Waits until nothing is blocked there any more for a user who is within reach by now: nobody has to say so.
    fn goes_on(&self, guild: Guild, whom: u64) {
        let (guild, user) = (guild_id(self.id(guild)), user_id(whom));
        self.until(move |_, view| {
            view.open_deliveries()
                .unwrap()
                .iter()
                .all(|one| one.state != DeliveryState::Blocked || one.guild != guild || one.user != user)
        });
    }

    pub(super) fn raise(&mut self, guild: Guild, case: Case) -> Result<(), String> {
        self.settle()?;
        let is_free = !self.stands(guild, case) && !self.model.is_out_of_reach(guild, case);
        if !is_free || CASES[case].1 != Action::Ban {
            return Ok(());
        }
        self.describes = true;
        let (place, whom, sandbox) = (self.id(guild), self.whom(case), &self.stage.sandbox);
        sandbox.people().had_joined(place, whom)?;
        sandbox.people().add_role(place, self.owner(guild), whom, sandbox.role(place, OFFICE))?;
        self.model.rank(guild, case, true);
        count("somebody was raised above the bot");
        self.overhear();
        self.tell_of(guild, whom);
        self.settle()
    }

    /// They lose the role, or leave; the daemon hears of it, or is away.
    pub(super) fn lower(
        &mut self,
        guild: Guild,
        case: Case,
        leaves: bool,
        heard: bool,
    ) -> Result<(), String> {
        if !self.model.is_raised(guild, case) {
            return Ok(());
        }
        self.unhinder()?;
        let blocked = self.is_blocked(guild, self.whom(case));
        if !heard {
            self.die();
        }
        let (place, whom, sandbox) = (self.id(guild), self.whom(case), &self.stage.sandbox);
        match leaves {
            true => sandbox.people().leave(place, whom)?,
            false => {
                sandbox.people().remove_role(place, self.owner(guild), whom, sandbox.role(place, OFFICE))?;
            }
        }
        self.model.rank(guild, case, false);
        let is_main = MAINS.contains(&guild);
        count(if is_main {
            "somebody came within reach in a main"
        } else {
            "somebody came within reach in a child"
        });
        if blocked {
            count("a rank had blocked something");
        }
        match heard {
            true => {
                self.overhear();
                self.tell_of(guild, whom);
            }
            false => self.born(),
        }
        self.goes_on(guild, whom);
        self.settle()
    }

    /// A guild changes hands: to the user of a case, or back to whom it belonged at first; the daemon hears of it, or is away.
    pub(super) fn transfer(&mut self, guild: Guild, to: Option<Case>, heard: bool) -> Result<(), String> {
        if let Some(case) = to {
            self.lower(guild, case, false, true)?;
        }
        self.unhinder()?;
        let (place, former) = (self.id(guild), self.owner(guild));
        let heir = to.map_or_else(|| self.stage.sandbox.owner(), |case| self.whom(case));
        if heir == former || to.is_some_and(|case| self.stands(guild, case)) {
            return Ok(());
        }
        self.describes = true;
        if self.is_blocked(guild, former) {
            count("the owner of before had blocked something");
        }
        let is_main = MAINS.contains(&guild);
        count(if is_main { "a main changed hands" } else { "a child changed hands" });
        if !heard {
            self.die();
        }
        let people = self.stage.sandbox.people();
        people.had_joined(place, heir)?;
        people.transfer(place, former, heir)?;
        match heard {
            true => {
                self.tell("GUILD_UPDATE", &self.stage.sandbox.read(|world| world.guild_json(place, false)))
            }
            false => self.born(),
        }
        let (of, owner) = (guild_id(place), user_id(heir));
        self.until(move |systems, _| systems.services.directory().owner(of) == Some(owner));
        self.pump();
        self.model.changes_hands(guild, to);
        self.goes_on(guild, former);
        if to.is_some() {
            self.is_refused(guild, heir)?;
        }
        self.settle()
    }

    /// The user of a case is within reach in every guild.
    pub(super) fn bring_within_reach(&mut self, case: Case) -> Result<(), String> {
        for guild in 0..GUILDS {
            self.lower(guild, case, false, true)?;
            if self.model.owns(guild, case) {
                self.transfer(guild, None, true)?;
            }
        }
        Ok(())
    }

    /// Everybody is.
    pub(super) fn bring_all_within_reach(&mut self) -> Result<(), String> {
        (0..CASES.len()).try_for_each(|case| self.bring_within_reach(case))
    }
}
