//! An invalid member of what came in.

use crate::text::{cut_to_bytes, one_line};

/// The longest text of an [`InvalidField`], in bytes.
const MAX_QUOTED: usize = 400;

/// An invalid member of a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidField {
    /// The path of the member, such as `data.kind` or `[3].time`.
    pub field: String,
    /// What is wrong, and what is expected.
    pub problem: String,
}

impl InvalidField {
    /// Both texts can quote what was sent, so they are made short and printable here.
    pub(crate) fn new(field: impl AsRef<str>, problem: impl AsRef<str>) -> Self {
        let quoted = |text: &str| cut_to_bytes(&one_line(text), MAX_QUOTED);
        Self {
            field: quoted(field.as_ref()),
            problem: quoted(problem.as_ref()),
        }
    }
}
