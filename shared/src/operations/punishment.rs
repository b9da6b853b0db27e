//! `punishment list` and `punishment show`, and the shapes that punishments and deliveries have everywhere.

use crate::operation::Reported;
use crate::report::{Cell, Progress, Report, Table, Tone};
use crate::value::{DeliveryId, GuildId, PageSize, PunishmentId, Timestamp, Untrusted, UserId};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The latest punishments, newest first
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PunishmentList {
    /// Only those of this user
    #[arg(long, value_name = "USER")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// How many at most, 1 to 500 (default 25)
    #[arg(long, value_name = "N")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<PageSize>,
    /// Go on below this punishment, as the page before said
    #[arg(long, value_name = "PUNISHMENT")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<PunishmentId>,
}

/// One punishment with every delivery of it
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PunishmentShow {
    /// Which, by its number
    #[arg(value_name = "PUNISHMENT")]
    pub id: PunishmentId,
}

/// What a punishment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Ban from the guild.
    Ban,
    /// Lift a ban.
    Unban,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 2] = [Self::Ban, Self::Unban];

    /// The word for it, as in the store and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ban => "ban",
            Self::Unban => "unban",
        }
    }

    /// What was done: `banned`.
    pub fn past(self) -> &'static str {
        match self {
            Self::Ban => "banned",
            Self::Unban => "unbanned",
        }
    }

    /// The action with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == word)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.word())
    }
}

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

    /// All of them.
    pub fn total(&self) -> u64 {
        let mut counts = *self;
        DeliveryState::ALL.into_iter().map(|state| *counts.of(state)).sum()
    }

    /// Those that are not final.
    pub fn open(&self) -> u64 {
        self.pending + self.held + self.sending + self.blocked + self.unknown
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

/// Where a punishment came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A slash command.
    Command,
    /// Made by hand in the guild's own UI, and picked up from there.
    Guild,
    /// An operator, by console or command line.
    Operator,
    /// The daemon itself.
    System,
}

impl Origin {
    /// The word for it, as in the store and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Guild => "guild",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    /// The origin with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Command, Self::Guild, Self::Operator, Self::System].into_iter().find(|o| o.word() == word)
    }
}

/// One moderation decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Punishment {
    /// Its number.
    pub id: PunishmentId,
    /// What it does.
    pub action: Action,
    /// Where it was decided.
    pub guild_id: GuildId,
    /// Whom it is for.
    pub user_id: UserId,
    /// Who decided; nothing for an operator, the daemon, and where Discord does not say.
    pub moderator_id: Option<UserId>,
    /// Where it came from.
    pub origin: Origin,
    /// Why, in the moderator's words.
    pub reason: Option<Untrusted>,
    /// `active`, `expired`, `reversed` or `superseded`.
    pub status: String,
    /// When it was stored.
    pub created_at: Timestamp,
}

impl Punishment {
    /// Who decided, for people.
    pub fn by(&self) -> String {
        match (self.moderator_id, self.origin) {
            (Some(user), _) => user.to_string(),
            (None, Origin::Operator) => "operator".into(),
            (None, Origin::System) => "wayhaven".into(),
            (None, _) => "unknown".into(),
        }
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

/// A page of punishments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Punishments {
    /// Newest first.
    pub punishments: Vec<Punishment>,
    /// Where the next page starts.
    pub next: Option<PunishmentId>,
}

impl Reported for Punishments {
    fn report(&self) -> Report {
        let mut table = Table::new(["id", "when (UTC)", "action", "user", "by", "reason"], "no punishments");
        for one in &self.punishments {
            table.push([
                one.id.to_string().into(),
                one.created_at.short().into(),
                one.action.word().into(),
                one.user_id.to_string().into(),
                one.by().into(),
                Cell::from(one.reason.as_ref()),
            ]);
        }
        Report::new(format!("{} punishments", self.punishments.len()), Tone::Plain).table(table)
    }

    fn next_cursor(&self) -> Option<String> {
        self.next.map(|id| id.to_string())
    }
}

/// One punishment with its deliveries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PunishmentDetail {
    /// The decision.
    pub punishment: Punishment,
    /// How it went where it was decided.
    pub origin: OriginOutcome,
    /// One per child, those that need a person first.
    pub deliveries: Vec<Delivery>,
}

impl PunishmentDetail {
    /// The deliveries counted by state.
    pub fn counts(&self) -> DeliveryCounts {
        self.deliveries.iter().map(|delivery| delivery.state).collect()
    }

    /// Whether something still moves, here or in a child.
    pub fn is_moving(&self) -> bool {
        self.origin.state.is_moving() || self.deliveries.iter().any(|delivery| delivery.state.is_moving())
    }
}

impl Reported for PunishmentDetail {
    fn report(&self) -> Report {
        let one = &self.punishment;
        let counts = self.counts();
        let mut table =
            Table::new(["state", "guild", "tries", "why", "name"], "delivered nowhere: no child is linked");
        for delivery in &self.deliveries {
            table.push([
                delivery.state_cell(),
                delivery.guild_id.to_string().into(),
                delivery.attempts.to_string().into(),
                delivery.reason.clone().unwrap_or_else(|| "—".into()).into(),
                Cell::from(delivery.guild_name.as_ref()),
            ]);
        }
        let mut report = Report::new(format!("{} {} {}", one.action, one.id, one.status), Tone::Plain)
            .field("User", one.user_id.to_string())
            .field("By", one.by())
            .field("Reason", Cell::from(one.reason.as_ref()))
            .field("When", one.created_at.to_string())
            .field("Here", Cell::toned(self.origin.words(), self.origin.state.tone()))
            .field("Children", counts.words())
            .table(table);
        report.progress = (counts.total() > 0)
            .then(|| Progress { done: counts.total() - counts.open(), total: counts.total() });
        report
    }
}
