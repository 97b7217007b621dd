//! What a mapping makes of the samples.

use domain::source::mapping::preview::SampleEvent;
use maud::{Markup, html};

use super::preview::{Difference, MappingPreview, SamplePreview, TicketPreview};

pub(super) fn render(preview: &MappingPreview, is_saved: bool) -> Markup {
    html! {
        section id="result" aria-labelledby="result-title" {
            h2 id="result-title" { "What it makes of the samples" }
            @if is_saved { p class="soft" { "This is the saved mapping." } }
            @if preview.samples.is_empty() { p { "Add a sample to see its ticket." } }
            @if !preview.resolves_what_was_raised {
                p class="problem" { "A sample resolves an alert that no other sample raises, so its ticket would never be closed." }
            }
            @if !preview.differences.is_empty() {
                h3 { "What differs from the saved mapping" }
                (differences(&preview.differences))
            }
            @for sample in &preview.samples { (sample_result(sample)) }
        }
    }
}

pub(super) fn differences(differences: &[Difference]) -> Markup {
    html! {
        div class="wide" {
            table class="cards" {
                caption { "By sample" }
                thead { tr { th scope="col" { "Sample" } th scope="col" { "What" } th scope="col" { "Saved" } th scope="col" { "New" } } }
                tbody {
                    @for difference in differences {
                        tr {
                            td data-label="Sample" { (difference.sample) }
                            td data-label="What" { (difference.member) }
                            td data-label="Saved" { (difference.before.as_deref().unwrap_or("nothing")) }
                            td data-label="New" { (difference.after.as_deref().unwrap_or("nothing")) }
                        }
                    }
                }
            }
        }
    }
}

fn sample_result(sample: &SamplePreview) -> Markup {
    let result = &sample.result;
    html! {
        h3 { "Sample " (sample.n) }
        @if result.is_ping { p { "It is a test message: it is answered and has no other effect." } }
        @if result.ignored > 0 { p { "Ignored by the mapping: " (result.ignored) "." } }
        @for problem in &result.unmapped {
            p class="problem" {
                @if let Some(index) = problem.index { "Alert " (index + 1) ": " }
                code { (problem.field) } ": " (problem.problem) ". It would wait for a person."
            }
        }
        @for (text, alerts) in &result.unknown_kinds {
            p class="warn" { "\"" (text) "\" is no known kind (" (alerts) "). The kind \"otherwise\" counts." }
        }
        @for (event, ticket) in result.events.iter().zip(&sample.tickets) { (event_result(event, ticket)) }
    }
}

fn event_result(event: &SampleEvent, ticket: &TicketPreview) -> Markup {
    html! {
        div class="ticket" {
            @match &event.details {
                None => p { "It resolves the alert " code { (event.alert_id) } " of the tenant " (event.tenant) "." },
                Some(details) => {
                    p {
                        @if event.change == "updated" { "It changes details of the alert " } @else { "It raises the alert " }
                        code { (event.alert_id) } " of the tenant " (event.tenant) "."
                    }
                    @if let Some(blocked) = &ticket.blocked { p class="warn" { "No ticket yet: " (blocked) "." } }
                    dl {
                        dt { "Board" } dd { (ticket.board) }
                        dt { "Company" } dd { (ticket.company) }
                        dt { "Type" } dd { (ticket.type_name) }
                        dt { "Priority" } dd { (ticket.priority) }
                        dt { "Summary" } dd { (details.ticket.summary) }
                    }
                    pre tabindex="0" role="region" aria-label="Text of the ticket" { (details.ticket.text) }
                }
            }
        }
    }
}
