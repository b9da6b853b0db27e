//! The terminal: entered once, given back on every way out, and written to in whole frames.

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate,
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{clipboard::CopyToClipboard, queue};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustix::termios::{LocalModes, tcgetattr};
use std::io::{self, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the terminal is ours now. One flag for all ways out, so that it is given back once.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// Takes the terminal.
///
/// # Errors
/// Where there is none, or it is gone.
pub(super) fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    ENTERED.store(true, Ordering::SeqCst);
    let mut bytes = Vec::new();
    queue!(bytes, EnterAlternateScreen, DisableLineWrap, EnableBracketedPaste, Hide, Clear(ClearType::All))?;
    write(&bytes)
}

/// Takes the terminal after the process was stopped and continued. Where somebody stopped it from outside, the shell has
/// set the modes back behind crossterm's record of them. Where it stopped itself, [`enter`] has run before the signal is
/// handled, and leaving raw mode for a moment would turn a typed Return into another key.
///
/// # Errors
/// Where there is no terminal, or it is gone.
pub(super) fn enter_again() -> io::Result<()> {
    if !is_raw() {
        restore();
    }
    enter()
}

/// Whether the terminal itself is in raw mode, whatever crossterm has on record.
fn is_raw() -> bool {
    tcgetattr(io::stdin()).is_ok_and(|modes| !modes.local_modes.contains(LocalModes::ICANON))
}

/// Gives the terminal back as it was. May be called from anywhere and any number of times.
pub(super) fn restore() {
    if !ENTERED.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut bytes = Vec::new();
    // A terminal that is gone cannot be told; the modes are set back all the same.
    let _ = queue!(
        bytes,
        EndSynchronizedUpdate,
        DisableBracketedPaste,
        EnableLineWrap,
        LeaveAlternateScreen,
        Show
    );
    let _ = write(&bytes);
    let _ = disable_raw_mode();
}

/// Gives the terminal back before a panic's message is printed.
pub(super) fn restore_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
    });
}

/// Gives the terminal back when it goes out of scope, whatever the reason.
pub(super) struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        restore();
    }
}

/// What was drawn last, so that only what changed is written.
pub(super) struct Frames {
    last: Option<Buffer>,
}

impl Frames {
    /// Nothing was drawn yet.
    pub(super) fn new() -> Self {
        Self { last: None }
    }

    /// Forgets what was drawn: the next frame is written whole.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// Writes a frame, in one piece.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub(super) fn show(&mut self, size: (u16, u16), draw: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        let mut next = Buffer::empty(Rect::new(0, 0, size.0, size.1));
        draw(&mut next);
        match self.bytes(next)? {
            Some(bytes) => write(&bytes),
            None => Ok(()),
        }
    }

    /// What turns the last frame into this one; nothing where they are the same.
    fn bytes(&mut self, next: Buffer) -> io::Result<Option<Vec<u8>>> {
        let last = self.last.take().filter(|last| last.area == next.area);
        let whole = last.is_none();
        let last = last.unwrap_or_else(|| Buffer::empty(next.area));
        let changes = last.diff(&next);
        if changes.is_empty() && !whole {
            self.last = Some(next);
            return Ok(None);
        }
        let mut bytes = Vec::new();
        queue!(bytes, BeginSynchronizedUpdate)?;
        if whole {
            queue!(bytes, Clear(ClearType::All))?;
        }
        CrosstermBackend::new(&mut bytes).draw(changes.into_iter())?;
        queue!(bytes, EndSynchronizedUpdate)?;
        self.last = Some(next);
        Ok(Some(bytes))
    }
}

/// Puts text into the clipboard, by OSC 52.
///
/// # Errors
/// Where the terminal is gone.
pub(super) fn copy(text: &str) -> io::Result<()> {
    let mut bytes = Vec::new();
    queue!(bytes, CopyToClipboard::to_clipboard_from(text))?;
    write(&bytes)
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    #[test]
    fn nothing_is_written_when_nothing_changed_and_a_frame_is_one_synchronized_piece() {
        let mut frames = Frames::new();
        let frame = |text: &str| {
            let mut buffer = Buffer::empty(Rect::new(0, 0, 20, 2));
            buffer.set_string(0, 0, text, Style::new());
            buffer
        };
        let first = frames.bytes(frame("one")).unwrap().unwrap();
        let text = String::from_utf8(first).unwrap();
        assert!(text.starts_with("\x1b[?2026h") && text.ends_with("\x1b[?2026l"), "{text:?}");
        assert!(frames.bytes(frame("one")).unwrap().is_none());
        let small = frames.bytes(frame("two")).unwrap().unwrap();
        assert!(small.len() < text.len());
        frames.forget();
        assert!(frames.bytes(frame("two")).unwrap().is_some());
    }
}
