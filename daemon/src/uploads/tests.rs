//! What is kept, for whom and how long.

use super::*;
use std::os::unix::fs::PermissionsExt;
use wayhaven_shared::FaultKind;

const ONE: Holder = Holder::Connection { uid: 1, number: 1 };

fn uploads() -> (tempfile::TempDir, Uploads) {
    let home = tempfile::tempdir().unwrap();
    let uploads = Uploads::at(home.path().join("uploads"));
    (home, uploads)
}

fn files(uploads: &Uploads) -> usize {
    std::fs::read_dir(&uploads.0.directory).map_or(0, Iterator::count)
}

#[test]
fn a_file_comes_in_parts_and_is_nobody_elses() {
    let (_home, uploads) = uploads();
    let id = uploads.begin(ONE).unwrap();
    uploads.append(ONE, id, 0, b"ab").unwrap();
    uploads.append(ONE, id, 2, b"cd").unwrap();
    for (holder, offset, kind) in [
        (ONE, 2, FaultKind::Usage),
        (ONE, 5, FaultKind::Usage),
        (Holder::Connection { uid: 2, number: 2 }, 4, FaultKind::NotFound),
        (Holder::Daemon, 4, FaultKind::NotFound),
    ] {
        assert_eq!(uploads.append(holder, id, offset, b"x").unwrap_err().kind, kind);
    }
    let mut text = String::new();
    uploads.open(id).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "abcd");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&uploads.path(id)), mode(&uploads.0.directory)), (0o600, 0o700));
}

#[test]
fn files_are_few_and_none_is_larger_than_it_may_be() {
    let (_home, uploads) = uploads();
    let id = uploads.begin(ONE).unwrap();
    uploads.begin(ONE).unwrap();
    let is_full = |holder| uploads.begin(holder).is_err_and(|fault| fault.kind == FaultKind::Conflict);
    assert!(is_full(ONE), "of one connection");
    let of = |uid, number| Holder::Connection { uid, number };
    for _ in 0..2 {
        uploads.begin(of(1, 2)).unwrap();
    }
    assert!(is_full(of(1, 3)), "of one user");
    for _ in 0..2 {
        uploads.begin(of(2, 4)).unwrap();
    }
    assert!(is_full(of(3, 5)), "of all connections");
    for _ in 0..2 {
        uploads.begin(Holder::Daemon).unwrap();
    }
    assert!(is_full(Holder::Daemon), "of all");
    uploads.kept().get_mut(&id).unwrap().size = LARGEST - 1;
    uploads.append(ONE, id, LARGEST - 1, b"x").unwrap();
    let fault = uploads.append(ONE, id, LARGEST, b"x").unwrap_err();
    assert!(fault.message.contains("64 MiB") && !fault.hints.is_empty(), "{fault}");
    assert_eq!((uploads.open(id).unwrap_err().kind, files(&uploads)), (FaultKind::NotFound, 7));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_who_is_gone_nor_after_an_hour_nor_of_another_life() {
    let (_home, uploads) = uploads();
    uploads.begin(ONE).unwrap();
    let other = uploads.begin(Holder::Daemon).unwrap();
    uploads.forget_all(ONE);
    assert_eq!((uploads.count(), files(&uploads)), (1, 1));
    let mut sweep = Sweep::new(uploads.clone());
    tokio::spawn(async move {
        while let Trigger::After(span) = sweep.next() {
            tokio::time::sleep(span).await;
            sweep.run().await.unwrap();
        }
    });
    tokio::time::sleep(KEPT * 3).await;
    uploads.is_whole(other);
    tokio::time::sleep(KEPT - Duration::from_secs(1)).await;
    uploads.open(other).unwrap();
    tokio::time::sleep(PAUSE * 2).await;
    assert_eq!((uploads.count(), files(&uploads)), (0, 0));

    uploads.begin(ONE).unwrap();
    let next = Uploads::at(uploads.0.directory.clone());
    next.clear().unwrap();
    assert_eq!(files(&next), 0);
    next.clear().unwrap();
}

#[test]
fn what_is_brought_out_is_removed_with_the_last_who_waits_for_it() {
    let (_home, uploads) = uploads();
    let id = uploads.begin(Holder::Daemon).unwrap();
    let mut file = uploads.create(id).unwrap();
    file.write_all(&vec![7; Chunk::LARGEST + 1]).unwrap();
    assert_eq!(uploads.part(id, 0).unwrap_err().kind, FaultKind::NotFound, "not while it is written");
    uploads.is_wanted_too(id);
    uploads.is_whole(id);
    // Wherever somebody begins to read it, that is the first of it.
    assert!(uploads.part(id, 5).unwrap().first);
    assert!(!uploads.part(id, 0).unwrap().first);
    for _ in 0..2 {
        assert_eq!(uploads.part(id, 0).unwrap().chunk.bytes().len(), Chunk::LARGEST);
        assert_eq!(uploads.part(id, Chunk::LARGEST as u64).unwrap().chunk.bytes(), [7]);
        assert!(uploads.part(id, Chunk::LARGEST as u64 + 1).unwrap().chunk.bytes().is_empty());
    }
    assert_eq!(uploads.part(id, 0).unwrap_err().kind, FaultKind::NotFound);
    assert_eq!(files(&uploads), 0);
}

#[test]
fn what_the_daemon_writes_makes_room_once_it_is_whole_and_not_before() {
    let (_home, uploads) = uploads();
    let written: Vec<_> = (0..MOST_WRITTEN).map(|_| uploads.begin(Holder::Daemon).unwrap()).collect();
    assert_eq!(uploads.begin(Holder::Daemon).unwrap_err().kind, FaultKind::Conflict);
    uploads.is_whole(written[0]);
    for number in 0..3 {
        uploads.begin(Holder::Connection { uid: u32::try_from(number).unwrap(), number }).unwrap();
    }
    uploads.begin(Holder::Daemon).unwrap();
    uploads.open(written[0]).unwrap();
    uploads.is_whole(written[1]);
    uploads.begin(Holder::Daemon).unwrap();
    assert_eq!(uploads.open(written[0]).unwrap_err().kind, FaultKind::NotFound, "the oldest goes");
    uploads.open(written[1]).unwrap();
    assert_eq!(files(&uploads), MOST);
}

#[test]
fn who_has_too_many_gives_room_by_their_own_and_takes_nobody_elses() {
    let (_home, uploads) = uploads();
    let [one, other] = [1, 2].map(|id| Holder::Member(wayhaven_shared::value::UserId::new(id).unwrap()));
    let theirs = uploads.begin(other).unwrap();
    let own = [one, one].map(|holder| uploads.begin(holder).unwrap());
    for number in 0..5 {
        uploads.begin(Holder::Connection { uid: u32::try_from(number).unwrap(), number }).unwrap();
    }
    assert_eq!(files(&uploads), MOST);
    uploads.begin(one).unwrap();
    assert_eq!(uploads.open(own[0]).unwrap_err().kind, FaultKind::NotFound);
    uploads.open(own[1]).unwrap();
    uploads.open(theirs).unwrap();
}
