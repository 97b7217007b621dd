//! Text with places of a message in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::alert_text::{Alert, MAX_TEXT, text_of};
use super::pointer::Pointer;

/// Text with pointers in braces, such as `{/rule/description} on {/agent/name}`. `{{` is a brace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    At(Pointer),
}

impl TryFrom<String> for Template {
    type Error = &'static str;

    fn try_from(source: String) -> Result<Self, Self::Error> {
        let mut parts = vec![];
        let mut literal = String::new();
        let mut rest = source.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            literal.push_str(before);
            if let Some(after) = after.strip_prefix('{') {
                literal.push('{');
                rest = after;
                continue;
            }
            let (pointer, after) = after
                .split_once('}')
                .ok_or("a `{` needs a `}`; a brace itself is written `{{`")?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::At(Pointer::parse(pointer.to_owned())?));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        if !parts.iter().any(|part| matches!(part, Part::At(_))) {
            return Err(
                "a text has at least one pointer in braces; a constant is written with `is`",
            );
        }
        Ok(Self { source, parts })
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.source
    }
}

impl Template {
    /// The number of its parts.
    pub(super) fn size(&self) -> usize {
        self.parts.len()
    }

    /// Fills in the pointers. `None` if none of them has a text.
    pub(super) fn fill(&self, within: Alert<'_>) -> Option<String> {
        let mut text = String::new();
        let mut has_text = false;
        for part in &self.parts {
            let room = MAX_TEXT.saturating_sub(text.len());
            match part {
                Part::Literal(literal) => push_cut(&mut text, literal, room),
                Part::At(pointer) => {
                    if let Some(found) = pointer.find(within.alert).and_then(text_of) {
                        has_text |= !found.trim().is_empty();
                        push_cut(&mut text, &found, room);
                    }
                }
            }
        }
        has_text.then_some(text)
    }
}

fn push_cut(text: &mut String, more: &str, room: usize) {
    let end = (0..=room.min(more.len()))
        .rev()
        .find(|end| more.is_char_boundary(*end));
    text.push_str(&more[..end.unwrap_or_default()]);
}
