//! Identify and resume.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::compress::Writing;
use super::connection::{Connection, Next};
use super::session::{Outgoing, Session};
use super::{close, intent};
use crate::fault::{Aim, Trouble};
use crate::world::{Guild, World};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const GUILDS_PER_SHARD: usize = 2_500;

/// A checked identify.
struct Wanted {
    intents: u64,
    shard: (u64, u64),
}

/// What an identify is answered.
enum Admission {
    Welcome(String, (u64, u64)),
    /// Opcode 9 false: try again later.
    Later,
    Refused(u16),
}

impl Connection {
    pub(super) fn identify(&mut self, data: &Value) -> Next {
        let (link, number) = (self.link.clone(), self.number);
        let admission = self.discord.change(|world| {
            let wanted = match check(world, data) {
                Ok(wanted) => wanted,
                Err(code) => return Admission::Refused(code),
            };
            if !world.may_identify(wanted.shard) {
                return Admission::Later;
            }
            if world.session_starts_left().0 == 0 {
                world.reset_token();
                return Admission::Refused(close::AUTHENTICATION_FAILED);
            }
            let now = world.clock.now();
            world.session_starts.push_back(now);
            let id = world.noise.text(32);
            let session = Session {
                id: id.clone(),
                intents: wanted.intents,
                shard: wanted.shard,
                sequence: 0,
                buffer: VecDeque::new(),
                lost_at: None,
                link: Some((number, link)),
            };
            world.welcome(session);
            Admission::Welcome(id, wanted.shard)
        });
        match admission {
            Admission::Welcome(id, shard) => {
                // Transport compression and blobs exclude each other; the transport was chosen first.
                if data["compress"].as_bool() == Some(true) && matches!(self.writing, Writing::Plain) {
                    self.writing = Writing::Blobs;
                }
                self.hold(id, shard);
                Next::Go
            }
            Admission::Later => {
                self.queue(&json!({"op": 9, "d": false, "s": null, "t": null}));
                Next::Go
            }
            Admission::Refused(code) => Next::Close(code),
        }
    }

    pub(super) fn resume(&mut self, data: &Value) -> Next {
        let (link, number) = (self.link.clone(), self.number);
        let id = data["session_id"].as_str().unwrap_or_default().to_owned();
        let Some(sequence) = data["seq"].as_u64() else { return Next::Close(close::DECODE) };
        let admission = self.discord.change(|world| {
            // With and without the prefix, as IDENTIFY takes it: serenity sends it with.
            let token = data["token"].as_str().map(|token| token.strip_prefix("Bot ").unwrap_or(token));
            if token != Some(world.token.as_str()) {
                return Admission::Refused(close::AUTHENTICATION_FAILED);
            }
            let (now, keep) = (world.clock.now(), world.options.replay_buffer);
            let Some(found) = world.sessions.get(&id) else { return Admission::Later };
            let shard = found.shard;
            let trouble = ResumeTrouble::of(world, shard);
            let Some(session) = world.sessions.get_mut(&id) else { return Admission::Later };
            let window = trouble.window.unwrap_or(world.options.resume_window);
            let expired = session.lost_at.is_some_and(|at| at + window < now);
            if trouble.refused || expired || !session.can_replay_after(sequence.min(session.sequence)) {
                world.sessions.remove(&id);
                return Admission::Later;
            }
            if sequence > session.sequence {
                return Admission::Refused(close::INVALID_SEQ);
            }
            // Whoever held it before is let go.
            session.send(Outgoing::Drop, now);
            session.link = Some((number, link));
            session.lost_at = None;
            let missed: Vec<_> =
                session.buffer.iter().filter(|(s, _)| *s > sequence).map(|(_, p)| p.clone()).collect();
            for (at, payload) in missed.into_iter().enumerate() {
                for _ in 0..trouble.copies(at) {
                    session.send(Outgoing::Payload(Arc::clone(&payload)), now);
                }
            }
            session.dispatch("RESUMED", r#"{"_trace":[]}"#, keep, now);
            Admission::Welcome(id.clone(), shard)
        });
        match admission {
            Admission::Welcome(id, shard) => {
                self.hold(id, shard);
                Next::Go
            }
            Admission::Later => {
                self.queue(&json!({"op": 9, "d": false, "s": null, "t": null}));
                Next::Go
            }
            Admission::Refused(code) => Next::Close(code),
        }
    }
}

/// What goes wrong with one resume.
struct ResumeTrouble {
    refused: bool,
    window: Option<Duration>,
    hole: Option<(usize, usize)>,
    twice: bool,
}

impl ResumeTrouble {
    fn of(world: &mut World, shard: (u64, u64)) -> Self {
        let (shard, faults) = (Some(shard), &mut world.faults);
        let window = |trouble: &Trouble| match trouble {
            Trouble::RefuseResumeAfter(window) => Some(*window),
            _ => None,
        };
        let hole = |trouble: &Trouble| match trouble {
            Trouble::ReplayHole { skip, count } => Some((*skip, *count)),
            _ => None,
        };
        Self {
            refused: faults.spend_trouble(shard, |t| (*t == Trouble::RefuseResume).then_some(())).is_some(),
            window: faults.spend_trouble(shard, window),
            hole: faults.spend_trouble(shard, hole),
            twice: faults.spend_trouble(shard, |t| (*t == Trouble::ReplayTwice).then_some(())).is_some(),
        }
    }

    /// How often the dispatch at a place of the replay is sent.
    fn copies(&self, at: usize) -> usize {
        match self.hole {
            Some((skip, count)) if (skip..skip.saturating_add(count)).contains(&at) => 0,
            _ => 1 + usize::from(self.twice),
        }
    }
}

fn check(world: &World, data: &Value) -> Result<Wanted, u16> {
    let token = data["token"].as_str().ok_or(close::DECODE)?;
    if token.strip_prefix("Bot ").unwrap_or(token) != world.token {
        return Err(close::AUTHENTICATION_FAILED);
    }
    if !data["properties"].is_object() {
        return Err(close::DECODE);
    }
    let intents = data["intents"].as_u64().ok_or(close::INVALID_INTENTS)?;
    if intents & !intent::ALL != 0 {
        return Err(close::INVALID_INTENTS);
    }
    let privileged = [
        (intent::GUILD_MEMBERS, world.options.members_intent),
        (intent::GUILD_PRESENCES, world.options.presences_intent),
        (intent::MESSAGE_CONTENT, world.options.content_intent),
    ];
    if privileged.iter().any(|(bit, granted)| intents & bit != 0 && !granted) {
        return Err(close::DISALLOWED_INTENTS);
    }
    let large = &data["large_threshold"];
    if !large.is_null() && !large.as_u64().is_some_and(|large| (50..=250).contains(&large)) {
        return Err(close::DECODE);
    }
    let shard = match &data["shard"] {
        Value::Null => (0, 1),
        shard => match (shard[0].as_u64(), shard[1].as_u64()) {
            (Some(id), Some(count)) if id < count => (id, count),
            _ => return Err(close::INVALID_SHARD),
        },
    };
    let of_shard =
        |guild: &&Guild| guild.members.contains_key(&world.bot) && Session::is_of(shard, Some(guild.id));
    let on_shard = world.guilds.values().filter(of_shard).count();
    if on_shard > GUILDS_PER_SHARD {
        return Err(close::SHARDING_REQUIRED);
    }
    Ok(Wanted { intents, shard })
}

impl World {
    /// Identifies left in 24 h, and the milliseconds until all are back.
    #[must_use]
    pub fn session_starts_left(&self) -> (u32, u64) {
        let now = self.clock.now();
        let spent: Vec<Duration> = self.session_starts.iter().copied().filter(|at| *at + DAY > now).collect();
        let left = self.options.session_starts.saturating_sub(u32::try_from(spent.len()).unwrap_or(u32::MAX));
        let reset = spent.first().map_or(Duration::ZERO, |at| *at + DAY - now);
        (left, u64::try_from(reset.as_millis()).unwrap_or(u64::MAX))
    }

    /// One identify per bucket of shards in a window, no more; without shards there are that many as there are buckets.
    fn may_identify(&mut self, (shard, shards): (u64, u64)) -> bool {
        let (now, window) = (self.clock.now(), self.options.identify_window);
        let buckets = self.options.max_concurrency.max(1);
        let sharded = shards > 1;
        let most = if sharded { 1 } else { buckets as usize };
        let recent = self.identifies.entry(sharded.then_some(shard % u64::from(buckets))).or_default();
        while recent.front().is_some_and(|at| *at + window <= now) {
            recent.pop_front();
        }
        if recent.len() >= most {
            return false;
        }
        recent.push_back(now);
        true
    }

    /// What Discord does to a bot that identifies too often: every session ends, the token is void.
    pub fn reset_token(&mut self) {
        self.token = self.fresh_token();
        let now = self.clock.now();
        for session in self.sessions.values_mut() {
            session.send(Outgoing::Close(close::AUTHENTICATION_FAILED, true), now);
        }
    }

    /// READY, then one GUILD_CREATE for each guild of the shard (GUILD_DELETE during its outage).
    fn welcome(&mut self, mut session: Session) {
        let (now, keep) = (self.clock.now(), self.options.replay_buffer);
        let without = |trouble: &Trouble| match trouble {
            Trouble::ReadyWithout(guilds) => Some(guilds.clone()),
            _ => None,
        };
        let unnamed = self.faults.spend_trouble(Some(session.shard), without).unwrap_or_default();
        let guilds: Vec<u64> = self
            .guilds
            .values()
            .filter(|guild| guild.members.contains_key(&self.bot) && session.covers(Some(guild.id)))
            .map(|guild| guild.id)
            .filter(|guild| !unnamed.contains(guild))
            .collect();
        let unavailable = |guild: &u64| json!({"id": guild.to_string(), "unavailable": true});
        let mut user = self.user_json(self.bot);
        user["verified"] = json!(true);
        user["mfa_enabled"] = json!(true);
        user["email"] = Value::Null;
        let ready = json!({
            "v": 10, "user": user, "guilds": guilds.iter().map(unavailable).collect::<Vec<_>>(),
            "session_id": session.id, "session_type": "normal",
            "resume_gateway_url": self.resume_url, "shard": [session.shard.0, session.shard.1],
            "application": {"id": self.application.to_string(), "flags": self.application_flags()},
            "private_channels": [], "presences": [], "relationships": [], "user_settings": {},
            "geo_ordered_rtc_regions": [], "guild_join_requests": [], "_trace": [],
        });
        session.dispatch("READY", &ready.to_string(), keep, now);
        let wants_guilds = session.intents & intent::GUILDS != 0;
        for guild in guilds.iter().filter(|_| wants_guilds) {
            if self.guilds.get(guild).is_some_and(|g| g.unavailable) {
                session.dispatch("GUILD_DELETE", &unavailable(guild).to_string(), keep, now);
            } else {
                session.dispatch("GUILD_CREATE", &self.guild_create_json(*guild).to_string(), keep, now);
            }
        }
        self.sessions.insert(session.id.clone(), session);
    }

    /// GUILD_CREATE of every available guild once more, to the sessions that are meant.
    pub(super) fn storm(&mut self, aim: &Aim) {
        let (now, keep) = (self.clock.now(), self.options.replay_buffer);
        let here = |guild: &&Guild| !guild.unavailable && guild.members.contains_key(&self.bot);
        let guilds: Vec<(u64, String)> = self
            .guilds
            .values()
            .filter(here)
            .map(|guild| (guild.id, self.guild_create_json(guild.id).to_string()))
            .collect();
        for session in self.sessions.values_mut().filter(|session| aim.fits_shard(Some(session.shard))) {
            let wants_guilds = session.intents & intent::GUILDS != 0;
            for (guild, data) in guilds.iter().filter(|_| wants_guilds) {
                if session.covers(Some(*guild)) {
                    session.dispatch("GUILD_CREATE", data, keep, now);
                }
            }
        }
    }
}
