//! Where the command line writes: data on standard output, everything else on standard error.

use super::{Globals, locale, paper};
use crate::link::Place;
use crate::render::terminal::{self, Paper};
use crate::render::{json, layout};
use crate::terminal_size;
use shared::control::Outcome;
use shared::paths::{Environment, Layout};
use shared::value::{GuildText, Untrusted};
use shared::{Fault, Report};
use std::io::{self, ErrorKind, IsTerminal, Write};
use wayhaven_shared as shared;

/// What is around the process, read once so that tests can give another.
pub(crate) struct Surroundings {
    /// Where everything lies, or why that is not known.
    pub(crate) layout: Result<Layout, Fault>,
    /// `WAYHAVEN_HOST`.
    pub(crate) host: Option<String>,
    /// `WAYHAVEN_GUILD`.
    pub(crate) guild: Option<String>,
    /// Whether somebody can be asked.
    pub(crate) input_terminal: bool,
    /// Whether standard output is a terminal.
    pub(crate) output_terminal: bool,
    /// Whether standard error is a terminal.
    pub(crate) error_terminal: bool,
    /// The terminal's columns.
    pub(crate) width: usize,
    /// `NO_COLOR` is set.
    pub(crate) no_colour: bool,
    /// `TERM` is `dumb` or not set: the terminal understands no more than text.
    pub(crate) dumb: bool,
    /// The locale is UTF-8.
    pub(crate) utf8: bool,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let text = |name| {
            let value = std::env::var_os(name)?.to_string_lossy().into_owned();
            Some(value).filter(|value| !value.is_empty())
        };
        Self {
            layout: Layout::new(&Environment::of_process()),
            host: text("WAYHAVEN_HOST"),
            guild: text("WAYHAVEN_GUILD"),
            input_terminal: io::stdin().is_terminal(),
            output_terminal: io::stdout().is_terminal(),
            error_terminal: io::stderr().is_terminal(),
            width: usize::from(terminal_size::current().0.max(20)),
            no_colour: set("NO_COLOR"),
            dumb: std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb"),
            utf8: locale::is_utf8(|name| {
                std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
            }),
        }
    }

    /// Whether a terminal gets nothing but ASCII.
    pub(crate) fn wants_ascii(&self) -> bool {
        self.dumb || !self.utf8
    }
}

impl Surroundings {
    /// Where the daemon is that is meant: the flag is stronger than the variable.
    pub(super) fn place(&self, globals: &Globals) -> Result<Place, Fault> {
        if let Some(host) = &globals.host {
            return Ok(Place::There(host.clone()));
        }
        match &self.host {
            None => self.layout.clone().map(Place::Here),
            Some(host) => host.parse().map(Place::There).map_err(|why| {
                let shown = Untrusted::clipped(host).line_within(80);
                Fault::usage(format!("WAYHAVEN_HOST in the environment is \"{shown}\": {why}"))
            }),
        }
    }
}

impl Surroundings {
    /// The guild that is meant: the flag is stronger than the variable.
    pub(super) fn guild(&self, globals: &Globals) -> Result<Option<GuildText>, Fault> {
        match (&globals.guild, &self.guild) {
            (Some(guild), _) => Ok(Some(guild.clone())),
            (None, None) => Ok(None),
            (None, Some(text)) => text.parse().map(Some).map_err(|why| {
                let shown = Untrusted::clipped(text).line_within(80);
                Fault::usage(format!("WAYHAVEN_GUILD in the environment is \"{shown}\": {why}"))
                    .hint("unset WAYHAVEN_GUILD")
            }),
        }
    }
}

/// The two streams, and how each is written to.
pub(crate) struct Output<'a> {
    out: Box<dyn Write + 'a>,
    err: Box<dyn Write + 'a>,
    out_paper: Paper,
    err_paper: Paper,
    json: bool,
    /// What went wrong with standard output; a reader that went away is nothing wrong.
    failed: Option<io::Error>,
}

impl<'a> Output<'a> {
    /// Those of this process.
    pub(crate) fn of_process(surroundings: &Surroundings, json: bool, ascii: bool) -> Self {
        Self::new(Box::new(io::stdout()), Box::new(io::stderr()), surroundings, json, ascii)
    }

    /// Two streams of the caller's.
    pub(crate) fn new(
        out: Box<dyn Write + 'a>,
        err: Box<dyn Write + 'a>,
        surroundings: &Surroundings,
        json: bool,
        ascii: bool,
    ) -> Self {
        let out_paper = paper(surroundings, surroundings.output_terminal, ascii);
        let err_paper = paper(surroundings, surroundings.error_terminal, ascii);
        Self { out, err, out_paper, err_paper, json, failed: None }
    }

    /// Whether replies and failures are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Text of ours on standard output, as the terminal shows it.
    pub(crate) fn plain(&mut self, text: &str) {
        let shown = match (self.json, self.out_paper.signs.ascii) {
            (true, true) => json::escaped(text),
            (_, _) => self.out_paper.signs.text(text),
        };
        self.data(&shown);
    }

    /// Bytes for another program on standard output, whatever the terminal shows.
    pub(crate) fn data(&mut self, text: &str) {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        if let Err(error) = written {
            self.failed = Some(error).filter(|error| error.kind() != ErrorKind::BrokenPipe);
        }
    }

    /// Standard output itself, for a list that somebody asked for.
    pub(crate) fn list(&mut self) -> impl Write {
        Readers(&mut *self.out)
    }

    /// Text on standard error. Nobody can be told when that fails.
    pub(crate) fn aside(&mut self, text: &str) {
        let text = match (self.json, self.err_paper.signs.ascii) {
            (true, true) => json::escaped(text),
            (_, _) => self.err_paper.signs.text(text),
        };
        let _ = self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush());
    }

    /// A reply: JSON as it came, or the report; as indented JSON where no report could be made of it.
    pub(crate) fn reply(&mut self, outcome: &Outcome, report: Option<&Report>) {
        if self.json {
            return self.plain(&json::reply(outcome));
        }
        for warning in &outcome.warnings {
            let text = terminal::warning(warning, &self.err_paper);
            self.aside(&text);
        }
        let text = match report {
            Some(report) => terminal::report(&report.clone().named(&outcome.names), &self.out_paper),
            None => format!("{:#}\n", outcome.data),
        };
        self.plain(&text);
        if let Some(cursor) = &outcome.next_cursor {
            let text = layout::Page { width: None, signs: self.err_paper.signs };
            self.aside(&format!("{}\n", text.signs.text(&format!("more with --cursor={cursor}"))));
        }
    }

    /// What would be done, for who is asked about it: standard output is the answer's.
    pub(crate) fn preview(&mut self, report: &Report) {
        let text = terminal::report(report, &self.err_paper);
        self.aside(&text);
    }

    /// A failure; says which exit code it is.
    pub(crate) fn fault(&mut self, fault: &Fault) -> u8 {
        let text = match self.json {
            true => json::fault(fault),
            false => terminal::fault(fault, &self.err_paper),
        };
        self.aside(&text);
        fault.kind.exit_code()
    }

    /// The exit code, once everything is written: a full disk behind a redirection is a failure.
    pub(crate) fn finish(&mut self, code: u8) -> u8 {
        match self.failed.take() {
            None => code,
            Some(error) => {
                self.fault(&Fault::unavailable(format!("standard output cannot be written: {error}")))
            }
        }
    }
}

/// A stream whose reader may go away, as `| head` does: what it does not want any more is written without a failure.
struct Readers<'s, 'a>(&'s mut (dyn Write + 'a));

impl Write for Readers<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}
