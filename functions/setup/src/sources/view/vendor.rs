//! What to do at the vendor.

use domain::source::authentication::Authentication;
use domain::source::presets::{Placeholders, Preset};
use maud::{Markup, html};
use serde::Serialize;

use crate::sources::authentication::words;

/// Shown in place of a secret.
const HIDDEN: &str = "(the secret)";

#[derive(Serialize)]
pub(super) struct VendorSteps {
    pub(super) address: String,
    reference: Option<String>,
    steps: Vec<String>,
    paste: Option<String>,
    remarks: Vec<String>,
}

impl VendorSteps {
    /// The secret is known only in the response that makes it.
    pub(super) fn new(
        address: &str,
        authentication: &Authentication,
        preset: Option<&Preset>,
        secret: Option<&str>,
    ) -> Self {
        let shown = secret.unwrap_or(HIDDEN);
        // A vendor's page wants the whole address in one field.
        let url = match authentication {
            Authentication::Query { parameter } if preset.is_none() => {
                format!("{address}?{parameter}={shown}")
            }
            Authentication::Query { .. }
            | Authentication::StandardWebhooks { .. }
            | Authentication::Hmac(_)
            | Authentication::Header { .. }
            | Authentication::Bearer
            | Authentication::Basic
            | Authentication::BodyMember { .. } => address.to_owned(),
        };
        let (steps, paste) = match preset {
            Some(preset) => {
                let values = Placeholders {
                    url: &url,
                    secret: shown,
                };
                let steps = preset_steps(preset, authentication, values);
                let paste = preset.paste.as_ref().map(|text| preset.fill(text, values));
                (steps, paste)
            }
            None => (plain_steps(&url, authentication), None),
        };
        Self {
            reference: preset.and_then(|preset| preset.reference.clone()),
            remarks: preset.map_or_else(Vec::new, |preset| preset.remarks.clone()),
            address: url,
            steps,
            paste,
        }
    }

    pub(super) fn render(&self) -> Markup {
        html! {
            h2 { "What to do at the vendor" }
            ol { @for step in &self.steps { li { (with_code(step)) } } }
            @if let Some(paste) = &self.paste { pre data-copy="the text" tabindex="0" role="region" aria-label="Text to paste" { (paste) } }
            @if !self.remarks.is_empty() { ul { @for remark in &self.remarks { li { (with_code(remark)) } } } }
            @if let Some(reference) = &self.reference {
                p { a href=(reference) rel="noreferrer" { "The vendor's description" } }
            }
        }
    }
}

/// The secret is shown once above the steps. Only an address contains it once more.
fn preset_steps(
    preset: &Preset,
    authentication: &Authentication,
    values: Placeholders<'_>,
) -> Vec<String> {
    let in_steps = match authentication {
        Authentication::Query { .. } => values,
        Authentication::StandardWebhooks { .. }
        | Authentication::Hmac(_)
        | Authentication::Header { .. }
        | Authentication::Bearer
        | Authentication::Basic
        | Authentication::BodyMember { .. } => Placeholders {
            secret: HIDDEN,
            ..values
        },
    };
    let steps = preset.steps.iter();
    steps.map(|step| preset.fill(step, in_steps)).collect()
}

/// The steps at a vendor that has no preset.
fn plain_steps(url: &str, authentication: &Authentication) -> Vec<String> {
    let mut steps = vec![format!("Create a webhook that posts JSON or XML to {url}.")];
    steps.extend(words::steps(authentication, HIDDEN));
    steps.push("Send a test message, or wait for the first alert. It appears below.".to_owned());
    steps
}

/// A text whose parts between backticks are code. An address in it may be broken after a slash.
fn with_code(text: &str) -> Markup {
    let breakable = |part: &str| {
        html! {
            @for piece in part.split_inclusive('/') {
                (piece) @if piece.ends_with('/') { wbr; }
            }
        }
    };
    html! {
        @for (n, part) in text.split('`').enumerate() {
            @if n % 2 == 1 { code { (breakable(part)) } } @else { (breakable(part)) }
        }
    }
}
