//! What goes wrong with connections on demand.

use super::session::{Outgoing, Session};
use crate::fault::{Aim, Trouble};
use crate::world::World;

const MALFORMED: &str = r#"{"op":0,"s":1,"t":"GUILD_BAN_ADD","d":{"guild_id":"#;

/// Does at once what is done at once; lasting troubles are looked up where they act.
pub(crate) fn strike(world: &mut World, aim: &Aim, trouble: &Trouble) {
    let op =
        |op: u8, d: &str| Outgoing::Payload(format!(r#"{{"op":{op},"d":{d},"s":null,"t":null}}"#).into());
    let outgoing = match trouble {
        Trouble::DropTcp => Outgoing::Drop,
        Trouble::Reconnect => op(7, "null"),
        Trouble::InvalidSession(resumable) => op(9, &resumable.to_string()),
        Trouble::Close(code) => Outgoing::Close(*code, ends_session(*code)),
        Trouble::Raw(text) => Outgoing::Payload(text.as_str().into()),
        Trouble::AskHeartbeat => op(1, "null"),
        Trouble::CloseWithoutCode => Outgoing::CloseWithoutCode,
        Trouble::Reset => Outgoing::Reset,
        Trouble::HalfOpen => Outgoing::HalfOpen,
        Trouble::MalformedJson => Outgoing::Payload(MALFORMED.into()),
        Trouble::UnknownOp => op(99, "{}"),
        Trouble::UnknownEvent => return dispatch_unknown(world, aim),
        Trouble::GuildStorm => return world.storm(aim),
        Trouble::NoHandshake
        | Trouble::Drip { .. }
        | Trouble::ZlibFrames
        | Trouble::ReadyWithout(_)
        | Trouble::StopAcks
        | Trouble::Silence
        | Trouble::RefuseResume
        | Trouble::RefuseResumeAfter(_)
        | Trouble::ReplayHole { .. }
        | Trouble::ReplayTwice => return,
    };
    let now = world.clock.now();
    let meant = |session: &&mut Session| aim.fits_shard(Some(session.shard));
    for session in world.sessions.values_mut().filter(meant) {
        session.send(outgoing.clone(), now);
    }
    if matches!(trouble, Trouble::InvalidSession(false)) {
        // They live until their connections see the opcode, but none can be resumed.
        for session in world.sessions.values_mut().filter(meant) {
            session.buffer.clear();
            session.sequence += 1;
        }
    }
}

/// Whether a close with that code ends the session too (FACTS B3).
pub(super) fn ends_session(code: u16) -> bool {
    matches!(code, 4004 | 4007 | 4009..=4014)
}

fn dispatch_unknown(world: &mut World, aim: &Aim) {
    let (now, keep) = (world.clock.now(), world.options.replay_buffer);
    for session in world.sessions.values_mut().filter(|session| aim.fits_shard(Some(session.shard))) {
        session.dispatch("SOMETHING_NEW", r#"{"guild_id":"1","novel":true}"#, keep, now);
    }
}

/// The sandbox stops: every connection is dropped.
pub(crate) fn hang_up(world: &mut World) {
    let now = world.clock.now();
    for session in world.sessions.values_mut() {
        session.send(Outgoing::Drop, now);
    }
}
