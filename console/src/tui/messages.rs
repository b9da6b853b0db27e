//! Messages of the console: the latest as a toast, all in `:messages`. A toast fades. An error stays until somebody has
//! read it: until it is dismissed, or `:messages` is opened. What events bring never replaces an unread error; the answer
//! to a key does, and fades before it.

use super::input::Moment;
use shared::report::Tone;
use shared::value::Timestamp;
use std::collections::VecDeque;
use wayhaven_shared as shared;

/// How many are kept.
const MOST: usize = 200;

/// How long a toast stands, in milliseconds.
const TOAST: u64 = 6_000;

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Counts up, so that a selection stays on its message.
    pub(crate) number: u64,
    /// When.
    pub(crate) at: Timestamp,
    /// How it stands.
    pub(crate) tone: Tone,
    /// One clean line.
    pub(crate) text: String,
    until: u64,
    /// Whether it answers a key, and was not brought by an event.
    answer: bool,
}

/// An error that nobody has read.
#[derive(Clone, Copy, Debug)]
struct Unread {
    number: u64,
    /// Whether it is about the palette line that is being typed.
    of_line: bool,
}

/// The latest messages.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    kept: VecDeque<Message>,
    told: u64,
    /// Oldest first.
    unread: Vec<Unread>,
}

impl Messages {
    /// Adds the answer to a key.
    pub(crate) fn tell(&mut self, now: Moment, tone: Tone, text: impl Into<String>) {
        self.add(now, tone, text.into(), true);
    }

    /// Adds what an event brought.
    pub(crate) fn event(&mut self, now: Moment, tone: Tone, text: impl Into<String>) {
        self.add(now, tone, text.into(), false);
    }

    /// Adds an error, which stays until it was read.
    pub(crate) fn error(&mut self, now: Moment, text: impl Into<String>, of_line: bool) {
        self.add(now, Tone::Bad, text.into(), true);
        self.unread.push(Unread { number: self.told, of_line });
    }

    fn add(&mut self, now: Moment, tone: Tone, text: String, answer: bool) {
        self.told += 1;
        // A fault's words may quote what somebody wrote.
        let text = shared::value::Untrusted::clipped(&text).line();
        let (number, until) = (self.told, now.elapsed + TOAST);
        self.kept.push_front(Message { number, at: now.wall, tone, text, until, answer });
        self.kept.truncate(MOST);
        let oldest = self.kept.back().map_or(0, |message| message.number);
        self.unread.retain(|unread| unread.number >= oldest);
    }

    /// What the footer shows: the latest answer while it is fresh, an error that was not read, or the latest event.
    pub(crate) fn toast(&self, now: Moment) -> Option<&Message> {
        let fresh = |message: &&Message| message.until > now.elapsed;
        let Some(error) = self.unread_error() else { return self.kept.front().filter(fresh) };
        let newer = self.kept.iter().take_while(|message| message.number > error.number);
        newer.filter(fresh).find(|message| message.answer).or(Some(error))
    }

    /// The latest error that nobody has read.
    fn unread_error(&self) -> Option<&Message> {
        let number = self.unread.last()?.number;
        self.kept.iter().find(|message| message.number == number)
    }

    /// Whether this message is an error that was not read.
    pub(crate) fn is_unread(&self, message: &Message) -> bool {
        self.unread.iter().any(|unread| unread.number == message.number)
    }

    /// What is wrong with the palette line that is being typed.
    pub(crate) fn line_error(&self) -> Option<&Message> {
        let number = self.unread.iter().rev().find(|unread| unread.of_line)?.number;
        self.kept.iter().find(|message| message.number == number)
    }

    /// How many errors were not read.
    pub(crate) fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Takes toasts away; they stay in the list. Whether that was an error, of which there may be another.
    pub(crate) fn dismiss(&mut self) -> bool {
        self.kept.iter_mut().for_each(|message| message.until = 0);
        self.unread.pop().is_some()
    }

    /// What was wrong with the palette line was read, or may be corrected by now.
    pub(crate) fn dismiss_line_error(&mut self) {
        let of_line: Vec<u64> =
            self.unread.iter().filter(|unread| unread.of_line).map(|unread| unread.number).collect();
        self.unread.retain(|unread| !unread.of_line);
        let read = self.kept.iter_mut().filter(|message| of_line.contains(&message.number));
        read.for_each(|message| message.until = 0);
    }

    /// Somebody looks at all messages.
    pub(crate) fn read_all(&mut self) {
        self.unread.clear();
    }

    /// Newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.kept.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment { elapsed: seconds * 1_000, wall: Timestamp::from_millis(0) }
    }

    fn shown(messages: &Messages, seconds: u64) -> Option<&str> {
        messages.toast(at(seconds)).map(|message| message.text.as_str())
    }

    #[test]
    fn an_error_outlives_events_and_time_until_it_is_dismissed_or_the_list_is_opened() {
        let mut messages = Messages::default();
        messages.error(at(0), "refused", false);
        messages.event(at(1), Tone::Bad, "an alert");
        assert_eq!(shown(&messages, 1), Some("refused"));
        assert_eq!(shown(&messages, 3_600), Some("refused"));
        messages.tell(at(3_600), Tone::Plain, "copied");
        assert_eq!(shown(&messages, 3_600), Some("copied"), "the answer to a key is seen");
        assert_eq!(shown(&messages, 3_610), Some("refused"), "and fades before the error");
        messages.error(at(3_611), "refused again", false);
        assert_eq!((shown(&messages, 3_611), messages.unread()), (Some("refused again"), 2));
        assert!(messages.dismiss());
        assert_eq!(shown(&messages, 3_611), Some("refused"), "one after another");
        assert!(messages.dismiss() && !messages.dismiss());
        assert_eq!(shown(&messages, 3_611), None);
        messages.error(at(3_612), "once more", false);
        messages.read_all();
        assert_eq!(shown(&messages, 3_700), None);
    }

    #[test]
    fn an_error_of_the_line_goes_with_the_line_and_others_stay() {
        let mut messages = Messages::default();
        messages.error(at(0), "refused", false);
        messages.error(at(1), "no such word", true);
        assert_eq!(messages.line_error().map(|one| one.text.as_str()), Some("no such word"));
        messages.dismiss_line_error();
        assert!(messages.line_error().is_none());
        assert_eq!(shown(&messages, 1), Some("refused"));
        for number in 0..=MOST as u64 {
            messages.event(at(2), Tone::Plain, number.to_string());
        }
        assert_eq!((messages.unread(), messages.iter().count()), (0, MOST), "memory is bounded");
    }
}
