//! The audit as a file.

use crate::discord::directory::ADMINISTRATOR;
use crate::testing::{TestDaemon, asked, by_member, by_operator, sandbox, user};
use serde_json::{Value, json};
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::audit::{AuditExport, AuditExported};
use wayhaven_shared::operations::job::{Job, JobResult};
use wayhaven_shared::operations::sync::ListFormat;
use wayhaven_shared::operations::{Reply, Request};

/// A member of no guild.
const WHOM: u64 = 700_000_000_000_000_001;

async fn started() -> (Sandbox, TestDaemon) {
    let sandbox = sandbox(1).await;
    sandbox.change(|world| world.person_with_id(WHOM));
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    for (of, reason) in [(main, "=HYPERLINK(\"x\"), \"quoted\"\r\nsecond line"), (child, "plain")] {
        let warn = json!({"operation": "warn", "arguments": {"user": WHOM.to_string(), "reason": reason}});
        test.punish(of, warn).await;
    }
    (sandbox, test)
}

fn exported(job: Job) -> AuditExported {
    match job.result {
        Some(JobResult::AuditExported(exported)) => exported,
        other => panic!("{other:?}"),
    }
}

/// The text of what was written.
fn text(test: &TestDaemon, exported: &AuditExported) -> String {
    let whole = test.systems.uploads.part(exported.file.unwrap(), 0).unwrap().chunk;
    assert_eq!(whole.bytes().len() as u64, exported.bytes);
    String::from_utf8(whole.bytes().to_vec()).unwrap()
}

async fn everything(test: &TestDaemon, export: AuditExport) -> AuditExported {
    let request: Request = export.into();
    match test.ask(by_operator(Role::Operator, None, request)).await.unwrap() {
        Reply::AuditExport(job) => exported(job),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn json_has_every_entry_with_what_was_asked_for_oldest_first() {
    let (_sandbox, test) = started().await;
    let all = test.audit().await;
    let file = everything(&test, AuditExport::default()).await;
    let written: Value = serde_json::from_str(&text(&test, &file)).unwrap();
    assert_eq!((written["schema"].as_u64(), &written["guild_id"]), (Some(1), &Value::Null));
    let entries = written["entries"].as_array().unwrap();
    assert_eq!(entries.len() as u64, file.entries);
    assert_eq!(entries.len(), all.len(), "what is asked for meanwhile is not part of it");
    let sequences: Vec<u64> = entries.iter().map(|entry| entry["sequence"].as_u64().unwrap()).collect();
    assert!(sequences.is_sorted(), "{sequences:?}");
    let warned = entries.iter().find(|entry| entry["operation"] == "warn").unwrap();
    assert_eq!(warned["target"], WHOM.to_string());
    assert_eq!(warned["parameters"]["schema"], 1);
    assert_eq!(warned["parameters"]["arguments"]["reason"], "=HYPERLINK(\"x\"), \"quoted\"\r\nsecond line");
    assert!(warned["actor"].as_str().unwrap().starts_with("unix user "));
}

#[tokio::test]
async fn a_table_is_one_row_per_entry_and_no_cell_is_a_formula() {
    let (_sandbox, test) = started().await;
    let export =
        AuditExport { format: Some(ListFormat::Csv), user: Some(user(WHOM)), ..AuditExport::default() };
    let file = everything(&test, export).await;
    assert_eq!(file.entries, 2, "only what was done to them");
    let written = text(&test, &file);
    let mut cells = vec![Vec::new()];
    let (mut quoted, mut cell, mut letters) = (false, String::new(), written.chars().peekable());
    while let Some(letter) = letters.next() {
        match (letter, quoted) {
            ('"', true) if letters.peek() == Some(&'"') => cell.extend(letters.next()),
            ('"', _) => quoted = !quoted,
            (',', false) => cells.last_mut().unwrap().push(std::mem::take(&mut cell)),
            ('\r', false) => {}
            ('\n', false) => {
                cells.last_mut().unwrap().push(std::mem::take(&mut cell));
                cells.push(Vec::new());
            }
            _ => cell.push(letter),
        }
    }
    cells.pop();
    assert_eq!(cells.len(), 3, "{written}");
    assert!(cells.iter().all(|row| row.len() == 14), "{cells:?}");
    let dangerous = |cell: &String| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    assert!(!cells.iter().flatten().any(dangerous), "{cells:?}");
    assert!(cells[1][12].contains("HYPERLINK"), "{:?}", cells[1]);
}

#[tokio::test]
async fn a_guild_gets_its_own_and_does_not_learn_which_operator_it_was() {
    let (sandbox, test) = started().await;
    let main = sandbox.main_guild();
    let request: Request = AuditExport::default().into();
    let job = match test.ask(by_member(sandbox.admin(), main, ADMINISTRATOR, request)).await.unwrap() {
        Reply::AuditExport(job) => job,
        other => panic!("{other:?}"),
    };
    assert_eq!(job.result.as_ref().unwrap().written().unwrap().name, format!("audit-{main}.json"));
    let file = exported(job);
    let written: Value = serde_json::from_str(&text(&test, &file)).unwrap();
    let entries = written["entries"].as_array().unwrap();
    assert!(entries.iter().any(|entry| entry["operation"] == "warn"));
    for entry in entries {
        assert_eq!(entry["guild_id"], main.to_string());
        assert!(!entry["actor"].as_str().unwrap_or_default().contains("unix"), "{entry}");
    }
    let plan = asked(&test, main, AuditExport::default(), true).await.unwrap();
    let plan = exported(plan);
    assert!(plan.file.is_none() && plan.entries > file.entries, "{plan:?}");
    assert_eq!(test.systems.uploads.count(), 1, "a plan leaves no file");
}
