//! Who of this machine may do what.

use super::*;

#[test]
fn users_and_groups_are_told_by_name_or_number_and_unknown_ones_are_refused() {
    let file =
        "[control]\noperators = [\"user:root\", \"group:1234\"]\nobservers = \"user:4321\"\ngroup = \"root\"";
    let settings = load(file, "", &[]).unwrap();
    assert_eq!(settings.control.operators, [Principal::User(0), Principal::Group(1234)]);
    assert_eq!(settings.control.observers, [Principal::User(4321)]);
    assert_eq!(
        settings.control.group.as_ref().map(|group| (group.id, group.name.as_str())),
        Some((0, "root"))
    );
    let (shown, origin) = origin_of(&settings, "control.operators");
    assert_eq!((shown.as_str(), origin.as_str()), ("user:root, group:1234", "in /etc/wayhaven.toml line 2"));

    let listed = [("WAYHAVEN_CONTROL_OPERATORS", "user:7, group:root,")];
    let settings = load(file, "", &listed).unwrap();
    assert_eq!(settings.control.operators, [Principal::User(7), Principal::Group(0)], "the stronger place");

    for (wrong, value, why) in [
        ("operators = [\"user:no-such-user\"]", "user:no-such-user", "no such user"),
        ("observers = [\"user:1\", \"group:no-such-group\"]", "group:no-such-group", "no such group"),
        ("group = \"no-such-group\"", "no-such-group", "no such group"),
        ("operators = [\"root\"]", "root", "user:NAME"),
        ("operators = [\"user:\"]", "user:", "no such user"),
        // Minus one is how the system says that there is none.
        ("operators = [\"user:4294967295\"]", "user:4294967295", "no such user"),
    ] {
        let fault = refusal(&format!("[control]\n{wrong}"), "", &[]);
        let key = format!("control.{}", wrong.split(' ').next().unwrap());
        assert!(fault.contains(&format!("\"{value}\"")) && fault.contains(why), "{fault}");
        assert!(fault.starts_with(&key) && fault.contains("line 2"), "{fault}");
    }
}
