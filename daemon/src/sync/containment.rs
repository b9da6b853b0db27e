//! Containment: what is propagated beyond a budget, or needs a second administrator, is held until somebody decides about
//! it. What is done in the main itself is done.

use super::plan::Step;
use crate::network::{Budgets, Refusal};
use crate::store::{Carried, Change, Decided, HoldOf, NewPunishment, Reached, Store, StoreError, View};
use crate::tasks::{Task, Trigger};
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::watch;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::hold::HoldKind;
use wayhaven_shared::operations::punishment::{Action, DeliveryState, Origin};
use wayhaven_shared::operations::setup::SecurityLevel;
use wayhaven_shared::value::HoldId;

/// How many deliveries a decision reaches in one transaction: a raid's must not hold the writer.
const CHUNK: u16 = 300;

/// How long changes of the store gather before it is looked again whether a guild has room.
const PAUSE: Duration = Duration::from_millis(250);

/// Whether the step would reach its child, now or once a freeze ends.
fn reaches(step: &Step) -> bool {
    matches!(step.state, DeliveryState::Pending | DeliveryState::Held)
}

/// Whether a punishment counts towards the budgets. A warning makes no request, and what ends by itself, or takes back
/// what was named in a plan, has been decided before; an import waits in a hold of its own.
fn is_counted(new: &NewPunishment) -> bool {
    let ends = new.origin == Origin::System && new.action.is_undo();
    new.action != Action::Warn && !ends && !new.reverts && new.origin != Origin::Import
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
    if !new.action.is_undo() && (new.of_bot || new.may_be_bot || view.is_known_bot(new.user)?) {
        return Ok(Some(HoldKind::Bot));
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
    let hold = change.begin_hold(kind, new.guild, (new.moderator, new.because), new.origin)?;
    hold_back(steps, hold);
    Ok(Some(hold))
}

fn hold_back(steps: &mut [Step], hold: HoldId) {
    for step in steps.iter_mut().filter(|step| reaches(step)) {
        (step.state, step.reason) = (DeliveryState::Held, Some(Refusal::Held(hold).to_string()));
        step.hold = Some(hold);
    }
}

/// The hold of an import, which begins with the first ban that would reach a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imports {
    /// Which, once it has begun.
    pub hold: Option<HoldId>,
    /// Whether it is approved as it begins: an operator has said so with the request. At security level maximum that is
    /// asked for by itself all the same.
    pub apply: bool,
}

/// Holds what of an imported ban would reach a child, in the one hold of its import. What is
/// approved waits there too, until its guild has room: an import may be larger than memory. The ban
/// of a bot, or of a user who may be one, waits for an approval of its own, also where the import was
/// approved as it began: nobody sees one bot among thousands of users.
///
/// # Errors
/// Where the store fails.
pub(super) fn contain_imported(
    change: &Change<'_>,
    new: &NewPunishment,
    steps: &mut [Step],
    imports: &mut Imports,
) -> Result<Option<HoldId>, StoreError> {
    if !steps.iter().any(reaches) {
        return Ok(None);
    }
    if new.of_bot || new.may_be_bot || change.is_known_bot(new.user)? {
        let hold = change.begin_hold(HoldKind::Bot, new.guild, (new.moderator, new.because), new.origin)?;
        hold_back(steps, hold);
        return Ok(Some(hold));
    }
    let hold = match imports.hold {
        Some(hold) => hold,
        None => {
            let (main, moderator) = (new.guild, new.moderator);
            let origin = moderator.is_none().then_some(Origin::Import);
            let of = HoldOf { main, kind: HoldKind::Import, moderator, origin };
            let hold = change.open_hold(of)?.id;
            match imports.apply && change.security_level(main)? != SecurityLevel::Maximum {
                true => change.decide_hold(hold, Decided::Approved, None)?,
                false => change.tell_of_hold(of, Origin::Import, hold)?,
            }
            *imports.hold.insert(hold)
        }
    };
    hold_back(steps, hold);
    Ok(Some(hold))
}

/// Whether a punishment is propagated, now or later, and counts towards the budgets.
pub(super) fn counts(new: &NewPunishment, steps: &[Step]) -> bool {
    is_counted(new) && steps.iter().any(reaches)
}

/// Lets a decision reach what its hold keeps back, as far as there is room: the task [`Containment`] does
/// the rest.
///
/// # Errors
/// Where the store fails; the task [`Containment`] goes on with it.
pub async fn carry_out(store: &Store, hold: HoldId) -> Result<(), Fault> {
    carry_on(store, hold, Reached::default()).await.map(drop)
}

/// Goes on until the hold has nothing left, or no guild has room. How far it has come, where something is left.
async fn carry_on(store: &Store, hold: HoldId, mut reached: Reached) -> Result<Option<Reached>, Fault> {
    reached.look_again();
    loop {
        let step = move |change: &Change<'_>| Ok(change.carry_out_hold(hold, reached, CHUNK)?);
        let (carried, so_far) = store.write(step).await?;
        match carried {
            Carried::Finished => return Ok(None),
            Carried::Waits => return Ok(Some(so_far)),
            Carried::More => reached = so_far,
        }
    }
}

/// Carries out what was decided about holds and has not reached everything: the task `containment`.
pub struct Containment {
    store: Store,
    changes: watch::Receiver<u64>,
    /// What a freeze holds is not handed on again and again.
    come: HashMap<HoldId, Reached>,
}

impl Containment {
    /// Carries out the decisions in this store.
    pub fn new(store: Store) -> Self {
        let changes = store.sequence();
        Self { store, changes, come: HashMap::new() }
    }
}

impl Task for Containment {
    fn name(&self) -> &'static str {
        "containment"
    }

    fn run(&mut self) -> BoxFuture<'_, Result<(), Fault>> {
        self.changes.mark_unchanged();
        round(&self.store, &mut self.come).boxed()
    }

    fn next(&mut self) -> Trigger {
        let mut changes = self.changes.clone();
        let change = async move {
            // The store, and with it the sender, lives as long as the daemon.
            let _ = changes.changed().await;
            tokio::time::sleep(PAUSE).await;
        };
        Trigger::Event(change.boxed())
    }
}

async fn round(store: &Store, come: &mut HashMap<HoldId, Reached>) -> Result<(), Fault> {
    let unfinished = store.read(|view| Ok(view.unfinished_holds()?)).await?;
    come.retain(|hold, _| unfinished.contains(hold));
    for hold in unfinished {
        let reached = come.remove(&hold).unwrap_or_default();
        if let Some(reached) = carry_on(store, hold, reached).await? {
            come.insert(hold, reached);
        }
    }
    Ok(())
}
