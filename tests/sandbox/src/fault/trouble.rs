//! What goes wrong with the gateway.

use std::time::Duration;

use serde::Deserialize;

use crate::wire;

/// What goes wrong with gateway connections. What happens at once is over at once; the rest lasts until cleared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// At once: every connection is dropped without a close frame; sessions stay resumable.
    DropTcp,
    /// At once: opcode 7.
    Reconnect,
    /// At once: opcode 9 with that `d`; on false the sessions end.
    InvalidSession(bool),
    /// At once: a close frame with that code.
    Close(u16),
    /// At once: a close frame that names no code.
    CloseWithoutCode,
    /// At once: TCP reset, where [`Trouble::DropTcp`] closes.
    Reset,
    /// At once: the connections stay open and are neither read nor written any more; new ones are as ever.
    HalfOpen,
    /// New connections are accepted, and neither read nor written until cleared.
    NoHandshake,
    /// Frames are written so many bytes at a time until cleared (`{"drip":{"bytes":3,"every_ms":1}}` in JSON).
    Drip {
        /// How many; at least one.
        bytes: usize,
        /// The sandbox's time between them.
        #[serde(rename = "every_ms", deserialize_with = "wire::millis")]
        every: Duration,
    },
    /// At once: a dispatch that breaks off inside its JSON.
    MalformedJson,
    /// At once: an opcode that no Discord documents.
    UnknownOp,
    /// At once: a numbered dispatch of a name that no Discord documents.
    UnknownEvent,
    /// At once: GUILD_CREATE of every guild again.
    GuildStorm,
    /// Payloads of those who asked for `compress` are zlib blobs, however short, until cleared.
    ZlibFrames,
    /// READY does not name these guilds, and no GUILD_CREATE of them follows it, until cleared.
    #[serde(deserialize_with = "wire::ids")]
    ReadyWithout(Vec<u64>),
    /// At once: text as it is, to send what no Discord documents.
    Raw(String),
    /// At once: opcode 1, the client is to answer at once.
    AskHeartbeat,
    /// No heartbeat is acknowledged until cleared.
    StopAcks,
    /// Nothing at all is sent until cleared, though what comes is read.
    Silence,
    /// Every resume is answered by opcode 9 false until cleared.
    RefuseResume,
    /// The same once the session was without connection for that long (milliseconds in JSON); goes before the
    /// options' `resume_window`.
    #[serde(deserialize_with = "wire::millis")]
    RefuseResumeAfter(Duration),
    /// Of what a resume replays, some is left out, until cleared.
    ReplayHole {
        /// So many are replayed before.
        skip: usize,
        /// So many are left out.
        count: usize,
    },
    /// What a resume replays comes twice, each right after itself, until cleared.
    ReplayTwice,
}
