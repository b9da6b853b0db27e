//! The control protocol: a tarpc service of five calls over a Unix socket, length-delimited JSON frames.
//!
//! A request and its reply travel as JSON values, so that a client one version off still works: an operation
//! the daemon does not know is a fault for that call and not a broken connection.

// tarpc's macro writes public items that nobody can put a comment on.
#![allow(missing_docs)]

use crate::Fault;
use crate::event::{Cursor, Watched};
use crate::names::Names;
use crate::operations::Request;
use crate::value::{Chunk, GuildText, Timestamp, UploadId};
use serde::{Deserialize, Serialize};
use tokio_util::codec::LengthDelimitedCodec;

/// The protocol's version: raised when a client of the version before would be misled.
pub const PROTOCOL: u32 = 1;

/// The largest frame that a client takes, in bytes.
pub const LARGEST_FRAME: usize = 8 * 1024 * 1024;

/// The largest frame that the daemon takes of a client: a part of a file, in hexadecimal digits.
pub const LARGEST_REQUEST: usize = Chunk::LARGEST * 2 + 4_096;

/// The largest frame that the daemon takes where it carries no part of a file.
pub const LARGEST_PLAIN_REQUEST: usize = 64 * 1024;

/// The longest a `watch` waits for an event, in milliseconds.
pub const LONGEST_WATCH: u64 = 30_000;

/// How many events one `watch` brings at most.
pub const WATCH_PAGE: usize = 500;

/// What the wire cuts frames with.
pub fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(LARGEST_FRAME).new_codec()
}

/// Who connects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The client's [`PROTOCOL`].
    pub protocol: u32,
    /// Which face: it is named in the audit.
    pub surface: ClientSurface,
    /// The client's version, for the log.
    pub version: String,
}

/// The two faces of `wayhaven`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientSurface {
    Cli,
    Console,
}

/// What a peer may do, told from its credentials. The daemon decides; a client only shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Observer,
    /// What an administrator of every guild may.
    Operator,
    /// Everything.
    Owner,
}

impl Role {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Observer => "observer",
            Self::Operator => "operator",
            Self::Owner => "owner",
        }
    }
}

/// The daemon's answer to [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The daemon's [`PROTOCOL`].
    pub protocol: u32,
    /// The daemon's version.
    pub version: String,
    /// What the peer may do.
    pub role: Role,
    /// The names of the operations the daemon knows.
    pub capabilities: Vec<String>,
    /// What tells this start of the daemon from every other; empty from a version that does not say.
    #[serde(default)]
    pub start: String,
}

/// A request with what travels around it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// `{"operation":…,"arguments":…}`, see [`Request`].
    pub request: serde_json::Value,
    /// The guild it is asked for in, where the caller names one: by its id, or as the daemon finds it by its name.
    #[serde(default)]
    pub guild: Option<GuildText>,
    /// Only the plan.
    #[serde(default)]
    pub dry_run: bool,
    /// What the person typed to confirm a severe operation.
    #[serde(default)]
    pub confirm: Option<String>,
    /// The file that goes with it, where one was sent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadId>,
}

impl Envelope {
    /// An envelope around a request, with nothing else said.
    pub fn new(request: &Request) -> Self {
        // A request is plain data: encoding it cannot fail, and null would be refused by the daemon.
        let request = serde_json::to_value(request).unwrap_or_default();
        Self { request, guild: None, dry_run: false, confirm: None, upload: None }
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The operation's words.
    pub operation: String,
    /// The reply's fields.
    pub data: serde_json::Value,
    /// Where the next page starts.
    #[serde(default)]
    pub next_cursor: Option<String>,
    /// What is worth knowing beside the data.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// When the daemon received the request, by its own clock.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// Names of the users and guilds that the reply mentions, as far as they are known; none from a version that does
    /// not send them.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub names: Names,
}

/// The service that the daemon offers on its socket.
#[tarpc::service]
pub trait Control {
    /// Once per connection, before anything else.
    async fn hello(hello: Hello) -> Result<Welcome, Fault>;
    /// One operation.
    async fn run(envelope: Envelope) -> Result<Outcome, Fault>;
    /// The events after the cursor, or after now without one; waits that many milliseconds for the first.
    async fn watch(cursor: Option<Cursor>, wait_ms: u64) -> Result<Watched, Fault>;
    /// A part of a file for a request to come: without an id it is the first. `offset` is where in the file it stands,
    /// which is behind what came before.
    async fn upload(id: Option<UploadId>, offset: u64, chunk: Chunk) -> Result<UploadId, Fault>;
    /// A part of a file that a reply has named; an empty one at its end, which also lets go of it.
    async fn download(id: UploadId, offset: u64) -> Result<Chunk, Fault>;
}
