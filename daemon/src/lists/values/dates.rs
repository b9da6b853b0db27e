//! Points in time and lengths, in the forms that other programs write.
//!
//! A zone is read only where it is UTC or an offset: letters of any other zone are not understood.

use super::{DAY, SECOND};
use wayhaven_shared::value::Timestamp;

/// A point in time.
pub(in super::super) fn time(value: &str) -> Option<Timestamp> {
    let value = value.trim();
    // Discord's form: <t:1767323045:R>.
    let inner = value.strip_prefix("<t:").and_then(|rest| rest.strip_suffix('>'));
    if let Some(inner) = inner {
        let (seconds, style) = inner.split_once(':').unwrap_or((inner, "f"));
        let is_style = style.len() == 1 && "tTdDfFRsS".contains(style);
        return seconds.parse::<i64>().ok().filter(|_| is_style).map(|at| millis(at.saturating_mul(SECOND)));
    }
    unix(value).or_else(|| value.parse().ok()).or_else(|| calendar(value))
}

fn millis(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Whether a time names its day only.
pub(in super::super) fn has_no_clock(value: &str) -> bool {
    let value = value.trim();
    unix(value).is_none() && !value.contains(':')
}

/// A time without a zone behind it that is UTC.
fn without_utc(text: &str) -> &str {
    let letters = text.bytes().rev().take_while(u8::is_ascii_alphabetic).count();
    let (before, zone) = text.split_at(text.len() - letters);
    match zone.to_ascii_lowercase().as_str() {
        "utc" | "gmt" | "z" => before.trim_end(),
        _ => text,
    }
}

/// Seconds, milliseconds or microseconds since 1970, between 2001 and 2100.
fn unix(value: &str) -> Option<Timestamp> {
    let whole = value.split_once('.').map_or(value, |(whole, fraction)| {
        if fraction.bytes().all(|byte| byte.is_ascii_digit()) { whole } else { "" }
    });
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    match number {
        1_000_000_000..=4_102_444_800 => Some(millis(number * SECOND)),
        1_000_000_000_000..=4_102_444_800_000 => Some(millis(number)),
        1_000_000_000_000_000..=4_102_444_800_000_000 => Some(millis(number / 1_000)),
        _ => None,
    }
}

/// `2026-01-02`, `2026-01-02 03:04`, `2026/01/02 03:04:05.678`, with or without a zone.
fn calendar(value: &str) -> Option<Timestamp> {
    let mut text = value.replace('/', "-");
    if matches!(text.as_bytes().get(10), Some(b'T' | b't')) {
        text.replace_range(10..11, " ");
    }
    let text = without_utc(&text);
    let (day, clock) = text.split_once(' ').map_or((text, "00:00"), |(day, clock)| (day, clock.trim()));
    let mut parts = day.split('-');
    let mut part = |length: usize| {
        parts.next().filter(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (year, month, of_month) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() {
        return None;
    }
    let (clock, zone) = match clock.find(['+', '-']) {
        Some(at) => (clock[..at].trim_end(), &clock[at..]),
        None => (clock, "+00:00"),
    };
    // RFC 3339 wants the seconds, and a colon in the zone.
    let seconds = if clock.matches(':').count() == 1 { ":00" } else { "" };
    let zone = match zone.len() {
        3 => format!("{zone}:00"),
        5 if zone.is_ascii() => format!("{}:{}", &zone[..3], &zone[3..]),
        _ => zone.to_owned(),
    };
    format!("{year}-{month}-{of_month}T{clock}{seconds}{zone}").parse().ok()
}

const LENGTHS: [(&[&str], i64); 8] = [
    (&["ms", "millisecond", "milliseconds"], 1),
    (&["s", "sec", "secs", "second", "seconds"], SECOND),
    (&["m", "min", "mins", "minute", "minutes"], 60 * SECOND),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600 * SECOND),
    (&["d", "day", "days"], DAY),
    (&["w", "wk", "wks", "week", "weeks"], 7 * DAY),
    // The shortest month and year, so that nobody is banned for longer.
    (&["mo", "mos", "mon", "month", "months"], 28 * DAY),
    (&["y", "yr", "yrs", "year", "years"], 365 * DAY),
];

/// A length in milliseconds: `7d`, `1 week, 2 days`, `P7DT1H`, `7 days, 0:00:00`, `24:00:00`, or a number with `unit`
/// seconds (0 for milliseconds).
pub(in super::super) fn span(value: &str, unit: Option<u64>) -> Option<i64> {
    let value = value.trim().to_ascii_lowercase();
    if let Some(unit) = unit
        && let Ok(number) = value.parse::<f64>()
    {
        let each = if unit == 0 { 1.0 } else { unit as f64 * 1_000.0 };
        let total = number * each;
        return (1.0..1e15).contains(&total).then_some(total as i64);
    }
    let text = match value.strip_prefix('p') {
        // In ISO 8601 the months stand before the T, the minutes behind it.
        Some(iso) if iso.starts_with(|first: char| first.is_ascii_digit() || first == 't') => {
            let (days, clock) = iso.split_once('t').unwrap_or((iso, ""));
            format!("{} {clock}", days.replace('m', "mo"))
        }
        _ => value,
    };
    let (mut total, mut any) = (0_i64, false);
    let text = text.replace([',', '+'], " ").replace(" and ", " ");
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        if rest.starts_with(':') {
            total = total.checked_add(clock(number, rest)?)?;
            any = true;
            break;
        }
        rest = rest.trim_start();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let word = &rest[..letters];
        let (_, each) = LENGTHS.into_iter().find(|(words, _)| words.contains(&word))?;
        total = total.checked_add(number.checked_mul(each)?)?;
        any = true;
        rest = rest[letters..].trim_start();
    }
    (any && total > 0).then_some(total)
}

/// Hours, minutes and seconds behind the hours.
fn clock(hours: i64, rest: &str) -> Option<i64> {
    let parts: Vec<&str> = rest.split(':').skip(1).collect();
    let [minutes, seconds] = parts.as_slice() else { return None };
    let seconds = seconds.split('.').next()?;
    let two = |part: &str| part.parse::<i64>().ok().filter(|number| part.len() == 2 && *number < 60);
    Some(((hours.checked_mul(60)? + two(minutes)?) * 60 + two(seconds)?) * SECOND)
}

/// The latest day that a date may mean, for forms that can be read in two ways: `03/04/2026`, `Nov 25, 2026 10:00 AM`.
/// Nothing where the value says anything beside one date.
pub(in super::super) fn latest_reading(value: &str) -> Option<Timestamp> {
    let value = value.trim();
    if value.len() > 60 {
        return None;
    }
    let (mut numbers, mut month): (Vec<u32>, Option<u32>) = (Vec::new(), None);
    for word in
        value.split(|letter: char| letter.is_whitespace() || letter == ',').filter(|word| !word.is_empty())
    {
        let word = word.trim_end_matches('.').to_ascii_lowercase();
        let parts: Vec<&str> = word.split(['/', '-', '.']).collect();
        if parts.len() == 3 && numbers.is_empty() && month.is_none() {
            for part in parts {
                match month_of(part) {
                    Some(found) if month.is_none() => month = Some(found),
                    _ => numbers.push(part.parse().ok()?),
                }
            }
        } else if is_clock(&word) || FILLERS.contains(&word.as_str()) {
        } else if let Some(found) = month_of(&word).filter(|_| month.is_none()) {
            month = Some(found);
        } else {
            let digits =
                ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(&word);
            numbers.push(digits.parse().ok()?);
        }
    }
    let date = |year: u32, month: u32, day: u32| -> Option<Timestamp> {
        let year = if year < 100 { 2_000 + year } else { year };
        let is_date = (1_990..3_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        is_date.then(|| format!("{year:04}-{month:02}-{day:02}T00:00:00Z").parse().ok()).flatten()
    };
    match (month, numbers.as_slice()) {
        (Some(month), [one, other]) => {
            [date(*other, month, *one), date(*one, month, *other)].into_iter().max()?
        }
        (None, [first, second, third]) => {
            [date(*third, *second, *first), date(*third, *first, *second), date(*first, *second, *third)]
                .into_iter()
                .max()?
        }
        _ => None,
    }
}

const FILLERS: [&str; 20] = [
    "am", "pm", "a.m", "p.m", "at", "of", "um", "uhr", "utc", "gmt", "mon", "tue", "wed", "thu", "fri",
    "sat", "sun", "monday", "friday", "sunday",
];

fn month_of(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let is = |month: &&str| word == *month || (word.len() >= 3 && word.len() <= 4 && month.starts_with(word));
    (1..).zip(MONTHS).find(|(_, month)| is(month)).map(|(number, _)| number)
}

/// `10:00`, `10:00:00.5`, `10:00am`.
fn is_clock(word: &str) -> bool {
    let word = word.trim_end_matches(['a', 'p', 'm', 'z']);
    let mut parts = word.split(':');
    let count = word.matches(':').count();
    (1..=2).contains(&count)
        && parts
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

/// Whether this names a time zone: an offset, a place as in `Europe/Berlin`, an abbreviation, or a name that ends in "time".
pub(in super::super) fn is_zone(value: &str) -> bool {
    let value = value.trim();
    if value.parse::<i64>() == Ok(0) {
        return true;
    }
    let upper = value.to_ascii_uppercase();
    let rest = ["UTC", "GMT", "Z"].iter().find_map(|name| upper.strip_prefix(name)).unwrap_or(&upper);
    let digits = rest.strip_prefix(['+', '-']).map(|offset| offset.replace(':', ""));
    let is_offset = digits.is_some_and(|digits| {
        matches!(digits.len(), 1..=4) && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    let is_place = value.split('/').count() > 1
        && value
            .split('/')
            .all(|part| part.len() > 2 && part.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase()));
    let is_abbreviation = matches!(value.len(), 3..=5)
        && value.bytes().all(|byte| byte.is_ascii_uppercase())
        && ["T", "UTC", "GMT"].iter().any(|end| value.ends_with(end));
    rest.is_empty()
        || is_offset
        || (!super::limits(value) && (is_place || is_abbreviation || upper.ends_with(" TIME")))
}
