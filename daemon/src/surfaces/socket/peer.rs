//! One peer's calls.

use super::Door;
use super::accounts::{Account, Pace};
use super::guild;
use super::limits::WATCHES;
use super::roles::Standing;
use super::wire::Flow;
use crate::audit::rows::{Unread, audit_unread};
use crate::authority;
use crate::invocation::{Actor, Invocation, Surface, Upload, operator_name};
use crate::names::{self, Reader};
use crate::pipeline;
use crate::systems::Systems;
use crate::uploads::Holder;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tarpc::context::Context;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wayhaven_shared::control::{
    Control, Envelope, Hello, LONGEST_WATCH, Outcome, PROTOCOL, Role, WATCH_PAGE, Welcome,
};
use wayhaven_shared::event::{Cursor, Watched};
use wayhaven_shared::names::{Mentions, with_names};
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::{OPERATIONS, Request};
use wayhaven_shared::value::{Chunk, GuildId, GuildText, Untrusted, UploadId};
use wayhaven_shared::{Fault, Names, grammar};

/// What an observer who wants a file can do.
const LIST_HINT: &str = "an operator asks for lists: control.operators in the daemon's settings names them";

/// One connection's end.
#[derive(Clone)]
pub(super) struct Peer {
    systems: Arc<Systems>,
    door: Arc<Door>,
    account: Arc<Account>,
    standing: Arc<Standing>,
    holder: Holder,
    flow: Arc<Flow>,
    surface: Arc<OnceLock<Surface>>,
    pace: Arc<Mutex<Pace>>,
    watches: Arc<Semaphore>,
    watched: Arc<AtomicBool>,
}

impl Peer {
    pub(super) fn new(
        systems: Arc<Systems>,
        door: Arc<Door>,
        account: Arc<Account>,
        standing: Standing,
        holder: Holder,
        flow: Arc<Flow>,
    ) -> Self {
        let pace = Pace::new(&door.limits);
        Self {
            systems,
            door,
            account,
            standing: Arc::new(standing),
            holder,
            flow,
            surface: Arc::default(),
            pace: Arc::new(Mutex::new(pace)),
            watches: Arc::new(Semaphore::new(WATCHES)),
            watched: Arc::default(),
        }
    }

    /// The face that the peer named in its hello, once that was accepted.
    pub(super) fn surface(&self) -> Arc<OnceLock<Surface>> {
        Arc::clone(&self.surface)
    }

    /// What the peer has become by its hello. Whoever calls without one is audited as one who knocks.
    async fn admitted(&self) -> Result<(Role, Surface), Fault> {
        match (self.standing.role(&self.systems, &self.door).await, self.surface.get()) {
            (Some(role), Some(surface)) => Ok((role, *surface)),
            (None, Some(surface)) => {
                let fault = Fault::denied("your user has no role any more: the settings were changed").hint(
                    "an owner gives access: control.operators or control.observers in the daemon's settings",
                );
                Err(self.refused("connect", *surface, None, fault).await)
            }
            (_, None) => {
                let fault = Fault::denied("hello comes first");
                Err(self.refused("connect", Surface::Cli, None, fault).await)
            }
        }
    }

    /// Waits for the call's turn among those of this connection and of this user.
    async fn pace(&self, operation: &'static str, surface: Surface) -> Result<(), Fault> {
        let waits = {
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            pace.take(&self.account, Instant::now())
        };
        match waits {
            Ok(wait) if wait.is_zero() => Ok(()),
            Ok(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Err(fault) => Err(self.refused(operation, surface, None, fault).await),
        }
    }

    /// Audits a refusal, or counts it where the same was refused a moment ago; the refusal.
    async fn refused(
        &self,
        operation: &'static str,
        surface: Surface,
        guild: Option<GuildId>,
        fault: Fault,
    ) -> Fault {
        self.door.refusals.refused(self.account.uid, operation, surface, guild, &fault).await;
        fault
    }

    /// Audits what came of a part of a file: the first that is moved of each, and any that failed.
    async fn moved<T>(
        &self,
        operation: &'static str,
        surface: Surface,
        first: bool,
        part: Result<T, Fault>,
    ) -> Result<T, Fault> {
        match part {
            Ok(part) => {
                if first {
                    self.audit_unread(operation, surface, None, None).await;
                }
                Ok(part)
            }
            Err(fault) => Err(self.refused(operation, surface, None, fault).await),
        }
    }

    async fn audit_unread(
        &self,
        operation: &'static str,
        surface: Surface,
        guild: Option<GuildId>,
        fault: Option<&Fault>,
    ) {
        let actor = operator_name(self.account.uid);
        let unread = Unread { operation, surface, guild, actor, fault };
        audit_unread(self.systems.services.store(), unread).await;
    }
}

impl Control for Peer {
    async fn hello(self, _: Context, hello: Hello) -> Result<Welcome, Fault> {
        let surface = Surface::from(hello.surface);
        self.pace("connect", surface).await?;
        let uid = self.account.uid;
        let Some(role) = self.standing.role(&self.systems, &self.door).await else {
            let fault = Fault::denied(format!("user {uid} of this machine may not control the daemon"))
                .hint("root and the daemon's own user may")
                .hint(format!(
                    "an owner gives access in the settings: control.operators = [\"user:{uid}\"] or \
                     control.observers, then kill -HUP the daemon"
                ));
            return Err(self.refused("connect", surface, None, fault).await);
        };
        // One version of difference is fine; further apart nobody has tried.
        if hello.protocol.abs_diff(PROTOCOL) > 1 {
            let fault = Fault::conflict(format!(
                "this client speaks protocol {}, the daemon {PROTOCOL}",
                hello.protocol
            ))
            .hint("install wayhaven and wayhavend of the same version");
            return Err(self.refused("connect", surface, None, fault).await);
        }
        let _ = self.surface.set(surface);
        self.flow.admit(role);
        Ok(Welcome {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            role,
            capabilities: OPERATIONS.iter().map(|definition| definition.name.to_owned()).collect(),
            start: self.systems.services.lifecycle().start().to_owned(),
        })
    }

    async fn run(self, _: Context, envelope: Envelope) -> Result<Outcome, Fault> {
        let (role, surface) = self.admitted().await?;
        let at = Some(self.systems.services.clock().now());
        let named = envelope.request["operation"].as_str().and_then(grammar::find);
        self.pace(named.map_or("unknown", |definition| definition.name), surface).await?;
        let request = match read_request(envelope.request) {
            Ok(request) => request,
            Err((operation, fault)) => {
                let guild = envelope.guild.as_ref().and_then(GuildText::id);
                self.audit_unread(operation, surface, guild, Some(&fault)).await;
                return Err(fault);
            }
        };
        let definition = request.definition();
        if let Err(fault) = authority::check_role(role, definition)
            && !self.door.refusals.is_first(self.account.uid, definition.name, surface, &fault)
        {
            return Err(fault);
        }
        let guild = match guild::meant(&self.systems, envelope.guild.as_ref(), &request).await {
            Ok(guild) => guild,
            Err(fault) => {
                self.audit_unread(definition.name, surface, None, Some(&fault)).await;
                return Err(fault);
            }
        };
        let operation = request.name().to_owned();
        let invocation = Invocation {
            actor: Actor::Operator { uid: self.account.uid, role },
            surface,
            guild,
            channel: None,
            dry_run: envelope.dry_run,
            confirm: envelope.confirm,
            because: None,
            upload: envelope.upload.map(Upload::Staged),
            request,
        };
        let turn = self.account.turn().await?;
        // With its turn on a task of its own: a caller that goes away takes no other's place meanwhile.
        let systems = Arc::clone(&self.systems);
        let working = tokio::spawn(async move {
            let reply = pipeline::run(systems, invocation).await;
            drop(turn);
            reply
        });
        let reply = working.await.map_err(|_| Fault::internal("the request ended without an answer"))?;
        let reply = match reply {
            Ok(reply) => reply,
            Err(fault) => return Err(names::fault(&self.systems.services, fault, Reader::Operator).await),
        };
        let (next_cursor, mut warnings) = (reply.next_cursor(), reply.warnings());
        let mut mentions = reply.report().mentions();
        warnings.iter().for_each(|warning| mentions.quote(warning));
        let names = names::of(&self.systems.services, &mentions, Reader::Operator).await;
        warnings.iter_mut().for_each(|warning| *warning = with_names(warning, &names, false));
        let mut data = serde_json::to_value(reply).map_err(|error| Fault::internal(error.to_string()))?;
        self.systems.operators.name(&mut data).await;
        Ok(Outcome { operation, data, next_cursor, warnings, at, names })
    }

    async fn watch(self, _: Context, cursor: Option<Cursor>, wait_ms: u64) -> Result<Watched, Fault> {
        let (_, surface) = self.admitted().await?;
        self.pace("watch", surface).await?;
        let Ok(_watching) = self.watches.try_acquire() else {
            let fault = Fault::rate_limited(format!("a connection has {WATCHES} watches at once"))
                .hint("end one of them, or open another connection");
            return Err(self.refused("watch", surface, None, fault).await);
        };
        // Once for all the watches of a connection: they are one look at what happens, asked for again and again.
        if !self.watched.swap(true, Ordering::Relaxed) {
            self.audit_unread("watch", surface, None, None).await;
        }
        let store = self.systems.services.store();
        let mut sequence = store.sequence();
        let mut closing = self.systems.services.lifecycle().closing();
        let here = |sequence| Cursor { epoch: store.epoch().to_owned(), sequence };
        let now = *sequence.borrow_and_update();
        let after = match cursor {
            None => {
                return Ok(Watched {
                    events: Vec::new(),
                    cursor: here(now),
                    gap: false,
                    names: Names::default(),
                });
            }
            // Another store, or a place that this one has not reached: what was seen means nothing here.
            Some(cursor) if cursor.epoch != store.epoch() || cursor.sequence > now => {
                return Ok(Watched {
                    events: Vec::new(),
                    cursor: here(now),
                    gap: true,
                    names: Names::default(),
                });
            }
            Some(cursor) => cursor.sequence,
        };
        if now == after {
            let wait = Duration::from_millis(wait_ms.min(LONGEST_WATCH));
            tokio::select! {
                _ = sequence.wait_for(|sequence| *sequence > after) => {}
                () = tokio::time::sleep(wait) => {}
                () = closing.raised() => {}
            }
        }
        let (mut events, gap) = store.read(move |view| Ok(view.events_after(after, WATCH_PAGE)?)).await?;
        self.systems.operators.name_in(&mut events).await;
        let last = events.last().map_or(after, |event| event.sequence);
        let mut mentions = Mentions::default();
        events.iter().for_each(|event| event.change.mentions(&mut mentions));
        let names = names::of(&self.systems.services, &mentions, Reader::Operator).await;
        Ok(Watched { events, cursor: here(last), gap, names })
    }

    async fn upload(
        self,
        _: Context,
        id: Option<UploadId>,
        offset: u64,
        chunk: Chunk,
    ) -> Result<UploadId, Fault> {
        let (role, surface) = self.admitted().await?;
        if role == Role::Observer {
            let fault = Fault::denied("observers send no files").hint(LIST_HINT);
            return Err(self.refused("upload", surface, None, fault).await);
        }
        self.pace("upload", surface).await?;
        let turn = self.account.turn().await?;
        let (uploads, holder) = (self.systems.uploads.clone(), self.holder);
        let keep = move || {
            let id = id.map_or_else(|| uploads.begin(holder), Ok)?;
            let kept = uploads.append(holder, id, offset, chunk.bytes()).map(|()| id);
            drop(turn);
            kept
        };
        let kept = tokio::task::spawn_blocking(keep).await;
        let kept = kept.unwrap_or_else(|_| Err(Fault::internal("keeping the file failed")));
        self.moved("upload", surface, id.is_none(), kept).await
    }

    async fn download(self, _: Context, id: UploadId, offset: u64) -> Result<Chunk, Fault> {
        let (role, surface) = self.admitted().await?;
        if role == Role::Observer {
            let fault = Fault::denied("observers bring no files").hint(LIST_HINT);
            return Err(self.refused("download", surface, None, fault).await);
        }
        self.pace("download", surface).await?;
        let turn = self.account.turn().await?;
        let uploads = self.systems.uploads.clone();
        let part = tokio::task::spawn_blocking(move || {
            let part = uploads.part(id, offset);
            drop(turn);
            part
        });
        let part = part.await.unwrap_or_else(|_| Err(Fault::internal("reading the file failed")));
        let first = part.as_ref().is_ok_and(|part| part.first);
        self.moved("download", surface, first, part.map(|part| part.chunk)).await
    }
}

/// The request in an envelope. What this version does not know is a fault for this call only, with the words of
/// the operation for the audit.
fn read_request(value: serde_json::Value) -> Result<Request, (&'static str, Fault)> {
    let name = value["operation"].as_str().unwrap_or_default().to_owned();
    let Some(definition) = grammar::find(&name) else {
        let shown = Untrusted::clipped(&name).line_within(40);
        let fault = Fault::not_found(format!("this daemon knows no operation \"{shown}\""))
            .hint("install wayhaven and wayhavend of the same version");
        return Err(("unknown", fault));
    };
    serde_json::from_value(value).map_err(|error| {
        (definition.name, Fault::usage(format!("the arguments of {name} are refused: {error}")))
    })
}
