//! How holds begin that are not a budget's: what came to no child when it was decided, and would later; and what is told of a
//! hold when it begins.

use super::HoldOf;
use crate::store::deliveries::OriginStep;
use crate::store::rows::Sql;
use crate::store::{Change, Severity, StoreError, View};
use wayhaven_shared::operations::hold::HoldKind;
use wayhaven_shared::operations::punishment::{Action, Origin, Punishment};
use wayhaven_shared::operations::setup::SecurityLevel;
use wayhaven_shared::value::{GuildId, HoldId, PunishmentId, UserId};

impl View<'_> {
    /// Whether a decision waits for approval before it comes to a child now: at security level maximum what never left its main
    /// and was approved by nobody, because every child only recorded it, or there was none; and what was decided about a bot.
    /// What ends by itself was approved with what it ends.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn needs_approval(&self, decision: &Punishment) -> Result<bool, StoreError> {
        let ends = decision.origin == Origin::System && decision.action.is_undo();
        // What the main could not do itself waits for a decision, or for the main's own step.
        if self.origin_step(decision.id)? == Some(OriginStep::Refused) {
            return Ok(true);
        }
        Ok(decision.action != Action::Warn
            && !ends
            && self.kind_of_approval(decision)?.is_some()
            && !self.has_left(decision.id)?)
    }

    /// Which approval a decision needs before it leaves its main, whatever was approved of it so far.
    fn kind_of_approval(&self, decision: &Punishment) -> Result<Option<HoldKind>, StoreError> {
        if self.security_level(decision.guild_id)? == SecurityLevel::Maximum {
            return Ok(Some(HoldKind::Maximum));
        }
        let of_bot = !decision.action.is_undo()
            && (self.is_known_bot(decision.user_id)? || self.may_be_of_bot(decision.id)?);
        Ok(of_bot.then_some(HoldKind::Bot))
    }

    /// Whether a decision was let out of its main: it was sent to a child, or was to be, or waits or has waited for approval.
    fn has_left(&self, decision: PunishmentId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE punishment_id = ?1 AND scope = 'child'
             AND (sent = 1 OR hold_id IS NOT NULL OR state NOT IN ('applied', 'skipped', 'failed')))";
        Ok(self.connection.prepare_cached(sql)?.query_row([Sql(decision)], |row| row.get(0))?)
    }
}

impl Change<'_> {
    /// The hold in which a decision waits that [needs approval](View::needs_approval) before it comes to a child.
    ///
    /// # Errors
    /// Where the store fails.
    pub(in crate::store) fn hold_late(&self, decision: &Punishment) -> Result<Option<HoldId>, StoreError> {
        if self.origin_step(decision.id)? == Some(OriginStep::Refused) {
            return self.refused_hold(decision).map(Some);
        }
        if !self.needs_approval(decision)? {
            return Ok(None);
        }
        let by = (decision.moderator_id, decision.because);
        let kind = self.kind_of_approval(decision)?.unwrap_or(HoldKind::Maximum);
        self.begin_hold(kind, decision.guild_id, by, decision.origin).map(Some)
    }

    /// The hold that is open for what a moderator has decided in the main, or what followed from a punishment of theirs; for all
    /// of the main where the kind is about several. One that is new is told of.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn begin_hold(
        &self,
        kind: HoldKind,
        main: GuildId,
        by: (Option<UserId>, Option<PunishmentId>),
        came_from: Origin,
    ) -> Result<HoldId, StoreError> {
        let of = self.hold_owner(kind, main, by, came_from)?;
        let opened = self.open_hold(of)?;
        if opened.is_new {
            self.tell_of_hold(of, came_from, opened.id)?;
        }
        Ok(opened.id)
    }

    /// Whose punishments such a hold is about.
    pub(in crate::store) fn hold_owner(
        &self,
        kind: HoldKind,
        main: GuildId,
        by: (Option<UserId>, Option<PunishmentId>),
        came_from: Origin,
    ) -> Result<HoldOf, StoreError> {
        let several = matches!(kind, HoldKind::Network | HoldKind::Import);
        let moderator = match by {
            _ if several => None,
            (Some(moderator), _) => Some(moderator),
            // What follows from a warning is theirs who warned.
            (None, Some(because)) => self.punishment(because)?.and_then(|first| first.moderator_id),
            (None, None) => None,
        };
        let origin = (!several && moderator.is_none()).then_some(came_from);
        Ok(HoldOf { main, kind, moderator, origin })
    }

    /// One alert for a hold, when it begins, with where what it keeps back came from.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn tell_of_hold(&self, of: HoldOf, origin: Origin, hold: HoldId) -> Result<(), StoreError> {
        let HoldOf { main, kind, moderator, .. } = of;
        let budgets = self.budgets();
        let who = match (moderator, origin) {
            (Some(user), _) => format!("user {user}"),
            (None, Origin::Operator | Origin::Import) => "operators".to_owned(),
            (None, _) => "somebody unknown".to_owned(),
        };
        let (name, severity, what) = match kind {
            HoldKind::Moderator => {
                let what = format!("{who} has punished more than {} in main {main}", budgets.moderator);
                ("budget_exceeded", Severity::High, what)
            }
            HoldKind::Network => {
                let what = format!("main {main} has punished more than {}", budgets.network);
                ("budget_exceeded", Severity::High, what)
            }
            HoldKind::Maximum => {
                let what = format!("what {who} decides in main {main} waits for another administrator");
                ("approval_needed", Severity::Medium, what)
            }
            HoldKind::Refused => {
                let what = format!("main {main} could not do itself what {who} decided");
                ("origin_refused", Severity::High, what)
            }
            HoldKind::Bot => {
                let what = format!(
                    "what {who} decides about a bot, or what may be one, in main {main} waits for approval"
                );
                ("approval_needed", Severity::Medium, what)
            }
            HoldKind::Import => {
                let what = format!("a list of bans that {who} imported into main {main} waits for approval");
                ("approval_needed", Severity::Medium, what)
            }
        };
        let details = format!(
            "{what}: nothing of it is delivered until somebody decides. \
             Deliver: wayhaven sync approve {hold} --guild {main}. \
             Never deliver: wayhaven sync discard {hold} --guild {main}"
        );
        self.alert(name, severity, Some(main), moderator, &details)
    }
}
