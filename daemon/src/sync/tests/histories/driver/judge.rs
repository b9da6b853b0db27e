//! Whether what the daemon did is what it should have done.

use super::super::model::{CASES, GUILDS};
use super::{Driver, Late};
use crate::testing::user as user_id;
use wayhaven_sandbox::record::Recorded;
use wayhaven_shared::operations::punishment::Action;

/// What a request did to a member or with a ban; nothing for another one.
fn deed(request: &Recorded) -> Option<Action> {
    Some(match (request.method.as_str(), request.route.as_str()) {
        ("PUT", "/guilds/{guild_id}/bans/{user_id}") | ("POST", "/guilds/{guild_id}/bulk-ban") => Action::Ban,
        ("DELETE", "/guilds/{guild_id}/bans/{user_id}") => Action::Unban,
        ("DELETE", "/guilds/{guild_id}/members/{user_id}") => Action::Kick,
        ("PUT", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}") => Action::Mute,
        ("DELETE", "/guilds/{guild_id}/members/{user_id}/roles/{role_id}") => Action::Unmute,
        ("PATCH", "/guilds/{guild_id}/members/{user_id}") => {
            let until = request.body.as_ref()?.get("communication_disabled_until")?;
            if until.is_null() { Action::Untimeout } else { Action::Timeout }
        }
        _ => return None,
    })
}

impl Driver {
    /// Discord and the model agree, wherever the model knows.
    pub(super) fn compare(&self) -> Result<(), String> {
        for guild in 0..GUILDS {
            for (case, (user, measure)) in CASES.into_iter().enumerate() {
                let (is, place) = (self.stands(guild, case), self.model.place(guild, case));
                if place.local && !is {
                    return Err(format!(
                        "user {user} was {} by guild {guild}'s own staff, and is not any more",
                        measure.past()
                    ));
                }
                if let Some(should) = self.model.shows(guild, case).filter(|should| *should != is) {
                    let (systems, user) = (self.systems(), user_id(self.users[user]));
                    let rows =
                        self.wait(systems.services.store().read(move |view| Ok(view.history_of(user)?)));
                    return Err(format!(
                        "case {case} in guild {guild} is {}: {is}, should be {should}; {place:?}\n{}",
                        measure.past(),
                        rows.unwrap()
                    ));
                }
            }
            if self.stage.sandbox.is_banned(self.id(guild), self.framed) {
                return Err(format!("guild {guild} bans somebody nobody decided about"));
            }
        }
        self.compare_kicks()?;
        self.compare_outsiders()
    }

    /// Every request since the last look traces to a decision that allows it.
    pub(super) fn check_effects(&mut self) -> Result<(), String> {
        let (from, mut found) = (self.seen, Vec::new());
        self.seen = self.stage.sandbox.read(|world| {
            let log = world.log.entries();
            for (index, entry) in log.iter().enumerate().skip(from).filter(|(_, entry)| entry.effect) {
                let (Some(guild), Some(action)) = (entry.guild, deed(entry)) else { continue };
                for user in entry.users() {
                    if user == self.framed || self.is_followed(user) {
                        found.push((index, guild, user, action));
                    }
                }
            }
            log.len()
        });
        for (index, guild, user, action) in found {
            let guild = self.stage.guilds.iter().position(|id| *id == guild).unwrap();
            if user == self.framed {
                return Err(format!("LEAK: a forged row reached guild {guild}"));
            }
            let decided = self
                .decisions
                .iter()
                .filter(|one| one.user == user && one.action == action && one.at <= index);
            let mut late = None;
            let allowed = decided.map(|one| one.source).any(|source| {
                let spans = self.spans.get(&(source, guild)).map_or(&[][..], Vec::as_slice);
                // A bulk ban is one request, whomever it names.
                let may_be = |late: &Late| late.came.contains(&index) || late.came.len() < late.most;
                let link = (source, guild);
                late = late.or(Some(link).filter(|link| self.on_the_way.get(link).is_some_and(may_be)));
                source == guild
                    || spans
                        .iter()
                        .any(|(first, last)| *first <= index && last.is_none_or(|last| index < last))
            });
            // What a main had delivered is taken back while its link closes.
            let done = self
                .decisions
                .iter()
                .filter(|one| one.user == user && one.action == action.measure() && one.at <= index);
            let taken_back = action.is_undo()
                && done
                    .into_iter()
                    .any(|one| self.waning.get(&(one.source, guild)).is_some_and(|since| *since <= index));
            if allowed || taken_back {
                continue;
            }
            match late {
                Some(link) => {
                    let late = self.on_the_way.get_mut(&link).filter(|late| !late.came.contains(&index));
                    late.into_iter().for_each(|late| late.came.push(index));
                }
                None => {
                    return Err(format!(
                        "LEAK: a {action} of user {user} reached guild {guild} by request {index}, and no main's link allows it"
                    ));
                }
            }
        }
        Ok(())
    }
}
