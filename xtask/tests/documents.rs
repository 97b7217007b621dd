//! Checks what the documents name: tests, rights, pictures, metrics, log messages and links. Tests
//! run in their package's folder, so `..` is the repository's root.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

const ROOT: &str = "..";

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
fn every_test_that_reliability_names_exists() {
    let root = Path::new(ROOT);
    let mut known = BTreeSet::new();
    for folder in ["functions", "shared", "tests", "tools", "xtask"] {
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
                "docs/reliability.md names {name}, which does not exist"
            );
            named += 1;
        }
    }
    assert!(named > 30, "only {named} names were read");
}

#[test]
fn the_partner_guide_lists_each_right_with_its_reason() {
    let root = Path::new(ROOT);
    let text = fs::read_to_string(root.join("docs/partner-guide.md")).unwrap();
    for right in &domain::setup::rights::TABLE {
        let domain::setup::rights::Right {
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

/// `cargo xtask browser --pictures` makes them by `tests/browser/pictures.json`.
#[test]
fn each_picture_of_the_documents_is_made_by_the_browser_tests() {
    let root = Path::new(ROOT);
    let table = fs::read_to_string(root.join("tests/browser/pictures.json")).unwrap();
    let table: BTreeMap<String, Value> = serde_json::from_str(&table).unwrap();
    let made: BTreeSet<_> = table.into_keys().collect();
    let mut stored = BTreeSet::new();
    for entry in fs::read_dir(root.join("docs/screens")).unwrap() {
        let entry = entry.unwrap();
        let (name, size) = (entry.file_name(), entry.metadata().unwrap().len());
        assert!(size <= 150 * 1024, "{} has {size} bytes", name.display());
        stored.insert(name.to_string_lossy().into_owned());
    }
    let mut used = BTreeSet::new();
    for document in ["README.md", "docs/partner-guide.md"] {
        let text = fs::read_to_string(root.join(document)).unwrap();
        let pictures = text.split("screens/").skip(1);
        used.extend(pictures.filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())));
    }
    assert_eq!(made, stored, "tests/browser/pictures.json and docs/screens");
    assert_eq!(made, used, "tests/browser/pictures.json and the documents");
}

/// The text of all code below a folder, except one file.
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
fn every_metric_is_counted_by_the_code() {
    let root = Path::new(ROOT);
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
            "no code counts {named}"
        );
    }
}

/// What Lambda itself logs, and names in the text of an error.
const FOREIGN_MESSAGES: [&str; 3] = ["Task timed out", "Runtime exited", "SES"];

#[test]
fn each_log_filter_of_the_runbook_matches_the_code() {
    let root = Path::new(ROOT);
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
        if !is_name(function) || FOREIGN_MESSAGES.contains(&filter) {
            continue;
        }
        filters += 1;
        let mut text = String::new();
        // In a loop over all functions this is the variable's name.
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

#[test]
fn each_message_in_a_query_of_the_runbook_is_logged() {
    let root = Path::new(ROOT);
    let runbook = fs::read_to_string(root.join("docs/runbook.md")).unwrap();
    let mut text = String::new();
    for folder in ["functions", "shared"] {
        code(&root.join(folder), "no file", &mut text);
    }
    let pieces = text.split("tracing::").skip(1);
    let macros: Vec<_> = pieces
        .filter_map(|rest| rest.split_once("!(")?.1.split(");").next())
        .collect();
    let lists = runbook.split("message in [").skip(1);
    let lists = lists.filter_map(|rest| rest.split(']').next());
    let mut messages = 0;
    // Each second piece is between quotes.
    for message in lists.flat_map(|list| list.split('"').skip(1).step_by(2)) {
        let logged = format!("\"{message}\"");
        assert!(
            macros.iter().any(|text| text.contains(&logged)),
            "no function logs {message:?}"
        );
        messages += 1;
    }
    assert!(messages > 5, "only {messages} messages were read");
}

/// All Markdown files below a folder, except built or installed ones.
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
fn each_relative_link_of_a_document_exists() {
    let root = Path::new(ROOT);
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

#[test]
fn each_page_of_the_documentation_is_in_its_summary() {
    let docs = Path::new(ROOT).join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let mut found = Vec::new();
    documents(&docs, &mut found);
    for page in &found {
        let name = page.strip_prefix(&docs).unwrap().display().to_string();
        assert!(
            name == "SUMMARY.md" || summary.contains(&format!("]({name})")),
            "docs/SUMMARY.md does not list {name}"
        );
    }
    assert!(found.len() > 40, "only {} pages were read", found.len());
}

/// A clone that is moved together with its `target` folder is not built again, so a compiled path
/// would be the old one.
#[test]
fn no_tool_compiles_its_own_path_in() {
    let root = Path::new(ROOT);
    for folder in ["tests/system", "tests/template", "tools", "xtask/src"] {
        let mut text = String::new();
        code(&root.join(folder), "no file", &mut text);
        assert!(
            !text.contains("env!(\"CARGO_MANIFEST_DIR\")"),
            "{folder}: find the root at run time, with local_stack::environment::root"
        );
    }
}

/// A step of a walkthrough names a file, and functions of it behind the file.
#[test]
fn each_function_of_a_walkthrough_is_in_its_file() {
    let root = Path::new(ROOT);
    let text = fs::read_to_string(root.join("docs/ARCHITECTURE.md")).unwrap();
    let walkthroughs = text.split("## Walkthroughs").nth(1).unwrap();
    let walkthroughs = walkthroughs.split("\n## ").next().unwrap();
    let mut found = 0;
    let mut source: Option<(String, String)> = None;
    // Each second piece is between backticks.
    for quoted in walkthroughs.split('`').skip(1).step_by(2) {
        if quoted.ends_with(".rs") {
            let text = fs::read_to_string(root.join(quoted)).unwrap_or_default();
            assert!(!text.is_empty(), "docs/ARCHITECTURE.md names {quoted}");
            source = Some((quoted.to_owned(), text));
        } else if let Some((path, text)) = &source
            && quoted.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            && !path.is_empty()
        {
            if text.contains(&format!("fn {quoted}(")) || text.contains(&format!("fn {quoted}<")) {
                found += 1;
            } else {
                assert!(quoted.starts_with("by_"), "{path} has no function {quoted}");
            }
        }
    }
    assert!(found > 20, "only {found} functions were read");
}

/// It is read as a whole, before anything else.
#[test]
fn the_architecture_has_at_most_12_kilobytes() {
    let path = Path::new(ROOT).join("docs/ARCHITECTURE.md");
    let size = fs::metadata(path).unwrap().len();
    assert!(size <= 12 * 1024, "docs/ARCHITECTURE.md has {size} bytes");
}

/// The pages say "`Name` in `path`".
#[test]
fn each_place_that_the_design_names_defines_what_is_named() {
    let root = Path::new(ROOT);
    let mut found = 0;
    for page in fs::read_dir(root.join("docs/design")).unwrap() {
        let page = page.unwrap().path();
        let text = fs::read_to_string(&page).unwrap();
        let page = page.display();
        // A block of code has backquotes of its own.
        let prose: String = text.split("```").step_by(2).collect();
        let pieces: Vec<&str> = prose.split('`').collect();
        for index in (1..pieces.len()).step_by(2) {
            let quoted = pieces[index];
            let is_path = [
                "shared/",
                "functions/",
                "tests/",
                "tools/",
                "xtask/",
                "infra/",
                "docs/",
            ]
            .iter()
            .any(|folder| quoted.starts_with(folder));
            // A name in capitals is for the reader to replace.
            if is_path && !quoted.contains(['*', 'N']) {
                assert!(root.join(quoted).exists(), "{page}: {quoted}");
            }
            let Some(&path) = pieces.get(index + 2) else {
                continue;
            };
            if pieces[index + 1] == " in " && path.ends_with(".rs") {
                let source = fs::read_to_string(root.join(path)).unwrap();
                let is_defined = ["fn", "struct", "enum", "const", "pub mod"]
                    .iter()
                    .any(|kind| source.contains(&format!("{kind} {quoted}")));
                assert!(is_defined, "{page}: {path} does not define {quoted}");
                found += 1;
            }
        }
    }
    assert!(found > 25, "only {found} places were read");
}

#[test]
fn the_webhook_guide_lists_each_built_in_kind() {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/webhook-guide.md")).unwrap();
    for (kind, ..) in domain::alert::kind::BUILT_IN {
        let quoted = format!("`{kind}`");
        assert!(text.contains(&quoted), "docs/webhook-guide.md lacks {kind}");
    }
}

/// The column "measured" links to the page that has its figures: "6.48 ms ([performance](...))".
#[test]
fn each_measured_figure_of_the_comparison_is_on_the_page_that_it_links_to() {
    let docs = Path::new(ROOT).join("docs");
    let text = fs::read_to_string(docs.join("compare.md")).unwrap();
    let table = text.split("## Figures").nth(1).unwrap();
    let mut found = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [_, _, measured, _] = cells[..] else {
            panic!("not four columns: {row}")
        };
        let Some((figures, link)) = measured.split_once(" ([") else {
            continue;
        };
        let page = link.split(['(', ')']).nth(1).unwrap();
        let source = fs::read_to_string(docs.join(page)).unwrap();
        let words = figures.split([' ', ',', ';']);
        for figure in words.filter(|word| word.contains('.')) {
            assert!(source.contains(figure), "docs/{page} lacks {figure}: {row}");
            found += 1;
        }
    }
    assert!(found > 8, "only {found} figures were read");
}
