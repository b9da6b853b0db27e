//! One comparison: through the members, through the ban list, stretch by stretch.

use super::throttle::{carried_out, refuse_unlinked};
use super::{Cursor, Resolve, Stage};
use crate::discord::rest::ListedMember;
use crate::jobs::{Running, Stop};
use crate::network::LinkRow;
use crate::pages::{self, Reader, Unreadable};
use crate::store::{Change, Stretch, View};
use crate::sync::Engine;
use crate::sync::desired::{LASTING, Wanted, open_links};
use std::collections::HashSet;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::{Job, JobKind, JobResult};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::reconcile::{Difference, Reconciled};
use wayhaven_shared::value::{GuildId, RoleId, Timestamp, UserId};

/// How many decisions of one main and measure are looked at in one go.
const CHUNK: usize = 1_000;

/// How many bans a comparison has to be about before the members are looked through for them first: for fewer, that costs
/// more than it saves.
const FEW: u64 = 50;

/// A comparison on its way.
pub(super) struct Walk {
    pub(super) running: Running,
    engine: Engine,
    pub(super) kind: JobKind,
    pub(super) guild: GuildId,
    pub(super) cursor: Cursor,
    pub(super) found: Reconciled,
    /// Mains whose backfill of the guild goes on: what they have never delivered there is on its way by that.
    pub(super) left_to_backfills: HashSet<GuildId>,
    /// When the page that is looked at was asked for: what was done since is not on it.
    pub(super) as_of: Timestamp,
    total: u64,
}

/// What Discord says of the users in a stretch.
pub(super) enum Page {
    /// They are members.
    Members { members: Vec<ListedMember>, mute_role: Option<RoleId>, now: Timestamp },
    /// Nobody tells.
    Unseen,
    /// They are banned.
    Bans(Vec<UserId>),
}

impl Page {
    /// Whether a measure is there for the user, where the page tells; nothing where the page is not about them.
    pub(super) fn tells(&self, measure: Action, user: UserId) -> Option<Option<bool>> {
        match self {
            Self::Unseen => Some(None),
            Self::Bans(banned) => Some(Some(banned.binary_search(&user).is_ok())),
            Self::Members { members, mute_role, now } => {
                let at = members.binary_search_by_key(&user, |member| member.user).ok()?;
                let member = members.get(at)?;
                Some(match measure {
                    // A member is not banned.
                    Action::Ban => Some(false),
                    Action::Mute => mute_role.map(|role| member.roles.contains(&role)),
                    _ => Some(member.timed_out_until.is_some_and(|until| until > *now)),
                })
            }
        }
    }
}

impl Walk {
    /// For whom its pages are read.
    pub(super) fn reader(&self) -> Reader {
        match self.kind {
            JobKind::Backfill => Reader::Background,
            _ => Reader::Comparison,
        }
    }

    /// Goes on where the cursor says.
    pub(super) fn new(
        running: Running,
        engine: Engine,
        kind: JobKind,
        guild: GuildId,
        mut cursor: Cursor,
    ) -> Self {
        let applied = cursor.resolve != Resolve::Show;
        let found = cursor.found.take().unwrap_or_else(|| Reconciled::new(guild, applied));
        let as_of = running.services.clock().now();
        let left_to_backfills = HashSet::new();
        Self { running, engine, kind, guild, cursor, found, left_to_backfills, as_of, total: 0 }
    }

    /// Walks to the end.
    ///
    /// # Errors
    /// [`Stop`].
    pub(super) async fn run(mut self) -> Result<Reconciled, Stop> {
        let began = self.begin().await?;
        let bans = self.decided(&[Action::Ban]).await?;
        let others = self.decided(&[Action::Mute, Action::Timeout]).await?;
        self.total = bans + others;
        if self.cursor.stage == Stage::Members {
            // The plan counts bans from the ban list alone; what is done begins with those who are there.
            let for_bans = self.cursor.resolve != Resolve::Show && self.is_worth_members(bans).await?;
            let seen = match others > 0 || for_bans {
                true => self.members(for_bans).await?,
                false => true,
            };
            let next = if seen { Stage::Bans } else { Stage::Unseen };
            (self.cursor.stage, self.cursor.after) = (next, None);
        }
        if self.cursor.stage == Stage::Unseen {
            if others > 0 {
                self.unseen().await?;
            }
            (self.cursor.stage, self.cursor.after) = (Stage::Bans, None);
        }
        if self.has_links(Action::Ban) {
            self.bans().await?;
        }
        self.retry_blocked().await?;
        self.tell_now().await;
        if self.kind == JobKind::Backfill {
            carried_out(&mut self.running, self.guild).await?;
        }
        self.end(began).await?;
        self.found
            .counts
            .sort_by_key(|counted| Difference::ALL.iter().position(|one| *one == counted.difference));
        Ok(self.found)
    }

    /// What is blocked in the guild is retried, and so is what the mains could not do in themselves: all of it where somebody
    /// has asked for that, and otherwise whoever ranked above the bot, since without the members intent nothing else tells
    /// that they do so no more.
    async fn retry_blocked(&self) -> Result<(), Stop> {
        let services = &self.running.services;
        let mut mains: Vec<GuildId> =
            LASTING.iter().flat_map(|measure| self.links(*measure)).map(|link| link.main).collect();
        mains.sort();
        mains.dedup();
        if self.cursor.resolve == Resolve::ByItself {
            std::iter::once(self.guild).chain(mains).for_each(|guild| self.engine.look_again(guild));
        } else if self.cursor.resolve == Resolve::All {
            let guild = self.guild;
            let read = move |view: &View<'_>| {
                let mut blocked = Vec::new();
                for main in mains {
                    blocked.extend(view.blocked_of(main, &[guild, main])?);
                }
                Ok(blocked)
            };
            let blocked = services.store().read(read).await?;
            self.engine.retry_recorded(blocked.iter().copied()).await;
            // Each counts as changed by this job, also where it stays as it is: `--wait` counts
            // what changed.
            let touch = move |change: &Change<'_>| {
                blocked.iter().try_for_each(|(_, id)| Ok(change.touch_delivery(*id)?))
            };
            services.store().write(touch).await?;
        }
        Ok(())
    }

    /// Tells how far it is.
    pub(super) async fn tell_now(&mut self) {
        let so_far = JobResult::Reconciled(self.found.clone());
        self.running.tell_now(self.cursor.done, Some(self.total), Some(so_far)).await;
    }

    /// Notes that somebody works at it. Returns when it began.
    async fn begin(&mut self) -> Result<Timestamp, Stop> {
        if self.kind == JobKind::Backfill {
            refuse_unlinked(&self.running, self.guild, self.cursor.main)?;
        }
        let (id, guild) = (self.running.id, self.guild);
        let read = move |view: &View<'_>| Ok((view.job(id)?, view.running_jobs(JobKind::Backfill, guild)?));
        let (job, backfills) = self.running.services.store().read(read).await?;
        if self.cursor.resolve == Resolve::ByItself && self.kind == JobKind::Reconcile {
            self.left_to_backfills = backfills.into_iter().filter_map(|job: Job| job.main_guild_id).collect();
        }
        self.cursor.begun_at_all = true;
        self.save().await?;
        Ok(job.map_or_else(|| self.running.services.clock().now(), |job| job.created_at))
    }

    /// Notes that the guild was compared, where it was with all that reaches it.
    async fn end(&mut self, began: Timestamp) -> Result<(), Stop> {
        let topology = self.running.services.store().topology();
        let whole = LASTING.iter().all(|measure| {
            let links = open_links(&topology, self.guild, *measure);
            links.iter().all(|link| self.cursor.main.is_none_or(|main| main == link.main))
        });
        let (guild, main, resolve) = (self.guild, self.cursor.main, self.cursor.resolve);
        if resolve == Resolve::Show {
            return Ok(());
        }
        let note = move |change: &Change<'_>| {
            if whole {
                change.note_reconciled(guild, began)?;
            }
            if resolve == Resolve::All && !change.is_locked(guild)? {
                // Somebody has wanted all of it: from now on the guild is kept so.
                for link in change.links_to(guild)?.into_iter().filter(|link| link.state == "active") {
                    let of_it = main.is_none_or(|main| main == link.main_guild_id);
                    if of_it && !change.is_locked(link.main_guild_id)? {
                        change.set_beginning(link.id, true)?;
                    }
                }
            }
            Ok(())
        };
        Ok(self.running.services.store().write(note).await?)
    }

    /// Whether the members are to be looked through for bans: many save requests and budget by it, and where that is short
    /// nobody who is there waits for it.
    async fn is_worth_members(&mut self, bans: u64) -> Result<bool, Stop> {
        Ok(bans > FEW || (bans > 0 && bans > super::throttle::budget_left(&self.running, self.guild).await?))
    }

    /// The links along which the measure is wanted here, as they are now.
    pub(super) fn links(&self, measure: Action) -> Vec<LinkRow> {
        let mut links = open_links(&self.running.services.store().topology(), self.guild, measure);
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
        let now = self.running.services.clock().now();
        let count = move |view: &View<'_>| {
            let one = |(main, measure): (GuildId, Action)| Ok(view.count_decided(main, measure, now)?);
            wanted.into_iter().map(one).sum::<Result<u64, Fault>>()
        };
        self.running.services.store().read(count).await
    }

    /// The members: whoever is there is dealt with first. Whether Discord lets us see them.
    async fn members(&mut self, bans: bool) -> Result<bool, Stop> {
        let guild = self.guild;
        let mute_role =
            self.running.services.store().read(move |view| Ok(view.config(guild)?.mute_role_id)).await?;
        let reader = self.reader();
        let measures: &[Action] = if bans { &LASTING } else { &[Action::Mute, Action::Timeout] };
        loop {
            let after = self.cursor.after;
            self.as_of = self.running.services.clock().now();
            let asked = pages::members(&mut self.running, guild, after, reader).await?;
            let Some(members) = asked else { return Ok(false) };
            let Some(up_to) = members.last().map(|member| member.user) else { return Ok(true) };
            let now = self.running.services.clock().now();
            let (page, stretch) =
                (Page::Members { members, mute_role, now }, Stretch { after, up_to: Some(up_to) });
            self.end_local_causes(stretch, &page).await?;
            self.sweep(measures, stretch, &page).await?;
        }
    }

    /// Mutes and timeouts where nobody tells who is there: what was never delivered is tried.
    async fn unseen(&mut self) -> Result<(), Stop> {
        let stretch = Stretch { after: self.cursor.after, up_to: None };
        self.sweep(&[Action::Mute, Action::Timeout], stretch, &Page::Unseen).await
    }

    /// The ban list.
    async fn bans(&mut self) -> Result<(), Stop> {
        let reader = self.reader();
        let mut unreadable = Unreadable::default();
        let before = self.found.unreadable;
        loop {
            let after = self.cursor.after;
            self.as_of = self.running.services.clock().now();
            let seen = unreadable.total();
            let page = pages::bans(&mut self.running, self.guild, after, reader, &mut unreadable).await?;
            let is_whole = unreadable.total() == seen;
            self.found.unreadable = before + unreadable.total();
            let page: Vec<UserId> = page.into_iter().map(|ban| ban.user).collect();
            // A short page proves nothing; an empty one is the end.
            let up_to = page.last().copied();
            let (page, stretch) = (Page::Bans(page), Stretch { after, up_to });
            // A ban that cannot be read is there all the same.
            if is_whole {
                self.end_local_causes(stretch, &page).await?;
            }
            self.sweep(&[Action::Ban], stretch, &page).await?;
            if up_to.is_none() {
                // A plan raises no alert: its result says it.
                if self.cursor.resolve != Resolve::Show {
                    unreadable.conclude(&self.running, self.guild, before).await;
                }
                return Ok(());
            }
        }
    }

    /// Goes through what is decided for those in the stretch, and leaves the cursor at its end.
    async fn sweep(&mut self, measures: &[Action], mut stretch: Stretch, page: &Page) -> Result<(), Stop> {
        loop {
            self.running.check()?;
            refuse_unlinked(&self.running, self.guild, self.cursor.main)?;
            let (chunk, end) = self.chunk(measures, stretch).await?;
            let up_to = end.or(stretch.up_to);
            self.step(chunk, Stretch { after: stretch.after, up_to }, page).await?;
            let so_far = JobResult::Reconciled(self.found.clone());
            self.running.tell(self.cursor.done, Some(self.total), Some(so_far)).await;
            match end {
                Some(end) => stretch.after = Some(end),
                None => return Ok(()),
            }
        }
    }

    /// The first decisions in the stretch, of all mains, in the order of users, and behind whom there may be more.
    async fn chunk(
        &self,
        measures: &[Action],
        stretch: Stretch,
    ) -> Result<(Vec<Wanted>, Option<UserId>), Stop> {
        let asked = matches!(self.cursor.resolve, Resolve::Show | Resolve::All);
        let of = |measure: Action| self.links(measure).into_iter().map(move |link| (link.main, measure));
        let sources: Vec<(GuildId, Action)> = measures.iter().copied().flat_map(of).collect();
        let guild = self.guild;
        let now = self.running.services.clock().now();
        let read = move |view: &View<'_>| {
            let mut wanted = Vec::new();
            // Up to where every main's decisions are complete.
            let mut end: Option<UserId> = None;
            for (main, measure) in sources {
                let decided = view.decided((main, guild), measure, stretch, now, CHUNK)?;
                if let Some((last, _)) = decided.last().filter(|_| decided.len() == CHUNK) {
                    end = Some(end.map_or(*last, |end| end.min(*last)));
                }
                let one = |(user, punishment)| Wanted { guild, user, measure, main, punishment, asked };
                wanted.extend(decided.into_iter().map(one));
            }
            wanted.retain(|one| end.is_none_or(|end| one.user <= end));
            wanted.sort_by_key(|one| (one.user, one.main));
            Ok((wanted, end))
        };
        Ok(self.running.services.store().read(read).await?)
    }

    /// Stores where it is; a plan is not gone on with.
    async fn save(&mut self) -> Result<(), Stop> {
        if self.cursor.resolve == Resolve::Show {
            return Ok(());
        }
        let (id, cursor) = (self.running.id, self.stored());
        self.running.services.store().write(move |change| Ok(change.save_job_cursor(id, &cursor)?)).await?;
        Ok(())
    }

    fn stored(&self) -> serde_json::Value {
        Cursor { found: Some(self.found.clone()), ..self.cursor.clone() }.to_json()
    }
}
