//! `sync holds`, `approve`, `discard`: what waits for somebody's approval.

use super::Handle;
use super::setup::main_guild;
use crate::context::Context;
use crate::store::{Change, Decided, View};
use crate::sync::containment::carry_out;
use wayhaven_shared::operations::hold::{
    Hold, HoldKind, Holds, HoldsDecided, LeftHold, SyncApprove, SyncDiscard, SyncHolds, which,
};
use wayhaven_shared::operations::setup::SecurityLevel;
use wayhaven_shared::value::{GuildId, HoldId, UserId};
use wayhaven_shared::{Fault, Operation};

impl Handle for SyncHolds {
    async fn handle(self, cx: &Context) -> Result<Holds, Fault> {
        // Operators who name no guild see those of all.
        let scope = cx.scope();
        let store = cx.services.store();
        if let Some(child) = scope.filter(|guild| store.topology().is_child(*guild)) {
            // What is kept from their own guild concerns them, and whether it comes is the main's to decide.
            let holds = store.read(move |view| Ok(view.open_holds_in(child)?)).await?;
            return Ok(Holds { holds, of_child: Some(child) });
        }
        let main = match scope {
            None => None,
            Some(_) => Some(main_guild(cx).await?),
        };
        let holds = store.read(move |view| Ok(view.open_holds(main)?)).await?;
        Ok(Holds { holds, of_child: None })
    }
}

impl Handle for SyncApprove {
    async fn handle(self, cx: &Context) -> Result<HoldsDecided, Fault> {
        decide(cx, which(self.id, self.all, Self::NAME)?, Decided::Approved).await
    }
}

impl Handle for SyncDiscard {
    async fn handle(self, cx: &Context) -> Result<HoldsDecided, Fault> {
        decide(cx, which(self.id, self.all, Self::NAME)?, Decided::Discarded).await
    }
}

async fn decide(cx: &Context, wanted: Option<HoldId>, decided: Decided) -> Result<HoldsDecided, Fault> {
    let main = main_guild(cx).await?;
    let store = cx.services.store();
    let (by, dry_run) = (cx.invocation.actor.user(), cx.invocation.dry_run);
    let plan = move |view: &View<'_>| find(view, main, wanted, decided, by);
    let (holds, left) = match dry_run {
        true => store.read(plan).await?,
        false => {
            let decide = move |change: &Change<'_>| {
                let (holds, left) = plan(change)?;
                for hold in &holds {
                    change.decide_hold(hold.id, decided, by)?;
                }
                Ok((holds, left))
            };
            let (holds, left) = store.write(decide).await?;
            for hold in &holds {
                carry_out(store, hold.id).await?;
            }
            (holds, left)
        }
    };
    let frozen = store.topology().freeze(main).is_some();
    let approved = decided == Decided::Approved;
    Ok(HoldsDecided { main_guild_id: main, approved, holds, left, frozen, dry_run })
}

/// The holds that are meant, and those of them about which somebody else has to decide.
fn find(
    view: &View<'_>,
    main: GuildId,
    wanted: Option<HoldId>,
    decided: Decided,
    by: Option<UserId>,
) -> Result<(Vec<Hold>, Vec<LeftHold>), Fault> {
    let mut holds = view.open_holds(Some(main))?;
    if let Some(id) = wanted {
        holds.retain(|hold| hold.id == id);
        if holds.is_empty() {
            return Err(gone(view, main, id)?);
        }
    }
    let (mut found, mut left) = (Vec::new(), Vec::new());
    for hold in holds {
        // What is not sent needs nobody else's word.
        let asks_another = hold.kind == HoldKind::Maximum
            || matches!(hold.kind, HoldKind::Import | HoldKind::Refused | HoldKind::Bot)
                && view.security_level(main)? == SecurityLevel::Maximum;
        let why = match by.filter(|_| decided == Decided::Approved && asks_another) {
            Some(user) if view.holds_what_was_decided_by(hold.id, user)? => Some(OWN),
            Some(_) if view.holds_what_nobody_owns(hold.id)? => Some(UNKNOWN),
            _ => None,
        };
        match why {
            Some(why) => left.push(LeftHold { id: hold.id, why: why.to_owned() }),
            None => found.push(hold),
        }
    }
    match (found.as_slice(), left.first()) {
        ([], Some(first)) => {
            let id = first.id;
            let who = if first.why == OWN {
                "another administrator of this main, or an operator,"
            } else {
                "an operator, on the machine,"
            };
            Err(Fault::denied(format!("hold {id}: {}", first.why))
                .hint(format!("{who} asks for sync approve {id}"))
                .hint(format!("sync discard {id} takes nobody else, and never sends it")))
        }
        _ => Ok((found, left)),
    }
}

/// Why somebody may not approve.
const OWN: &str = "at security level maximum another administrator approves what you have decided";

/// Why no member may approve.
const UNKNOWN: &str = "who did by hand what it keeps back is not known, and at security level maximum nobody approves their own";

/// Why there is no such hold to decide about.
fn gone(view: &View<'_>, main: GuildId, id: HoldId) -> Result<Fault, Fault> {
    let known = view.hold(id)?.filter(|hold| hold.main == main);
    Ok(match known.map(|hold| hold.decided) {
        None => Fault::not_found(format!("main {main} has no hold {id}"))
            .hint("sync holds shows what waits for approval"),
        Some(None) => Fault::conflict(format!("hold {id} keeps nothing back any more"))
            .hint("what it held was ended by something newer; sync deliveries shows it"),
        Some(Some((decided, by, at))) => {
            let done = if decided == Decided::Approved { "approved" } else { "discarded" };
            let by = by.map_or_else(|| "an operator".to_owned(), |user| format!("user {user}"));
            Fault::conflict(format!("hold {id} was {done} by {by} at {at} already"))
                .hint("sync holds shows what waits for approval")
        }
    })
}
