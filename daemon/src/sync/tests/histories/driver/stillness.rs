//! Until nothing moves any more.

use super::Driver;
use crate::store::{Decided, View};
use crate::testing::PATIENCE;
use std::time::{Duration, Instant};
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::value::HoldId;

impl Driver {
    /// Waits until nothing moves and nobody knows of anything more, and compares with the model.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.rest(deadline)?;
            if !self.pump() {
                break;
            }
        }
        self.check_effects()?;
        self.on_the_way.clear();
        self.deaths = 0;
        self.model.settled();
        self.kicks.settled();
        self.compare()
    }

    /// Waits until nothing is open but what is held; guilds in which something is blocked are mended.
    fn rest(&mut self, deadline: Instant) -> Result<(), String> {
        let systems = self.systems();
        let mut sequence = systems.services.store().sequence();
        loop {
            sequence.mark_unchanged();
            // Looked at first: what waits until somebody was told is no open delivery before that.
            let untold = systems.services.store().directs().borrow().holding;
            let topology = systems.services.store().topology();
            let look = move |view: &View<'_>| {
                let approved = |hold: &HoldId| {
                    let hold = view.hold(*hold).unwrap().unwrap();
                    let approved = matches!(hold.decided, Some((Decided::Approved, ..)));
                    approved && topology.freeze(hold.main).is_none()
                };
                let carried_out = !view.unfinished_holds()?.iter().any(approved);
                Ok((view.open_deliveries()?, carried_out))
            };
            let (mut open, carried_out) = self.wait(systems.services.store().read(look)).unwrap();
            open.retain(|one| match one.state {
                DeliveryState::Held => false,
                DeliveryState::Blocked => !self.may_be_blocked(one.guild, one.user),
                _ => true,
            });
            if open.is_empty() && untold == 0 && carried_out {
                break;
            }
            if Instant::now() > deadline {
                return Err(format!("lost: still open are {open:?}, {untold} wait until somebody was told"));
            }
            if untold == 0 && !open.is_empty() && open.iter().all(|one| one.state == DeliveryState::Blocked) {
                for fault in self.faults.drain(..) {
                    self.stage.sandbox.clear(fault);
                }
                open.iter().for_each(|one| systems.engine.mended(one.guild));
            }
            self.life().runtime.block_on(async {
                let _ = tokio::time::timeout(Duration::from_millis(100), sequence.changed()).await;
            });
        }
        self.wait(async {
            systems.engine.drain().await;
            systems.services.store().write(|_| Ok(())).await
        })
        .map_err(|fault| fault.to_string())
    }

    /// Everything comes to rest, once more after a start.
    pub(super) fn end(&mut self) -> Result<(), String> {
        self.settle()?;
        self.bring_all_within_reach()?;
        self.die();
        self.born();
        self.settle()?;
        self.die();
        Ok(())
    }
}
