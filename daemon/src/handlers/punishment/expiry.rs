//! A punishment that ends by itself: what the scheduler asks for as the undo of it.

use crate::context::Context;
use crate::store::{Change, NewPunishment};
use crate::sync::alone::take_back_alone;
use crate::sync::record::{AtOrigin, Recorded, record};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::punishment::{
    Action, DeliveryCounts, DeliveryState, Origin, OriginOutcome, Punishment,
};
use wayhaven_shared::value::{PunishmentId, Untrusted};

/// Ends a punishment whose end has come. What it does is lifted where its guild has no other punishment of the user and the
/// measure that still lasts. Otherwise it only ends, and so does a timeout, which Discord ends by itself. What it has
/// replaced ends with it. All of it is one transaction, so that it happens once.
pub(super) async fn expire(
    cx: &Context,
    ended: PunishmentId,
    reason: Option<Untrusted>,
) -> Result<Punished, Fault> {
    let work = move |change: &Change<'_>| {
        let of = change
            .punishment(ended)?
            .filter(|of| of.status == "active" && of.expires_at.is_some_and(|at| at <= change.now()));
        let Some(of) = of else {
            return Err(Fault::conflict(format!("punishment {ended} does not end now"))
                .hint("punishment show tells whether it was taken back, and when it ends"));
        };
        let recorded = end(change, of, reason)?;
        #[cfg(test)]
        crate::failpoint::reach(crate::failpoint::Point::Expiry, Some(recorded.punishment.user_id));
        let network = change.topology_here()?.is_main(recorded.punishment.guild_id);
        Ok((recorded, network))
    };
    let (Recorded { punishment, origin, deliveries, told, hold, .. }, network) =
        cx.services.store().write(work).await?;
    Ok(Punished {
        punishment: Some(punishment),
        dry_run: false,
        network,
        origin,
        deliveries,
        told,
        expires_at: None,
        replaces: Vec::new(),
        cuts_short: None,
        action: None,
        hold,
        plan: Vec::new(),
        warnings: None,
        escalation: None,
    })
}

fn end(change: &Change<'_>, of: Punishment, reason: Option<Untrusted>) -> Result<Recorded, Fault> {
    let (guild, user) = (of.guild_id, of.user_id);
    let undo = of.action.undo().filter(|_| of.action != Action::Timeout);
    let remaining = change.causes(guild, user, of.action, change.now())?;
    let Some(undo) = undo.filter(|_| remaining.is_empty()) else {
        if remaining.is_empty() {
            change.mark_all_expired(guild, user, of.action)?;
        }
        change.mark_expired(of.id)?;
        change.expire_replaced(of.id)?;
        if of.action != Action::Timeout {
            let topology = change.topology_here()?;
            take_back_alone(change, &topology, &of, &remaining, (None, Origin::System))?;
        }
        change.end_by_itself(&of)?;
        let origin = OriginOutcome {
            guild_id: guild,
            state: DeliveryState::Applied,
            reason: Some("it has ended".into()),
        };
        return Ok(Recorded {
            punishment: of,
            origin,
            deliveries: DeliveryCounts::default(),
            told: None,
            hold: None,
            replaced: Vec::new(),
        });
    };
    let mut new = NewPunishment::new(guild, user, undo, Origin::System);
    (new.reason, new.because) = (reason, Some(of.id));
    let at_origin = match change.why_it_stays(guild, user, of.action)? {
        Some(why) => {
            change.end_by_itself(&of)?;
            AtOrigin::Kept(why)
        }
        None => AtOrigin::ToDo,
    };
    Ok(record(change, &new, at_origin)?)
}
