//! What an exception makes of deliveries: those that are open meet its gate, what stands is taken back where that was asked
//! for, and where it ends they apply again.

use super::provenance::{below, standing};
use super::{OPEN, QUEUED, RETURNED, queued};
use crate::delivery::Scope;
use crate::network::{Topology, authorise_for, permit_for};
use crate::store::holds::Decided;
use crate::store::rows::{Sql, column, word};
use crate::store::{Change, Judged, Settlement, StoreError, View};
use rusqlite::{OptionalExtension, Row, named_params, params};
use wayhaven_shared::operations::exception::Before;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Punishment};
use wayhaven_shared::value::{DeliveryId, GuildId, LinkId, PunishmentId, UserId};

/// Why nothing is taken back yet: what may have left is known first.
const ON_ITS_WAY: &str = "once what is on its way there has come back";

/// Why an undo that an exception asked for is not carried out.
pub(super) const HAS_ENDED: &str = "the exception has ended";

/// What stands in a guild because of a main, and what to do about it.
struct Carrier {
    punishment: PunishmentId,
    link: LinkId,
    source: GuildId,
}

/// An open delivery that an exception stops.
#[derive(Clone, Copy, Debug)]
pub struct Stopped {
    /// Which.
    pub delivery: DeliveryId,
    /// How it stood.
    pub state: DeliveryState,
}

impl View<'_> {
    /// The open deliveries of a measure for the user that mains have decided.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn open_for(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
    ) -> Result<Vec<Stopped>, StoreError> {
        let sql = format!(
            "SELECT delivery_id, state FROM deliveries WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3
                AND action = measure AND scope = 'child' AND state IN {OPEN} ORDER BY delivery_id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![Sql(guild), Sql(user), measure.word()], |row| {
            let state = word(row, "state", DeliveryState::from_word)?;
            Ok(Stopped { delivery: column(row, "delivery_id")?, state })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether a request of the delivery has left, or may have: what was open when the daemon died counts too.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn may_have_left(&self, id: DeliveryId) -> Result<bool, StoreError> {
        let sql = "SELECT sent = 1 OR state IN ('unknown', 'sending') FROM deliveries WHERE delivery_id = ?1";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(id)], |row| row.get(0))?)
    }

    /// Why a delivery stands as it does, where that was said.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn delivery_reason(&self, id: DeliveryId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT reason FROM deliveries WHERE delivery_id = ?1";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(id)], |row| row.get(0))?)
    }

    /// Whether what a delivery did stands, as far as is known.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn stands(
        &self,
        delivery: DeliveryId,
        guild: GuildId,
        user: UserId,
        measure: Action,
    ) -> Result<bool, StoreError> {
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {} AND d.delivery_id = :id)", standing());
        let values = named_params! {
            ":guild": Sql(guild), ":user": Sql(user), ":measure": measure.word(), ":before": below(None),
            ":now": self.now().millis(), ":id": Sql(delivery),
        };
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?)
    }

    /// How the undo stands that is open for what mains have done to the user there.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn open_undo(
        &self,
        guild: GuildId,
        user: UserId,
        measure: Action,
    ) -> Result<Option<(DeliveryState, Option<String>)>, StoreError> {
        let sql = format!(
            "SELECT state, reason FROM deliveries WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3
                AND action <> measure AND scope = 'child' AND state IN {OPEN} ORDER BY delivery_id DESC LIMIT 1"
        );
        let read = |row: &Row<'_>| Ok((word(row, "state", DeliveryState::from_word)?, row.get("reason")?));
        let values = params![Sql(guild), Sql(user), measure.word()];
        Ok(self.connection.prepare_cached(&sql)?.query_row(values, read).optional()?)
    }

    /// What becomes of what mains have done to the user there, where it is to be taken back or where nobody asks for that.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn foresee_lift(
        &self,
        topology: &Topology,
        guild: GuildId,
        user: UserId,
        measure: Action,
        lift: bool,
    ) -> Result<Before, StoreError> {
        Ok(self.plan_lift(topology, guild, user, measure, lift)?.0)
    }

    fn plan_lift(
        &self,
        topology: &Topology,
        guild: GuildId,
        user: UserId,
        measure: Action,
        lift: bool,
    ) -> Result<(Before, Option<Carrier>), StoreError> {
        let undo = measure.undo().unwrap_or(measure);
        if let Some((state, reason)) = self.open_undo(guild, user, measure)? {
            return Ok((Before::Lifted { state, reason }, None));
        }
        let carriers = self.carriers(guild, user, measure)?;
        if carriers.is_empty() {
            return Ok((Before::Nothing, None));
        }
        if !lift {
            return Ok((Before::Stays, None));
        }
        let mut refused = None;
        for carrier in carriers {
            if topology.link(carrier.source, guild).is_none_or(|link| link.id != carrier.link) {
                continue;
            }
            let (state, reason) = match authorise_for(topology, carrier.source, guild, undo, user) {
                Ok(_) => (DeliveryState::Pending, None),
                Err(refusal) if refusal.state() == DeliveryState::Held => {
                    (DeliveryState::Held, Some(refusal.to_string()))
                }
                Err(refusal) => {
                    refused.get_or_insert_with(|| refusal.to_string());
                    continue;
                }
            };
            if let Judged::Leave(reason) = self.judge_lift(guild, user, carrier.source, measure)? {
                return Ok((Before::Kept { reason }, None));
            }
            if !self.open_for(guild, user, measure)?.is_empty() {
                let reason = Some(ON_ITS_WAY.to_owned());
                return Ok((Before::Lifted { state: DeliveryState::Pending, reason }, None));
            }
            return Ok((Before::Lifted { state, reason }, Some(carrier)));
        }
        let reason = refused.unwrap_or_else(|| "the link by which it came is closed".to_owned());
        Ok((Before::Kept { reason }, None))
    }

    /// What has done what stands there, and may be taken back along the link by which it came, the newest first.
    fn carriers(&self, guild: GuildId, user: UserId, measure: Action) -> Result<Vec<Carrier>, StoreError> {
        let sql = format!(
            "SELECT d.punishment_id, d.link_id, p.source_guild FROM {}
                AND d.scope = 'child' AND d.state NOT IN {OPEN} ORDER BY d.delivery_id DESC",
            standing()
        );
        let values = named_params! {
            ":guild": Sql(guild), ":user": Sql(user), ":measure": measure.word(), ":before": below(None),
            ":now": self.now().millis(),
        };
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(values, |row| {
            Ok(Carrier {
                punishment: column(row, "punishment_id")?,
                link: column(row, "link_id")?,
                source: column(row, "source_guild")?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether the undo takes something back in one guild alone along a link that is active: nothing but an exception asks
    /// for that while its punishment is in force.
    pub(super) fn is_for_an_exception(&self, undo: DeliveryId) -> Result<bool, StoreError> {
        let sql =
            "SELECT EXISTS (SELECT 1 FROM deliveries d JOIN punishments p ON p.event_id = d.punishment_id
              JOIN guild_relationships r ON r.id = d.link_id AND r.state = 'active'
             WHERE d.delivery_id = ?1 AND d.action <> d.measure AND p.action = d.measure AND p.status = 'active')";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(undo)], |row| row.get(0))?)
    }

    /// The main's punishment of a measure of the user that is active and lasts longest, of those that no protection keeps from
    /// the child.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn in_force(
        &self,
        main: GuildId,
        child: GuildId,
        user: UserId,
        measure: Action,
    ) -> Result<Option<Punishment>, StoreError> {
        for one in self.overlapping(main, user, measure, self.now())?.into_iter().rev() {
            if !self.is_kept_from(one.id, child)? {
                return self.punishment(one.id);
            }
        }
        Ok(None)
    }
}

impl Change<'_> {
    /// Takes back what mains have done to the user there, where the guild's exception asks for it. What may still be on its
    /// way is waited for: this is asked again when it has ended.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn lift_excepted(&self, guild: GuildId, user: UserId, measure: Action) -> Result<Before, StoreError> {
        let topology = self.topology_here()?;
        let lift = topology.excepts(guild, user, measure).is_some_and(|excepted| excepted.lift);
        let (before, carrier) = self.plan_lift(&topology, guild, user, measure, lift)?;
        if let (Before::Lifted { state, reason }, Some(carrier)) = (&before, carrier)
            && let Some(punishment) = self.punishment(carrier.punishment)?
            && let Some(undo) = measure.undo()
        {
            let (state, why) = (*state, reason.as_deref());
            match self.stand(punishment.id, guild, undo)? {
                None => {
                    let scope = Scope::Child(carrier.link);
                    let id = self.insert_action(&punishment, undo, guild, scope, (state, why))?;
                    if state == DeliveryState::Pending {
                        self.queue(id)?;
                    }
                }
                // Of an earlier exception, or an earlier time when the link closed.
                Some(stand) => self.apply_again(stand.id, state, why).map(drop)?,
            }
        }
        Ok(before)
    }

    /// A delivery has ended, or is known to have been carried out: where it was on its way when an exception came that takes
    /// back what was done, it is taken back now.
    pub(super) fn follow_exception(&self, id: DeliveryId) -> Result<(), StoreError> {
        let topology = self.topology_here()?;
        if !topology.has_exceptions() {
            return Ok(());
        }
        let sql = "SELECT guild_id, target_user, measure FROM deliveries
             WHERE delivery_id = ?1 AND scope = 'child' AND action = measure";
        let read = |row: &Row<'_>| {
            let measure = word(row, "measure", Action::from_word)?;
            Ok((column(row, "guild_id")?, column(row, "target_user")?, measure))
        };
        let of: Option<(GuildId, UserId, Action)> =
            self.connection().prepare_cached(sql)?.query_row([Sql(id)], read).optional()?;
        match of {
            Some((guild, user, measure))
                if topology.excepts(guild, user, measure).is_some_and(|excepted| excepted.lift) =>
            {
                self.lift_excepted(guild, user, measure).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// What waits for somebody's approval meets the gates without it: an approval that comes later finds nothing to send.
    /// Whether it waited for that.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn stop_held(&self, id: DeliveryId) -> Result<bool, StoreError> {
        if self.hold_of(id)?.is_none_or(|(_, decided)| decided == Some(Decided::Approved)) {
            return Ok(false);
        }
        let sql = format!("SELECT {QUEUED} WHERE d.delivery_id = ?1");
        let delivery = self.connection().prepare_cached(&sql)?.query_row([Sql(id)], queued)?;
        let refusal = permit_for(&*self.topology_here()?, &delivery).err();
        if let Some(refusal) = refusal.filter(|refusal| !refusal.is_waited_for()) {
            let (state, reason) = (refusal.state(), Some(refusal.to_string()));
            let attempts = delivery.attempts;
            self.settle(id, &Settlement { state, reason, attempts, wait: None, was_there: None })?;
        }
        Ok(true)
    }

    /// Ends the undos that an exception has asked for and that are still open: it has ended.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn end_lifts(&self, guild: GuildId, user: UserId, measure: Action) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE deliveries SET state = 'superseded', reason = '{HAS_ENDED}', updated_at = ?4
             WHERE guild_id = ?1 AND target_user = ?2 AND measure = ?3 AND action <> measure AND scope = 'child'
               AND state IN {OPEN} AND (SELECT action = measure AND status = 'active' FROM punishments WHERE event_id = punishment_id)
               AND (SELECT state FROM guild_relationships r WHERE r.id = link_id) = 'active'
             RETURNING {RETURNED}"
        );
        let values = params![Sql(guild), Sql(user), measure.word(), self.now().millis()];
        self.update_and_tell(&sql, values).map(drop)
    }
}
