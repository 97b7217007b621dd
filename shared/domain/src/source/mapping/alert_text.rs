//! One alert of a body, and the texts of its values.

use std::borrow::Cow;
use std::io::{self, Write};

use serde_json::Value;

use crate::text::cut_to_bytes;

/// The longest text that a rule yields, in bytes. What is longer is cut while it is built.
pub(super) const MAX_TEXT: usize = 40 * 1024;
/// The longest text that a rule takes from outside its alert. A batch repeats it for each alert.
const MAX_SHARED_TEXT: usize = 1024;
/// From here on, numbers that are not whole in their 64 bits may have lost digits.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// One alert of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alert<'a> {
    pub(super) alert: &'a Value,
    pub(super) body: &'a Value,
}

/// Returns the text of a value. An object or list is written as JSON, for a description.
pub(super) fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::String(text) if text.len() <= MAX_TEXT => Some(Cow::Borrowed(text)),
        Value::String(text) => Some(Cow::Owned(cut_to_bytes(text, MAX_TEXT))),
        // Two different ids could be equal once their last digits are lost.
        Value::Number(number)
            if number
                .as_f64()
                .is_none_or(|n| number.is_f64() && n.abs() >= EXACT) =>
        {
            None
        }
        Value::Bool(_) | Value::Number(_) => Some(Cow::Owned(value.to_string())),
        Value::Array(_) | Value::Object(_) => Some(Cow::Owned(short_json(value))),
    }
}

pub(super) fn shared_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Array(_) | Value::Object(_) | Value::Null => None,
        Value::String(text) if text.len() > MAX_SHARED_TEXT => {
            Some(Cow::Owned(cut_to_bytes(text, MAX_SHARED_TEXT)))
        }
        scalar @ (Value::String(_) | Value::Bool(_) | Value::Number(_)) => text_of(scalar),
    }
}

/// Writes JSON in lines, and stops at [`MAX_TEXT`].
fn short_json(value: &Value) -> String {
    let mut short = ShortText(vec![]);
    // It fails once it is full, and then has what fits.
    let _ = serde_json::to_writer_pretty(&mut short, value);
    let text = String::from_utf8_lossy(&short.0);
    text.trim_end_matches('\u{fffd}').to_owned()
}

struct ShortText(Vec<u8>);

impl Write for ShortText {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = MAX_TEXT.saturating_sub(self.0.len());
        if room == 0 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let taken = bytes.len().min(room);
        self.0.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
