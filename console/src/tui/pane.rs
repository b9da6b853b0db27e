//! A reply or a help text to read, over the list.

use crate::render::layout::{Ink, Line, Page, span};
use crate::render::signs::{Signs, wrap};
use serde_json::Value;
use shared::Report;
use shared::control::Envelope;
use shared::report::Tone;
use shared::value::Untrusted;
use wayhaven_shared as shared;

/// What is read.
#[derive(Debug)]
pub(crate) enum Body {
    /// A reply.
    Report(Report),
    /// Text of ours, or JSON that this version cannot read.
    Text(String),
}

/// Something to read.
#[derive(Debug)]
pub(crate) struct Pane {
    /// Where it stands in the breadcrumbs.
    pub(crate) title: String,
    /// What is read.
    pub(crate) body: Body,
    /// What is worth knowing beside it.
    pub(crate) warnings: Vec<String>,
    /// The reply as it came.
    pub(crate) data: Value,
    /// The command line that would ask for it.
    pub(crate) line: String,
    /// What asked for it, where asking again changes nothing.
    pub(crate) again: Option<Envelope>,
    /// The first line on the screen.
    pub(crate) scroll: usize,
}

impl Pane {
    /// Text of ours to read.
    pub(crate) fn text(title: &str, text: String) -> Self {
        Self {
            title: title.into(),
            body: Body::Text(text),
            warnings: Vec::new(),
            data: Value::Null,
            line: String::new(),
            again: None,
            scroll: 0,
        }
    }

    /// Its lines at this width.
    pub(crate) fn lines(&self, width: usize, signs: Signs) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for warning in &self.warnings {
            let text = format!("! {}", Untrusted::clipped(warning).line());
            lines.push(vec![span(signs.text(&text), Ink::Toned(Tone::Warning))]);
        }
        match &self.body {
            Body::Report(report) => lines.extend(Page { width: Some(width), signs }.lay_out(report)),
            Body::Text(text) => {
                let clean = |line: &str| signs.text(&indented(line));
                let parts = text.lines().flat_map(|line| wrap(&clean(line), width));
                lines.extend(parts.map(|line| vec![span(line, Ink::Toned(Tone::Plain))]));
            }
        }
        lines
    }

    /// Scrolls, no further than the last line.
    pub(crate) fn roll(&mut self, by: isize, width: usize, height: usize, signs: Signs) {
        let last = self.lines(width, signs).len().saturating_sub(height);
        self.scroll = self.scroll.saturating_add_signed(by).min(last);
    }
}

/// A clean line that keeps its indentation.
fn indented(line: &str) -> String {
    let body = line.trim_start_matches(' ');
    format!("{}{}", " ".repeat(line.len() - body.len()), Untrusted::clipped(body).line())
}
