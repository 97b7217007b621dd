use proptest::prelude::*;

use super::*;

fn reference(text: &str) -> ExternalXref {
    ExternalXref::parse(text).unwrap()
}

#[test]
fn an_external_reference_has_no_special_character() {
    for good in ["a", "tb1-00ff-ABC-1", &"x".repeat(100)] {
        assert_eq!(reference(good).as_str(), good);
    }
    let long = "x".repeat(101);
    for bad in [
        "", " ", "a b", "a\"", "a'", "a*", "a%", "a_b", "a)", "[a]", "a\r\n", "ä", &long,
    ] {
        assert_eq!(ExternalXref::parse(bad), Err(InvalidXref), "{bad:?}");
    }
}

#[test]
fn conditions_have_the_form_of_the_guide() {
    let (a, b) = (reference("tb1-a"), reference("tb1-b"));
    let acme = SearchText::parse("O'Brien & Söhne").unwrap();
    let open = Conditions::is_flag(ConditionField::ClosedFlag, false);
    let either = Conditions::contains(ConditionField::Name, &acme)
        .or(&Conditions::contains(ConditionField::Identifier, &acme));
    let table = [
        (
            Conditions::is_one_of(ConditionField::ExternalXref, &[&a]),
            r#"externalXRef="tb1-a""#,
        ),
        (
            Conditions::is_one_of(ConditionField::ExternalXref, &[&a, &b]),
            r#"externalXRef in ("tb1-a","tb1-b")"#,
        ),
        (
            Conditions::begins(ConditionField::ExternalXref, &a),
            r#"externalXRef like "tb1-a*""#,
        ),
        (
            Conditions::is_any_record(ConditionField::Id, &[7, 301]),
            "id in (7,301)",
        ),
        (
            open.and(&Conditions::begins(ConditionField::ExternalXref, &a)),
            r#"closedFlag=false and externalXRef like "tb1-a*""#,
        ),
        (
            either,
            r#"(name contains "O'Brien & Söhne" or identifier contains "O'Brien & Söhne")"#,
        ),
    ];
    for (conditions, expected) in table {
        assert_eq!(conditions.0, expected);
    }
    assert_eq!(escape("a b\"&+=\r\n"), "a%20b%22%26%2B%3D%0D%0A");
}

#[test]
fn a_search_uses_the_longest_literal_part() {
    let long = "x".repeat(51);
    let table = [
        ("Acme", "Acme"),
        ("  Acme \t Dental\r\n", "Acme Dental"),
        ("Smith \"The\" Dentists", "Dentists"),
        ("ab\"cd", "cd"),
        ("100%_off", "off"),
        ("a*b[c]dd\\", "dd"),
        ("\u{201c}Acme\u{201d}", "Acme"),
        ("Acme\u{202e}Dental", "Acme Dental"),
        ("株式会社アクメ", "株式会社アクメ"),
        ("x\" or identifier contains \"", "or identifier contains"),
        (&long, &long[1..]),
    ];
    for (text, expected) in table {
        assert_eq!(
            SearchText::parse(text).unwrap().as_str(),
            expected,
            "{text:?}"
        );
    }
    for nothing in [
        "",
        " ",
        "\"\"",
        "%",
        "(-)",
        "\r\n",
        "\u{201c}\u{201d}",
        "\\",
    ] {
        assert_eq!(
            SearchText::parse(nothing),
            Err(NothingToSearch),
            "{nothing:?}"
        );
    }
}

/// One token of conditions, for a parser that knows no escape.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Sign(char),
    Text(String),
}

/// A parser of conditions that shares no code with their builder. It knows both kinds of quotes.
/// The next quote of the same kind always ends a text.
fn tokens(conditions: &str) -> Option<Vec<Token>> {
    let mut seen = Vec::new();
    let mut rest = conditions.chars().peekable();
    while let Some(c) = rest.next() {
        let mut until = |end: char| {
            let mut text = String::new();
            loop {
                match rest.next() {
                    Some(c) if c == end => return Some(text),
                    Some(c) => text.push(c),
                    None => return None,
                }
            }
        };
        seen.push(match c {
            '"' | '\'' => Token::Text(until(c)?),
            ' ' => continue,
            '=' | '<' | '>' | '!' | '(' | ')' | ',' => Token::Sign(c),
            c if c.is_ascii_alphanumeric() => {
                let mut word = c.to_string();
                while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '/') {
                    word.push(c);
                }
                Token::Word(word)
            }
            _ => return None,
        });
    }
    Some(seen)
}

fn word(text: &str) -> Token {
    Token::Word(text.to_owned())
}

fn text(text: &str) -> Token {
    Token::Text(text.to_owned())
}

/// Arbitrary text that often holds special characters of the grammar or of the protocol.
fn outside() -> impl Strategy<Value = String> {
    let meaning = prop::sample::select(vec![
        "\"",
        "'",
        "\\",
        "\\\"",
        "''",
        "\"\"",
        "(",
        ")",
        "[",
        "]",
        "%",
        "*",
        "_",
        "\r\n",
        "\0",
        "\t",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{201c}",
        "\u{201d}",
        "\u{2019}",
        "\u{ff02}",
        "\u{2033}",
        "\u{202e}",
        "\u{200b}",
        "&",
        "=",
        "+",
        "#",
        ";",
        ",",
        " or ",
        " and ",
        "null",
        "a",
        "Z9",
        "\" or name!=\"",
        "%22",
        "é",
        "e\u{301}",
        "株",
    ]);
    let piece = prop_oneof![meaning.prop_map(str::to_owned), any::<String>()];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// Decodes a query's value.
fn decoded(query: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = query.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let hex = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?
            }
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => b,
            _ => return None,
        });
    }
    String::from_utf8(bytes).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_changes_the_structure_of_a_search(typed in outside()) {
        let Ok(searched) = SearchText::parse(&typed) else {
            prop_assert!(!typed.chars().any(|c| c.is_ascii_alphanumeric()), "{typed:?} has what to search for");
            return Ok(());
        };
        let conditions = Conditions::contains(ConditionField::Name, &searched)
            .or(&Conditions::contains(ConditionField::Identifier, &searched));
        let inside = searched.as_str();
        let expected = vec![
            Token::Sign('('), word("name"), word("contains"), text(inside), word("or"),
            word("identifier"), word("contains"), text(inside), Token::Sign(')'),
        ];
        prop_assert_eq!(tokens(&conditions.0), Some(expected));
        // It holds no escape, no wildcard and no look-alike of a quote.
        let meaning = ['"', '\\', '%', '*', '_', '[', ']', '\u{201c}', '\u{201d}', '\u{2019}', '\u{ff02}'];
        prop_assert!(!inside.contains(meaning), "{inside:?}");
        prop_assert!(!inside.contains(char::is_control));
        prop_assert!(inside.chars().count() <= MAX_SEARCH_TEXT);
        prop_assert!(one_line(&typed).contains(inside), "{inside:?} is not of {typed:?}");
        prop_assert!(conditions.parameter().len() < 1_500);
    }

    #[test]
    fn a_reference_is_one_text_in_every_condition(typed in prop_oneof![outside(), "[A-Za-z0-9-]{1,120}"]) {
        let Ok(xref) = ExternalXref::parse(typed.as_str()) else { return Ok(()) };
        let one = Conditions::is_one_of(ConditionField::ExternalXref, &[&xref]);
        prop_assert_eq!(tokens(&one.0), Some(vec![word("externalXRef"), Token::Sign('='), text(&typed)]));
        let begins = Conditions::begins(ConditionField::ExternalXref, &xref);
        let expected = vec![word("externalXRef"), word("like"), text(&format!("{typed}*"))];
        prop_assert_eq!(tokens(&begins.0), Some(expected));
    }

    #[test]
    fn numbers_and_flags_are_single_words(id: RecordId, flag: bool) {
        let conditions = Conditions::is_any_record(ConditionField::Id, &[id])
            .and(&Conditions::is_flag(ConditionField::ClosedFlag, flag));
        let expected = vec![
            word("id"), word("in"), Token::Sign('('), word(&id.to_string()), Token::Sign(')'),
            word("and"), word("closedFlag"), Token::Sign('='), word(&flag.to_string()),
        ];
        prop_assert_eq!(tokens(&conditions.0), Some(expected));
    }

    #[test]
    fn a_query_carries_the_text_unchanged(text in outside()) {
        let conditions = Conditions(text.clone());
        let parameter = conditions.parameter();
        let value = parameter.strip_prefix("conditions=").and_then(|rest| rest.strip_suffix('&')).unwrap();
        prop_assert_eq!(decoded(value), Some(text.clone()));
        // The address keeps it too: one parameter, no fragment, and the same host.
        let mut url = reqwest::Url::parse("https://api-na.myconnectwise.net/x").unwrap();
        url.set_query(Some(&format!("{parameter}pageSize=1")));
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let expected = [("conditions", text.as_str()), ("pageSize", "1")];
        prop_assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        prop_assert_eq!((url.host_str(), url.path(), url.fragment()), (Some("api-na.myconnectwise.net"), "/x", None));
    }
}
