//! Names of companies, compared as people compare them: without case, accents, punctuation and
//! legal forms. ConnectWise compares names in a narrower way, see [`crate::text::folded_name`].

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Legal forms as they are spelled without punctuation. They say how a company is incorporated, and
/// sources often leave them out.
const LEGAL_FORMS: &[&str] = &[
    "ab",
    "ag",
    "aps",
    "as",
    "bv",
    "bvba",
    "co",
    "company",
    "corp",
    "corporation",
    "cv",
    "doo",
    "ek",
    "eirl",
    "ev",
    "eurl",
    "gbr",
    "gmbh",
    "hf",
    "inc",
    "incorporated",
    "kft",
    "kg",
    "kgaa",
    "kk",
    "lda",
    "limited",
    "llc",
    "llp",
    "lp",
    "ltd",
    "ltda",
    "mbh",
    "nv",
    "ohg",
    "oy",
    "oyj",
    "pc",
    "plc",
    "pllc",
    "pte",
    "pty",
    "pvt",
    "sa",
    "sarl",
    "sas",
    "sasu",
    "se",
    "sl",
    "slu",
    "spa",
    "spzoo",
    "srl",
    "sro",
    "ug",
];
/// Letters that have no accent to remove, and how they are usually written without it.
const LETTERS: &[(char, &str)] = &[
    ('ß', "ss"),
    ('æ', "ae"),
    ('œ', "oe"),
    ('ø', "o"),
    ('đ', "d"),
    ('ð', "d"),
    ('þ', "th"),
    ('ł', "l"),
    ('ı', "i"),
];

/// What is compared of a name: its words in lower case, separated by single spaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameKey(String);

impl NameKey {
    /// The key of a name. It is empty for a name without any letter or digit.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let plain = plain_letters(name);
        let words: Vec<&str> = plain.split_whitespace().collect();
        Self(without_legal_forms(&words).join(" "))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|word| !word.is_empty())
    }
}

/// How similar two names are, from 0 to 1. The order of the words does not matter. Names whose
/// numbers differ are not similar: "Clinic 12" and "Clinic 13" are two customers.
#[must_use]
pub fn similarity(one: &NameKey, other: &NameKey) -> f64 {
    let numbers = |key: &NameKey| {
        let has_digit = |word: &&str| word.chars().any(char::is_numeric);
        let mut numbers: Vec<_> = key.words().filter(has_digit).map(str::to_owned).collect();
        numbers.sort();
        numbers
    };
    if one.0.is_empty() || other.0.is_empty() || numbers(one) != numbers(other) {
        return 0.0;
    }
    let sorted = |key: &NameKey| {
        let mut words: Vec<_> = key.words().collect();
        words.sort_unstable();
        words.join(" ")
    };
    let as_written = strsim::jaro_winkler(&one.0, &other.0);
    as_written.max(strsim::jaro_winkler(&sorted(one), &sorted(other)))
}

/// Letters without case and accents, and digits. Apostrophes and dots join what they are in, as in
/// "B.V."; other characters separate words.
fn plain_letters(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for c in name.nfkd().flat_map(char::to_lowercase) {
        match c {
            '&' | '+' => plain.push_str(" and "),
            '.' | '\'' | '’' | '`' | '´' => {}
            _ if is_combining_mark(c) => {}
            _ => match LETTERS.iter().find(|(letter, _)| *letter == c) {
                Some((_, letters)) => plain.push_str(letters),
                None if c.is_alphanumeric() => plain.push(c),
                None => plain.push(' '),
            },
        }
    }
    plain
}

/// The words without legal forms at their end, and without what joins these, as in "GmbH & Co. KG".
/// A name of nothing else keeps all of its words.
fn without_legal_forms<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    let mut end = words.len();
    // A form in several words, such as "S. A. R. L.", is one word without its dots only if there
    // are no spaces either.
    while end > 0 {
        let single = words[..end]
            .iter()
            .rev()
            .take_while(|word| is_single_letter(word));
        let single = single.count();
        let spelled: String = words[end - single..end].concat();
        if single > 1 && LEGAL_FORMS.contains(&spelled.as_str()) {
            end -= single;
        } else if LEGAL_FORMS.contains(&words[end - 1]) {
            end -= 1;
            // What joins two forms.
            if end > 0 && words[end - 1] == "and" {
                end -= 1;
            }
        } else {
            break;
        }
    }
    if end == 0 { words } else { &words[..end] }
}

fn is_single_letter(word: &str) -> bool {
    word.chars().count() == 1 && word.chars().all(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_company_have_the_same_key() {
        for (key, spellings) in [
            (
                "acme dental",
                &[
                    "Acme Dental",
                    " ACME  dental, Inc.",
                    "Acme-Dental Ltd",
                    "Acme Dental Limited",
                    "Acme Dental B.V.",
                    "Acme Dental, S. A. R. L.",
                    "Acmé Dental Pty. Ltd.",
                    "Acme Dental GmbH & Co. KG",
                ][..],
            ),
            (
                "baker and sons",
                &["Baker & Sons", "BAKER AND SONS LLC", "Baker + Sons"],
            ),
            ("joes diner", &["Joe's Diner", "Joe’s Diner"]),
            ("strasse", &["Straße", "STRASSE"]),
            ("smorrebrod", &["Smørrebrød ApS"]),
            ("東京電力", &["東京電力", " 東京電力 K.K."]),
            // A name of legal forms alone.
            ("co ltd", &["Co. Ltd."]),
            ("", &["", "…", "🙂"]),
        ] {
            for spelling in spellings {
                assert_eq!(NameKey::of(spelling).as_str(), key, "{spelling}");
            }
        }
    }

    #[test]
    fn similar_names_are_those_that_a_person_would_compare() {
        let similarity = |one, other| similarity(&NameKey::of(one), &NameKey::of(other));
        for (one, other) in [
            ("Cedar Valley Clinic", "Cedar Vally Clinic"),
            ("Cedar Valley Clinic", "Clinic Cedar Valley"),
            ("Contoso", "Contosso Ltd"),
            ("Acme Dental", "Acme Dental Group"),
        ] {
            assert!(similarity(one, other) > 0.9, "{one} {other}");
        }
        for (one, other) in [
            ("Clinic 12", "Clinic 13"),
            ("Cedar Valley Clinic", "Dunmore Logistics"),
            ("", "Acme"),
            ("", ""),
        ] {
            assert!(similarity(one, other) < 0.8, "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(name in any::<String>()) {
            let key = NameKey::of(&name);
            prop_assert_eq!(NameKey::of(&key.0), key);
        }

        #[test]
        fn similarity_is_symmetric_and_highest_for_equal_names(one in "[A-Za-z0-9 .&]{0,20}", other in "\\PC{0,20}") {
            let (one, other) = (NameKey::of(&one), NameKey::of(&other));
            let (there, back) = (similarity(&one, &other), similarity(&other, &one));
            prop_assert!((there - back).abs() < 1e-9, "{there} {back}");
            prop_assert!((0.0..=1.0 + 1e-9).contains(&there));
            if !one.0.is_empty() {
                prop_assert!(similarity(&one, &one) > 0.999);
            }
        }
    }
}
