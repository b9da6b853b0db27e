//! Reports and faults as Discord messages: one embed within Discord's limits (FACTS A6), and nobody mentioned.
//!
//! Lengths are counted in UTF-16 units. Whether Discord counts those or characters is not documented; the units
//! are never fewer, so both readings hold.

pub mod lines;
mod table;
mod text;

use self::text::{fit, length, plain, rendered, spoken};
use serde_json::{Value, json};
use wayhaven_shared::report::{Cell, Progress, Report, Text, Tone};
use wayhaven_shared::value::Untrusted;
use wayhaven_shared::{Fault, FaultKind};

const TITLE: usize = 256;
const DESCRIPTION: usize = 4_096;
const FIELDS: usize = 25;
const FIELD_NAME: usize = 256;
const FIELD_VALUE: usize = 1_024;
/// All texts of all embeds of one message together.
const MESSAGE: usize = 6_000;
/// Our own bound on the footer, below Discord's 2,048: hints must not crowd out what they are about.
const FOOTER: usize = 600;
/// What fields leave to a description with tables.
const DESCRIPTION_SHARE: usize = 2_400;
/// Up to this length a value stands beside others.
const INLINE: usize = 32;
/// How many segments a progress bar has.
const BAR: u64 = 20;

/// What stands where there is nothing: Discord refuses empty fields.
const NOTHING: &str = "—";

/// The message for a report.
pub fn message(report: &Report) -> Value {
    let title = titled(report.tone, &rendered(&report.title, TITLE));
    let footer = footer(&report.hints);
    let mut left = MESSAGE - length(&title) - length(&footer);
    let share = if report.tables.is_empty() && report.progress.is_none() { 0 } else { DESCRIPTION_SHARE };
    let fields = fields(&report.fields, left - share);
    left -= fields.iter().map(|(name, value)| length(name) + length(value)).sum::<usize>();
    embed(report.tone, &title, &description(report, left.min(DESCRIPTION)), &fields, &footer)
}

/// The message for a fault: what went wrong, and the ways out.
pub fn fault_message(fault: &Fault) -> Value {
    let (tone, title) = match fault.kind {
        FaultKind::Usage => (Tone::Warning, "That cannot be done as asked"),
        FaultKind::Denied => (Tone::Bad, "You may not do that"),
        FaultKind::NotFound => (Tone::Warning, "There is no such thing"),
        FaultKind::Conflict => (Tone::Warning, "That contradicts what is"),
        FaultKind::RateLimited => (Tone::Waiting, "That is too much at once"),
        FaultKind::Unreachable | FaultKind::Unavailable => (Tone::Bad, "That cannot be done at the moment"),
        FaultKind::Pending => (Tone::Waiting, "Still going on"),
        FaultKind::Partial => (Tone::Warning, "Done in part"),
        FaultKind::Declined => (Tone::Quiet, "Not confirmed"),
        FaultKind::Verification => (Tone::Bad, "A check failed"),
        FaultKind::Internal | FaultKind::Unknown => (Tone::Bad, "Something went wrong"),
    };
    // A fault may repeat what somebody typed, so none of it counts as ours.
    let message = or_nothing(fit(&Untrusted::clipped(&fault.message).markdown(DESCRIPTION), DESCRIPTION));
    let hints: Vec<_> = fault.hints.iter().map(|hint| rendered(&Text::Ours(hint.clone()), 400)).collect();
    let hints = fit(&hints.join("\n"), FIELD_VALUE);
    let mut fields = Vec::new();
    if !hints.is_empty() {
        fields.push(("What to do".to_owned(), hints));
    }
    embed(tone, &titled(tone, title), &message, &fields, "")
}

fn embed(tone: Tone, title: &str, description: &str, fields: &[(String, String)], footer: &str) -> Value {
    let mut embed = json!({"title": title, "color": colour(tone)});
    if !description.is_empty() {
        embed["description"] = description.into();
    }
    if !fields.is_empty() {
        embed["fields"] = fields
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value, "inline": length(value) <= INLINE}))
            .collect();
    }
    if !footer.is_empty() {
        embed["footer"] = json!({"text": footer});
    }
    json!({"embeds": [embed], "allowed_mentions": {"parse": []}})
}

/// The colour of the embed's edge.
fn colour(tone: Tone) -> u32 {
    match tone {
        Tone::Plain => 0x58_65_f2,
        Tone::Good => 0x2e_cc_71,
        Tone::Waiting => 0x34_98_db,
        Tone::Warning => 0xf1_c4_0f,
        Tone::Bad => 0xe7_4c_3c,
        Tone::Quiet => 0x95_a5_a6,
    }
}

/// The tone's sign, since a colour alone tells some people nothing.
fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain | Tone::Quiet => "",
        Tone::Good => "✓ ",
        Tone::Waiting => "~ ",
        Tone::Warning => "⚠ ",
        Tone::Bad => "✗ ",
    }
}

fn titled(tone: Tone, title: &str) -> String {
    fit(&format!("{}{}", sign(tone), or_nothing(title.to_owned())), TITLE)
}

fn or_nothing(text: String) -> String {
    if text.trim().is_empty() { NOTHING.to_owned() } else { text }
}

/// Footers show markdown as it stands, so hints are cleaned and not escaped there.
fn footer(hints: &[String]) -> String {
    let hints: Vec<_> = hints.iter().map(|hint| plain(hint)).filter(|hint| !hint.is_empty()).collect();
    fit(&hints.join("\n"), FOOTER)
}

/// As many fields as Discord takes and `budget` allows; what is left out is counted in the last one.
fn fields(fields: &[(String, Cell)], budget: usize) -> Vec<(String, String)> {
    let more = |count: usize| (NOTHING.to_owned(), format!("… and {count} more"));
    // Room for the longest count there can be.
    let reserve = length(&more(usize::MAX).1) + 1;
    let mut out: Vec<(String, String)> = Vec::new();
    let mut used = 0;
    for (index, (name, cell)) in fields.iter().enumerate() {
        let name = or_nothing(rendered(&Text::Ours(name.clone()), FIELD_NAME));
        let value = or_nothing(spoken(&cell.text, FIELD_VALUE));
        let size = length(&name) + length(&value);
        let is_last = index + 1 == fields.len();
        let room_after = if is_last { 0 } else { reserve };
        if used + size + room_after > budget || (out.len() + 1 == FIELDS && !is_last) {
            out.push(more(fields.len() - index));
            break;
        }
        used += size;
        out.push((name, value));
    }
    out
}

fn description(report: &Report, budget: usize) -> String {
    let mut parts = Vec::new();
    let mut left = budget;
    if let Some(progress) = report.progress {
        let bar = bar(progress);
        left -= length(&bar) + 1;
        parts.push(bar);
    }
    let tables = table::render(&report.tables, left);
    if !tables.is_empty() {
        parts.push(tables);
    }
    parts.join("\n")
}

/// `▰▰▰▱▱ 38/41 (92 %)`; all done only when all is.
fn bar(progress: Progress) -> String {
    let total = progress.total;
    let done = progress.done.min(total);
    let share = |of: u64| match total {
        0 => of,
        // In 128 bits, so that no count overflows; the quotient is at most `of`.
        _ => u64::try_from(u128::from(done) * u128::from(of) / u128::from(total)).unwrap_or(of),
    };
    let full: String = (0..BAR).map(|segment| if segment < share(BAR) { '▰' } else { '▱' }).collect();
    format!("{full} {done}/{total} ({} %)", share(100))
}

#[cfg(test)]
mod tests;
