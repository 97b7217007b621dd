//! The texts of an alert, cleaned and cut to length, however its source sends them.

use crate::alert::event::Payload;
use crate::text::{cut_to_bytes, lines, one_line, without_invisible};
use crate::{AlertId, Kind};

/// The longest stored description, in bytes. With the rest of a record it stays far below the
/// table's limit.
pub(crate) const MAX_DESCRIPTION: usize = 32 * 1024;

const MAX_LINE: usize = 512;

const MAX_LINK: usize = 2048;

/// The texts as they were received.
#[derive(Debug, Default)]
pub(crate) struct AlertTexts {
    pub(crate) title: Option<String>,
    pub(crate) description: String,
    pub(crate) tenant_name: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) user: Option<String>,
    /// A checked address, see [`web_address`].
    pub(crate) link: Option<String>,
}

impl AlertTexts {
    /// Cleans the texts. Returns also whether there was a title; otherwise kind and id replace it.
    pub(crate) fn payload(self, kind: &Kind, alert_id: &AlertId) -> (Payload, bool) {
        let title = line(self.title);
        let has_title = title.is_some();
        let title = title.unwrap_or_else(|| cut_to_bytes(&format!("{kind}: {alert_id}"), MAX_LINE));
        let description = without_invisible(&lines(&self.description));
        let payload = Payload {
            title,
            description: cut_to_bytes(&description, MAX_DESCRIPTION),
            tenant_name: line(self.tenant_name),
            device: line(self.device),
            user: line(self.user),
            link: self.link,
        };
        (payload, has_title)
    }
}

pub(crate) fn line(text: Option<String>) -> Option<String> {
    text.map(|text| cut_to_bytes(&without_invisible(&one_line(&text)), MAX_LINE))
        .filter(|text| !text.trim().is_empty())
}

/// Normalizes a kind as sources write it: in any case, and with a space or hyphen instead of the
/// underscore.
pub(crate) fn kind_word(text: &str) -> String {
    text.trim().to_ascii_lowercase().replace([' ', '-'], "_")
}

pub(crate) fn known_kind(text: &str) -> Option<Kind> {
    Kind::parse(kind_word(text)).ok()
}

/// Parses a web address. `Some(None)` for an empty text, `None` for anything else.
#[expect(
    clippy::option_option,
    reason = "absent, unusable and usable are three cases"
)]
pub(crate) fn web_address(text: &str) -> Option<Option<String>> {
    let link = text.trim();
    if link.is_empty() {
        return Some(None);
    }
    let (scheme, rest) = link.split_once("://")?;
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let has_host = rest.starts_with(|c: char| c.is_alphanumeric() || c == '[');
    let is_plain = !link.contains(|c: char| {
        c.is_whitespace() || crate::text::is_unprintable(c) || crate::text::is_invisible(c)
    });
    (is_web && has_host && is_plain && link.len() <= MAX_LINK).then(|| Some(link.to_owned()))
}
