//! The gateway: hello, identify, heartbeats, resume with replay, and the close codes (FACTS B).

mod compress;
mod connection;
mod identify;
mod members;
pub mod session;
mod stream;
pub(crate) mod trouble;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::discord::Discord;
use crate::world::World;

/// Intent bits.
pub mod intent {
    /// Guilds, channels, roles.
    pub const GUILDS: u64 = 1;
    /// Joins, leaves, changes of members; privileged.
    pub const GUILD_MEMBERS: u64 = 1 << 1;
    /// Bans and audit entries.
    pub const GUILD_MODERATION: u64 = 1 << 2;
    /// Presences; privileged.
    pub const GUILD_PRESENCES: u64 = 1 << 8;
    /// The text of messages; privileged.
    pub const MESSAGE_CONTENT: u64 = 1 << 15;
    /// Every bit Discord documents.
    pub const ALL: u64 = 0x1_FFFF | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25;
}

/// Close codes (FACTS B3).
pub mod close {
    /// An unknown opcode.
    pub const UNKNOWN_OPCODE: u16 = 4001;
    /// A payload that cannot be read, or is over 4096 bytes.
    pub const DECODE: u16 = 4002;
    /// Something was sent before identify.
    pub const NOT_AUTHENTICATED: u16 = 4003;
    /// A wrong token.
    pub const AUTHENTICATION_FAILED: u16 = 4004;
    /// A second identify.
    pub const ALREADY_AUTHENTICATED: u16 = 4005;
    /// A resume with a sequence that was never reached.
    pub const INVALID_SEQ: u16 = 4007;
    /// More than 120 events in 60 s.
    pub const RATE_LIMITED: u16 = 4008;
    /// No heartbeat.
    pub const SESSION_TIMED_OUT: u16 = 4009;
    /// A shard that cannot be.
    pub const INVALID_SHARD: u16 = 4010;
    /// More than 2500 guilds on a shard.
    pub const SHARDING_REQUIRED: u16 = 4011;
    /// Not v10.
    pub const INVALID_VERSION: u16 = 4012;
    /// Bits that are no intents.
    pub const INVALID_INTENTS: u16 = 4013;
    /// A privileged intent the application does not have.
    pub const DISALLOWED_INTENTS: u16 = 4014;
}

/// Accepts connections until the task is dropped.
pub(crate) async fn serve(discord: Arc<Discord>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                tokio::spawn(connection::run(Arc::clone(&discord), stream));
            }
            Err(error) => {
                crate::complain::complain(format!("the gateway could not accept: {error}"));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Lets happen what a fault put off, when the clock says so.
pub(crate) async fn catch_up_when_due(discord: Arc<Discord>) {
    let mut changes = discord.changes();
    loop {
        let Some(due) = discord.read(World::next_due) else {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        };
        tokio::select! {
            () = discord.clock.reach(due) => discord.change(World::catch_up),
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}
