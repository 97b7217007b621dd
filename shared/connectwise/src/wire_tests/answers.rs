//! Every typed read against every way in which an answer can be bad: an error that names the situation, in time, and never a
//! crash, a hang, or a quotation.

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::server::{Play, Server, answer, within};
use super::xref;
use crate::{Client, Cursor, Error, SearchText, TicketFilter};

/// Long enough for a loaded machine to answer, short enough to wait for where none comes.
const PATIENCE: u64 = 10_000;
const IMPATIENCE: u64 = 300;

const READS: usize = 24;

type Expected = fn(&Error) -> bool;

/// Makes every typed read, each over a client of its own, against a server that always plays the same.
async fn reads(play: Play, millis: u64) -> Vec<(&'static str, Result<(), Error>)> {
    fn add<T, F>(to: &mut JoinSet<(&'static str, Result<(), Error>)>, name: &'static str, read: F)
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        to.spawn(async move { (name, read.await.map(drop)) });
    }
    let server = Server::start([play]).await;
    let at = within(millis);
    let mut set = JoinSet::new();
    macro_rules! each {
        ($($name:ident($($argument:expr),*)),* $(,)?) => {$({
            let client: Client = server.client();
            add(&mut set, stringify!($name), async move { client.$name($($argument,)* at).await });
        })*};
    }
    each![
        system_info(),
        my_member(),
        my_security(),
        company_page(Cursor::START),
        companies_matching(&SearchText::parse("a").unwrap(), Cursor::START),
        company(7),
        company_count(),
        members(),
        api_members(),
        departments(),
        locations(),
        teams(),
        boards(),
        board_infos(),
        board_statuses(7),
        board_types(7),
        priorities(),
        ticket(7),
        ticket_notes(7),
        tickets_by_external_xref(&[&xref("tb1-a")]),
        tickets_by_external_xref_prefix(&xref("tb1-")),
        any_ticket_by_external_xref_prefix(&xref("tb1-")),
        ticket_page(&TicketFilter::beginning(xref("tb1-")), Cursor::START),
        ticket_count(&TicketFilter::beginning(xref("tb1-"))),
    ];
    let outcomes = set.join_all().await;
    assert_eq!(outcomes.len(), READS);
    outcomes
}

#[tokio::test]
async fn an_answer_of_the_wrong_type_is_unreadable_for_every_read() {
    let nested = |inside: &str| format!("{inside}{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep = nested("");
    let objects = format!("{}1{}", r#"{"id":"#.repeat(10_000), "}".repeat(10_000));
    let unknown = format!(r#"[{{"id":7,"canary":{}}}]"#, nested(""));
    let info = format!(r#"{{"id":7,"_info":{{"dateEntered":{}}}}}"#, nested(""));
    // How many of the reads take such an answer: lists, records, counts, and what has no number that could miss.
    let table: &[(&[u8], usize)] = &[
        (b"", 0),
        (b"null", 0),
        (b"true", 0),
        (b"42", 0),
        (b"-1e999", 0),
        (br#""canary""#, 0),
        (b"canary", 0),
        (b"<html>canary</html>", 0),
        (b"\xef\xbb\xbf[]", 0),
        (b"[\xff\xfe]", 0),
        (b"\0", 0),
        (b"[]", 18),
        (b"[] canary", 0),
        (b"[],", 0),
        (b"[", 0),
        (b"{}", 1),
        (b"[{}]", 1),
        (b"[null]", 0),
        (b"[[]]", 1),
        (br#"{"count":"canary"}"#, 1),
        (br#"{"count":-1}"#, 1),
        (br#"{"count":18446744073709551616}"#, 1),
        (br#"{"id":"canary"}"#, 1),
        (br#"{"id":-1,"isCloud":"canary","version":3}"#, 0),
        (br#"{"id":1.5,"cloudRegion":[]}"#, 0),
        (br#"{"id":7,"id":8}"#, 1),
        (br#"[{"id":7},{"id":null}]"#, 1),
        (br#"[{"id":7,"name":{"a":"canary"},"moduleName":7,"identifier":[],"externalXRef":7,"text":[]}]"#, 0),
        (deep.as_bytes(), 0),
        (objects.as_bytes(), 1),
        (unknown.as_bytes(), 18),
        (info.as_bytes(), 3),
    ];
    for (body, readable) in table {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", body.len());
        let play = Play::Bytes([head.as_bytes(), body].concat());
        let mut read = Vec::new();
        for (name, outcome) in reads(play, PATIENCE).await {
            let Err(error) = outcome else {
                read.push(name);
                continue;
            };
            let unreadable = matches!(error, Error::AnswerUnreadable { status: 200, .. });
            assert!(unreadable, "{name} {shown}: {error:?}");
            assert!(
                !format!("{error} {error:?}").contains("canary"),
                "{name} {shown}"
            );
        }
        assert_eq!(read.len(), *readable, "{shown}: {read:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_stalls_or_never_ends_is_an_error_for_every_read() {
    let whole = answer(200, r#"[{"id":7,"name":"n"}]"#);
    let head = "HTTP/1.1 200 X\r\n";
    let long = format!(
        "{head}X-A: {}\r\nContent-Length: 2\r\n\r\n[]",
        "a".repeat(1_000_000)
    );
    let many = format!(
        "{head}{}Content-Length: 2\r\n\r\n[]",
        "X-A: a\r\n".repeat(1_000)
    );
    let cut_off = |error: &Error| matches!(error, Error::AnswerUnreadable { status: 200, .. });
    let too_large = |error: &Error| matches!(error, Error::AnswerTooLarge { .. });
    let no_answer = |error: &Error| matches!(error, Error::NoAnswer { .. });
    let late = |error: &Error| matches!(error, Error::TimedOut { .. });
    let table: [(&str, Play, u64, Expected); 14] = [
        (
            "body cut off",
            Play::AnswerAndClose(whole[..whole.len() - 9].to_owned()),
            PATIENCE,
            cut_off,
        ),
        (
            "chunk cut off",
            Play::AnswerAndClose(format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n9\r\n[{{\"id"
            )),
            PATIENCE,
            cut_off,
        ),
        (
            "no last chunk",
            Play::AnswerAndClose(format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n"
            )),
            PATIENCE,
            cut_off,
        ),
        (
            "chunk of no size",
            Play::Answer(format!(
                "{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n"
            )),
            PATIENCE,
            cut_off,
        ),
        (
            "head cut off",
            Play::AnswerAndClose(format!("{head}Content-Le")),
            PATIENCE,
            no_answer,
        ),
        (
            "nothing",
            Play::AnswerAndClose(String::new()),
            PATIENCE,
            no_answer,
        ),
        (
            "no HTTP",
            Play::AnswerAndClose("[]".to_owned()),
            PATIENCE,
            no_answer,
        ),
        (
            "a header of a megabyte",
            Play::Bytes(long.into_bytes()),
            PATIENCE,
            no_answer,
        ),
        (
            "a thousand headers",
            Play::Bytes(many.into_bytes()),
            PATIENCE,
            no_answer,
        ),
        (
            "a gigabyte announced",
            Play::Trickle(format!("{head}Content-Length: 1073741824\r\n\r\n")),
            PATIENCE,
            too_large,
        ),
        (
            "no end",
            Play::Flood(format!("{head}Transfer-Encoding: chunked\r\n\r\n")),
            PATIENCE,
            too_large,
        ),
        ("silence", Play::Silence, IMPATIENCE, late),
        (
            "a head a byte at a time",
            Play::Trickle(format!("{head}X-A: ")),
            IMPATIENCE,
            late,
        ),
        (
            "a body a byte at a time",
            Play::Trickle(format!("{head}Content-Length: 9999\r\n\r\n[")),
            IMPATIENCE,
            late,
        ),
    ];
    for (what, play, millis, expected) in table {
        let begun = Instant::now();
        for (name, outcome) in reads(play, millis).await {
            let error = outcome.unwrap_err();
            assert!(expected(&error), "{what}, {name}: {error:?}");
        }
        let most = Duration::from_millis(millis + 2_000);
        assert!(begun.elapsed() < most, "{what}: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn a_refusal_however_deep_or_long_is_a_verdict_for_every_read() {
    let deep = format!(
        r#"{}"canary"{}"#,
        r#"{"errors":["#.repeat(10_000),
        "]}".repeat(10_000)
    );
    let long = format!(
        r#"{{"code":"InvalidObject","message":"{}"}}"#,
        "é".repeat(400_000)
    );
    let broken = |error: &Error| matches!(error, Error::NotRouted { .. });
    let rejected = |error: &Error| matches!(error, Error::Rejected { .. });
    let right = |error: &Error| matches!(error, Error::MissingRight { .. });
    let throttled = |error: &Error| matches!(error, Error::Throttled { .. });
    let failed = |error: &Error| matches!(error, Error::ServerError { .. });
    let cut_off = |error: &Error| matches!(error, Error::AnswerUnreadable { status: 400, .. });
    let half = answer(400, &long);
    let table: [(&str, Play, Expected); 8] = [
        ("deep", Play::Answer(answer(400, &deep)), broken),
        ("long", Play::Answer(answer(400, &long)), rejected),
        (
            "cut off",
            Play::AnswerAndClose(half[..9_000].to_owned()),
            cut_off,
        ),
        (
            "wrong type",
            Play::Answer(answer(400, r#"{"code":7,"errors":{}}"#)),
            broken,
        ),
        (
            "no text",
            Play::Bytes(b"HTTP/1.1 404 X\r\nContent-Length: 3\r\n\r\n\xff\xfe\0".to_vec()),
            broken,
        ),
        (
            "a right",
            Play::Answer(answer(403, r#"{"code":"Security","message":null}"#)),
            right,
        ),
        (
            "without end",
            Play::Flood("HTTP/1.1 429 X\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()),
            throttled,
        ),
        (
            "no status that exists",
            Play::Answer(answer(599, "")),
            failed,
        ),
    ];
    for (what, play, expected) in table {
        for (name, outcome) in reads(play, PATIENCE).await {
            let error = outcome.unwrap_err();
            assert!(expected(&error), "{what}, {name}: {error:?}");
            assert!(error.to_string().chars().count() < 700, "{what}, {name}");
        }
    }
}
