//! How much the socket takes, of each connection, each user and all together, and why so much.

use crate::audit::refusals::WINDOW;
use std::time::Duration;

/// Connections at once: each costs a few kilobytes, and nobody needs more.
pub(super) const CONNECTIONS: usize = 256;

/// Of these, those of all who are no owners: an owner always gets in.
pub(super) const CONNECTIONS_OF_OTHERS: usize = 192;

/// Connections of one user: scripts that run beside each other, and consoles that are left open.
pub(super) const CONNECTIONS_OF_ONE: usize = 64;

/// Connections of users without a role, who only come to be refused.
pub(super) const STRANGERS: usize = 16;

/// Requests of one connection that are answered at once. What comes beyond is not read until one of them is done, so
/// that it waits at the client.
pub(super) const IN_FLIGHT: usize = 32;

/// Long polls of one connection: a console needs one. They wait, so that they do not count as work.
pub(super) const WATCHES: usize = 4;

/// Requests at work at once: of all, of all who are no owners, and of one user. Whoever has less waits less: they
/// are served in the order in which they came, and the socket's load on the store stays bounded for slash commands.
pub(super) const WORK: usize = 256;
pub(super) const WORK_OF_OTHERS: usize = 192;
pub(super) const WORK_OF_ONE: usize = 128;

/// Parts of files in memory at once, of all and of one user: some two mebibytes each, read and decoded.
pub(super) const LARGE: usize = 16;
pub(super) const LARGE_OF_ONE: usize = 8;

/// The largest frame before the hello was accepted: a hello has some three hundred bytes.
pub(super) const LARGEST_HELLO: usize = 4 * 1024;

/// Calls a second of one connection and of one user, and how many may come at once. Somebody who asks for one after
/// another gets a few hundred through; a second of these is about what one core answers in a second.
pub(super) const RATE: Rate = Rate { a_second: 1_000, burst: 2_000 };
pub(super) const RATE_OF_ONE: Rate = Rate { a_second: 1_500, burst: 4_000 };

/// What a connection has of its own, whatever the user's others ask: enough for a person at a console, and for a script
/// that asks for one thing after another. And what all connections of one user have of that together, which is that of as
/// many as there may be: opening ever more of them in turn gets nobody more.
pub(super) const RATE_OF_MODEST: Rate = Rate { a_second: 10, burst: 20 };
pub(super) const RATE_OF_ALL_MODEST: Rate = Rate {
    a_second: RATE_OF_MODEST.a_second * CONNECTIONS_OF_ONE as u32,
    burst: RATE_OF_MODEST.burst * CONNECTIONS_OF_ONE as u32,
};

/// Look-ups of a user's groups at once. A directory service that does not answer holds a thread each, and the store reads on
/// the same ones.
pub(super) const LOOKUPS: usize = 2;

/// The longest that a call waits for its turn; whoever would wait longer is told when to come again.
pub(super) const LONGEST_TURN: Duration = Duration::from_millis(500);

/// The longest that a call may want to wait for its answer.
pub(super) const LONGEST_CALL: Duration = Duration::from_secs(24 * 3_600);

/// How long what was asked before the end may still take, and its answer to be written.
pub(super) const LAST_ANSWERS: Duration = Duration::from_secs(2);
pub(super) const LAST_WRITES: Duration = Duration::from_millis(50);

/// How many calls, and how many of them at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) a_second: u32,
    pub(super) burst: u32,
}

/// What tests have shorter or smaller.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// How long a connection may stay without its hello.
    pub(super) hello: Duration,
    /// How long a frame may take from its first byte to its last: a part of a file over a slow line among them.
    pub(super) frame: Duration,
    /// How long a peer may take nothing of an answer.
    pub(super) write: Duration,
    /// How long refusals of one kind are counted before they are told again.
    pub(super) refusals: Duration,
    /// Calls of one user.
    pub(super) rate: Rate,
    /// Calls that each connection has of its own.
    pub(super) modest: Rate,
    /// Interval at which the socket's file is checked.
    pub(super) socket_check: Duration,
    /// Who owns the daemon besides root; nothing for its own user.
    pub(super) owner: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(10),
            frame: Duration::from_secs(60),
            write: Duration::from_secs(20),
            refusals: WINDOW,
            rate: RATE_OF_ONE,
            modest: RATE_OF_MODEST,
            socket_check: Duration::from_secs(30),
            owner: None,
        }
    }
}
