//! Jobs of an unknown kind, and the signal that a comparison is due.

use super::{guild, open, shell};
use crate::store::NewJob;
use serde_json::Value;
use wayhaven_shared::operations::job::JobKind;

#[tokio::test]
async fn a_job_of_an_unknown_kind_is_left_out_and_stays_unchanged() {
    let (store, _home) = open();
    let new = |kind| NewJob {
        kind,
        guild: Some(guild(1)),
        main: None,
        asked_by: "somebody".into(),
        dry_run: false,
        cursor: Value::Null,
    };
    let (strange, known) = store
        .write(move |change| {
            Ok((change.begin_job(&new(JobKind::Export))?, change.begin_job(&new(JobKind::Drill))?))
        })
        .await
        .unwrap();
    let sql = "UPDATE jobs SET kind = 'of_tomorrow' WHERE id = ?1";
    shell(&store).execute(sql, [strange.get().cast_signed()]).unwrap();
    let (running, one) =
        store.read(move |view| Ok((view.jobs(None, true, 10)?, view.job(strange)?))).await.unwrap();
    assert_eq!(running.iter().map(|job| job.id).collect::<Vec<_>>(), [known]);
    assert!(one.is_none());
    let state: String = shell(&store)
        .query_row("SELECT state FROM jobs WHERE id = ?1", [strange.get().cast_signed()], |row| row.get(0))
        .unwrap();
    assert_eq!(state, "running");
}

/// The event sequence does not change with it.
#[tokio::test]
async fn a_due_comparison_is_signalled_with_its_commit() {
    let (store, _home) = open();
    let mut due = store.due();
    store.write(|change| Ok(change.note_reconciled(guild(1), change.now())?)).await.unwrap();
    assert!(!due.has_changed().unwrap());
    store.write(|change| Ok(change.reconcile_soon(guild(1))?)).await.unwrap();
    assert!(due.has_changed().unwrap());
    due.mark_unchanged();
    store.write(|change| Ok(change.reconcile_unless_done(guild(1))?)).await.unwrap();
    assert!(due.has_changed().unwrap());
}
