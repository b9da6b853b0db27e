//! The loop: keys, signals, time and news go into the state, its orders and frames come out.

use super::app::App;
use super::feed::{self, Wish};
use super::input::{Input, Moment, News, Order};
use super::terminal::{self, Frames};
use super::theme::Theme;
use super::view;
use crate::link::Place;
use crate::render::signs::Signs;
use crate::terminal_size;
use crossterm::event::{Event, EventStream};
use futures::StreamExt;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::Signal;
use shared::value::{GuildText, Timestamp};
use std::io;
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use tokio::signal::unix::{Signal as Listener, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use wayhaven_shared as shared;

/// The least time between two frames that news asks for; keys are answered at once.
const FRAME: Duration = Duration::from_millis(33);

/// How much news may wait: the daemon's events are in its store, so the feed can.
const NEWS: usize = 64;

/// The variable that is set where the console is the demo's, whose daemon ends with it.
pub const DEMO_VARIABLE: &str = "WAYHAVEN_DEMO";

/// How the console ended.
enum Left {
    /// Somebody left it.
    Quit,
    /// A signal ended it.
    Signal(i32),
}

/// The console, until somebody leaves it; the exit code.
///
/// # Errors
/// Where the terminal cannot be used or is gone.
pub(crate) fn main(place: &Place, guild: Option<GuildText>, colour: bool, ascii: bool) -> io::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Ours alone decides on colour; crossterm would also take reverse video away.
    crossterm::style::force_color_output(true);
    terminal::restore_on_panic();
    watch_for_hangup()?;
    let left = {
        let _taken = terminal::Taken;
        terminal::enter()?;
        runtime.block_on(run(place, guild, Theme { colour, signs: Signs { ascii }, faded: false }))
    };
    // A read on the terminal may still be pending in another thread; nobody waits for it.
    runtime.shutdown_background();
    Ok(match left? {
        Left::Quit => 0,
        Left::Signal(number) => u8::try_from(128 + number).unwrap_or(1),
    })
}

/// Ends the process once its terminal is gone. From a thread of its own: crossterm 0.29 reads a terminal that is
/// gone again and again without coming back, and then no signal reaches the loop.
fn watch_for_hangup() -> io::Result<()> {
    let watch = || {
        let stdin = io::stdin();
        // Nothing is asked for: a hangup is told all the same.
        let mut terminal = [PollFd::new(&stdin, PollFlags::empty())];
        while terminal[0].revents().is_empty() {
            if poll(&mut terminal, None).is_err_and(|error| error != Errno::INTR) {
                return;
            }
        }
        // The loop ends by itself where it still can; nobody is there any more to see how.
        std::thread::sleep(Duration::from_millis(500));
        std::process::exit(128 + Signal::HUP.as_raw());
    };
    std::thread::Builder::new().name("hangup".into()).spawn(watch).map(drop)
}

/// The signals that end the console.
struct Signals {
    hangup: Listener,
    terminate: Listener,
    interrupt: Listener,
    quit: Listener,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// The number of a signal that ends the console.
    async fn ending(&mut self) -> i32 {
        tokio::select! {
            _ = self.hangup.recv() => Signal::HUP.as_raw(),
            _ = self.terminate.recv() => Signal::TERM.as_raw(),
            _ = self.interrupt.recv() => Signal::INT.as_raw(),
            _ = self.quit.recv() => Signal::QUIT.as_raw(),
        }
    }
}

/// What woke the loop.
enum Woken {
    Input(Input),
    Continued,
    Frame,
}

async fn run(place: &Place, guild: Option<GuildText>, theme: Theme) -> io::Result<Left> {
    let started = Instant::now();
    let mut app = App::new(moment(started), terminal_size::current(), theme);
    app.guild = guild;
    app.is_demo = std::env::var_os(DEMO_VARIABLE).is_some();
    let (wishes, asked) = mpsc::unbounded_channel();
    let (told, mut news) = mpsc::channel(NEWS);
    let feed = tokio::spawn(feed::run(place.clone(), asked, told));
    let mut signals = Signals::new()?;
    let mut continued = signal(SignalKind::from_raw(Signal::CONT.as_raw()))?;
    let mut events = EventStream::new();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut frames = Frames::new();
    let mut drawn = Instant::now();
    let mut due = false;
    frames.show(app.size, |buffer| view::draw(&app, buffer))?;
    loop {
        let next_frame = tokio::time::sleep((drawn + FRAME).saturating_duration_since(Instant::now()));
        let woken = tokio::select! {
            biased;
            number = signals.ending() => return Ok(Left::Signal(number)),
            _ = continued.recv() => Woken::Continued,
            event = events.next() => match event {
                Some(Ok(event)) => Woken::Input(understood(event)),
                Some(Err(error)) => return Err(error),
                // Standard input is closed: the terminal is gone.
                None => return Ok(Left::Signal(Signal::HUP.as_raw())),
            },
            () = next_frame, if due => Woken::Frame,
            one = news.recv() => match one {
                Some(one) => Woken::Input(Input::News(one)),
                None => return Err(io::Error::other(ended(feed).await)),
            },
            _ = ticks.tick() => Woken::Input(Input::Tick),
        };
        let mut waits = false;
        match woken {
            Woken::Input(input) => {
                waits = matches!(input, Input::News(News::Changed(_)));
                let orders = app.update(moment(started), input);
                if carry_out(orders, &wishes, &mut frames)? {
                    return Ok(Left::Quit);
                }
            }
            Woken::Continued => {
                terminal::enter_again()?;
                let (width, height) = terminal_size::current();
                app.update(moment(started), Input::Resize(width, height));
                frames.forget();
            }
            Woken::Frame => {}
        }
        due = waits && drawn.elapsed() < FRAME;
        if !due {
            frames.show(app.size, |buffer| view::draw(&app, buffer))?;
            drawn = Instant::now();
        }
    }
}

/// Why the feed ended, which it never should while the console is there.
async fn ended(feed: tokio::task::JoinHandle<()>) -> String {
    match feed.await {
        Ok(()) => "the connection's task ended".into(),
        Err(error) => format!("the connection's task failed: {error}"),
    }
}

/// Does what the state wants done; whether it wants to leave.
fn carry_out(
    orders: Vec<Order>,
    wishes: &mpsc::UnboundedSender<Wish>,
    frames: &mut Frames,
) -> io::Result<bool> {
    for order in orders {
        match order {
            // Where the feed has ended its news end too, and the loop says so.
            Order::Ask(ticket, envelope) => drop(wishes.send(Wish::Ask(ticket, envelope))),
            Order::Resync => drop(wishes.send(Wish::Resync)),
            Order::Copy(text) => terminal::copy(&text)?,
            Order::Repaint => frames.forget(),
            Order::Suspend => {
                terminal::restore();
                // Like the terminal's own ^Z it stops all that runs in the foreground: whatever has started the console, as
                // sudo, a script or the demo, would go on to wait for it, and no shell would come back. The kernel ignores
                // it where nobody could continue us, and then we simply go on.
                let stopped = rustix::process::kill_current_process_group(Signal::TSTP);
                terminal::enter()?;
                frames.forget();
                stopped?;
            }
            Order::Quit => return Ok(true),
        }
    }
    Ok(false)
}

fn understood(event: Event) -> Input {
    match event {
        Event::Key(key) => Input::Key(key),
        Event::Paste(text) => Input::Paste(text),
        Event::Resize(width, height) => Input::Resize(width, height),
        _ => Input::Tick,
    }
}

fn moment(started: Instant) -> Moment {
    let millis = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    Moment {
        elapsed: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        wall: Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX)),
    }
}
