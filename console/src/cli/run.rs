//! One operation asked of the daemon.

use super::Globals;
use super::output::{Output, Surroundings};
use super::progress::Ticker;
use super::wait::step::Step;
use super::wait::{self, Waited};
use crate::files::{self, Target};
use crate::link::Place;
use crate::render::signs::Signs;
use shared::client::{Client, shape_fault};
use shared::control::{ClientSurface, Envelope, Outcome};
use shared::operation::Reported;
use shared::operations::paths::PathList;
use shared::operations::started::started;
use shared::paths::Layout;
use shared::value::{GuildText, PunishmentId};
use shared::{Effect, Fault, FaultKind, Reply, Report, Request};
use std::io::BufRead;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared as shared;

/// The exit code of an interrupt: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// Runs the request on a runtime of its own, until it is done or interrupted.
pub(super) fn in_runtime(
    request: Request,
    globals: &Globals,
    surroundings: &Surroundings,
    output: &mut Output<'_>,
) -> u8 {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return output.fault(&Fault::unavailable(format!("no runtime can be started: {error}")));
        }
    };
    let code = runtime.block_on(async {
        tokio::select! {
            code = operation(request, globals, surroundings, output) => Some(code),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    // What still waits to be read, from a terminal or a pipe, is not waited for.
    runtime.shutdown_background();
    match code {
        Some(code) => output.finish(code),
        None => {
            output.aside("\ninterrupted: what the daemon has stored goes on there\n");
            INTERRUPTED
        }
    }
}

/// How long a list is waited for that nobody has set a limit for: Discord may show a million bans a page a minute.
const A_LIST: Duration = Duration::from_secs(24 * 3_600);

/// The longest wait for the jobs of a plan before it is asked about.
const LONGEST_PLAN: Duration = Duration::from_secs(10);

/// Asks, waits where that was wanted, and prints; the exit code.
pub(super) async fn operation(
    request: Request,
    globals: &Globals,
    surroundings: &Surroundings,
    output: &mut Output<'_>,
) -> u8 {
    match answer(request, globals, surroundings, output).await {
        Ok(code) => code,
        Err(fault) => output.fault(&fault),
    }
}

async fn answer(
    request: Request,
    globals: &Globals,
    surroundings: &Surroundings,
    output: &mut Output<'_>,
) -> Result<u8, Fault> {
    request.check()?;
    let place = surroundings.place(globals)?;
    let guild = surroundings.guild(globals)?;
    let confirm = confirmation(&request, globals, surroundings)?;
    let client = match (place.connect(ClientSurface::Cli).await, &place) {
        (Ok(client), _) => client,
        (Err(fault), Place::Here(layout))
            if matches!(request, Request::Paths(_)) && fault.kind == FaultKind::Unreachable =>
        {
            return Ok(local_paths(layout, &fault, output));
        }
        (Err(fault), _) => return Err(fault),
    };
    let confirm = match confirm {
        Confirmation::Given(confirm) => confirm,
        Confirmation::Asked(name) => {
            let mut ticker = ticker(globals, surroundings);
            Some(ask(&client, &request, guild.clone(), name, (&mut ticker, output)).await?)
        }
    };
    let mut envelope = Envelope {
        guild,
        dry_run: globals.dry_run && request.definition().effect.changes(),
        confirm,
        ..Envelope::new(&request)
    };
    // A dry run starts no deliveries, but its plan may be a job.
    let (wait, dry_run) = (globals.wait.filter(|_| !globals.no_wait), envelope.dry_run);
    files::send(&client, &request, &mut envelope).await?;
    let target = Target::of(&request, dry_run)?;
    // A list is what was asked for: it is waited for in any case.
    let wait = wait.map(Duration::from).or(target.is_some().then_some(A_LIST));
    let cursor = match wait {
        Some(_) => Some(client.watch(None, Duration::ZERO).await?.cursor),
        None => None,
    };
    let is_standard = target.as_ref().is_some_and(Target::is_standard);
    if is_standard && output.is_json() {
        return Err(Fault::usage("the list and the answer cannot both go to standard output")
            .hint("--output names a file for the list"));
    }
    let mut outcome = client.run(envelope).await?;
    let Ok(mut reply) = Request::read_reply(&outcome.operation, outcome.data.clone()) else {
        return Ok(unread(outcome, output));
    };
    if let Reply::DaemonRestart(restarting) = &reply
        && !restarting.dry_run
        && !globals.no_wait
    {
        let patience = wait.unwrap_or(wait::restart::PATIENCE);
        let back = wait::restart::follow(&client, &place, restarting, patience).await?;
        outcome.data = serde_json::to_value(&back).unwrap_or(outcome.data);
        output.reply(&outcome, Some(&back.report()));
        return Ok(0);
    }
    let deadline = wait.map(|span| Instant::now() + span);
    let begun = reply.jobs();
    let mut unfinished = None;
    let follows = !begun.is_empty();
    if let (Some(span), Some(cursor), true) = (wait, cursor.clone(), follows) {
        let mut ticker = ticker(globals, surroundings);
        let (jobs, ended) = wait::jobs::follow(&client, cursor, begun, span, &mut ticker, output).await;
        wait::jobs::replace(&mut outcome.data, &jobs);
        reply = Request::read_reply(&outcome.operation, outcome.data.clone()).unwrap_or(reply);
        unfinished = wait::jobs::unfinished(&ended, &jobs);
        outcome.names.add(client.take_names());
    }
    if let Some(target) = target {
        target.receive(&client, files::list_of(&reply), &mut output.list()).await?;
    }
    if let (Some(deadline), Some(cursor), None) = (deadline, cursor.clone(), &unfinished)
        && !dry_run
        && let Some(started) = started(&request, &reply, outcome.at)
    {
        let mut ticker = ticker(globals, surroundings);
        let followed =
            wait::deliveries::follow(&client, cursor, &started, deadline, &mut ticker, output).await;
        let counted = followed.counted.and_then(|counted| serde_json::to_value(counted).ok());
        if let (Some(data), Some(counted)) = (outcome.data.as_object_mut(), counted) {
            data.insert("settled".to_owned(), counted);
        }
        output.reply(&outcome, Some(&followed.headline(reply.report())));
        let fault = reply.verdict().or_else(|| followed.verdict(&started));
        return Ok(fault.map_or(0, |fault| output.fault(&fault)));
    }
    if follows || is_standard {
        // Standard output is the list's.
        if !is_standard {
            output.reply(&outcome, Some(&reply.report()));
        }
        let fault = unfinished.or_else(|| reply.verdict());
        return Ok(fault.map_or(0, |fault| output.fault(&outcome.names.in_fault(fault))));
    }
    let pending = reply.pending().filter(|_| !dry_run);
    let (Some(deadline), Some(cursor), Some(id)) = (deadline, cursor, pending) else {
        output.reply(&outcome, Some(&reply.report()));
        return Ok(reply.verdict().map_or(0, |fault| output.fault(&outcome.names.in_fault(fault))));
    };
    let mut ticker = ticker(globals, surroundings);
    let waited = wait::follow(&client, cursor, id, deadline, &mut ticker, output).await;
    let warned = reply.punished();
    let step = wait::step::follow_step(&client, warned, &waited, deadline, &mut ticker, output).await;
    outcome.names.add(client.take_names());
    Ok(settled(&mut outcome, reply, (&waited, &step), id, output))
}

/// What shows how far a wait is, as the terminal allows.
fn ticker(globals: &Globals, surroundings: &Surroundings) -> Ticker {
    Ticker::new(
        surroundings.error_terminal && !surroundings.dumb,
        Signs { ascii: globals.ascii || surroundings.wants_ascii() },
    )
}

/// Prints the reply with what became of it, and says how it ended.
fn settled(
    outcome: &mut Outcome,
    reply: Reply,
    (waited, step): (&Waited, &Step),
    id: PunishmentId,
    output: &mut Output<'_>,
) -> u8 {
    if let Some(detail) = &waited.detail {
        let told = detail.told.as_ref().map(|told| ("told", serde_json::to_value(told)));
        let now = [
            ("deliveries", serde_json::to_value(detail.counts())),
            ("origin", serde_json::to_value(&detail.origin)),
        ];
        for (field, value) in now.into_iter().chain(told) {
            if let (Some(data), Ok(value)) = (outcome.data.as_object_mut(), value) {
                data.insert(field.to_owned(), value);
            }
        }
    }
    let taken = step.taken().and_then(|taken| serde_json::to_value(taken).ok());
    if let (Some(data), Some(taken)) = (outcome.data.as_object_mut(), taken) {
        data.insert("escalation".to_owned(), taken);
    }
    // What was replaced has the shape of what stood there, so it is read as the first reply was.
    let reply = Request::read_reply(&outcome.operation, outcome.data.clone()).unwrap_or(reply);
    output.reply(outcome, Some(&reply.report()));
    let fault = wait::verdict(waited, id).or_else(|| step.verdict());
    fault.map_or(0, |fault| output.fault(&outcome.names.in_fault(fault)))
}

/// A reply of another version's shape is shown as it is: it was done, and that is what counts.
fn unread(mut outcome: Outcome, output: &mut Output<'_>) -> u8 {
    let error = Request::read_reply(&outcome.operation, outcome.data.clone()).err();
    if let Some(error) = error {
        outcome.warnings.push(shape_fault(&outcome.operation, &error).message);
    }
    output.reply(&outcome, None);
    0
}

/// `paths` answers with no daemon too: that is when one asks where to look.
fn local_paths(layout: &Layout, fault: &Fault, output: &mut Output<'_>) -> u8 {
    let list = PathList::from(layout);
    let outcome = Outcome {
        operation: "paths".into(),
        data: serde_json::to_value(&list).unwrap_or_default(),
        next_cursor: None,
        warnings: vec![format!(
            "{}: these paths are what a daemon started like this would use",
            fault.message
        )],
        at: None,
        names: shared::Names::default(),
    };
    output.reply(&outcome, Some(&list.report()));
    0
}

/// What confirms a severe operation.
enum Confirmation {
    /// `--confirm`, or nothing where nothing has to be confirmed.
    Given(Option<String>),
    /// This name, which is to be typed on the terminal.
    Asked(String),
}

/// What confirms a severe operation: `--confirm`, or the name typed on a terminal.
fn confirmation(
    request: &Request,
    globals: &Globals,
    surroundings: &Surroundings,
) -> Result<Confirmation, Fault> {
    let severe = request.effect() == Effect::Severe && !globals.dry_run;
    if !severe || globals.confirm.is_some() {
        return Ok(Confirmation::Given(globals.confirm.clone()));
    }
    let name = shared::grammar::confirmation(request);
    match surroundings.input_terminal {
        true => Ok(Confirmation::Asked(name)),
        false => Err(declined(request, &name)),
    }
}

fn declined(request: &Request, name: &str) -> Fault {
    let quoted = shared::grammar::shell_line(&[name.to_owned()]);
    Fault::new(FaultKind::Declined, format!("{} was not confirmed, and nothing was done", request.name()))
        .hint(format!("--confirm={quoted} confirms it without asking"))
        .hint("--dry-run shows what would happen")
}

/// Says why it is asked, and what is to be typed.
pub(super) fn question(request: &Request, name: &str) -> String {
    let why = match request.may_affect_many() {
        true => "This may affect many users",
        false => "This can't be undone",
    };
    format!("{why}. Type {name} to continue: ")
}

/// What the operation would do, as far as it is known after the longest wait; nothing where the
/// daemon's reply has another version's shape.
pub(super) async fn plan(
    client: &Client,
    request: &Request,
    guild: Option<GuildText>,
    longest_wait: Duration,
    (ticker, output): (&mut Ticker, &mut Output<'_>),
) -> Result<Option<Report>, Fault> {
    let dry = Envelope { guild, dry_run: true, ..Envelope::new(request) };
    let cursor = client.watch(None, Duration::ZERO).await?.cursor;
    let mut planned = client.run(dry).await?;
    // A plan that takes its time is shown when it has its counts.
    let reply = Request::read_reply(&planned.operation, planned.data.clone());
    let begun = reply.map(|reply| reply.jobs()).unwrap_or_default();
    if !begun.is_empty() {
        let (jobs, ended) = wait::jobs::follow(client, cursor, begun, longest_wait, ticker, output).await;
        wait::jobs::replace(&mut planned.data, &jobs);
        // A guild in an outage, or one that cannot be compared, keeps nobody from repairing the
        // others.
        let needs_all = !matches!(request, Request::SyncReconcile(_));
        if needs_all || matches!(ended, wait::Ended::Lost(_)) {
            wait::jobs::unfinished(&ended, &jobs).map_or(Ok(()), Err)?;
        }
        planned.names.add(client.take_names());
    }
    let reply = Request::read_reply(&planned.operation, planned.data).ok();
    Ok(reply.map(|reply| reply.preview().named(&planned.names)))
}

/// Shows what the operation would do, with its counts, and has its name typed.
async fn ask(
    client: &Client,
    request: &Request,
    guild: Option<GuildText>,
    name: String,
    (ticker, output): (&mut Ticker, &mut Output<'_>),
) -> Result<String, Fault> {
    // A list has not been sent yet, and is judged row by row when it is applied.
    if !matches!(request, Request::SyncImport(_))
        && let Some(report) = plan(client, request, guild, LONGEST_PLAN, (ticker, output)).await?
    {
        output.preview(&report);
    }
    output.aside(&question(request, &name));
    let mut typed = String::new();
    let read = std::io::stdin().lock().read_line(&mut typed);
    match read {
        Ok(_) if typed.trim() == name => Ok(name),
        _ => Err(declined(request, &name)),
    }
}
