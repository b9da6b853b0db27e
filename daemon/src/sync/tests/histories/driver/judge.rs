//! Whether what the daemon did is what it should have done.

use super::super::model::GUILDS;
use super::Driver;
use crate::testing::user as user_id;

impl Driver {
    /// Discord and the model agree, wherever the model knows.
    pub(super) fn compare(&self) -> Result<(), String> {
        for guild in 0..GUILDS {
            for (user, id) in self.users.iter().enumerate() {
                let is = self.stage.sandbox.is_banned(self.id(guild), *id);
                let place = self.model.place(guild, user);
                if place.local && !is {
                    return Err(format!(
                        "user {user} was banned by guild {guild}'s own staff, and is not any more"
                    ));
                }
                if let Some(should) = place.banned.filter(|should| *should != is) {
                    let daemon = self.daemon();
                    let rows = self.wait(daemon.store().read({
                        let user = user_id(*id);
                        move |view| Ok(view.history_of(user)?)
                    }));
                    return Err(format!(
                        "user {user} in guild {guild} is banned: {is}, should be {should}; {place:?}\n{}",
                        rows.unwrap()
                    ));
                }
            }
            if self.stage.sandbox.is_banned(self.id(guild), self.framed) {
                return Err(format!("guild {guild} bans somebody nobody decided about"));
            }
        }
        Ok(())
    }

    /// Every request since the last look traces to a decision that allows it.
    pub(super) fn check_effects(&mut self) -> Result<(), String> {
        let (from, mut found) = (self.seen, Vec::new());
        self.stage.sandbox.read(|world| {
            let log = world.log.entries();
            for (index, entry) in log.iter().enumerate().skip(from).filter(|(_, entry)| entry.effect) {
                let (Some(guild), Some(user)) = (entry.guild, entry.user) else { continue };
                if user == self.framed || self.users.contains(&user) {
                    found.push((index, guild, user, entry.method == "PUT"));
                }
            }
            self.seen = log.len();
        });
        for (index, guild, user, ban) in found {
            let guild = self.stage.guilds.iter().position(|id| *id == guild).unwrap();
            let Some(user) = self.users.iter().position(|id| *id == user) else {
                return Err(format!("LEAK: a forged row reached guild {guild}"));
            };
            let decided =
                self.decisions.iter().filter(|one| one.user == user && one.ban == ban && one.at <= index);
            let mut late = None;
            let allowed = decided.map(|one| one.source).any(|source| {
                let spans = self.spans.get(&(source, guild)).map_or(&[][..], Vec::as_slice);
                late = late.or(Some((source, guild)).filter(|link| self.on_the_way.contains(link)));
                source == guild
                    || spans
                        .iter()
                        .any(|(first, last)| *first <= index && last.is_none_or(|last| index < last))
            });
            // What a main had delivered is taken back while its link closes.
            let bans = self.decisions.iter().filter(|one| one.user == user && one.ban && one.at <= index);
            let taken_back = !ban
                && bans
                    .into_iter()
                    .any(|one| self.waning.get(&(one.source, guild)).is_some_and(|since| *since <= index));
            if !allowed && !taken_back && !late.is_some_and(|link| self.on_the_way.remove(&link)) {
                let what = if ban { "ban" } else { "unban" };
                return Err(format!(
                    "LEAK: a {what} of user {user} reached guild {guild}, and no main's link allows it"
                ));
            }
        }
        Ok(())
    }
}
