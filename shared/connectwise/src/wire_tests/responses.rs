//! Every typed read against every kind of bad response. Each must end in time with the right error,
//! and never with a crash, a hang or a quotation.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::{Duration, Instant};

use domain::setup::rights::Level;
use tokio::task::JoinSet;

use super::server::{Play, Server, answer, within};
use super::xref;
use crate::{Client, Error, RecordCursor, SearchText, TicketFilter};

/// In milliseconds: enough for a loaded machine to answer.
const LONG_TIMEOUT: u64 = 10_000;
/// In milliseconds: for a server that never answers.
const SHORT_TIMEOUT: u64 = 300;

const READS: usize = 25;

type Expected = fn(&Error) -> bool;

/// The result of each read, by its name.
type Outcomes = Vec<(&'static str, Result<(), Error>)>;

/// Makes every typed read against a server that always plays the same response.
async fn reads(play: Play, millis: u64) -> Outcomes {
    reads_from(&Server::start([play]).await, millis).await
}

/// Makes every typed read, each with its own client.
async fn reads_from(server: &Server, millis: u64) -> Outcomes {
    fn add<T, F>(to: &mut JoinSet<(&'static str, Result<(), Error>)>, name: &'static str, read: F)
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        to.spawn(async move { (name, read.await.map(drop)) });
    }
    let at = within(millis);
    let mut set = JoinSet::new();
    macro_rules! each {
        ($($name:ident($($argument:expr),*)),* $(,)?) => {$({
            let client: Client = server.client();
            add(&mut set, stringify!($name), async move { client.$name($($argument,)* at).await });
        })*};
    }
    each![
        my_member(),
        my_security(),
        company_page(RecordCursor::START),
        companies_matching(&SearchText::parse("a").unwrap(), RecordCursor::START),
        company(7),
        company_count(),
        members(),
        departments(),
        locations(),
        teams(),
        boards(),
        board_infos(),
        board_statuses(7),
        board_types(7),
        board_subtypes(7),
        board_items(7),
        board_type_associations(7),
        ticket_sources(),
        priorities(),
        ticket(7),
        ticket_notes(7),
        tickets_by_external_xref(&[&xref("tb1-a")]),
        tickets_by_external_xref_prefix(&xref("tb1-")),
        any_ticket_by_external_xref_prefix(&xref("tb1-")),
        ticket_page(&TicketFilter::beginning(xref("tb1-")), RecordCursor::START),
    ];
    let outcomes = set.join_all().await;
    assert_eq!(outcomes.len(), READS);
    outcomes
}

#[tokio::test]
async fn every_read_has_its_own_path_and_names_its_right() {
    let server = Server::start([Play::Answer(answer(403, r#"{"code":"Security"}"#))]).await;
    let outcomes = reads_from(&server, LONG_TIMEOUT).await;
    let paths: BTreeSet<String> = server
        .requests()
        .iter()
        .map(|request| {
            let path = request.split([' ', '?']).nth(1).unwrap();
            path.strip_prefix("/v4_6_release/apis/3.0")
                .unwrap()
                .to_owned()
        })
        .collect();
    let expected = [
        "/company/companies",
        "/company/companies/7",
        "/company/companies/count",
        "/service/boards",
        "/service/boards/7/items",
        "/service/boards/7/statuses",
        "/service/boards/7/subtypes",
        "/service/boards/7/typeSubTypeItemAssociations",
        "/service/boards/7/types",
        "/service/info/boards",
        "/service/priorities",
        "/service/sources",
        "/service/teams",
        "/service/tickets",
        "/service/tickets/7",
        "/service/tickets/7/notes",
        "/system/departments",
        "/system/locations",
        "/system/members",
        "/system/myMembers",
        "/system/mySecurity",
    ];
    assert_eq!(paths, expected.map(str::to_owned).into());

    let mut by_right = BTreeMap::<&str, Vec<&str>>::new();
    for (name, outcome) in outcomes {
        let Err(Error::MissingRight { right }) = outcome else {
            panic!("{name}: {outcome:?}");
        };
        by_right.entry(right).or_default().push(name);
    }
    let counted: Vec<_> = by_right
        .iter()
        .map(|(right, reads)| (*right, reads.len()))
        .collect();
    let expected = [
        ("company_maintenance.inquire", 4),
        ("member_maintenance.inquire", 2),
        ("my_account.inquire", 1),
        ("my_company.inquire", 2),
        ("service_tickets.inquire", 7),
        ("table_setup.inquire", 9),
    ];
    assert_eq!(counted, expected, "{by_right:?}");
}

#[tokio::test]
async fn the_api_members_rights_are_read_or_an_error_says_why_not() {
    let rows = r#"[
        {"id":1,"addLevel":"All","editLevel":"My","deleteLevel":"None","inquireLevel":"All","moduleName":"Service Desk",
         "moduleIdentifier":"SERVICE","moduleFunctionName":"Service Tickets","moduleFunctionIdentifier":"SR","sortOrder":3},
        {"moduleFunctionName":null,"inquireLevel":null}]"#;
    let security = r#"{"code":"Security","message":"You do not have security permission to perform this action."}"#;
    let missing = r#"{"code":"ConnectWiseApi","message":"The endpoint does not exist."}"#;
    let answers = [
        answer(200, rows),
        answer(403, security),
        answer(404, missing),
        answer(404, ""),
    ];
    let server = Server::start(answers.map(Play::Answer)).await;
    let client = server.client();
    let read = async || client.my_security(within(LONG_TIMEOUT)).await;

    let rights = read().await.unwrap();
    let tickets = &rights[0];
    assert_eq!(
        (
            tickets.module_name.as_str(),
            tickets.module_identifier.as_str()
        ),
        ("Service Desk", "SERVICE")
    );
    assert_eq!(
        (
            tickets.module_function_name.as_str(),
            tickets.module_function_identifier.as_str()
        ),
        ("Service Tickets", "SR")
    );
    assert_eq!(
        [
            tickets.add_level,
            tickets.edit_level,
            tickets.delete_level,
            tickets.inquire_level
        ],
        [Level::All, Level::My, Level::None, Level::All]
    );
    assert_eq!((rights.len(), rights[1].inquire_level), (2, Level::None));
    let right = "my_account.inquire";
    assert_eq!(read().await, Err(Error::MissingRight { right }));
    let path = "/system/mySecurity".to_owned();
    assert_eq!(read().await, Err(Error::EndpointMissing { path }));
    assert!(matches!(
        read().await,
        Err(Error::NotRouted { status: 404, .. })
    ));
}

#[tokio::test]
async fn a_response_of_the_wrong_type_is_unreadable_for_every_read() {
    let nested = |inside: &str| format!("{inside}{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep = nested("");
    let objects = format!("{}1{}", r#"{"id":"#.repeat(10_000), "}".repeat(10_000));
    let unknown = format!(r#"[{{"id":7,"canary":{}}}]"#, nested(""));
    let info = format!(r#"{{"id":7,"_info":{{"dateEntered":{}}}}}"#, nested(""));
    // The number of reads that accept such a body: lists, records, counts, and types without a
    // number.
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
        (b"[]", 21),
        (b"[] canary", 0),
        (b"[],", 0),
        (b"[", 0),
        (b"{}", 0),
        (b"[{}]", 1),
        (b"[null]", 0),
        (b"[[]]", 1),
        (br#"{"count":7}"#, 1),
        (br#"{"count":"canary"}"#, 0),
        (br#"{"count":-1}"#, 0),
        (br#"{"count":18446744073709551616}"#, 0),
        (br#"{"id":"canary"}"#, 0),
        (br#"{"id":-1,"isCloud":"canary","version":3}"#, 0),
        (br#"{"id":1.5,"cloudRegion":[]}"#, 0),
        (br#"{"id":7,"id":8}"#, 0),
        (br#"[{"id":7},{"id":null}]"#, 1),
        (br#"[{"id":7,"name":{"a":"canary"},"moduleName":7,"identifier":[],"externalXRef":7,"text":[]}]"#, 1),
        (deep.as_bytes(), 0),
        (objects.as_bytes(), 0),
        (unknown.as_bytes(), 21),
        (info.as_bytes(), 2),
    ];
    for (body, readable) in table {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        let head = format!("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n", body.len());
        let play = Play::Bytes([head.as_bytes(), body].concat());
        let mut read = Vec::new();
        for (name, outcome) in reads(play, LONG_TIMEOUT).await {
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
async fn a_broken_or_endless_response_is_an_error_for_every_read() {
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
            LONG_TIMEOUT,
            cut_off,
        ),
        (
            "chunk cut off",
            Play::AnswerAndClose(format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n9\r\n[{{\"id"
            )),
            LONG_TIMEOUT,
            cut_off,
        ),
        (
            "no last chunk",
            Play::AnswerAndClose(format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n"
            )),
            LONG_TIMEOUT,
            cut_off,
        ),
        (
            "chunk of no size",
            Play::Answer(format!(
                "{head}Transfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n"
            )),
            LONG_TIMEOUT,
            cut_off,
        ),
        (
            "head cut off",
            Play::AnswerAndClose(format!("{head}Content-Le")),
            LONG_TIMEOUT,
            no_answer,
        ),
        (
            "nothing",
            Play::AnswerAndClose(String::new()),
            LONG_TIMEOUT,
            no_answer,
        ),
        (
            "no HTTP",
            Play::AnswerAndClose("[]".to_owned()),
            LONG_TIMEOUT,
            no_answer,
        ),
        (
            "a header of a megabyte",
            Play::Bytes(long.into_bytes()),
            LONG_TIMEOUT,
            no_answer,
        ),
        (
            "a thousand headers",
            Play::Bytes(many.into_bytes()),
            LONG_TIMEOUT,
            no_answer,
        ),
        (
            "a gigabyte announced",
            Play::Trickle(format!("{head}Content-Length: 1073741824\r\n\r\n")),
            LONG_TIMEOUT,
            too_large,
        ),
        (
            "no end",
            Play::Flood(format!("{head}Transfer-Encoding: chunked\r\n\r\n")),
            LONG_TIMEOUT,
            too_large,
        ),
        ("silence", Play::Silence, SHORT_TIMEOUT, late),
        (
            "a head a byte at a time",
            Play::Trickle(format!("{head}X-A: ")),
            SHORT_TIMEOUT,
            late,
        ),
        (
            "a body a byte at a time",
            Play::Trickle(format!("{head}Content-Length: 9999\r\n\r\n[")),
            SHORT_TIMEOUT,
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
async fn a_deep_or_long_refusal_is_classified_for_every_read() {
    let deep = format!(
        r#"{}"canary"{}"#,
        r#"{"errors":["#.repeat(10_000),
        "]}".repeat(10_000)
    );
    let long = format!(
        r#"{{"code":"InvalidObject","message":"{}"}}"#,
        "e".repeat(40_000)
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
        for (name, outcome) in reads(play, LONG_TIMEOUT).await {
            let error = outcome.unwrap_err();
            assert!(expected(&error), "{what}, {name}: {error:?}");
            assert!(error.to_string().chars().count() < 700, "{what}, {name}");
        }
    }
}
