//! A daemon for tests: the real protocol on a real socket, with replies that the test decides.

use futures::StreamExt;
use serde_json::{Value, json};
use shared::control::{Control, Envelope, Hello, Outcome, PROTOCOL, Role, Welcome, codec};
use shared::event::{Change, Cursor, Event, Watched};
use shared::paths::{Environment, Layout};
use shared::value::{Chunk, Timestamp, UploadId};
use shared::{Fault, Names};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tarpc::context::Context;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Json;
use tarpc::tokio_util::codec::Framed;
use tokio::net::UnixListener;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use wayhaven_shared as shared;

/// What tells its start from others.
pub(crate) const START: &str = "the one that answers";

type Answer = Box<dyn FnMut(&Envelope) -> Result<Value, Fault> + Send>;

/// A daemon that says what it was told to say.
pub(crate) struct ScriptedDaemon {
    /// Holds the socket; gone with the daemon.
    _home: tempfile::TempDir,
    /// Where it listens.
    pub(crate) layout: Layout,
    state: Arc<State>,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
}

struct State {
    answer: Mutex<Answer>,
    names: Mutex<Names>,
    requests: Mutex<Vec<Envelope>>,
    events: Mutex<Vec<Event>>,
    uploaded: Mutex<Vec<u8>>,
    changed: Notify,
}

impl ScriptedDaemon {
    /// Listens, and answers each request with what `answer` returns as its data.
    pub(crate) fn start(answer: impl FnMut(&Envelope) -> Result<Value, Fault> + Send + 'static) -> Self {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment { home: Some(home.path().into()), runtime: None };
        let layout = Layout::new(&environment).unwrap();
        std::fs::create_dir_all(layout.socket.parent().unwrap()).unwrap();
        let state = Arc::new(State {
            answer: Mutex::new(Box::new(answer)),
            names: Mutex::default(),
            requests: Mutex::default(),
            events: Mutex::default(),
            uploaded: Mutex::default(),
            changed: Notify::new(),
        });
        let connections = Arc::new(Mutex::new(Vec::new()));
        let daemon = Self { _home: home, layout, state, connections };
        daemon.listen();
        daemon
    }

    /// Listens anew after [`Self::vanish`].
    pub(crate) fn listen(&self) {
        let _ = std::fs::remove_file(&self.layout.socket);
        let listener = UnixListener::bind(&self.layout.socket).unwrap();
        let (state, connections) = (self.state.clone(), self.connections.clone());
        let accept = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let transport = tarpc::serde_transport::new(Framed::new(stream, codec()), Json::default());
                let serve = Server(state.clone()).serve();
                let channel = BaseChannel::with_defaults(transport).execute(serve).for_each(|call| async {
                    tokio::spawn(call);
                });
                connections.lock().unwrap().push(tokio::spawn(channel).abort_handle());
            }
        });
        self.connections.lock().unwrap().push(accept.abort_handle());
    }

    /// Closes the socket and every connection, as a killed daemon does.
    pub(crate) fn vanish(&self) {
        self.connections.lock().unwrap().drain(..).for_each(|task| task.abort());
        let _ = std::fs::remove_file(&self.layout.socket);
    }

    /// Commits a change, for `watch` to bring.
    pub(crate) fn publish(&self, change: Change) {
        self.state.publish(change);
    }

    /// Sends these names along from now on.
    pub(crate) fn knows(&self, names: Names) {
        *self.state.names.lock().unwrap() = names;
    }

    /// What was asked so far.
    pub(crate) fn requests(&self) -> Vec<Envelope> {
        self.state.requests.lock().unwrap().clone()
    }
}

impl State {
    fn publish(&self, change: Change) {
        let mut events = self.events.lock().unwrap();
        let sequence = events.len() as u64 + 1;
        events.push(Event { sequence, at: Timestamp::from_millis(1_767_323_045_678), change });
        self.changed.notify_waiters();
    }
}

#[derive(Clone)]
struct Server(Arc<State>);

impl Control for Server {
    async fn hello(self, _: Context, _: Hello) -> Result<Welcome, Fault> {
        Ok(Welcome {
            protocol: PROTOCOL,
            version: "0.1.0".into(),
            role: Role::Owner,
            capabilities: Vec::new(),
            start: START.to_owned(),
        })
    }

    async fn run(self, _: Context, envelope: Envelope) -> Result<Outcome, Fault> {
        self.0.requests.lock().unwrap().push(envelope.clone());
        let data = (self.0.answer.lock().unwrap())(&envelope)?;
        let operation = envelope.request["operation"].as_str().unwrap_or_default().to_owned();
        Ok(Outcome {
            operation,
            data,
            next_cursor: None,
            warnings: Vec::new(),
            at: None,
            names: self.0.names.lock().unwrap().clone(),
        })
    }

    async fn watch(self, _: Context, cursor: Option<Cursor>, wait_ms: u64) -> Result<Watched, Fault> {
        let cursor = cursor.unwrap_or_else(|| Cursor {
            epoch: "e".into(),
            sequence: self.0.events.lock().unwrap().len() as u64,
        });
        let changed = self.0.changed.notified();
        let after = |sequence: u64| -> Vec<Event> {
            self.0.events.lock().unwrap().iter().filter(|event| event.sequence > sequence).cloned().collect()
        };
        let mut events = after(cursor.sequence);
        if events.is_empty() {
            let _ = tokio::time::timeout(Duration::from_millis(wait_ms), changed).await;
            events = after(cursor.sequence);
        }
        let sequence = events.last().map_or(cursor.sequence, |event| event.sequence);
        Ok(Watched {
            events,
            cursor: Cursor { sequence, ..cursor },
            gap: false,
            names: self.0.names.lock().unwrap().clone(),
        })
    }

    async fn upload(
        self,
        _: Context,
        id: Option<UploadId>,
        offset: u64,
        chunk: Chunk,
    ) -> Result<UploadId, Fault> {
        let mut uploaded = self.0.uploaded.lock().unwrap();
        assert_eq!(offset, uploaded.len() as u64);
        assert_eq!(id.is_none(), offset == 0);
        uploaded.extend_from_slice(chunk.bytes());
        Ok(UploadId::new([7; 16]))
    }

    async fn download(self, _: Context, _: UploadId, offset: u64) -> Result<Chunk, Fault> {
        let uploaded = self.0.uploaded.lock().unwrap();
        let rest = uploaded.iter().skip(usize::try_from(offset).unwrap()).take(Chunk::LARGEST);
        Ok(Chunk::new(rest.copied().collect()).unwrap())
    }
}

/// A delivery of punishment 42, as JSON.
pub(crate) fn delivery(id: u64, state: &str) -> Value {
    json!({
        "id": id.to_string(), "punishment_id": "42", "action": "ban",
        "guild_id": (5000 + id).to_string(), "guild_name": format!("child-{id}"), "user_id": "77",
        "state": state, "reason": null, "attempts": 1,
        "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05.400Z",
    })
}

/// Punishment 42, as JSON.
pub(crate) fn punishment() -> Value {
    json!({
        "id": "42", "action": "ban", "guild_id": "1000", "user_id": "77", "moderator_id": null,
        "origin": "operator", "reason": "raid \u{1b}[2J", "status": "active",
        "created_at": "2026-01-02T03:04:05Z",
    })
}
