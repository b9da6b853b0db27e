//! Reads and judges a list before anything of it is done: its columns, our own people in it, and whom the main has banned.

use super::{CHUNK, Import};
use crate::daemon::Daemon;
use crate::discord::directory::Presence;
use crate::jobs::{Running, Stop};
use crate::lists::plan::Plan;
use crate::lists::staff::Staff;
use crate::lists::survey::Survey;
use crate::lists::{ListReader, Row};
use crate::reconcile::pages::{self, Unreadable};
use crate::store::View;
use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::JobKind;
use wayhaven_shared::value::{GuildId, UserId};

/// How much of the main's ban list a plan looks at, and for how long: Discord may give a page a minute.
const LOOKED_AT: usize = 5;
pub(super) const LOOK: Duration = Duration::from_secs(10);

/// A list with what its rows are judged by: it travels between threads that read, and the one that writes.
pub(super) struct Judging {
    pub(super) reader: ListReader<File>,
    pub(super) plan: Plan,
}

impl Judging {
    pub(super) fn open(
        import: &Import,
        file: File,
        survey: &Arc<Survey>,
        staff: &Arc<Staff>,
    ) -> Result<Self, Fault> {
        let plan = Plan::new(import.main, Arc::clone(survey), Arc::clone(staff));
        Ok(Self { reader: survey.read(file)?, plan })
    }
}

/// Reads a list through, and asks who of those whom it would ban are our own people.
pub(super) async fn survey(
    daemon: &Arc<Daemon>,
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
    let (survey, known) = (Arc::new(survey), Staff::known(daemon, import.main, import.moderator));
    let again =
        file.try_clone().map_err(|error| Fault::unavailable(format!("the list cannot be read: {error}")))?;
    let known = Arc::new(known);
    let (_, mut new) = judge_all(daemon, import, again, &survey, &known, |row| row.user).await?;
    new.sort_unstable();
    let mut staff = Staff::known(daemon, import.main, import.moderator);
    staff.ask(&new, deadline).await?;
    Ok((survey, Arc::new(staff), file))
}

/// Judges every row against the store as it is, a few at a time; what `look` makes of the new ones.
pub(super) async fn judge_all<T: Send + 'static>(
    daemon: &Arc<Daemon>,
    import: &Import,
    file: File,
    survey: &Arc<Survey>,
    staff: &Arc<Staff>,
    look: impl Fn(&Row) -> T + Copy + Send + 'static,
) -> Result<(Plan, Vec<T>), Fault> {
    let store = daemon.store();
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
    pub(super) survey: Arc<Survey>,
    pub(super) staff: Arc<Staff>,
    /// Whom of those who are new the main has banned at Discord by itself.
    pub(super) banned: HashSet<UserId>,
    /// How many entries of its ban list cannot be read.
    pub(super) unreadable: u64,
}

/// Waits until Discord has told of the main and its children, as it does behind a start, and until the outages have ended of
/// those in which users are banned without an approval: their staff is asked for.
async fn until_guilds_are_seen(running: &mut Running, import: &Import) -> Result<(), Stop> {
    let topology = running.daemon.store().topology();
    let children = topology.links(import.main).iter().map(|link| link.child).collect::<Vec<_>>();
    for guild in [import.main].into_iter().chain(children) {
        let bans_at_once = import.apply || guild == import.main;
        let waits = match running.daemon.directory().presence(guild) {
            None => true,
            Some(Presence::Outage) => bans_at_once,
            Some(Presence::Here | Presence::Absent) => false,
        };
        if !waits {
            continue;
        }
        match pages::reach(running, guild, JobKind::Import).await {
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
    let daemon = Arc::clone(&running.daemon);
    until_guilds_are_seen(running, import).await?;
    let surveyed = survey(&daemon, import, file, None);
    let (survey, staff, file) = running.unless_cancelled(surveyed).await??;
    staff.check(import.apply)?;
    let all = judge_all(&daemon, import, file, &survey, &staff, |row| row.user);
    let (_, mut new) = running.unless_cancelled(all).await??;
    new.sort_unstable();
    let (mut banned, mut unreadable) = (HashSet::new(), Unreadable::default());
    if let (Some(first), Some(last)) = (new.first(), new.last()) {
        let mut after = UserId::new(first.get() - 1);
        loop {
            let page = pages::bans(running, import.main, after, JobKind::Import, &mut unreadable).await?;
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

/// Those of these users, in the order of their ids, whom the guild has banned at Discord. A few pages of its list are looked
/// at, from the first of them on; nothing where the last is not among them.
pub(super) async fn banned_there(
    daemon: &Arc<Daemon>,
    guild: GuildId,
    users: &[UserId],
) -> Result<Option<(HashSet<UserId>, Unreadable)>, Fault> {
    let (mut banned, mut unreadable) = (HashSet::new(), Unreadable::default());
    let (Some(first), Some(last)) = (users.first(), users.last()) else {
        return Ok(Some((banned, unreadable)));
    };
    let mut after = UserId::new(first.get() - 1);
    for _ in 0..LOOKED_AT {
        let page = daemon.rest().bans_after(guild, after).await?;
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
