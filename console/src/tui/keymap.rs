//! Which key does what: one table, from which the keys act, the footer hints and the help are made.

use super::screens::Screen;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use shared::Effect;
use wayhaven_shared as shared;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Move the selection.
    Down,
    Up,
    First,
    Last,
    HalfDown,
    HalfUp,
    PageDown,
    PageUp,
    /// Close or open what can be folded.
    Fold,
    Unfold,
    /// Open what the row stands for.
    Open,
    /// Mark the row.
    Mark,
    Filter,
    Clear,
    Palette,
    Help,
    Back,
    /// Close what is open; at the root ask whether to leave.
    Interrupt,
    NextScreen,
    EarlierScreen,
    Go(Screen),
    CopyId,
    CopyJson,
    CopyLine,
    Pause,
    Resync,
    Repaint,
    Suspend,
    /// Start a palette line that links a child.
    AddChild,
    /// Start a palette line that closes the selected link.
    RemoveChild,
    /// Ask to revert the selected punishment.
    Revert,
}

impl Command {
    /// Whether it acts on the list, and so not while a pane lies over it.
    pub(crate) fn wants_list(self) -> bool {
        matches!(
            self,
            Self::Open | Self::Filter | Self::Mark | Self::AddChild | Self::RemoveChild | Self::Revert
        )
    }
}

/// Where a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// On every screen and pane.
    Everywhere,
    /// On this screen.
    On(Screen),
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Binding {
    /// The keys, and whether with control.
    keys: &'static [(KeyCode, bool)],
    /// How the keys are written.
    pub(crate) label: &'static str,
    /// What they do.
    pub(crate) command: Command,
    /// What they do, for people.
    pub(crate) help: &'static str,
    /// What the footer says, where it says something.
    pub(crate) hint: Option<&'static str>,
    /// Where they work.
    pub(crate) scope: Scope,
    /// What they can change in the end.
    pub(crate) effect: Effect,
}

const fn key(letter: char) -> (KeyCode, bool) {
    (KeyCode::Char(letter), false)
}

const fn control(letter: char) -> (KeyCode, bool) {
    (KeyCode::Char(letter), true)
}

const fn code(code: KeyCode) -> (KeyCode, bool) {
    (code, false)
}

macro_rules! bindings {
    ($($scope:expr, $effect:ident: [$($key:expr),+] $label:literal $command:expr, $help:literal, $hint:expr;)*) => {
        &[$(Binding {
            keys: &[$($key),+], label: $label, command: $command, help: $help, hint: $hint, scope: $scope,
            effect: Effect::$effect,
        }),*]
    };
}

use Command::*;
use Scope::{Everywhere, On};

/// Every key. No destructive key is on control.
pub(crate) static BINDINGS: &[Binding] = bindings! {
    Everywhere, Read: [code(KeyCode::Enter)] "Enter" Open, "open what the row stands for", Some("Enter open");
    On(Screen::Network), Moderate: [key('a')] "a" AddChild, "link a child: starts the palette line", Some("a add…");
    On(Screen::Network), Moderate: [key('x')] "x" RemoveChild, "unlink this child: the palette line, --keep or --undo", Some("x remove…");
    On(Screen::Deliveries), Severe: [key('u')] "u" Revert, "revert the marked punishments, or this one, after a preview", Some("u revert…");
    Everywhere, Read: [key('j'), code(KeyCode::Down)] "j Down" Down, "down", None;
    Everywhere, Read: [key('k'), code(KeyCode::Up)] "k Up" Up, "up", None;
    Everywhere, Read: [key('g'), code(KeyCode::Home)] "g Home" First, "to the first row", None;
    Everywhere, Read: [key('G'), code(KeyCode::End)] "G End" Last, "to the last row", None;
    Everywhere, Read: [control('d')] "^d" HalfDown, "half a page down", None;
    Everywhere, Read: [control('u')] "^u" HalfUp, "half a page up", None;
    Everywhere, Read: [code(KeyCode::PageDown)] "PgDn" PageDown, "a page down", None;
    Everywhere, Read: [code(KeyCode::PageUp)] "PgUp" PageUp, "a page up", None;
    Everywhere, Read: [key('h'), code(KeyCode::Left)] "h Left" Fold, "fold", None;
    Everywhere, Read: [key('l'), code(KeyCode::Right)] "l Right" Unfold, "unfold", None;
    Everywhere, Read: [key(' ')] "Space" Mark, "mark the row", None;
    Everywhere, Read: [key('/')] "/" Filter, "filter: a substring, or ! and one that must not be there", Some("/ filter");
    Everywhere, Read: [key(':')] ":" Palette, "the palette: any operation, :network, :write, :quit", Some(": palette");
    Everywhere, Read: [key('?')] "?" Help, "this help", Some("? help");
    Everywhere, Read: [code(KeyCode::Esc)] "Esc" Clear, "dismiss an error; close, or take filter and marks away", None;
    Everywhere, Read: [key('q')] "q" Back, "back; at the root it asks whether to leave", Some("q back");
    Everywhere, Read: [control('c')] "^c" Interrupt, "close a dialog first; at the root as q", None;
    Everywhere, Read: [key('2')] "2" Go(Screen::Network), "network", None;
    Everywhere, Read: [key('3')] "3" Go(Screen::Deliveries), "deliveries", None;
    Everywhere, Read: [code(KeyCode::Tab)] "Tab" NextScreen, "the next screen", None;
    Everywhere, Read: [key('-')] "-" EarlierScreen, "the screen before", None;
    Everywhere, Read: [key('y')] "y" CopyId, "copy the id", None;
    Everywhere, Read: [key('Y')] "Y" CopyJson, "copy the row as JSON", None;
    Everywhere, Read: [key('w')] "w" CopyLine, "copy the equivalent command line", None;
    Everywhere, Read: [key('p')] "p" Pause, "freeze what is shown; changes are still taken in", None;
    Everywhere, Read: [control('r')] "^r" Resync, "read everything anew", None;
    Everywhere, Read: [control('l')] "^l" Repaint, "draw the screen anew", None;
    Everywhere, Read: [control('z')] "^z" Suspend, "stop; fg goes on", None;
};

impl Binding {
    /// Whether it works on this screen.
    pub(crate) fn works_on(&self, screen: Screen) -> bool {
        self.scope == Everywhere || self.scope == On(screen)
    }
}

/// What a key does on this screen.
pub(crate) fn lookup(key: &KeyEvent, screen: Screen) -> Option<&'static Binding> {
    let held = (key.code, key.modifiers.contains(KeyModifiers::CONTROL));
    let other = key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META);
    BINDINGS.iter().find(|binding| !other && binding.works_on(screen) && binding.keys.contains(&held))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_stands_twice_on_a_screen_and_nothing_on_control_changes_anything() {
        for screen in Screen::ALL {
            let mut seen = Vec::new();
            for binding in BINDINGS.iter().filter(|binding| binding.works_on(screen)) {
                for key in binding.keys {
                    assert!(!seen.contains(key), "{key:?} twice on {screen:?}");
                    assert!(!(key.1 && binding.effect.changes()), "{key:?} changes something");
                    seen.push(*key);
                }
            }
        }
    }
}
