//! A start, and `wayhavend check`, on a disk that takes nothing: the cause is named (FAULTS 22 and 44). A disk of our own
//! needs root; without it the unit tests beside the code stand alone.

use crate::setting::{options, program};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use wayhaven_e2e::Home;
use wayhaven_e2e::process::PATIENCE;
use wayhaven_sandbox::Sandbox;

/// A small disk; it is taken away when it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn at(path: PathBuf) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs"]).arg(&path);
        let is_mounted = command.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        is_mounted.then_some(Self(path))
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("fill")).unwrap();
        let mut length = 1 << 16;
        while length > 0 {
            if file.write(&vec![0; length]).is_err() {
                length /= 4;
            }
        }
    }

    fn remount(&self, how: &str) {
        let mut command = Command::new("mount");
        let done = command.args(["-o", &format!("remount,{how}")]).arg(&self.0).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever still has a file open there does not keep the directory.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// What a start that has to fail says on standard error. One that does not fail is ended.
fn start(home: &Home) -> String {
    let mut command = home.command("wayhavend");
    let mut daemon = command.arg("run").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match daemon.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                daemon.kill().unwrap();
                break daemon.wait().unwrap();
            }
            // Another process's end makes no event that could be waited for with a deadline.
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    let mut said = String::new();
    daemon.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    said
}

fn told(home: &Home, cause: &str) {
    let check = home.wayhavend(&["check"], "").unwrap();
    assert_eq!(check.code, Some(1), "{}", check.stdout);
    let start = start(home);
    for text in [&check.stdout, &start] {
        assert!(text.contains(cause), "{cause} in {text}");
        assert!(!text.contains("must own the directory") && !text.contains("disk I/O error"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_22_and_44_check_and_a_start_name_a_full_disk_and_a_read_only_one() {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let mut home = Home::new(program(), &sandbox).unwrap();
    let Some(disk) = Disk::at(home.path().join("disk")) else { return };
    fs::set_permissions(&disk.0, fs::Permissions::from_mode(0o700)).unwrap();
    home.set("WAYHAVEN_HOME", Some(&disk.0.display().to_string()));
    let check = home.wayhavend(&["check"], "").unwrap();
    assert_eq!(check.code, Some(0), "{}", check.stdout);
    assert!(check.stdout.contains("less than 64 MiB are free on the disk of"), "{}", check.stdout);
    assert_eq!(listing(&disk.0), 0, "check leaves nothing");

    disk.remount("ro");
    told(&home, "its file system is mounted read-only");
    disk.remount("rw");
    // With a store that was there before, whose files have to be made again.
    let mut daemon = home.start().unwrap();
    daemon.ready().await.unwrap();
    assert!(daemon.terminate().await.unwrap().success());
    // Where they are there already, a start needs no room for them.
    for left in ["wayhaven.db-shm", "wayhaven.db-wal"] {
        let _ = fs::remove_file(disk.0.join("data").join(left));
    }
    disk.fill();
    told(&home, "its disk is full");
}

fn listing(path: &Path) -> usize {
    fs::read_dir(path).unwrap().count()
}
