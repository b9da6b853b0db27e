//! What the daemon asked of Discord, looked at after every step: nothing leaks, and nothing of others is undone.

use super::Failure;
use super::measures::Measure;
use super::model::{CHILDREN, GUILDS, Guild, MAINS, Model, User};
use super::network::Network;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use wayhaven_sandbox::record::Recorded;
use wayhaven_sandbox::world::action;

/// What may still come along a link whose gates were shut: a guild is sent one request at a time in each life.
struct Late {
    most: usize,
    came: usize,
}

/// Everything that was asked so far, and what allows it.
#[derive(Default)]
pub(super) struct Judge {
    /// How many requests were looked at.
    seen: usize,
    /// Who has decided to ban a user, or to take that back.
    decided: HashMap<(User, bool), BTreeSet<Guild>>,
    /// Links along which something may be sent.
    open: BTreeSet<(Guild, Guild)>,
    late: BTreeMap<(Guild, Guild), Late>,
    /// Links that take back what went along them.
    closing: BTreeSet<(Guild, Guild)>,
    /// How many changes of guilds were asked for.
    pub(super) effects: usize,
}

/// Somebody's role.
const ROLE: &str = "/guilds/{guild_id}/members/{user_id}/roles/{role_id}";

/// A measure or its undo that was asked for.
struct Deed {
    guild: Guild,
    user: User,
    ban: bool,
    /// Whether it lifted a ban that somebody else had made.
    lifts_others: bool,
    /// The request's place in the log: a bulk ban is one, whomever it names.
    at: usize,
}

/// Nobody decides a kick here: where one is asked for, something else was taken for one.
const KICK: &str = "/guilds/{guild_id}/members/{user_id}";

fn measure(request: &Recorded) -> Option<(Measure, bool)> {
    match (request.method.as_str(), request.route.as_str()) {
        ("PUT", "/guilds/{guild_id}/bans/{user_id}") | ("POST", "/guilds/{guild_id}/bulk-ban") => {
            Some((Measure::Ban, true))
        }
        ("DELETE", "/guilds/{guild_id}/bans/{user_id}") => Some((Measure::Ban, false)),
        ("PUT", ROLE) => Some((Measure::Mute, true)),
        ("DELETE", ROLE) => Some((Measure::Mute, false)),
        ("PATCH", KICK) => {
            let until = request.body.as_ref().and_then(|body| body.get("communication_disabled_until"))?;
            Some((Measure::Timeout, !until.is_null()))
        }
        _ => None,
    }
}

fn open(model: &Model) -> BTreeSet<(Guild, Guild)> {
    let pairs = MAINS.flat_map(|main| CHILDREN.map(move |child| (main, child)));
    pairs.filter(|(main, child)| model.is_open(*main, *child)).collect()
}

impl Judge {
    pub(super) fn decided(&mut self, guild: Guild, user: User, ban: bool) {
        self.decided.entry((user, ban)).or_default().insert(guild);
    }

    /// Gates are about to change: what goes before and after is allowed meanwhile.
    pub(super) fn gates_change(&mut self, to: &Model) {
        self.open.extend(open(to));
    }

    /// Gates have changed. What had left before may still come, of as many lives as there were.
    pub(super) fn gates_changed(&mut self, to: &Model, deaths: usize) {
        let now = open(to);
        for link in self.open.difference(&now) {
            self.late.insert(*link, Late { most: 1 + deaths, came: 0 });
        }
        self.open = now;
    }

    /// What went along the link may be taken back.
    pub(super) fn closes(&mut self, main: Guild, child: Guild) {
        self.closing.insert((main, child));
    }

    /// Nothing is on its way any more.
    pub(super) fn rest(&mut self) {
        self.late.clear();
        self.closing.clear();
    }

    /// Everything that was asked since the last look traces to a decision that allows it.
    pub(super) fn look(
        &mut self,
        network: &Network,
        ids: &HashMap<u64, User>,
        measures: &BTreeMap<User, Measure>,
    ) -> Result<(), Failure> {
        let (from, mut deeds, mut kicked) = (self.seen, Vec::new(), None);
        self.seen = network.sandbox.read(|world| {
            let log = world.log.entries();
            for (at, request) in log.iter().enumerate().skip(from).filter(|(_, request)| request.effect) {
                kicked = kicked.or((request.method == "DELETE" && request.route == KICK).then_some(at));
                let (Some(id), Some((done, ban))) = (request.guild, measure(request)) else { continue };
                let Some(guild) = network.guilds.iter().position(|guild| *guild == id) else { continue };
                for whom in request.users() {
                    // Whoever is muted is nobody who may be banned, and the other way round.
                    let is_theirs = |user: &User| measures.get(user).copied().unwrap_or_default() == done;
                    let user = ids.get(&whom).copied().filter(is_theirs).unwrap_or(User::MAX);
                    let lifts_others = !ban && done == Measure::Ban && request.applied && {
                        // From the newest entry on: the last but one about them is what the unban met.
                        let about = world.guilds[&id].audit.iter().rev();
                        let mut about = about.filter(|entry| entry.target == Some(whom));
                        about
                            .find(|entry| {
                                entry.action == action::BAN_REMOVE && entry.actor == Some(world.bot)
                            })
                            .is_some()
                            && about
                                .find(|entry| entry.action == action::BAN_ADD)
                                .is_some_and(|entry| entry.actor.is_some_and(|actor| actor != world.bot))
                    };
                    deeds.push(Deed { guild, user, ban, lifts_others, at });
                }
            }
            log.len()
        });
        self.effects += deeds.len();
        if let Some(at) = kicked {
            return Err(Failure::wrong(format!(
                "LEAK: somebody was kicked by request {at}, and nobody decided it"
            )));
        }
        deeds.iter().try_for_each(|deed| self.judge(deed))
    }

    fn judge(&mut self, deed: &Deed) -> Result<(), Failure> {
        let Deed { guild, user, ban, .. } = *deed;
        let word = if ban { "ban" } else { "unban" };
        let of = |ban| self.decided.get(&(user, ban)).into_iter().flatten().copied();
        if of(ban).any(|source| source == guild) {
            return Ok(());
        }
        if deed.lifts_others {
            return Err(Failure::about(
                user,
                format!("WRONG UNDO: user {user}'s ban in guild {guild} was its own staff's"),
            ));
        }
        let allowed = of(ban).any(|source| self.open.contains(&(source, guild)));
        let taken_back = !ban && of(true).any(|source| self.closing.contains(&(source, guild)));
        if allowed || taken_back {
            return Ok(());
        }
        let sources: Vec<Guild> = of(ban).collect();
        for source in sources {
            if let Some(late) = self.late.get_mut(&(source, guild)).filter(|late| late.came < late.most) {
                late.came += 1;
                return Ok(());
            }
        }
        let why = if guild < GUILDS && user != User::MAX { "no link allows it" } else { "nobody knows them" };
        Err(Failure::about(
            user,
            format!("LEAK: a {word} of user {user} reached guild {guild} by request {}, and {why}", deed.at),
        ))
    }
}
