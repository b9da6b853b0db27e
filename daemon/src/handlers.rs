//! One handler per operation, mirroring `shared/src/operations/`. A handler of a changing operation plans first;
//! its dry run is that plan.

mod alert;
mod audit;
mod config;
mod daemon;
mod drill;
mod exception;
mod hold;
mod incident;
pub(crate) mod job;
mod paths;
mod protect;
pub(crate) mod punishment;
mod reversal;
mod settings;
mod setup;
mod status;
mod sync;

pub(crate) use setup::examine_for;

use crate::context::Context;
use std::future::Future;
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::{Fault, Operation};

/// What an operation does when it is asked for.
trait Handle: Operation {
    /// Does it, or with a dry run only plans it. The pipeline has checked that the actor may.
    fn handle(self, cx: &Context) -> impl Future<Output = Result<Self::Reply, Fault>> + Send;
}

macro_rules! dispatcher {
    ($($operation:ident => $reply:ident, $name:literal, $authority:ident, $surfaces:ident, $effect:ident;)*) => {
        /// Hands a request to its handler.
        ///
        /// # Errors
        /// The handler's fault.
        pub async fn dispatch(request: Request, cx: Context) -> Result<Reply, Fault> {
            match request {
                $(Request::$operation(operation) => {
                    Box::pin(operation.handle(&cx)).await.map(Reply::$operation)
                })*
            }
        }
    };
}
wayhaven_shared::operations!(dispatcher);

/// How many rows a listing shows where nobody says.
const PAGE: u16 = 25;
