//! Lines as text for a terminal, a file or a pipe: sixteen colours on the terminal's own background, and none
//! where they are not wanted.

use super::layout::{Ink, Line, Page};
use super::signs::Signs;
use wayhaven_shared::report::Tone;
use wayhaven_shared::value::Untrusted;
use wayhaven_shared::{Fault, Report};

/// What a stream can show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Paper {
    /// Columns, where it is a terminal.
    pub(crate) width: Option<usize>,
    /// Whether colour is wanted.
    pub(crate) colour: bool,
    /// What can be shown.
    pub(crate) signs: Signs,
}

/// A report as text, with a line end behind each line.
pub(crate) fn report(report: &Report, paper: &Paper) -> String {
    let page = Page { width: paper.width, signs: paper.signs };
    page.lay_out(report).iter().map(|line| paint(line, paper)).collect()
}

/// A fault as text: the message, then the ways out.
pub(crate) fn fault(fault: &Fault, paper: &Paper) -> String {
    let clean = |text: &str| paper.signs.text(&Untrusted::clipped(text).line());
    let mut text = format!("{} {}\n", inked("error:", "1;31", paper), clean(&fault.message));
    for hint in &fault.hints {
        text.push_str(&format!("  {} {}\n", inked("hint:", "36", paper), clean(hint)));
    }
    text
}

/// A warning as text.
pub(crate) fn warning(warning: &str, paper: &Paper) -> String {
    let clean = paper.signs.text(&Untrusted::clipped(warning).line());
    format!("{} {clean}\n", inked("warning:", "33", paper))
}

fn paint(line: &Line, paper: &Paper) -> String {
    let mut text: String = line.iter().map(|span| inked(&span.text, code(span.ink), paper)).collect();
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The SGR parameters for an ink; empty where the terminal's own colour is right.
fn code(ink: Ink) -> &'static str {
    match ink {
        Ink::Title(tone) => match tone {
            Tone::Plain | Tone::Quiet => "1",
            Tone::Good => "1;32",
            Tone::Waiting => "1;36",
            Tone::Warning => "1;33",
            Tone::Bad => "1;31",
        },
        Ink::Toned(tone) => match tone {
            Tone::Plain => "",
            Tone::Good => "32",
            Tone::Waiting => "36",
            Tone::Warning => "33",
            Tone::Bad => "31",
            Tone::Quiet => "2",
        },
        Ink::Label => "2",
        Ink::Hint => "36",
    }
}

fn inked(text: &str, code: &str, paper: &Paper) -> String {
    // Spaces carry no ink: what is trimmed off a line's end must not leave an open colour behind.
    let body = text.trim_end();
    if !paper.colour || code.is_empty() || body.is_empty() {
        return text.to_owned();
    }
    format!("\x1b[{code}m{body}\x1b[0m{}", &text[body.len()..])
}
