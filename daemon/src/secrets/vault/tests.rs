use super::*;
use crate::secrets::files::dies_after;
use secrecy::ExposeSecret;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;
use wayhaven_shared::paths::Environment;

const OLD: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GGGGGG.s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3c";
const NEW: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.HHHHHH.s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3c";

fn place() -> (TempDir, Vault) {
    let home = tempfile::tempdir().unwrap();
    let layout = Layout::new(&Environment { home: Some(home.path().into()), runtime: None }).unwrap();
    (home, Vault::of(&layout))
}

fn sealed(token: &str) -> (TempDir, Vault) {
    let (home, vault) = place();
    vault.set(&SecretString::from(token)).unwrap();
    (home, vault)
}

fn opened(vault: &Vault) -> Option<String> {
    vault.open().unwrap().map(|token| token.expose_secret().to_owned())
}

/// Everything below the home that is a file, by its last name.
fn files_of(home: &TempDir) -> Vec<String> {
    let mut names = Vec::new();
    for directory in ["data", "state"] {
        for entry in std::fs::read_dir(home.path().join(directory)).unwrap() {
            names.push(entry.unwrap().file_name().into_string().unwrap());
        }
    }
    names.sort();
    names
}

/// How a step after which the process died has left it: `act` is played again and again, each time one step further.
fn dying(
    prepare: impl Fn() -> (TempDir, Vault),
    act: impl Fn(&Vault) -> Result<(), Fault>,
    check: impl Fn(&Vault),
) {
    for steps in 0.. {
        let (home, vault) = prepare();
        dies_after(Some(steps));
        let outcome = act(&vault);
        dies_after(None);
        check(&vault);
        // What comes next may die too, at any step of it.
        for again in 0.. {
            dies_after(Some(again));
            let settled = vault.settle();
            dies_after(None);
            check(&vault);
            if settled.is_ok() {
                break;
            }
        }
        assert!(files_of(&home).iter().all(|name| ["seal.key", "token.sealed"].contains(&name.as_str())));
        vault.rotate().unwrap();
        check(&vault);
        if outcome.is_ok() {
            assert!(steps > 3, "{steps} steps are not all there are");
            return;
        }
    }
}

#[test]
fn a_token_is_sealed_and_opened_and_its_files_are_nobody_elses() {
    let (home, vault) = place();
    assert!(vault.open().unwrap().is_none());
    let first = vault.set(&SecretString::from(OLD)).unwrap();
    assert!(first.new_key && first.token == vault.token);
    assert_eq!(opened(&vault).unwrap(), OLD);
    assert!(!vault.set(&SecretString::from(NEW)).unwrap().new_key, "the key stays");
    assert_eq!(opened(&vault).unwrap(), NEW);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for path in [&vault.token, &vault.key] {
        assert_eq!(mode(path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }
    assert_eq!(files_of(&home), ["seal.key", "token.sealed"]);
}

#[test]
fn a_rotation_has_another_key_and_the_same_token() {
    let (home, vault) = sealed(OLD);
    let key = std::fs::read_to_string(&vault.key).unwrap();
    let rotated = vault.rotate().unwrap();
    assert!(key.contains(&rotated.before) && rotated.before != rotated.now);
    assert!(std::fs::read_to_string(&vault.key).unwrap().contains(&rotated.now));
    assert_eq!(opened(&vault).unwrap(), OLD);
    assert_eq!(files_of(&home), ["seal.key", "token.sealed"]);
    let fault = place().1.rotate().unwrap_err();
    assert!(fault.kind == FaultKind::NotFound && fault.hints[0].contains("token set"), "{fault}");
}

#[test]
fn a_rotation_that_dies_after_any_step_leaves_a_token_that_opens_and_the_next_finishes_it() {
    dying(|| sealed(OLD), |vault| vault.rotate().map(drop), |vault| assert_eq!(opened(vault).unwrap(), OLD));
}

#[test]
fn setting_a_token_that_dies_after_any_step_leaves_the_old_one_or_the_new() {
    let set = |vault: &Vault| vault.set(&SecretString::from(NEW)).map(drop);
    dying(|| sealed(OLD), set, |vault| assert!([OLD, NEW].contains(&opened(vault).unwrap().as_str())));
    for steps in 0.. {
        let (_home, vault) = place();
        dies_after(Some(steps));
        let outcome = set(&vault);
        dies_after(None);
        assert!(opened(&vault).is_none_or(|token| token == NEW), "none or the whole one");
        vault.set(&SecretString::from(OLD)).unwrap();
        assert_eq!(opened(&vault).unwrap(), OLD);
        if outcome.is_ok() {
            break;
        }
    }
}

#[test]
fn a_rotation_that_died_is_finished_where_the_token_has_the_next_key_and_dropped_where_not() {
    let (_home, vault) = sealed(OLD);
    let next = Key::draw().unwrap();
    // The next key is written, and the token is not sealed with it yet.
    std::fs::write(&vault.next, next.line().as_str()).unwrap();
    let key = std::fs::read_to_string(&vault.key).unwrap();
    vault.settle().unwrap();
    assert!(!vault.next.exists());
    assert_eq!(std::fs::read_to_string(&vault.key).unwrap(), key);
    // The token is sealed with it, and it does not have its name yet.
    std::fs::write(&vault.next, next.line().as_str()).unwrap();
    vault.seal(&SecretString::from(OLD), &next).unwrap();
    assert_eq!(opened(&vault).unwrap(), OLD);
    vault.settle().unwrap();
    assert!(!vault.next.exists());
    assert_eq!(std::fs::read_to_string(&vault.key).unwrap(), next.line().as_str());
    assert_eq!(opened(&vault).unwrap(), OLD);
}

#[test]
fn a_sealed_token_that_does_not_open_is_a_fault_that_names_the_file_and_the_way_out() {
    let (_home, vault) = sealed(OLD);
    let refused = |vault: &Vault, why: &str| {
        let fault = vault.open().unwrap_err();
        assert!(fault.message.contains(&vault.token.display().to_string()), "{fault}");
        assert!(fault.message.contains(why), "{why}: {fault}");
        assert!(fault.hints[0].contains("wayhavend token set"), "{fault}");
        assert!(!fault.to_string().contains("s3cr3t"));
    };
    let whole = std::fs::read_to_string(&vault.token).unwrap();
    let last = if whole.trim_end().ends_with('0') { '1' } else { '0' };
    std::fs::write(&vault.token, format!("{}{last}\n", &whole[..whole.len() - 2])).unwrap();
    refused(&vault, "damaged");
    std::fs::write(&vault.token, &whole[..whole.len() / 2]).unwrap();
    refused(&vault, "does not open");
    std::fs::write(&vault.token, "").unwrap();
    refused(&vault, "not what wayhavend writes there");
    std::fs::write(&vault.token, &whole).unwrap();
    std::fs::write(&vault.key, Key::draw().unwrap().line().as_str()).unwrap();
    refused(&vault, "holds the key");
    std::fs::remove_file(&vault.key).unwrap();
    refused(&vault, "seal.key is not there");
    std::fs::write(&vault.key, "rubbish").unwrap();
    refused(&vault, "cannot be used");
    assert!(vault.rotate().is_err());
    // The way out.
    assert!(vault.set(&SecretString::from(NEW)).unwrap().new_key);
    assert_eq!(opened(&vault).unwrap(), NEW);
}

#[test]
fn two_writers_do_not_meet_and_the_start_leaves_it_to_the_one_that_is_at_it() {
    let (_home, vault) = sealed(OLD);
    std::fs::write(&vault.next, Key::draw().unwrap().line().as_str()).unwrap();
    let lock = vault.lock().unwrap();
    assert_eq!(vault.rotate().unwrap_err().kind, FaultKind::Conflict);
    assert_eq!(vault.set(&SecretString::from(NEW)).unwrap_err().kind, FaultKind::Conflict);
    vault.settle().unwrap();
    assert!(vault.next.exists());
    drop(lock);
    vault.settle().unwrap();
    assert!(!vault.next.exists());
    assert_eq!(opened(&vault).unwrap(), OLD);
}
