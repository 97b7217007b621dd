//! The form of a new source.

use domain::source::presets::{self, Preset};
use maud::{Markup, html};

use crate::http::problem::Problem;
use crate::paths;
use crate::sources::authentication::view::Fields;
use crate::sources::form::{NewSourceForm, OTHER};
use crate::step::SetupStep;

pub(crate) fn render_new(form: &NewSourceForm, problem: Option<&Problem>) -> Markup {
    let mut listed: Vec<Preset> = vec![];
    for preset in presets::all() {
        listed.retain(|other| other.name != preset.name);
        listed.push(preset);
    }
    let fields = Fields::new(&form.authentication, problem);
    html! {
        h2 { "Add a source" }
        p { "Choose the product. Ticketbridge then shows what to enter there." }
        form method="post" action=(paths::NEW_SOURCE) {
            label for="name" { "Name" }
            input id="name" name="name" required maxlength="100" value=(form.name) autocomplete="off" aria-describedby="name-note";
            (fields.problem("name"))
            small id="name-note" { "As you will recognize it here, such as the product and who uses it." }
            fieldset {
                legend { "Product" }
                (fields.problem("preset"))
                @for preset in &listed {
                    label class="choice" {
                        input type="radio" name="preset" value=(preset.name) required checked[form.preset == preset.name];
                        span { (preset.title) }
                    }
                }
                label class="choice" {
                    input type="radio" name="preset" value=(OTHER) required checked[form.preset == OTHER];
                    span { "Other: any product that posts JSON or XML. You say where each detail is, by a message of it." }
                }
            }
            div class="only-other" {
                h3 { "Only for \"Other\"" }
                (fields.schemes())
                details open[fields.has_problem_in_limits()] {
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
        let page = render_new(&NewSourceForm::default(), None);
        insta::assert_snapshot!(page::lines(&page));
    }
}
