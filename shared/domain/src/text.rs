//! Cleaning and cutting of texts that people, logs and ConnectWise read.

use unicode_normalization::{UnicodeNormalization as _, is_nfc};
use unicode_segmentation::UnicodeSegmentation as _;

/// Control, bidirectional and non-characters: they are invisible, can reverse a line, or are
/// rejected by SQS.
#[must_use]
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{feff}' | '\u{fdd0}'..='\u{fdef}')
        || (u32::from(c) & 0xfffe) == 0xfffe
}

/// Characters that show nothing: Unicode's default ignorable ones, and fillers that look like
/// blanks.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Removes invisible characters. Joiners and variation selectors stay where they shape what is
/// visible, as in an emoji or a Persian word: after a visible character that is not ASCII.
#[must_use]
pub fn without_invisible(text: &str) -> String {
    // Every ASCII character shows something, or is a control character.
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        let shapes = matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
            && visible
                .chars()
                .next_back()
                .is_some_and(|before| !before.is_ascii() && !before.is_whitespace());
        if shapes || !is_invisible(c) {
            visible.push(c);
        }
    }
    visible
}

/// Normalizes an identifier. White space around it and invisible characters are removed, and an
/// accented letter is the same as one or two characters (Unicode normalization form C).
#[must_use]
pub fn identity(text: String) -> String {
    let is_clean = |text: &str| text.trim() == text && !text.contains(is_invisible);
    if text.is_ascii() && is_clean(&text) || is_clean(&text) && is_nfc(&text) {
        return text;
    }
    let visible: String = text.chars().filter(|&c| !is_invisible(c)).nfc().collect();
    visible.trim().to_owned()
}

fn is_printable_ascii(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Makes one line: unprintable characters and line breaks become single spaces, and the ends are
/// trimmed.
#[must_use]
pub fn one_line(text: &str) -> String {
    // Most texts are plain already. Bytes are compared much faster than characters are decoded.
    if text.bytes().all(is_printable_ascii) && text.trim() == text && !text.contains("  ") {
        return text.to_owned();
    }
    let spaced: String = text
        .chars()
        .map(|c| if is_unprintable(c) { ' ' } else { c })
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cleans several lines: `\r\n` and `\r` become `\n`, tabs stay, other unprintable characters are
/// removed.
#[must_use]
pub fn lines(text: &str) -> String {
    let is_plain = |byte| matches!(byte, b'\n' | b'\t') || is_printable_ascii(byte);
    if text.bytes().all(is_plain) {
        return text.to_owned();
    }
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    unified
        .chars()
        .filter(|&c| c == '\n' || c == '\t' || !is_unprintable(c))
        .collect()
}

/// Cuts to at most `limit` characters, at a grapheme boundary, and adds an ellipsis.
///
/// ConnectWise counts UTF-16 units, as .NET does, so this function does too: an emoji counts two.
#[must_use]
pub fn cut_to_chars(text: &str, limit: usize) -> String {
    cut(text, limit, |part| part.encode_utf16().count(), 1)
}

/// Cuts to at most `limit` bytes of UTF-8, at a grapheme boundary, and adds an ellipsis.
#[must_use]
pub fn cut_to_bytes(text: &str, limit: usize) -> String {
    cut(text, limit, str::len, '…'.len_utf8())
}

fn cut(text: &str, limit: usize, size: impl Fn(&str) -> usize, ellipsis: usize) -> String {
    if size(text) <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub(ellipsis);
    let mut used = 0;
    let mut kept = String::new();
    for grapheme in text.graphemes(true) {
        used += size(grapheme);
        if used > room {
            break;
        }
        kept.push_str(grapheme);
    }
    let mut kept = kept.trim_end().to_owned();
    kept.push('…');
    kept
}

/// The messages of an error and of its sources, for errors whose `Debug` would print whole
/// responses.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some errors repeat their source.
        if !words.ends_with(&more) {
            words.push_str(": ");
            words.push_str(&more);
        }
        cause = error.source();
    }
    words
}

/// Whether ConnectWise treats two names as the same: it compares without case. Blanks around a name
/// are ignored too, since people do not see them.
#[must_use]
pub fn is_same_name(one: &str, other: &str) -> bool {
    folded_name(one) == folded_name(other)
}

/// The key under which names that ConnectWise treats as the same are equal.
#[must_use]
pub fn folded_name(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Whether a text contains one of these words, in any case, also if the text is JSON.
#[must_use]
pub fn mentions(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    words.iter().filter(|word| !word.is_empty()).any(|word| {
        let word = word.to_lowercase();
        let escaped = serde_json::Value::from(word.as_str()).to_string();
        text.contains(&word) || text.contains(escaped.trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_grapheme_and_marked() {
        assert_eq!(cut_to_chars("abcdef", 6), "abcdef");
        assert_eq!(cut_to_chars("abcdefg", 6), "abcde…");
        // Four people joined to one family: eleven UTF-16 units that are cut together.
        let family = "👨‍👩‍👧‍👦";
        assert_eq!(cut_to_chars(&format!("ab{family}"), 8), "ab…");
        assert_eq!(cut_to_bytes("ééé", 5), "é…");
    }

    #[test]
    fn an_error_chain_names_each_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{words}")]
        struct ChainedError {
            words: &'static str,
            source: Option<Box<ChainedError>>,
        }
        let words = ["no call", "no connection", "refused"];
        let err = words.into_iter().rev().fold(None, |source, words| {
            Some(Box::new(ChainedError { words, source }))
        });
        let err = ChainedError {
            words: "failed: no call",
            source: err,
        };
        assert_eq!(chain(&err), "failed: no call: no connection: refused");
    }

    #[test]
    fn invisible_characters_are_removed_unless_they_shape_one() {
        for hidden in [
            "\u{200b}",
            "\u{200c}",
            "\u{200d}",
            "\u{2060}",
            "\u{3164}",
            "\u{ad}",
            "\u{feff}",
            "\u{e0041}",
            "\u{202e}",
            "\u{fe0f}",
            "\u{115f}",
            "\u{2800}",
        ] {
            assert_eq!(without_invisible(&format!("a{hidden}b{hidden}")), "ab");
            assert_eq!(identity(format!("{hidden} a{hidden}é ")), "aé");
        }
        for shaped in ["👨‍👩‍👧‍👦", "❤️", "می‌خواهم"] {
            assert_eq!(without_invisible(shaped), shaped);
        }
    }

    #[test]
    fn spellings_of_one_identifier_are_equal() {
        for (spelling, expected) in [
            ("Zu\u{308}rich", "Z\u{fc}rich"),
            // An invisible character between a letter and its accent does not separate them.
            ("e\u{200d}\u{301}", "\u{e9}"),
            ("\ta b\n", "a b"),
            ("\u{a0}a", "a"),
            // These differ for every source.
            ("A", "A"),
            ("a  b", "a  b"),
            ("\u{ff21}", "\u{ff21}"),
            ("ﬁ", "ﬁ"),
        ] {
            let identity_of = identity(spelling.to_owned());
            assert_eq!(identity_of, expected, "{spelling}");
            assert_eq!(identity(identity_of.clone()), identity_of);
        }
    }

    #[test]
    fn a_plain_text_stays_and_blanks_of_one_line_are_single() {
        for (text, expected) in [
            ("a b", "a b"),
            ("", ""),
            (" a", "a"),
            ("a ", "a"),
            ("a  b", "a b"),
            ("a\tb", "a b"),
            ("\u{e9}  b", "\u{e9} b"),
        ] {
            assert_eq!(one_line(text), expected, "{text:?}");
        }
        assert_eq!(lines("a\n\tb  c "), "a\n\tb  c ");
    }

    #[test]
    fn unprintable_characters_are_removed() {
        assert_eq!(one_line(" a\u{202e}b\r\n\u{0}c "), "a b c");
        assert_eq!(one_line("a\u{7f}b"), "a b");
        assert_eq!(lines("a\u{7f}b"), "ab");
        assert_eq!(lines("a\r\nb\rc\td\u{7}\u{2066}\u{ffff}"), "a\nb\nc\td");
    }
}
