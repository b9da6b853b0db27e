//! `--wait`: follows one punishment until nothing of it moves any more.
//!
//! The cursor is taken before the request is sent, so that no event is missed; the state is read once, kept
//! current by events, and read again at the end, because what is printed shall be what the store says.

pub(crate) mod deliveries;
pub(crate) mod jobs;
pub(crate) mod restart;
pub(crate) mod step;

use super::output::Output;
use super::progress::Ticker;
use shared::client::Client;
use shared::control::LONGEST_WATCH;
use shared::event::{Change, Cursor};
use shared::operations::punishment::{OriginOutcome, PunishmentDetail, PunishmentShow};
use shared::value::PunishmentId;
use shared::{Fault, FaultKind};
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared as shared;

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Nothing moves any more.
    Settled,
    /// Time ran out.
    RanOut,
    /// The daemon went away, or did not know the punishment.
    Lost(Fault),
}

/// What was seen last, and why nobody looked on.
pub(crate) struct Waited {
    /// The punishment as it was last seen; nothing where it could not be read once.
    pub(crate) detail: Option<PunishmentDetail>,
    /// How it ended.
    pub(crate) ended: Ended,
}

/// Follows the punishment until `deadline` at most.
pub(crate) async fn follow(
    client: &Client,
    mut cursor: Cursor,
    id: PunishmentId,
    deadline: Instant,
    ticker: &mut Ticker,
    output: &mut Output<'_>,
) -> Waited {
    let mut detail = None;
    let ended = loop {
        // Read on entry, after a gap, and to confirm what the events said.
        match client.call(PunishmentShow { id }).await {
            Ok(read) => detail = Some(read),
            Err(fault) => break Ended::Lost(fault),
        }
        let Some(current) = detail.as_mut().filter(|detail| detail.is_moving()) else { break Ended::Settled };
        ticker.show(&current.counts(), output);
        match listen(client, &mut cursor, current, deadline, ticker, output).await {
            Ok(true) => {}
            Ok(false) => break Ended::RanOut,
            Err(fault) => break Ended::Lost(fault),
        }
    };
    ticker.clear(output);
    Waited { detail, ended }
}

/// Applies events until nothing moves or a gap makes another reading necessary; false when time ran out.
async fn listen(
    client: &Client,
    cursor: &mut Cursor,
    detail: &mut PunishmentDetail,
    deadline: Instant,
    ticker: &mut Ticker,
    output: &mut Output<'_>,
) -> Result<bool, Fault> {
    while detail.is_moving() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let wait = left.min(Duration::from_millis(LONGEST_WATCH));
        let watched = client.watch(Some(cursor.clone()), wait).await?;
        *cursor = watched.cursor;
        for event in watched.events {
            apply(detail, event.change);
        }
        ticker.show(&detail.counts(), output);
        // No event says that a warning's step was carried out or refused: only reading the warning
        // again does.
        if watched.gap || detail.awaits_step() {
            return Ok(true);
        }
    }
    Ok(true)
}

fn apply(detail: &mut PunishmentDetail, change: Change) {
    match change {
        Change::Delivery { delivery } if delivery.punishment_id == detail.punishment.id => {
            match detail.deliveries.iter_mut().find(|known| known.id == delivery.id) {
                Some(known) => *known = delivery,
                None => detail.deliveries.push(delivery),
            }
        }
        Change::Origin { delivery } if delivery.punishment_id == detail.punishment.id => {
            let (guild_id, state, reason) = (delivery.guild_id, delivery.state, delivery.reason);
            detail.origin = OriginOutcome { guild_id, state, reason };
        }
        Change::Told { punishment_id, told } if punishment_id == detail.punishment.id => {
            detail.told = Some(told);
        }
        _ => {}
    }
}

/// What the exit code and standard error say of how it ended; nothing where all is as it should be.
pub(crate) fn verdict(waited: &Waited, id: PunishmentId) -> Option<Fault> {
    let tells = format!("wayhaven punishment show {id} tells which guilds and why");
    let detail = match (&waited.ended, &waited.detail) {
        (Ended::Lost(fault), _) => {
            let message = format!("it is stored, but could not be followed: {}", fault.message);
            return Some(Fault { message, ..fault.clone() });
        }
        (_, None) => return None,
        (_, Some(detail)) => detail,
    };
    let counts = detail.counts();
    if matches!(waited.ended, Ended::RanOut) {
        let message = format!("still on its way when the wait ran out: {}", counts.words());
        return Some(Fault::new(FaultKind::Pending, message).hint("it goes on by itself").hint(tells));
    }
    let here = detail.origin.state.is_final() && detail.origin.state.tone() != shared::report::Tone::Bad;
    match (here, counts.attention()) {
        (true, 0) => None,
        (true, some) => {
            let message = format!("{some} of {} guilds did not do it: {}", counts.total(), counts.words());
            Some(Fault::new(FaultKind::Partial, message).hint(tells))
        }
        (false, _) => {
            let message = format!("not done in the guild itself: {}", detail.origin.words());
            Some(Fault::new(FaultKind::Partial, message).hint(tells))
        }
    }
}
