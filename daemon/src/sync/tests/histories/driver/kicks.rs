//! Somebody who is kicked and joins again: a kick is done once for each decision, and never twice.

use super::super::model::{CHILDREN, GUILDS, Guild, MAINS};
use super::{Decision, Driver};
use crate::testing::user as user_id;
use std::collections::{BTreeMap, BTreeSet};
use wayhaven_shared::operations::kick::Kick;
use wayhaven_shared::operations::punishment::Action;

/// Where they are a member.
pub(super) struct Picture {
    /// Nothing where that hangs on what left before a link closed.
    member: [Option<bool>; GUILDS],
    /// Which mains' kicks may still be on their way to which child.
    open: BTreeSet<(Guild, Guild)>,
    /// Kicks that a freeze holds, or may hold.
    held: BTreeSet<(Guild, Guild)>,
    /// Kicks that wait for approval, each by its hold.
    waiting: BTreeMap<(Guild, Guild), u64>,
}

impl Default for Picture {
    fn default() -> Self {
        Self {
            member: [Some(true); GUILDS],
            open: BTreeSet::new(),
            held: BTreeSet::new(),
            waiting: BTreeMap::new(),
        }
    }
}

impl Picture {
    /// The gates of a link, or of all of a main's, are another way from now on; whether that main is frozen.
    pub(super) fn gates_changed(&mut self, main: Guild, child: Option<Guild>, frozen: bool) {
        let mut touched: Vec<_> = self
            .open
            .extract_if(.., |(of, to)| *of == main && child.is_none_or(|child| child == *to))
            .collect();
        touched.extend(
            self.held.extract_if(.., |(of, to)| *of == main && child.is_none_or(|child| child == *to)),
        );
        for link in touched {
            self.member[link.1] = None;
            // What had not left by then is held, and comes when the freeze ends.
            if frozen {
                self.held.insert(link);
            }
        }
    }

    /// A link was closed: what waits along it has ended, or meets its gates.
    pub(super) fn closed(&mut self, main: Guild, child: Guild) {
        if self.waiting.remove(&(main, child)).is_some() {
            // Where it is made anew before somebody approves, it may come still.
            self.held.insert((main, child));
            self.member[child] = None;
        }
    }

    /// Somebody has decided about a hold: the children to which a kick goes now, with its main.
    pub(super) fn decided(&mut self, hold: u64, approved: bool) -> Vec<(Guild, Guild)> {
        let found = self.waiting.extract_if(.., |_, of| *of == hold).map(|(link, _)| link);
        found.filter(|_| approved).collect()
    }

    /// It goes along an open link.
    pub(super) fn arrives(&mut self, link: (Guild, Guild), is_open: bool, frozen: bool) {
        if is_open {
            self.member[link.1] = Some(false);
            self.open.insert(link);
        } else if frozen {
            self.held.insert(link);
        }
    }

    /// They are gone from that guild, and nobody has decided anything.
    pub(super) fn removed(&mut self, guild: Guild) {
        self.member[guild] = Some(false);
    }

    /// Everything that was open is done.
    pub(super) fn settled(&mut self) {
        self.open.clear();
    }
}

impl Driver {
    pub(super) fn kick(&mut self, guild: Guild, by_hand: bool) -> Result<(), String> {
        let user = self.kicked;
        let before = self.latest_delivery();
        if by_hand {
            self.settle()?;
            let (sandbox, place, at) = (&self.stage.sandbox, self.id(guild), self.stage.requests());
            if !sandbox.read(|world| world.guilds[&place].members.contains_key(&user)) {
                return Ok(());
            }
            sandbox.people().kick(place, self.owner(guild), user, None)?;
            if MAINS.contains(&guild) {
                self.decisions.push(Decision { source: guild, user, action: Action::Kick, at });
            }
            self.overhear();
        } else {
            let kick = Kick { user: user_id(user), reason: None, evidence: None };
            if !self.ask(guild, user, Action::Kick, kick.into())? {
                return Ok(());
            }
        }
        self.kicks.removed(guild);
        let hold = self.held_since(before, guild, None)?;
        for child in CHILDREN.filter(|_| MAINS.contains(&guild)) {
            if let Some(hold) = hold.filter(|_| self.model.would_be_open(guild, child)) {
                // One that is still on its way goes on, and does the same.
                self.kicks.waiting.insert((guild, child), hold);
                continue;
            }
            if self.model.is_open(guild, child) {
                self.kicks.waiting.remove(&(guild, child));
                self.kicks.member[child] = Some(false);
                self.kicks.open.insert((guild, child));
            } else if self.model.link(guild, child).active {
                self.kicks.held.insert((guild, child));
            }
        }
        Ok(())
    }

    /// They join again once everything has come to rest: what was decided before must not reach them any more.
    pub(super) fn join(&mut self, guild: Guild) -> Result<(), String> {
        self.settle()?;
        let place = self.id(guild);
        self.stage.sandbox.people().join(place, self.kicked)?;
        let held = self.kicks.held.iter().any(|(_, to)| *to == guild);
        self.kicks.member[guild] = if held { None } else { Some(true) };
        Ok(())
    }

    /// They are a member where they should be.
    pub(super) fn compare_kicks(&self) -> Result<(), String> {
        for guild in 0..GUILDS {
            let place = self.id(guild);
            let is = self.stage.sandbox.read(|world| world.guilds[&place].members.contains_key(&self.kicked));
            if let Some(should) = self.kicks.member[guild].filter(|should| *should != is) {
                let systems = self.systems();
                let user = user_id(self.kicked);
                let rows = self.wait(systems.services.store().read(move |view| Ok(view.history_of(user)?)));
                return Err(format!(
                    "who is kicked is a member of guild {guild}: {is}, should be {should}\n{}",
                    rows.unwrap()
                ));
            }
        }
        Ok(())
    }
}
