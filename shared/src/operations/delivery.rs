//! The shapes that deliveries have everywhere: their states, their counts, and one of them.

use super::punishment::{Action, Punishment};
use super::told::{Told, ToldState};
use crate::report::{Cell, Tone};
use crate::value::{DeliveryId, GuildId, PunishmentId, Timestamp, Untrusted, UserId};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a delivery stands. The first five are open, the others final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for its turn or its retry.
    Pending,
    /// Waits for an operator's approval.
    Held,
    /// Its request is on the way.
    Sending,
    /// Cannot go on until something in that guild is mended.
    Blocked,
    /// Its request left, and no answer came.
    Unknown,
    /// Discord did it.
    Applied,
    /// It was not to be done there.
    Skipped,
    /// Discord refused it for good.
    Failed,
    /// A newer punishment of the same user took its place.
    Superseded,
}

impl DeliveryState {
    /// Every state, open ones first.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Held,
        Self::Sending,
        Self::Blocked,
        Self::Unknown,
        Self::Applied,
        Self::Skipped,
        Self::Failed,
        Self::Superseded,
    ];

    /// The word for it, as in the store and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Sending => "sending",
            Self::Blocked => "blocked",
            Self::Unknown => "unknown",
            Self::Applied => "applied",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }

    /// The state with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether nothing more will happen to it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Applied | Self::Skipped | Self::Failed | Self::Superseded)
    }

    /// Whether `--wait` goes on for it. *Blocked* and *held* wait for a person, so a script does not.
    pub fn is_moving(self) -> bool {
        matches!(self, Self::Pending | Self::Sending | Self::Unknown)
    }

    /// How it stands. *Unknown* is never good.
    pub fn tone(self) -> Tone {
        match self {
            Self::Applied => Tone::Good,
            Self::Pending | Self::Sending | Self::Unknown => Tone::Waiting,
            Self::Held => Tone::Warning,
            Self::Blocked | Self::Failed => Tone::Bad,
            Self::Skipped | Self::Superseded => Tone::Quiet,
        }
    }

    /// One ASCII sign for narrow columns, always beside the word.
    pub fn glyph(self) -> char {
        match self {
            Self::Applied => '+',
            Self::Pending | Self::Sending => '~',
            Self::Unknown => '?',
            Self::Held => '!',
            Self::Blocked | Self::Failed => 'x',
            Self::Skipped | Self::Superseded => '=',
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

/// Deliveries counted by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct DeliveryCounts {
    pub pending: u64,
    pub held: u64,
    pub sending: u64,
    pub blocked: u64,
    pub unknown: u64,
    pub applied: u64,
    pub skipped: u64,
    pub failed: u64,
    pub superseded: u64,
}

impl DeliveryCounts {
    /// The counter of one state.
    pub fn of(&mut self, state: DeliveryState) -> &mut u64 {
        match state {
            DeliveryState::Pending => &mut self.pending,
            DeliveryState::Held => &mut self.held,
            DeliveryState::Sending => &mut self.sending,
            DeliveryState::Blocked => &mut self.blocked,
            DeliveryState::Unknown => &mut self.unknown,
            DeliveryState::Applied => &mut self.applied,
            DeliveryState::Skipped => &mut self.skipped,
            DeliveryState::Failed => &mut self.failed,
            DeliveryState::Superseded => &mut self.superseded,
        }
    }

    /// Adds the counts of others.
    pub fn add(&mut self, others: &Self) {
        let mut others = *others;
        for state in DeliveryState::ALL {
            *self.of(state) += *others.of(state);
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        let mut counts = *self;
        DeliveryState::ALL.into_iter().map(|state| *counts.of(state)).sum()
    }

    /// Those that are not final.
    pub fn open(&self) -> u64 {
        self.pending + self.held + self.sending + self.blocked + self.unknown
    }

    /// Those that go on by themselves: see [`DeliveryState::is_moving`].
    pub fn moving(&self) -> u64 {
        self.pending + self.sending + self.unknown
    }

    /// Those that a person should look at.
    pub fn attention(&self) -> u64 {
        self.held + self.blocked + self.failed
    }

    /// `38 applied, 1 blocked`, leaving out what is zero.
    pub fn words(&self) -> String {
        let mut counts = *self;
        let mut words = Vec::new();
        for state in DeliveryState::ALL.into_iter().rev() {
            match *counts.of(state) {
                0 => {}
                count => words.push(format!("{count} {state}")),
            }
        }
        if words.is_empty() { "none".into() } else { words.join(", ") }
    }
}

impl FromIterator<DeliveryState> for DeliveryCounts {
    fn from_iter<T: IntoIterator<Item = DeliveryState>>(states: T) -> Self {
        let mut counts = Self::default();
        states.into_iter().for_each(|state| *counts.of(state) += 1);
        counts
    }
}

/// How a punishment went in the guild where it was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OriginOutcome {
    /// That guild.
    pub guild_id: GuildId,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why it stands so.
    pub reason: Option<String>,
}

impl OriginOutcome {
    /// The headline where it was not done in the guild where it was decided: Discord refused it, or the user was notified of
    /// it before that was known. Nothing where it was done, is on its way, or was skipped without a word to the user.
    pub(crate) fn not_done(&self, of: &Punishment, told: Option<&Told>) -> Option<String> {
        let notified = told.is_some_and(|told| told.state == ToldState::Told) && of.action != Action::Warn;
        let refused = matches!(self.state, DeliveryState::Blocked | DeliveryState::Failed);
        let skipped_after_a_message = notified && self.state == DeliveryState::Skipped;
        if !(refused || skipped_after_a_message) {
            return None;
        }
        let (user, done) = (of.user_id, of.action.past());
        let why = self.reason.as_deref().unwrap_or("no reason is known");
        Some(match notified {
            true => format!("{user} was notified by direct message, but was not {done}: {why}"),
            false if of.action.is_undo() => {
                format!("the {} of {user} failed in this guild: {why}", of.action)
            }
            false => format!("{user} was not {done} in this guild: {why}"),
        })
    }

    /// State and reason.
    pub fn words(&self) -> String {
        match &self.reason {
            Some(reason) => format!("{}: {reason}", self.state),
            None => self.state.to_string(),
        }
    }
}

/// One delivery as a plan foresees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedDelivery {
    /// The child.
    pub guild_id: GuildId,
    /// Its name, where it is known.
    pub guild_name: Option<Untrusted>,
    /// The state it would start in.
    pub state: DeliveryState,
    /// Why, where it would not simply be sent.
    pub reason: Option<String>,
}

/// One punishment in one child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its number.
    pub id: DeliveryId,
    /// The punishment it delivers.
    pub punishment_id: PunishmentId,
    /// What it does.
    pub action: Action,
    /// Where.
    pub guild_id: GuildId,
    /// The guild's name, where it is known.
    pub guild_name: Option<Untrusted>,
    /// To whom.
    pub user_id: UserId,
    /// Where it stands.
    pub state: DeliveryState,
    /// Why it stands so.
    pub reason: Option<String>,
    /// Requests that left for it so far.
    pub attempts: u32,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Delivery {
    /// Its cells in a table of deliveries: glyph and state, guild, reason, name.
    pub(crate) fn state_cell(&self) -> Cell {
        Cell::toned(format!("{} {}", self.state.glyph(), self.state), self.state.tone())
    }
}
