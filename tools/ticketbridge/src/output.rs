//! What a command prints: tables and lines for people, or one JSON document for programs.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;

/// The exit code of `doctor`, `check` and `sources webhook ping` when they found a problem.
const PROBLEMS_FOUND: u8 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    Text,
    Json,
}

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOutcome {
    Done,
    /// The command worked, and what it checked has a problem.
    ProblemsFound,
}

impl From<CommandOutcome> for ExitCode {
    fn from(outcome: CommandOutcome) -> Self {
        match outcome {
            CommandOutcome::Done => Self::SUCCESS,
            CommandOutcome::ProblemsFound => Self::from(PROBLEMS_FOUND),
        }
    }
}

impl OutputFormat {
    /// Prints a value as JSON, or the text for people.
    pub(crate) fn print(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        match self {
            Self::Json => print_line(&serde_json::to_string_pretty(value)?),
            Self::Text => print_line(&text()),
        }
    }

    /// Prints the result of a command that reported to people already.
    pub(crate) fn print_json(self, value: &impl Serialize) -> Result<()> {
        match self {
            Self::Json => print_line(&serde_json::to_string_pretty(value)?),
            Self::Text => Ok(()),
        }
    }

    /// Reports a step while a command runs. A program reads only the result.
    pub(crate) fn report(self, line: &str) {
        match self {
            Self::Json => eprintln!("{line}"),
            // A closed pipe does not stop a command that changes something.
            Self::Text => drop(print_line(line)),
        }
    }
}

/// Prints to standard output. A reader that has closed the pipe, such as `head`, is no error.
pub(crate) fn print_line(text: &str) -> Result<()> {
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(err) if err.kind() != io::ErrorKind::BrokenPipe => Err(err.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Renders rows under their headings.
pub(crate) fn table<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headings);
    for row in rows {
        table.add_row(row.map(|cell| one_line(&cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    trim_lines(&table.to_string())
}

/// Renders names and values, one pair a line. Pairs without a value are left out.
pub(crate) fn details<'a>(pairs: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let pairs: Vec<_> = pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = pairs.iter().map(|(name, value)| {
        let value = one_line(value);
        format!("{name:width$}  {value}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A text from outside on one line, without control characters that a terminal would obey.
pub(crate) fn one_line(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(clean).collect()
}

fn trim_lines(text: &str) -> String {
    let lines = text.lines().map(str::trim_end);
    lines.collect::<Vec<_>>().join("\n")
}

pub(crate) fn time(at: Timestamp) -> String {
    format!("{at:.0}")
}

pub(crate) fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// `1 alert`, `2 alerts`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

/// Shows on a terminal how far a long command is. Dropping it clears the line.
#[derive(Debug)]
pub(crate) struct Progress {
    is_shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let is_shown = io::stderr().is_terminal();
        Self { is_shown }
    }

    pub(crate) fn show(&self, text: &str) {
        if self.is_shown {
            // Progress that cannot be shown is no reason to stop.
            let _ = write!(io::stderr(), "\r\u{1b}[K{text}");
            let _ = io::stderr().flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.show("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_row() {
        let rows = vec![
            ["northwind".to_owned(), "Northwind IT".to_owned()],
            ["b".to_owned(), "Ünïcode\u{1b}[31m 漢字\nsecond".to_owned()],
        ];
        insta::assert_snapshot!(table(["ID", "NAME"], rows), @"
        ID         NAME
        northwind  Northwind IT
        b          Ünïcode [31m 漢字 second
        ");
    }

    #[test]
    fn details_leave_out_what_is_absent() {
        let pairs = [
            ("Name", Some("Northwind IT".to_owned())),
            ("Issue", None),
            ("Open tickets", Some("3".to_owned())),
        ];
        insta::assert_snapshot!(details(pairs), @"
        Name          Northwind IT
        Open tickets  3
        ");
    }

    #[test]
    fn a_noun_is_in_the_plural_unless_there_is_one() {
        assert_eq!(counted(1, "alert"), "1 alert");
        assert_eq!(counted(0, "alert"), "0 alerts");
    }
}
