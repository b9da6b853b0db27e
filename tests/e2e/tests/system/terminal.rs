//! The console on a real pty, read as a terminal would show it.

use crate::setting::{Setting, guild, options, program};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use wayhaven_e2e::process::{PATIENCE, ask};
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::value::UserId;

/// The terminal, and who waits for it to change.
type Shared = Arc<(Mutex<vt100::Parser>, Condvar)>;

/// A console on a pty of its own.
pub(crate) struct Terminal {
    shared: Shared,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

/// The binary by another name, since it plays the part it is called by, and a pty's command cannot say another name than
/// its own.
pub(crate) fn named(directory: &Path, part: &str) -> PathBuf {
    let link = directory.join(part);
    if !link.exists() {
        std::os::unix::fs::symlink(program(), &link).unwrap();
    }
    link
}

fn size(cells: u16) -> std::num::NonZero<u16> {
    cells.try_into().unwrap()
}

impl Terminal {
    /// The console of this setting, on 24 lines of 80 columns.
    fn of(setting: &Setting) -> Self {
        Self::sized(setting, 24, 80)
    }

    pub(crate) fn sized(setting: &Setting, rows: u16, cols: u16) -> Self {
        Self::with(setting, rows, cols, &[])
    }

    /// The same with more in its environment.
    pub(crate) fn with(setting: &Setting, rows: u16, cols: u16, more: &[(String, String)]) -> Self {
        let mut command = CommandBuilder::new(named(setting.home.path(), "wayhaven"));
        command.env_clear();
        command.env("WAYHAVEN_HOME", setting.home.path());
        command.env("TERM", "xterm-256color");
        more.iter().for_each(|(name, value)| command.env(name, value));
        Self::running(command, rows, cols)
    }

    /// Any program on a pty of this size. One without a size is shown as its program has to assume it, on 24 lines of 80, and
    /// of one that nobody could have a part.
    pub(crate) fn running(command: CommandBuilder, rows: u16, cols: u16) -> Self {
        let page = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(page).unwrap();
        let child = pty.slave.spawn_command(command).unwrap();
        let shown =
            |cells: u16, assumed: u16, most: u16| size(if cells == 0 { assumed } else { cells.min(most) });
        let parser = vt100::Parser::new(shown(rows, 24, 400), shown(cols, 80, 1_000), 0);
        let shared: Shared = Arc::new((Mutex::new(parser), Condvar::new()));
        let mut output = pty.master.try_clone_reader().unwrap();
        let writer = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                writer.0.lock().unwrap().process(&bytes[..count]);
                writer.1.notify_all();
            }
        });
        Self { shared, keys: pty.master.take_writer().unwrap(), child, master: pty.master }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until the screen shows all of these.
    pub(crate) fn shows(&self, wanted: &[&str]) {
        self.until(&format!("{wanted:?}"), |screen| {
            let contents = screen.contents();
            wanted.iter().all(|text| contents.contains(text))
        });
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&self, rows: u16, cols: u16) {
        // Nothing that is drawn for the new size is read into a screen of the old one.
        let mut parser = self.shared.0.lock().unwrap();
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        parser.screen_mut().set_size(size(rows), size(cols));
    }

    pub(crate) fn until(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut parser = self.shared.0.lock().unwrap();
        while !holds(parser.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(left > Duration::ZERO, "{what} never came:\n{}", parser.screen().contents());
            parser = self.shared.1.wait_timeout(parser, left).unwrap().0;
        }
    }

    /// The process on it.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        rustix::process::Pid::from_raw(pid).unwrap()
    }

    /// Waits for the end; the terminal must be as it was before.
    pub(crate) fn ended(self) -> u32 {
        self.until("the terminal as it was", |screen| {
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        });
        let (tell, told) = std::sync::mpsc::channel();
        let mut child = self.child;
        std::thread::spawn(move || tell.send(child.wait().unwrap().exit_code()));
        told.recv_timeout(PATIENCE).expect("the program does not end")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_shows_deliveries_live_outlives_the_daemon_and_leaves_the_terminal_as_it_was() {
    let mut setting = Setting::new(options(4)).await;
    let mut terminal = Terminal::of(&setting);
    terminal.shows(&["network", "LIVE", "observe", "ru-gaming"]);

    terminal.press("3");
    terminal.shows(&["deliveries"]);
    let user = setting.member(0);
    let ban = Ban::new(UserId::new(user).unwrap());
    ask(&setting.client, setting.main, ban).await.unwrap();
    terminal.shows(&[&user.to_string(), "4/4"]);

    // Observe: nothing that is typed can change anything.
    let other = setting.member(1);
    terminal.press(&format!(":--guild={} ban {other}\r", setting.main));
    terminal.shows(&[":write"]);
    assert!(!setting.sandbox.is_banned(setting.main.get(), other));
    terminal.press("\u{1b}");

    setting.daemon.kill().unwrap();
    terminal.shows(&["STALE"]);
    setting.restart().await;
    terminal.shows(&["LIVE"]);

    terminal.resize(40, 120);
    terminal.shows(&["LIVE", &user.to_string()]);
    terminal.until("the last line of the new size", |screen| {
        screen.rows(0, 120).nth(39).is_some_and(|line| !line.trim().is_empty())
    });
    // It has caught up with the daemon that was started again before it leaves.
    terminal.press(":quit\r");
    assert_eq!(terminal.ended(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn armed_by_write_a_ban_from_the_palette_is_previewed_confirmed_and_done() {
    let setting = Setting::new(options(2)).await;
    let mut terminal = Terminal::of(&setting);
    terminal.shows(&["LIVE", "observe"]);
    terminal.press(":write\r");
    terminal.shows(&["write"]);
    let user = setting.member(2);
    terminal.press(&format!(":--guild={} ban {user}\r", setting.main));
    terminal.shows(&["do this?", "2 pending"]);
    assert_eq!(setting.sandbox.effect_count(), 0, "the preview changes nothing");
    terminal.press("y");
    let children = setting.sandbox.children();
    setting.sandbox.wait_until(|sandbox| sandbox.banned_in(&children, user) == 2, PATIENCE).await.unwrap();
    terminal.shows(&[&user.to_string(), "2/2"]);
    assert!(setting.sandbox.is_banned(guild(setting.sandbox.main_guild()).get(), user));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_console_and_leaves_the_terminal_as_it_was() {
    let setting = Setting::new(options(1)).await;
    for signal in [rustix::process::Signal::TERM, rustix::process::Signal::HUP] {
        let terminal = Terminal::of(&setting);
        terminal.shows(&["LIVE"]);
        rustix::process::kill_process(terminal.pid(), signal).unwrap();
        assert_ne!(terminal.ended(), 0, "a signal is no orderly end");
    }
}
