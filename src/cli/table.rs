//! Columns of text.

use std::fmt::Write as _;

/// The longest text of a cell in characters.
const WIDEST: usize = 60;

/// Rows under a heading, each column as wide as its widest cell. What a terminal would obey is
/// escaped: cells hold names that others chose.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let cells: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| shown(cell))).collect();
    let mut widths = heading.map(str::len);
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    line(&mut text, &heading, &widths);
    for row in &cells {
        line(&mut text, &row.each_ref().map(String::as_str), &widths);
    }
    text
}

fn line<const N: usize>(text: &mut String, cells: &[&str; N], widths: &[usize; N]) {
    let start = text.len();
    for (cell, width) in cells.iter().zip(widths) {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{cell:width$}  ");
    }
    let end = text[start..].trim_end().len();
    text.truncate(start + end);
    text.push('\n');
}

fn shown(cell: &str) -> String {
    if cell.is_empty() {
        return "-".to_owned();
    }
    let clean: String = cell
        .chars()
        .flat_map(
            |character| if character.is_control() { character.escape_default().collect() } else { vec![character] },
        )
        .collect();
    match clean.char_indices().nth(WIDEST) {
        Some((at, _)) => format!("{}…", &clean[..at]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_terminals_obey_nothing() {
        let rows = [["reporter".to_owned(), String::new()], ["é".to_owned(), "\u{1b}[2J".to_owned()]];
        assert_eq!(table(["ID", "NAME"], &rows), "ID        NAME\nreporter  -\né         \\u{1b}[2J\n");
    }
}
