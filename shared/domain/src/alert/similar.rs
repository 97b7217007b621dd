//! Similar alert ids: ids that differ only in case, Unicode normalization, white space or invisible
//! characters.
//!
//! Two similar ids name two alerts, since a source may mean that. But a system between the source
//! and Ticketbridge may have rewritten one of them. So an alert does not count as absent while a
//! snapshot lists a similar id.

use unicode_normalization::UnicodeNormalization as _;

use crate::text::{is_invisible, is_unprintable};

/// Returns the form that similar ids share. It is only compared, never stored or shown.
#[must_use]
pub fn form(id: &str) -> String {
    let is_seen = |c: &char| !(c.is_whitespace() || is_unprintable(*c) || is_invisible(*c));
    // Some characters have several upper-case or lower-case forms. Converting to upper case and
    // then to lower case unifies them.
    let one_case = |text: &str| -> String {
        let upper = text.chars().flat_map(char::to_uppercase);
        upper.flat_map(char::to_lowercase).filter(is_seen).collect()
    };
    // A second pass, since a change of case or the removal of a character can leave parts that
    // compose.
    let once = one_case(&id.nfkc().collect::<String>());
    one_case(&once.nfkc().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_look_alike_are_similar() {
        let similar = [
            ("disk-C", "DISK-c", "case"),
            ("straße", "STRASSE", "case that changes the length"),
            ("σίγμας", "ΣΊΓΜΑΣ", "case that depends on the place"),
            ("caf\u{e9}", "cafe\u{301}", "composed and decomposed"),
            ("CAFE\u{301}", "caf\u{e9}", "decomposed, in capitals"),
            (
                "e\u{200b}\u{301}",
                "\u{e9}",
                "decomposed around an invisible character",
            ),
            ("ｄｉｓｋ１", "disk1", "compatibility: full width"),
            ("ﬁle", "file", "compatibility: a ligature"),
            (
                "\u{212a}elvin",
                "kelvin",
                "compatibility: a sign that is a letter",
            ),
            ("\u{1100}\u{1161}", "\u{ac00}", "Korean syllables"),
            ("a b", "ab", "a space"),
            ("a\u{a0}b", "a b", "a space that does not break"),
            ("a\u{3000}b", "a  b", "a wide space"),
            ("a\tb\r\n", "ab", "a tab and a line break"),
            ("a\u{200b}b", "ab", "a space of no width"),
            ("a\u{ad}b", "ab", "a soft hyphen"),
            ("a\u{2060}b", "ab", "a word joiner"),
            ("a\u{feff}b", "ab", "a byte order mark"),
            ("a\u{202e}b", "ab", "a change of direction"),
            ("a\u{3164}b", "ab", "a Hangul filler"),
            ("a\u{fe0f}", "a", "a variation selector"),
            ("a\u{e0041}b", "ab", "a tag"),
        ];
        for (one, other, what) in similar {
            assert_eq!(form(one), form(other), "{what}");
        }
    }

    #[test]
    fn ids_that_look_different_are_not_similar() {
        let different = [
            ("a1", "a2"),
            ("disk-1", "disk1"),
            ("host-1/12", "host-11/2"),
            ("é", "e"),
            ("0", "O"),
            ("l", "1"),
            ("а", "a"),
        ];
        for (one, other) in different {
            assert_ne!(form(one), form(other), "{one} {other}");
        }
    }
}
