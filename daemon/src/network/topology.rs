//! Mains, links and freezes as committed, in memory.

use super::{Excepted, Exceptions, OwnAccounts, Protection};
use std::collections::{HashMap, HashSet};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::value::{GuildId, HoldId, LinkId, PunishmentId, UserId};

/// What a link authorises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Nothing: the child has not accepted.
    Proposed,
    /// What its mode and its actions say.
    Active,
    /// Only taking back what was delivered.
    Closing,
}

impl LinkState {
    /// The word for it, as in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Active => "active",
            Self::Closing => "closing",
        }
    }

    /// The state with this word; a closed link is none.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "proposed" => Some(Self::Proposed),
            "active" => Some(Self::Active),
            "closing" => Some(Self::Closing),
            _ => None,
        }
    }
}

/// A link that is not closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRow {
    /// Its number.
    pub id: LinkId,
    /// From.
    pub main: GuildId,
    /// To.
    pub child: GuildId,
    /// Sent or only recorded.
    pub mode: Mode,
    /// What it authorises.
    pub state: LinkState,
    /// What may be delivered.
    pub actions: Vec<Action>,
    /// What was decided up to this punishment, by its number, and never delivered along it is not begun unasked.
    pub begins_after: u64,
}

impl LinkRow {
    /// Whether it lets a measure through now.
    pub fn is_open_for(&self, measure: Action) -> bool {
        self.state == LinkState::Active && self.mode == Mode::Active && self.actions.contains(&measure)
    }

    /// Whether what was decided by this punishment is delivered along it unasked.
    pub fn begins_with(&self, punishment: PunishmentId) -> bool {
        punishment.get() > self.begins_after
    }
}

/// What a frozen main still sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeze {
    /// Nothing.
    Everything,
    /// What takes back: unbans.
    ExceptReversals,
}

impl Freeze {
    /// Whether it holds this action.
    pub fn holds(self, action: Action) -> bool {
        match self {
            Self::Everything => true,
            Self::ExceptReversals => !action.is_undo(),
        }
    }
}

/// Who is a main, who is linked to whom, and who is protected. Immutable: a change makes another.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    mains: HashMap<GuildId, Vec<LinkRow>>,
    frozen: HashMap<GuildId, Freeze>,
    children: HashSet<GuildId>,
    protection: Protection,
    exceptions: Exceptions,
    /// Holds that nobody has decided about.
    holds: HashSet<HoldId>,
}

impl Topology {
    /// From the mains, each with its freeze, and the links that are not closed.
    pub fn new(mains: Vec<(GuildId, Option<Freeze>)>, links: Vec<LinkRow>) -> Self {
        let frozen = mains.iter().filter_map(|(main, freeze)| Some((*main, (*freeze)?))).collect();
        let mut mains: HashMap<_, Vec<LinkRow>> =
            mains.into_iter().map(|(main, _)| (main, Vec::new())).collect();
        let mut children = HashSet::new();
        for link in links {
            // A link whose source is no main authorises nothing, whoever wrote it.
            let Some(of_main) = mains.get_mut(&link.main) else { continue };
            children.insert(link.child);
            of_main.push(link);
        }
        Self { mains, frozen, children, ..Self::default() }
    }

    /// The same with those whom nobody may punish.
    #[must_use]
    pub fn protecting(self, protection: Protection) -> Self {
        Self { protection, ..self }
    }

    /// The same with the accounts that are protected everywhere.
    #[must_use]
    pub fn with_own(mut self, own: std::sync::Arc<OwnAccounts>) -> Self {
        self.protection = self.protection.with_own(own);
        self
    }

    /// Who may not be punished where.
    pub fn protection(&self) -> &Protection {
        &self.protection
    }

    /// The same with these exceptions: guilds that do not apply a measure to somebody.
    #[must_use]
    pub fn with_exceptions(mut self, exceptions: Exceptions) -> Self {
        self.exceptions = exceptions;
        self
    }

    /// The same with these holds, which nobody has decided about.
    #[must_use]
    pub fn with_holds(self, holds: HashSet<HoldId>) -> Self {
        Self { holds, ..self }
    }

    /// Whether the hold waits for somebody's approval.
    pub fn awaits(&self, hold: HoldId) -> bool {
        self.holds.contains(&hold)
    }

    /// Whether any guild has an exception.
    pub fn has_exceptions(&self) -> bool {
        !self.exceptions.is_empty()
    }

    /// The same without one exception.
    #[must_use]
    pub fn without_exception(mut self, guild: GuildId, user: UserId, measure: Action) -> Self {
        self.exceptions.remove(&(guild, user, measure));
        self
    }

    /// The exception by which the guild does not apply this to the user. What takes back is applied.
    pub fn excepts(&self, guild: GuildId, user: UserId, action: Action) -> Option<Excepted> {
        self.exceptions.get(&(guild, user, action)).copied()
    }

    /// The links that only take back what was delivered, in no order.
    pub fn closing(&self) -> impl Iterator<Item = &LinkRow> {
        self.mains.values().flatten().filter(|link| link.state == LinkState::Closing)
    }

    /// Whether the guild is a main.
    pub fn is_main(&self, guild: GuildId) -> bool {
        self.mains.contains_key(&guild)
    }

    /// Whether some main has a link to the guild.
    pub fn is_child(&self, guild: GuildId) -> bool {
        self.children.contains(&guild)
    }

    /// How the main's propagation is stopped, where it is.
    pub fn freeze(&self, main: GuildId) -> Option<Freeze> {
        self.frozen.get(&main).copied()
    }

    /// Whether the main's propagation of this action is stopped.
    pub fn holds(&self, main: GuildId, action: Action) -> bool {
        self.freeze(main).is_some_and(|freeze| freeze.holds(action))
    }

    /// Every main, in no order.
    pub fn mains(&self) -> impl Iterator<Item = GuildId> {
        self.mains.keys().copied()
    }

    /// Every child, in no order.
    pub fn children(&self) -> impl Iterator<Item = GuildId> {
        self.children.iter().copied()
    }

    /// A main's links, in the order in which they were made.
    pub fn links(&self, main: GuildId) -> &[LinkRow] {
        self.mains.get(&main).map_or(&[], Vec::as_slice)
    }

    /// The link between the two.
    pub fn link(&self, main: GuildId, child: GuildId) -> Option<&LinkRow> {
        self.links(main).iter().find(|link| link.child == child)
    }
}
