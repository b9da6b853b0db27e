//! The feed against a scripted daemon: what is read, what is resumed, what is told.

use super::*;
use crate::link::Place;
use crate::scripted_daemon::{ScriptedDaemon, delivery, punishment};
use crate::tui::samples;
use serde_json::{Value, json};
use shared::Request;
use shared::control::Envelope;
use shared::event::Change;

fn answer(envelope: &Envelope) -> Result<Value, Fault> {
    let snapshot = samples::snapshot();
    match envelope.request["operation"].as_str() {
        Some("status") => Ok(serde_json::to_value(snapshot.status).unwrap()),
        Some("setup dashboard") => Err(Fault::unavailable("the store is busy")),
        Some("sync deliveries") => Ok(json!({"deliveries": [delivery(1, "applied")], "next": null})),
        Some("punishment list") => Ok(json!({"punishments": [punishment()], "next": null})),
        other => Err(Fault::not_found(format!("{other:?}"))),
    }
}

struct Following {
    wishes: mpsc::UnboundedSender<Wish>,
    news: mpsc::Receiver<News>,
}

impl Following {
    fn start(daemon: &ScriptedDaemon) -> Self {
        let (wishes, asked) = mpsc::unbounded_channel();
        let (told, news) = mpsc::channel(8);
        tokio::spawn(run(Place::Here(daemon.layout.clone()), asked, told));
        Self { wishes, news }
    }

    async fn next(&mut self) -> News {
        self.news.recv().await.unwrap()
    }

    /// The first news that `wanted` takes something from.
    async fn until<T>(&mut self, wanted: impl Fn(News) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }
}

#[tokio::test]
async fn a_reading_comes_first_and_what_was_refused_in_it_is_told() {
    let daemon = ScriptedDaemon::start(answer);
    let mut following = Following::start(&daemon);
    assert!(matches!(following.next().await, News::Connected(_)));
    let News::Snapshot(snapshot) = following.next().await else { panic!("a reading") };
    assert!(snapshot.status.is_some() && snapshot.dashboard.is_none());
    assert_eq!(snapshot.problems[0].message, "the store is busy");
    daemon.publish(Change::Delivery { delivery: serde_json::from_value(delivery(2, "pending")).unwrap() });
    assert!(matches!(following.next().await, News::Changed(events) if events.len() == 1));
}

#[tokio::test(start_paused = true)]
async fn a_lost_daemon_is_told_and_the_next_connection_goes_on_from_the_cursor() {
    let daemon = ScriptedDaemon::start(answer);
    let mut following = Following::start(&daemon);
    following.until(|news| matches!(news, News::Snapshot(_)).then_some(())).await;
    daemon.vanish();
    following.until(|news| matches!(news, News::Lost(_)).then_some(())).await;
    // Committed while nobody was connected.
    daemon.publish(Change::Delivery { delivery: serde_json::from_value(delivery(3, "applied")).unwrap() });
    daemon.listen();
    let events = following
        .until(|news| match news {
            News::Changed(events) => Some(events),
            News::Snapshot(_) | News::Gap => panic!("nothing was missed"),
            _ => None,
        })
        .await;
    assert_eq!(events.len(), 1);
}

#[tokio::test]
async fn a_request_is_answered_beside_the_events() {
    let daemon = ScriptedDaemon::start(answer);
    let mut following = Following::start(&daemon);
    let envelope = Envelope::new(&Request::from(Status {}));
    following.wishes.send(Wish::Ask(7, envelope)).unwrap();
    let (ticket, result) = following
        .until(|news| match news {
            News::Answered(ticket, result) => Some((ticket, result)),
            _ => None,
        })
        .await;
    assert_eq!((ticket, result.unwrap().operation.as_str()), (7, "status"));
}
