//! What goes into the console's state and what comes out of it. The state itself does no input or output, so
//! that tests drive it without a terminal and without a daemon.

use crossterm::event::KeyEvent;
use shared::control::{Envelope, Outcome, Welcome};
use shared::event::Event;
use shared::operations::punishment::{Delivery, Punishment};
use shared::operations::setup::Dashboard;
use shared::operations::status::DaemonStatus;
use shared::value::Timestamp;
use shared::{Fault, Names, Reply};
use wayhaven_shared as shared;

/// When something happens: spans are counted monotonic, times are shown by the wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Milliseconds since the console started.
    pub(crate) elapsed: u64,
    /// The time of day, in UTC.
    pub(crate) wall: Timestamp,
}

/// Something that happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// A key.
    Key(KeyEvent),
    /// Text that was pasted: never keys, so that a paste cannot command anything.
    Paste(String),
    /// The terminal's size in columns and rows.
    Resize(u16, u16),
    /// A second went by.
    Tick,
    /// The daemon's end.
    News(News),
}

/// What comes from the daemon, or from its absence.
#[derive(Debug)]
pub(crate) enum News {
    /// It answers.
    Connected(Welcome),
    /// How everything stands; what could not be read is left out.
    Snapshot(Box<Snapshot>),
    /// What changed since, in order.
    Changed(Vec<Event>),
    /// Changes were missed; a snapshot follows.
    Gap,
    /// It does not answer any more, or not yet.
    Lost(Fault),
    /// Names of users and guilds that what comes next mentions.
    Names(Names),
    /// What came of a request.
    Answered(Ticket, Result<Outcome, Fault>),
}

/// How everything stood when it was read.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    /// The daemon.
    pub(crate) status: Option<DaemonStatus>,
    /// Mains and children.
    pub(crate) dashboard: Option<Dashboard>,
    /// Deliveries, those that need a person among them.
    pub(crate) deliveries: Vec<Delivery>,
    /// The decisions behind them.
    pub(crate) punishments: Vec<Punishment>,
    /// What could not be read, and why.
    pub(crate) problems: Vec<Fault>,
}

/// The number of a request of ours.
pub(crate) type Ticket = u64;

/// What the state wants done.
#[derive(Debug)]
pub(crate) enum Order {
    /// Ask the daemon; the answer comes with the ticket.
    Ask(Ticket, Envelope),
    /// Read everything anew.
    Resync,
    /// Put text into the clipboard.
    Copy(String),
    /// Draw every cell anew.
    Repaint,
    /// Give the terminal back and stop until continued.
    Suspend,
    /// Leave.
    Quit,
}

/// A reply read into types, where this version knows them.
pub(crate) fn read(outcome: &Outcome) -> Option<Reply> {
    shared::Request::read_reply(&outcome.operation, outcome.data.clone()).ok()
}
