//! Who is protected where, and what was not delivered because of it: only a new decision comes to those children.

use super::{CASES, CHILDREN, Case, Guild, MAINS, Model};

impl Model {
    /// Whether the guild itself protects the user of the case: a main protects its owner too.
    pub(in super::super) fn protects(&self, guild: Guild, case: Case) -> bool {
        let user = CASES[case].0;
        let owns = MAINS.contains(&guild) && self.owns(guild, case);
        owns || [true, false].into_iter().any(|by_role| self.protected.contains(&(guild, user, by_role)))
    }

    /// Whether nothing that the main decides is delivered to the child for the user of the case.
    pub(in super::super) fn is_protected(&self, main: Guild, child: Guild, case: Case) -> bool {
        self.protects(main, case) || self.protects(child, case)
    }

    /// The same as far as it is known when something is decided: which roles somebody holds in a child only Discord knows.
    pub(in super::super) fn is_known_protected(&self, main: Guild, child: Guild, case: Case) -> bool {
        self.protects(main, case) || self.protected.contains(&(child, CASES[case].0, false))
    }

    /// Whether Discord is asked for somebody's roles before they are punished in the guild.
    pub(in super::super) fn asks_for_roles(&self, guild: Guild) -> bool {
        self.role_lists.contains(&guild)
    }

    /// The user of the case is protected by the guild from now on, or not any more.
    pub(in super::super) fn protect(&mut self, guild: Guild, case: Case, by_role: bool, on: bool) {
        let line = (guild, CASES[case].0, by_role);
        if by_role && on {
            self.role_lists.insert(guild);
        }
        match on {
            true => self.protected.insert(line),
            false => self.protected.remove(&line),
        };
    }

    /// What was decided last is not delivered to the child, or, where the main protects the user, to any.
    pub(super) fn keep_away(&mut self, main: Guild, child: Guild, case: Case) {
        let of_main = self.protects(main, case);
        let Some(last) = self.active.entry((main, case)).or_default().last_mut() else { return };
        for guild in CHILDREN.filter(|guild| of_main || *guild == child) {
            last.kept.insert(guild);
            last.shielded.insert(guild);
        }
    }

    /// Whether all that the main has decided there is kept from the child by a protection.
    pub(super) fn is_all_kept_away(&self, main: Guild, child: Guild, case: Case) -> bool {
        let active = self.active.get(&(main, case)).map_or(&[][..], Vec::as_slice);
        !active.is_empty() && active.iter().all(|one| one.shielded.contains(&child))
    }

    /// What lasts, and is kept from a child by a protection: in that child something shorter is not outlasted by it.
    pub(in super::super) fn outlasts_in_part(&self, main: Guild, case: Case) -> bool {
        let active = self.active.get(&(main, case)).map_or(&[][..], Vec::as_slice);
        active.iter().any(|one| !one.shielded.is_empty())
    }

    /// What is missing in the child would be brought about now, and a protection keeps it away. Whether it does: then the child
    /// stays as it is.
    pub(super) fn stays_away(&mut self, main: Guild, child: Guild, case: Case) -> bool {
        if self.is_all_kept_away(main, child, case) {
            return true;
        }
        let waits =
            self.waiting.contains_key(&(main, child, case)) || self.held.contains_key(&(main, child, case));
        // What meets a role may have to wait before it does.
        if !self.is_known_protected(main, child, case) || self.active(main, case) == 0 || waits {
            return false;
        }
        let of_main = self.protects(main, case);
        let without: Vec<Guild> = CHILDREN
            .filter(|guild| {
                let place = self.place(*guild, case);
                *guild == child || (of_main && !place.causes.contains(&main) && !place.murky)
            })
            .collect();
        let active = self.active.entry((main, case)).or_default();
        let replaced_from = active.iter().rposition(|one| one.brief && !one.automatic).unwrap_or(0);
        for one in active.iter_mut().skip(replaced_from) {
            one.kept.extend(without.iter().copied());
            one.shielded.extend(without.iter().copied());
        }
        true
    }

    /// Somebody is not protected any more by the guild's list: what was not kept away by it may come now.
    pub(in super::super) fn brought_about_for(&mut self, guild: Guild, case: Case) {
        let of_list = |child: &Guild| *child == guild || self.link(guild, *child).active;
        let children: Vec<Guild> = CHILDREN.filter(of_list).collect();
        for child in children {
            for main in MAINS {
                if self.would_be_open(main, child) {
                    self.brought_about(main, child, case);
                }
            }
        }
    }
}
