//! A problem beside the field of the mapping editor that it is about.

use maud::{Markup, html};

/// The ids of the texts about a field: what is wrong with it, and its note.
pub(super) fn described(note: &str, problem: Option<&str>, problem_id: &str) -> String {
    match problem {
        Some(_) => format!("{problem_id} {note}"),
        None => note.to_owned(),
    }
}

pub(super) fn problem(words: Option<&str>, id: &str) -> Markup {
    html! { @if let Some(words) = words { p class="problem" id=(id) role="alert" { (words) } } }
}
