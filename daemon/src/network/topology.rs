//! Mains, links and freezes as committed, in memory.

use std::collections::{HashMap, HashSet};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::value::{GuildId, LinkId};

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
}

/// Who is a main, and who is linked to whom. Immutable: a change makes another.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    mains: HashMap<GuildId, Vec<LinkRow>>,
    frozen: HashSet<GuildId>,
    children: HashSet<GuildId>,
}

impl Topology {
    /// From the mains, each with whether it is frozen, and the links that are not closed.
    pub fn new(mains: Vec<(GuildId, bool)>, links: Vec<LinkRow>) -> Self {
        let frozen = mains.iter().filter(|(_, frozen)| *frozen).map(|(main, _)| *main).collect();
        let mut mains: HashMap<_, Vec<LinkRow>> =
            mains.into_iter().map(|(main, _)| (main, Vec::new())).collect();
        let mut children = HashSet::new();
        for link in links {
            // A link whose source is no main authorises nothing, whoever wrote it.
            let Some(of_main) = mains.get_mut(&link.main) else { continue };
            children.insert(link.child);
            of_main.push(link);
        }
        Self { mains, frozen, children }
    }

    /// Whether the guild is a main.
    pub fn is_main(&self, guild: GuildId) -> bool {
        self.mains.contains_key(&guild)
    }

    /// Whether some main has a link to the guild.
    pub fn is_child(&self, guild: GuildId) -> bool {
        self.children.contains(&guild)
    }

    /// Whether the main's propagation is stopped.
    pub fn is_frozen(&self, main: GuildId) -> bool {
        self.frozen.contains(&main)
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
