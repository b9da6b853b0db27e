//! Values as people and programs write them: what is read is shown as it is read again, and the wire takes what the command
//! line takes.

use super::engine::Target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::any::type_name;
use std::fmt::Display;
use std::str::FromStr;
use wayhaven_shared::value::{
    Account, AlertId, AuditId, ChainMark, ChannelId, Chunk, DeleteDays, DeliveryId, DrillId, Evidence,
    ExceptionId, FileName, GuildId, HoldId, IncidentId, JobId, LinkId, NewFile, PageSize, ProtectionId,
    PunishmentId, RoleId, Span, Timestamp, Until, Untrusted, UploadId, UserId, WarningStep, WarningSteps,
    WindowDays,
};

fn name<T>() -> &'static str {
    type_name::<T>().rsplit(':').next().unwrap_or_default()
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// Reads a text on both ways in. What is read comes through serde as it was.
fn read<T>(text: &str) -> Result<Option<T>, String>
where
    T: FromStr + Serialize + DeserializeOwned + PartialEq,
{
    let said = text.parse::<T>().ok();
    let wire = serde_json::from_value::<T>(Value::from(text)).ok();
    let name = name::<T>();
    ensure(said == wire, || format!("{name}: the command line and the wire read it differently"))?;
    if let Some(value) = &said {
        let sent = serde_json::to_string(value).map_err(|error| format!("{name} has no JSON: {error}"))?;
        let back = serde_json::from_str::<T>(&sent).map_err(|error| format!("{name} {sent}: {error}"))?;
        ensure(back == *value, || format!("{name} is another one behind the wire: {sent}"))?;
    }
    Ok(said)
}

/// The same of what is shown: that is read as what it was, and shown so again.
fn shown<T>(text: &str) -> Result<Option<T>, String>
where
    T: FromStr + Display + Serialize + DeserializeOwned + PartialEq,
{
    let value = read::<T>(text)?;
    if let Some(value) = &value {
        let (name, text) = (name::<T>(), value.to_string());
        let again = text.parse::<T>().map_err(|_| format!("{name}: what is shown is not read: {text:?}"))?;
        ensure(again == *value, || format!("{name}: {text:?} is read as another one"))?;
        ensure(again.to_string() == text, || format!("{name}: {text:?} is shown differently"))?;
    }
    Ok(value)
}

/// A number within bounds: as text, and on the wire as a number.
fn number<T>(text: &str) -> Result<bool, String>
where
    T: FromStr + Display + Serialize + DeserializeOwned + PartialEq,
{
    let name = name::<T>();
    let Some(value) = text.parse::<T>().ok() else {
        let plain = text.parse::<u64>().ok();
        let wire = plain.and_then(|number| serde_json::from_value::<T>(json!(number)).ok());
        return ensure(wire.is_none(), || format!("{name}: only the wire takes {text}")).map(|()| false);
    };
    let sent = serde_json::to_string(&value).map_err(|error| format!("{name} has no JSON: {error}"))?;
    let back = serde_json::from_str::<T>(&sent).map_err(|error| format!("{name} {sent}: {error}"))?;
    ensure(back == value, || format!("{name} is another one behind the wire"))?;
    ensure(value.to_string().parse().is_ok_and(|again: T| again == value), || {
        format!("{name} is shown as another")
    })?;
    Ok(true)
}

/// Which of them took it, as one word.
fn outcome(taken: &[bool]) -> String {
    taken.iter().map(|took| if *took { '1' } else { '0' }).collect()
}

pub(super) struct Spans;

impl Target for Spans {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let plain = [
            "45s",
            "30m",
            "1h",
            "2d",
            "1w",
            "1h30m",
            "3650d",
            "3651d",
            "0s",
            "1w1w",
            "1s1w",
            "007d",
            "30",
            "1 h",
            "2026-12-01",
            "2026-12-01 18:30",
            "2026-12-01T18:30",
            "2026-12-01T18:30:07",
            "2026-12-01T18:30:00+02:00",
            "2026-02-29",
            "2028-02-29T23:59:60Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999999Z",
            "9999-12-31T23:59:59-23:59",
            "0000-01-01T00:00:00+23:59",
            "1969-12-31T23:59:59.9999Z",
            "off",
            "3:timeout:1h,5:kick,7:ban:7d",
            "7:ban, 3 : timeout : 90m",
            "100:mute",
            "1:ban:3650d,2:mute:1s",
        ];
        plain.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "w", "d", "h", "m", "s", "1w", "10d", "T", "Z", "-", ":", ",", "+00:00", "-23:59", ".999", ":60",
            "ban", "kick", "mute", "timeout", "warn", "unban", "off", "2026-", "-12-31",
        ]
    }

    fn longest(&self) -> usize {
        400
    }

    fn stand(&mut self, input: &[u8]) -> Result<String, String> {
        let text = &String::from_utf8_lossy(input);
        let span = shown::<Span>(text)?;
        let until = shown::<Until>(text)?;
        let step = shown::<WarningStep>(text)?;
        let steps = shown::<WarningSteps>(text)?;
        if let Some(span) = span {
            ensure((1..=Span::LONGEST).contains(&span.seconds()), || "a span beyond its bounds".into())?;
        }
        for millis in [i64::MIN, -1, 0, 1_767_323_045_678, i64::MAX] {
            let now = Timestamp::from_millis(millis);
            let end = until.map(|until| until.from(now));
            // Whatever is asked for can be shown, and is a time that can be stored.
            let back = end.map(|end| end.to_string().parse::<Timestamp>() == Ok(end));
            ensure(back != Some(false), || format!("an end that is not read again: {end:?}"))?;
            if let Some(span) = span {
                ensure(now + span >= now && now - span <= now, || "a span that goes back".into())?;
            }
        }
        if let Some(steps) = &steps {
            let shown = steps.to_string();
            ensure(shown.len() <= usize::from(WarningSteps::LONGEST), || format!("too long: {shown}"))?;
            let at: Vec<u64> =
                (0..=u64::from(WarningStep::HIGHEST) + 1).filter(|at| steps.at(*at).is_some()).collect();
            ensure(at.len() <= WarningSteps::MOST && steps.is_off() == at.is_empty(), || {
                format!("steps {at:?}")
            })?;
        }
        let letters = |text: String| text.chars().filter(char::is_ascii_alphabetic).collect::<String>();
        let shape = |value: Option<String>| value.map_or_else(|| "none".to_owned(), letters);
        // Which units, which kinds of end, which steps in which order: that is what there is to differ.
        Ok([
            shape(span.map(|span| span.to_string())),
            shape(until.map(|until| until.to_string())),
            shape(step.map(|step| step.to_string())),
            shape(steps.map(|steps| steps.to_string())),
        ]
        .join(" "))
    }
}

pub(super) struct Ids;

impl Target for Ids {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let mark = format!("1234:{}", "0a".repeat(32));
        let upload = "ab".repeat(16);
        // What is taken out of every text before it is kept.
        let hook = format!("see https://discord.com/api/webhooks/1/{} there", "s3cr3t-".repeat(8));
        let token = format!("MTIzNDU2Nzg5MDEyMzQ1Njc4.GaBcDe.{}", "s3cr3t-".repeat(6));
        let plain = [
            "42",
            "123456789012345678",
            " 123456789012345678 ",
            "<@123456789012345678>",
            "<@!1>",
            "<@&7>",
            "<#7>",
            "<guild:7>",
            "<@",
            "<@>",
            "9223372036854775807",
            "9223372036854775808",
            "0",
            "-1",
            "+1",
            "007",
            "7",
            "500",
            "2557",
            "4294967295",
            "2026-01-02T03:04:05.678Z",
            "https://example.org/x?y#z",
            "http://a@b",
            "-",
            "a b.json",
            "it's -- \"bad\"",
            &mark,
            &upload,
            &hook,
            &token,
        ];
        plain.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "<@",
            "<@!",
            "<@&",
            "<#",
            "<guild:",
            ">",
            ":",
            "0a0a0a0a0a0a0a0a",
            "https://",
            "http://",
            "/",
            "@",
            "+",
            "-",
            "0x",
            "\u{a0}",
            "\u{3000}",
            "2026-01-02T",
            "03:04:05",
            "Z",
            ".5",
            "e5",
            "https://discord.com/api/webhooks/1/",
            "MTIzNDU2Nzg5MDEyMzQ1Njc4.GaBcDe.",
            "s3cr3t-s3cr3t-s3cr3t-s3cr3t-",
            "[redacted]",
        ]
    }

    fn longest(&self) -> usize {
        // Beyond the longest text and the longest path.
        5_000
    }

    fn stand(&mut self, input: &[u8]) -> Result<String, String> {
        let text = &String::from_utf8_lossy(input);
        let mut taken = Vec::new();
        macro_rules! ids {
            ($($id:ident)*) => {$({
                let id = shown::<$id>(text)?;
                if let Some(id) = id {
                    let same = $id::new(id.get()) == Some(id) && id.to_string() == id.get().to_string();
                    ensure(same, || format!("{id:?} is no number that it could be made from"))?;
                }
                taken.push(id.is_some());
            })*};
        }
        ids!(UserId GuildId RoleId ChannelId PunishmentId DeliveryId LinkId ProtectionId JobId ExceptionId AuditId AlertId
             IncidentId DrillId HoldId);
        // What comes over the wire as a number has lost digits already.
        let number_read =
            text.parse::<u64>().is_ok_and(|id| serde_json::from_value::<UserId>(json!(id)).is_ok());
        ensure(!number_read, || "an id is read from a JSON number".into())?;
        let mark = shown::<ChainMark>(text)?;
        if let Some(mark) = mark {
            let short = mark.to_string().len() <= usize::from(ChainMark::LONGEST);
            ensure(short && ChainMark::new(mark.rows(), mark.hash()) == Some(mark), || {
                "a mark too long".into()
            })?;
        }
        let time = shown::<Timestamp>(text)?;
        if let Some(time) = time {
            // What is made of a time for a window of ids.
            let first = Timestamp::of_snowflake(time.first_snowflake());
            ensure(!time.short().is_empty() && first.clock().len() == 8, || format!("{time} has no clock"))?;
        }
        taken.extend([mark.is_some(), time.is_some()]);
        taken.push(shown::<UploadId>(text)?.is_some());
        taken.push(shown::<Account>(text)?.is_some());
        taken.push(shown::<FileName>(text)?.map(|name| name.shown().len()).is_some());
        taken.push(shown::<NewFile>(text)?.is_some());
        taken.push(shown::<Evidence>(text)?.is_some());
        taken.extend([number::<DeleteDays>(text)?, number::<PageSize>(text)?, number::<WindowDays>(text)?]);
        taken.push(untrusted(text)?);
        let chunk = Chunk::try_from(text.to_string());
        if let Ok(chunk) = &chunk {
            let back = Chunk::try_from(String::from(chunk.clone()));
            ensure(back.as_ref() == Ok(chunk), || "a chunk is another one behind the wire".into())?;
        }
        taken.push(chunk.is_ok());
        Ok(outcome(&taken))
    }
}

/// What somebody else wrote: however it leaves, it is clean and no longer than was asked for.
fn untrusted(text: &str) -> Result<bool, String> {
    let taken = read::<Untrusted>(text)?;
    let kept = Untrusted::clipped(text);
    ensure(taken.as_ref().is_none_or(|taken| *taken == kept), || {
        "a text is clipped that was taken whole".into()
    })?;
    let unclean = |text: &str| {
        text.chars().any(|letter| letter.is_control() || ('\u{202a}'..='\u{202e}').contains(&letter))
    };
    for (way, most, text) in [
        ("a line", usize::MAX, kept.line()),
        ("Markdown", 200, kept.markdown(200)),
        ("a reason", 512, kept.audit_reason()),
    ] {
        ensure(!unclean(&text), || format!("{way} is not clean: {text:?}"))?;
        ensure(text.chars().count() <= most, || format!("{way} of {} characters", text.chars().count()))?;
    }
    ensure(!unclean(&kept.line_within(40)), || "a cut line is not clean".into())?;
    Ok(taken.is_some())
}
