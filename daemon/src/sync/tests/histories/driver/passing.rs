//! What ends by itself, and what is reverted by its number.

use super::super::model::{BOT, CASES, Case, Guild};
use super::acts::action;
use super::{Decision, Driver};
use crate::pipeline;
use crate::store::NewPunishment;
use crate::surfaces::schedule::Schedule;
use crate::sync::record::{AtOrigin, record};
use crate::tasks::run_alone;
use crate::testing::{by_operator, confirmed, guild as guild_id, user as user_id};
use std::time::Duration;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::mute::Mute;
use wayhaven_shared::operations::punishment::{Action, Origin};
use wayhaven_shared::operations::reversal::PunishmentRevert;
use wayhaven_shared::value::{PunishmentId, Span, Timestamp};

impl Driver {
    pub(super) fn brief(&mut self, main: Guild, case: Case) -> Result<(), String> {
        if self.model.protects(main, case) {
            // The command is refused.
            return Ok(());
        }
        let (user, span) = (user_id(self.whom(case)), "1d".parse().ok());
        let request: Request = match CASES[case].1 {
            Action::Mute => Mute { user, span, reason: None, evidence: None }.into(),
            _ => Ban { span, ..Ban::new(user) }.into(),
        };
        let before = self.latest_delivery();
        if self.ask(main, self.whom(case), action(case, true), request)? {
            let hold = self.held_since(before, main, Some((case, true)))?;
            self.model.decide(main, case, true, false, hold);
            self.model.ends_by_itself(main, case, false);
        }
        Ok(())
    }

    /// What follows a warning, for two days: the daemon has decided it by itself.
    pub(super) fn escalate(&mut self, main: Guild, case: Case) -> Result<(), String> {
        if self.model.protects(main, case) || self.model.outlasts_in_part(main, case) {
            // It is refused, or what it does in a child hangs on what is kept from there.
            return Ok(());
        }
        let (before, at, whom) = (self.latest_delivery(), self.stage.requests(), self.whom(case));
        let (guild, user, measure) = (guild_id(self.id(main)), user_id(whom), CASES[case].1);
        let mut new = NewPunishment::new(guild, user, measure, Origin::System);
        new.of_bot = case == BOT;
        // Later than everything brief, and than any that came before it.
        let end = self.systems().services.clock().now() + "2d".parse::<Span>().unwrap();
        new.expires_at = Some(Timestamp::from_millis(end.millis() + before * 1_000));
        self.change(move |change| record(change, &new, AtOrigin::ToDo).map(drop));
        if self.model.outlasts(main, case) {
            // No request may come of it, which `check_effects` sees to.
            self.model.kept(main, case);
            return Ok(());
        }
        self.decisions.push(Decision { source: main, user: whom, action: action(case, true), at });
        let hold = self.held_since(before, main, Some((case, true)))?;
        self.model.decide(main, case, true, false, hold);
        self.model.ends_by_itself(main, case, true);
        Ok(())
    }

    /// A day goes by for everything brief, and the scheduler does what is due; perhaps it is killed in the middle of it.
    pub(super) fn time_passes(&mut self) -> Result<(), String> {
        self.settle()?;
        self.change(|change| {
            change.raw(
                "UPDATE punishments SET expires_at = 1 WHERE measure IN ('ban', 'mute') AND expires_at > 1",
            )
        });
        let at = self.stage.requests();
        for (source, case) in self.model.time_passes() {
            let (user, action) = (self.whom(case), action(case, false));
            self.decisions.push(Decision { source, user, action, at });
        }
        let keep = || {
            run_alone(
                self.systems().services.clone(),
                Schedule::new(self.systems(), Duration::from_millis(1)),
            )
        };
        let scheduler = self.life().runtime.spawn(keep());
        if self.dice.below(3) == 0 {
            let turns = self.dice.below(60);
            self.turn(turns);
            self.die();
            self.born();
            drop(self.life().runtime.spawn(run_alone(
                self.systems().services.clone(),
                Schedule::new(self.systems(), Duration::from_millis(1)),
            )));
        }
        self.until(|systems, view| view.ended(systems.services.clock().now(), None, 1).unwrap().is_empty());
        scheduler.abort();
        self.settle()
    }

    pub(super) fn revert(&mut self, main: Guild, case: Case) -> Result<(), String> {
        let (guild, user, measure) = (guild_id(self.id(main)), user_id(self.whom(case)), CASES[case].1);
        // No hold on the daemon is kept: it may be killed below, and a store lives as long as somebody has it.
        let store = self.systems().services.store().clone();
        let found = self.wait(store.read(move |view| {
            let all = view.punishments(Some(guild), Some(user), None, 500)?;
            let mut found: Vec<PunishmentId> = Vec::new();
            for one in all.into_iter().filter(|one| one.action == measure) {
                // What a shorter one has replaced stands again once that is reverted.
                if one.status == "active" || view.is_replaced(one.id)? {
                    found.push(one.id);
                }
            }
            Ok(found)
        }));
        drop(store);
        let found = found.unwrap();
        if found.len() != self.model.active(main, case) {
            return Err(format!(
                "{} active {measure} in main {main}, and not {found:?}",
                self.model.active(main, case)
            ));
        }
        let Some(last) = found.first().copied() else { return Ok(()) };
        let before = self.latest_delivery();
        let request = PunishmentRevert {
            punishments: vec![last],
            moderator: None,
            operator: None,
            since: None,
            reason: None,
        };
        if found.len() == 1 {
            if self.ask(main, self.whom(case), action(case, false), request.into())? {
                let hold = self.held_since(before, main, None)?;
                self.model.revert(main, case, hold);
            }
            return Ok(());
        }
        // Others remain, so that it is taken back only where those were not approved: no kill in the middle of it, which could
        // not be told from none.
        let (user, action, at) = (self.whom(case), action(case, false), self.stage.requests());
        self.decisions.push(Decision { source: main, user, action, at });
        let asked = confirmed(by_operator(Role::Owner, Some(self.id(main)), request.into()));
        self.wait(pipeline::run(self.systems(), asked)).map_err(|fault| format!("refused: {fault}"))?;
        let hold = self.held_since(before, main, None)?;
        self.model.revert(main, case, hold);
        Ok(())
    }
}
