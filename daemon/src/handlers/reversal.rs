//! `punishment amend` and `punishment revert`.

use super::Handle;
use crate::context::Context;
use crate::direct::wording;
use crate::store::{Change, View};
use crate::sync::revert::{Judge, Reverting, revert_some};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::{Delivery, DeliveryState};
use wayhaven_shared::operations::reversal::{
    Meant, PunishmentAmend, PunishmentAmended, PunishmentRevert, Reverted,
};
use wayhaven_shared::value::{GuildId, PunishmentId};

/// How many deliveries one transaction of a revert stores at most, about: a raid's thousand must not hold the writer.
const CHUNK: usize = 300;

impl Handle for PunishmentAmend {
    async fn handle(self, cx: &Context) -> Result<PunishmentAmended, Fault> {
        let Self { id, reason } = self;
        let by = cx.invocation.actor.user();
        // Whoever names a guild means what that guild has decided, an operator too.
        let only = cx.scope();
        let dry_run = cx.invocation.dry_run;
        let plan = move |view: &View<'_>| {
            let mut punishment = view
                .punishment(id)?
                .filter(|one| only.is_none_or(|only| only == one.guild_id))
                .ok_or_else(|| unknown(&[id]))?;
            let deliveries = view.deliveries_of(id)?;
            let origin = view.origin_of(id)?;
            let open = deliveries.iter().chain(&origin).filter(|one| !one.state.is_final()).count() as u64;
            let already = punishment.reason.as_ref() == Some(&reason);
            let amended = view.amendments_of(id)?.len() as u64 + u64::from(!already);
            let before = punishment.reason.replace(reason.clone());
            Ok::<_, Fault>(PunishmentAmended { punishment, before, already, amended, open, dry_run })
        };
        if dry_run {
            return cx.services.store().read(move |view| plan(view)).await;
        }
        let services = cx.services.clone();
        let work = move |change: &Change<'_>| {
            let amended = plan(change)?;
            let PunishmentAmended { punishment, already, .. } = &amended;
            if let Some(reason) = punishment.reason.as_ref().filter(|_| !already) {
                change.amend(id, by, reason)?;
                // A warning makes no request, and has come everywhere.
                let reaches = |one: &Delivery| !one.state.is_final() || one.state == DeliveryState::Applied;
                let network = change.deliveries_of(id)?.iter().any(reaches);
                let name = services.directory().name(punishment.guild_id);
                change.reword_direct_message(id, &wording::message(punishment, name.as_ref(), network))?;
            }
            Ok(amended)
        };
        cx.services.store().write(work).await
    }
}

fn unknown(ids: &[PunishmentId]) -> Fault {
    let list = ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let what = if ids.len() == 1 { "punishment" } else { "punishments" };
    Fault::not_found(format!("there is no {what} {list} here")).hint("punishment list shows the latest")
}

impl Handle for PunishmentRevert {
    async fn handle(self, cx: &Context) -> Result<Reverted, Fault> {
        let guild = cx.guild()?;
        let ids = find(cx, &self, guild).await?;
        let mut counted = Reverted::none(guild, cx.invocation.dry_run);
        let store = cx.services.store();
        if cx.invocation.dry_run {
            let (topology, now) = (store.topology(), cx.services.clock().now());
            let plan = move |view: &View<'_>| {
                let mut judge = Judge::default();
                for id in ids {
                    if let Some(one) = view.punishment(id)? {
                        judge.judge(view, &topology, now, &one, &mut counted)?;
                    }
                }
                judge.finish(&mut counted);
                Ok(counted)
            };
            return store.read(plan).await;
        }
        let by = Reverting {
            moderator: cx.invocation.actor.user(),
            operator: cx.invocation.actor.uid(),
            origin: cx.invocation.actor.origin(),
            reason: self.reason,
        };
        // A transaction for a few at a time. Whatever ends this half-way, the rest is found by asking again.
        let (mut judge, mut left) = (Judge::default(), ids);
        while !left.is_empty() {
            let by = by.clone();
            let some = move |change: &Change<'_>| {
                let done = revert_some(change, &left, &by, CHUNK, &mut judge, &mut counted)?;
                left.drain(..done);
                Ok((judge, counted, left))
            };
            (judge, counted, left) = store.write(some).await?;
        }
        judge.finish(&mut counted);
        Ok(counted)
    }
}

/// The punishments that are meant, oldest first, each once.
async fn find(cx: &Context, asked: &PunishmentRevert, guild: GuildId) -> Result<Vec<PunishmentId>, Fault> {
    let store = cx.services.store();
    match asked.meant()? {
        Meant::DecidedBy(moderator, since) => {
            let since = cx.services.clock().now() - since;
            store.read(move |view| Ok(view.punished_by(guild, moderator, since)?)).await
        }
        Meant::IssuedBy(operator, since) => {
            if cx.is_member() {
                return Err(Fault::denied("which operator issued a punishment is not told in a guild")
                    .hint("name the punishments by their numbers: punishment list shows them"));
            }
            let uid = cx.systems.operators.uid_of(operator).await?;
            let since = cx.services.clock().now() - since;
            store.read(move |view| Ok(view.punished_by_operator(guild, uid, since)?)).await
        }
        Meant::Named(named) => {
            let mut named = named.to_vec();
            named.sort_unstable();
            named.dedup();
            let look = move |view: &View<'_>| {
                let mut missing = Vec::new();
                for id in &named {
                    if view.punishment(*id)?.is_none_or(|one| one.guild_id != guild) {
                        missing.push(*id);
                    }
                }
                if missing.is_empty() { Ok(named) } else { Err(unknown(&missing)) }
            };
            store.read(look).await
        }
    }
}
