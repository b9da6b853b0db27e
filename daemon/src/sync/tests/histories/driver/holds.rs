//! What waits for approval, and who decides about it; comparisons of children with what is decided.

use super::super::model::{CHILDREN, Case, Guild, MAINS, needs_approval};
use super::super::tally::count;
use super::Driver;
use crate::discord::accounts::Kind;
use crate::network::{Budget, Budgets};
use crate::pipeline;
use crate::testing::{by_operator, confirmed, guild as guild_id, user as user_id};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::Reply;
use wayhaven_shared::operations::hold::{HoldKind, SyncApprove, SyncDiscard};
use wayhaven_shared::operations::job::JobState;
use wayhaven_shared::operations::reconcile::SyncReconcile;
use wayhaven_shared::operations::setup::SecurityLevel;
use wayhaven_shared::value::HoldId;

/// Longer than any history, so that nothing hangs on how fast it is played.
const WINDOW: u32 = 3_600;

/// So little that most of these histories go beyond it.
pub(super) const SCARCE: Budgets =
    Budgets { moderator: Budget { most: 3, seconds: WINDOW }, network: Budget { most: 4, seconds: WINDOW } };

impl Driver {
    /// The last delivery that was stored.
    pub(super) fn latest_delivery(&self) -> i64 {
        let systems = self.systems();
        self.wait(systems.services.store().read(|view| Ok(view.latest_delivery()?))).unwrap()
    }

    /// The hold in which what the main has decided since then waits. Whether there has to be one is known where its level, or
    /// what was propagated before, leaves no doubt. `what` is nothing of what counts towards no budget, or may reach nobody.
    pub(super) fn held_since(
        &mut self,
        before: i64,
        main: Guild,
        what: Option<(Case, bool)>,
    ) -> Result<Option<u64>, String> {
        let systems = self.systems();
        let source = guild_id(self.id(main));
        let hold = self
            .wait(systems.services.store().read(move |view| Ok(view.hold_since(before, source)?)))
            .unwrap();
        if !MAINS.contains(&main) {
            return hold.map_or(Ok(None), |_| Err("what is decided in no main is held".to_owned()));
        }
        let is_reached = |child: &Guild| {
            let protected =
                what.is_some_and(|(case, on)| on && self.model.is_known_protected(main, *child, case));
            self.model.would_be_open(main, *child) && !protected
        };
        let reached: Vec<Guild> = CHILDREN.filter(is_reached).collect();
        let (least, most) = match what {
            None => (false, !reached.is_empty()),
            Some((case, on)) => {
                let certain = |child: &&Guild| !on || self.model.applies(**child, case) == Some(true);
                let possible = |child: &&Guild| !on || self.model.applies(**child, case) != Some(false);
                (reached.iter().any(|child| certain(&child)), reached.iter().any(|child| possible(&child)))
            }
        };
        let (at_least, at_most) = self.spent[main];
        let maximum = self.model.maximum.contains(&main);
        let always = maximum || what.is_some_and(|(case, on)| needs_approval(case, on));
        let must = least && (always || (self.scarce && at_least >= SCARCE.network.most));
        let may = most && (always || (self.scarce && at_most >= SCARCE.moderator.most));
        let untold = self.is_untold(what);
        let (must, may) = (must && (maximum || !untold), may || (most && untold));
        if must && hold.is_none() {
            return Err("what needs approval is not held".to_owned());
        }
        if !may && hold.is_some() {
            return Err(format!("held without need: {at_most} were propagated at most"));
        }
        if hold.is_some() && what.is_some_and(|(case, on)| needs_approval(case, on)) {
            count("the ban of a bot was held");
        }
        let spent = &mut self.spent[main];
        spent.0 += u32::from(least);
        spent.1 += u32::from(most);
        Ok(hold)
    }

    /// Whether Discord has not told in time whose account it is: a kick, mute or timeout by hand is
    /// held then, and nothing else is held because of a bot.
    fn is_untold(&self, what: Option<(Case, bool)>) -> bool {
        what.is_some_and(|(case, on)| {
            let kind = self.systems().services.directory().accounts().kind(user_id(self.whom(case)));
            on && kind == Some(Kind::Untold)
        })
    }

    pub(super) fn level(&mut self, main: Guild, maximum: bool) {
        let id = guild_id(self.id(main));
        let level = if maximum { SecurityLevel::Maximum } else { SecurityLevel::Standard };
        self.change(move |change| change.set_security_level(id, level).map(drop));
        self.model.level(main, maximum);
    }

    /// An operator decides about what waits; perhaps the daemon is killed in the middle of it, and goes on with it.
    pub(super) fn decide_holds(&mut self, main: Guild, all: bool, approve: bool) -> Result<(), String> {
        let (of, systems) = (guild_id(self.id(main)), self.systems());
        let look = |driver: &Self| {
            let systems = driver.systems();
            driver.wait(systems.services.store().read(move |view| Ok(view.open_holds(Some(of))?))).unwrap()
        };
        drop(systems);
        let mut open = look(self);
        if open.iter().any(|hold| hold.kind == HoldKind::Refused) {
            // What a main could not do itself goes on once it can: nobody decides about it before.
            self.settle()?;
            open = look(self);
        }
        if open.iter().any(|hold| hold.kind == HoldKind::Refused) {
            self.bring_all_within_reach()?;
            open = look(self);
        }
        let of_bots: Vec<HoldId> =
            open.iter().filter(|hold| hold.kind == HoldKind::Bot).map(|hold| hold.id).collect();
        let mut holds: Vec<HoldId> = open.into_iter().map(|hold| hold.id).collect();
        if !all {
            holds = holds.split_off(holds.len().saturating_sub(1));
        }
        let Some(newest) = holds.last().copied() else { return Ok(()) };
        let id = (!all).then_some(newest);
        let request = match approve {
            true => SyncApprove { id, all }.into(),
            false => SyncDiscard { id, all }.into(),
        };
        let asked = confirmed(by_operator(Role::Owner, Some(self.id(main)), request));
        let asked = pipeline::run(self.systems(), asked);
        if self.dice.below(4) == 0 {
            let turns = self.dice.below(60);
            self.life().runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = asked => {}
                    () = async { for _ in 0..turns { tokio::task::yield_now().await } } => {}
                }
            });
            self.die();
            self.born();
        } else {
            self.wait(asked).map_err(|fault| format!("refused: {fault}"))?;
        }
        for hold in holds {
            let systems = self.systems();
            let row = self.wait(systems.services.store().read(move |view| Ok(view.hold(hold)?))).unwrap();
            drop(systems);
            if row.is_none_or(|row| row.decided.is_none()) {
                continue;
            }
            // What is decided reaches everything by itself.
            self.until(move |_, view| !view.unfinished_holds().unwrap().contains(&hold));
            if of_bots.contains(&hold) {
                count(if approve { "bans of bots were approved" } else { "bans of bots were discarded" });
            }
            self.model.decided(hold.get(), approve);
            for link in self.kicks.decided(hold.get(), approve) {
                let frozen = self.model.frozen.contains(&link.0);
                self.kicks.arrives(link, self.model.is_open(link.0, link.1), frozen);
            }
        }
        Ok(())
    }

    /// Everything has come to rest before: what is on its way while a list is read is another test's.
    pub(super) fn reconcile(&mut self, main: Guild, child: Guild) -> Result<(), String> {
        self.settle()?;
        if !self.model.link(main, child).active {
            return Ok(());
        }
        let request = SyncReconcile { child: Some(guild_id(self.id(child))), apply: true };
        let asked = by_operator(Role::Owner, Some(self.id(main)), request.into());
        let reply = self.wait(pipeline::run(self.systems(), confirmed(asked)));
        let Reply::SyncReconcile(reply) = reply.map_err(|fault| format!("refused: {fault}"))? else {
            return Err("another reply".to_owned());
        };
        for id in reply.jobs.into_iter().map(|job| job.id) {
            self.until(move |_, view| !view.job(id).unwrap().unwrap().is_running());
            let systems = self.systems();
            let job = self.wait(systems.services.store().read(move |view| Ok(view.job(id)?))).unwrap();
            if let Some(job) = job.filter(|job| job.state != JobState::Done) {
                return Err(format!("the comparison was not done: {job:?}"));
            }
        }
        self.model.reconciled(main, child);
        self.settle()
    }
}
