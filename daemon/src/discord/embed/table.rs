//! Tables as code blocks, since an embed has no tables: monospace columns, cut to fit with a count of what is
//! left out.

use super::text::{in_block, length, rendered, width};
use wayhaven_shared::report::{Table, Text};

/// The widest a column gets, in characters.
const COLUMN: usize = 40;
/// The longest a table's title gets.
const TITLE: usize = 120;
const OPEN: &str = "```\n";
const CLOSE: &str = "\n```";

/// All tables below one another, at most `budget` long.
pub(super) fn render(tables: &[Table], budget: usize) -> String {
    let more_tables = |count: usize| format!("… and {count} more tables");
    let reserve = length(&more_tables(usize::MAX)) + 1;
    let mut out = String::new();
    for (index, table) in tables.iter().enumerate() {
        let left = budget.saturating_sub(length(&out) + reserve + 1);
        match one(table, left) {
            Some(text) if text.is_empty() => {}
            Some(text) => {
                if !out.is_empty() {
                    out.push('\n');
                }
                out.push_str(&text);
            }
            None => {
                if length(&out) + reserve <= budget {
                    if !out.is_empty() {
                        out.push('\n');
                    }
                    out.push_str(&more_tables(tables.len() - index));
                }
                break;
            }
        }
    }
    out
}

/// One table; nothing where not even its headings fit.
fn one(table: &Table, budget: usize) -> Option<String> {
    let title = table.title.as_ref().map(|title| rendered(title, TITLE));
    let heading = title.filter(|title| !title.is_empty()).map_or_else(String::new, |t| format!("**{t}**\n"));
    if table.rows.is_empty() {
        let text = heading + &rendered(&Text::Ours(table.empty.clone()), TITLE);
        let text = text.trim_end().to_owned();
        return (length(&text) <= budget).then_some(text);
    }
    let lines = lines(table);
    let more_rows = |count: usize| format!("\n… and {count} more rows");
    let around = length(&heading) + length(OPEN) + length(CLOSE);
    let all: usize = lines.iter().map(|line| length(line) + 1).sum::<usize>() - 1;
    let (kept, note) = if around + all <= budget {
        (lines.len(), String::new())
    } else {
        let room = budget.checked_sub(around + length(&more_rows(table.rows.len())))?;
        let mut used = 0;
        let kept = lines
            .iter()
            .take_while(|line| {
                used += length(line) + 1;
                used <= room + 1
            })
            .count();
        (kept, more_rows((lines.len() - kept).min(table.rows.len())))
    };
    // Headings alone say nothing.
    (kept > 1).then(|| format!("{heading}{OPEN}{}{note}{CLOSE}", lines[..kept].join("\n")))
}

/// The headings and the rows with their columns aligned. A row that is shorter or longer than the headings is
/// shown as far as it goes.
fn lines(table: &Table) -> Vec<String> {
    let headings = table.columns.iter().map(|name| in_block(&Text::Ours(name.clone()), COLUMN)).collect();
    let rows = table.rows.iter().map(|row| row.iter().map(|cell| in_block(&cell.text, COLUMN)).collect());
    let cells: Vec<Vec<String>> = std::iter::once(headings).chain(rows).collect();
    let columns = cells.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| cells.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max())
        .map(Option::unwrap_or_default)
        .collect();
    cells.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut out = String::new();
    for (cell, column) in row.iter().zip(widths) {
        out.push_str(cell);
        out.extend(std::iter::repeat_n(' ', column - width(cell).min(*column) + 2));
    }
    out.truncate(out.trim_end().len());
    out
}
