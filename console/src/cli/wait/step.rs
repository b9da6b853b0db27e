//! `--wait` for the step that a warning reached: the scheduler issues its punishment, which is
//! followed like any other.

use super::{Ended, Waited, follow, verdict};
use crate::cli::output::Output;
use crate::cli::progress::Ticker;
use shared::client::Client;
use shared::operations::punished::{Punished, StepTaken};
use shared::value::PunishmentId;
use shared::{Fault, FaultKind};
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared as shared;

/// What became of the step.
pub(crate) enum Step {
    /// No step was reached, or the wait ended before anybody knew.
    None,
    /// It was refused: it issued no punishment, and never will.
    Refused(Fault),
    /// The punishment that it issued.
    Issued(PunishmentId, Box<Waited>),
}

/// Follows the punishment that a warning's step has issued, once the warning itself has settled.
pub(crate) async fn follow_step(
    client: &Client,
    warned: Option<&Punished>,
    waited: &Waited,
    deadline: Instant,
    ticker: &mut Ticker,
    output: &mut Output<'_>,
) -> Step {
    let reached = warned.and_then(|warned| warned.warnings?.reached());
    let (Some(step), Ended::Settled, Some(detail)) = (reached, &waited.ended, &waited.detail) else {
        return Step::None;
    };
    let Some(taken) = detail.escalation else { return Step::None };
    let Some(id) = taken.punishment else {
        let (warning, guild) = (detail.punishment.id, detail.punishment.guild_id);
        let message = format!("Warning {warning} is stored, but its step was refused: {}", step.words());
        let list = format!("wayhaven alert list --kind escalation_refused --guild {guild}");
        return Step::Refused(Fault::new(FaultKind::Partial, message).hint(list));
    };
    // What happened before is read from the store.
    let ended = match client.watch(None, Duration::ZERO).await {
        Ok(watched) => {
            return Step::Issued(
                id,
                Box::new(follow(client, watched.cursor, id, deadline, ticker, output).await),
            );
        }
        Err(fault) => Ended::Lost(fault),
    };
    Step::Issued(id, Box::new(Waited { detail: None, ended }))
}

impl Step {
    /// How it was carried out, for the reply.
    pub(crate) fn taken(&self) -> Option<StepTaken> {
        match self {
            Self::Issued(_, waited) => waited.detail.as_ref().map(StepTaken::from),
            Self::None | Self::Refused(_) => None,
        }
    }

    /// The fault that decides the exit code; nothing where all is as it should be.
    pub(crate) fn verdict(&self) -> Option<Fault> {
        match self {
            Self::None => None,
            Self::Refused(fault) => Some(fault.clone()),
            Self::Issued(id, waited) => verdict(waited, *id),
        }
    }
}
