//! A start, and `wayhavend check`, on a disk that takes nothing: the cause is named (FAULTS 22 and 44). A disk of our own
//! needs root; without it the unit tests beside the code stand alone.

use crate::setting::{options, program};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use wayhaven_e2e::Home;
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

fn told(home: &Home, cause: &str) {
    let check = home.wayhavend(&["check"], "").unwrap();
    assert_eq!(check.code, Some(1), "{}", check.stdout);
    let start = home.wayhavend(&["run"], "").unwrap();
    assert_eq!(start.code, Some(1), "{}", start.stderr);
    for text in [&check.stdout, &start.stderr] {
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
    disk.fill();
    told(&home, "its disk is full");
}

fn listing(path: &Path) -> usize {
    fs::read_dir(path).unwrap().count()
}
