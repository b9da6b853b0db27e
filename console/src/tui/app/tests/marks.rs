//! Keys on marked rows, and what a confirmation says.

use super::*;
use crate::tui::list::RowId;

/// Somebody who may change things, on the deliveries of three more punishments.
fn armed() -> Operator {
    let mut operator = seated();
    operator.enters("write");
    let mut timeout = punishment(43, "shouting");
    timeout.action = Action::Timeout;
    let mut elsewhere = punishment(44, "spam");
    elsewhere.guild_id = "1001".parse().unwrap();
    let mut undo = punishment(45, "sorry");
    undo.action = Action::Unban;
    let changed = [timeout, elsewhere, undo].map(|punishment| Change::Punishment { punishment });
    operator.hears(events(changed.into()));
    operator.types("3g");
    operator
}

/// Marks these rows.
fn mark(operator: &mut Operator, wanted: &[RowId]) {
    operator.types("g");
    for _ in 0..operator.app.list().rows.len() {
        let current = operator.app.list().current().unwrap();
        match wanted.contains(&current) && !operator.app.list().marks.contains(&current) {
            true => operator.types(" "),
            false => operator.types("j"),
        }
    }
    assert_eq!(operator.app.list().marks.len(), wanted.len());
}

fn of(number: u64) -> RowId {
    RowId::Punishment(number.to_string().parse().unwrap())
}

fn summary(operator: &Operator) -> String {
    match &operator.app.overlay {
        Overlay::Dialog(dialog) => match &dialog.question {
            crate::tui::dialog::Question::Apply(proposal) => proposal.summary.clone(),
            crate::tui::dialog::Question::Leave => panic!("another question"),
        },
        _ => panic!("nothing is asked"),
    }
}

#[test]
fn u_acts_on_the_marked_rows_and_not_on_the_selected_one_with_one_confirmation_that_counts() {
    let mut operator = armed();
    mark(&mut operator, &[of(41), of(42), of(43)]);
    operator.types("g");
    assert_eq!(operator.app.list().current(), Some(of(45)), "an unmarked row is selected");
    operator.types("u");
    let asked = operator.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].request["arguments"], json!({"punishments": ["43", "42", "41"]}));
    assert!(asked[0].dry_run && asked[0].guild.as_ref().unwrap().id().unwrap().get() == 1000);
    let mut plan = Reverted::none("1000".parse().unwrap(), true);
    plan.undone = 3;
    plan.deliveries.pending = 7;
    plan.deliveries.skipped = 2;
    operator.is_answered(Ok(serde_json::to_value(&plan).unwrap()));
    let said = summary(&operator);
    for words in [
        "Revert 3 punishments of 1 user",
        "timeout 43 of 912345678901234567",
        "in Wayhaven (1000)",
        "children: 7 undone, 2 unchanged",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    operator.types("3 punishments");
    operator.presses(KeyCode::Enter);
    let sent: Vec<_> = operator.asked().into_iter().filter(|envelope| changes(envelope)).collect();
    assert_eq!((sent.len(), sent[0].confirm.as_deref()), (1, Some("3 punishments")));
    assert_eq!(operator.app.list().marks.len(), 3, "until it is done");
    plan.dry_run = false;
    operator.is_answered(Ok(serde_json::to_value(&plan).unwrap()));
    assert!(operator.app.lists.iter().all(|list| list.marks.is_empty()));
}

#[test]
fn marks_that_cannot_all_be_acted_on_send_nothing_and_say_why() {
    for (marked, why) in [
        (vec![of(43), of(44)], "2 marked punishments are of 2 guilds"),
        (vec![of(43), of(45)], "unban 45 takes something back itself"),
        (
            vec![of(42), RowId::Delivery("42".parse().unwrap(), "901".parse().unwrap())],
            "1 of 2 marked rows: mark punishments, not deliveries",
        ),
    ] {
        let mut operator = armed();
        mark(&mut operator, &marked);
        operator.types("u");
        assert!(operator.asked().is_empty() && operator.toast().contains(why), "{}", operator.toast());
        assert_eq!(operator.app.list().marks.len(), 2, "they stay, to be corrected");
    }
    let child = |id: &str| RowId::Child("1000".parse().unwrap(), id.parse().unwrap());
    let mut operator = armed();
    operator.types("2");
    mark(&mut operator, &[child("2001"), child("2002")]);
    operator.types("x");
    assert!(
        operator.app.prompt.is_none() && operator.toast().contains("2 rows are marked"),
        "{}",
        operator.toast()
    );
    operator.presses(KeyCode::Esc);
    mark(&mut operator, &[child("2002")]);
    operator.types("gx");
    assert!(
        matches!(&operator.app.prompt, Some(Prompt::Palette { editor, .. })
            if editor.text() == "setup remove-child --guild=1000 2002 --"),
        "the marked row, and not the selected one"
    );
}

fn compared(child: &str, state: &str, missing: u64) -> serde_json::Value {
    let at = "2026-01-02T03:04:05Z";
    json!({"id": child, "kind": "reconcile", "state": state, "guild_id": child, "main_guild_id": "1000",
           "asked_by": "uid:0", "dry_run": true, "done": 9, "created_at": at, "updated_at": at,
           "result": {"of": "reconciled", "guild_id": child, "differing": [], "applied": false,
                      "counts": [{"difference": "missing", "count": missing}]}})
}

#[test]
fn a_confirmation_says_user_guild_and_counts_in_words() {
    for (line, reply, expected) in [
        ("ban 77 --guild 1000", preview(), "Ban user 77 in Wayhaven (1000), and in 2 children: 2 pending."),
        (
            "setup remove-child 2002 --guild 1000 --undo",
            json!({"link": null, "main_guild_id": "1000", "child_guild_id": "2002", "state": "closing", "dry_run": true,
                   "stopped": 1, "undo": {"taken_back": [{"action": "ban", "count": 3}], "stay": []}}),
            "Setup remove-child: child fr-community (2002) in Wayhaven (1000); undone in the child: 3 ban.",
        ),
        (
            "setup mode 2002 active --guild 1000",
            json!({"link": null, "main_guild_id": "1000", "child_guild_id": "2002", "state": "active", "dry_run": true,
                   "stopped": 0, "backfill": {"to_deliver": 950, "to_lift": 4, "left_out": false}}),
            "Setup mode: child fr-community (2002) in Wayhaven (1000); delivered in the child: up to 950, lifted: up to 4.",
        ),
        (
            "sync resume --guild 1000",
            json!({"main_guild_id": "1000", "frozen": false, "except_reversals": false, "already": false,
                   "deliveries": 1200, "dry_run": true}),
            "Sync resume in Wayhaven (1000); held deliveries sent: 1200.",
        ),
        (
            "sync reconcile --apply --guild 1000",
            json!({"guild_id": "1000", "jobs": [compared("2001", "done", 7), compared("2002", "running", 2)]}),
            "Sync reconcile in Wayhaven (1000); would repair 7 in 1 of 2 guilds, 1 still being compared.",
        ),
        (
            "sync reconcile --apply --guild 1000",
            json!({"guild_id": "1000", "jobs": [compared("2001", "done", 7), compared("2002", "failed", 2)]}),
            "Sync reconcile in Wayhaven (1000); would repair 7 in 1 of 2 guilds, 1 could not be compared.",
        ),
    ] {
        let mut operator = seated();
        operator.enters("write");
        operator.enters(line);
        operator.is_answered(Ok(reply));
        if matches!(operator.app.overlay, Overlay::Nothing) {
            panic!("{line}: {}", operator.toast());
        }
        assert_eq!(summary(&operator), expected);
    }
}

#[test]
fn a_filter_keeps_the_punishment_of_a_delivery() {
    let mut operator = seated();
    operator.types("3/fr-com");
    operator.presses(KeyCode::Enter);
    let ids: Vec<_> = operator.app.list().rows.iter().map(|row| row.id).collect();
    let deliveries = ids.iter().filter(|id| matches!(id, RowId::Delivery(..))).count();
    assert!(deliveries > 0, "{ids:?}");
    let mut above = None;
    for id in ids {
        match id {
            RowId::Punishment(number) => above = Some(number),
            RowId::Delivery(number, _) => assert_eq!(above, Some(number), "its punishment stands above it"),
            _ => {}
        }
    }
}
