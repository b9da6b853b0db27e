//! `setup` through the pipeline, by members and operators, against a sandbox in the same process.

mod connection;
mod consent;
mod guild;
mod link;
mod reach;
mod widening;

use crate::testing::{self, TestDaemon, by_member, by_operator, confirmed, guild};
use std::sync::Arc;
use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::setup::{Link, SetupAccept, SetupAddChild};
use wayhaven_shared::{Fault, FaultKind, Operation};

/// A daemon that is ready and whose main has no links.
async fn unlinked(sandbox: &Sandbox) -> TestDaemon {
    let test = TestDaemon::start_at(sandbox, Arc::new(testing::home())).await;
    test.until_ready().await;
    test
}

/// Asks as a member who has the permission Manage Server in that guild, and no other; it is confirmed.
async fn by_admin<O: Operation>(
    test: &TestDaemon,
    who: u64,
    of: u64,
    operation: O,
) -> Result<O::Reply, Fault> {
    let asked = test.ask(confirmed(by_member(who, of, permissions::MANAGE_GUILD, operation.into()))).await;
    asked.map(|reply| O::reply(reply).unwrap())
}

/// Asks as the owner on the socket; it is confirmed.
async fn by_owner<O: Operation>(test: &TestDaemon, of: Option<u64>, operation: O) -> Result<O::Reply, Fault> {
    let asked = test.ask(confirmed(by_operator(Role::Owner, of, operation.into()))).await;
    asked.map(|reply| O::reply(reply).unwrap())
}

/// Only shows what it would do.
async fn planned<O: Operation>(test: &TestDaemon, of: u64, operation: O) -> Result<O::Reply, Fault> {
    let asked = by_operator(Role::Owner, Some(of), operation.into());
    let asked = test.ask(crate::invocation::Invocation { dry_run: true, ..asked }).await;
    asked.map(|reply| O::reply(reply).unwrap())
}

async fn link(test: &TestDaemon, main: u64, child: u64) -> Option<Link> {
    test.read(move |view| view.link(guild(main), guild(child)).unwrap()).await
}

async fn state(test: &TestDaemon, main: u64, child: u64) -> String {
    link(test, main, child).await.map_or_else(|| "none".to_owned(), |link| link.state)
}

fn add(child: u64) -> SetupAddChild {
    SetupAddChild { child: guild(child), mode: None, actions: None, no_backfill: false }
}

fn accept(main: u64) -> SetupAccept {
    SetupAccept { main: guild(main), no_backfill: false }
}

fn kind<T: std::fmt::Debug>(asked: Result<T, Fault>) -> FaultKind {
    asked.unwrap_err().kind
}
