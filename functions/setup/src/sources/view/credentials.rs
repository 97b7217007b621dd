//! The secret of a source: made here and shown once, or entered as the vendor issued it.

use maud::{Markup, html};

use super::source_model::SourceView;
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

pub(super) fn secret_form(view: &SourceView) -> Markup {
    let of = &view.listed;
    html! {
        h2 { "Secret" }
        @if of.needs_secret {
            p class="warn" { "Until the source has its secret, each of its messages is refused." }
            @if view.has_vendor_secret {
                p { "The vendor makes the secret. Enter the address there first, then copy the secret to here." }
                (vendor_form(view))
            } @else {
                (own_form(view, "Make the secret"))
                @if !view.has_preset {
                    details {
                        summary { "The vendor shows a secret of its own" }
                        p { "Enter the address at the vendor, then copy the secret that it shows to here." }
                        (vendor_form(view))
                    }
                }
            }
        } @else {
            details {
                summary { "Replace the secret" }
                p { "The secret before is accepted for 24 more hours." }
                @if !view.has_vendor_secret { (own_form(view, "Make a new secret")) }
                @if view.has_vendor_secret || !view.has_preset { (vendor_form(view)) }
            }
        }
    }
}

/// Makes a secret.
fn own_form(view: &SourceView, words: &str) -> Markup {
    html! {
        form method="post" action=(paths::SOURCE_SECRET) data-render {
            (hidden(view))
            (user(view, "own-user"))
            p { button { (words) } }
        }
    }
}

/// Takes the vendor's secret.
fn vendor_form(view: &SourceView) -> Markup {
    let label = match view.user {
        Some(_) => "Password that the vendor shows",
        None => "Secret that the vendor shows",
    };
    html! {
        form method="post" action=(paths::SOURCE_SECRET) {
            (hidden(view))
            (user(view, "vendor-user"))
            label for="secret" { (label) }
            input id="secret" name="secret" type="password" required autocomplete="off" maxlength="512";
            p { button { "Save the secret" } }
        }
    }
}

fn hidden(view: &SourceView) -> Markup {
    html! {
        input type="hidden" name="source" value=(view.listed.id);
        input type="hidden" name="version" value=(view.version);
    }
}

/// The user of Basic authentication.
fn user(view: &SourceView, id: &str) -> Markup {
    html! {
        @if let Some(user) = &view.user {
            label for=(id) { "User" }
            input id=(id) name="user" required maxlength="64" value=(user) autocomplete="off" spellcheck="false";
        }
    }
}
