use super::*;
use proptest::prelude::*;
use wayhaven_shared::report::Table;

fn theirs(text: &str) -> Text {
    Text::Theirs(Untrusted::clipped(text))
}

/// Everything an embed shows, and the limits it has to keep.
fn assert_within_limits(message: &Value) {
    assert_eq!(message["allowed_mentions"], json!({"parse": []}));
    assert_eq!(message["embeds"].as_array().unwrap().len(), 1);
    assert!(message.get("content").is_none());
    let embed = &message["embeds"][0];
    let mut sum = 0;
    let mut check = |text: &Value, limit: usize| {
        let text = text.as_str().unwrap();
        let units = text.encode_utf16().count();
        assert!((1..=limit).contains(&units), "{units} of {limit}: {text:?}");
        assert_eq!(text.trim(), text, "Discord would trim it");
        assert_pings_nobody(text);
        sum += units;
    };
    check(&embed["title"], 256);
    if let Some(description) = embed.get("description") {
        check(description, 4_096);
        assert_fenced(description.as_str().unwrap());
    }
    if let Some(footer) = embed.get("footer") {
        check(&footer["text"], 2_048);
    }
    let fields = embed.get("fields").map_or(&[][..], |fields| fields.as_array().unwrap());
    assert!(fields.len() <= 25);
    for field in fields {
        check(&field["name"], 256);
        check(&field["value"], 1_024);
        assert_fenced(field["value"].as_str().unwrap());
    }
    assert!(sum <= 6_000, "{sum} in sum");
    assert!((0..=0xff_ff_ff).contains(&embed["color"].as_u64().unwrap()));
}

fn assert_pings_nobody(text: &str) {
    for (at, _) in text.match_indices('@') {
        let after = text[at + 1..].chars().next();
        assert!(matches!(after, None | Some('\u{200b}' | '…' | '\n')), "{text:?}");
    }
    assert!(!text.contains("@everyone") && !text.contains("@here"), "{text:?}");
}

/// Every backtick is escaped or part of a fence, and fences come in pairs.
fn assert_fenced(text: &str) {
    let fences = text.matches("```").count();
    assert_eq!(text.matches('`').count(), text.matches("\\`").count() + 3 * fences, "{text:?}");
    assert_eq!(fences % 2, 0, "{text:?}");
}

#[test]
fn a_report_is_one_embed_in_its_parts() {
    let mut table = Table::new(["guild", "state"], "none");
    table.push(["1".into(), Cell::toned("applied", Tone::Good)]);
    table.push(["12345".into(), Cell::toned(theirs("`` ``` @everyone"), Tone::Bad)]);
    table.title = Some("main 5".into());
    let mut report = Report::new("banned 55", Tone::Warning)
        .field("Reason", Cell::from(&Untrusted::clipped("**spam** <@1>")))
        .field("Empty", "  ")
        .hint("punishment show 1 tells which guilds and why")
        .table(table);
    report.progress = Some(Progress { done: 38, total: 41 });
    let message = message(&report);
    assert_within_limits(&message);
    assert_eq!(
        message["embeds"][0],
        json!({
            "title": "⚠ banned 55",
            "color": 0xf1_c4_0f,
            "description": "▰▰▰▰▰▰▰▰▰▰▰▰▰▰▰▰▰▰▱▱ 38/41 (92 %)\n**main 5**\n```\nguild  state\n1      applied\n12345  ˋˋ ˋˋˋ @\u{200b}everyone\n```",
            "fields": [
                {"name": "Reason", "value": "\\*\\*spam\\*\\* \\<\\@\u{200b}1\\>", "inline": true},
                {"name": "Empty", "value": "—", "inline": true},
            ],
            "footer": {"text": "punishment show 1 tells which guilds and why"},
        })
    );
}

#[test]
fn a_long_table_says_how_many_rows_are_left_out() {
    let mut table = Table::new(["guild", "name"], "none");
    for number in 0..1_000 {
        table.push([number.to_string().into(), Cell::from(theirs("somewhere"))]);
    }
    let message = message(&Report::new("deliveries", Tone::Plain).table(table));
    assert_within_limits(&message);
    let description = message["embeds"][0]["description"].as_str().unwrap();
    let shown = description.lines().count() - 4;
    assert!(shown > 150, "{shown}");
    assert!(description.ends_with(&format!("… and {} more rows\n```", 1_000 - shown)), "{description}");
}

#[test]
fn what_does_not_fit_is_counted() {
    let report = (0..40).fold(Report::new("many", Tone::Plain), |r, n| r.field(&format!("f{n}"), "v"));
    let fields = message(&report)["embeds"][0]["fields"].clone();
    assert_eq!(fields.as_array().unwrap().len(), 25);
    assert_eq!(fields[24], json!({"name": "—", "value": "… and 16 more", "inline": true}));

    let long = "x".repeat(3_000);
    let report =
        (0..25).fold(Report::new("long", Tone::Plain), |r, n| r.field(&format!("f{n}"), long.as_str()));
    assert_within_limits(&message(&report));

    let mut table = Table::new(["a"], "");
    (0..200).for_each(|_| table.push(["x".repeat(40).into()]));
    let report = (0..5).fold(Report::new("tables", Tone::Plain), |r, _| r.table(table.clone()));
    let message = message(&report);
    assert_within_limits(&message);
    assert!(message["embeds"][0]["description"].as_str().unwrap().ends_with("… and 4 more tables"));
}

#[test]
fn an_empty_table_says_so_and_a_bar_is_full_only_at_the_end() {
    let report = Report::new("x", Tone::Plain).table(Table::new(["a"], "nothing is on its way"));
    assert_eq!(message(&report)["embeds"][0]["description"], "nothing is on its way");
    for (done, total, text) in [(0, 0, "0/0 (100 %)"), (999, 1_000, "999/1000 (99 %)"), (9, 3, "3/3 (100 %)")]
    {
        assert!(bar(Progress { done, total }).ends_with(text), "{}", bar(Progress { done, total }));
    }
    assert!(bar(Progress { done: 999, total: 1_000 }).contains('▱'));
    assert!(bar(Progress { done: u64::MAX, total: u64::MAX }).contains("(100 %)"));
}

#[test]
fn a_fault_shows_its_ways_out_and_keeps_links_whole() {
    let link = "https://discord.com/oauth2/authorize?client_id=1&scope=bot_x";
    let fault =
        Fault::denied("that needs *more* @everyone").hint(format!("invite it: {link}")).hint("or_not");
    let message = fault_message(&fault);
    assert_within_limits(&message);
    let embed = &message["embeds"][0];
    assert_eq!(embed["title"], "✗ You may not do that");
    assert_eq!(embed["description"], "that needs \\*more\\* \\@\u{200b}everyone");
    assert_eq!(embed["fields"][0]["value"], format!("invite it: {link}\nor\\_not"));
    assert_within_limits(&fault_message(&Fault::usage("")));
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "@everyone",
            "<@1>",
            "<@&2>",
            "```",
            "`",
            "\u{200b}",
            "  ",
            "\\",
            "🦀",
            "@"
        ])
        .prop_flat_map(|piece| (0_usize..1_500).prop_map(move |count| piece.repeat(count))),
        "(@here|<@!5>|`{1,4}|https://[a-z@`<]{1,9}| |\\\\|x|é){0,60}",
    ]
}

fn text() -> impl Strategy<Value = Text> {
    (hostile(), any::<bool>()).prop_map(|(text, ours)| if ours { text.into() } else { theirs(&text) })
}

fn tone() -> impl Strategy<Value = Tone> {
    prop::sample::select(vec![Tone::Plain, Tone::Good, Tone::Waiting, Tone::Warning, Tone::Bad, Tone::Quiet])
}

prop_compose! {
    fn table()(
        title in prop::option::of(hostile()),
        columns in prop::collection::vec(hostile(), 0..4),
        rows in prop::collection::vec(prop::collection::vec(text().prop_map(Cell::from), 0..4), 0..16),
        empty in hostile(),
    ) -> Table {
        Table { title: title.map(Text::from), columns, rows, empty }
    }
}

prop_compose! {
    fn report()(
        title in hostile(),
        tone in tone(),
        fields in prop::collection::vec((hostile(), text().prop_map(Cell::from)), 0..40),
        tables in prop::collection::vec(table(), 0..4),
        progress in prop::option::of((any::<u64>(), any::<u64>())),
        hints in prop::collection::vec(hostile(), 0..5),
    ) -> Report {
        let progress = progress.map(|(done, total)| Progress { done, total });
        Report { title: title.into(), tone, fields, tables, progress, hints }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn fault_32_any_report_is_within_the_limits_and_pings_nobody(report in report()) {
        assert_within_limits(&message(&report));
    }

    #[test]
    fn fault_32_any_fault_is_within_the_limits_and_pings_nobody(
        message in hostile(),
        hints in prop::collection::vec(hostile(), 0..8),
    ) {
        assert_within_limits(&fault_message(&Fault { hints, ..Fault::usage(message) }));
    }
}
