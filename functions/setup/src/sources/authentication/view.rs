//! The fields of a source's authentication, and the page on which it is changed.
//!
//! All fields are in the page. The style sheet shows those of the chosen scheme.

use domain::SourceId;
use domain::source::authentication::Authentication;
use maud::{Markup, html};
use serde::Serialize;

use super::form::{AuthenticationForm, HmacForm, SchemeForm, SchemeName};
use super::words::{
    ALGORITHMS, Choice, ENCODINGS, SCHEMES, SECRET_ENCODINGS, SIGNED, TIMESTAMP_FORMATS,
};
use crate::http::problem::Problem;
use crate::paths;
use crate::sources::view::one_path;

/// The page on which the authentication of a source is changed.
#[derive(Serialize)]
pub(super) struct AuthenticationView {
    pub(super) source: SourceId,
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) authentication: Authentication,
    /// A preset has the authentication. Only networks and response can be changed.
    pub(super) has_preset: bool,
    /// Whether it posts a format of its own, which has its own response.
    pub(super) has_response: bool,
    /// Whether a secret is accepted at present.
    pub(super) has_secret: bool,
    #[serde(skip)]
    pub(super) form: AuthenticationForm,
}

pub(super) fn render(view: &AuthenticationView) -> Result<Markup, Problem> {
    let fields = Fields::new(&view.form);
    Ok(html! {
        h2 { "Authentication of " (view.name) }
        @if view.has_preset {
            p { "The authentication of this product is known, and cannot be changed. You can limit the networks from which it posts, and change the response." }
        }
        form method="post" action=(paths::SOURCE_AUTHENTICATION) {
            input type="hidden" name="source" value=(view.source);
            input type="hidden" name="version" value=(view.version);
            @if !view.has_preset {
                (fields.schemes())
                @if view.has_secret { (secret_choice()) }
            }
            (fields.networks())
            @if view.has_response { (fields.response()) }
            p class="note" {
                "The change takes effect within five minutes."
                @if !view.has_preset { " From then on, messages with the present authentication are refused: change the settings at the vendor too." }
            }
            button { "Save" }
        }
        p { a href=(one_path(&view.source)?) { "The source " (view.name) } }
    })
}

/// What happens to the present secret.
fn secret_choice() -> Markup {
    html! {
        fieldset {
            legend { "The present secret" }
            label class="choice" {
                input type="radio" name="secret" value="keep" checked;
                span { "Keep it. The vendor uses the same secret with the new authentication." }
            }
            label class="choice" {
                input type="radio" name="secret" value="end";
                span { "End it. Every message is refused until you make or enter another secret on the next page." }
            }
        }
    }
}

/// The fields of the form, with its values.
pub(crate) struct Fields<'a> {
    form: &'a AuthenticationForm,
}

/// A text field.
struct Text<'a> {
    name: &'a str,
    label: &'a str,
    note: &'a str,
    value: &'a str,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(form: &'a AuthenticationForm) -> Self {
        Self { form }
    }

    /// The ways in which a source can prove itself.
    pub(crate) fn schemes(&self) -> Markup {
        let SchemeForm {
            scheme: chosen,
            header,
            parameter,
            member,
            encoding,
            hmac,
        } = &self.form.authentication;
        let text = |name, label, note, value| {
            self.text(&Text {
                name,
                label,
                note,
                value,
            })
        };
        let fields = |scheme| match scheme {
            SchemeName::Bearer => html! {},
            SchemeName::Basic => html! {
                p class="soft" { "The user is chosen with the secret, on the next page." }
            },
            SchemeName::Header => text(
                "authentication[header]",
                "Name of the header",
                "As the vendor sends it, or any name if you can choose it there.",
                header,
            ),
            SchemeName::Query => text(
                "authentication[parameter]",
                "Name of the parameter",
                "For vendors that let you enter nothing but an address.",
                parameter,
            ),
            SchemeName::BodyMember => text(
                "authentication[member]",
                "Place of the secret in the message",
                "A JSON Pointer, such as /routing_key.",
                member,
            ),
            SchemeName::StandardWebhooks => select(
                "authentication[encoding]",
                "Form of the secret",
                &SECRET_ENCODINGS,
                *encoding,
            ),
            SchemeName::Hmac => self.hmac(hmac),
        };
        html! {
            fieldset {
                legend { "Authentication" }
                @for (scheme, name, words) in SCHEMES {
                    div class="scheme" {
                        label class="choice" {
                            input type="radio" name="authentication[scheme]" value=(name) checked[scheme == *chosen];
                            span { (words) }
                        }
                        div class="fields" { (fields(scheme)) }
                    }
                }
            }
        }
    }

    fn hmac(&self, form: &HmacForm) -> Markup {
        let text = |name, label, note, value| {
            self.text(&Text {
                name,
                label,
                note,
                value,
            })
        };
        html! {
            (text("authentication[hmac][header]", "Header with the signature", "Such as X-Hub-Signature-256.", &form.header))
            (select("authentication[hmac][algorithm]", "Algorithm", &ALGORITHMS, form.algorithm))
            (select("authentication[hmac][encoding]", "The signature is written in", &ENCODINGS, form.encoding))
            (text("authentication[hmac][prefix]", "Text before the signature", "Such as sha256=. Often there is none.", &form.prefix))
            (select("authentication[hmac][signed]", "What is signed", &SIGNED, form.signed))
            (text("authentication[hmac][timestamp_header]", "Header with the time", "Needed if the time is signed. Without it, an old message can be sent again by others.", &form.timestamp_header))
            (select("authentication[hmac][timestamp_format]", "The time is written in", &TIMESTAMP_FORMATS, form.timestamp_format))
            (text("authentication[hmac][tolerance_s]", "Largest difference of the time, in seconds", "From 1 to 3600.", &form.tolerance_s))
            (text("authentication[hmac][id_header]", "Header with the id of the message", "Needed only if the id is signed.", &form.id_header))
            (select("authentication[hmac][secret]", "The secret is written as", &SECRET_ENCODINGS, form.secret))
        }
    }

    pub(crate) fn networks(&self) -> Markup {
        html! {
            label for="networks" { "Networks from which it posts" }
            textarea id="networks" name="networks" rows="3" spellcheck="false" aria-describedby="networks-note" { (self.form.networks) }
            small id="networks-note" { "One address or network a line, such as 203.0.113.0/24. Empty: any. This is checked besides the authentication." }
        }
    }

    pub(crate) fn response(&self) -> Markup {
        let response = &self.form.response;
        html! {
            (self.text(&Text {
                name: "response[status]",
                label: "Status of the response to its messages",
                note: "From 200 to 299. Usually 202. Some vendors expect 200.",
                value: &response.status,
            }))
            (self.text(&Text {
                name: "response[body]",
                label: "Body of the response",
                note: "Only if the vendor expects one.",
                value: &response.body,
            }))
        }
    }

    fn text(&self, text: &Text<'_>) -> Markup {
        let Text {
            name,
            label,
            note,
            value,
        } = text;
        html! {
            label for=(name) { (label) }
            input id=(name) name=(name) value=(value) autocomplete="off" spellcheck="false" maxlength="1024" aria-describedby={ (name) "-note" };
            small id={ (name) "-note" } { (note) }
        }
    }
}

fn select<T: Copy + PartialEq>(
    name: &str,
    label: &str,
    choices: &[Choice<T>],
    chosen: T,
) -> Markup {
    html! {
        label for=(name) { (label) }
        select id=(name) name=(name) {
            @for (value, option, words) in choices {
                option value=(option) selected[*value == chosen] { (words) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws::secrets::SourceDocument;
    use serde_json::json;

    use super::*;

    fn view(scheme: serde_json::Value) -> AuthenticationView {
        let document = SourceDocument {
            authentication: serde_json::from_value(scheme).unwrap(),
            ..SourceDocument::default()
        };
        AuthenticationView {
            source: SourceId::parse("src_abcdefghijklmnopqrstuvwxyz").unwrap(),
            name: "Backup & more".to_owned(),
            version: 3,
            has_preset: false,
            has_response: true,
            has_secret: true,
            form: AuthenticationForm::of(&document),
            authentication: document.authentication,
        }
    }

    #[test]
    fn the_page_has_what_was_chosen() {
        let scheme = json!({ "scheme": "hmac", "header": "x-sig", "prefix": "v1=", "signed": "body+ts", "timestamp_header": "x-time" });
        let page = render(&view(scheme)).unwrap();
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn the_authentication_of_a_preset_cannot_be_changed() {
        let mut view = view(json!({ "scheme": "bearer" }));
        view.has_preset = true;
        let page = render(&view).unwrap().0;
        assert!(!page.contains("authentication[scheme]"), "{page}");
        assert!(!page.contains("The present secret"), "{page}");
        assert!(page.contains("name=\"networks\""), "{page}");
    }
}
