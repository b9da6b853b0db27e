//! Which place the token comes from, and who may read it there.

use super::*;
use secrecy::ExposeSecret;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;
use wayhaven_shared::paths::Environment;

/// 123456789012345678 in front; the rest is made up.
const TOKEN: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GGGGGG.s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3c";

fn write_secret(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn place() -> (TempDir, Layout) {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::new(&Environment { home: Some(directory.path().into()), runtime: None }).unwrap();
    (directory, layout)
}

/// The same application's token, told apart by its middle.
fn token_of(place: char) -> String {
    TOKEN.replace("GGGGGG", &place.to_string().repeat(6))
}

#[test]
fn the_token_comes_from_the_strongest_place_and_each_place_is_named() {
    let (directory, layout) = place();
    let mut sources = Sources::default();
    let place_of = |sources: &Sources| {
        let mut settings = Settings::load(sources).unwrap();
        settings.find_token(sources, &layout).unwrap();
        let token = settings.discord.token.as_ref().map(|token| token.expose_secret().to_owned());
        (token, settings.token_place())
    };
    // Each that is added is stronger than all before.
    assert_eq!(place_of(&sources), (None, None));
    Vault::of(&layout).set(&SecretString::from(token_of('a'))).unwrap();
    let sealed = format!("sealed in {}", layout.sealed_token().display());
    assert_eq!(place_of(&sources), (Some(token_of('a')), Some(sealed)));
    let credential = directory.path().join("discord-token");
    write_secret(&credential, &format!("{}\n", token_of('b')), 0o440);
    sources.credentials = Some(directory.path().into());
    let named = format!("in the credential {}", credential.display());
    assert_eq!(place_of(&sources), (Some(token_of('b')), Some(named)));
    let file = directory.path().join("token");
    write_secret(&file, &token_of('c'), 0o400);
    sources.file =
        Some(("/etc/wayhaven.toml".into(), format!("discord.token_file = \"{}\"", file.display())));
    assert_eq!(place_of(&sources).0, Some(token_of('c')));
    sources.file = Some(("/etc/wayhaven.toml".into(), format!("discord.token = \"{}\"", token_of('d'))));
    assert_eq!(place_of(&sources).1.unwrap(), "in /etc/wayhaven.toml line 1");
    sources.dotenv = Some(("/etc/.env".into(), format!("BOT_TOKEN={}", token_of('e'))));
    assert_eq!(place_of(&sources).0, Some(token_of('e')));
    for (name, token) in [("BOT_TOKEN", 'f'), ("WAYHAVEN_DISCORD_TOKEN", 'g')] {
        sources.environment.insert(name.to_owned(), token_of(token));
        assert_eq!(place_of(&sources), (Some(token_of(token)), Some(format!("in the environment ({name})"))));
    }
}

#[test]
fn a_place_that_is_there_and_of_no_use_is_refused_and_no_weaker_one_taken() {
    let (directory, layout) = place();
    let vault = Vault::of(&layout);
    vault.set(&SecretString::from(TOKEN)).unwrap();
    let refused = |sources: &Sources| {
        let fault = Settings::load(sources).unwrap().find_token(sources, &layout).unwrap_err();
        assert!(!fault.to_string().contains("s3cr3t"), "{fault}");
        fault
    };
    let sources = Sources { credentials: Some(directory.path().into()), ..Sources::default() };
    write_secret(&directory.path().join("discord-token"), "s3cr3t", 0o600);
    assert!(refused(&sources).message.contains("what the credential"));
    let sealed = std::fs::read_to_string(layout.sealed_token()).unwrap();
    std::fs::write(layout.sealed_token(), &sealed[..sealed.len() - 9]).unwrap();
    let fault = refused(&Sources::default());
    assert!(fault.message.contains(&layout.sealed_token().display().to_string()), "{fault}");
    assert!(fault.hints[0].contains("wayhavend token set"), "{fault}");
    vault.set(&SecretString::from("s3cr3t")).unwrap();
    assert!(refused(&Sources::default()).message.contains("does not look like a bot's token"));
}

#[test]
fn a_settings_file_or_dotenv_with_a_token_in_it_is_ours_alone_and_others_need_not_be() {
    let (directory, _) = place();
    let (file, dotenv) = (directory.path().join("wayhaven.toml"), directory.path().join(".env"));
    let check = |text: &str, variables: &str, environment: &[(&str, &str)]| {
        write_secret(&file, text, 0o644);
        write_secret(&dotenv, variables, 0o644);
        let sources = Sources {
            file: Some((file.clone(), text.to_owned())),
            dotenv: Some((dotenv.clone(), variables.to_owned())),
            environment: environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            ..Sources::default()
        };
        Settings::load(&sources).unwrap().check_files()
    };
    let with_token = format!("discord.token = \"{TOKEN}\"");
    check("log.level = \"info\"", "LOG_LEVEL=info", &[("BOT_TOKEN", TOKEN)]).unwrap();
    check("discord.token_file = \"x\"", "", &[]).unwrap();
    for environment in [&[][..], &[("BOT_TOKEN", TOKEN)]] {
        let fault = check(&with_token, "", environment).unwrap_err();
        assert_eq!(fault.hints, [format!("chmod 600 {}", file.display())], "{fault}");
        let fault = check("", &format!("BOT_TOKEN={TOKEN}"), environment).unwrap_err();
        assert_eq!(fault.hints, [format!("chmod 600 {}", dotenv.display())], "{fault}");
    }
}

#[test]
fn files_are_read_as_editors_store_them_and_utf_16_is_refused_by_its_name() {
    let (directory, layout) = place();
    let utf_16 = |text: &str| -> Vec<u8> {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let token_file = directory.path().join("token");
    let dotenv = layout.config.with_file_name(".env");
    let config = format!("discord.token_file = \"{}\"\r\nlog.level = \"debug\"\r\n", token_file.display());
    let files = [
        (&layout.config, config),
        (&dotenv, "DISCORD_REQUESTS_PER_SECOND=7\r\nMAIN_GUILD_ID=\"5\"\r\n".to_owned()),
        (&token_file, format!("{TOKEN}\r\n")),
    ];
    let write_all = || {
        for (path, text) in &files {
            write_secret(path, &format!("\u{feff}{text}"), 0o600);
        }
    };
    write_all();
    let settings = Settings::of_process(None, &layout).unwrap();
    assert_eq!(settings.discord.requests_per_second, 7, "the first line of .env counts");
    assert_eq!(settings.network.main_guild.map(|guild| guild.get()), Some(5));
    assert_eq!(settings.log.level, crate::settings::LogLevel::Debug);
    assert_eq!(settings.discord.token.as_ref().map(ExposeSecret::expose_secret), Some(TOKEN));
    for (path, text) in &files {
        for (bytes, why) in [
            (utf_16(text), "UTF-16"),
            (text.encode_utf16().flat_map(u16::to_be_bytes).collect(), "UTF-16"),
            ([text.as_bytes(), b"# caf\xe9"].concat(), "not stored as UTF-8"),
        ] {
            std::fs::write(path, bytes).unwrap();
            let fault = Settings::of_process(None, &layout).unwrap_err();
            assert!(
                fault.message.starts_with(&path.display().to_string()) && fault.message.contains(why),
                "{fault}"
            );
            assert!(
                fault.message.ends_with("store it as UTF-8") && !fault.message.contains("s3cr3t"),
                "{fault}"
            );
            write_all();
        }
    }
}
