//! The line at the bottom: the palette or the filter.

use super::{App, Link, Mode, Overlay};
use crate::tui::editor::Editor;
use crate::tui::input::Order;
use crate::tui::palette::{self, Meant};
use crate::tui::pane::Pane;
use crossterm::event::{KeyCode, KeyEvent};
use shared::control::Role;
use shared::report::Tone;
use wayhaven_shared as shared;

/// How many palette lines are remembered.
const HISTORY: usize = 100;

/// A line being typed.
#[derive(Debug)]
pub(crate) enum Prompt {
    /// An operation, or a word of the console's own.
    Palette {
        /// The line.
        editor: Editor,
        /// Which candidate Tab takes.
        chosen: usize,
        /// How far back in the history.
        back: usize,
    },
    /// What the list is filtered by.
    Filter(Editor),
}

impl Prompt {
    /// A palette that starts with this text.
    pub(super) fn palette(text: &str) -> Self {
        Self::Palette { editor: Editor::new(text), chosen: 0, back: 0 }
    }
}

impl App {
    /// Pasted text goes into a line that is open, and nowhere else.
    pub(super) fn paste(&mut self, text: &str) {
        match (&mut self.overlay, &mut self.prompt) {
            _ if !crate::tui::view::fits(self.size) => {}
            (Overlay::Nothing, Some(Prompt::Palette { editor, .. } | Prompt::Filter(editor))) => {
                editor.insert(text)
            }
            _ => self.tell(Tone::Plain, "pasted text goes into the palette: open it with :"),
        }
    }

    pub(super) fn prompt_key(&mut self, key: &KeyEvent) {
        let Some(prompt) = self.prompt.take() else { return };
        match prompt {
            Prompt::Filter(editor) => self.filter_key(key, editor),
            Prompt::Palette { editor, chosen, back } => self.palette_key(key, editor, chosen, back),
        }
    }

    fn filter_key(&mut self, key: &KeyEvent, mut editor: Editor) {
        match key.code {
            KeyCode::Esc => self.list_mut().filter.text.clear(),
            KeyCode::Enter => {}
            KeyCode::Backspace if editor.text().is_empty() => {}
            _ => {
                editor.key(key);
                editor.text().clone_into(&mut self.list_mut().filter.text);
                self.prompt = Some(Prompt::Filter(editor));
            }
        }
    }

    fn palette_key(&mut self, key: &KeyEvent, mut editor: Editor, chosen: usize, back: usize) {
        match key.code {
            KeyCode::Esc => self.messages.dismiss_line_error(),
            KeyCode::Backspace if editor.text().is_empty() => self.messages.dismiss_line_error(),
            KeyCode::Enter => self.enter(editor.text()),
            KeyCode::Tab | KeyCode::BackTab => {
                let found = palette::complete(&editor, &self.grammar).candidates;
                let Some(candidate) = found.get(chosen.min(found.len().saturating_sub(1))) else {
                    self.prompt = Some(Prompt::Palette { editor, chosen, back });
                    return;
                };
                let partial = editor.parts().0.rsplit(' ').next().map_or(0, str::len);
                let kept = editor.parts().0.len() - partial;
                let behind = editor.parts().1.to_owned();
                let open = candidate.word.ends_with('=');
                let space = if open || behind.starts_with(' ') { "" } else { " " };
                let start = format!("{}{}{space}", &editor.text()[..kept], candidate.word);
                editor = Editor::with_cursor(&start, &behind);
                self.prompt = Some(Prompt::Palette { editor, chosen: 0, back });
            }
            KeyCode::Down | KeyCode::Up if back == 0 && !editor.text().is_empty() => {
                let most = palette::complete(&editor, &self.grammar).candidates.len().saturating_sub(1);
                let chosen = if key.code == KeyCode::Down { chosen + 1 } else { chosen.saturating_sub(1) };
                self.prompt = Some(Prompt::Palette { editor, chosen: chosen.min(most), back });
            }
            KeyCode::Up | KeyCode::Down => {
                let back = if key.code == KeyCode::Up { back + 1 } else { back.saturating_sub(1) };
                let back = back.min(self.history.len());
                let text = self.history.len().checked_sub(back).and_then(|at| self.history.get(at));
                let editor = Editor::new(text.cloned().unwrap_or_default());
                self.prompt = Some(Prompt::Palette { editor, chosen: 0, back });
            }
            _ => {
                // This key may correct what was wrong with the line.
                self.messages.dismiss_line_error();
                editor.key(key);
                self.prompt = Some(Prompt::Palette { editor, chosen: 0, back: 0 });
            }
        }
    }

    /// A palette line was entered.
    fn enter(&mut self, line: &str) {
        if !line.trim().is_empty() && self.history.last().is_none_or(|last| last != line) {
            self.history.push(line.to_owned());
            let excess = self.history.len().saturating_sub(HISTORY);
            self.history.drain(..excess);
        }
        self.messages.dismiss_line_error();
        match palette::read(line) {
            Err(fault) => {
                self.fault_of(&fault, true);
                // The line stays, to be mended.
                self.prompt = Some(Prompt::palette(line));
            }
            Ok(Meant::Nothing) => {}
            Ok(Meant::Screen(screen)) => self.go(screen),
            Ok(Meant::Write) => self.arm(),
            Ok(Meant::Observe) => {
                self.mode = Mode::Observe;
                self.tell(Tone::Plain, "observe: nothing can be changed");
            }
            Ok(Meant::Keys) => self.overlay = Overlay::Help(0),
            Ok(Meant::Quit) => self.orders.push(Order::Quit),
            Ok(Meant::Operation(asked)) => {
                let guild = asked.1.guild.or_else(|| self.guild.clone());
                self.submit(&asked.0, guild, asked.1.dry_run);
            }
            Ok(Meant::Text(text)) => self.panes.push(Pane::text("help", text)),
        }
    }

    fn arm(&mut self) {
        let role = self.welcome.as_ref().map(|welcome| welcome.role);
        match (&self.link, role) {
            (Link::Live, Some(Role::Observer)) => {
                self.tell(Tone::Warning, "your role is observer: the daemon only lets you read");
            }
            (Link::Live, _) => {
                self.mode = Mode::Write { until: self.now.elapsed + super::ARMED };
                self.tell(Tone::Warning, "write: for 15 minutes things can be changed; :observe ends it");
            }
            _ => self.tell(Tone::Warning, "no daemon answers: there is nothing to arm for"),
        }
    }
}
