//! Cells of the CSV files that the daemon writes: a spreadsheet shows them, and runs none.

/// What a spreadsheet takes for the beginning of a formula.
pub const DANGEROUS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

/// A text as a cell: quoted, and with a quote in front where a spreadsheet would take it for a formula.
pub fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len() + 3);
    cell.push('"');
    if text.starts_with(DANGEROUS) {
        cell.push('\'');
    }
    // A zero byte ends the text for many readers.
    for letter in text.chars().map(|letter| if letter == '\0' { char::REPLACEMENT_CHARACTER } else { letter })
    {
        if letter == '"' {
            cell.push('"');
        }
        cell.push(letter);
    }
    cell.push('"');
    cell
}
