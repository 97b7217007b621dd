//! The secret of a source: made here and shown once, or entered as the vendor issued it.

use maud::{Markup, html};

use super::source::SourceView;
use crate::auth::session::PartnerSession;
use crate::paths;

/// A secret that was made just now.
pub(super) fn new_secret(secret: &str) -> Markup {
    html! {
        div class="note" role="status" {
            p { "This is the secret. Copy it now: it is shown only this once." }
            pre data-copy="the secret" tabindex="0" role="region" aria-label="The secret" { (secret) }
        }
    }
}

pub(super) fn secret_form(view: &SourceView, session: &PartnerSession) -> Markup {
    let of = &view.listed;
    let action = session.action(paths::SOURCE_SECRET);
    let hidden = html! {
        input type="hidden" name="source" value=(of.id);
        input type="hidden" name="version" value=(view.version);
    };
    let vendor = html! {
        form method="post" action=(action) {
            (hidden)
            label for="secret" { "Secret that the vendor shows" }
            input id="secret" name="secret" type="password" required autocomplete="off" maxlength="512";
            p { button { "Save the secret" } }
        }
    };
    let own = |words: &str| {
        html! {
            form method="post" action=(action) data-render {
                (hidden)
                button { (words) }
            }
        }
    };
    html! {
        h2 { "Secret" }
        @if of.needs_secret {
            p class="warn" { "Until the source has its secret, each of its messages is refused." }
            @if view.has_vendor_secret {
                p { "The vendor makes the secret. Enter the address there first, then copy the secret to here." }
                (vendor)
            } @else {
                (own("Make the secret"))
            }
        } @else {
            details {
                summary { "Replace the secret" }
                p { "The secret before is accepted for 24 more hours." }
                @if view.has_vendor_secret { (vendor) } @else { (own("Make a new secret")) }
            }
        }
    }
}
