use proptest::prelude::*;

use super::*;

fn token(text: &str) -> ExternalXref {
    ExternalXref::parse(text).unwrap()
}

#[test]
fn an_external_reference_has_no_character_that_means_anything() {
    for good in ["a", "tb1-00ff-ABC-1", &"x".repeat(100)] {
        assert_eq!(token(good).as_str(), good);
    }
    let long = "x".repeat(101);
    for bad in [
        "", " ", "a b", "a\"", "a'", "a*", "a%", "a_b", "a)", "[a]", "a\r\n", "ä", &long,
    ] {
        assert_eq!(ExternalXref::parse(bad), Err(InvalidXref), "{bad:?}");
    }
}

#[test]
fn conditions_read_as_the_guide_writes_them() {
    let (a, b) = (token("tb1-a"), token("tb1-b"));
    let acme = SearchText::parse("O'Brien & Söhne").unwrap();
    let time: Timestamp = "2016-08-20T18:04:26.987Z".parse().unwrap();
    let open = Conditions::is_flag(Field::ClosedFlag, false);
    let either = Conditions::contains(Field::Name, &acme)
        .or(&Conditions::contains(Field::Identifier, &acme));
    let table = [
        (
            Conditions::is_one_of(Field::ExternalXref, &[&a]),
            r#"externalXRef="tb1-a""#,
        ),
        (
            Conditions::is_one_of(Field::ExternalXref, &[&a, &b]),
            r#"externalXRef in ("tb1-a","tb1-b")"#,
        ),
        (
            Conditions::begins(Field::ExternalXref, &a),
            r#"externalXRef like "tb1-a*""#,
        ),
        (Conditions::is_record(Field::BoardId, 21), "board/id=21"),
        (
            Conditions::is_any_record(Field::Id, &[7, 301]),
            "id in (7,301)",
        ),
        (
            open.and(&Conditions::after(Field::LastUpdated, time)),
            "closedFlag=false and lastUpdated>[2016-08-20T18:04:26Z]",
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
fn a_search_is_for_the_longest_stretch_that_means_nothing() {
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

/// One token of conditions, as a reader that knows no way to guard a character sees it.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Word(String),
    Sign(char),
    Text(String),
    Date(String),
}

/// A reader of conditions that shares nothing with what writes them. It takes both kinds of quotes, and either kind of text as
/// ended by the first quote of its kind, whatever stands before it.
fn tokens(conditions: &str) -> Option<Vec<Seen>> {
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
            '"' | '\'' => Seen::Text(until(c)?),
            '[' => Seen::Date(until(']')?),
            ' ' => continue,
            '=' | '<' | '>' | '!' | '(' | ')' | ',' => Seen::Sign(c),
            c if c.is_ascii_alphanumeric() => {
                let mut word = c.to_string();
                while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '/') {
                    word.push(c);
                }
                Seen::Word(word)
            }
            _ => return None,
        });
    }
    Some(seen)
}

fn word(text: &str) -> Seen {
    Seen::Word(text.to_owned())
}

fn text(text: &str) -> Seen {
    Seen::Text(text.to_owned())
}

/// Text from outside: anything, and more often than chance has it, what means something to a grammar or to a wire.
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

/// Reads a query's value back, by hand.
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
    fn no_text_changes_the_shape_of_a_search(typed in outside()) {
        let Ok(searched) = SearchText::parse(&typed) else {
            prop_assert!(!typed.chars().any(|c| c.is_ascii_alphanumeric()), "{typed:?} has what to search for");
            return Ok(());
        };
        let conditions = Conditions::contains(Field::Name, &searched)
            .or(&Conditions::contains(Field::Identifier, &searched));
        let inside = searched.as_str();
        let expected = vec![
            Seen::Sign('('), word("name"), word("contains"), text(inside), word("or"),
            word("identifier"), word("contains"), text(inside), Seen::Sign(')'),
        ];
        prop_assert_eq!(tokens(&conditions.0), Some(expected));
        // Whatever a reader makes of guards, wildcards or look-alikes, there are none.
        let meaning = ['"', '\\', '%', '*', '_', '[', ']', '\u{201c}', '\u{201d}', '\u{2019}', '\u{ff02}'];
        prop_assert!(!inside.contains(meaning), "{inside:?}");
        prop_assert!(!inside.contains(char::is_control));
        prop_assert!(inside.chars().count() <= MAX_SEARCHED);
        prop_assert!(one_line(&typed).contains(inside), "{inside:?} is not of {typed:?}");
        prop_assert!(conditions.parameter().len() < 1_500);
    }

    #[test]
    fn what_passes_as_a_token_is_one_text_wherever_it_stands(typed in prop_oneof![outside(), "[A-Za-z0-9-]{1,120}"]) {
        let Ok(token) = ExternalXref::parse(typed.as_str()) else { return Ok(()) };
        let one = Conditions::is_one_of(Field::ExternalXref, &[&token]);
        prop_assert_eq!(tokens(&one.0), Some(vec![word("externalXRef"), Seen::Sign('='), text(&typed)]));
        let begins = Conditions::begins(Field::ExternalXref, &token);
        let expected = vec![word("externalXRef"), word("like"), text(&format!("{typed}*"))];
        prop_assert_eq!(tokens(&begins.0), Some(expected));
    }

    #[test]
    fn numbers_flags_and_times_are_what_they_are(id: RecordId, flag: bool, second in -62_135_596_800_i64..253_402_207_200) {
        let time = Timestamp::from_second(second).unwrap();
        let conditions = Conditions::is_record(Field::BoardId, id)
            .and(&Conditions::is_flag(Field::ClosedFlag, flag))
            .and(&Conditions::after(Field::LastUpdated, time));
        let expected = vec![
            word("board/id"), Seen::Sign('='), word(&id.to_string()), word("and"),
            word("closedFlag"), Seen::Sign('='), word(&flag.to_string()), word("and"),
            word("lastUpdated"), Seen::Sign('>'), Seen::Date(time.to_string()),
        ];
        prop_assert_eq!(tokens(&conditions.0), Some(expected));
    }

    #[test]
    fn a_query_carries_every_text_and_nothing_else(text in outside()) {
        let conditions = Conditions(text.clone());
        let parameter = conditions.parameter();
        let value = parameter.strip_prefix("conditions=").and_then(|rest| rest.strip_suffix('&')).unwrap();
        prop_assert_eq!(decoded(value), Some(text.clone()));
        // The address keeps it as it is, too: one parameter, no fragment, the host untouched.
        let mut url = reqwest::Url::parse("https://api-na.myconnectwise.net/x").unwrap();
        url.set_query(Some(&format!("{parameter}pageSize=1")));
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let expected = [("conditions", text.as_str()), ("pageSize", "1")];
        prop_assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        prop_assert_eq!((url.host_str(), url.path(), url.fragment()), (Some("api-na.myconnectwise.net"), "/x", None));
    }
}
