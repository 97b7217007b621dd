//! Shows a form again as it was sent, with the problem at its field.
//!
//! It changes the HTML of the page that has the form, so no form needs code of its own for it. All
//! of that HTML is written by `maud`: a value is in double quotes, and the characters `<`, `>` and
//! `"` of a text are escaped, so a tag ends at the next `>`.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use axum::http::StatusCode;
use maud::html;

use crate::http::problem::Problem;

/// The id of the problem's text.
const PROBLEM: &str = "problem";
/// The version of what a form changes is that of the page on which the person typed.
const VERSION: &str = "version";

/// A form as a browser sent it.
pub(crate) struct SentForm<'a> {
    /// The address to which it was sent, relative to its page.
    pub(crate) action: &'a str,
    pub(crate) fields: &'a [(String, String)],
    /// The page that has the form.
    pub(crate) page: &'a str,
    /// As `action`, with the address of the page.
    pub(crate) next_action: &'a str,
}

/// The page with the form as it was sent. `None` if the page does not have this form.
pub(crate) fn refill(page: &str, sent: &SentForm<'_>, problem: &Problem) -> Option<String> {
    let form = find_form(page, sent)?;
    let (before, rest) = page.split_at_checked(form.start)?;
    let (html, after) = rest.split_at_checked(form.len())?;
    let title = format!("<title>{} · ", escape(problem.title));
    let before = before.replacen("<title>", &title, 1);
    Some(before + &Refill::new(sent, problem).form(html) + after)
}

/// The place of the form that was sent: its address and its hidden fields are equal. Of several, it
/// is the one with the most fields to fill in.
fn find_form(page: &str, sent: &SentForm<'_>) -> Option<Range<usize>> {
    let starts = page.match_indices("<form ").map(|(start, _)| start);
    let forms = starts.filter_map(|start| {
        let end = page.get(start..)?.find("</form>")?;
        Some(start..start + end)
    });
    let fields = |form: &Range<usize>| {
        let tags = tags(page.get(form.clone())?);
        let goes_there = |tag: &Tag<'_>| {
            let names = ["action", "formaction"].map(|name| tag.get(name));
            names.contains(&Some(sent.action.to_owned()))
        };
        if !tags.iter().any(goes_there) {
            return None;
        }
        let (hidden, others): (Vec<_>, Vec<_>) = tags
            .iter()
            .filter(|tag| tag.get("name").is_some())
            .partition(|tag| tag.is_hidden());
        let is_equal = |tag: &&Tag<'_>| {
            let (name, value) = (tag.get("name"), tag.get("value").unwrap_or_default());
            let is_sent = |of: &&(String, String)| name.as_ref() == Some(&of.0) && value == of.1;
            name.as_deref() == Some(VERSION) || sent.fields.iter().any(|of| is_sent(&of))
        };
        hidden.iter().all(is_equal).then_some(others.len())
    };
    let found = forms.filter_map(|form| Some((fields(&form)?, form)));
    found
        .max_by_key(|(fields, _)| *fields)
        .map(|(_, form)| form)
}

/// Where the problem's text comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ProblemPlace {
    /// The field was not found yet.
    Unknown,
    /// After this closing tag.
    After(&'static str),
    Shown,
}

/// What is known while a form is read from its begin to its end.
struct Refill<'a> {
    sent: &'a SentForm<'a>,
    problem: &'a Problem,
    html: Vec<String>,
    /// How many text fields of a name were filled.
    filled: HashMap<String, usize>,
    /// Where the open `<details>` are in `html`.
    details: Vec<usize>,
    is_in_label: bool,
    /// The values of the list that is open.
    chosen: Option<Vec<String>>,
    is_in_textarea: bool,
    place: ProblemPlace,
}

impl<'a> Refill<'a> {
    fn new(sent: &'a SentForm<'a>, problem: &'a Problem) -> Self {
        Self {
            sent,
            problem,
            html: vec![],
            filled: HashMap::new(),
            details: vec![],
            is_in_label: false,
            chosen: None,
            is_in_textarea: false,
            place: ProblemPlace::Unknown,
        }
    }

    fn form(mut self, html: &str) -> String {
        for part in parts(html) {
            match Tag::parse(part) {
                Some(tag) => self.tag(tag, part),
                // The text that was sent is in its place.
                None if self.is_in_textarea => {}
                None => self.html.push(part.to_owned()),
            }
        }
        if self.place == ProblemPlace::Unknown {
            let words = self.words();
            // After the form's own tag.
            self.html.insert(1, words);
        }
        self.html.concat()
    }

    fn tag(&mut self, mut tag: Tag<'_>, part: &str) {
        for name in ["action", "formaction"] {
            if tag.get(name).as_deref() == Some(self.sent.action) {
                tag.set(name, self.sent.next_action);
            }
        }
        match tag.name {
            "input" | "select" | "textarea" => return self.field(tag),
            "option" => {
                if let Some(chosen) = &self.chosen {
                    let value = tag.get("value").unwrap_or_default();
                    tag.set_flag("selected", chosen.contains(&value));
                }
            }
            "details" => self.details.push(self.html.len()),
            "/details" => {
                self.details.pop();
            }
            "label" => self.is_in_label = true,
            "/label" => self.is_in_label = false,
            "/select" => self.chosen = None,
            "/textarea" => self.is_in_textarea = false,
            _ => {}
        }
        let is_changed = !tag.name.starts_with('/');
        self.html.push(if is_changed {
            tag.to_string()
        } else {
            part.to_owned()
        });
        if let ProblemPlace::After(end) = self.place
            && end == tag.name
        {
            self.show_problem();
        }
    }

    /// A field of the form, with the value that was sent. Secrets are not filled in.
    fn field(&mut self, mut tag: Tag<'_>) {
        let name = tag.get("name").unwrap_or_default();
        let values = self.values(&name);
        let kind = tag.get("type").unwrap_or_default();
        let mut text = String::new();
        match (tag.name, kind.as_str()) {
            ("input", "password" | "file") => {}
            ("input", "checkbox" | "radio") => {
                let value = tag.get("value").unwrap_or_default();
                tag.set_flag("checked", values.contains(&value));
            }
            ("select", _) if values.is_empty() && !tag.has("multiple") => {}
            ("select", _) => self.chosen = Some(values),
            (field, _) => {
                let n = self.filled.entry(name.clone()).or_default();
                if let Some(value) = values.get(*n) {
                    if field == "textarea" {
                        // A browser drops a line break at the begin.
                        text = format!("\n{}", escape(value));
                        self.is_in_textarea = true;
                    } else {
                        tag.set("value", value);
                    }
                }
                *n += 1;
            }
        }
        let is_wrong = self.place == ProblemPlace::Unknown && self.is_of_problem(&tag, &name);
        if is_wrong {
            self.mark(&mut tag);
        }
        self.html.push(tag.to_string() + &text);
        if is_wrong {
            match (self.is_in_label, tag.name) {
                (true, _) => self.place = ProblemPlace::After("/label"),
                (false, "select") => self.place = ProblemPlace::After("/select"),
                (false, "textarea") => self.place = ProblemPlace::After("/textarea"),
                (false, _) => self.show_problem(),
            }
        }
    }

    /// What was sent for the fields of a name.
    fn values(&self, name: &str) -> Vec<String> {
        let sent = self.sent.fields.iter().filter(|(of, _)| of == name);
        sent.map(|(_, value)| value.clone()).collect()
    }

    /// Whether the problem is about this field, or about the list of boxes that it belongs to.
    fn is_of_problem(&self, tag: &Tag<'_>, name: &str) -> bool {
        let Some(field) = self.problem.field.as_deref().filter(|of| !of.is_empty()) else {
            return false;
        };
        let is_named = [name, name.trim_end_matches("[]")].contains(&field)
            || tag.get("id").as_deref() == Some(field);
        is_named && !tag.is_hidden()
    }

    fn mark(&mut self, tag: &mut Tag<'_>) {
        let described = tag.get("aria-describedby");
        let ids = described.map_or_else(|| PROBLEM.to_owned(), |ids| format!("{PROBLEM} {ids}"));
        tag.set("aria-describedby", &ids);
        tag.set("aria-errormessage", PROBLEM);
        tag.set("aria-invalid", "true");
        tag.set_flag("autofocus", true);
        for at in &self.details {
            if let Some(details) = self.html.get_mut(*at)
                && let Some(mut open) = Tag::parse(details)
            {
                open.set_flag("open", true);
                *details = open.to_string();
            }
        }
    }

    fn show_problem(&mut self) {
        self.place = ProblemPlace::Shown;
        let words = self.words();
        self.html.push(words);
    }

    fn words(&self) -> String {
        let is_outdated = self.problem.status == StatusCode::CONFLICT;
        let words = html! {
            p class="problem" id=(PROBLEM) role="alert" data-problem {
                @if is_outdated { (self.problem.title) ". " }
                (self.problem.detail)
                @if is_outdated { " " a href=(self.sent.page) { "Load the page again" } }
            }
        };
        words.into_string()
    }
}

/// A tag, its values as they are in the page.
struct Tag<'a> {
    /// With `/` for a closing tag.
    name: &'a str,
    attributes: Vec<(&'a str, Option<String>)>,
}

impl<'a> Tag<'a> {
    /// `None` if this is a text.
    fn parse(part: &'a str) -> Option<Self> {
        let inner = part.strip_prefix('<')?.strip_suffix('>')?;
        let (name, mut rest) = inner.split_once(' ').unwrap_or((inner, ""));
        let mut attributes = vec![];
        while !rest.trim_start().is_empty() {
            rest = rest.trim_start();
            let end = rest.find([' ', '=']).unwrap_or(rest.len());
            let (attribute, after) = rest.split_at_checked(end)?;
            let value = after.strip_prefix("=\"").and_then(|of| of.split_once('"'));
            attributes.push((attribute, value.map(|(value, _)| value.to_owned())));
            rest = value.map_or(after, |(_, after)| after);
        }
        Some(Self { name, attributes })
    }

    fn is_hidden(&self) -> bool {
        self.get("type").as_deref() == Some("hidden")
    }

    fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|(of, _)| *of == name)
    }

    fn get(&self, name: &str) -> Option<String> {
        let (_, value) = self.attributes.iter().find(|(of, _)| *of == name)?;
        value.as_deref().map(unescape)
    }

    fn set(&mut self, name: &'a str, value: &str) {
        self.set_flag(name, false);
        self.attributes.push((name, Some(escape(value))));
    }

    fn set_flag(&mut self, name: &'a str, is_set: bool) {
        self.attributes.retain(|(of, _)| *of != name);
        if is_set {
            self.attributes.push((name, None));
        }
    }
}

impl fmt::Display for Tag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}", self.name)?;
        for (name, value) in &self.attributes {
            match value {
                Some(value) => write!(f, " {name}=\"{value}\"")?,
                None => write!(f, " {name}")?,
            }
        }
        f.write_str(">")
    }
}

/// The tags and the texts of HTML, in their order.
fn parts(html: &str) -> impl Iterator<Item = &str> {
    let pieces = html.split_inclusive('>');
    let pieces = pieces.flat_map(|piece| {
        let tag = piece.find('<').unwrap_or(piece.len());
        let (text, tag) = piece.split_at_checked(tag).unwrap_or((piece, ""));
        [text, tag]
    });
    pieces.filter(|part| !part.is_empty())
}

fn tags(html: &str) -> Vec<Tag<'_>> {
    parts(html).filter_map(Tag::parse).collect()
}

fn escape(text: &str) -> String {
    html! { (text) }.into_string()
}

fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    text.replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> String {
        let page = html! {
            title { "Page" }
            form method="post" action="other" { input name="site" value="other"; }
            form method="post" action="save" { input type="hidden" name="tenant" value="b"; input name="site"; }
            form method="post" action="save" {
                input type="hidden" name="tenant" value="a";
                input type="hidden" name="version" value="4";
                label for="site" { "Site" }
                input id="site" name="site" required value="stored" aria-describedby="help";
                input name="key" type="password";
                details { summary { "More" } textarea name="lines" { "stored & text" } }
                select name="team" { option value="" { "none" } option value="1" selected { "One" } option value="2" { "Two" } }
                select name="kinds[]" multiple { option value="x" selected { "X" } option value="y" { "Y" } }
                label { input type="checkbox" name="on[]" value="m" checked; " M" }
                label { input type="checkbox" name="on[]" value="n"; " N" }
                button formaction="try" { "Try" }
            }
            p { "after" }
        };
        page.into_string()
    }

    fn shown(problem: &Problem, action: &str) -> Option<String> {
        let fields = [
            ("tenant", "a"),
            ("version", "3"),
            ("site", "<\"typed\" & more>"),
            ("key", "secret"),
            ("lines", "\n<b>"),
            ("team", "2"),
            ("on[]", "n"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let sent = SentForm {
            action,
            fields: &fields,
            page: "/pages/save?tenant=a",
            next_action: &format!("{action}?form_of=x"),
        };
        let shown = refill(&page(), &sent, problem)?;
        Some(shown.replace("><", ">\n<"))
    }

    #[test]
    fn a_form_has_what_was_typed_and_the_problem_at_its_field() {
        let problem = Problem::invalid("site", "It is <no> site.");
        insta::assert_snapshot!(shown(&problem, "save").unwrap());
    }

    #[test]
    fn a_problem_is_beside_the_field_that_it_is_about() {
        for (field, expected) in [
            ("lines", "</textarea>\n<p class=\"problem\""),
            ("team", "</select>\n<p class=\"problem\""),
            ("on", "</label>\n<p class=\"problem\""),
            (
                "tenant",
                "<form method=\"post\" action=\"save?form_of=x\">\n<p class=\"problem\"",
            ),
            (
                "",
                "<form method=\"post\" action=\"save?form_of=x\">\n<p class=\"problem\"",
            ),
        ] {
            let page = shown(&Problem::invalid(field, "No."), "save").unwrap();
            assert!(page.contains(expected), "{field}: {page}");
            assert_eq!(page.contains("<details open>"), field == "lines");
            let described = page.matches("aria-describedby=\"problem").count();
            assert_eq!(described, usize::from(!["tenant", ""].contains(&field)));
        }
        let page = shown(&Problem::conflict(), "save").unwrap();
        assert!(page.contains("href=\"/pages/save?tenant=a\""), "{page}");
        assert!(
            page.contains(&format!("{}. Nothing", Problem::conflict().title)),
            "{page}"
        );
    }

    #[test]
    fn a_button_with_an_address_of_its_own_sends_the_form_too() {
        let page = shown(&Problem::refused("No."), "try").unwrap();
        assert!(page.contains("formaction=\"try?form_of=x\""), "{page}");
        assert!(page.contains("action=\"save\""), "{page}");
        assert!(shown(&Problem::refused("No."), "unknown").is_none());
    }
}
