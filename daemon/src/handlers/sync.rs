//! `sync`: what is on its way.

use super::{Handle, PAGE};
use crate::invocation::Context;
use crate::store::DeliveryFilter;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::sync::{Deliveries, Lane, SyncDeliveries, SyncState, SyncStatus};
use wayhaven_shared::value::PageSize;

impl Handle for SyncStatus {
    async fn handle(self, cx: &Context) -> Result<SyncState, Fault> {
        let scope = cx.scope();
        let (deliveries, open) = cx
            .daemon
            .store()
            .read(move |view| Ok((view.delivery_counts(scope)?, view.unfinished_by_guild(None)?)))
            .await?;
        let topology = cx.daemon.store().topology();
        // A main sees the lanes to its children, a child its own.
        let visible =
            |guild| scope.is_none_or(|scope| scope == guild || topology.link(scope, guild).is_some());
        let lanes = open
            .into_iter()
            .filter(|open| open.deliveries.open() > 0 && visible(open.guild))
            .map(|open| Lane { guild_id: open.guild, deliveries: open.deliveries, reason: open.reason })
            .collect();
        let requests_per_second = cx.daemon.rest().budget().per_second();
        Ok(SyncState { deliveries, requests_per_second, lanes })
    }
}

impl Handle for SyncDeliveries {
    async fn handle(self, cx: &Context) -> Result<Deliveries, Fault> {
        let limit = self.limit.map_or(PAGE, PageSize::get);
        let topology = cx.daemon.store().topology();
        // Asked for in a main: what it sends. In a child: what it is sent.
        let (source, own) = match cx.scope() {
            Some(guild) if topology.is_main(guild) => (Some(guild), None),
            other => (None, other),
        };
        if own.is_some() && self.child.is_some() && own != self.child {
            return Err(Fault::denied("this guild is a child, and sees its own deliveries only"));
        }
        let filter = DeliveryFilter {
            source,
            child: own.or(self.child),
            user: self.user,
            state: self.state,
            before: self.cursor,
        };
        let deliveries = cx.daemon.store().read(move |view| Ok(view.deliveries(&filter, limit)?)).await?;
        let next = deliveries.last().map(|last| last.id).filter(|_| deliveries.len() == usize::from(limit));
        Ok(Deliveries { deliveries, next })
    }
}
