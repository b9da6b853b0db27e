//! Members of every guild, who are muted or timed out by mains and by the staff of children, leave and join again.
//!
//! What a child's staff did by hand ends with that where Discord does not keep it, whether or not anybody hears of it; what a
//! main has decided is done again.

use super::measures::Measure;
use super::model::{CHILDREN, GUILDS, Guild, Length, MAINS, UNLINKED, User};
use super::ranks::Height;
use super::scene::Scene;
use super::steps::{BY, By, Step, act};
use super::{Failure, Simulation};
use crate::dice::Dice;
use std::time::{Duration, Instant};
use wayhaven_sandbox::{EventFate, Fault};

/// How many of them there are: half of them are muted, the others timed out.
const REGULARS: usize = 10;

/// How long a timeout lasts that ends before anything is compared.
const MOMENT: Duration = Duration::from_millis(300);

/// How somebody leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Leaves,
    /// Kicked by hand.
    Kicked,
    Pruned,
}

/// Whether the daemon hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unheard {
    No,
    /// Discord tells of nothing in that guild meanwhile.
    Lost,
    /// The daemon is down.
    Down,
}

impl Scene<'_> {
    /// Whether a guild may decide about a regular, so that it is clear what must come of it.
    pub(super) fn may_decide(&self, guild: Guild, user: User, by: By) -> bool {
        // Nobody gives a role to whoever is not there, nor the bot one that stands above it.
        let is_low = self.raised.iter().any(|((of, _), height)| *of == guild && *height == Height::Bot);
        let possible = if by == By::Hand { !self.model.is_absent(guild, user) } else { !is_low };
        possible && self.may_touch(guild, user, by) && !self.crippled.contains(&guild)
    }
}

const WAYS: [Way; 4] = [Way::Leaves, Way::Leaves, Way::Kicked, Way::Pruned];
const UNHEARD: [Unheard; 5] = [Unheard::No, Unheard::No, Unheard::No, Unheard::Lost, Unheard::Down];

/// What a regular meets next.
pub(super) fn draw(dice: &mut Dice, scene: &Scene<'_>) -> Option<Step> {
    let (model, user) = (scene.model, dice.pick(scene.regulars)?);
    let measure = scene.measures.get(&user).copied().unwrap_or_default();
    let (main, child, by) = (dice.of(MAINS), dice.of(CHILDREN), dice.pick(&BY)?);
    let hand = |guild| scene.may_decide(guild, user, By::Hand);
    if let Some(guild) = (0..GUILDS).find(|guild| model.is_absent(*guild, user) && dice.once_in(3)) {
        let free = scene.may_touch(guild, user, By::Hand) && !scene.crippled.contains(&guild);
        return Some(Step::Join { guild, user }).filter(|_| free);
    }
    let step = match dice.below(100) {
        0..30 => {
            let is_banned = model.place(main, user).banned;
            let ban = if by == By::Hand || dice.below(5) > 0 { !is_banned } else { is_banned };
            Some(act(main, user, by, ban)).filter(|_| scene.may_decide(main, user, by))
        }
        30..48 => {
            let child = if dice.below(8) == 0 { UNLINKED } else { child };
            let ban = !model.place(child, user).banned;
            Some(act(child, user, By::Hand, ban)).filter(|_| hand(child))
        }
        48..74 => {
            // Mostly where the staff have done something.
            let local: Vec<Guild> = CHILDREN.filter(|child| model.place(*child, user).local).collect();
            let anywhere = dice.of(0..GUILDS);
            let guild = dice.pick(&local).filter(|_| dice.below(4) > 0).unwrap_or(anywhere);
            let way = if MAINS.contains(&guild) { Way::Leaves } else { dice.pick(&WAYS)? };
            // What is wanted there is done again where it is heard.
            let is_wanted = model.has_causes(guild, user);
            let unheard = if is_wanted { Unheard::No } else { dice.pick(&UNHEARD)? };
            let free = hand(guild) && !model.is_absent(guild, user);
            Some(Step::Rejoin { guild, user, way, unheard }).filter(|_| free)
        }
        74..80 if measure == Measure::Mute => {
            Some(Step::Leave { guild: child, user }).filter(|_| hand(child))
        }
        74..80 => {
            let nothing = !model.place(child, user).banned && !model.has_causes(child, user);
            Some(Step::Brief { guild: child, user }).filter(|_| nothing && hand(child))
        }
        80..86 => {
            let by = if by == By::Hand { By::Operator } else { by };
            Some(act(child, user, by, dice.once_in(2))).filter(|_| scene.may_decide(child, user, by))
        }
        86..90 if measure == Measure::Mute => {
            let by = if by == By::Hand { By::Operator } else { by };
            let length = if dice.once_in(3) { Length::Long } else { Length::Brief };
            Some(Step::BanFor { main, user, by, length }).filter(|_| scene.may_decide(main, user, by))
        }
        90..95 => {
            let active = model.active(main, user);
            let nth = dice.below(active);
            let free = active > 0 && scene.may_decide(main, user, By::Operator);
            Some(Step::Revert { main, user, nth }).filter(|_| free)
        }
        95..97 => {
            let ban = dice.once_in(2);
            let free = scene.may_decide(main, user, By::Operator);
            Some(Step::Killed { guild: main, user, ban }).filter(|_| free)
        }
        _ => None,
    };
    step.filter(|_| !model.lost.contains(&user))
}

impl Simulation {
    pub(super) fn seat_regulars(&mut self) -> Result<(), Failure> {
        for at in 0..REGULARS {
            let measure = if at.is_multiple_of(2) { Measure::Mute } else { Measure::Timeout };
            let user = self.seat(measure)?;
            self.regulars.push(user);
        }
        Ok(())
    }

    fn seat(&mut self, measure: Measure) -> Result<User, Failure> {
        let id = self.network.sandbox.stranger();
        for guild in self.network.guilds {
            self.network.sandbox.people().had_joined(guild, id).map_err(Failure::broken)?;
        }
        let user = self.known(id);
        self.measures.insert(user, measure);
        Ok(user)
    }

    /// Somebody new takes the part of a regular.
    pub(super) fn replace_regular(&mut self, user: User) {
        let Ok(other) = self.seat(self.measure(user)) else { return };
        if let Some(place) = self.regulars.iter_mut().find(|one| **one == user) {
            *place = other;
        }
    }

    /// Whether Discord keeps what was done to them for a member who leaves.
    fn keeps(&self, user: User) -> bool {
        self.measure(user) == Measure::Timeout && self.network.keeps_timeouts
    }

    /// Leaves, in that way, and joins again.
    pub(super) async fn rejoin(
        &mut self,
        guild: Guild,
        user: User,
        way: Way,
        unheard: Unheard,
    ) -> Result<(), Failure> {
        let (keeps, is_wanted) = (self.keeps(user), self.model.has_causes(guild, user));
        let must_be_heard = is_wanted && !keeps;
        if must_be_heard {
            self.settle().await?;
        }
        let mut lost = None;
        match unheard {
            Unheard::No => {}
            Unheard::Lost => {
                self.must_begin_anew = true;
                let guild = Some(self.network.guilds[guild]);
                let events = Fault::Events { name: None, guild, times: None, fate: EventFate::Drop };
                lost = Some(self.network.sandbox.inject(events));
            }
            Unheard::Down if self.dice.once_in(2) => self.network.kill()?,
            Unheard::Down => {
                self.clear_faults();
                self.network.terminate().await?;
            }
        }
        let (id, whom) = (self.network.guilds[guild], self.network.users[user]);
        let (people, by) = (self.network.sandbox.people(), self.network.owner(guild));
        let gone = match way {
            Way::Leaves => people.leave(id, whom),
            Way::Kicked => people.kick(id, by, whom, None),
            Way::Pruned => people.prune(id, by, &[whom]),
        };
        gone.and_then(|()| people.join(id, whom)).map_err(Failure::broken)?;
        if let Some(fault) = lost {
            self.network.sandbox.clear(fault);
        }
        self.touched.insert(user, (guild, true));
        self.count_rejoin(guild, user, keeps, unheard);
        if keeps {
            self.model.is_gone(guild, user);
        } else {
            self.model.leaves(guild, user);
        }
        self.model.joins(guild, user, keeps);
        self.retire_lost();
        if must_be_heard { self.settle().await } else { Ok(()) }
    }

    pub(super) async fn leave(&mut self, guild: Guild, user: User) -> Result<(), Failure> {
        let (id, whom) = (self.network.guilds[guild], self.network.users[user]);
        self.network.sandbox.people().leave(id, whom).map_err(Failure::broken)?;
        self.touched.insert(user, (guild, true));
        self.count_rejoin(guild, user, false, Unheard::No);
        self.model.leaves(guild, user);
        Ok(())
    }

    pub(super) async fn join(&mut self, guild: Guild, user: User) -> Result<(), Failure> {
        let is_wanted = self.model.has_causes(guild, user);
        if is_wanted {
            self.settle().await?;
        }
        let (id, whom) = (self.network.guilds[guild], self.network.users[user]);
        self.network.sandbox.people().join(id, whom).map_err(Failure::broken)?;
        self.touched.insert(user, (guild, true));
        self.model.joins(guild, user, false);
        self.tally.count(if is_wanted { "joined later and wanted there" } else { "joined later" });
        self.retire_lost();
        if is_wanted { self.settle().await } else { Ok(()) }
    }

    /// The staff of a child time somebody out, and nobody does anything until that has ended.
    pub(super) fn time_out_for_a_moment(&mut self, guild: Guild, user: User) -> Result<(), Failure> {
        let (id, whom) = (self.network.guilds[guild], self.network.users[user]);
        let (people, by) = (self.network.sandbox.people(), self.network.owner(guild));
        people.timeout(id, by, whom, Some(MOMENT), None).map_err(Failure::broken)?;
        self.brief = Some(Instant::now() + MOMENT + MOMENT / 10);
        self.touched.insert(user, (guild, true));
        self.model.timed_out_for_a_moment(guild, user);
        self.tally.ended.insert((guild, user), false);
        self.tally.count("local timeout that expired");
        Ok(())
    }

    /// Discord tells nobody that a timeout is over: it is by then.
    pub(super) async fn until_moments_are_over(&mut self) {
        if let Some(end) = self.brief.take() {
            tokio::time::sleep_until(end.into()).await;
        }
    }

    fn count_rejoin(&mut self, guild: Guild, user: User, keeps: bool, unheard: Unheard) {
        let (place, done) = (self.model.place(guild, user), self.measure(user).word(true));
        if self.model.is_shielded(guild, user) {
            self.tally.count("protected role lost by leaving");
        }
        if place.local && !keeps && CHILDREN.contains(&guild) {
            self.tally.ended.insert((guild, user), false);
            let how = match unheard {
                Unheard::No => "",
                Unheard::Lost => ", unheard",
                Unheard::Down => ", daemon down",
            };
            self.tally.count(format!("local {done} ended by a rejoin{how}"));
        } else if place.banned {
            self.tally.count(format!("rejoin under a {done}"));
        }
    }

    /// What an act is an example of.
    pub(super) fn count_act(&mut self, guild: Guild, user: User, by: By, ban: bool) {
        let (word, model) = (self.measure(user).word(true), &self.model);
        let mut seen: Vec<String> = Vec::new();
        if !MAINS.contains(&guild) {
            if by == By::Hand && ban {
                self.tally.ended.remove(&(guild, user));
                seen.push(format!("local {word}"));
            } else if by == By::Hand && model.place(guild, user).local {
                self.tally.ended.insert((guild, user), false);
                seen.push(format!("local {word} lifted by hand"));
            }
            return seen.into_iter().for_each(|what| self.tally.count(what));
        }
        for child in CHILDREN.filter(|child| model.is_open(guild, *child)) {
            match self.tally.ended.get(&(child, user)) {
                Some(false) if ban => drop(self.tally.ended.insert((child, user), true)),
                Some(true) if !ban => {
                    self.tally.ended.remove(&(child, user));
                    seen.push(format!("main did and undid a {word} after a local one had ended"));
                }
                _ => {}
            }
            let place = model.place(child, user);
            if !ban && place.local && model.has_causes(child, user) {
                seen.push(format!("main undid a {word} beside a local one"));
            }
            if ban && model.is_shielded(child, user) {
                seen.push(format!("{word} kept from a child"));
            }
        }
        if ban && by == By::Hand && model.is_shielded(guild, user) {
            seen.push(format!("{word} of a holder by hand"));
        }
        if ban && !model.is_shielded(guild, user) && model.is_kept_anywhere(guild, user) {
            seen.push(format!("{word} decided anew"));
        }
        seen.into_iter().for_each(|what| self.tally.count(what));
    }
}
