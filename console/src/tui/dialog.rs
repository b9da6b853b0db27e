//! Questions. The focus starts on Cancel, except where something mild is asked, which Enter confirms.

use super::editor::Editor;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use shared::control::Envelope;
use shared::{Effect, Report};
use wayhaven_shared as shared;

/// What is asked.
#[derive(Debug)]
pub(crate) enum Question {
    /// Whether to leave the console.
    Leave,
    /// Whether to do what was previewed.
    Apply(Box<Proposal>),
}

/// A change that was run dry and waits for a yes.
#[derive(Debug)]
pub(crate) struct Proposal {
    /// What would be sent.
    pub(crate) envelope: Envelope,
    /// The command line for it.
    pub(crate) line: String,
    /// How much of a confirmation it needs.
    pub(crate) effect: Effect,
    /// Whom it concerns, where, and how many, in one sentence.
    pub(crate) summary: String,
    /// What the dry run said.
    pub(crate) preview: Report,
    /// What a severe change wants typed.
    pub(crate) name: String,
}

/// Which button Enter presses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Focus {
    /// Nothing happens.
    Cancel,
    /// It is done.
    Do,
}

/// A question on the screen.
#[derive(Debug)]
pub(crate) struct Dialog {
    /// What is asked.
    pub(crate) question: Question,
    /// Which button Enter presses.
    pub(crate) focus: Focus,
    /// What was typed, where a name is wanted.
    pub(crate) typed: Editor,
    /// How far the preview is scrolled.
    pub(crate) scroll: usize,
}

/// What a key made of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is still open.
    Open,
    /// No.
    No,
    /// Yes.
    Yes,
}

impl Dialog {
    /// A new question.
    pub(crate) fn new(question: Question) -> Self {
        let mild = matches!(&question, Question::Apply(proposal) if proposal.effect <= Effect::Mild);
        let focus = if mild { Focus::Do } else { Focus::Cancel };
        Self { question, focus, typed: Editor::default(), scroll: 0 }
    }

    /// The name that has to be typed, where one has.
    pub(crate) fn wanted(&self) -> Option<&str> {
        match &self.question {
            Question::Apply(proposal) if proposal.effect == Effect::Severe => Some(&proposal.name),
            _ => None,
        }
    }

    /// Whether yes can be said now.
    pub(crate) fn may_do(&self) -> bool {
        self.wanted().is_none_or(|name| self.typed.text() == name)
    }

    /// Takes a key.
    pub(crate) fn key(&mut self, key: &KeyEvent) -> Verdict {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => Verdict::No,
            KeyCode::Enter if self.focus == Focus::Cancel => Verdict::No,
            KeyCode::Enter if self.may_do() => Verdict::Yes,
            KeyCode::Enter => Verdict::Open,
            KeyCode::Tab | KeyCode::BackTab => self.turn(),
            KeyCode::Down => self.roll(1),
            KeyCode::Up => self.roll(-1),
            _ if self.wanted().is_some() => {
                self.typed.key(key);
                self.focus = if self.may_do() { Focus::Do } else { Focus::Cancel };
                Verdict::Open
            }
            KeyCode::Left | KeyCode::Right => self.turn(),
            KeyCode::Char('y') if !control => Verdict::Yes,
            KeyCode::Char('n' | 'q') if !control => Verdict::No,
            KeyCode::Char('j') => self.roll(1),
            KeyCode::Char('k') => self.roll(-1),
            _ => Verdict::Open,
        }
    }

    fn turn(&mut self) -> Verdict {
        self.focus = if self.focus == Focus::Cancel { Focus::Do } else { Focus::Cancel };
        Verdict::Open
    }

    fn roll(&mut self, by: isize) -> Verdict {
        // No further than there can be lines, so that the way back is as long as the way there.
        let lines = match &self.question {
            Question::Leave => 0,
            Question::Apply(proposal) => {
                let rows: usize = proposal.preview.tables.iter().map(|table| table.rows.len() * 2 + 3).sum();
                // At least 36 columns are there for the summary, whose words are broken between them.
                let summary = proposal.summary.len() / 24 + 1;
                summary + rows + proposal.preview.fields.len() + proposal.preview.hints.len()
            }
        };
        self.scroll = self.scroll.saturating_add_signed(by).min(lines);
        Verdict::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::operations::status::Status;

    fn dialog(effect: Effect) -> Dialog {
        Dialog::new(Question::Apply(Box::new(Proposal {
            envelope: Envelope::new(&Status {}.into()),
            line: "wayhaven status".into(),
            effect,
            summary: String::new(),
            preview: Report::default(),
            name: "nightly".into(),
        })))
    }

    fn press(dialog: &mut Dialog, code: KeyCode) -> Verdict {
        dialog.key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn a_moderate_change_wants_y_and_enter_cancels() {
        assert_eq!(press(&mut dialog(Effect::Moderate), KeyCode::Enter), Verdict::No);
        assert_eq!(press(&mut dialog(Effect::Moderate), KeyCode::Char('y')), Verdict::Yes);
        assert_eq!(press(&mut dialog(Effect::Mild), KeyCode::Enter), Verdict::Yes);
    }

    #[test]
    fn a_severe_change_wants_its_name() {
        let mut severe = dialog(Effect::Severe);
        assert_eq!(press(&mut severe, KeyCode::Char('y')), Verdict::Open);
        press(&mut severe, KeyCode::Tab);
        assert_eq!(press(&mut severe, KeyCode::Enter), Verdict::Open, "without the name nothing happens");
        press(&mut severe, KeyCode::Backspace);
        for letter in "nightly".chars() {
            press(&mut severe, KeyCode::Char(letter));
        }
        assert_eq!(press(&mut severe, KeyCode::Enter), Verdict::Yes);
    }
}
