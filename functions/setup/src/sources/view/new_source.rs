//! The form of a new source.

use domain::source::presets::{self, Preset};
use maud::{Markup, html};

use crate::paths;
use crate::sources::authentication::form::AuthenticationForm;
use crate::sources::authentication::view::Fields;
use crate::sources::form::OTHER;
use crate::step::SetupStep;

pub(crate) fn render_new() -> Markup {
    let mut listed: Vec<Preset> = vec![];
    for preset in presets::all() {
        listed.retain(|other| other.name != preset.name);
        listed.push(preset);
    }
    let form = AuthenticationForm::default();
    let fields = Fields::new(&form);
    html! {
        h2 { "Add a source" }
        p { "Choose the product. Ticketbridge then shows what to enter there." }
        form method="post" action=(paths::NEW_SOURCE) {
            label for="name" { "Name" }
            input id="name" name="name" required maxlength="100" autocomplete="off" aria-describedby="name-note";
            small id="name-note" { "As you will recognize it here, such as the product and who uses it." }
            fieldset {
                legend { "Product" }
                @for preset in &listed {
                    label class="choice" {
                        input type="radio" name="preset" value=(preset.name) required;
                        span { (preset.title) }
                    }
                }
                label class="choice" {
                    input type="radio" name="preset" value=(OTHER) required;
                    span { "Other: any product that posts JSON or XML. You choose where each detail is in one of its messages." }
                }
            }
            div class="only-other" {
                h3 { "Only for \"Other\"" }
                (fields.schemes())
                details {
                    summary { "Networks and response" }
                    (fields.networks())
                    (fields.response())
                }
            }
            button { "Create" }
        }
        p { a href=(SetupStep::Sources.path()) { "All sources" } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page;

    #[test]
    fn a_new_source_has_a_product() {
        let page = render_new();
        insta::assert_snapshot!(page::lines(&page));
    }
}
