//! Files that go with requests: read here and sent ahead, brought here and written. The daemon opens none by its name.

use shared::client::Client;
use shared::control::{Envelope, LONGEST_WATCH, Outcome};
use shared::operations::job::{Job, JobResult, JobShow};
use shared::value::{FileName, JobId, UploadId};
use shared::{Fault, Reply, Request};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;
use wayhaven_shared as shared;

/// The most bytes that the daemon takes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Sends the file that the request names, where it names one.
///
/// # Errors
/// Where it cannot be read, is too large or empty, or the daemon does not take it.
pub(crate) async fn send(client: &Client, request: &Request, envelope: &mut Envelope) -> Result<(), Fault> {
    let Request::SyncImport(import) = request else { return Ok(()) };
    let file = open(&import.file)?;
    envelope.upload = client.upload(file).await?;
    match envelope.upload {
        Some(_) => Ok(()),
        None => Err(Fault::usage(format!("{} is empty", import.file.shown()))
            .hint("a list of bans has a user id on each line, or is a JSON list")),
    }
}

fn open(name: &FileName) -> Result<Box<dyn Read + Send>, Fault> {
    if name.raw() == FileName::STANDARD_STREAM {
        return Ok(Box::new(io::stdin()));
    }
    let unreadable = |error: io::Error| {
        let message = format!("{} cannot be read: {error}", name.shown());
        match error.kind() {
            io::ErrorKind::NotFound => Fault::not_found(message).hint("the path is taken from where you are"),
            _ => Fault::usage(message).hint("- in place of the name reads standard input"),
        }
    };
    let file = File::open(name.raw()).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Fault::usage(format!("{} is a directory", name.shown())).hint("name a file in it"));
    }
    if metadata.len() > LARGEST {
        return Err(Fault::usage(format!("{} is larger than 64 MiB", name.shown()))
            .hint("split it: several lists are imported one after the other"));
    }
    Ok(Box::new(file))
}

/// Where a list is written that a request asks for.
pub(crate) enum Target {
    /// Standard output.
    Standard,
    /// A file of that name, which is not there yet.
    File(FileName),
}

impl Target {
    /// Looks whether the file that the request names can be made, before a list is waited for; nothing where it asks for
    /// none.
    ///
    /// # Errors
    /// Where the file is there already, or cannot be made.
    pub(crate) fn of(request: &Request, dry_run: bool) -> Result<Option<Self>, Fault> {
        let output = match request {
            Request::SyncExport(export) => &export.output,
            Request::AuditExport(export) => &export.output,
            _ => return Ok(None),
        };
        match output {
            _ if dry_run => Ok(None),
            None => Ok(Some(Self::Standard)),
            Some(name) if name.name().raw() == FileName::STANDARD_STREAM => Ok(Some(Self::Standard)),
            Some(name) => {
                let name = name.name();
                drop(make(name)?);
                // Whoever finds it empty would take it for the list.
                remove(name);
                Ok(Some(Self::File(name.clone())))
            }
        }
    }

    /// Whether the list goes to where replies go too.
    pub(crate) fn is_standard(&self) -> bool {
        matches!(self, Self::Standard)
    }

    /// Brings the list. A file that it does not come into as a whole is removed.
    ///
    /// # Errors
    /// Where the daemon has it no more, or it cannot be written.
    pub(crate) async fn receive<W: Write + ?Sized>(
        self,
        client: &Client,
        list: Option<UploadId>,
        standard: &mut W,
    ) -> Result<(), Fault> {
        match (self, list) {
            (Self::Standard, Some(id)) => bring(client, id, standard).await,
            (Self::File(name), Some(id)) => {
                let mut file = make(&name)?;
                let brought = bring(client, id, &mut file).await;
                if brought.is_err() {
                    remove(&name);
                }
                brought
            }
            (_, None) => Ok(()),
        }
    }
}

/// Makes a file, which must not be there yet.
fn make(name: &FileName) -> Result<File, Fault> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(name.raw());
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Fault::conflict(format!("{} is there already", name.shown()))
            .hint("name another file, or move that one away: nothing is written over"),
        _ => Fault::usage(format!("{} cannot be made: {error}", name.shown()))
            .hint("name a file in a directory that is there and that you may write to"),
    })
}

/// The job that writes a file for this request.
fn writes(reply: Reply) -> Option<Job> {
    match reply {
        Reply::SyncExport(job) | Reply::AuditExport(job) => Some(job),
        _ => None,
    }
}

/// The file that a reply names.
pub(crate) fn list_of(reply: &Reply) -> Option<UploadId> {
    let (Reply::SyncExport(job) | Reply::AuditExport(job)) = reply else { return None };
    job.result.as_ref().and_then(JobResult::written).map(|written| written.file)
}

/// Waits until a job is over, however long that takes.
async fn over(client: &Client, id: JobId) -> Result<Job, Fault> {
    let mut cursor = client.watch(None, Duration::ZERO).await?.cursor;
    loop {
        let job = client.call(JobShow { id }).await?;
        if !job.is_running() {
            return Ok(job);
        }
        // It tells of itself, if only that it has come further.
        cursor = client.watch(Some(cursor), Duration::from_millis(LONGEST_WATCH)).await?.cursor;
    }
}

/// Asks for an operation with the files that go with it, where there is no standard input or output for them: in the
/// console.
///
/// # Errors
/// What is wrong with a file, or the daemon's fault.
pub(crate) async fn run(client: &Client, mut envelope: Envelope) -> Result<Outcome, Fault> {
    // What is no request is the daemon's to refuse.
    let Ok(request) = serde_json::from_value::<Request>(envelope.request.clone()) else {
        return client.run(envelope).await;
    };
    if let Request::SyncImport(import) = &request
        && import.file.raw() == FileName::STANDARD_STREAM
    {
        return Err(Fault::usage("the console has no standard input for a list").hint("name a file"));
    }
    send(client, &request, &mut envelope).await?;
    let target = Target::of(&request, envelope.dry_run)?;
    if target.as_ref().is_some_and(Target::is_standard) {
        return Err(
            Fault::usage("the console has no standard output for a list").hint("--output names a file")
        );
    }
    let mut outcome = client.run(envelope).await?;
    let reply = Request::read_reply(&outcome.operation, outcome.data.clone()).ok();
    if let (Some(target), Some(mut job)) = (target, reply.and_then(writes)) {
        if job.is_running() {
            job = over(client, job.id).await?;
            outcome.data = serde_json::to_value(&job).unwrap_or(outcome.data);
        }
        let file = job.result.as_ref().and_then(JobResult::written).map(|written| written.file);
        target.receive(client, file, &mut io::sink()).await?;
    }
    Ok(outcome)
}

async fn bring<W: Write + ?Sized>(client: &Client, id: UploadId, into: &mut W) -> Result<(), Fault> {
    client.download(id, into).await?;
    into.flush().map_err(|error| Fault::unavailable(format!("the file could not be written: {error}")))
}

/// It holds nothing, or not all: who finds it would take it for the list.
fn remove(name: &FileName) {
    let _ = std::fs::remove_file(name.raw());
}
