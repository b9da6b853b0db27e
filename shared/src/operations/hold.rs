//! `sync holds`, `approve`, `discard`: what was decided beyond a budget, or needs a second administrator, and waits.

use super::punishment::{Action, Origin};
use crate::fault::Fault;
use crate::operation::Reported;
use crate::report::{Cell, Report, Table, Text, Tone};
use crate::value::{GuildId, HoldId, Timestamp, UserId};
use clap::Args;
use serde::{Deserialize, Serialize};

/// What waits for approval
///
/// More than a moderator, or a whole network, may propagate in a while is held: it was done in the main, and reaches the
/// children once somebody approves it. At security level maximum everything is held for another administrator.
/// What the main could not do itself, as Discord refused it there, is held too, and goes on once the main has done it.
/// A child sees what is kept from it; whether that comes is the main's to decide.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncHolds {}

/// Send what a hold keeps back
///
/// It leaves in the order in which it was decided, and passes all gates on its way. What somebody has decided at security
/// level maximum is approved by another administrator than them, or by an operator.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncApprove {
    /// Which, by the number that sync holds shows; or else --all
    #[arg(value_name = "HOLD")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<HoldId>,
    /// Every hold of this main
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

/// Never send what a hold keeps back
///
/// It stands in the main, and comes to no child later by itself either. To take it back in the main too, use punishment revert.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SyncDiscard {
    /// Which, by the number that sync holds shows; or else --all
    #[arg(value_name = "HOLD")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<HoldId>,
    /// Every hold of this main
    #[arg(long)]
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

/// Which holds are meant: one, or all where there is none.
///
/// # Errors
/// Where it is said in both ways, or in none.
pub fn which(id: Option<HoldId>, all: bool, operation: &str) -> Result<Option<HoldId>, Fault> {
    let message = match (id, all) {
        (Some(id), false) => return Ok(Some(id)),
        (None, true) => return Ok(None),
        (Some(id), true) => format!("hold {id} contradicts --all: say one or the other"),
        (None, false) => "no hold was named".to_owned(),
    };
    Err(Fault::usage(message)
        .hint(format!("{operation} 3 decides about hold 3; sync holds shows the numbers"))
        .hint(format!("{operation} --all decides about every hold of this main")))
}

/// Why something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// A moderator has propagated more than their budget.
    Moderator,
    /// All moderators of a main together have.
    Network,
    /// The main's security level asks for a second administrator.
    Maximum,
    /// It was imported.
    Import,
    /// The main could not do it itself: Discord has refused it there.
    Refused,
    /// It is about a bot, or about an account of which Discord does not tell whether it is one.
    Bot,
}

impl HoldKind {
    const ALL: [Self; 6] =
        [Self::Moderator, Self::Network, Self::Maximum, Self::Import, Self::Refused, Self::Bot];

    /// The word for it, as in the store and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Moderator => "moderator",
            Self::Network => "network",
            Self::Maximum => "maximum",
            Self::Import => "import",
            Self::Refused => "refused",
            Self::Bot => "bot",
        }
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Why, for people.
    pub fn why(self) -> &'static str {
        match self {
            Self::Moderator => "over the moderator's budget",
            Self::Network => "over the network's budget",
            Self::Maximum => "security level maximum",
            Self::Import => "imported",
            Self::Refused => "the main could not do it itself",
            Self::Bot => "the user is a bot, or may be one",
        }
    }
}

/// How much of one action a hold keeps back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAction {
    /// What it does.
    pub action: Action,
    /// To how many users.
    pub users: u64,
}

/// Deliveries that wait for somebody's approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// Its number.
    pub id: HoldId,
    /// Whose deliveries.
    pub main_guild_id: GuildId,
    /// Why they are held.
    pub kind: HoldKind,
    /// Who decided them, where it is about one member.
    pub moderator_id: Option<UserId>,
    /// Where they came from, where it is about one and no member is known.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// Since when.
    pub opened_at: Timestamp,
    /// What they do.
    pub actions: Vec<HeldAction>,
    /// How many users they are about.
    pub users: u64,
    /// Some of those, the first ones first.
    pub whom: Vec<UserId>,
    /// How many guilds they go to.
    pub guilds: u64,
    /// How many deliveries that makes.
    pub deliveries: u64,
}

impl Hold {
    /// Who decided what is held, for people.
    pub fn by_whom(&self) -> String {
        match (self.moderator_id, self.origin) {
            (Some(user), _) => format!("user {user}"),
            (None, Some(Origin::Operator)) => "operators".to_owned(),
            (None, Some(Origin::System)) => "Wayhaven".to_owned(),
            (None, Some(Origin::Guild | Origin::Command)) => "unknown".to_owned(),
            (None, Some(Origin::Import)) => "an import".to_owned(),
            (None, None) => "several".to_owned(),
        }
    }

    /// What is held, for people: `950 ban, 3 unban`.
    pub fn what(&self) -> String {
        let words: Vec<String> =
            self.actions.iter().map(|held| format!("{} {}", held.users, held.action)).collect();
        words.join(", ")
    }

    /// Whom it is about, for people: some of them, and how many more.
    fn whom_words(&self) -> Text {
        let some = Text::list(self.whom.iter().map(|user| Text::from(*user)));
        match self.users.saturating_sub(self.whom.len() as u64) {
            0 => some,
            more => some + format!(" and {more} more"),
        }
    }

    fn row(&self) -> [Cell; 8] {
        [
            self.id.to_string().into(),
            self.kind.why().into(),
            self.moderator_id.map_or_else(|| Text::from(self.by_whom()), Text::from).into(),
            self.what().into(),
            format!("{} × {}", self.users, self.guilds).into(),
            self.opened_at.into(),
            self.main_guild_id.into(),
            self.whom_words().into(),
        ]
    }
}

fn table(holds: &[Hold], empty: &'static str) -> Table {
    let columns = ["hold", "why", "by", "what", "users × guilds", "since", "main", "whom"];
    let mut table = Table::new(columns, empty);
    holds.iter().for_each(|hold| table.push(hold.row()));
    table
}

/// What waits for approval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holds {
    /// The oldest first.
    pub holds: Vec<Hold>,
    /// The child from which all of it is kept, where it was asked for there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_child: Option<GuildId>,
}

impl Reported for Holds {
    fn report(&self) -> Report {
        let (title, tone) = match self.holds.as_slice() {
            [] => ("nothing waits for approval".to_owned(), Tone::Good),
            [_] => ("1 hold waits for approval".to_owned(), Tone::Warning),
            several => (format!("{} holds wait for approval", several.len()), Tone::Warning),
        };
        let mut report = Report::new(title, tone);
        if let Some(first) = self.holds.first() {
            let (id, main) = (first.id, first.main_guild_id);
            report = report.hint(match self.of_child {
                Some(child) => format!("it is kept from guild {child}; main {main} decides whether it comes"),
                None => format!("sync approve {id} sends it to the children; sync discard {id} never does"),
            });
        }
        if self.holds.iter().any(|hold| hold.kind == HoldKind::Refused) {
            report = report.hint(
                "what a main could not do itself is sent without a decision once Discord lets the main do it; \
                 punishment show says what Discord refused",
            );
        }
        if self.holds.iter().any(|hold| hold.kind == HoldKind::Maximum) {
            report =
                report.hint("at security level maximum another administrator than who decided it approves");
        }
        report.table(table(&self.holds, "nothing is held"))
    }
}

/// A hold that stays as it is, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftHold {
    /// Which.
    pub id: HoldId,
    /// Why.
    pub why: String,
}

/// What was decided about holds, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HoldsDecided {
    /// The main.
    pub main_guild_id: GuildId,
    /// Whether they are sent; otherwise they never are.
    pub approved: bool,
    /// Which, as they stood before.
    pub holds: Vec<Hold>,
    /// Those that were meant too, and stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<LeftHold>,
    /// Whether the main's propagation is stopped, so that what is approved waits for that.
    #[serde(default)]
    pub frozen: bool,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for HoldsDecided {
    fn report(&self) -> Report {
        let count: u64 = self.holds.iter().map(|hold| hold.deliveries).sum();
        let deliveries = if count == 1 { "1 delivery".to_owned() } else { format!("{count} deliveries") };
        let (title, tone) = match (self.approved, self.dry_run) {
            _ if self.holds.is_empty() => ("no hold was decided about".to_owned(), Tone::Plain),
            (true, true) => (format!("nothing was changed: {deliveries} would be sent"), Tone::Plain),
            (false, true) => (format!("nothing was changed: {deliveries} would never be sent"), Tone::Plain),
            (true, false) if self.frozen => {
                (format!("{deliveries} approved, which the freeze still holds"), Tone::Warning)
            }
            (true, false) => (format!("{deliveries} approved, and on their way"), Tone::Good),
            (false, false) => (format!("{deliveries} discarded"), Tone::Good),
        };
        let mut report = Report::new(title, tone).field("Main", self.main_guild_id);
        for left in &self.left {
            report = report.field("Not decided", Text::prose(&format!("hold {}: {}", left.id, left.why)));
        }
        if self.approved && self.frozen {
            report = report.hint("this main is frozen: sync resume sends what is approved");
        }
        let in_main = |hold: &Hold| hold.kind != HoldKind::Refused;
        if !self.approved && count > 0 && self.holds.iter().any(in_main) {
            report = report
                .hint("what was done in the main stands there: wayhaven punishment revert takes it back too");
        }
        if self.holds.is_empty() { report } else { report.table(table(&self.holds, "nothing is held")) }
    }
}
