//! Parses tokens into a tree. `and` binds closer than `or`. `not` is allowed before `contains`,
//! `like` and `in` only.

use super::lexer::{Token, tokens};
use super::{Condition, Literal, Operator, Test};

/// Deeper parentheses are refused, so that no text can exhaust the stack.
const DEEPEST: usize = 64;

pub(super) fn parse(text: &str) -> Result<Condition, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: tokens.into_iter().peekable(),
        depth: 0,
    };
    let condition = parser.any()?;
    match parser.tokens.next() {
        None => Ok(condition),
        Some(token) => Err(format!("Unexpected {} in conditions.", describe(&token))),
    }
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
}

impl Parser {
    fn any(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.all()?];
        while self.take_word("or") {
            parts.push(self.all()?);
        }
        Ok(join(parts, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.part()?];
        while self.take_word("and") {
            parts.push(self.part()?);
        }
        Ok(join(parts, Condition::All))
    }

    fn part(&mut self) -> Result<Condition, String> {
        match self.tokens.next() {
            Some(Token::Open) => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err("The conditions are nested too deeply.".to_owned());
                }
                let inner = self.any()?;
                self.expect(&Token::Close)?;
                self.depth -= 1;
                Ok(inner)
            }
            Some(Token::Word(field)) => self.test(field),
            Some(token) => Err(format!("A field was expected, not {}.", describe(&token))),
            None => Err("The conditions end where a field was expected.".to_owned()),
        }
    }

    fn test(&mut self, field: String) -> Result<Condition, String> {
        let not = self.take_word("not");
        let Some(token) = self.tokens.next() else {
            return Err(format!("No operator after {field}."));
        };
        let (operator, differs) = match (token, not) {
            (Token::Word(word), _) => (self.worded(&word)?, false),
            (token, true) => {
                return Err(format!("'not' cannot stand before {}.", describe(&token)));
            }
            (Token::Equals, false) => (Operator::Equals(self.literal()?), false),
            (Token::NotEquals, false) => (Operator::Equals(self.literal()?), true),
            (Token::Less, false) => (Operator::Less(self.literal()?), false),
            (Token::LessOrEqual, false) => (Operator::LessOrEqual(self.literal()?), false),
            (Token::Greater, false) => (Operator::Greater(self.literal()?), false),
            (Token::GreaterOrEqual, false) => (Operator::GreaterOrEqual(self.literal()?), false),
            (token, false) => {
                return Err(format!(
                    "An operator was expected after {field}, not {}.",
                    describe(&token)
                ));
            }
        };
        Ok(Condition::Test(Test {
            field,
            negated: not || differs,
            operator,
        }))
    }

    fn worded(&mut self, word: &str) -> Result<Operator, String> {
        match word.to_ascii_lowercase().as_str() {
            "contains" => Ok(Operator::Contains(self.text()?)),
            "like" => {
                let pattern = self.text()?;
                Ok(Operator::Like(
                    pattern.split(['*', '%']).map(str::to_lowercase).collect(),
                ))
            }
            "in" => Ok(Operator::In(self.list()?)),
            _ => Err(format!("'{word}' is not an operator.")),
        }
    }

    fn list(&mut self) -> Result<Vec<Literal>, String> {
        self.expect(&Token::Open)?;
        let mut literals = vec![self.literal()?];
        loop {
            match self.tokens.next() {
                Some(Token::Comma) => literals.push(self.literal()?),
                Some(Token::Close) => return Ok(literals),
                Some(token) => return Err(format!("Unexpected {} in a list.", describe(&token))),
                None => return Err("A list in conditions is not closed.".to_owned()),
            }
        }
    }

    fn text(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(text),
            Some(token) => Err(format!("A string was expected, not {}.", describe(&token))),
            None => Err("The conditions end where a string was expected.".to_owned()),
        }
    }

    fn literal(&mut self) -> Result<Literal, String> {
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(Literal::Text(text)),
            Some(Token::Number(number)) => Ok(Literal::Number(number)),
            Some(Token::Date(at)) => Ok(Literal::Date(at)),
            Some(Token::Word(word)) => match word.to_ascii_lowercase().as_str() {
                "true" => Ok(Literal::Boolean(true)),
                "false" => Ok(Literal::Boolean(false)),
                "null" => Ok(Literal::Null),
                _ => Err(format!("'{word}' is not a value; strings need quotes.")),
            },
            Some(token) => Err(format!("A value was expected, not {}.", describe(&token))),
            None => Err("The conditions end where a value was expected.".to_owned()),
        }
    }

    fn take_word(&mut self, word: &str) -> bool {
        self.tokens
            .next_if(
                |token| matches!(token, Token::Word(found) if found.eq_ignore_ascii_case(word)),
            )
            .is_some()
    }

    fn expect(&mut self, expected: &Token) -> Result<(), String> {
        match self.tokens.next() {
            Some(token) if token == *expected => Ok(()),
            Some(token) => Err(format!(
                "{} was expected, not {}.",
                describe(expected),
                describe(&token)
            )),
            None => Err(format!(
                "The conditions end where {} was expected.",
                describe(expected)
            )),
        }
    }
}

fn join(mut parts: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match (parts.len(), parts.pop()) {
        (1, Some(only)) => only,
        (_, Some(last)) => {
            parts.push(last);
            many(parts)
        }
        (_, None) => Condition::Everything,
    }
}

fn describe(token: &Token) -> String {
    match token {
        Token::Word(word) => format!("'{word}'"),
        Token::Text(text) => format!("\"{text}\""),
        Token::Number(number) => number.to_string(),
        Token::Date(at) => format!("[{}]", crate::clock::format(*at)),
        Token::Open => "'('".to_owned(),
        Token::Close => "')'".to_owned(),
        Token::Comma => "','".to_owned(),
        Token::Equals => "'='".to_owned(),
        Token::NotEquals => "'!='".to_owned(),
        Token::Less => "'<'".to_owned(),
        Token::LessOrEqual => "'<='".to_owned(),
        Token::Greater => "'>'".to_owned(),
        Token::GreaterOrEqual => "'>='".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::Schema;

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
            let _ = Condition::read(&text, Schema::named("Ticket"));
        }

        #[test]
        fn no_token_sequence_makes_the_parser_panic(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "summary", "id", "board/name", "and", "or", "not", "in", "like", "contains", "(", ")", ",", "=",
                    "!=", "<", "<=", ">", ">=", "\"a\"", "'", "\"", "[2016-08-20]", "[", "5", "-", "true", "null", "é", "\\",
                ]),
                0..30,
            )
        ) {
            let _ = Condition::read(&parts.join(" "), Schema::named("Ticket"));
            let _ = Condition::read(&parts.concat(), Schema::named("Ticket"));
        }
    }

    #[test]
    fn invalid_conditions_are_refused() {
        for text in [
            "summary",
            "summary =",
            "summary = CPU",
            "= 5",
            "(id = 5",
            "id = 5)",
            "id = 5 and",
            "id = 5 id = 6",
            "id not = 5",
            "id in ()",
            "id in (5",
            "summary = \"open",
            "lastUpdated > [soon]",
            "id = 5 & id = 6",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"(".repeat(100_000)).is_err());
    }
}
