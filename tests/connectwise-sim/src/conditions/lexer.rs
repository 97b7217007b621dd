//! Splits conditions into tokens.

use jiff::Timestamp;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A field name or a keyword: the parser distinguishes them by position.
    Word(String),
    Text(String),
    Number(f64),
    Date(Timestamp),
    Open,
    Close,
    Comma,
    Equals,
    NotEquals,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut rest = text.trim_start();
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (token, length) = next(first, rest)?;
        tokens.push(token);
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

/// The token at the start of `rest` and its length in bytes.
fn next(first: char, rest: &str) -> Result<(Token, usize), String> {
    let two = rest.get(..2).unwrap_or_default();
    Ok(match (first, two) {
        (_, "!=") => (Token::NotEquals, 2),
        (_, "<=") => (Token::LessOrEqual, 2),
        (_, ">=") => (Token::GreaterOrEqual, 2),
        ('=', _) => (Token::Equals, 1),
        ('<', _) => (Token::Less, 1),
        ('>', _) => (Token::Greater, 1),
        ('(', _) => (Token::Open, 1),
        (')', _) => (Token::Close, 1),
        (',', _) => (Token::Comma, 1),
        ('"' | '\'', _) => string(first, rest)?,
        ('[', _) => date(rest)?,
        ('-' | '0'..='9', _) => number(rest)?,
        (c, _) if c.is_alphabetic() || c == '_' => word(rest),
        (c, _) => return Err(format!("Unexpected character '{c}' in conditions.")),
    })
}

/// A quoted string. A backslash escapes a quote or a backslash.
fn string(quote: char, rest: &str) -> Result<(Token, usize), String> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c == quote {
            return Ok((Token::Text(text), at + c.len_utf8()));
        }
        match (c, characters.peek()) {
            ('\\', Some(&(_, guarded @ ('"' | '\'' | '\\')))) => {
                text.push(guarded);
                characters.next();
            }
            _ => text.push(c),
        }
    }
    Err("A string in conditions is not closed.".to_owned())
}

fn date(rest: &str) -> Result<(Token, usize), String> {
    let end = rest
        .find(']')
        .ok_or("A date in conditions is not closed.")?;
    let text = rest.get(1..end).unwrap_or_default();
    let at = crate::clock::parse(text).ok_or_else(|| format!("'{text}' is not a date."))?;
    Ok((Token::Date(at), end + 1))
}

fn number(rest: &str) -> Result<(Token, usize), String> {
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
        .unwrap_or(rest.len());
    let text = rest.get(..end).unwrap_or_default();
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((Token::Number(number), end)),
        Ok(_) | Err(_) => Err(format!("'{text}' is not a number.")),
    }
}

fn word(rest: &str) -> (Token, usize) {
    let end = rest
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '/' | '.')))
        .unwrap_or(rest.len());
    (
        Token::Word(rest.get(..end).unwrap_or_default().to_owned()),
        end,
    )
}
