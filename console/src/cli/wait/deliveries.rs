//! `--wait` for requests that start deliveries of many punishments: follows their counts until nothing moves.

use super::Ended;
use crate::cli::output::Output;
use crate::cli::progress::Ticker;
use shared::client::Client;
use shared::control::{Envelope, LONGEST_WATCH};
use shared::event::Cursor;
use shared::operations::started::Started;
use shared::operations::sync::{Deliveries, Matching};
use shared::report::{Cell, Report, Tone};
use shared::{Fault, FaultKind, Reply, Request};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wayhaven_shared as shared;

/// Between two counts: during a raid events come by the hundred, and a count reads the store.
const PAUSE: Duration = Duration::from_millis(200);

/// The counts as they were last, and why nobody looked on.
pub(crate) struct Followed {
    /// What was counted last; nothing where it could not be counted once.
    pub(crate) counted: Option<Matching>,
    /// How it ended.
    pub(crate) ended: Ended,
}

/// Follows what a request started until `deadline`.
pub(crate) async fn follow(
    client: &Client,
    mut cursor: Cursor,
    started: &Started,
    deadline: Instant,
    ticker: &mut Ticker,
    output: &mut Output<'_>,
) -> Followed {
    let mut counted = None;
    let ended = loop {
        let now = match count(client, started).await {
            Ok(now) => now,
            Err(fault) => break Ended::Lost(fault),
        };
        counted = Some(now);
        ticker.show(&now.children, output);
        if !now.is_moving() {
            break Ended::Settled;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break Ended::RanOut;
        }
        let wait = left.min(Duration::from_millis(LONGEST_WATCH));
        match client.watch(Some(cursor.clone()), wait).await {
            Ok(watched) => cursor = watched.cursor,
            Err(fault) => break Ended::Lost(fault),
        }
        sleep(PAUSE.min(left)).await;
    };
    ticker.clear(output);
    Followed { counted, ended }
}

async fn count(client: &Client, started: &Started) -> Result<Matching, Fault> {
    let mut sum = Matching::default();
    for query in &started.queries {
        let request = Request::from(query.clone());
        let envelope = Envelope { guild: Some(started.guild.into()), ..Envelope::new(&request) };
        let outcome = client.run(envelope).await?;
        let reply = Request::read_reply(&outcome.operation, outcome.data);
        let Ok(Reply::SyncDeliveries(Deliveries { counted: Some(counted), .. })) = reply else {
            return Err(Fault::unavailable("this daemon cannot count deliveries: it is of another version"));
        };
        sum.children.add(&counted.children);
        sum.own.add(&counted.own);
        sum.more |= counted.more;
    }
    Ok(sum)
}

impl Followed {
    /// The reply's report with its headline replaced by the outcome; what was requested becomes a field.
    pub(crate) fn headline(&self, report: Report) -> Report {
        let Some(counted) = &self.counted else { return report };
        // Nothing had to be delivered: the request is all there is to tell.
        if counted.children.total() + counted.own.total() == 0 && matches!(self.ended, Ended::Settled) {
            return report;
        }
        let words = counted.children.words();
        let problems = counted.children.attention() + counted.own.attention();
        let (title, tone) = match (&self.ended, problems) {
            (Ended::Settled, 0) => (format!("Finished: {words}"), Tone::Good),
            (Ended::Settled, _) => (format!("Finished with problems: {words}"), Tone::Bad),
            _ => (format!("Not finished: {words}"), Tone::Waiting),
        };
        let requested = report.title.clone();
        let mut report = Report { title: title.into(), tone, ..report }.field("Requested", requested);
        if counted.own.total() > 0 {
            report = report.field("In the guild itself", Cell::from(counted.own.words()));
        }
        report
    }

    /// The fault that decides the exit code; nothing where everything settled well.
    pub(crate) fn verdict(&self, started: &Started) -> Option<Fault> {
        let list = format!("wayhaven sync deliveries --guild {}", started.guild);
        let counted = match (&self.ended, &self.counted) {
            (Ended::Lost(fault), _) => {
                let message = format!("The request is stored, but can't be followed: {}", fault.message);
                return Some(Fault { message, ..fault.clone() });
            }
            (_, None) => return None,
            (_, Some(counted)) => counted,
        };
        if matches!(self.ended, Ended::RanOut) {
            let message = format!("Deliveries still move: {}", counted.children.words());
            return Some(Fault::new(FaultKind::Pending, message).hint(list));
        }
        let (children, own) = (counted.children.attention(), counted.own.attention());
        let message = match (children, own) {
            (0, 0) => return None,
            (0, own) => format!("{own} not applied in the guild itself: {}", counted.own.words()),
            (some, _) => {
                format!(
                    "{some} of {} deliveries not applied: {}",
                    counted.children.total(),
                    counted.children.words()
                )
            }
        };
        Some(Fault::new(FaultKind::Partial, message).hint(list))
    }
}
