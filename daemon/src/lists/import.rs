//! An import: a list is judged row by row, and what is new becomes bans of a main.
//!
//! It is done in chunks, each a transaction that also stores how far it has come: whatever ends the daemon in between, it
//! goes on behind the last row that was committed, and none is taken twice.

mod outcome;

pub use outcome::{Import, Progress};

use super::plan::Plan;
use super::staff::{self, Staff};
use super::survey::Survey;
use super::{Line, ListReader, Row};
use crate::discord::directory::Presence;
use crate::jobs::{Running, Stop};
use crate::pages::{self, Reader, Unreadable};
use crate::services::Services;
use crate::store::{Change, NewPunishment, StoreError, View};
use crate::sync::containment::Imports;
use crate::sync::record::{AtOrigin, record_imported};
use outcome::{Described, imported};
use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::{Action, Origin};
use wayhaven_shared::operations::sync::Imported;
use wayhaven_shared::value::{GuildId, HoldId, UserId};

/// The most rows that one transaction takes, and about how many deliveries it stores.
const CHUNK: usize = 500;
const DELIVERIES: usize = 2_000;

/// How many requests may be under way before the next rows are taken: what is decided waits in the file, not in memory.
const UNDER_WAY: u64 = if cfg!(test) { 200 } else { 2_000 };

/// How much of the main's ban list a plan looks at, and for how long: Discord may give a page a minute.
const LOOKED_AT: usize = 5;
const LOOK: Duration = Duration::from_secs(10);

/// What an import would do.
///
/// # Errors
/// Where the file is no list, or the guild no main.
pub async fn preview(services: &Services, import: &Import, file: File) -> Result<Imported, Fault> {
    let deadline = Some(Instant::now() + LOOK);
    let (survey, staff, file) = survey(services, import, file, deadline).await?;
    staff.check(import.apply)?;
    let (plan, mut new) = judge_all(services, import, file, &survey, &staff, |row| row.user).await?;
    new.sort_unstable();
    let looked = tokio::time::timeout(LOOK, banned_there(services, import.main, &new)).await;
    let banned = looked.ok().and_then(Result::ok).flatten();
    let (adopted, unreadable) =
        banned.as_ref().map_or((0, 0), |(banned, unreadable)| (banned.len() as u64, unreadable.total()));
    let rows = plan.rows().to_vec();
    let bots = new.iter().filter(|user| staff.is_bot(**user) || staff.may_be_bot(**user)).count() as u64;
    let progress = Progress { rows, adopted, bots, ..Progress::default() };
    let described = Described { survey: &survey, staff: &staff, unreadable };
    let plan = imported(&services.store().topology(), import, described, progress, true);
    Ok(Imported { adopted_known: banned.is_some(), ..plan })
}

/// A list with what its rows are judged by: it travels between threads that read, and the one that
/// writes.
struct Judging {
    reader: ListReader<File>,
    plan: Plan,
}

impl Judging {
    fn open(import: &Import, file: File, survey: &Arc<Survey>, staff: &Arc<Staff>) -> Result<Self, Fault> {
        let plan = Plan::new(import.main, Arc::clone(survey), Arc::clone(staff));
        Ok(Self { reader: survey.read(file)?, plan })
    }
}

/// Reads a list through, and asks who of those whom it would ban are our own people.
async fn survey(
    services: &Services,
    import: &Import,
    mut file: File,
    deadline: Option<Instant>,
) -> Result<(Arc<Survey>, Arc<Staff>, File), Fault> {
    let of = import.clone();
    let read = move || -> Result<(Survey, File), Fault> {
        Ok((Survey::of(&mut file, of.main, of.most, &of.ignored)?, file))
    };
    let read = tokio::task::spawn_blocking(read);
    let (survey, file) = read.await.map_err(|_| Fault::internal("reading the list failed"))??;
    let (survey, known) = (Arc::new(survey), Staff::known(services, import.main, import.moderator));
    let again =
        file.try_clone().map_err(|error| Fault::unavailable(format!("the list cannot be read: {error}")))?;
    let known = Arc::new(known);
    let (_, mut new) = judge_all(services, import, again, &survey, &known, |row| row.user).await?;
    new.sort_unstable();
    let mut staff = Staff::known(services, import.main, import.moderator);
    staff.ask(&new, deadline).await?;
    Ok((survey, Arc::new(staff), file))
}

/// Judges every row against the store as it is, a few at a time; what `look` makes of the new ones.
async fn judge_all<T: Send + 'static>(
    services: &Services,
    import: &Import,
    file: File,
    survey: &Arc<Survey>,
    staff: &Arc<Staff>,
    look: impl Fn(&Row) -> T + Copy + Send + 'static,
) -> Result<(Plan, Vec<T>), Fault> {
    let store = services.store();
    let (mut judging, mut found, mut ended) = (None, Vec::new(), false);
    let mut first = Some((import.clone(), file, Arc::clone(survey), Arc::clone(staff)));
    while !ended {
        let topology = store.topology();
        let first = first.take();
        // Reading the file is on that thread too: it may block there.
        let some = move |view: &View<'_>| {
            let mut judging = match (judging, first) {
                (Some(judging), _) => judging,
                (None, Some((import, file, survey, staff))) => Judging::open(&import, file, &survey, &staff)?,
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
    Ok((judging.plan, found))
}

/// A list that was read through once.
pub struct Judged {
    survey: Arc<Survey>,
    staff: Arc<Staff>,
    /// Whom of those who are new the main has banned at Discord by itself.
    banned: HashSet<UserId>,
    /// How many entries of its ban list cannot be read.
    unreadable: u64,
}

impl Judged {
    fn described(&self) -> Described<'_> {
        Described { survey: &self.survey, staff: &self.staff, unreadable: self.unreadable }
    }
}

/// Waits until Discord has told of the main and the children that its bans reach, as it does behind
/// a start, and until the outages have ended of those in which users are banned without an
/// approval: their staff is asked for.
async fn until_guilds_are_seen(running: &mut Running, import: &Import) -> Result<(), Stop> {
    let topology = running.services.store().topology();
    for guild in staff::banned_in(&topology, import.main) {
        let bans_at_once = import.apply || guild == import.main;
        let waits = match running.services.directory().presence(guild) {
            None => true,
            Some(Presence::Outage) => bans_at_once,
            Some(Presence::Here | Presence::Absent) => false,
        };
        if !waits {
            continue;
        }
        match pages::reach(running, guild, Reader::List).await {
            Err(Stop::Failed(_)) if !bans_at_once => {}
            reached => reached?,
        }
    }
    Ok(())
}

/// Reads a list through, and the main's ban list beside it, however long Discord takes to show that.
///
/// # Errors
/// [`Stop`]: also where the file is no list.
pub async fn judge(running: &mut Running, import: &Import, file: File) -> Result<Judged, Stop> {
    let services = running.services.clone();
    until_guilds_are_seen(running, import).await?;
    let surveyed = survey(&services, import, file, None);
    let (survey, staff, file) = running.unless_cancelled(surveyed).await??;
    staff.check(import.apply)?;
    let all = judge_all(&services, import, file, &survey, &staff, |row| row.user);
    let (_, mut new) = running.unless_cancelled(all).await??;
    new.sort_unstable();
    let (mut banned, mut unreadable) = (HashSet::new(), Unreadable::default());
    if let (Some(first), Some(last)) = (new.first(), new.last()) {
        let mut after = UserId::new(first.get() - 1);
        loop {
            let page = pages::bans(running, import.main, after, Reader::List, &mut unreadable).await?;
            let users = page.iter().map(|ban| ban.user);
            banned.extend(users.filter(|user| new.binary_search(user).is_ok()));
            match page.last() {
                Some(ban) if ban.user < *last => after = Some(ban.user),
                _ => break,
            }
        }
        unreadable.alert(running, import.main).await;
    }
    Ok(Judged { survey, staff, banned, unreadable: unreadable.total() })
}

/// Those of these users, in the order of their ids, whom the guild has banned at Discord. A few
/// pages of its list are looked at, from the first of them on; nothing where the last is not among
/// them.
async fn banned_there(
    services: &Services,
    guild: GuildId,
    users: &[UserId],
) -> Result<Option<(HashSet<UserId>, Unreadable)>, Fault> {
    let (mut banned, mut unreadable) = (HashSet::new(), Unreadable::default());
    let (Some(first), Some(last)) = (users.first(), users.last()) else {
        return Ok(Some((banned, unreadable)));
    };
    let mut after = UserId::new(first.get() - 1);
    for _ in 0..LOOKED_AT {
        let page = services.rest().bans_after(guild, after).await?;
        unreadable.see(&page);
        let page = page.bans;
        banned.extend(page.iter().map(|ban| ban.user).filter(|user| users.binary_search(user).is_ok()));
        match page.last() {
            Some(ban) if ban.user < *last => after = Some(ban.user),
            _ => return Ok(Some((banned, unreadable))),
        }
    }
    Ok(None)
}

/// Carries an import out, from where it was. `save` stores how far it has come, in the transaction that did it.
///
/// # Errors
/// Where the file is not what it was, or the store fails. What was committed stands.
pub async fn run(
    services: &Services,
    import: &Import,
    judged: Judged,
    open: impl Fn() -> Result<File, Fault>,
    mut progress: Progress,
    save: impl Fn(&Change<'_>, &Progress, Imported) -> Result<(), Fault> + Clone + Send + 'static,
) -> Result<Imported, Fault> {
    let judged = Arc::new(judged);
    let store = services.store();
    let mut judging = {
        let (import, file, progress, judged) =
            (import.clone(), open()?, progress.clone(), Arc::clone(&judged));
        let opened = tokio::task::spawn_blocking(move || skip(&import, file, &judged, &progress));
        opened.await.map_err(|_| Fault::internal("reading the list failed"))??
    };
    loop {
        until_there_is_room(services).await;
        let children = store.topology().links(import.main).len();
        let count = (DELIVERIES / (children + 1)).clamp(1, CHUNK);
        let read = tokio::task::spawn_blocking(move || {
            let lines: Result<Vec<Line>, Fault> = judging.reader.by_ref().take(count).collect();
            lines.map(|lines| (judging, lines))
        });
        let (mut back, lines) = read.await.map_err(|_| Fault::internal("reading the list failed"))??;
        if lines.is_empty() {
            return ended(services, import, &judged, progress).await;
        }
        let (import, judged, save) = (import.clone(), Arc::clone(&judged), save.clone());
        let work = move |change: &Change<'_>| {
            progress.lines += lines.len() as u64;
            take(change, &import, &mut back.plan, lines, &judged, &mut progress)?;
            progress.rows = back.plan.rows().to_vec();
            let topology = change.topology_here()?;
            let waits = is_undecided(change, progress.hold)?;
            let described = judged.described();
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
        let is_banned = judged.banned.contains(&row.user);
        let (is_bot, may_be_bot) = (judged.staff.is_bot(row.user), judged.staff.may_be_bot(row.user));
        progress.adopted += u64::from(is_banned);
        progress.bots += u64::from(is_bot || may_be_bot);
        // What the guild did by itself is taken over as it is; anything else is done there like a command.
        let at_origin = if is_banned { AtOrigin::Done } else { AtOrigin::ToDo };
        let new = NewPunishment {
            reason: row.reason,
            moderator: import.moderator,
            operator: import.operator,
            expires_at: row.until,
            of_bot: is_bot,
            may_be_bot,
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
async fn until_there_is_room(services: &Services) {
    let store = services.store();
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
    services: &Services,
    import: &Import,
    judged: &Judged,
    progress: Progress,
) -> Result<Imported, Fault> {
    let hold = progress.hold;
    let waits = services.store().read(move |view| Ok(is_undecided(view, hold)?)).await?;
    let described = judged.described();
    Ok(Imported { waits, ..imported(&services.store().topology(), import, described, progress, false) })
}

#[cfg(test)]
mod tests;
