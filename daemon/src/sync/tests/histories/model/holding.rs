//! What waits for somebody's approval, what ends, and what stands alone where the rest was never approved.

use super::{CHILDREN, Case, Guild, MAINS, Model};
use std::collections::{BTreeMap, BTreeSet};

/// Something that a guild has decided.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    pub(super) serial: usize,
    /// Whether it ends by itself.
    pub(super) brief: bool,
    /// Whether the daemon has decided it by itself: then it replaces nothing.
    pub(super) automatic: bool,
    /// The children where it waits for approval, or was refused it.
    pub(super) kept: BTreeSet<Guild>,
    /// In which hold it waits there, or has waited. A newer one may be in the same.
    held_in: BTreeMap<Guild, u64>,
    /// Those of them that a protection keeps it from.
    pub(super) shielded: BTreeSet<Guild>,
}

impl Decided {
    pub(super) fn new(serial: usize) -> Self {
        Self {
            serial,
            brief: false,
            automatic: false,
            kept: BTreeSet::new(),
            held_in: BTreeMap::new(),
            shielded: BTreeSet::new(),
        }
    }
}

/// Something that waits for approval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) hold: u64,
    /// Whether it is no undo; nothing where its link was closed by its row alone meanwhile, which ends nothing of it.
    pub(super) on: Option<bool>,
    pub(super) serial: usize,
}

impl Model {
    /// It comes to the child once somebody approves it. What says the opposite and is on its way there ends.
    pub(super) fn waits(&mut self, key: (Guild, Guild, Case), waiting: Waiting) {
        let (main, child, case) = key;
        let frozen = self.held.get(&key).copied();
        if frozen.is_some_and(|on| on != waiting.on) {
            self.held.remove(&key);
        }
        let place = self.at(child, case);
        // Which of the two what is open says is not told apart here.
        if place.open.contains(&main) || frozen == Some(None) {
            place.lost_sight();
        }
        if waiting.on == Some(true) {
            let active = self.active.entry((main, case)).or_default();
            active.iter_mut().filter(|one| one.serial == waiting.serial).for_each(|one| {
                one.kept.insert(child);
                one.held_in.insert(child, waiting.hold);
            });
        }
        self.waiting.insert(key, waiting);
    }

    /// A link is closed by its row alone, or taken back along: whether what waits along it still may hangs on what comes.
    pub(in super::super) fn unsettled(&mut self, main: Guild, child: Guild) {
        let along = |(of, to, _): &(Guild, Guild, Case)| (*of, *to) == (main, child);
        self.waiting.iter_mut().filter(|(key, _)| along(key)).for_each(|(_, waits)| waits.on = None);
    }

    /// Somebody approves a hold, or discards it.
    pub(in super::super) fn decided(&mut self, hold: u64, approved: bool) {
        let mut found: Vec<_> = self.waiting.extract_if(.., |_, waits| waits.hold == hold).collect();
        found.sort_by_key(|(_, waits)| waits.serial);
        for one in self.active.values_mut().flatten().filter(|_| approved) {
            let Decided { kept, held_in, .. } = one;
            kept.retain(|child| held_in.get(child) != Some(&hold));
        }
        for ((main, child, case), waits) in found {
            let open = self.would_be_open(main, child);
            if !approved {
                continue;
            }
            match waits.on {
                None => self.at(child, case).lost_sight(),
                Some(on) if self.frozen.contains(&main) => {
                    self.held.insert((main, child, case), Some(on));
                    self.at(child, case).murky |= on;
                }
                Some(on) if open => self.arrive(main, child, case, on),
                // What was open beside it made room for it, and it is not sent.
                Some(_) if self.place(child, case).open.contains(&main) => self.at(child, case).lost_sight(),
                Some(_) => {}
            }
        }
    }

    /// Whether a main that does not give way applies again what the guild's staff take back, as often as three times.
    pub(super) fn is_fought_over(&self, guild: Guild) -> bool {
        MAINS.into_iter().any(|main| self.maximum.contains(&main) && self.link(main, guild).active)
    }

    /// A main gives way from now on, or does not. What counts is how it stands when a child's own undo is done: of one that
    /// is on its way nobody knows.
    pub(in super::super) fn level(&mut self, main: Guild, maximum: bool) {
        let changed = match maximum {
            true => self.maximum.insert(main),
            false => self.maximum.remove(&main),
        };
        for child in CHILDREN {
            if !changed || !self.link(main, child).active {
                continue;
            }
            for case in 0..super::CASES.len() {
                let place = self.at(child, case);
                if place.open.contains(&child) && place.stands != Some(true) {
                    place.lost_sight();
                    (place.excepted, place.excepting) = (None, false);
                }
            }
        }
    }

    /// Where nothing that remains of what the guild has decided was approved, and this had come.
    pub(super) fn alone_in(&self, source: Guild, case: Case, one: &Decided) -> Vec<Guild> {
        let Some(rest) = self.active.get(&(source, case)).filter(|rest| !rest.is_empty()) else {
            return Vec::new();
        };
        let alone = |child: &Guild| {
            self.link(source, *child).active
                && !one.kept.contains(child)
                && rest.iter().all(|other| other.kept.contains(child))
                && (self.place(*child, case).causes.contains(&source) || self.place(*child, case).murky)
        };
        CHILDREN.filter(alone).collect()
    }

    /// It is taken back there alone.
    pub(super) fn lift_alone(&mut self, source: Guild, child: Guild, case: Case, hold: Option<u64>) {
        self.serial += 1;
        let serial = self.serial;
        self.at(child, case).causes.remove(&source);
        let would_be_open = self.would_be_open(source, child);
        if let Some(hold) = hold.filter(|_| would_be_open) {
            self.waits((source, child, case), Waiting { hold, on: Some(false), serial });
        } else if self.is_open(source, child) {
            self.arrive(source, child, case, false);
        } else if would_be_open {
            self.held.insert((source, child, case), Some(false));
        }
    }

    /// A child is compared with what the main has decided, and what is missing is brought about. Where the two agree nothing
    /// changes; what was stopped on its way, or was decided before there was a link, may come now.
    pub(in super::super) fn reconciled(&mut self, main: Guild, child: Guild) {
        if !self.would_be_open(main, child) {
            return;
        }
        for case in 0..super::CASES.len() {
            self.brought_about(main, child, case);
        }
    }

    /// The same of one case.
    pub(super) fn brought_about(&mut self, main: Guild, child: Guild, case: Case) {
        let decided = self.active(main, case) > 0;
        let place = self.place(child, case);
        let in_order = match decided {
            true => place.causes.contains(&main) || place.excepted == Some(true),
            false => place.stands == Some(false) || (place.local && !place.murky),
        };
        if !in_order && !self.stays_away(main, child, case) {
            // Whether it may be done again hangs on how its row ended, which is no more than how it stands.
            self.at(child, case).lost_sight();
            let place = self.at(child, case);
            place.stands = Some(true).filter(|_| place.local);
        }
    }

    /// The time has come for everything that ends by itself: what was taken back by that. Where something was decided
    /// after it, only that is left.
    pub(in super::super) fn time_passes(&mut self) -> Vec<(Guild, Case)> {
        let (mut ended, mut over_alone) = (Vec::new(), Vec::new());
        for (place, active) in &mut self.active {
            // What a shorter one has replaced ends with that one.
            let replaced_from = active.iter().rposition(|one| one.brief && !one.automatic).unwrap_or(0);
            let lasts = |(index, one): &(usize, &Decided)| !one.brief && *index >= replaced_from;
            let lasting: Vec<_> =
                active.iter().enumerate().filter(lasts).map(|(_, one)| one.clone()).collect();
            if lasting.is_empty() {
                if !active.is_empty() {
                    ended.push(*place);
                }
            } else {
                let over = std::mem::replace(active, lasting);
                over_alone.extend(over.into_iter().filter(|one| one.brief).map(|one| (*place, one)));
            }
        }
        // Where two end at once and the undo of one of them is not sent, it hangs on which is judged first whether the
        // other's finds a cause.
        let mut meeting = Vec::new();
        for (case, child) in ended.iter().flat_map(|(_, case)| CHILDREN.map(|child| (*case, child))) {
            let sources = || ended.iter().filter(|(_, of)| *of == case).map(|(source, _)| *source);
            let sent = sources().any(|source| self.is_open(source, child));
            let causes = &self.place(child, case).causes;
            if sent && sources().any(|source| causes.contains(&source) && !self.is_open(source, child)) {
                meeting.push((case, child));
            }
        }
        // In a child where the rest was never approved, one that is over was the only one.
        let alone: Vec<_> = over_alone
            .into_iter()
            .flat_map(|((source, case), one)| {
                self.waiting.retain(|(of, _, about), waits| {
                    (*of, *about, waits.serial) != (source, case, one.serial)
                });
                let children = self.alone_in(source, case, &one);
                children.into_iter().map(move |child| (source, case, child))
            })
            .collect();
        for (source, case) in &ended {
            let aside = self.place(*source, *case).aside;
            self.decide(*source, *case, false, false, None);
            match aside {
                Some(false) => {}
                Some(true) => self.at(*source, *case).stays_aside(),
                None => self.at(*source, *case).lost_sight(),
            }
        }
        for (source, case, child) in &alone {
            self.lift_alone(*source, *child, *case, None);
            // Which of two causes that end at once is looked at first decides whether the other is found.
            let another =
                alone.iter().any(|other| (other.1, other.2) == (*case, *child) && other.0 != *source);
            if another || ended.iter().any(|(of, about)| about == case && of != source) {
                self.at(*child, *case).lost_sight();
            }
        }
        ended.extend(alone.into_iter().map(|(source, case, _)| (source, case)));
        for (case, child) in meeting {
            self.at(child, case).lost_sight();
        }
        ended
    }

    /// Whether something that the guild has decided there lasts longer than what the daemon would decide by itself for a time:
    /// then that changes nothing anywhere.
    pub(in super::super) fn outlasts(&self, source: Guild, case: Case) -> bool {
        let Some(active) = self.active.get(&(source, case)) else { return false };
        let replaced_from = active.iter().rposition(|one| one.brief && !one.automatic).unwrap_or(0);
        active.iter().enumerate().any(|(index, one)| !one.brief && index >= replaced_from)
    }

    /// The daemon has decided it by itself for a time, and something else lasts longer: it stands beside that.
    pub(in super::super) fn kept(&mut self, source: Guild, case: Case) {
        self.serial += 1;
        let (serial, kept) = (self.serial, CHILDREN.collect());
        let one = Decided { brief: true, automatic: true, kept, ..Decided::new(serial) };
        self.active.entry((source, case)).or_default().push(one);
    }

    /// How much the guild has decided there that nobody has taken back.
    pub(in super::super) fn active(&self, source: Guild, case: Case) -> usize {
        self.active.get(&(source, case)).map_or(0, Vec::len)
    }

    /// The last that the guild has decided there is reverted; in `hold` that waits for approval.
    pub(in super::super) fn revert(&mut self, source: Guild, case: Case, hold: Option<u64>) {
        let active = self.active.entry((source, case)).or_default();
        let Some(popped) = active.pop() else { return };
        if active.is_empty() {
            self.decide(source, case, false, false, hold);
            return;
        }
        let lost: Vec<Guild> = self
            .waiting
            .extract_if(.., |(of, _, about), waits| {
                (*of, *about, waits.serial) == (source, case, popped.serial)
            })
            .map(|((_, child, _), _)| child)
            .collect();
        for child in lost {
            // Whether an older one that was stopped by a gate takes its place there hangs on how that ended.
            if !self.place(child, case).causes.contains(&source) {
                self.at(child, case).lost_sight();
            }
        }
        for child in self.alone_in(source, case, &popped) {
            self.lift_alone(source, child, case, hold);
        }
    }
}
