//! What goes wrong with connections on demand.

use super::session::Outgoing;
use crate::fault::Trouble;
use crate::world::World;

/// Does at once what is done at once; lasting troubles are looked up where they act.
pub(crate) fn strike(world: &mut World, trouble: &Trouble) {
    let op =
        |op: u8, d: &str| Outgoing::Payload(format!(r#"{{"op":{op},"d":{d},"s":null,"t":null}}"#).into());
    let outgoing = match trouble {
        Trouble::DropTcp => Outgoing::Drop,
        Trouble::Reconnect => op(7, "null"),
        Trouble::InvalidSession(resumable) => op(9, &resumable.to_string()),
        Trouble::Close(code) => Outgoing::Close(*code, false),
        Trouble::Raw(text) => Outgoing::Payload(text.as_str().into()),
        Trouble::AskHeartbeat => op(1, "null"),
        Trouble::StopAcks | Trouble::Silence | Trouble::RefuseResume => return,
    };
    let now = world.clock.now();
    for session in world.sessions.values_mut() {
        session.send(outgoing.clone(), now);
    }
    if matches!(trouble, Trouble::InvalidSession(false)) {
        // They live until their connections see the opcode, but none can be resumed.
        for session in world.sessions.values_mut() {
            session.buffer.clear();
            session.sequence += 1;
        }
    }
}

/// The sandbox stops: every connection is dropped.
pub(crate) fn hang_up(world: &mut World) {
    let now = world.clock.now();
    for session in world.sessions.values_mut() {
        session.send(Outgoing::Drop, now);
    }
}
