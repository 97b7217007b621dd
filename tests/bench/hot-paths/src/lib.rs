//! Bodies of 2 KB as sources post them: a CloudEvent, and a message in a format of its own.

use anyhow::{Context, Result};
use domain::source::presets::{self, Preset};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The partner of the events.
pub const PARTNER: &str = "northwind";
/// The length of a body, in bytes.
const LENGTH: usize = 2048;
/// The preset of the messages that need a mapping.
const PRESET: &str = "ninjaone";
/// A message of that product.
const MESSAGE: &str = include_str!("../../../../events/sources/ninjaone/raised.json");

/// A format of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    CloudEvents,
    /// That of a product, which a mapping translates.
    Mapped,
}

/// The preset with the mapping of [`Format::Mapped`].
///
/// # Errors
/// When it is missing.
pub fn preset() -> Result<Preset> {
    presets::latest(PRESET).with_context(|| format!("there is no preset {PRESET}"))
}

/// The body of alert number `n`.
///
/// # Errors
/// When the product's message is not as expected.
pub fn body(format: Format, n: usize) -> Result<String> {
    let mut body = match format {
        Format::CloudEvents => cloud_event(n),
        Format::Mapped => {
            let mut message: Value = serde_json::from_str(MESSAGE)?;
            message["seriesUid"] = json!(format!("series-{n}"));
            message
        }
    };
    let missing = LENGTH.saturating_sub(body.to_string().len());
    let words = "The volume has little space left. ".chars().cycle();
    let words: String = words.take(missing).collect();
    let text = match format {
        Format::CloudEvents => &mut body["data"]["description"],
        Format::Mapped => &mut body["message"],
    };
    let before = text.as_str().context("the body has no text to fill")?;
    *text = json!(format!("{before}{words}"));
    Ok(body.to_string())
}

fn cloud_event(n: usize) -> Value {
    json!({
        "specversion": "1.0",
        "id": format!("evt-{n}"),
        "source": "https://rmm.example.com/bench",
        "type": "alert.raised",
        "time": Timestamp::now().to_string(),
        "datacontenttype": "application/json",
        "data": {
            "tenant": "acme-dental",
            "tenant_name": "Acme Dental Group",
            "alert_id": format!("disk-srv-{n}"),
            "kind": "disk",
            "severity": "medium",
            "title": "Disk C: of SRV-01 is 95 % full",
            "description": "",
            "device": "SRV-01",
            "link": "https://rmm.example.com/alerts/1",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_two_kilobytes_in_each_format() {
        for format in [Format::CloudEvents, Format::Mapped] {
            assert_eq!(body(format, 7).unwrap().len(), LENGTH, "{format:?}");
        }
    }
}
