//! What the deliveries of a main to its children wait for: the main's own step.
//!
//! A punishment that Wayhaven has to carry out in the main itself goes there first. Its children
//! wait (`awaited`) until Discord has answered: applied lets them go; *no such user* fails all of
//! them, and the punishment is in force nowhere; a refusal holds them (`refused`) until somebody
//! decides about the hold, or the main's own step is applied after all, by us or by hand. Trouble
//! that passes, as a limit or an outage, delays no child; where a refusal follows, it holds what
//! has not left by then. All of this is stored with the punishment, so that a restart goes on.

use super::{OPEN, RETURNED};
use crate::delivery::UNKNOWN_USER;
use crate::store::rows::{Sql, column};
use crate::store::{Change, Decided, HoldOf, Reached, Severity, StoreError, View};
use rusqlite::{OptionalExtension, params};
use wayhaven_shared::operations::hold::HoldKind;
use wayhaven_shared::operations::punishment::{Action, Delivery, DeliveryState, Origin, Punishment};
use wayhaven_shared::value::{DeliveryId, GuildId, HoldId, PunishmentId, Untrusted, UserId};

/// Why deliveries to children are held, or would be.
pub const ORIGIN_REFUSED: &str = "the main could not do it itself";

/// Why the main's own step is blocked where Discord has not refused it: the bot is not there.
pub const BOT_ABSENT: &str = "the bot is not in the guild";

/// How the reason of a ban ends that several have left for by one request and that is asked for once more alone: nothing is
/// known of it yet.
pub const TRIED_ALONE: &str = "it is tried by itself";

/// How many deliveries go on in the transaction that stores the main's own success.
const AT_ONCE: u16 = 300;

/// The alert about a main's own step that Discord refused.
const ALERT: &str = "origin_refused";

/// Why an alert about such a refusal is over.
pub(in crate::store) const NOTHING_REFUSED: &str = "the main has done it, or somebody has decided";

/// Not a delivery to a child that waits for the first answer to the main's own step.
pub(super) const NOT_AWAITED: &str = "NOT (d.scope = 'child' AND d.state = 'pending' AND d.action = d.measure
    AND EXISTS (SELECT 1 FROM punishments o WHERE o.event_id = d.punishment_id AND o.origin_step = 'awaited'))";

/// What the children of a punishment wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum OriginStep {
    /// The first answer to the main's own step.
    Awaited,
    /// The success of the main's own step, or a decision about the hold.
    Refused,
}

impl OriginStep {
    fn word(self) -> &'static str {
        match self {
            Self::Awaited => "awaited",
            Self::Refused => "refused",
        }
    }
}

impl View<'_> {
    /// What the children of a punishment wait for; nothing where they do not depend on the main's own step.
    pub(in crate::store) fn origin_step(&self, of: PunishmentId) -> Result<Option<OriginStep>, StoreError> {
        let sql = "SELECT origin_step FROM punishments WHERE event_id = ?1";
        let word: Option<String> =
            self.connection.prepare_cached(sql)?.query_row([Sql(of)], |row| row.get(0)).optional()?.flatten();
        Ok([OriginStep::Awaited, OriginStep::Refused]
            .into_iter()
            .find(|step| Some(step.word()) == word.as_deref()))
    }
}

impl View<'_> {
    /// Whether something of the main waits in a hold because the main could not carry it out
    /// itself, or has left for every child and is still not done in the main.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn has_refused_step(&self, main: GuildId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM holds h JOIN deliveries d ON d.hold_id = h.id AND d.state = 'held'
                    WHERE h.main_guild_id = ?1 AND h.kind = 'refused' AND h.decision IS NULL)
                OR EXISTS (SELECT 1 FROM punishments p
                    WHERE p.source_guild = ?1 AND p.origin_step = 'refused' AND p.status = 'active'
                      AND EXISTS (SELECT 1 FROM deliveries d WHERE d.punishment_id = p.event_id AND d.scope = 'child'
                           AND d.sent = 1)
                      AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.punishment_id = p.event_id
                           AND d.hold_id IS NOT NULL))";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(main)], |row| row.get(0))?)
    }
}

impl Change<'_> {
    /// The children of a punishment wait for the first answer to the main's own step. Who calls this sends only that step;
    /// the answer sends the others.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn await_origin(&self, of: PunishmentId) -> Result<(), StoreError> {
        self.set_origin_step(of, Some(OriginStep::Awaited))
    }

    fn set_origin_step(&self, of: PunishmentId, step: Option<OriginStep>) -> Result<(), StoreError> {
        let sql = "UPDATE punishments SET origin_step = ?2 WHERE event_id = ?1";
        self.connection().prepare_cached(sql)?.execute(params![Sql(of), step.map(OriginStep::word)])?;
        Ok(())
    }

    /// Lets the children of a punishment go without an answer to the main's own step: nothing can be sent to the main for
    /// now. Nothing where an answer has come.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn origin_stalls(&self, of: PunishmentId) -> Result<(), StoreError> {
        if self.end_waiting(of)? {
            let sql = "UPDATE punishments SET origin_stalled = 1 WHERE event_id = ?1";
            self.connection().prepare_cached(sql)?.execute([Sql(of)])?;
        }
        Ok(())
    }

    /// Ends the wait for the first answer, and what may be sent goes to the engine; whether it was
    /// waited for.
    fn end_waiting(&self, of: PunishmentId) -> Result<bool, StoreError> {
        if self.origin_step(of)? != Some(OriginStep::Awaited) {
            return Ok(false);
        }
        self.set_origin_step(of, None)?;
        for delivery in self.pending_deliveries_of(of)? {
            if matches!(delivery.scope, crate::delivery::Scope::Child(_)) {
                self.send_after_commit(delivery);
            }
        }
        Ok(true)
    }

    /// The main's own step is done or given up: a refusal that comes later, as of one that is made
    /// again, holds nothing.
    fn stalls_no_more(&self, of: PunishmentId) -> Result<(), StoreError> {
        let sql = "UPDATE punishments SET origin_stalled = 0 WHERE event_id = ?1 AND origin_stalled = 1";
        self.connection().prepare_cached(sql)?.execute([Sql(of)])?;
        Ok(())
    }

    /// Whether a refusal holds the children: they wait for the first answer, or were let go without
    /// one.
    fn begins_refused(&self, of: PunishmentId) -> Result<bool, StoreError> {
        let sql = "UPDATE punishments SET origin_step = 'refused', origin_stalled = 0
             WHERE event_id = ?1 AND (origin_step = 'awaited' OR (origin_step IS NULL AND origin_stalled = 1))";
        Ok(self.connection().prepare_cached(sql)?.execute([Sql(of)])? > 0)
    }

    /// What follows for the children from how the main's own step stands now.
    pub(super) fn follow_origin(&self, own: &Delivery) -> Result<(), StoreError> {
        if own.action.is_undo() || own.action == Action::Warn {
            return Ok(());
        }
        let of = own.punishment_id;
        let reason = own.reason.as_deref().unwrap_or_default();
        match own.state {
            DeliveryState::Applied => {
                self.end_waiting(of)?;
                self.stalls_no_more(of)?;
                self.done_in_main(own.guild_id, own.user_id, own.action)
            }
            DeliveryState::Failed if reason == UNKNOWN_USER => self.nobody_there(own),
            DeliveryState::Blocked if reason.ends_with(BOT_ABSENT) => self.origin_stalls(of),
            DeliveryState::Failed | DeliveryState::Blocked => self.origin_refused(own, reason),
            // Nothing was answered yet, or nothing about this user.
            DeliveryState::Pending if own.attempts == 0 || reason.ends_with(TRIED_ALONE) => Ok(()),
            DeliveryState::Sending | DeliveryState::Held => Ok(()),
            DeliveryState::Pending | DeliveryState::Unknown => self.origin_stalls(of),
            DeliveryState::Skipped | DeliveryState::Superseded => {
                self.end_waiting(of)?;
                self.stalls_no_more(of)
            }
        }
    }

    /// Discord knows no such user: the punishment fails everywhere, is in force nowhere, and counts in no budget.
    fn nobody_there(&self, own: &Delivery) -> Result<(), StoreError> {
        let of = own.punishment_id;
        let sql = "UPDATE punishments SET status = iif(status = 'active', 'failed', status), counted = 0, origin_step = NULL
             WHERE event_id = ?1";
        self.connection().prepare_cached(sql)?.execute([Sql(of)])?;
        if let Some(punishment) = self.punishment(of)? {
            self.restore_replaced(&punishment)?;
        }
        let sql = format!(
            "UPDATE deliveries SET state = 'failed', reason = ?2, updated_at = ?3
             WHERE punishment_id = ?1 AND scope = 'child' AND action = measure AND state IN {OPEN} RETURNING {RETURNED}"
        );
        self.update_and_tell(&sql, params![Sql(of), UNKNOWN_USER, self.now().millis()]).map(drop)
    }

    /// Discord has refused the main's own step: what has not left for the children is held.
    fn origin_refused(&self, own: &Delivery, reason: &str) -> Result<(), StoreError> {
        let of = own.punishment_id;
        if !self.begins_refused(of)? {
            return Ok(());
        }
        let Some(punishment) = self.punishment(of)? else { return Ok(()) };
        // What waits for another approval, or for room after one, goes on as that hold does.
        let sql = format!(
            "SELECT d.delivery_id FROM deliveries d LEFT JOIN holds h ON h.id = d.hold_id
              WHERE d.punishment_id = ?1 AND d.scope = 'child' AND d.action = d.measure AND d.state IN {OPEN}
                AND d.sent = 0 AND (h.id IS NULL OR h.decision = 'approved') ORDER BY d.delivery_id"
        );
        let mut statement = self.connection().prepare_cached(&sql)?;
        let rows = statement.query_map([Sql(of)], |row| column(row, "delivery_id"))?;
        let waiting: Vec<DeliveryId> = rows.collect::<Result<_, _>>()?;
        let hold = match waiting.is_empty() {
            true => None,
            false => Some(self.hold_refused(&punishment, &waiting)?),
        };
        let sql = "SELECT count(*) FROM deliveries WHERE punishment_id = ?1 AND scope = 'child' AND action = measure AND sent = 1";
        let gone: u32 = self.connection().prepare_cached(sql)?.query_row([Sql(of)], |row| row.get(0))?;
        self.tell_of_refusal(&punishment, reason, hold, (waiting.len(), gone))
    }

    /// Puts deliveries of a punishment that the main could not carry out into their hold.
    pub(super) fn hold_refused(
        &self,
        punishment: &Punishment,
        deliveries: &[DeliveryId],
    ) -> Result<HoldId, StoreError> {
        let hold = self.refused_hold(punishment)?;
        let why = held_reason(hold);
        let sql = format!(
            "UPDATE deliveries SET state = 'held', reason = ?2, hold_id = ?3, updated_at = ?4
             WHERE delivery_id = ?1 AND state IN {OPEN} RETURNING {RETURNED}"
        );
        for id in deliveries {
            self.update_and_tell(&sql, params![Sql(*id), why, Sql(hold), self.now().millis()])?;
        }
        Ok(hold)
    }

    /// The open hold of what a main could not carry out itself and this moderator decided, or those without one of the same
    /// origin.
    pub(in crate::store) fn refused_hold(&self, punishment: &Punishment) -> Result<HoldId, StoreError> {
        let by = (punishment.moderator_id, punishment.because);
        let of = self.hold_owner(HoldKind::Refused, punishment.guild_id, by, punishment.origin)?;
        Ok(self.open_hold(of)?.id)
    }

    fn tell_of_refusal(
        &self,
        punishment: &Punishment,
        reason: &str,
        hold: Option<HoldId>,
        (held, gone): (usize, u32),
    ) -> Result<(), StoreError> {
        let Punishment { id, action, guild_id: main, user_id: user, .. } = *punishment;
        let mut what = format!("main {main} could not {action} user {user} (#{id}): {reason}");
        if gone > 0 {
            what.push_str(&format!(
                ". {gone} deliveries to children had been sent before Discord refused it"
            ));
        }
        let details = match hold {
            None => what,
            Some(hold) => format!(
                "{what}. {held} deliveries to children are held in hold {hold}: `wayhaven sync approve {hold} --guild \
                 {main}` sends them, `wayhaven sync discard {hold} --guild {main}` drops them. They are sent without a \
                 decision once the main's own {action} is applied"
            ),
        };
        self.alert(ALERT, Severity::High, Some(main), Some(user), &details)
    }

    /// The measure stands in the main now, by us or by hand: what was refused before, and is held
    /// because of that, goes on.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn done_in_main(&self, main: GuildId, user: UserId, action: Action) -> Result<(), StoreError> {
        let sql =
            "SELECT event_id FROM punishments WHERE target_user = ?2 AND source_guild = ?1 AND measure = ?3
             AND action = measure AND origin_step = 'refused'";
        let mut statement = self.connection().prepare_cached(sql)?;
        let values = params![Sql(main), Sql(user), action.measure().word()];
        let refused = statement.query_map(values, |row| column(row, "event_id"))?;
        let refused: Vec<PunishmentId> = refused.collect::<Result<_, _>>()?;
        refused.into_iter().try_for_each(|of| self.resume_refused(of, main))
    }

    fn resume_refused(&self, of: PunishmentId, main: GuildId) -> Result<(), StoreError> {
        self.set_origin_step(of, None)?;
        let undecided = "state IN ('held', 'superseded')
             AND hold_id IN (SELECT id FROM holds WHERE kind = 'refused' AND decision IS NULL)";
        let sql =
            format!("SELECT EXISTS (SELECT 1 FROM deliveries WHERE punishment_id = ?1 AND {undecided})");
        if self.connection().prepare_cached(&sql)?.query_row([Sql(of)], |row| row.get(0))? {
            // A hold is decided as a whole, and may keep back others: what goes on passes to an
            // approved one of its own. So does what something newer has taken the place of: nothing
            // keeps it back when that is reverted.
            let origin = Some(Origin::System);
            let hold =
                self.open_approved_hold(HoldOf { main, kind: HoldKind::Refused, moderator: None, origin })?;
            let sql = format!("UPDATE deliveries SET hold_id = ?2 WHERE punishment_id = ?1 AND {undecided}");
            self.connection().prepare_cached(&sql)?.execute(params![Sql(of), Sql(hold)])?;
            // What finds no room in its guild follows as with every approved hold.
            self.carry_out_hold(hold, Reached::default(), AT_ONCE)?;
        }
        self.resolve_refusals(main)
    }

    /// Takes the alert off the list once nothing of the main is refused any more.
    pub(in crate::store) fn resolve_refusals(&self, main: GuildId) -> Result<(), StoreError> {
        match self.has_refused_step(main)? {
            true => Ok(()),
            false => {
                let note = Untrusted::clipped(NOTHING_REFUSED);
                self.resolve_alerts(ALERT, main, "wayhaven", &note)
            }
        }
    }

    /// Somebody has approved what a hold of this kind keeps back: it does not wait for the main's own step any more.
    pub(in crate::store) fn approve_refused(&self, hold: HoldId, decided: Decided) -> Result<(), StoreError> {
        if decided == Decided::Approved {
            let sql =
                "UPDATE punishments SET origin_step = NULL WHERE origin_step = 'refused' AND event_id IN
                 (SELECT punishment_id FROM deliveries WHERE hold_id = ?1 AND state = 'held')";
            self.connection().prepare_cached(sql)?.execute([Sql(hold)])?;
        }
        Ok(())
    }
}

/// Why a delivery is held.
fn held_reason(hold: HoldId) -> String {
    format!("{ORIGIN_REFUSED}: hold {hold} waits for a decision")
}
