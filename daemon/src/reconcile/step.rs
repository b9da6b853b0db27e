//! One step of a comparison: what is decided for the users in a stretch, how each stands, and what is done about it. What is
//! done leaves in lots, and each lot is a transaction with what was found in it and the place behind it: a kill at any moment
//! neither loses a user nor counts one twice.

use super::throttle::room;
use super::walk::{Page, Walk};
use super::{Cursor, Resolve, Stage};
use crate::discord::event::entry_kind;
use crate::jobs::Stop;
use crate::store::{Change, Footing, Pace, Stretch, View};
use crate::sync::desired::{TakenBack, Wanted, bring_about, compare};
use std::collections::{HashSet, VecDeque};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::reconcile::{Difference, Differing, Reconciled};
use wayhaven_shared::value::{DeliveryId, Timestamp, UserId};

/// How much earlier than our own mark an audit entry may seem to be, in milliseconds: the two clocks differ.
const CLOCKS_DIFFER: i64 = 60_000;

/// How long a guild's audit log reaches back, with a margin, in milliseconds: 45 days (FACTS A4).
const LOG_KEEPS: i64 = 44 * 86_400_000;

/// How somebody stands, and what follows.
#[derive(Clone, Copy, Debug)]
enum What {
    /// It is counted.
    Note(Difference),
    /// It is brought about.
    Do { there: Option<bool>, taken_back: TakenBack },
    /// It is not brought about because of a protection, and that is remembered.
    Remember { there: Option<bool> },
    /// An undo that a gate kept back is tried again, and judged as any undo is.
    Lift(DeliveryId),
}

impl What {
    fn makes_a_delivery(self) -> bool {
        matches!(self, Self::Do { .. } | Self::Lift(_))
    }
}

/// What was counted, and how many were looked at.
struct Tally {
    cursor: Cursor,
    found: Reconciled,
}

impl Tally {
    fn count(&mut self, wanted: &Wanted, difference: Difference) {
        let there = matches!(difference, Difference::OnItsWay | Difference::Blocked | Difference::InOrder);
        if self.cursor.stage == Stage::Bans && self.cursor.begun > 0 && there {
            // It was begun for a member, and counted then.
            self.cursor.begun -= 1;
            return;
        }
        self.found.note(differing(wanted, difference));
        self.cursor.done += u64::from(difference != Difference::Surplus);
    }
}

impl Walk {
    /// Deals with what is decided for the users in the stretch, and moves the cursor to its end.
    pub(super) async fn step(
        &mut self,
        chunk: Vec<Wanted>,
        stretch: Stretch,
        page: &Page,
    ) -> Result<(), Stop> {
        let known = chunk.into_iter().filter_map(|one| Some((one, page.tells(one.measure, one.user)?)));
        let mut items = self.judged(known.collect(), page).await?;
        let mut ours: HashSet<UserId> = HashSet::new();
        if let Page::Bans(banned) = page {
            let there = |user: &UserId| banned.binary_search(user).is_ok();
            ours.extend(items.iter().map(|(one, _)| one.user).filter(there));
            items.extend(self.surplus(stretch, &mut ours, there).await?);
            items.sort_by_key(|(one, _)| (one.user, one.main));
        }
        let pace = if self.cursor.stage == Stage::Bans { Pace::Budgeted } else { Pace::Behind };
        let (reader, mut rest) = (self.reader(), VecDeque::from(items));
        loop {
            let room = match rest.iter().any(|(_, what)| what.makes_a_delivery()) {
                true => room(&mut self.running, self.guild, pace, (reader, self.cursor.main)).await?,
                false => u64::MAX,
            };
            let lot = first(&mut rest, room);
            // Should it end here, it goes on with the first that was not in this lot.
            let up_to = match rest.front() {
                Some((next, _)) => UserId::new(next.user.get() - 1),
                None => stretch.up_to.or(UserId::new(i64::MAX as u64)),
            };
            let theirs = match page {
                Page::Bans(banned) => {
                    let within = |user: &&UserId| {
                        Some(**user) > self.cursor.after && up_to.is_none_or(|end| **user <= end)
                    };
                    banned.iter().filter(within).filter(|user| !ours.contains(user)).count() as u64
                }
                _ => 0,
            };
            self.commit(lot, up_to, theirs, pace).await?;
            if rest.is_empty() {
                return Ok(());
            }
            // Before it waits, for a day perhaps: whoever looks meanwhile sees what was done until then.
            self.tell_now().await;
        }
    }

    /// How each stands, and what is to be done about it.
    async fn judged(
        &mut self,
        known: Vec<(Wanted, Option<bool>)>,
        page: &Page,
    ) -> Result<Vec<(Wanted, What)>, Stop> {
        let topology = self.running.services.store().topology();
        let compare_all = move |view: &View<'_>| {
            let one = |(wanted, there): (Wanted, Option<bool>)| {
                Ok((wanted, there, compare(view, &topology, &wanted, there)?))
            };
            known.into_iter().map(one).collect::<Result<Vec<_>, Fault>>()
        };
        let compared = self.running.services.store().read(compare_all).await?;
        let mut judged = Vec::with_capacity(compared.len());
        for (wanted, there, difference) in compared {
            // Bans are counted where the ban list is read. Here those who are there only go first.
            let only_first = wanted.measure == Action::Ban && matches!(page, Page::Members { .. });
            if only_first && difference != Difference::Missing {
                continue;
            }
            let what = self.what(&wanted, there, difference).await?;
            if !only_first || what.makes_a_delivery() {
                judged.push((wanted, what));
            }
        }
        Ok(judged)
    }

    async fn what(
        &mut self,
        wanted: &Wanted,
        there: Option<bool>,
        difference: Difference,
    ) -> Result<What, Stop> {
        let resolve = self.cursor.resolve;
        let act = |taken_back| What::Do { there, taken_back };
        Ok(match difference {
            Difference::Gone => {
                let Some(by) = self.taken_back(wanted).await? else {
                    return Ok(What::Note(Difference::InOrder));
                };
                match (by, resolve) {
                    (TakenBack::ByNobody, Resolve::Show) => What::Note(Difference::Gone),
                    (TakenBack::ByStaff(..), Resolve::Show) => What::Note(Difference::Overridden),
                    (TakenBack::Unknown, Resolve::Show | Resolve::ByItself) => {
                        What::Note(Difference::Unclear)
                    }
                    // Somebody has seen that nobody can tell, and wants it back.
                    (TakenBack::Unknown, Resolve::All) => act(TakenBack::ByNobody),
                    _ => act(by),
                }
            }
            Difference::Missing if self.left_to_backfills.contains(&wanted.main) => {
                What::Note(Difference::Missing)
            }
            Difference::Protected if resolve != Resolve::Show => What::Remember { there },
            Difference::Missing | Difference::Found if resolve != Resolve::Show => act(TakenBack::Unknown),
            difference => What::Note(difference),
        })
    }

    /// Does what is to be done, counts what is found, and stores both with the place behind it.
    async fn commit(
        &mut self,
        lot: Vec<(Wanted, What)>,
        up_to: Option<UserId>,
        theirs: u64,
        pace: Pace,
    ) -> Result<(), Stop> {
        let mut tally = Tally { cursor: self.cursor.clone(), found: self.found.clone() };
        tally.cursor.after = up_to;
        tally.found.add(Difference::Theirs, theirs);
        let tally = if self.cursor.resolve == Resolve::Show {
            for (wanted, what) in lot {
                if let What::Note(difference) = what {
                    tally.count(&wanted, difference);
                }
            }
            tally
        } else {
            let (id, as_of) = (self.running.id, self.as_of);
            let apply = move |change: &Change<'_>| {
                let first = tally.cursor.stage == Stage::Members;
                for (wanted, what) in lot {
                    match what {
                        What::Note(difference) => tally.count(&wanted, difference),
                        What::Do { there, taken_back } => {
                            // What is shown may have been taken back while it was read, or be about to.
                            let of = (wanted.user, wanted.measure);
                            let is_taken_back = change.is_being_taken_back(wanted.guild, of, as_of)?;
                            let there = there.filter(|there| !(*there && is_taken_back));
                            let (difference, begun) = bring_about(change, &wanted, there, taken_back, pace)?;
                            // A member's ban that needs nothing any more is counted with the ban list.
                            let only_first = first && wanted.measure == Action::Ban;
                            if !only_first || begun.is_some() {
                                tally.count(&wanted, difference);
                                tally.cursor.begun += u64::from(only_first);
                            }
                        }
                        What::Remember { there } => {
                            let (difference, _) =
                                bring_about(change, &wanted, there, TakenBack::Unknown, pace)?;
                            tally.count(&wanted, difference);
                        }
                        What::Lift(delivery) => {
                            let of = (wanted.user, wanted.measure);
                            if change.make_undo_good(wanted.guild, wanted.main, of, delivery)? {
                                tally.count(&wanted, Difference::Surplus);
                            }
                        }
                    }
                }
                let stored = Cursor { found: Some(tally.found.clone()), ..tally.cursor.clone() };
                change.save_job_cursor(id, &stored.to_json())?;
                Ok(tally)
            };
            self.running.services.store().write(apply).await?
        };
        (self.cursor, self.found) = (tally.cursor, tally.found);
        Ok(())
    }

    /// What is ours and decided no more: undos that a gate has kept back.
    async fn surplus(
        &mut self,
        stretch: Stretch,
        ours: &mut HashSet<UserId>,
        there: impl Fn(&UserId) -> bool,
    ) -> Result<Vec<(Wanted, What)>, Stop> {
        let mut items = Vec::new();
        for link in self.links(Action::Ban) {
            let (guild, main) = (self.guild, link.main);
            let read = move |view: &View<'_>| Ok(view.undos_kept_back(guild, main, Action::Ban, stretch)?);
            let kept = self.running.services.store().read(read).await?;
            for (user, delivery, undo) in kept.into_iter().filter(|(user, ..)| there(user)) {
                if !ours.insert(user) {
                    continue;
                }
                let wanted =
                    Wanted { guild, user, measure: Action::Ban, main, punishment: undo, asked: true };
                let what = match self.cursor.lifts {
                    true => What::Lift(delivery),
                    false => What::Note(Difference::Surplus),
                };
                items.push((wanted, what));
            }
        }
        Ok(items)
    }

    /// Who took back what was delivered, by the guild's audit log; nothing where it was delivered after the page was asked
    /// for.
    async fn taken_back(&mut self, wanted: &Wanted) -> Result<Option<TakenBack>, Stop> {
        let (guild, user, punishment, measure) =
            (wanted.guild, wanted.user, wanted.punishment, wanted.measure);
        let services = self.running.services.clone();
        let footing = move |view: &View<'_>| Ok(view.footing(punishment, guild, measure)?);
        let Footing::Applied(_, at) = services.store().read(footing).await? else { return Ok(None) };
        if at > self.as_of {
            return Ok(None);
        }
        // Of what was done before the log begins, it can tell nothing.
        let begins = self.as_of.millis().saturating_sub(LOG_KEEPS);
        let kind = measure.undo().and_then(entry_kind).filter(|_| measure == Action::Ban);
        // A refusal that is foreseen is not asked for: Discord counts them (FACTS C1).
        let shown = services.directory().shows_log(guild) != Some(false);
        let (Some(kind), true) = (kind, shown && at.millis() > begins) else {
            return Ok(Some(TakenBack::Unknown));
        };
        let since = Timestamp::from_millis(at.millis().saturating_sub(CLOCKS_DIFFER));
        let asked = services.rest().audit_log_about(
            guild,
            kind,
            user,
            services.clock().skew().first_snowflake(since),
        );
        let entries = match self.running.unless_cancelled(asked).await? {
            Ok(Some(entries)) => entries,
            Ok(None) => return Ok(Some(TakenBack::Unknown)),
            Err(error) => {
                tracing::info!(%guild, "who took back a ban is not known: {}", error.reason());
                return Ok(Some(TakenBack::Unknown));
            }
        };
        let me = services.directory().me();
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
}

/// Takes the first items off, with so many deliveries among them at most.
fn first(rest: &mut VecDeque<(Wanted, What)>, room: u64) -> Vec<(Wanted, What)> {
    let (mut lot, mut left) = (Vec::new(), room);
    while let Some((_, what)) = rest.front() {
        let costs = u64::from(what.makes_a_delivery());
        if costs > left {
            break;
        }
        left -= costs;
        lot.extend(rest.pop_front());
    }
    lot
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
