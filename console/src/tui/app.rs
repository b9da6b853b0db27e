//! The console's state: what is known, what is shown, and what keys make of it. It does no input or output.
//!
//! Every request leaves through [`requests`], where observe mode and a daemon that is gone stop it.

mod commands;
mod copying;
mod prompts;
mod requests;
mod summary;
#[cfg(test)]
mod tests;

use super::dialog::Dialog;
use super::input::{Input, Moment, News, Order, Ticket};
use super::keymap::{self, Command};
use super::list::List;
use super::messages::Messages;
use super::model::{Consequence, Model};
use super::pane::Pane;
use super::screens::{self, Canvas, Screen};
use super::theme::Theme;
use super::view;
use crate::terminal_size;
use crossterm::event::{KeyEvent, KeyEventKind};
pub(crate) use prompts::Prompt;
use requests::Purpose;
use shared::Fault;
use shared::control::Welcome;
use shared::report::Tone;
use shared::value::{GuildText, Timestamp};
use std::collections::HashMap;
use wayhaven_shared as shared;

/// How long write mode lasts, in milliseconds.
const ARMED: u64 = 15 * 60 * 1_000;

/// Whether anything can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing can.
    Observe,
    /// It can, until then.
    Write {
        /// In milliseconds since the start.
        until: u64,
    },
}

/// How the daemon is reached.
#[derive(Debug)]
pub(crate) enum Link {
    /// It was not reached yet.
    Starting,
    /// It answers.
    Live,
    /// It does not answer any more, or not yet.
    Lost {
        /// Since when, in milliseconds since the start.
        since: u64,
        /// Why.
        fault: Fault,
    },
}

/// What lies over everything.
#[derive(Debug)]
pub(crate) enum Overlay {
    /// Nothing.
    Nothing,
    /// The keys, scrolled so far.
    Help(usize),
    /// A question.
    Dialog(Box<Dialog>),
}

/// A view that was frozen.
#[derive(Debug)]
pub(crate) struct Frozen {
    /// What is shown.
    pub(crate) model: Model,
    /// How many changes came since.
    pub(crate) missed: u64,
}

/// The console.
pub(crate) struct App {
    pub(crate) now: Moment,
    pub(crate) size: (u16, u16),
    pub(crate) theme: Theme,
    pub(crate) link: Link,
    pub(crate) welcome: Option<Welcome>,
    /// The guild of palette lines that name none: WAYHAVEN_GUILD.
    pub(crate) guild: Option<GuildText>,
    /// Whether the console is the demo's, whose daemon ends with it.
    pub(crate) is_demo: bool,
    /// Whether somebody wants to leave a terminal that is too small to ask in a dialog.
    pub(crate) leave_asked: bool,
    /// When changes were missed, until somebody resynchronises.
    pub(crate) gap: Option<Timestamp>,
    pub(crate) mode: Mode,
    pub(crate) model: Model,
    pub(crate) frozen: Option<Frozen>,
    pub(crate) screen: Screen,
    earlier: Screen,
    lists: [List; Screen::ALL.len()],
    pub(crate) panes: Vec<Pane>,
    pub(crate) prompt: Option<Prompt>,
    pub(crate) overlay: Overlay,
    pub(crate) messages: Messages,
    /// Requests without an answer.
    waiting: HashMap<Ticket, Purpose>,
    tickets: Ticket,
    history: Vec<String>,
    pub(crate) grammar: clap::Command,
    orders: Vec<Order>,
}

impl App {
    /// A console that knows nothing yet.
    pub(crate) fn new(now: Moment, size: (u16, u16), theme: Theme) -> Self {
        let mut grammar = crate::cli::command();
        // Built once, so that global flags and display names are in place for every completion.
        grammar.build();
        Self {
            now,
            size: terminal_size::usable(size.0, size.1),
            theme,
            link: Link::Starting,
            welcome: None,
            guild: None,
            is_demo: false,
            leave_asked: false,
            gap: None,
            mode: Mode::Observe,
            model: Model::default(),
            frozen: None,
            screen: Screen::Network,
            earlier: Screen::Deliveries,
            lists: Default::default(),
            panes: Vec::new(),
            prompt: None,
            overlay: Overlay::Nothing,
            messages: Messages::default(),
            waiting: HashMap::new(),
            tickets: 0,
            history: Vec::new(),
            grammar,
            orders: Vec::new(),
        }
    }

    /// Takes something that happened; says what is to be done.
    pub(crate) fn update(&mut self, now: Moment, input: Input) -> Vec<Order> {
        self.now = now;
        if matches!(self.mode, Mode::Write { until } if until <= now.elapsed) {
            self.mode = Mode::Observe;
            self.messages.event(now, Tone::Plain, "15 minutes are over: observe again");
        }
        match input {
            Input::Key(key) if key.kind != KeyEventKind::Release => self.key(&key),
            Input::Key(_) | Input::Tick => {}
            Input::Paste(text) => self.paste(&text),
            Input::Resize(width, height) => {
                self.size = terminal_size::usable(width, height);
                self.leave_asked = false;
            }
            Input::News(news) => self.news(news),
        }
        self.refresh();
        std::mem::take(&mut self.orders)
    }

    fn news(&mut self, news: News) {
        match news {
            News::Connected(welcome) => {
                if matches!(self.link, Link::Lost { .. }) {
                    self.messages.event(self.now, Tone::Plain, "the daemon answers again");
                }
                self.welcome = Some(welcome);
                self.link = Link::Live;
            }
            News::Snapshot(snapshot) => {
                for fault in &snapshot.problems {
                    self.fault(fault);
                }
                self.model.replace(*snapshot);
            }
            News::Changed(events) => {
                if let Some(frozen) = &mut self.frozen {
                    frozen.missed += events.len() as u64;
                }
                let mut reread = false;
                for event in events {
                    match self.model.apply(event.change) {
                        Consequence::Nothing => {}
                        Consequence::Reread => reread = true,
                        Consequence::Tell(tone, text) => self.messages.event(self.now, tone, text),
                    }
                }
                if reread {
                    self.orders.push(Order::Resync);
                }
            }
            News::Gap => {
                self.gap = Some(self.now.wall);
                self.messages.event(
                    self.now,
                    Tone::Warning,
                    "a gap: changes were missed while nobody listened; everything is read anew",
                );
            }
            News::Names(names) => self.model.learn(names),
            News::Lost(fault) => self.lost(fault),
            News::Answered(ticket, result) => self.answered(ticket, result),
        }
    }

    fn lost(&mut self, fault: Fault) {
        if matches!(self.link, Link::Live) {
            self.messages.event(self.now, Tone::Bad, fault.message.clone());
        }
        if !self.waiting.is_empty() {
            self.waiting.clear();
            self.tell(Tone::Warning, "a request has no answer; what the daemon has stored goes on");
        }
        let since = match self.link {
            Link::Lost { since, .. } => since,
            Link::Starting | Link::Live => self.now.elapsed,
        };
        self.link = Link::Lost { since, fault };
    }

    /// Tells something.
    pub(crate) fn tell(&mut self, tone: Tone, text: impl Into<String>) {
        self.messages.tell(self.now, tone, text);
    }

    /// Tells a fault, which stays until it was read.
    fn fault(&mut self, fault: &Fault) {
        self.fault_of(fault, false);
    }

    /// The same; of the palette line that is being typed, or not.
    fn fault_of(&mut self, fault: &Fault, of_line: bool) {
        // The message last, so that it is what the toast says.
        for hint in fault.hints.iter().rev() {
            self.tell(Tone::Quiet, format!("hint: {hint}"));
        }
        self.messages.error(self.now, fault.message.clone(), of_line);
    }

    fn key(&mut self, key: &KeyEvent) {
        let bound = keymap::lookup(key, self.screen).map(|binding| binding.command);
        if !view::fits(self.size) {
            return self.unseen_key(bound);
        }
        match bound {
            Some(Command::Interrupt) => return self.interrupt(),
            Some(Command::Suspend) => return self.orders.push(Order::Suspend),
            Some(Command::Repaint) => return self.orders.push(Order::Repaint),
            _ => {}
        }
        match (&self.overlay, &self.prompt) {
            (Overlay::Dialog(_), _) => self.dialog_key(key),
            (Overlay::Help(_), _) => self.help_key(bound),
            (Overlay::Nothing, Some(_)) => self.prompt_key(key),
            (Overlay::Nothing, None) => {
                if let Some(command) = bound {
                    self.command(command);
                }
            }
        }
    }

    /// A key on a terminal that is too small to show anything: nothing is done that nobody can see, and leaving takes the
    /// key twice.
    fn unseen_key(&mut self, bound: Option<Command>) {
        let leaves = matches!(bound, Some(Command::Back | Command::Interrupt));
        let is_confirmed = std::mem::replace(&mut self.leave_asked, leaves) && leaves;
        self.orders.extend(match bound {
            _ if is_confirmed => Some(Order::Quit),
            Some(Command::Suspend) => Some(Order::Suspend),
            Some(Command::Repaint) => Some(Order::Repaint),
            _ => None,
        });
    }

    /// What is shown: the frozen view, or what is known now.
    pub(crate) fn shown(&self) -> &Model {
        self.frozen.as_ref().map_or(&self.model, |frozen| &frozen.model)
    }

    /// The list of the screen.
    pub(crate) fn list(&self) -> &List {
        &self.lists[self.screen.place()]
    }

    fn list_mut(&mut self) -> &mut List {
        &mut self.lists[self.screen.place()]
    }

    /// The columns of the list: all, or the left part where two panes fit.
    pub(crate) fn list_width(&self) -> usize {
        let width = usize::from(self.size.0);
        // Five eighths: at 120 columns a punishment with two ids of 19 digits just fits.
        if width >= 120 { width * 5 / 8 } else { width }
    }

    /// The rows between header and footer.
    pub(crate) fn body_height(&self) -> usize {
        usize::from(self.size.1).saturating_sub(2)
    }

    /// Makes the rows anew.
    fn refresh(&mut self) {
        // Two columns before each row show the mark and keep text off the edge.
        let canvas = Canvas { width: self.list_width().saturating_sub(2), signs: self.theme.signs };
        let folds = &self.list().folds;
        let rows = match self.screen {
            Screen::Network => screens::network::rows(self.shown(), folds, canvas),
            Screen::Deliveries => screens::deliveries::rows(self.shown(), folds, canvas),
            Screen::Messages => screens::messages(&self.messages, canvas),
        };
        let height = self.body_height();
        self.list_mut().set(rows, height);
    }
}
