//! What the keys do.

use super::prompts::Prompt;
use super::{App, Frozen, Overlay};
use crate::tui::dialog::{Dialog, Question, Verdict};
use crate::tui::editor::Editor;
use crate::tui::input::Order;
use crate::tui::keymap::Command;
use crate::tui::list::RowId;
use crate::tui::pane::Pane;
use crate::tui::screens::Screen;
use crossterm::event::KeyEvent;
use shared::operations::punishment::PunishmentShow;
use shared::operations::reversal::PunishmentRevert;
use shared::operations::setup::SetupDashboard;
use shared::operations::sync::SyncDeliveries;
use shared::report::Tone;
use shared::value::{GuildId, PunishmentId};
use shared::{Effect, Request};
use wayhaven_shared as shared;

impl App {
    pub(super) fn command(&mut self, command: Command) {
        let page = isize::try_from(self.body_height()).unwrap_or(1).max(1);
        match command {
            Command::Down => self.step(1),
            Command::Up => self.step(-1),
            Command::HalfDown => self.step((page / 2).max(1)),
            Command::HalfUp => self.step(-(page / 2).max(1)),
            Command::PageDown => self.step(page),
            Command::PageUp => self.step(-page),
            Command::First => self.step(isize::MIN / 2),
            Command::Last => self.step(isize::MAX / 2),
            Command::Fold => self.fold(false),
            Command::Unfold => self.fold(true),
            Command::Open => self.open_row(),
            Command::Mark if self.panes.is_empty() => {
                let height = self.body_height();
                self.list_mut().toggle_mark(height);
            }
            Command::Filter if self.panes.is_empty() => {
                self.prompt = Some(Prompt::Filter(Editor::new(self.list().filter.text.clone())));
            }
            Command::Mark | Command::Filter => {
                self.tell(Tone::Plain, "that works on lists; q goes back to one")
            }
            Command::Clear => self.clear(),
            Command::Palette => self.prompt = Some(Prompt::palette("")),
            Command::Help => self.overlay = Overlay::Help(0),
            Command::Back => self.back(),
            Command::NextScreen => {
                let next = (self.screen.place() + 1) % Screen::ALL.len();
                self.go(Screen::ALL[next]);
            }
            Command::EarlierScreen => self.go(self.earlier),
            Command::Go(screen) => self.go(screen),
            Command::CopyId => self.copy_id(),
            Command::CopyJson => self.copy_json(),
            Command::CopyLine => self.copy_line(),
            Command::Pause => self.pause(),
            Command::Resync if !self.panes.is_empty() => self.ask_again(),
            Command::Resync => {
                self.gap = None;
                self.orders.push(Order::Resync);
                self.tell(Tone::Plain, "everything is read anew");
            }
            Command::AddChild | Command::RemoveChild | Command::Revert => self.change(command),
            // Handled before any layer sees them.
            Command::Interrupt | Command::Repaint | Command::Suspend => {}
        }
    }

    fn step(&mut self, by: isize) {
        let (width, height, signs) = (usize::from(self.size.0), self.body_height(), self.theme.signs);
        match self.panes.last_mut() {
            Some(pane) => pane.roll(by, width.saturating_sub(2), height, signs),
            None => self.list_mut().step(by, height),
        }
    }

    pub(super) fn go(&mut self, screen: Screen) {
        self.panes.clear();
        if screen == Screen::Messages {
            self.messages.read_all();
        }
        if screen != self.screen {
            self.earlier = std::mem::replace(&mut self.screen, screen);
        }
    }

    /// Folds what the row is, or what it is part of.
    fn fold(&mut self, open: bool) {
        let Some(current) = self.list().current() else { return };
        let parent = match current {
            RowId::Child(main, _) => Some(RowId::Main(main)),
            RowId::Delivery(number, _) | RowId::Origin(number) => Some(RowId::Punishment(number)),
            RowId::Applied(number) if !open && !self.list().folds.get(&current).copied().unwrap_or(false) => {
                Some(RowId::Punishment(number))
            }
            _ => None,
        };
        let list = self.list_mut();
        match parent {
            Some(parent) if !open => {
                list.folds.insert(parent, false);
                list.seek(parent);
            }
            None => drop(list.folds.insert(current, open)),
            Some(_) => {}
        }
    }

    /// What the row stands for, as the operation that shows it.
    pub(super) fn request_of(&self, row: RowId) -> Option<Request> {
        Some(match row {
            RowId::Main(_) => SetupDashboard {}.into(),
            RowId::Child(_, child) => {
                SyncDeliveries { child: Some(child), ..SyncDeliveries::default() }.into()
            }
            RowId::Punishment(id) | RowId::Origin(id) | RowId::Applied(id) | RowId::Delivery(id, _) => {
                PunishmentShow { id }.into()
            }
            RowId::Message(_) => return None,
        })
    }

    fn open_row(&mut self) {
        if !self.panes.is_empty() {
            return;
        }
        match self.list().current() {
            Some(main @ RowId::Main(_)) => {
                let open = self.list().folds.get(&main).copied().unwrap_or(true);
                self.list_mut().folds.insert(main, !open);
            }
            Some(RowId::Message(number)) => {
                let message = self.messages.iter().find(|message| message.number == number);
                let text = message.map(|message| format!("{}\n\n{}", message.at, message.text));
                self.panes.extend(text.map(|text| Pane::text("message", text)));
            }
            Some(row) => {
                if let Some(request) = self.request_of(row) {
                    self.submit(&request, None, false);
                }
            }
            None => {}
        }
    }

    /// The keys that begin a change. They go the palette's way, so that nothing is changed by a key alone.
    fn change(&mut self, command: Command) {
        if let Some(why) = self.refusal(Effect::Moderate) {
            return self.tell(Tone::Warning, why);
        }
        let rows = if self.panes.is_empty() { self.list().chosen() } else { Vec::new() };
        match (command, rows.as_slice()) {
            (Command::Revert, rows @ [_, ..]) => self.revert(rows),
            (Command::AddChild, rows @ [_, ..]) => {
                let mut mains: Vec<_> = rows.iter().filter_map(|row| main_of(*row)).collect();
                mains.dedup();
                match mains.as_slice() {
                    [main] => {
                        self.prompt = Some(Prompt::palette(&format!("setup add-child --guild={main} ")));
                    }
                    _ => self
                        .tell(Tone::Plain, "the marked rows belong to several mains: Esc removes the marks"),
                }
            }
            // What was delivered stays or is taken back: that is said in words, with both flags offered below them.
            (Command::RemoveChild, [RowId::Child(main, child)]) => {
                let line = format!("setup remove-child --guild={main} {child} --");
                self.prompt = Some(Prompt::palette(&line));
            }
            (Command::RemoveChild, rows @ [_, _, ..]) => {
                let count = rows.len();
                self.tell(
                    Tone::Plain,
                    format!(
                        "{count} rows are marked, and one child is unlinked at a time: Esc removes the marks"
                    ),
                );
            }
            _ => self.tell(Tone::Plain, "no row is selected that this could act on"),
        }
    }

    /// Asks to revert the punishments of these rows: the marked ones, or the selected one.
    fn revert(&mut self, rows: &[RowId]) {
        let mut ids: Vec<PunishmentId> = Vec::new();
        let mut deliveries = 0;
        for row in rows {
            match row {
                RowId::Punishment(id) | RowId::Origin(id) | RowId::Applied(id) if !ids.contains(id) => {
                    ids.push(*id);
                }
                RowId::Delivery(..) => deliveries += 1,
                _ => {}
            }
        }
        let known = |id: &PunishmentId| self.shown().groups.get(id)?.punishment.as_ref();
        let unknown: Vec<_> = ids.iter().filter(|id| known(id).is_none()).copied().collect();
        let undo = ids.iter().filter_map(known).find(|one| one.action.is_undo());
        let mut guilds: Vec<_> = ids.iter().filter_map(known).map(|one| one.guild_id).collect();
        guilds.sort_unstable();
        guilds.dedup();
        let refused = match (deliveries, unknown.as_slice(), undo, guilds.as_slice()) {
            (0, [], None, [guild]) => {
                let guild = *guild;
                let revert = PunishmentRevert { punishments: ids, ..PunishmentRevert::default() };
                return self.submit(&revert.into(), Some(guild.into()), false);
            }
            (1.., ..) if rows.len() == 1 => {
                "a punishment is reverted everywhere or nowhere: select it, not a delivery".to_owned()
            }
            (1.., ..) => {
                let rows = rows.len();
                format!("{deliveries} of {rows} marked rows: mark punishments, not deliveries")
            }
            (_, [id, ..], ..) => {
                format!("punishment {id} is not known here yet: ^r reads everything anew")
            }
            (_, _, Some(one), _) => {
                format!("{} {} takes something back itself: decide anew instead", one.action, one.id)
            }
            (_, _, _, [_, _, ..]) => format!(
                "the {} marked punishments are of {} guilds: revert those of one guild at a time",
                ids.len(),
                guilds.len()
            ),
            _ => "no row is selected that this could act on".to_owned(),
        };
        self.tell(Tone::Plain, refused);
    }

    fn pause(&mut self) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            None => Some(Frozen { model: self.model.clone(), missed: 0 }),
        };
    }

    fn clear(&mut self) {
        // An error is put away by a key of its own, so that nobody loses a filter or marks by it.
        if self.messages.dismiss() {
            return;
        }
        if self.panes.pop().is_none() {
            let list = self.list_mut();
            list.marks.clear();
            list.filter.text.clear();
        }
    }

    fn back(&mut self) {
        if self.panes.pop().is_none() {
            self.overlay = Overlay::Dialog(Box::new(Dialog::new(Question::Leave)));
        }
    }

    pub(super) fn interrupt(&mut self) {
        if !matches!(self.overlay, Overlay::Nothing) {
            self.overlay = Overlay::Nothing;
        } else if self.prompt.take().is_some() {
            self.messages.dismiss_line_error();
        } else {
            self.back();
        }
    }

    pub(super) fn help_key(&mut self, command: Option<Command>) {
        let Overlay::Help(scroll) = &mut self.overlay else { return };
        let by = match command {
            Some(Command::Down) => 1,
            Some(Command::Up) => -1,
            Some(Command::HalfDown | Command::PageDown) => 10,
            Some(Command::HalfUp | Command::PageUp) => -10,
            Some(Command::First) => isize::MIN / 2,
            Some(Command::Help | Command::Back | Command::Clear) => {
                self.overlay = Overlay::Nothing;
                return;
            }
            _ => 0,
        };
        // The view stops at the last line; here only a bound that keeps the way back short.
        *scroll = scroll.saturating_add_signed(by).min(crate::tui::keymap::BINDINGS.len());
    }

    pub(super) fn dialog_key(&mut self, key: &KeyEvent) {
        let Overlay::Dialog(dialog) = &mut self.overlay else { return };
        let verdict = dialog.key(key);
        if verdict == Verdict::Open {
            return;
        }
        let Overlay::Dialog(dialog) = std::mem::replace(&mut self.overlay, Overlay::Nothing) else { return };
        match (verdict, dialog.question) {
            (Verdict::Yes, Question::Leave) => self.orders.push(Order::Quit),
            (Verdict::Yes, Question::Apply(proposal)) => self.apply(*proposal),
            (_, Question::Apply(_)) => self.tell(Tone::Plain, "cancelled: nothing was changed"),
            (_, Question::Leave) => {}
        }
    }
}

/// The main that a row belongs to.
fn main_of(row: RowId) -> Option<GuildId> {
    match row {
        RowId::Main(main) | RowId::Child(main, _) => Some(main),
        _ => None,
    }
}
