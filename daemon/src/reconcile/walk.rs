//! One comparison: through the members, through the ban list, stretch by stretch.

use super::throttle::room;
use super::{Cursor, Resolve, Stage, pages};
use crate::discord::event::entry_kind;
use crate::jobs::{Running, Stop};
use crate::network::LinkRow;
use crate::store::{Change, Footing, Stretch, View};
use crate::sync::desired::{LASTING, TakenBack, Wanted, bring_about, compare, open_links};
use std::collections::HashSet;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::JobResult;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::reconcile::{Difference, Differing, Reconciled};
use wayhaven_shared::value::{GuildId, Timestamp, UserId};

/// How many decisions of one main are looked at in one go.
const CHUNK: usize = 1_000;

/// How many bans a comparison has to be about before the members are looked through for them first: for fewer, that costs
/// more than it saves.
const FEW: u64 = 50;

/// How much earlier than our own mark an audit entry may seem to be, in milliseconds: the two clocks differ.
const CLOCKS_DIFFER: i64 = 60_000;

/// How long a guild's audit log reaches back, with a margin, in milliseconds: 45 days (FACTS A4).
const LOG_KEEPS: i64 = 44 * 86_400_000;

/// One decision with what Discord says of it.
type Seen = (Wanted, Option<bool>);

/// A comparison on its way.
pub(super) struct Walk {
    running: Running,
    guild: GuildId,
    cursor: Cursor,
    found: Reconciled,
    /// When the page that is looked at was asked for: what was done since is not on it.
    as_of: Timestamp,
    done: u64,
    total: u64,
}

impl Walk {
    /// Goes on where the cursor says.
    pub(super) fn new(running: Running, guild: GuildId, cursor: Cursor) -> Self {
        let applied = cursor.resolve != Resolve::Show;
        let found = cursor.found.clone().unwrap_or_else(|| Reconciled::new(guild, applied));
        let as_of = running.daemon.clock().now();
        Self { running, guild, cursor, found, as_of, done: 0, total: 0 }
    }

    /// Walks to the end.
    ///
    /// # Errors
    /// [`Stop`].
    pub(super) async fn run(self) -> Result<Reconciled, Stop> {
        let (daemon, guild) = (std::sync::Arc::clone(&self.running.daemon), self.guild);
        // A plan makes nothing good, and what is asked for of one main says nothing of the others.
        let is_whole = self.cursor.resolve != Resolve::Show && self.cursor.main.is_none();
        if is_whole && self.cursor == Cursor::new(self.cursor.resolve, None) {
            daemon.store().write(move |change| Ok(change.reconciling(guild)?)).await?;
        }
        let walked = self.walk().await;
        match &walked {
            Ok(_) if is_whole => {
                daemon.store().write(move |change| Ok(change.note_reconciled(guild)?)).await?
            }
            Err(Stop::Failed(_)) if is_whole => {
                daemon.store().write(move |change| Ok(change.reconcile_soon(guild)?)).await?
            }
            _ => {}
        }
        walked
    }

    async fn walk(mut self) -> Result<Reconciled, Stop> {
        let bans = self.decided(&[Action::Ban]).await?;
        let others = self.decided(&[Action::Mute, Action::Timeout]).await?;
        self.total = bans + others;
        if self.cursor.stage == Stage::Members {
            // The plan counts bans from the ban list alone; what is done begins with those who are there.
            let for_bans = self.cursor.resolve != Resolve::Show && bans > FEW;
            if (others > 0 || for_bans) && !self.members(for_bans).await? && others > 0 {
                self.unseen().await?;
            }
            (self.cursor.stage, self.cursor.after) = (Stage::Bans, None);
        }
        if bans > 0 || self.has_links(Action::Ban) {
            self.bans().await?;
        }
        self.found
            .counts
            .sort_by_key(|counted| Difference::ALL.iter().position(|one| *one == counted.difference));
        Ok(self.found)
    }

    /// The links along which the measure is wanted here, as they are now.
    fn links(&self, measure: Action) -> Vec<LinkRow> {
        let mut links = open_links(&self.running.daemon.store().topology(), self.guild, measure);
        links.retain(|link| self.cursor.main.is_none_or(|main| main == link.main));
        links
    }

    fn has_links(&self, measure: Action) -> bool {
        !self.links(measure).is_empty()
    }

    async fn decided(&self, measures: &[Action]) -> Result<u64, Fault> {
        let wanted: Vec<(GuildId, Action)> = measures
            .iter()
            .flat_map(|measure| self.links(*measure).into_iter().map(|link| (link.main, *measure)))
            .collect();
        let now = self.running.daemon.clock().now();
        let count = move |view: &View<'_>| {
            let one = |(main, measure): (GuildId, Action)| Ok(view.count_decided(main, measure, now)?);
            wanted.into_iter().map(one).sum::<Result<u64, Fault>>()
        };
        self.running.daemon.store().read(count).await
    }

    /// The members: whoever is there is dealt with first. Whether Discord lets us see them.
    async fn members(&mut self, bans: bool) -> Result<bool, Stop> {
        let guild = self.guild;
        let mute_role =
            self.running.daemon.store().read(move |view| Ok(view.config(guild)?.mute_role_id)).await?;
        loop {
            let after = self.cursor.after;
            self.as_of = self.running.daemon.clock().now();
            let Some(page) = pages::members(&mut self.running, guild, after).await? else { return Ok(false) };
            let Some(last) = page.last().map(|member| member.user) else { return Ok(true) };
            let now = self.running.daemon.clock().now();
            let there = |measure: Action, user: UserId| {
                let member = page
                    .binary_search_by_key(&user, |member| member.user)
                    .ok()
                    .and_then(|at| page.get(at))?;
                Some(match measure {
                    // A member is not banned.
                    Action::Ban => Some(false),
                    Action::Mute => mute_role.map(|role| member.roles.contains(&role)),
                    _ => Some(member.timed_out_until.is_some_and(|until| until > now)),
                })
            };
            for measure in LASTING.into_iter().filter(|measure| bans || *measure != Action::Ban) {
                let mut stretch = Stretch { after, up_to: Some(last) };
                loop {
                    let (chunk, next) = self.chunk(measure, stretch).await?;
                    let seen: Vec<Seen> = chunk
                        .into_iter()
                        .filter_map(|wanted| Some((wanted, there(measure, wanted.user)?)))
                        .collect();
                    if measure == Action::Ban {
                        // Counted where the ban list is read; here they only go first.
                        self.first(seen).await?;
                    } else {
                        self.resolve(seen, false).await?;
                    }
                    match next {
                        Some(next) => stretch.after = Some(next),
                        None => break,
                    }
                }
            }
            self.cursor.after = Some(last);
            self.save().await?;
        }
    }

    /// Mutes and timeouts where nobody tells who is there: what was never delivered is tried.
    async fn unseen(&mut self) -> Result<(), Stop> {
        for measure in [Action::Mute, Action::Timeout] {
            let mut stretch = Stretch::default();
            loop {
                let (chunk, next) = self.chunk(measure, stretch).await?;
                self.resolve(chunk.into_iter().map(|wanted| (wanted, None)).collect(), false).await?;
                match next {
                    Some(next) => stretch.after = Some(next),
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// The ban list.
    async fn bans(&mut self) -> Result<(), Stop> {
        loop {
            let after = self.cursor.after;
            self.as_of = self.running.daemon.clock().now();
            let page = pages::bans(&mut self.running, self.guild, after).await?;
            // A short page proves nothing; an empty one is the end.
            let up_to = page.last().copied();
            let mut stretch = Stretch { after, up_to };
            let mut ours: HashSet<UserId> = HashSet::new();
            loop {
                let (chunk, next) = self.chunk(Action::Ban, stretch).await?;
                let there = |user: UserId| page.binary_search(&user).is_ok();
                let seen: Vec<Seen> = chunk.into_iter().map(|one| (one, Some(there(one.user)))).collect();
                ours.extend(seen.iter().filter(|(_, there)| *there == Some(true)).map(|(one, _)| one.user));
                self.resolve(seen, true).await?;
                match next {
                    Some(next) => stretch.after = Some(next),
                    None => break,
                }
            }
            self.surplus(Stretch { after, up_to }, &page, &mut ours).await?;
            self.found.add(Difference::Theirs, (page.len() - ours.len().min(page.len())) as u64);
            let Some(last) = up_to else { return Ok(()) };
            self.cursor.after = Some(last);
            self.save().await?;
        }
    }

    /// The first decisions in the stretch, of all mains, in the order of users, and behind whom there may be more.
    async fn chunk(&self, measure: Action, stretch: Stretch) -> Result<(Vec<Wanted>, Option<UserId>), Stop> {
        self.running.check()?;
        let (guild, links) = (self.guild, self.links(measure));
        let now = self.running.daemon.clock().now();
        let read = move |view: &View<'_>| {
            let mut wanted = Vec::new();
            // Up to where every main's decisions are complete.
            let mut end: Option<UserId> = None;
            for link in &links {
                let decided = view.decided(link.main, measure, stretch, now, CHUNK)?;
                if let Some((last, _)) = decided.last().filter(|_| decided.len() == CHUNK) {
                    end = Some(end.map_or(*last, |end| end.min(*last)));
                }
                let one = |(user, punishment)| Wanted { guild, user, measure, main: link.main, punishment };
                wanted.extend(decided.into_iter().map(one));
            }
            wanted.retain(|one| end.is_none_or(|end| one.user <= end));
            wanted.sort_by_key(|one| (one.user, one.main));
            Ok((wanted, end))
        };
        Ok(self.running.daemon.store().read(read).await?)
    }

    async fn compared(&self, seen: Vec<Seen>) -> Result<Vec<(Seen, Difference)>, Fault> {
        let topology = self.running.daemon.store().topology();
        let compare_all = move |view: &View<'_>| {
            let one = |seen: Seen| Ok((seen, compare(view, &topology, &seen.0, seen.1)?));
            seen.into_iter().map(one).collect::<Result<Vec<_>, Fault>>()
        };
        self.running.daemon.store().read(compare_all).await
    }

    /// Bans of members who are there: they go first, and cost nothing of the budget of bans of non-members.
    async fn first(&mut self, seen: Vec<Seen>) -> Result<(), Stop> {
        let compared = self.compared(seen).await?;
        let missing = |difference: &Difference| matches!(difference, Difference::Missing);
        let todo: Vec<(Seen, TakenBack)> = compared
            .into_iter()
            .filter(|(_, difference)| missing(difference))
            .map(|(seen, _)| (seen, TakenBack::Unknown))
            .collect();
        let begun = self.begin(todo, false).await?;
        self.cursor.begun += begun.len() as u64;
        begun.into_iter().for_each(|one| self.found.note(one));
        Ok(())
    }

    /// Notes how they stand, and does what is to be done about it.
    async fn resolve(&mut self, seen: Vec<Seen>, others: bool) -> Result<(), Stop> {
        let count = seen.len() as u64;
        let mut todo = Vec::new();
        for (seen, difference) in self.compared(seen).await? {
            let (wanted, there) = seen;
            match difference {
                Difference::Gone => {
                    let Some(by) = self.taken_back(&wanted).await? else {
                        self.note(&wanted, Difference::InOrder);
                        continue;
                    };
                    let difference = match by {
                        TakenBack::ByNobody => Difference::Gone,
                        TakenBack::ByStaff(..) => Difference::Overridden,
                        TakenBack::Unknown => Difference::Unclear,
                    };
                    match (self.cursor.resolve, difference) {
                        (Resolve::Show, _) | (Resolve::ByItself, Difference::Unclear) => {
                            self.note(&wanted, difference)
                        }
                        // Somebody has seen that nobody can tell, and wants it back.
                        (Resolve::All, Difference::Unclear) => {
                            todo.push(((wanted, there), TakenBack::ByNobody))
                        }
                        _ => todo.push(((wanted, there), by)),
                    }
                }
                Difference::Missing | Difference::Found if self.cursor.resolve != Resolve::Show => {
                    todo.push((seen, TakenBack::Unknown));
                }
                // What was begun for the members is counted already.
                Difference::OnItsWay | Difference::InOrder if self.cursor.begun > 0 && others => {
                    self.cursor.begun -= 1;
                }
                difference => self.note(&wanted, difference),
            }
        }
        for one in self.begin(todo, others).await? {
            self.found.note(one);
        }
        self.done += count;
        let so_far = JobResult::Reconciled(self.found.clone());
        self.running.tell(self.done, Some(self.total), Some(so_far)).await;
        Ok(())
    }

    fn note(&mut self, wanted: &Wanted, difference: Difference) {
        self.found.note(differing(wanted, difference));
    }

    /// Does what is to be done, as much at once as there is room for. Returns what was found inside the transactions.
    async fn begin(&mut self, todo: Vec<(Seen, TakenBack)>, others: bool) -> Result<Vec<Differing>, Stop> {
        let mut found = Vec::new();
        let mut rest = todo.as_slice();
        while !rest.is_empty() {
            let room =
                usize::try_from(room(&mut self.running, self.guild, others).await?).unwrap_or(usize::MAX);
            let (lot, later) = rest.split_at(room.min(rest.len()));
            rest = later;
            // Should it end here, it goes on with the first that was not in this lot.
            let mut cursor = self.cursor.clone();
            if let Some(((next, _), _)) = later.first().filter(|_| others) {
                cursor.after = UserId::new(next.user.get() - 1);
            }
            let (id, lot) = (self.running.id, lot.to_vec());
            let apply = move |change: &Change<'_>| {
                let mut found = Vec::with_capacity(lot.len());
                for ((wanted, there), taken_back) in lot {
                    let (difference, _) = bring_about(change, &wanted, there, taken_back, others)?;
                    found.push(differing(&wanted, difference));
                }
                change.save_job_cursor(id, &cursor.to_json())?;
                Ok(found)
            };
            found.extend(self.running.daemon.store().write(apply).await?);
        }
        Ok(found)
    }

    /// What is ours and decided no more: the undo that a gate has kept back is tried again, and judged as any undo is.
    async fn surplus(
        &mut self,
        stretch: Stretch,
        page: &[UserId],
        ours: &mut HashSet<UserId>,
    ) -> Result<(), Stop> {
        for link in self.links(Action::Ban) {
            let (guild, main) = (self.guild, link.main);
            let read = move |view: &View<'_>| Ok(view.undos_kept_back(guild, main, Action::Ban, stretch)?);
            let kept = self.running.daemon.store().read(read).await?;
            let there = |user: &UserId| page.binary_search(user).is_ok();
            for (user, delivery, undo) in kept.into_iter().filter(|(user, ..)| there(user)) {
                if !ours.insert(user) {
                    continue;
                }
                let wanted = Wanted { guild, user, measure: Action::Ban, main, punishment: undo };
                self.note(&wanted, Difference::Surplus);
                if self.cursor.resolve == Resolve::All {
                    room(&mut self.running, guild, false).await?;
                    let again = move |change: &Change<'_>| {
                        Ok(change.make_undo_good(guild, main, (user, Action::Ban), delivery).map(drop)?)
                    };
                    self.running.daemon.store().write(again).await?;
                }
            }
        }
        Ok(())
    }

    /// Who took back what was delivered, by the guild's audit log; nothing where it was delivered after the page was asked
    /// for.
    async fn taken_back(&mut self, wanted: &Wanted) -> Result<Option<TakenBack>, Stop> {
        let (guild, user, punishment, measure) =
            (wanted.guild, wanted.user, wanted.punishment, wanted.measure);
        let footing = move |view: &View<'_>| Ok(view.footing(punishment, guild, measure)?);
        let Footing::Applied(_, at) = self.running.daemon.store().read(footing).await? else {
            return Ok(None);
        };
        if at > self.as_of {
            return Ok(None);
        }
        // Of what was done before the log begins, it can tell nothing.
        let begins = self.as_of.millis().saturating_sub(LOG_KEEPS);
        let kind = measure.undo().and_then(entry_kind).filter(|_| measure == Action::Ban);
        let (Some(kind), true) = (kind, at.millis() > begins) else { return Ok(Some(TakenBack::Unknown)) };
        let since = Timestamp::from_millis(at.millis().saturating_sub(CLOCKS_DIFFER));
        let rest = self.running.daemon.rest().clone();
        let asked = rest.audit_log_about(guild, kind, user, since.first_snowflake());
        let entries = match self.running.unless_cancelled(asked).await? {
            Ok(Some(entries)) => entries,
            Ok(None) => return Ok(Some(TakenBack::Unknown)),
            Err(error) => {
                tracing::info!(%guild, "who took back a ban is not known: {}", error.reason());
                return Ok(Some(TakenBack::Unknown));
            }
        };
        let me = self.running.daemon.directory().me();
        Ok(Some(match entries.last() {
            None => TakenBack::ByNobody,
            // We did it ourselves, for a reason that the rows tell and this does not.
            Some(entry) if entry.user_id.is_some() && entry.user_id == me => TakenBack::Unknown,
            Some(entry) => match entry.id.parse() {
                Ok(id) => TakenBack::ByStaff(entry.user_id, id),
                Err(_) => TakenBack::Unknown,
            },
        }))
    }

    async fn save(&mut self) -> Result<(), Stop> {
        if self.cursor.resolve == Resolve::Show {
            return Ok(());
        }
        self.cursor.found = Some(self.found.clone());
        let (id, cursor) = (self.running.id, self.cursor.to_json());
        self.running.daemon.store().write(move |change| Ok(change.save_job_cursor(id, &cursor)?)).await?;
        Ok(())
    }
}

fn differing(wanted: &Wanted, difference: Difference) -> Differing {
    Differing {
        user_id: wanted.user,
        measure: wanted.measure,
        main_guild_id: wanted.main,
        punishment_id: wanted.punishment,
        difference,
    }
}
