//! Tables of text.

/// Columns as wide as their widest cell, with a rule under the first row.
#[must_use]
pub fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let widths: [usize; N] = std::array::from_fn(|column| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    });
    let rule: [String; N] = std::array::from_fn(|column| "-".repeat(widths[column]));
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    let mut lines: Vec<_> = rows.iter().map(line).collect();
    lines.insert(1.min(lines.len()), line(&rule));
    lines
}

/// Prints the table between empty lines.
pub fn print<const N: usize>(rows: &[[String; N]]) {
    println!("\n{}\n", table(rows).join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows =
            [["ticket", "company"], ["10001", "Café Élan"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(&rows),
            ["ticket  company", "------  ---------", "10001   Café Élan"]
        );
    }
}
