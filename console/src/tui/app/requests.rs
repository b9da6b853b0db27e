//! The one way out for requests. What changes something is refused in observe mode and while no daemon answers;
//! otherwise it is run dry first, shown with its counts, and sent only after a yes.

use super::{App, Link, Mode, summary};
use crate::tui::dialog::{Dialog, Proposal, Question};
use crate::tui::input::{self, Order, Ticket};
use crate::tui::list::RowId;
use crate::tui::pane::{Body, Pane};
use crate::tui::screens::Screen;
use shared::control::{Envelope, Outcome, Role};
use shared::operation::Reported;
use shared::report::Tone;
use shared::value::GuildText;
use shared::{Effect, Fault, Request, grammar};
use wayhaven_shared as shared;

/// What an answer is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To be read.
    Read(Envelope, String),
    /// To be shown in a question; with what would be sent.
    Preview(Box<Proposal>),
    /// To be told: it was confirmed, and this came of it.
    Done(String),
}

impl App {
    /// Why something with this effect cannot be done now; nothing where it can.
    pub(crate) fn refusal(&self, effect: Effect) -> Option<String> {
        if !effect.changes() {
            return None;
        }
        match (&self.link, self.welcome.as_ref().map(|welcome| welcome.role), self.mode) {
            (Link::Starting | Link::Lost { .. }, _, _) => {
                Some("no daemon answers: nothing can be changed".into())
            }
            (_, Some(Role::Observer), _) => {
                Some("your role is observer: the daemon only lets you read".into())
            }
            (_, _, Mode::Observe) => {
                Some("observe: nothing can be changed here; :write arms it for 15 minutes".into())
            }
            (_, _, Mode::Write { .. }) => None,
        }
    }

    /// Asks for an operation, as its effect wants it asked for.
    pub(super) fn submit(&mut self, request: &Request, guild: Option<GuildText>, dry_run: bool) {
        if !matches!(self.link, Link::Live) {
            return self.tell(Tone::Warning, "no daemon answers: nothing was sent");
        }
        let effect = request.effect();
        let line = command_line(request, guild.as_ref(), dry_run && effect.changes());
        let envelope = Envelope { guild, ..Envelope::new(request) };
        if !effect.changes() {
            return self.ask(envelope.clone(), Purpose::Read(envelope, line));
        }
        let dry = Envelope { dry_run: true, ..envelope.clone() };
        if dry_run {
            return self.ask(dry.clone(), Purpose::Read(dry, line));
        }
        if let Some(why) = self.refusal(effect) {
            return self.tell(Tone::Warning, why);
        }
        let name = grammar::confirmation(request);
        let (preview, summary) = (shared::Report::default(), String::new());
        let proposal = Proposal { envelope, line, effect, summary, preview, name };
        self.ask(dry, Purpose::Preview(Box::new(proposal)));
    }

    /// Sends what was confirmed.
    pub(super) fn apply(&mut self, proposal: Proposal) {
        // It may have been a while since the question was put.
        if let Some(why) = self.refusal(proposal.effect) {
            return self.tell(Tone::Warning, why);
        }
        let confirm = (proposal.effect == Effect::Severe).then_some(proposal.name);
        let envelope = Envelope { confirm, ..proposal.envelope };
        self.ask(envelope, Purpose::Done(proposal.line));
    }

    /// Asks again for what a pane shows.
    pub(super) fn ask_again(&mut self) {
        let pane = self.panes.last();
        if let Some((envelope, line)) = pane.and_then(|pane| Some((pane.again.clone()?, pane.line.clone()))) {
            self.panes.pop();
            self.ask(envelope.clone(), Purpose::Read(envelope, line));
        }
    }

    fn ask(&mut self, envelope: Envelope, purpose: Purpose) {
        self.tickets += 1;
        self.waiting.insert(self.tickets, purpose);
        self.orders.push(Order::Ask(self.tickets, envelope));
    }

    /// Whether something was asked and not answered.
    pub(crate) fn is_asking(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn answered(&mut self, ticket: Ticket, result: Result<Outcome, Fault>) {
        let Some(purpose) = self.waiting.remove(&ticket) else { return };
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(fault) => return self.fault(&fault),
        };
        self.model.learn(outcome.names.clone());
        match purpose {
            Purpose::Read(envelope, line) => self.open(outcome, line, Some(envelope)),
            Purpose::Done(line) => {
                let reply = input::read(&outcome);
                let report = reply.as_ref().map(|reply| reply.report().named(&outcome.names));
                let (tone, title) =
                    report.map_or((Tone::Plain, "done".into()), |report| (report.tone, report.title.line()));
                self.tell(tone, title);
                // What was marked was acted on.
                self.list_mut().marks.clear();
                match reply.and_then(|reply| reply.pending()) {
                    // A reply would be old before it is read: what goes on is shown where it is live.
                    Some(id) => {
                        self.go(Screen::Deliveries);
                        self.list_mut().filter.text.clear();
                        self.list_mut().seek(RowId::Punishment(id));
                    }
                    None => self.open(outcome, line, None),
                }
            }
            Purpose::Preview(mut proposal) => match input::read(&outcome) {
                Some(reply) => {
                    proposal.summary = summary::of(&proposal.envelope, &reply, self.shown());
                    proposal.preview = reply.preview().named(&outcome.names);
                    let dialog = Dialog::new(Question::Apply(proposal));
                    self.overlay = super::Overlay::Dialog(Box::new(dialog));
                    // A palette that was opened meanwhile would hide under the question.
                    self.prompt = None;
                }
                None => {
                    let why = "the preview is not understood, so nothing is done: other version";
                    self.messages.error(self.now, why, false);
                }
            },
        }
    }

    fn open(&mut self, outcome: Outcome, line: String, again: Option<Envelope>) {
        let body = match input::read(&outcome) {
            Some(reply) => Body::Report(reply.report().named(&outcome.names)),
            None => Body::Text(format!("{:#}", outcome.data)),
        };
        self.panes.push(Pane {
            title: outcome.operation,
            body,
            warnings: outcome.warnings,
            data: outcome.data,
            line,
            again,
            scroll: 0,
        });
    }
}

/// The words that would ask for it on the command line.
pub(super) fn command_line(request: &Request, guild: Option<&GuildText>, dry_run: bool) -> String {
    let mut words = vec!["wayhaven".to_owned()];
    words.extend(guild.map(|guild| format!("--guild={guild}")));
    words.extend(dry_run.then(|| "--dry-run".to_owned()));
    words.extend(grammar::argv(request));
    grammar::shell_line(&words)
}
