//! One line of text being typed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

/// The longest line, in letters: what is typed, or pasted by mistake.
const LONGEST: usize = 4_000;

/// The line and where the cursor is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Editor {
    text: String,
    /// In bytes, always between two letters.
    cursor: usize,
}

impl Editor {
    /// With this text, the cursor behind it.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text }
    }

    /// With text before and behind the cursor.
    pub(crate) fn with_cursor(before: &str, behind: &str) -> Self {
        Self { text: format!("{before}{behind}"), cursor: before.len() }
    }

    /// What was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor, and behind it.
    pub(crate) fn parts(&self) -> (&str, &str) {
        self.text.split_at(self.cursor)
    }

    /// Types text; control characters are no text.
    pub(crate) fn insert(&mut self, text: &str) {
        for letter in text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter }) {
            if !letter.is_control() && self.text.len() < LONGEST {
                self.text.insert(self.cursor, letter);
                self.cursor += letter.len_utf8();
            }
        }
    }

    /// Takes a key of line editing; false where it is none.
    pub(crate) fn key(&mut self, key: &KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('a') if control => self.cursor = 0,
            KeyCode::Char('e') if control => self.cursor = self.text.len(),
            KeyCode::Char('u') if control => {
                self.text.drain(..std::mem::take(&mut self.cursor)).for_each(drop)
            }
            KeyCode::Char('k') if control => self.text.truncate(self.cursor),
            KeyCode::Char('w') if control => self.cut_word(),
            KeyCode::Char(_) if control => return false,
            KeyCode::Char(letter) => self.insert(letter.encode_utf8(&mut [0; 4])),
            KeyCode::Backspace => {
                let before = self.before();
                self.text.drain(before..self.cursor);
                self.cursor = before;
            }
            KeyCode::Delete => {
                let behind = self.behind();
                self.text.drain(self.cursor..behind);
            }
            KeyCode::Left => self.cursor = self.before(),
            KeyCode::Right => self.cursor = self.behind(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ => return false,
        }
        true
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn behind(&self) -> usize {
        self.text[self.cursor..]
            .graphemes(true)
            .next()
            .map_or(self.cursor, |letter| self.cursor + letter.len())
    }

    fn cut_word(&mut self) {
        let start = self.text[..self.cursor].trim_end().rfind(' ').map_or(0, |at| at + 1);
        self.text.drain(start..self.cursor);
        self.cursor = start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_taken_whole() {
        let mut editor = Editor::default();
        editor.insert("a 👩‍👩‍👧 b\u{1b}\n");
        for code in [KeyCode::Backspace, KeyCode::Backspace, KeyCode::Backspace, KeyCode::Backspace] {
            editor.key(&KeyEvent::new(code, KeyModifiers::NONE));
        }
        assert_eq!(editor.text(), "a ");
        editor.insert("word");
        editor.key(&KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(editor.parts(), ("a ", ""));
    }
}
