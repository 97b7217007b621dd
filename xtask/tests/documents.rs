//! What the documents promise: every test that they name is there.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of all functions and test files below a folder.
fn names(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" {
            names(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let functions = text.split("fn ").skip(1);
            let name_of = |rest: &str| rest.split(['(', '<']).next().unwrap_or_default().to_owned();
            found.extend(functions.map(name_of));
            found.insert(name);
        }
    }
}

#[test]
fn every_test_that_reliability_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut known = BTreeSet::new();
    for folder in ["functions", "shared", "tests", "xtask"] {
        names(&root.join(folder), &mut known);
    }
    let text = fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| "));
    let mut named = 0;
    for row in rows {
        let Some(tests) = row.trim_end_matches(" |").rsplit(" | ").next() else {
            continue;
        };
        let is_name = |name: &&str| !name.contains(['/', ' ', ',', '.', '(']) && name.contains('_');
        for name in tests.split('`').filter(is_name) {
            assert!(
                known.contains(name),
                "docs/reliability.md names {name}, which is gone"
            );
            named += 1;
        }
    }
    assert!(named > 30, "only {named} names were read");
}

#[test]
fn the_partner_guide_lists_each_right_with_its_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("docs/partner-guide.md")).unwrap();
    for right in &domain::rights::TABLE {
        let domain::rights::Right {
            module,
            function,
            level,
            needed_for,
            ..
        } = right;
        let row = format!("| {module} | {function} | {level} | {needed_for} |");
        assert!(text.contains(&row), "docs/partner-guide.md lacks {row}");
    }
}

#[test]
fn the_pictures_that_the_documents_show_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("docs/partner-guide.md")).unwrap();
    let pictures: Vec<_> = text.split("](screens/").skip(1).collect();
    assert!(pictures.len() > 5);
    for rest in pictures {
        let name = rest.split(')').next().unwrap_or_default();
        assert!(root.join("docs/screens").join(name).is_file(), "{name}");
    }
}

/// The text of all code below a folder, but for one file.
fn code(folder: &Path, but: &str, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, but, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with(but)
        {
            found.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn everything_that_is_to_be_counted_is_counted_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut text = String::new();
    for folder in ["functions", "shared"] {
        code(&root.join(folder), "aws/src/metrics.rs", &mut text);
    }
    for metric in aws::metrics::Metric::ALL {
        let named = format!("Metric::{metric:?}");
        let counted = text.split(&named).skip(1);
        let mut ends = counted.map(|rest| rest.chars().next().unwrap_or(' '));
        assert!(
            ends.any(|end| !end.is_alphanumeric()),
            "nobody counts {named}"
        );
    }
}

/// What Lambda itself logs, and names that stand in an error's own words.
const NOT_MESSAGES_OF_OURS: [&str; 3] = ["Task timed out", "Runtime exited", "SES"];

#[test]
fn each_log_filter_of_the_runbook_matches_a_message_in_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let runbook = fs::read_to_string(root.join("docs/runbook.md")).unwrap();
    let mut filters = 0;
    for rest in runbook.split("logs ").skip(1) {
        let Some((function, rest)) = rest.split_once(" '\"") else {
            continue;
        };
        let function = function.trim_matches(['"', '$']);
        let Some(filter) = rest.split("\"'").next() else {
            continue;
        };
        let is_name = |name: &str| name.chars().all(|letter| letter.is_ascii_lowercase());
        if !is_name(function) || NOT_MESSAGES_OF_OURS.contains(&filter) {
            continue;
        }
        filters += 1;
        let mut text = String::new();
        // A loop over all functions names its variable.
        let folder = match function {
            "function" => root.join("functions"),
            name => root.join("functions").join(name).join("src"),
        };
        code(&folder, "no file", &mut text);
        code(&root.join("shared"), "no file", &mut text);
        let messages = text.split("tracing::").skip(1);
        let mut macros = messages.filter_map(|rest| rest.split_once("!(")?.1.split(");").next());
        assert!(
            macros.any(|text| text.contains(filter)),
            "nothing that {function} logs contains {filter:?}"
        );
    }
    assert!(filters > 12, "only {filters} filters were read");
}

/// All Markdown files below a folder, but those that are built or installed.
fn documents(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            documents(&path, found);
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

#[test]
fn each_relative_link_of_a_document_leads_to_a_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = Vec::new();
    documents(root, &mut found);
    let mut links = 0;
    for document in found {
        let text = fs::read_to_string(&document).unwrap();
        for rest in text.split("](").skip(1) {
            let link = rest.split([')', '#']).next().unwrap_or_default();
            if link.is_empty() || link.contains(':') {
                continue;
            }
            let target = document.parent().unwrap().join(link);
            assert!(target.exists(), "{}: {link}", document.display());
            links += 1;
        }
    }
    assert!(links > 40, "only {links} links were read");
}
