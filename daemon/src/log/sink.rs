//! A destination of log lines, written by a thread of its own. It owns the queue to that thread and the count of lines
//! that were lost. Invariant: whoever logs never waits for a destination, and a lost line is counted and reported in the
//! other destination.

use crate::clock::Clock;
use std::fmt::Display;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tracing::Level;

/// One line with its line end.
pub(super) type Line = Arc<[u8]>;

/// Where lines are written.
pub(super) trait Destination: Send + 'static {
    /// Writes one line.
    fn write(&mut self, line: &[u8]) -> io::Result<()>;

    /// Opens the destination again, where there is something to open.
    fn reopen(&mut self) {}
}

enum Message {
    Line(Line),
    Reopen,
    End,
}

/// The sending end of a destination.
#[derive(Clone)]
pub(super) struct Sink {
    queue: SyncSender<Message>,
    shared: Arc<Shared>,
}

/// What the sending end and the thread share.
struct Shared {
    name: String,
    clock: Clock,
    /// Lines that are in the queue or being written.
    queued: AtomicU64,
    /// Lines that were lost since the last one that was written.
    lost: AtomicU64,
    ending: AtomicBool,
    /// The destination in which losses are reported.
    other: OnceLock<Sink>,
}

/// A destination's end: waits for the thread.
pub(super) struct Ended(Receiver<()>);

/// A line in the format of the log.
pub(super) fn line(clock: &Clock, level: Level, text: &str) -> Line {
    format!("{} - wayhaven - {level} - {text}\n", clock.now().short()).into_bytes().into()
}

impl Sink {
    /// Starts the thread. At most `most` lines wait for it; more are lost.
    pub(super) fn start(
        name: String,
        destination: impl Destination,
        most: usize,
        clock: Clock,
    ) -> (Self, Ended) {
        let (queue, messages) = sync_channel(most);
        let shared = Arc::new(Shared {
            name,
            clock,
            queued: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            other: OnceLock::new(),
        });
        let (done, ended) = sync_channel(1);
        let writer = Writer { messages, destination, shared: Arc::clone(&shared) };
        let run = move || {
            writer.run();
            let _ = done.send(());
        };
        // Without a thread the queue has no receiver, and lines are dropped as after the end.
        let _ = std::thread::Builder::new().name("log".into()).spawn(run);
        (Self { queue, shared }, Ended(ended))
    }

    /// Has losses reported in this other destination.
    pub(super) fn report_to(&self, other: &Self) {
        let _ = self.shared.other.set(other.clone());
    }

    /// Hands a line over, and never waits.
    pub(super) fn send(&self, line: Line) {
        self.shared.queued.fetch_add(1, Ordering::Relaxed);
        match self.queue.try_send(Message::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.shared.queued.fetch_sub(1, Ordering::Relaxed);
                self.shared.lose(&"it takes no more lines");
            }
            Err(TrySendError::Disconnected(_)) => drop(self.shared.queued.fetch_sub(1, Ordering::Relaxed)),
        }
    }

    /// Has the destination opened again.
    pub(super) fn reopen(&self) {
        // Where the queue is full the thread compares the path with every line all the same.
        let _ = self.queue.try_send(Message::Reopen);
    }

    /// Ends the thread once it has written what waits, within this time; how many lines are missing in the destination.
    pub(super) fn end(&self, ended: &Ended, within: Duration) -> u64 {
        self.shared.ending.store(true, Ordering::SeqCst);
        let _ = self.queue.try_send(Message::End);
        let _ = ended.0.recv_timeout(within);
        self.shared.lost.load(Ordering::Relaxed) + self.shared.queued.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Counts a lost line, and reports the first and each time that the count has a digit more.
    fn lose(&self, why: &dyn Display) {
        let before = self.lost.fetch_add(1, Ordering::Relaxed);
        let lost = before + 1;
        if before == 0 || lost.ilog10() > before.ilog10() {
            let text = format!("{} cannot be written ({why}): {} missing there", self.name, lines(lost));
            self.report(Level::WARN, &text);
        }
    }

    fn report(&self, level: Level, text: &str) {
        if let Some(other) = self.other.get() {
            other.send(line(&self.clock, level, text));
        }
    }
}

/// `1 line is`, or `3 lines are`.
pub(super) fn lines(count: u64) -> String {
    if count == 1 { "1 line is".to_owned() } else { format!("{count} lines are") }
}

/// The thread.
struct Writer<D> {
    messages: Receiver<Message>,
    destination: D,
    shared: Arc<Shared>,
}

impl<D: Destination> Writer<D> {
    fn run(mut self) {
        loop {
            let message = match self.messages.try_recv() {
                Err(TryRecvError::Empty) if self.shared.ending.load(Ordering::SeqCst) => return,
                Err(TryRecvError::Empty) => self.messages.recv().ok(),
                received => received.ok(),
            };
            match message {
                None => return,
                Some(Message::End) => {}
                Some(Message::Reopen) => self.destination.reopen(),
                Some(Message::Line(line)) => {
                    self.write(&line);
                    self.shared.queued.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Writes one line, after a note about those that are missing before it.
    fn write(&mut self, text: &Line) {
        let missing = self.shared.lost.swap(0, Ordering::Relaxed);
        let note = format!("{} missing here: they could not be written", lines(missing));
        let note = (missing > 0).then(|| line(&self.shared.clock, Level::WARN, &note));
        let written = note.map_or(Ok(()), |note| self.destination.write(&note));
        if let Err(error) = written {
            self.shared.lost.fetch_add(missing, Ordering::Relaxed);
            return self.shared.lose(&error);
        }
        if missing > 0 {
            let name = &self.shared.name;
            let text = format!("{name} can be written again: {} missing there", lines(missing));
            self.shared.report(Level::INFO, &text);
        }
        if let Err(error) = self.destination.write(text) {
            self.shared.lose(&error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::Sender;

    /// Takes lines, refuses them or lets its writer wait, as a test wants.
    struct Paper {
        lines: Arc<Mutex<Vec<String>>>,
        refuses: Arc<AtomicBool>,
        /// Each write waits for a word, where there is somebody to give it.
        gate: Option<Receiver<()>>,
        began: Option<Sender<()>>,
    }

    impl Destination for Paper {
        fn write(&mut self, line: &[u8]) -> io::Result<()> {
            self.began.as_ref().map(|began| began.send(()));
            self.gate.as_ref().map(|gate| gate.recv());
            if self.refuses.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.lines.lock().unwrap().push(String::from_utf8(line.to_vec()).unwrap());
            Ok(())
        }
    }

    const PATIENCE: Duration = Duration::from_secs(60);

    fn paper() -> (Paper, Arc<Mutex<Vec<String>>>, Arc<AtomicBool>) {
        let (lines, refuses) = (Arc::default(), Arc::default());
        let paper =
            Paper { lines: Arc::clone(&lines), refuses: Arc::clone(&refuses), gate: None, began: None };
        (paper, lines, refuses)
    }

    fn said(lines: &Mutex<Vec<String>>) -> Vec<String> {
        let cut = |line: &String| line.trim_end().rsplit(" - ").next().unwrap_or_default().to_owned();
        lines.lock().unwrap().iter().map(cut).collect()
    }

    fn send(sink: &Sink, text: &str) {
        sink.send(line(&Clock::default(), Level::INFO, text));
    }

    #[test]
    fn fault_46_lost_lines_are_counted_reported_elsewhere_and_noted_where_they_are_missing() {
        let ((paper_of_file, file, refuses), (paper_of_error, error, _)) = (paper(), paper());
        let (to_file, file_ended) = Sink::start("the log".into(), paper_of_file, 100, Clock::default());
        let (to_error, error_ended) = Sink::start("stderr".into(), paper_of_error, 100, Clock::default());
        to_file.report_to(&to_error);
        send(&to_file, "one");
        let until = |wanted: usize| {
            while to_file.shared.queued.load(Ordering::SeqCst) > wanted as u64 {
                std::thread::yield_now();
            }
        };
        until(0);
        refuses.store(true, Ordering::SeqCst);
        for _ in 0..12 {
            send(&to_file, "lost");
        }
        until(0);
        refuses.store(false, Ordering::SeqCst);
        send(&to_file, "two");
        assert_eq!(to_file.end(&file_ended, PATIENCE), 0);
        assert_eq!(to_error.end(&error_ended, PATIENCE), 0);
        assert_eq!(said(&file), ["one", "12 lines are missing here: they could not be written", "two"]);
        let reported = said(&error);
        assert_eq!(reported.len(), 3, "{reported:?}");
        assert!(
            reported[0].starts_with("the log cannot be written (")
                && reported[0].ends_with("1 line is missing there")
        );
        assert!(reported[1].ends_with("10 lines are missing there"), "{reported:?}");
        assert_eq!(reported[2], "the log can be written again: 12 lines are missing there");
    }

    #[test]
    fn fault_47_whoever_logs_never_waits_for_a_destination_that_does_not_move() {
        let ((mut stuck, _, _), (other, reports, _)) = (paper(), paper());
        let (open, gate) = std::sync::mpsc::channel();
        let (began, begun) = std::sync::mpsc::channel();
        (stuck.gate, stuck.began) = (Some(gate), Some(began));
        let (to_stuck, ended) = Sink::start("stderr".into(), stuck, 4, Clock::default());
        let (to_file, file_ended) = Sink::start("the log".into(), other, 100, Clock::default());
        to_stuck.report_to(&to_file);
        send(&to_stuck, "first");
        begun.recv().unwrap();
        for _ in 0..1_000 {
            send(&to_stuck, "more");
        }
        // One is being written and four wait: the rest is lost, and at the end these five are too.
        assert_eq!(to_stuck.end(&ended, Duration::from_millis(1)), 1_001);
        to_file.end(&file_ended, PATIENCE);
        let reported = said(&reports);
        assert_eq!(reported.len(), 3, "at 1, 10 and 100 lines: {reported:?}");
        assert!(reported[0].contains("takes no more lines"), "{reported:?}");
        drop(open);
    }
}
