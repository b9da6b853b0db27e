//! What is imported, how far that has come, and the result that is reported of it.

use crate::lists::staff::Staff;
use crate::lists::survey::Survey;
use crate::network::Topology;
use serde::{Deserialize, Serialize};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::sync::{Fate, Imported, Rows};
use wayhaven_shared::value::{GuildId, HoldId, Untrusted, UserId};

/// What is imported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// The main.
    pub main: GuildId,
    /// Who asked for it, where it was a member.
    pub moderator: Option<UserId>,
    /// The operator who asked for it, by the number of their account.
    #[serde(default)]
    pub operator: Option<u32>,
    /// The file's name.
    pub name: Untrusted,
    /// The most users that are taken.
    pub most: u32,
    /// Whether the children get it without an approval.
    pub apply: bool,
    /// The columns that are not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Untrusted>,
}

/// How far an import has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Rows of the file that were worked.
    pub lines: u64,
    /// Those rows by what became of them; empty before the first.
    pub rows: Vec<Rows>,
    /// Bans of the main's own that were taken over.
    pub adopted: u64,
    /// The hold that what goes to children waits in, once there is something.
    #[serde(default)]
    pub hold: Option<HoldId>,
    /// How much came into it.
    #[serde(default)]
    pub held: u64,
    /// How many of the bans are of bots, or of users who may be bots.
    #[serde(default)]
    pub bots: u64,
}

/// What the result says of a list, beside its rows.
pub(super) struct Described<'a> {
    pub(super) survey: &'a Survey,
    pub(super) staff: &'a Staff,
    pub(super) unreadable: u64,
}

/// The result of an import, from how far it has come.
pub(super) fn imported(
    topology: &Topology,
    import: &Import,
    of: Described<'_>,
    progress: Progress,
    dry_run: bool,
) -> Imported {
    let children = crate::sync::plan::reached(topology, import.main, Action::Ban).len();
    let shown = |rows: &Rows| rows.count > 0 || rows.fate == Fate::New;
    Imported {
        main_guild_id: import.main,
        file: import.name.clone(),
        format: of.survey.kind().word().into(),
        columns: of.survey.columns(),
        total: progress.rows.iter().map(|rows| rows.count).sum(),
        rows: progress.rows.into_iter().filter(shown).collect(),
        staff_unknown: of.staff.unknown(),
        unreadable: of.unreadable,
        adopted: progress.adopted,
        bots: progress.bots,
        adopted_known: true,
        apply: import.apply,
        children: children as u64,
        hold: progress.hold,
        held: progress.held,
        waits: !import.apply,
        dry_run,
    }
}
