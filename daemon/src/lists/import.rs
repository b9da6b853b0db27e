//! An import: a list is judged row by row, and what is new becomes bans of a main.
//!
//! It is done in chunks, each a transaction that also stores how far it has come: whatever ends the daemon in between, it
//! goes on behind the last row that was committed, and none is taken twice.

use super::plan::Plan;
use super::{Kind, Line, ListReader, Row};
use crate::daemon::Daemon;
use crate::jobs::{Running, Stop};
use crate::network::Topology;
use crate::reconcile::pages;
use crate::store::{Change, NewPunishment, StoreError, View};
use crate::sync::containment::Imports;
use crate::sync::record::{AtOrigin, record_imported};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::JobKind;
use wayhaven_shared::operations::punishment::{Action, Origin};
use wayhaven_shared::operations::sync::{Fate, Imported, Rows};
use wayhaven_shared::value::{GuildId, HoldId, Untrusted, UserId};

/// The most rows that one transaction takes, and about how many deliveries it stores.
const CHUNK: usize = 500;
const DELIVERIES: usize = 2_000;

/// How many requests may be under way before the next rows are taken: what is decided waits in the file, not in memory.
const UNDER_WAY: u64 = if cfg!(test) { 200 } else { 2_000 };

/// How much of the main's ban list a plan looks at, and for how long: Discord may give a page a minute.
const LOOKED_AT: usize = 5;
const LOOK: Duration = Duration::from_secs(10);

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
}

/// A list with what its rows are judged by: it travels between threads that read, and the one that writes.
struct Judging {
    reader: ListReader<File>,
    plan: Plan,
}

impl Judging {
    fn open(import: &Import, file: File) -> Result<Self, Fault> {
        Ok(Self { reader: ListReader::open(file)?, plan: Plan::new(import.main, import.most) })
    }
}

/// What an import would do.
///
/// # Errors
/// Where the file is no list, or the guild no main.
pub async fn preview(daemon: &Arc<Daemon>, import: &Import, file: File) -> Result<Imported, Fault> {
    let (plan, kind, mut new) = judge_all(daemon, import, file, |row| row.user).await?;
    new.sort_unstable();
    let looked = tokio::time::timeout(LOOK, banned_there(daemon, import.main, &new)).await;
    let banned = looked.ok().and_then(Result::ok).flatten().map(|banned| banned.len() as u64);
    let rows = plan.rows().to_vec();
    let progress = Progress { rows, adopted: banned.unwrap_or(0), ..Progress::default() };
    let plan = imported(&daemon.store().topology(), import, kind, progress, true);
    Ok(Imported { adopted_known: banned.is_some(), ..plan })
}

/// Judges every row against the store as it is, a few at a time; what `look` makes of the new ones.
async fn judge_all<T: Send + 'static>(
    daemon: &Arc<Daemon>,
    import: &Import,
    file: File,
    look: impl Fn(&Row) -> T + Copy + Send + 'static,
) -> Result<(Plan, Kind, Vec<T>), Fault> {
    let (store, import) = (daemon.store(), import.clone());
    let (mut judging, mut found, mut ended) = (None, Vec::new(), false);
    let mut file = Some(file);
    while !ended {
        let topology = store.topology();
        let (import, first) = (import.clone(), file.take());
        // Reading the file is on that thread too: it may block there.
        let some = move |view: &View<'_>| {
            let mut judging = match (judging, first) {
                (Some(judging), _) => judging,
                (None, Some(file)) => Judging::open(&import, file)?,
                (None, None) => return Err(Fault::internal("an import without a file")),
            };
            let mut count = 0;
            for line in judging.reader.by_ref().take(CHUNK) {
                count += 1;
                found.extend(judging.plan.judge(view, &topology, line?)?.as_ref().map(look));
            }
            Ok((judging, found, count < CHUNK))
        };
        let (back, so_far, is_end) = store.read(some).await?;
        (judging, found, ended) = (Some(back), so_far, is_end);
    }
    let judging = judging.ok_or_else(|| Fault::internal("an import without a file"))?;
    Ok((judging.plan, judging.reader.kind(), found))
}

/// A list that was read through once.
pub struct Judged {
    kind: Kind,
    /// Whom of those who are new the main has banned at Discord by itself.
    banned: HashSet<UserId>,
}

/// Reads a list through, and the main's ban list beside it, however long Discord takes to show that.
///
/// # Errors
/// [`Stop`]: also where the file is no list.
pub async fn judge(running: &mut Running, import: &Import, file: File) -> Result<Judged, Stop> {
    let daemon = Arc::clone(&running.daemon);
    let all = judge_all(&daemon, import, file, |row| row.user);
    let (_, kind, mut new) = running.unless_cancelled(all).await??;
    new.sort_unstable();
    let mut banned = HashSet::new();
    if let (Some(first), Some(last)) = (new.first(), new.last()) {
        let mut after = UserId::new(first.get() - 1);
        loop {
            let page = pages::bans(running, import.main, after, JobKind::Import).await?;
            let users = page.iter().map(|ban| ban.user);
            banned.extend(users.filter(|user| new.binary_search(user).is_ok()));
            match page.last() {
                Some(ban) if ban.user < *last => after = Some(ban.user),
                _ => break,
            }
        }
    }
    Ok(Judged { kind, banned })
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
    let (kind, banned) = (judged.kind, Arc::new(judged.banned));
    let store = daemon.store();
    let mut judging = {
        let (import, file, progress) = (import.clone(), open()?, progress.clone());
        let opened = tokio::task::spawn_blocking(move || skip(&import, file, &progress));
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
            return ended(daemon, import, kind, progress).await;
        }
        let (import, banned, save) = (import.clone(), Arc::clone(&banned), save.clone());
        let work = move |change: &Change<'_>| {
            progress.lines += lines.len() as u64;
            take(change, &import, &mut back.plan, lines, &banned, &mut progress)?;
            progress.rows = back.plan.rows().to_vec();
            let topology = change.topology_here()?;
            let waits = is_undecided(change, progress.hold)?;
            let so_far = Imported { waits, ..imported(&topology, &import, kind, progress.clone(), false) };
            save(change, &progress, so_far)?;
            Ok((back, progress))
        };
        (judging, progress) = store.write(work).await?;
    }
}

/// Goes to where an import was: what was worked is read and remembered, and not judged again.
fn skip(import: &Import, file: File, progress: &Progress) -> Result<Judging, Fault> {
    let mut judging = Judging::open(import, file)?;
    let lines = usize::try_from(progress.lines).unwrap_or(usize::MAX);
    for line in judging.reader.by_ref().take(lines) {
        judging.plan.pass(&line?);
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
    banned: &HashSet<UserId>,
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
        let is_banned = banned.contains(&row.user);
        progress.adopted += u64::from(is_banned);
        // What the guild did by itself is taken over as it is; anything else is done there like a command.
        let at_origin = if is_banned { AtOrigin::Done } else { AtOrigin::ToDo };
        let new = NewPunishment {
            reason: row.reason,
            moderator: import.moderator,
            operator: import.operator,
            expires_at: row.until,
            ..NewPunishment::new(import.main, row.user, Action::Ban, Origin::Import)
        };
        let recorded = record_imported(change, &new, at_origin, &mut imports)?;
        progress.held += if recorded.hold.is_some() { recorded.deliveries.held } else { 0 };
    }
    progress.hold = imports.hold;
    Ok(())
}

/// Those of these users, in the order of their ids, whom the guild has banned at Discord. A few pages of its list are looked
/// at, from the first of them on; nothing where the last is not among them.
async fn banned_there(
    daemon: &Arc<Daemon>,
    guild: GuildId,
    users: &[UserId],
) -> Result<Option<HashSet<UserId>>, Fault> {
    let mut banned = HashSet::new();
    let (Some(first), Some(last)) = (users.first(), users.last()) else { return Ok(Some(banned)) };
    let mut after = UserId::new(first.get() - 1);
    for _ in 0..LOOKED_AT {
        let page = daemon.rest().bans_after(guild, after).await?;
        banned.extend(page.iter().map(|ban| ban.user).filter(|user| users.binary_search(user).is_ok()));
        match page.last() {
            Some(ban) if ban.user < *last => after = Some(ban.user),
            _ => return Ok(Some(banned)),
        }
    }
    Ok(None)
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
    kind: Kind,
    progress: Progress,
) -> Result<Imported, Fault> {
    let hold = progress.hold;
    let waits = daemon.store().read(move |view| Ok(is_undecided(view, hold)?)).await?;
    Ok(Imported { waits, ..imported(&daemon.store().topology(), import, kind, progress, false) })
}

fn imported(topology: &Topology, import: &Import, kind: Kind, progress: Progress, dry_run: bool) -> Imported {
    let children = crate::sync::plan::reached(topology, import.main, Action::Ban).len();
    let shown = |rows: &Rows| rows.count > 0 || rows.fate == Fate::New;
    Imported {
        main_guild_id: import.main,
        file: import.name.clone(),
        format: kind.word().into(),
        rows: progress.rows.into_iter().filter(shown).collect(),
        adopted: progress.adopted,
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
