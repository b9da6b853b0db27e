mod machine;

use super::*;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use wayhaven_shared::paths::Layout;

/// 123456789012345678 in front; the rest is made up.
const TOKEN: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GGGGGG.s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3c";

fn sources(file: &str, dotenv: &str, environment: &[(&str, &str)]) -> Sources {
    let environment: BTreeMap<_, _> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources {
        file: Some(("/etc/wayhaven.toml".into(), file.to_owned())),
        dotenv: Some(("/etc/.env".into(), dotenv.to_owned())),
        environment,
        ..Sources::default()
    }
}

fn load(file: &str, dotenv: &str, environment: &[(&str, &str)]) -> Result<Settings, Fault> {
    Settings::load(&sources(file, dotenv, environment))
}

fn refusal(file: &str, dotenv: &str, environment: &[(&str, &str)]) -> String {
    let fault = load(file, dotenv, environment).unwrap_err();
    assert!(!fault.message.contains('\n') && fault.hints.is_empty(), "one line: {fault}");
    assert!(!format!("{fault:?}").contains("s3cr3t"), "{fault}");
    fault.message
}

fn origin_of(settings: &Settings, name: &str) -> (String, String) {
    let setting = settings.origins().iter().find(|one| one.key.name == name).unwrap();
    let origins: Vec<_> = setting.origins.iter().map(ToString::to_string).collect();
    (setting.value.clone(), origins.join("; "))
}

fn ids(guilds: &[GuildId]) -> Vec<u64> {
    guilds.iter().map(|guild| guild.get()).collect()
}

#[test]
fn without_anything_the_defaults_hold() {
    let settings = Settings::load(&Sources::default()).unwrap();
    assert!(settings.discord.token.is_none() && settings.discord.token_file.is_none());
    assert_eq!(settings.discord.api_base, "https://discord.com");
    assert_eq!(settings.discord.requests_per_second, 49);
    assert_eq!((settings.discord.operations_guild, settings.discord.application_id), (None, None));
    assert!(settings.network.mains.is_empty() && settings.owner_ids.is_empty());
    assert_eq!(settings.log.level, LogLevel::Info);
    assert!(settings.warnings.is_empty());
    assert!(settings.origins().iter().all(|one| one.origins == [Origin::Default]));
    assert_eq!(settings.origins().len(), KEYS.len());
}

#[test]
fn the_environment_beats_dotenv_beats_the_file() {
    let file = "[discord]\nrequests_per_second = 1\n";
    let rate = |dotenv: &str, environment: &[(&str, &str)]| {
        let settings = load(file, dotenv, environment).unwrap();
        let (value, origin) = origin_of(&settings, "discord.requests_per_second");
        assert_eq!(value, settings.discord.requests_per_second.to_string());
        (settings.discord.requests_per_second, origin)
    };
    assert_eq!(rate("", &[]), (1, "in /etc/wayhaven.toml line 2".into()));
    let dotenv = "DISCORD_REQUESTS_PER_SECOND=2";
    assert_eq!(rate(dotenv, &[]), (2, "in /etc/.env (DISCORD_REQUESTS_PER_SECOND)".into()));
    let seed = ("DISCORD_REQUESTS_PER_SECOND", "3");
    assert_eq!(rate(dotenv, &[seed]), (3, "in the environment (DISCORD_REQUESTS_PER_SECOND)".into()));
    let ours = ("WAYHAVEN_DISCORD_REQUESTS_PER_SECOND", "4");
    assert_eq!(rate(dotenv, &[seed, ours]).0, 4);
    // An empty variable is one that nobody filled in.
    assert_eq!(rate(dotenv, &[("DISCORD_REQUESTS_PER_SECOND", " ")]).0, 2);
}

#[test]
fn every_key_can_be_set_by_its_variable() {
    for key in KEYS {
        let value = match key.name {
            "discord.token" => TOKEN,
            "discord.token_file" => "/run/token",
            "discord.api_base" => "https://example.org",
            "log.level" => "trace",
            "moderation.direct_messages" => "false",
            "network.reconcile_every" | "network.undo_limit" | "moderation.keep_names" => "2d",
            "network.budget" => "strict",
            "control.operators" | "control.observers" => "user:77",
            "network.moderator_budget" | "network.network_budget" => "7/2m",
            _ => "77",
        };
        let settings = load("", "", &[(key.variable().as_str(), value)]).unwrap();
        let (shown, origin) = origin_of(&settings, key.name);
        assert_eq!(shown, if key.secret { "set" } else { value });
        assert_eq!(origin, format!("in the environment ({})", key.variable()));
    }
}

#[test]
fn a_preset_sets_both_budgets_and_one_that_is_set_by_itself_is_stronger() {
    let budgets = |file: &str| {
        let settings = load(file, "", &[]).unwrap();
        let of = settings.network.budgets;
        let shown =
            ["network.moderator_budget", "network.network_budget"].map(|key| origin_of(&settings, key).0);
        assert_eq!([of.moderator.to_string(), of.network.to_string()], shown, "what is shown is what holds");
        shown
    };
    assert_eq!(budgets(""), ["30/1m", "100/5m"]);
    assert_eq!(budgets("[network]\nbudget = \"strict\""), ["5/1m", "20/5m"]);
    assert_eq!(budgets("[network]\nbudget = \"strict\"\nnetwork_budget = \"50/10m\""), ["5/1m", "50/10m"]);
    for wrong in ["budget = \"loose\"", "moderator_budget = \"30\"", "network_budget = \"0/1m\""] {
        let fault = load(&format!("[network]\n{wrong}"), "", &[]).unwrap_err();
        assert!(fault.message.contains("it must be"), "{fault}");
    }
}

#[test]
fn the_seeds_names_still_work() {
    let dotenv = format!(
        "# the seed's\nBOT_TOKEN={TOKEN}\nAPPLICATION_ID=5\nMAIN_GUILD_ID=100\nTEST_GUILD_ID=101\n\
         BOT_OWNER_ID=\"9, 10\"\nDEBUG=true\nDISCORD_API_BASE=http://127.0.0.1:7001/\n"
    );
    let settings = load("owner_ids = [\"9\", 8]\n[network]\nmains = [99, \"100\"]", &dotenv, &[]).unwrap();
    assert_eq!(settings.discord.token.as_ref().unwrap().expose_secret(), TOKEN);
    assert_eq!(settings.discord.application_id, Some(5));
    assert_eq!(ids(&settings.network.mains), [99, 100]);
    assert_eq!(settings.discord.operations_guild.unwrap().get(), 100);
    assert_eq!(settings.discord.test_guild.unwrap().get(), 101);
    assert_eq!(settings.owner_ids.iter().map(|id| id.get()).collect::<Vec<_>>(), [9, 8, 10]);
    assert_eq!(settings.log.level, LogLevel::Debug);
    assert_eq!(settings.discord.api_base, "http://127.0.0.1:7001");
    assert_eq!(
        origin_of(&settings, "network.mains"),
        ("99, 100".into(), "in /etc/wayhaven.toml line 3; in /etc/.env (MAIN_GUILD_ID)".into())
    );
    assert_eq!(origin_of(&settings, "log.level").1, "in /etc/.env (DEBUG)");
    let other = load("[discord]\noperations_guild = \"7\"", &dotenv, &[]).unwrap();
    assert_eq!(other.discord.operations_guild.unwrap().get(), 7);
}

#[test]
fn debug_gives_way_to_a_level_in_the_same_or_a_stronger_place() {
    let level = |file: &str, dotenv: &str, environment: &[(&str, &str)]| {
        load(file, dotenv, environment).unwrap().log.level
    };
    let file = "log.level = \"error\"";
    assert_eq!(level(file, "DEBUG=True", &[]), LogLevel::Debug);
    assert_eq!(level(file, "DEBUG=true\nLOG_LEVEL=WARNING", &[]), LogLevel::Warn);
    assert_eq!(level(file, "DEBUG=true", &[("LOG_LEVEL", "trace")]), LogLevel::Trace);
    assert_eq!(level(file, "LOG_LEVEL=warn", &[("DEBUG", "1")]), LogLevel::Debug);
    assert_eq!(level(file, "DEBUG=false", &[]), LogLevel::Error);
    let settings = load("", "", &[("DEBUG", "app:*")]).unwrap();
    assert_eq!(
        settings.warnings,
        ["DEBUG in the environment is \"app:*\" and is not used: it is true or false"]
    );
}

#[test]
fn names_without_a_meaning_are_answered_with_what_replaces_them() {
    let settings =
        load("", "CLIENT_ID=5\nWAYHAVEN_HOME=/srv", &[("DATABASE_URL", "postgres://u:s3cr3t@h/d")]).unwrap();
    assert_eq!(
        settings.warnings,
        [
            "DATABASE_URL in the environment is not used: the store is one SQLite file in the data directory, \
             which wayhaven paths names",
            "CLIENT_ID in /etc/.env is not used: APPLICATION_ID is the same number, and Discord tells it anyway",
            "WAYHAVEN_HOME in /etc/.env is not used: it is needed before that file is read, so set it in the \
             environment",
        ]
    );
}

#[test]
fn what_is_unknown_is_refused_with_the_nearest_known_name() {
    let cases = [
        ("[discord]\n\ntokn = 1", "discord.tokn in /etc/wayhaven.toml line 3", "discord.token"),
        ("[discord]\napi_bse = 1", "discord.api_bse in /etc/wayhaven.toml line 2", "discord.api_base"),
        ("BOT_TOKEN = \"s3cr3t\"", "BOT_TOKEN in /etc/wayhaven.toml line 1", "discord.token"),
        ("owner_id = 1", "owner_id in /etc/wayhaven.toml line 1", "owner_ids"),
        ("mains = [1]", "mains in /etc/wayhaven.toml line 1", "network.mains"),
        ("[log]\nlvl = 1", "log.lvl in /etc/wayhaven.toml line 2", "log.level"),
    ];
    for (file, what, nearest) in cases {
        assert_eq!(refusal(file, "", &[]), format!("{what} is no setting: did you mean {nearest}?"));
    }
    // Where nothing is like it, a guess is no help.
    assert_eq!(refusal("nope = 1", "", &[]), "nope in /etc/wayhaven.toml line 1 is no setting");
    assert_eq!(
        refusal("", "", &[("WAYHAVEN_DISCORD_API_BSE", "s3cr3t")]),
        "WAYHAVEN_DISCORD_API_BSE in the environment is no setting: did you mean WAYHAVEN_DISCORD_API_BASE?"
    );
    assert_eq!(
        refusal("", "WAYHAVEN_BOT_TOKEN=s3cr3t", &[]),
        "WAYHAVEN_BOT_TOKEN in /etc/.env is no setting: did you mean WAYHAVEN_DISCORD_TOKEN?"
    );
    assert!(load("", "SOMEBODY_ELSES=1", &[("WAYHAVEN_HOME", "/x"), ("WAYHAVEN_HOST", "y")]).is_ok());
}

#[test]
fn a_slip_in_the_dotenv_is_refused_with_the_name_that_was_meant() {
    for (written, meant) in [
        ("BOT_TOKNE", "BOT_TOKEN"),
        ("BOT_TOKENS", "BOT_TOKEN"),
        ("bot_token", "BOT_TOKEN"),
        ("MAIN_GULD_ID", "MAIN_GUILD_ID"),
        ("MAIN_GUILD", "MAIN_GUILD_ID"),
        ("BOT_OWNR_ID", "BOT_OWNER_ID"),
        ("BOT_OWNER", "BOT_OWNER_ID"),
        ("APLICATION_ID", "APPLICATION_ID"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("DEBUGG", "DEBUG"),
        ("DISCORD_API_BSE", "DISCORD_API_BASE"),
        ("DISCORD_TOKEN", "WAYHAVEN_DISCORD_TOKEN"),
        ("DISCORD_REQUESTS_PER_MINUTE", "WAYHAVEN_DISCORD_REQUESTS_PER_SECOND"),
        ("WAYHAVEN_OWNER_ID", "WAYHAVEN_OWNER_IDS"),
        ("WAYHAVEN_GUILD_ID", "MAIN_GUILD_ID"),
        // Without our prefix.
        ("OWNER_IDS", "WAYHAVEN_OWNER_IDS"),
        ("CONTROL_OPERATORS", "WAYHAVEN_CONTROL_OPERATORS"),
        ("NETWORK_MAINS", "WAYHAVEN_NETWORK_MAINS"),
        ("network_main", "WAYHAVEN_NETWORK_MAINS"),
        ("API_BASE", "WAYHAVEN_DISCORD_API_BASE"),
        ("IMPORT_CAP", "WAYHAVEN_NETWORK_IMPORT_CAP"),
        // As other bots call it.
        ("TOKEN", "BOT_TOKEN"),
        ("DISCORD_BOT_TOKEN", "WAYHAVEN_DISCORD_TOKEN"),
        ("OWNER_ID", "BOT_OWNER_ID"),
        ("GUILD_ID", "MAIN_GUILD_ID"),
        ("MAIN_ID", "MAIN_GUILD_ID"),
        ("DISCORD_GUILD_ID", "MAIN_GUILD_ID"),
        ("APP_ID", "APPLICATION_ID"),
        ("DISCORD_CLIENT_ID", "APPLICATION_ID"),
    ] {
        let refused = refusal("", &format!("OK=1\n{written}=s3cr3t"), &[]);
        assert_eq!(refused, format!("{written} in /etc/.env is no setting: did you mean {meant}?"));
        // Nobody filled it in.
        load("", &format!("{written}="), &[]).unwrap();
    }
    // What other programs keep there is none of ours, and neither is what the machine's environment holds.
    let others = "SOMEBODY_ELSES=1\nDATABASE_PASSWORD=1\nLOG_FORMAT=1\nDEBUGGER=1\nGROUP=1\nLEVEL=1";
    load("", others, &[("DISCORD_OPENAPI", "x"), ("MAIN_GULD_ID", "1"), ("OWNER_IDS", "1")]).unwrap();
    // Where nothing is like it, a guess misleads.
    let way_out = "is no setting: remove it, or take a name that the README lists";
    assert_eq!(refusal("", "DISCORD_WEBHOOK=1", &[]), format!("DISCORD_WEBHOOK in /etc/.env {way_out}"));
    let refused = refusal("", "", &[("WAYHAVEN_COLOUR", "1")]);
    assert_eq!(refused, format!("WAYHAVEN_COLOUR in the environment {way_out}"));
}

#[test]
fn the_readme_lists_every_key() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    for key in KEYS {
        assert!(readme.contains(&format!("\n| `{}` |", key.name)), "{} is not in the README", key.name);
    }
}

#[test]
fn settings_that_others_can_write_or_replace_are_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let environment = wayhaven_shared::paths::Environment { home: Some(home.path().into()), runtime: None };
    let layout = Layout::new(&environment).unwrap();
    let set = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let dotenv = home.path().join(".env");
    write_secret(&layout.config, "control.operators = [\"user:77\"]", 0o644);
    write_secret(&dotenv, "MAIN_GUILD_ID=100", 0o644);
    let refused = |loose: &Path| {
        let fault = Sources::of_process(None, &layout).err().unwrap();
        assert_eq!(fault.hints, [format!("chmod go-w {}", loose.display())], "{fault}");
        let fault = Settings::of_process(None, &layout).unwrap_err();
        assert!(fault.message.starts_with(&loose.display().to_string()), "{fault}");
    };
    Sources::of_process(None, &layout).unwrap();
    for path in [&layout.config, &dotenv] {
        set(path, 0o666);
        refused(path);
        // A place that --config names is no better.
        assert!(Sources::of_process(Some(&layout.config), &layout).is_err());
        set(path, 0o644);
    }
    set(home.path(), 0o777);
    refused(home.path());
    std::fs::remove_file(&layout.config).unwrap();
    std::fs::remove_file(&dotenv).unwrap();
    refused(home.path());
    let fault = crate::secrets::modes::check(&layout).unwrap_err();
    assert!(fault.message.contains("so replace"), "its data is no safer: {fault}");
    set(home.path(), 0o700);
    Sources::of_process(None, &layout).unwrap();
    crate::secrets::modes::check(&layout).unwrap();
    // The file that holds the token.
    let named = home.path().join("open").join("token");
    std::fs::create_dir(home.path().join("open")).unwrap();
    write_secret(&named, TOKEN, 0o600);
    write_secret(&layout.config, "[discord]\ntoken_file = \"open/token\"", 0o600);
    set(&home.path().join("open"), 0o777);
    let sources = Sources { environment: BTreeMap::new(), ..Sources::of_process(None, &layout).unwrap() };
    let fault = Settings::complete(&sources, &layout).unwrap_err();
    assert!(fault.message.contains("open has the mode 0777"), "{fault}");
    set(&home.path().join("open"), 0o755);
    Settings::complete(&sources, &layout).unwrap();
}

#[test]
fn each_refusal_names_the_setting_its_place_its_value_and_the_way_out() {
    let env = |name: &str, value: &str| refusal("", "", &[(name, value)]);
    const ID: &str = "it must be an id like 123456789012345678 (on Discord: Settings, Advanced, Developer Mode, \
                      then Copy ID)";
    assert_eq!(
        env("DISCORD_REQUESTS_PER_SECOND", "0"),
        "discord.requests_per_second in the environment (DISCORD_REQUESTS_PER_SECOND) is \"0\": it must be a \
         whole number from 1 to 100000"
    );
    assert_eq!(
        env("LOG_LEVEL", "loud"),
        "log.level in the environment (LOG_LEVEL) is \"loud\": it must be trace, debug, info, warn or error"
    );
    assert_eq!(
        env("MAIN_GUILD_ID", "x"),
        format!("MAIN_GUILD_ID in the environment (MAIN_GUILD_ID) is \"x\": {ID}")
    );
    assert_eq!(
        refusal("", "BOT_OWNER_ID=1,me", &[]),
        format!("BOT_OWNER_ID in /etc/.env (BOT_OWNER_ID) is \"me\": {ID}")
    );
    assert_eq!(
        refusal("[network]\nmains = [1, 0]", "", &[]),
        format!("network.mains in /etc/wayhaven.toml line 2 is \"0\": {ID}")
    );
    assert_eq!(
        refusal("[discord]\napi_base = [\"a\"]", "", &[]),
        "discord.api_base in /etc/wayhaven.toml line 2 is a list: it takes one value"
    );
    assert_eq!(
        refusal("discord = 1", "", &[]),
        "discord in /etc/wayhaven.toml line 1 is a section: write [discord] and its settings below"
    );
    assert_eq!(
        refusal("[discord.token]\nx = 1", "", &[]),
        "discord.token in /etc/wayhaven.toml line 1 is neither a value nor a list of values"
    );
    assert_eq!(
        refusal("", "OK=1\nBOT_TOKEN=\"s3cr3t\" s3cr3t\n", &[]),
        "/etc/.env line 2 is not NAME=value: put quotes around a value with spaces, and # before a comment"
    );
    let broken = refusal("[discord]\ntoken = s3cr3t", "", &[]);
    assert!(broken.starts_with("/etc/wayhaven.toml line 2 is no TOML: "), "{broken}");
    let missing = Sources { config_required: true, ..Sources::default() };
    assert_eq!(
        Settings::load(&missing).unwrap_err().message,
        "the settings file that --config names is not there: name another"
    );
}

#[test]
fn an_address_is_a_host_and_nothing_else_and_unencrypted_only_on_this_machine() {
    let base = |text: &str| load("", "", &[("DISCORD_API_BASE", text)]).map(|s| s.discord.api_base);
    for (text, expected) in [
        ("https://discord.com/", "https://discord.com"),
        ("HTTPS://Example.org:8443", "https://example.org:8443"),
        ("http://localhost:7001", "http://localhost:7001"),
        ("http://[::1]:7001/", "http://[::1]:7001"),
        ("http://127.9.9.9", "http://127.9.9.9"),
    ] {
        assert_eq!(base(text).unwrap(), expected);
    }
    let refused = |text: &str| refusal("", "", &[("DISCORD_API_BASE", text)]);
    let must = "it must be an address like https://discord.com, with nothing after the host";
    let place = "discord.api_base in the environment (DISCORD_API_BASE)";
    for (text, shown) in [
        ("discord.com", "discord.com"),
        ("ftp://discord.com", "ftp://discord.com"),
        ("https://", "https://"),
        ("https:discord.com", "https:discord.com"),
        ("https://discord.com/api/webhooks/1/s3cr3t", "https://discord.com/…"),
        ("https://discord.com?s3cr3t", "https://discord.com/…"),
        ("https://discord.com//", "https://discord.com/…"),
        ("https://me:s3cr3t@discord.com", "https://…"),
        ("https://a b", "https://a b"),
        ("https://discord.com\\x", "https://discord.com\\x"),
    ] {
        assert_eq!(refused(text), format!("{place} is \"{shown}\": {must}"));
    }
    for text in ["http://discord.com", "http://localhost.example.org", "http://10.0.0.1"] {
        assert_eq!(
            refused(text),
            format!(
                "{place} is \"{text}\": the token would travel unencrypted: use https, or an address of this \
                 machine"
            )
        );
    }
}

#[test]
fn fault_33_the_token_is_in_no_fault_and_in_no_debug_output() {
    let settings = load("", "", &[("BOT_TOKEN", TOKEN)]).unwrap();
    assert!(!format!("{settings:?}").contains("s3cr3t"));
    assert_eq!(origin_of(&settings, "discord.token").0, "set");
    assert_eq!(
        refusal("", "", &[("BOT_TOKEN", &format!("'{TOKEN}'"))]),
        "discord.token in the environment (BOT_TOKEN) is wrapped in quotes: leave them out"
    );
    assert_eq!(
        refusal("", "", &[("WAYHAVEN_DISCORD_TOKEN", &format!("Bot {TOKEN}"))]),
        "discord.token in the environment (WAYHAVEN_DISCORD_TOKEN) begins with the word Bot: leave it out, it is \
         added where it belongs"
    );
    assert_eq!(
        refusal("[discord]\ntoken = \"s3cr3t\"", "", &[]),
        "discord.token in /etc/wayhaven.toml line 2 does not look like a bot's token, which is three parts with \
         dots between and 50 to 120 characters: copy it again from the page Bot of your application at \
         https://discord.com/developers/applications"
    );
    // Pasted into the wrong line.
    for name in ["MAIN_GUILD_ID", "APPLICATION_ID", "LOG_LEVEL", "BOT_OWNER_ID", "DISCORD_API_BASE"] {
        let message = refusal("", "", &[(name, TOKEN)]);
        assert!(message.contains("is \"a bot's token\": it must be"), "{message}");
    }
}

#[test]
fn a_token_file_counts_where_no_token_was_set_in_a_stronger_place() {
    let file = "[discord]\ntoken_file = \"secret/token\"";
    let settings = load(file, "", &[]).unwrap();
    assert_eq!(settings.discord.token_file.as_deref(), Some(Path::new("/etc/secret/token")));
    let settings = load(file, "", &[("BOT_TOKEN", TOKEN)]).unwrap();
    assert!(settings.discord.token.is_some() && settings.discord.token_file.is_none());
    let both = format!("{file}\ntoken = \"{TOKEN}\"");
    let settings = load(&both, "", &[("WAYHAVEN_DISCORD_TOKEN_FILE", "/run/token")]).unwrap();
    assert!(settings.discord.token.is_none() && settings.discord.token_file.is_some());
    assert_eq!(
        refusal(&both, "", &[]),
        "discord.token in /etc/wayhaven.toml line 3 and discord.token_file in /etc/wayhaven.toml line 2 are both \
         set: leave one of them out"
    );
}

#[test]
fn files_are_read_from_where_the_layout_or_the_option_says() {
    let directory = tempfile::tempdir().unwrap();
    let environment =
        wayhaven_shared::paths::Environment { home: Some(directory.path().into()), runtime: None };
    let layout = Layout::new(&environment).unwrap();
    assert!(Sources::of_process(None, &layout).unwrap().file.is_none());
    let absent = directory.path().join("other.toml");
    let fault = Sources::of_process(Some(&absent), &layout).err().unwrap();
    assert!(fault.message.contains("other.toml is not there"), "{fault}");

    std::fs::write(&layout.config, "[discord]\ntoken_file = \"token\"").unwrap();
    std::fs::write(directory.path().join(".env"), "MAIN_GUILD_ID=100").unwrap();
    let mut sources = Sources::of_process(None, &layout).unwrap();
    assert!(sources.file.is_some() && sources.dotenv.is_some());
    sources.environment.clear();
    let mut settings = Settings::load(&sources).unwrap();
    assert_eq!(ids(&settings.network.mains), [100]);
    let token = directory.path().join("token");
    let mut find = || settings.find_token(&sources, &layout);
    let fault = find().unwrap_err();
    assert!(fault.message.contains("which is not there: create it"), "{fault}");
    write_secret(&token, "s3cr3t\n", 0o600);
    let fault = find().unwrap_err();
    assert!(fault.message.contains("what it holds does not look like") && !fault.message.contains("s3cr3t"));
    write_secret(&token, &format!("{TOKEN}\n"), 0o640);
    let fault = find().unwrap_err();
    assert!(
        fault.message.contains("0640") && fault.hints == [format!("chmod 600 {}", token.display())],
        "{fault}"
    );
    write_secret(&token, &format!("{TOKEN}\n"), 0o600);
    find().unwrap();
    assert_eq!(settings.discord.token.as_ref().unwrap().expose_secret(), TOKEN);
    assert_eq!(origin_of(&settings, "discord.token").0, "set");
}

fn write_secret(path: &Path, text: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
