//! What commands print.
//!
//! A [`View`] is one structure with two faces: serialized it is the JSON document for programs (amounts in whole fen in
//! `*_fen`, times in RFC 3339, enums by their proto names without the prefix), and [`View::human`] is the same for people
//! (amounts in yuan, times in the machine's zone).

pub mod books;
pub mod claim;
pub mod grab;
pub mod group;
pub mod operation;
pub mod packet;
pub mod record;
pub mod repair;
pub mod value;
pub mod verify;
pub mod wallet;

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets::UTF8_BORDERS_ONLY};
use serde::Serialize;

use crate::failure::Failure;

/// Something a command prints.
pub trait View: Serialize {
    /// Lines for people, without a newline at the end.
    fn human(&self) -> String;

    /// The same as one JSON document, on one line.
    fn json(&self) -> Result<String, Failure> {
        serde_json::to_string(self).map_err(|fault| Failure::Failed(fault.into()))
    }
}

/// Prints `view` to standard output: as JSON, or for people.
pub fn print(view: &impl View, json: bool) -> Result<(), Failure> {
    line(&if json { view.json()? } else { view.human() })
}

/// Prints a line to standard output. A reader that has gone away, such as `head`, is no failure.
pub fn line(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(fault) if fault.kind() != io::ErrorKind::BrokenPipe => Err(fault.into()),
        _ => Ok(()),
    }
}

/// A table with these columns; the names of columns that hold numbers begin with `#` and are aligned to the right.
pub fn table<const N: usize>(columns: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_BORDERS_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(columns.map(|column| column.trim_start_matches('#')));
    for (index, name) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(index).filter(|_| name.starts_with('#')) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The rows under these columns, or `nothing` where there are none.
pub fn rows<const N: usize, R: Into<Row>>(
    columns: [&str; N],
    rows: impl IntoIterator<Item = R>,
    nothing: &str,
) -> String {
    let mut table = table(columns);
    table.add_rows(rows);
    if table.is_empty() {
        nothing.to_owned()
    } else {
        table.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_nothing_is_said() {
        let shown = rows(["who", "#yuan"], [["bob", "1.00"], ["carol", "100.00"]], "nobody");
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[1], "│ who       yuan │");
        assert_eq!(lines[3], "│ bob       1.00 │");
        assert_eq!(lines[4], "│ carol   100.00 │");
        assert_eq!(rows(["who"], [[""; 1]; 0], "nobody"), "nobody");
    }
}
