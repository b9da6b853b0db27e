//! The daemon's end of the console: connects for as long as it takes, reads how everything stands, follows the
//! events from the cursor on, and carries requests.
//!
//! The cursor is taken before the first reading, so that nothing falls between the two; it outlives a lost
//! connection, so that the next one goes on where this one ended.

use super::input::{News, Snapshot, Ticket};
use crate::files;
use crate::link::Place;
use shared::client::Client;
use shared::control::{ClientSurface, Envelope, Outcome};
use shared::event::Cursor;
use shared::operations::punishment::{DeliveryCounts, DeliveryState, PunishmentList};
use shared::operations::setup::SetupDashboard;
use shared::operations::status::Status;
use shared::operations::sync::SyncDeliveries;
use shared::value::PageSize;
use shared::{Fault, FaultKind};
use std::time::Duration;
use tokio::sync::mpsc;
use wayhaven_shared as shared;

/// How long one `watch` waits. Short enough that a daemon that hangs is noticed.
const WAIT: Duration = Duration::from_secs(10);

/// How long after that an answer must have come.
const GRACE: Duration = Duration::from_secs(5);

/// Between two tries to connect: doubled from the first to the last.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Rows asked for at a time, as the operations allow.
const PAGE: u64 = 500;

/// Pages of the newest deliveries that are read at the start.
const PAGES: usize = 4;

/// What the console asks of its feed.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Send a request.
    Ask(Ticket, Envelope),
    /// Read everything anew.
    Resync,
}

/// Runs until the console goes away.
pub(crate) async fn run(place: Place, mut wishes: mpsc::UnboundedReceiver<Wish>, news: mpsc::Sender<News>) {
    let mut cursor = None;
    let mut backoff = BACKOFF.0;
    loop {
        let fault = match place.connect(ClientSurface::Console).await {
            Ok(client) => {
                backoff = BACKOFF.0;
                match attached(&client, &mut cursor, &mut wishes, &news).await {
                    Ok(()) => return,
                    Err(fault) => fault,
                }
            }
            Err(fault) => fault,
        };
        if news.send(News::Lost(fault)).await.is_err() || !pause(backoff, &mut wishes, &news).await {
            return;
        }
        backoff = (backoff * 2).min(BACKOFF.1);
    }
}

/// Waits before the next try; what is asked meanwhile has no daemon to go to. False when the console is gone.
async fn pause(
    span: Duration,
    wishes: &mut mpsc::UnboundedReceiver<Wish>,
    news: &mpsc::Sender<News>,
) -> bool {
    let over = tokio::time::sleep(span);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return true,
            wish = wishes.recv() => match wish {
                None => return false,
                Some(Wish::Resync) => {}
                Some(Wish::Ask(ticket, _)) => {
                    let fault = Fault::new(FaultKind::Unreachable, "no daemon answers: nothing was sent");
                    if news.send(News::Answered(ticket, Err(fault))).await.is_err() {
                        return false;
                    }
                }
            },
        }
    }
}

/// Serves one connection. `Ok` when the console is gone, the fault when the daemon is.
async fn attached(
    client: &Client,
    cursor: &mut Option<Cursor>,
    wishes: &mut mpsc::UnboundedReceiver<Wish>,
    news: &mpsc::Sender<News>,
) -> Result<(), Fault> {
    let send = |one: News| async { news.send(one).await.is_ok() };
    if !send(News::Connected(client.welcome().clone())).await {
        return Ok(());
    }
    let begun = watch(client, cursor.clone(), Duration::ZERO).await?;
    let resumed = cursor.is_some() && !begun.gap;
    if cursor.is_some() && begun.gap && !send(News::Gap).await {
        return Ok(());
    }
    let mut at = begun.cursor;
    *cursor = Some(at.clone());
    let first = match resumed {
        true => News::Changed(begun.events),
        false => News::Snapshot(Box::new(snapshot(client).await?)),
    };
    if !(send_names(client, news).await && send(first).await) {
        return Ok(());
    }
    loop {
        tokio::select! {
            wish = wishes.recv() => match wish {
                None => return Ok(()),
                Some(Wish::Resync) => {
                    let fresh = News::Snapshot(Box::new(snapshot(client).await?));
                    if !(send_names(client, news).await && send(fresh).await) {
                        return Ok(());
                    }
                }
                Some(Wish::Ask(ticket, envelope)) => ask(client, ticket, envelope, news),
            },
            watched = watch(client, Some(at.clone()), WAIT) => {
                let watched = watched?;
                at = watched.cursor;
                *cursor = Some(at.clone());
                if !send_names(client, news).await {
                    return Ok(());
                }
                if watched.gap {
                    let fresh = snapshot(client).await?;
                    if !(send(News::Gap).await
                        && send_names(client, news).await
                        && send(News::Snapshot(Box::new(fresh))).await)
                    {
                        return Ok(());
                    }
                } else if !watched.events.is_empty() && !send(News::Changed(watched.events)).await {
                    return Ok(());
                }
            }
        }
    }
}

/// Sends the names that have come since the last time; false when the console is gone.
async fn send_names(client: &Client, news: &mpsc::Sender<News>) -> bool {
    let names = client.take_names();
    names.is_empty() || news.send(News::Names(names)).await.is_ok()
}

async fn watch(
    client: &Client,
    cursor: Option<Cursor>,
    wait: Duration,
) -> Result<shared::event::Watched, Fault> {
    match tokio::time::timeout(wait + GRACE, client.watch(cursor, wait)).await {
        Ok(watched) => watched,
        Err(_) => Err(Fault::new(FaultKind::Unreachable, "the daemon does not answer any more")),
    }
}

/// Sends a request beside everything else; the answer comes as news.
fn ask(client: &Client, ticket: Ticket, envelope: Envelope, news: &mpsc::Sender<News>) {
    let (client, news) = (client.clone(), news.clone());
    tokio::spawn(async move {
        let result: Result<Outcome, Fault> = files::run(&client, envelope).await;
        // Nobody left to tell: the console is gone.
        let _ = news.send(News::Answered(ticket, result)).await;
    });
}

/// Reads how everything stands.
async fn snapshot(client: &Client) -> Result<Snapshot, Fault> {
    let mut found = Snapshot::default();
    let problems = &mut found.problems;
    found.status = part(client.call(Status {}).await, problems)?;
    found.dashboard = part(client.call(SetupDashboard {}).await, problems)?;
    let limit = PageSize::try_from(PAGE).ok();
    let latest = PunishmentList { limit, ..PunishmentList::default() };
    found.punishments =
        part(client.call(latest).await, problems)?.map_or_else(Vec::new, |page| page.punishments);

    let mut from = None;
    for _ in 0..PAGES {
        let asked = SyncDeliveries { limit, cursor: from, ..SyncDeliveries::default() };
        let Some(page) = part(client.call(asked).await, problems)? else { break };
        found.deliveries.extend(page.deliveries);
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    if from.is_some() {
        let mut seen: DeliveryCounts = found.deliveries.iter().map(|delivery| delivery.state).collect();
        let mut there = found.status.as_ref().map(|status| status.deliveries).unwrap_or_default();
        // What needs a person is shown however old it is.
        let wanted = |state: &DeliveryState| !state.is_final() || *state == DeliveryState::Failed;
        for state in DeliveryState::ALL.into_iter().filter(wanted) {
            if *there.of(state) > *seen.of(state) {
                let asked = SyncDeliveries { state: Some(state), limit, ..SyncDeliveries::default() };
                let page = part(client.call(asked).await, problems)?;
                found.deliveries.extend(page.into_iter().flat_map(|page| page.deliveries));
            }
        }
    }
    Ok(found)
}

/// A part of a reading: what the daemon refuses is a problem to tell, a lost connection ends the reading.
fn part<T>(result: Result<T, Fault>, problems: &mut Vec<Fault>) -> Result<Option<T>, Fault> {
    match result {
        Ok(read) => Ok(Some(read)),
        Err(fault) if fault.kind == FaultKind::Unreachable => Err(fault),
        Err(fault) => {
            problems.push(fault);
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests;
