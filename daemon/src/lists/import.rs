//! An import: a list is judged row by row, and what is new becomes bans of a main.
//!
//! It is done in chunks, each a transaction that also stores how far it has come: whatever ends the daemon in between, it
//! goes on behind the last row that was committed, and none is taken twice.

mod judging;

pub use judging::{Judged, judge};

use super::Line;
use super::plan::Plan;
use super::staff::Staff;
use super::survey::Survey;
use crate::daemon::Daemon;
use crate::network::Topology;
use crate::store::{Change, NewPunishment, StoreError, View};
use crate::sync::containment::Imports;
use crate::sync::record::{AtOrigin, record_imported};
use judging::{Judging, LOOK, banned_there, judge_all, survey};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::sync::Arc;
use tokio::time::Instant;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::{Action, Origin};
use wayhaven_shared::operations::sync::{Fate, Imported, Rows};
use wayhaven_shared::value::{GuildId, HoldId, Untrusted, UserId};

/// The most rows that one transaction takes, and about how many deliveries it stores.
const CHUNK: usize = 500;
const DELIVERIES: usize = 2_000;

/// How many requests may be under way before the next rows are taken: what is decided waits in the file, not in memory.
const UNDER_WAY: u64 = if cfg!(test) { 200 } else { 2_000 };

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
    /// How many of the bans are of bots.
    #[serde(default)]
    pub bots: u64,
}

/// What an import would do.
///
/// # Errors
/// Where the file is no list, or the guild no main.
pub async fn preview(daemon: &Arc<Daemon>, import: &Import, file: File) -> Result<Imported, Fault> {
    let deadline = Some(Instant::now() + LOOK);
    let (survey, staff, file) = survey(daemon, import, file, deadline).await?;
    staff.check(import.apply)?;
    let (plan, mut new) = judge_all(daemon, import, file, &survey, &staff, |row| row.user).await?;
    new.sort_unstable();
    let looked = tokio::time::timeout(LOOK, banned_there(daemon, import.main, &new)).await;
    let banned = looked.ok().and_then(Result::ok).flatten();
    let (adopted, unreadable) =
        banned.as_ref().map_or((0, 0), |(banned, unreadable)| (banned.len() as u64, unreadable.total()));
    let rows = plan.rows().to_vec();
    let bots = new.iter().filter(|user| staff.is_bot(**user)).count() as u64;
    let progress = Progress { rows, adopted, bots, ..Progress::default() };
    let described = Described { survey: &survey, staff: &staff, unreadable };
    let plan = imported(&daemon.store().topology(), import, described, progress, true);
    Ok(Imported { adopted_known: banned.is_some(), ..plan })
}

/// Carries an import out, from where it was. `save` stores how far it has come, in the transaction that did it.
///
/// # Errors
/// Where the file is not what it was, or the store fails. What was committed stands.
pub async fn run(
    daemon: &Arc<Daemon>,
    import: &Import,
    judged: Judged,
    open: impl Fn() -> Result<File, Fault>,
    mut progress: Progress,
    save: impl Fn(&Change<'_>, &Progress, Imported) -> Result<(), Fault> + Clone + Send + 'static,
) -> Result<Imported, Fault> {
    let judged = Arc::new(judged);
    let store = daemon.store();
    let mut judging = {
        let (import, file, progress, judged) =
            (import.clone(), open()?, progress.clone(), Arc::clone(&judged));
        let opened = tokio::task::spawn_blocking(move || skip(&import, file, &judged, &progress));
        opened.await.map_err(|_| Fault::internal("reading the list failed"))??
    };
    loop {
        until_there_is_room(daemon).await;
        let children = store.topology().links(import.main).len();
        let count = (DELIVERIES / (children + 1)).clamp(1, CHUNK);
        let read = tokio::task::spawn_blocking(move || {
            let lines: Result<Vec<Line>, Fault> = judging.reader.by_ref().take(count).collect();
            lines.map(|lines| (judging, lines))
        });
        let (mut back, lines) = read.await.map_err(|_| Fault::internal("reading the list failed"))??;
        if lines.is_empty() {
            return ended(daemon, import, &judged, progress).await;
        }
        let (import, judged, save) = (import.clone(), Arc::clone(&judged), save.clone());
        let work = move |change: &Change<'_>| {
            progress.lines += lines.len() as u64;
            take(change, &import, &mut back.plan, lines, &judged, &mut progress)?;
            progress.rows = back.plan.rows().to_vec();
            let topology = change.topology_here()?;
            let waits = is_undecided(change, progress.hold)?;
            let described = Described::of(&judged);
            let so_far =
                Imported { waits, ..imported(&topology, &import, described, progress.clone(), false) };
            save(change, &progress, so_far)?;
            Ok((back, progress))
        };
        (judging, progress) = store.write(work).await?;
    }
}

/// Goes to where an import was: what was worked is not judged again.
fn skip(import: &Import, file: File, judged: &Judged, progress: &Progress) -> Result<Judging, Fault> {
    let mut judging = Judging::open(import, file, &judged.survey, &judged.staff)?;
    let lines = usize::try_from(progress.lines).unwrap_or(usize::MAX);
    for line in judging.reader.by_ref().take(lines) {
        line?;
        judging.plan.pass();
    }
    if !progress.rows.is_empty() {
        judging.plan.resume(progress.rows.clone());
    }
    Ok(judging)
}

/// Takes some rows in one transaction.
fn take(
    change: &Change<'_>,
    import: &Import,
    plan: &mut Plan,
    lines: Vec<Line>,
    judged: &Judged,
    progress: &mut Progress,
) -> Result<(), Fault> {
    let topology = change.topology_here()?;
    if !topology.is_main(import.main) {
        return Err(Fault::conflict(format!(
            "guild {} is no main any more: the import ended there",
            import.main
        ))
        .hint("what was imported before stays; setup main-guild makes it one again"));
    }
    let mut imports = Imports { hold: progress.hold, apply: import.apply };
    if let Some(hold) = imports.hold {
        change.hold_grows(hold)?;
    }
    for line in lines {
        let Some(row) = plan.judge(change, &topology, line)? else { continue };
        let (is_banned, is_bot) = (judged.banned.contains(&row.user), judged.staff.is_bot(row.user));
        progress.adopted += u64::from(is_banned);
        progress.bots += u64::from(is_bot);
        // What the guild did by itself is taken over as it is; anything else is done there like a command.
        let at_origin = if is_banned { AtOrigin::Done } else { AtOrigin::ToDo };
        let new = NewPunishment {
            reason: row.reason,
            moderator: import.moderator,
            operator: import.operator,
            expires_at: row.until,
            of_bot: is_bot,
            ..NewPunishment::new(import.main, row.user, Action::Ban, Origin::Import)
        };
        let recorded = record_imported(change, &new, at_origin, &mut imports)?;
        // A bot's wait in a hold of their own.
        let is_in_hold = recorded.hold.is_some() && recorded.hold == imports.hold;
        progress.held += if is_in_hold { recorded.deliveries.held } else { 0 };
    }
    progress.hold = imports.hold;
    Ok(())
}

/// Waits until few requests are under way.
async fn until_there_is_room(daemon: &Arc<Daemon>) {
    let store = daemon.store();
    let mut changes = store.sequence();
    loop {
        changes.mark_unchanged();
        match store.read(|view| Ok(view.under_way()?)).await {
            Ok(count) if count >= UNDER_WAY => {}
            // Where the store cannot be read, the next write says so.
            _ => return,
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Whether what is in the hold waits for an approval.
fn is_undecided(view: &View<'_>, hold: Option<HoldId>) -> Result<bool, StoreError> {
    let Some(hold) = hold else { return Ok(false) };
    Ok(view.hold(hold)?.is_some_and(|hold| hold.decided.is_none()))
}

/// What an import has done, and how its hold stands now.
async fn ended(
    daemon: &Arc<Daemon>,
    import: &Import,
    judged: &Judged,
    progress: Progress,
) -> Result<Imported, Fault> {
    let hold = progress.hold;
    let waits = daemon.store().read(move |view| Ok(is_undecided(view, hold)?)).await?;
    let described = Described::of(judged);
    Ok(Imported { waits, ..imported(&daemon.store().topology(), import, described, progress, false) })
}

/// What the result says of a list, beside its rows.
struct Described<'a> {
    survey: &'a Survey,
    staff: &'a Staff,
    unreadable: u64,
}

impl<'a> Described<'a> {
    fn of(judged: &'a Judged) -> Self {
        Self { survey: &judged.survey, staff: &judged.staff, unreadable: judged.unreadable }
    }
}

fn imported(
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

#[cfg(test)]
mod tests;
