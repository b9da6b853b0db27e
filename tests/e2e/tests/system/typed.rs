//! The token typed at a terminal: it does not show, and the terminal is as it was afterwards.

use crate::setting::{options, program};
use portable_pty::{Child, CommandBuilder, PtyPair, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, tcgetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};
use wayhaven_e2e::Home;
use wayhaven_e2e::process::PATIENCE;
use wayhaven_sandbox::Sandbox;

/// `wayhavend token set` on a terminal of its own.
struct Asked {
    pty: PtyPair,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    shown: String,
}

impl Asked {
    fn by(home: &Home) -> Self {
        let pty = native_pty_system().openpty(PtySize::default()).unwrap();
        // The binary plays the part it is called by, and a pty's command cannot say another name than its own.
        let link = home.path().join("wayhavend");
        if !link.exists() {
            std::os::unix::fs::symlink(program(), &link).unwrap();
        }
        let mut command = CommandBuilder::new(link);
        command.args(["token", "set"]);
        command.env_clear();
        command.env("WAYHAVEN_HOME", home.path());
        let child = pty.slave.spawn_command(command).unwrap();
        let mut reader = pty.master.try_clone_reader().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let keys = pty.master.take_writer().unwrap();
        let mut asked = Self { pty, child, keys, output, shown: String::new() };
        asked.shows("it does not show");
        asked
    }

    fn shows(&mut self, text: &str) {
        while !self.shown.contains(text) {
            let bytes = self.output.recv_timeout(PATIENCE).unwrap();
            self.shown.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Whether the terminal shows what is typed.
    fn echoes(&self) -> bool {
        let terminal = File::open(self.pty.master.tty_name().unwrap()).unwrap();
        tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }
}

async fn home() -> (Sandbox, Home) {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let home = Home::new(program(), &sandbox).unwrap().with("BOT_TOKEN", None);
    (sandbox, home)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_typed_does_not_show() {
    let (sandbox, home) = home().await;
    let mut asked = Asked::by(&home);
    assert!(!asked.echoes());
    asked.types(&format!("{}\r", sandbox.token()));
    asked.shows("sealed in");
    assert!(asked.child.wait().unwrap().success(), "{}", asked.shown);
    assert!(asked.echoes());
    assert!(!asked.shown.contains(sandbox.token()), "{}", asked.shown);
    assert_eq!(home.wayhavend(&["token", "check"], "").unwrap().code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_interrupts_the_question_has_the_terminal_as_it_was_and_no_token_set() {
    let (_sandbox, home) = home().await;
    let interrupts: [fn(&mut Asked); 3] = [
        |asked| asked.types("\u{3}"),
        |asked| kill_process(pid(asked), Signal::INT).unwrap(),
        |asked| kill_process(pid(asked), Signal::TERM).unwrap(),
    ];
    for interrupt in interrupts {
        let mut asked = Asked::by(&home);
        assert!(!asked.echoes());
        asked.types("MTIz");
        interrupt(&mut asked);
        asked.shows("interrupted");
        assert_eq!(asked.child.wait().unwrap().exit_code(), 1, "{}", asked.shown);
        assert!(asked.echoes());
        assert!(!asked.shown.contains("MTIz"), "{}", asked.shown);
        assert!(!home.layout().unwrap().sealed_token().exists());
    }
}

fn pid(asked: &Asked) -> Pid {
    let id = i32::try_from(asked.child.process_id().unwrap()).unwrap();
    Pid::from_raw(id).unwrap()
}
