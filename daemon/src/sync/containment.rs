//! Containment: what is propagated beyond a budget, or needs a second administrator, is held until somebody decides about
//! it. What is done in the main itself is done.

use super::plan::Step;
use crate::network::{Budgets, Refusal};
use crate::store::{Change, HoldOf, NewPunishment, Severity, Store, StoreError, View};
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::hold::HoldKind;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::setup::SecurityLevel;
use wayhaven_shared::value::{HoldId, UserId};

/// How many deliveries a decision reaches in one transaction: a raid's must not hold the writer.
const CHUNK: u16 = 300;

/// How long nothing is tried where the store fails.
const STORE_WAIT: Duration = Duration::from_secs(5);

/// Whether the step would reach its child, now or once a freeze ends.
fn reaches(step: &Step) -> bool {
    matches!(step.state, DeliveryState::Pending | DeliveryState::Held)
}

/// Whether a punishment counts towards the budgets. A warning makes no request, and what ends by itself, or takes back
/// what was named in a plan, has been decided before.
fn is_counted(new: &NewPunishment) -> bool {
    let ends = new.origin == Origin::System && new.action.is_undo();
    new.action != Action::Warn && !ends && !new.reverts
}

/// Why what a punishment would send to children is held, where it is.
///
/// # Errors
/// Where the store fails.
pub fn why_held(
    view: &View<'_>,
    budgets: Budgets,
    new: &NewPunishment,
    steps: &[Step],
) -> Result<Option<HoldKind>, StoreError> {
    let ends = new.origin == Origin::System && new.action.is_undo();
    if new.action == Action::Warn || ends || !steps.iter().any(reaches) {
        return Ok(None);
    }
    if view.security_level(new.guild)? == SecurityLevel::Maximum {
        return Ok(Some(HoldKind::Maximum));
    }
    if !is_counted(new) {
        return Ok(None);
    }
    // The daemon is no moderator; what it does by itself counts towards the network's.
    if new.origin != Origin::System
        && view.moderator_has_spent(new.guild, new.moderator, new.origin, budgets.moderator)?
    {
        return Ok(Some(HoldKind::Moderator));
    }
    Ok(view.network_has_spent(new.guild, budgets.network)?.then_some(HoldKind::Network))
}

/// Holds what of a punishment goes beyond a budget: its steps that would reach a child begin held. The hold they wait in.
///
/// # Errors
/// Where the store fails.
pub(super) fn contain(
    change: &Change<'_>,
    new: &NewPunishment,
    steps: &mut [Step],
) -> Result<Option<HoldId>, StoreError> {
    let budgets = change.budgets();
    let Some(kind) = why_held(change, budgets, new, steps)? else { return Ok(None) };
    let moderator = match (new.moderator, new.because) {
        (Some(moderator), _) => Some(moderator),
        // What follows from a warning is theirs who warned.
        (None, Some(because)) => change.punishment(because)?.and_then(|first| first.moderator_id),
        (None, None) => None,
    };
    let several = matches!(kind, HoldKind::Network | HoldKind::Import);
    let moderator = moderator.filter(|_| !several);
    let origin = (!several && moderator.is_none()).then_some(new.origin);
    let opened = change.open_hold(HoldOf { main: new.guild, kind, moderator, origin })?;
    if opened.is_new {
        alert(change, new, kind, moderator, opened.id)?;
    }
    for step in steps.iter_mut().filter(|step| reaches(step)) {
        (step.state, step.reason) = (DeliveryState::Held, Some(Refusal::Held(opened.id).to_string()));
        step.hold = Some(opened.id);
    }
    Ok(Some(opened.id))
}

/// Whether a punishment is propagated, now or later, and counts towards the budgets.
pub(super) fn counts(new: &NewPunishment, steps: &[Step]) -> bool {
    is_counted(new) && steps.iter().any(reaches)
}

/// One alert for a hold, when it begins.
fn alert(
    change: &Change<'_>,
    new: &NewPunishment,
    kind: HoldKind,
    moderator: Option<UserId>,
    hold: HoldId,
) -> Result<(), StoreError> {
    let budgets = change.budgets();
    let who = match (moderator, new.origin) {
        (Some(user), _) => format!("user {user}"),
        (None, Origin::Operator) => "operators".to_owned(),
        (None, _) => "somebody unknown".to_owned(),
    };
    let main = new.guild;
    let (name, severity, what) = match kind {
        HoldKind::Moderator => {
            let what = format!("{who} has punished more than {} in main {main}", budgets.moderator);
            ("budget_exceeded", Severity::High, what)
        }
        HoldKind::Network => {
            let what = format!("main {main} has punished more than {}", budgets.network);
            ("budget_exceeded", Severity::High, what)
        }
        HoldKind::Maximum | HoldKind::Import => {
            let what = format!("what {who} decides in main {main} waits for another administrator");
            ("approval_needed", Severity::Medium, what)
        }
    };
    let details =
        format!("{what}: it reaches no child before sync approve {hold}; sync discard {hold} never sends it");
    change.alert(name, severity, Some(main), moderator, &details)
}

/// Lets a decision reach everything that its hold keeps back.
///
/// # Errors
/// Where the store fails; the next start goes on with it.
pub async fn carry_out(store: &Store, hold: HoldId) -> Result<(), Fault> {
    let mut after = None;
    loop {
        after = store.write(move |change| Ok(change.carry_out_hold(hold, after, CHUNK)?)).await?;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Goes on with what was decided before the daemon ended.
pub async fn go_on(store: Store) {
    loop {
        let unfinished = store.read(|view| Ok(view.unfinished_holds()?)).await;
        let done = async {
            for hold in unfinished? {
                carry_out(&store, hold).await?;
            }
            Ok::<_, Fault>(())
        };
        match done.await {
            Ok(()) => return,
            Err(fault) => tracing::error!("a decided hold is not carried out: {fault}"),
        }
        tokio::time::sleep(STORE_WAIT).await;
    }
}
