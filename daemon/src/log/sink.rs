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
use tokio::sync::{oneshot, watch};
use tracing::Level;

/// One line with its line end.
pub(super) type Line = Arc<[u8]>;

/// Where lines are written.
pub(super) trait Destination: Send + 'static {
    /// Writes one line.
    fn write(&mut self, line: &[u8]) -> io::Result<()>;

    /// Opens the destination again, where there is something to open.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Looks again whether lines go to the right place.
    fn check(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Why lines do not go to the right place, and what to do.
    fn misplaced(&self) -> Option<&str> {
        None
    }
}

/// What is wrong with a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Lines are lost.
    Lost(String),
    /// Lines are written to another place.
    Misplaced(String),
}

impl Problem {
    /// What is wrong, and what to do.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Lost(text) | Self::Misplaced(text) => text,
        }
    }
}

enum Message {
    Line(Line),
    Reopen(oneshot::Sender<()>),
    Check,
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
    problem: watch::Sender<Option<Problem>>,
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
            problem: watch::Sender::new(None),
        });
        let (done, ended) = sync_channel(1);
        let writer = Writer { messages, destination, shared: Arc::clone(&shared), misplaced: None };
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

    /// Has the destination opened again. The receiver hears when that was tried.
    pub(super) fn reopen(&self) -> oneshot::Receiver<()> {
        let (tried, hears) = oneshot::channel();
        // Where the queue is full the thread compares the path with every line all the same.
        let _ = self.queue.try_send(Message::Reopen(tried));
        hears
    }

    /// Has the destination looked at, where no line comes that does the same.
    pub(super) fn check(&self) {
        let _ = self.queue.try_send(Message::Check);
    }

    /// Follows what is wrong with the destination.
    pub(super) fn problem(&self) -> watch::Receiver<Option<Problem>> {
        self.shared.problem.subscribe()
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

    fn set_problem(&self, problem: Option<Problem>) {
        self.problem.send_if_modified(|known| {
            let is_new = *known != problem;
            *known = problem;
            is_new
        });
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
    /// What was said last of lines that go to another place.
    misplaced: Option<String>,
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
                Some(Message::Reopen(tried)) => {
                    let opened = self.destination.reopen();
                    if let Err(error) = &opened {
                        let text = format!("{} cannot be opened: {error}", self.shared.name);
                        self.shared.report(Level::WARN, &text);
                    }
                    // Whoever asked for it hears of it again.
                    self.settle(&opened, true);
                    // Nobody may wait for it any more.
                    let _ = tried.send(());
                }
                Some(Message::Check) => {
                    let checked = self.destination.check();
                    self.settle(&checked, false);
                }
                Some(Message::Line(line)) => {
                    let written = self.write(&line);
                    self.settle(&written, false);
                    self.shared.queued.fetch_sub(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Keeps what is wrong with the destination now. Where lines go to another place, that place and the other
    /// destination say so, and both say when that is over.
    fn settle(&mut self, outcome: &io::Result<()>, again: bool) {
        if let Err(error) = outcome {
            let text = format!("{} cannot be written: {error}", self.shared.name);
            return self.shared.set_problem(Some(Problem::Lost(text)));
        }
        let found = self.destination.misplaced().map(ToOwned::to_owned);
        if found != self.misplaced || again && found.is_some() {
            let (level, text) = match &found {
                Some(text) => (Level::WARN, text.clone()),
                None => (Level::INFO, format!("{} is written again", self.shared.name)),
            };
            self.misplaced.clone_from(&found);
            self.shared.report(level, &text);
            // Where it cannot be written the other destination has it.
            let _ = self.destination.write(&line(&self.shared.clock, level, &text));
        }
        self.shared.set_problem(found.map(Problem::Misplaced));
    }

    /// Writes one line, after a note about those that are missing before it.
    fn write(&mut self, text: &Line) -> io::Result<()> {
        let missing = self.shared.lost.swap(0, Ordering::Relaxed);
        let note = format!("{} missing here: they could not be written", lines(missing));
        let note = (missing > 0).then(|| line(&self.shared.clock, Level::WARN, &note));
        let written = note.map_or(Ok(()), |note| self.destination.write(&note));
        if let Err(error) = written {
            self.shared.lost.fetch_add(missing, Ordering::Relaxed);
            self.shared.lose(&error);
            return Err(error);
        }
        if missing > 0 {
            let name = &self.shared.name;
            let text = format!("{name} can be written again: {} missing there", lines(missing));
            self.shared.report(Level::INFO, &text);
        }
        self.destination.write(text).inspect_err(|error| self.shared.lose(error))
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
        misplaced: Arc<Mutex<Option<String>>>,
        seen: Option<String>,
    }

    impl Destination for Paper {
        fn write(&mut self, line: &[u8]) -> io::Result<()> {
            self.began.as_ref().map(|began| began.send(()));
            self.gate.as_ref().map(|gate| gate.recv());
            if self.refuses.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.lines.lock().unwrap().push(String::from_utf8(line.to_vec()).unwrap());
            self.check()
        }

        fn reopen(&mut self) -> io::Result<()> {
            self.check()
        }

        fn check(&mut self) -> io::Result<()> {
            self.seen = self.misplaced.lock().unwrap().clone();
            Ok(())
        }

        fn misplaced(&self) -> Option<&str> {
            self.seen.as_deref()
        }
    }

    const PATIENCE: Duration = Duration::from_secs(60);

    fn paper() -> (Paper, Arc<Mutex<Vec<String>>>, Arc<AtomicBool>) {
        let (lines, refuses) = (Arc::default(), Arc::default());
        let paper = Paper {
            lines: Arc::clone(&lines),
            refuses: Arc::clone(&refuses),
            gate: None,
            began: None,
            misplaced: Arc::default(),
            seen: None,
        };
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

    #[tokio::test]
    async fn fault_46_lines_in_another_place_are_reported_there_and_elsewhere_and_again_when_asked() {
        let ((paper_of_file, file, refuses), (paper_of_error, error, _)) = (paper(), paper());
        let misplaced = Arc::clone(&paper_of_file.misplaced);
        let (to_file, file_ended) = Sink::start("the log".into(), paper_of_file, 100, Clock::default());
        let (to_error, error_ended) = Sink::start("stderr".into(), paper_of_error, 100, Clock::default());
        to_file.report_to(&to_error);
        let mut problem = to_file.problem();
        *misplaced.lock().unwrap() = Some("it is a link".into());
        to_file.check();
        problem.changed().await.unwrap();
        let expected = Some(Problem::Misplaced("it is a link".into()));
        assert_eq!(*problem.borrow_and_update(), expected);
        send(&to_file, "one");
        to_file.reopen().await.unwrap();
        assert_eq!(*problem.borrow(), expected);
        *misplaced.lock().unwrap() = None;
        send(&to_file, "two");
        problem.changed().await.unwrap();
        assert_eq!(*problem.borrow_and_update(), None);
        refuses.store(true, Ordering::SeqCst);
        send(&to_file, "lost");
        problem.changed().await.unwrap();
        assert!(matches!(&*problem.borrow_and_update(), Some(Problem::Lost(_))));
        to_file.end(&file_ended, PATIENCE);
        to_error.end(&error_ended, PATIENCE);
        let again = "the log is written again";
        assert_eq!(said(&file), ["it is a link", "one", "it is a link", "two", again]);
        assert_eq!(said(&error)[..3], ["it is a link", "it is a link", again]);
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
