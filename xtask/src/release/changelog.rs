//! The section of one version in the CHANGELOG.

use anyhow::{Result, ensure};

/// The section with this heading. A date may follow the version.
///
/// # Errors
/// When there is no such section, or it is empty.
pub(super) fn section(changelog: &str, heading: &str) -> Result<String> {
    let mut lines = changelog.lines().skip_while(|line| !has(line, heading));
    let first = lines.next();
    let rest = lines.take_while(|line| !line.starts_with("## "));
    let section: Vec<_> = first.into_iter().chain(rest).collect();
    let section = section.join("\n");
    ensure!(
        section.trim().lines().count() > 1,
        "CHANGELOG.md has no section \"## {heading}\" with text: describe the release there"
    );
    Ok(format!("{}\n", section.trim()))
}

fn has(line: &str, heading: &str) -> bool {
    let title = line.strip_prefix("## ").unwrap_or_default();
    title.split_whitespace().next() == Some(heading)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "# Changelog\n\n## Unreleased\n\n- new\n\n## 0.10.0 - 2026-12-01\n\n- ten\n\n\
        ## 0.1.0 - 2026-11-26\n\n### Added\n\n- one\n";

    #[test]
    fn a_section_ends_at_the_next_version() {
        let found = section(CHANGELOG, "Unreleased").unwrap();
        assert_eq!(found, "## Unreleased\n\n- new\n");
        let found = section(CHANGELOG, "0.1.0").unwrap();
        assert_eq!(found, "## 0.1.0 - 2026-11-26\n\n### Added\n\n- one\n");
    }

    #[test]
    fn a_version_without_a_section_is_an_error() {
        for heading in ["0.2.0", "0.1", "Empty"] {
            let changelog = format!("{CHANGELOG}\n## Empty\n\n");
            let err = section(&changelog, heading).unwrap_err().to_string();
            assert!(err.contains(heading), "{err}");
        }
    }
}
