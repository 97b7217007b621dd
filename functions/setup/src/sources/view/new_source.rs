//! The form of a new source.

use domain::source::presets::{self, Preset};
use maud::{Markup, html};

use crate::auth::session::PartnerSession;
use crate::paths;
use crate::sources::form::{AUTHENTICATIONS, DEFAULT_HEADER, OTHER};
use crate::step::SetupStep;

pub(crate) fn render_new(session: &PartnerSession) -> Markup {
    let mut listed: Vec<Preset> = vec![];
    for preset in presets::all() {
        listed.retain(|other| other.name != preset.name);
        listed.push(preset);
    }
    html! {
        h2 { "Add a source" }
        p { "Choose the product. Ticketbridge then shows what to enter there." }
        form method="post" action=(session.action(paths::NEW_SOURCE)) {
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
                    span { "Other: any product that posts JSON. You say where each detail is, by a message of it." }
                }
            }
            fieldset {
                legend { "Only for \"Other\": how it proves that a message is its own" }
                @for (n, (value, words)) in AUTHENTICATIONS.into_iter().enumerate() {
                    label class="choice" {
                        input type="radio" name="authentication" value=(value) checked[n == 0];
                        span { (words) }
                    }
                }
                label for="header" { "Name of the header" }
                input id="header" name="header" maxlength="64" placeholder=(DEFAULT_HEADER) autocomplete="off" aria-describedby="header-note";
                small id="header-note" { "Only if the secret is in a header." }
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
        let page = render_new(&PartnerSession::example());
        insta::assert_snapshot!(page::lines(&page));
    }
}
