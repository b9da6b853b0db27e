//! What tests ask for, and as whom.

use super::{TestDaemon, guild, user};
use crate::invocation::{Actor, Invocation, Surface};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::Request;
use wayhaven_shared::{Fault, Operation, grammar};

/// The same invocation, with what confirms it.
pub(crate) fn confirmed(invocation: Invocation) -> Invocation {
    Invocation { confirm: Some(grammar::confirmation(&invocation.request)), ..invocation }
}

/// The same invocation, confirmed by nothing.
pub(crate) fn unconfirmed(invocation: Invocation) -> Invocation {
    Invocation { confirm: None, ..invocation }
}

/// Asks as the owner on the socket, with what would be typed to confirm it.
pub(crate) async fn asked<O: Operation>(
    test: &TestDaemon,
    of: u64,
    operation: O,
    dry_run: bool,
) -> Result<O::Reply, Fault> {
    let invocation = by_operator(Role::Owner, Some(of), operation.into());
    let confirm = Some(grammar::confirmation(&invocation.request));
    let reply = test.ask(Invocation { dry_run, confirm, ..invocation }).await;
    reply.map(|reply| O::reply(reply).unwrap())
}

/// What an operator of the socket asks for, with what confirms it where that is wanted.
pub(crate) fn by_operator(role: Role, of: Option<u64>, request: Request) -> Invocation {
    Invocation {
        actor: Actor::Operator { uid: 1_000, role },
        surface: Surface::Cli,
        guild: of.map(guild),
        channel: None,
        dry_run: false,
        confirm: Some(grammar::confirmation(&request)),
        because: None,
        upload: None,
        request,
    }
}

/// What a member of a guild asks for by slash command, with these permission bits, and confirms
/// where that is wanted.
pub(crate) fn by_member(who: u64, of: u64, permissions: u64, request: Request) -> Invocation {
    Invocation {
        actor: Actor::Member { user: user(who), roles: Vec::new(), permissions, resolved: Vec::new() },
        surface: Surface::Discord,
        guild: Some(guild(of)),
        channel: None,
        dry_run: false,
        confirm: Some(grammar::confirmation(&request)),
        because: None,
        upload: None,
        request,
    }
}
