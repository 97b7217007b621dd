//! The requests that the client sends, and the result of each way in which a response can fail.
#![expect(
    clippy::disallowed_methods,
    reason = "these tests are about the requests of all writers"
)]

mod callbacks;
mod company_records;
mod hosts;
mod notations;
mod responses;
mod server;
mod setup_writer;
mod ticket_writer;

use self::server::{Play, Server, answer, answer_with, credentials, header, within};
use crate::{
    Client, Error, ExternalXref, HostList, Http, NewTicket, Origin, RecordCursor, RecordPage,
    SearchText, Ticket, TicketFilter, company_info,
};
use domain::Secret;
use domain::setup::assignment::Assignee;

const TICKET: &str =
    r#"{"id":7,"summary":"Disk full","externalXRef":"tb1-a-1","closedFlag":false}"#;

fn new_ticket() -> NewTicket {
    NewTicket {
        summary: "Disk full".to_owned(),
        company: 250,
        board: None,
        status: None,
        type_: None,
        sub_type: None,
        item: None,
        priority: None,
        source: None,
        contact: None,
        assignee: Assignee::default(),
        custom_fields: vec![],
        estimated_start_date: "2026-04-01T08:00:00Z".parse().unwrap(),
        initial_description: "d".to_owned(),
        external_xref: xref("tb1-a-1"),
    }
}

fn xref(text: &str) -> ExternalXref {
    ExternalXref::parse(text).unwrap()
}

async fn create_at(server: &Server, millis: u64) -> Result<u64, Error> {
    let writer = server.client().ticket_writer();
    let ticket = writer.create(&new_ticket(), within(millis)).await?;
    Ok(ticket.id)
}

#[tokio::test]
async fn a_call_carries_keys_client_id_and_model_version() {
    let server = Server::start([Play::Answer(answer(200, TICKET))]).await;
    let ticket = server.client().ticket(7, within(2_000)).await.unwrap();
    assert_eq!(ticket.external_xref.as_deref(), Some("tb1-a-1"));

    let request = &server.requests()[0];
    assert!(
        request.starts_with("GET /v4_6_release/apis/3.0/service/tickets/7 HTTP/1.1\r\n"),
        "{request}"
    );
    for (name, expected) in [
        ("authorization", "Basic YWNtZStQVUJMSUM6UFJJVkFURQ=="),
        ("clientId", "11111111-2222-3333-4444-555555555555"),
        (
            "accept",
            "application/vnd.connectwise.com+json; version=2025.1",
        ),
        ("host", server.origin.strip_prefix("http://").unwrap()),
    ] {
        assert_eq!(header(request, name).as_deref(), Some(expected));
    }
    assert!(
        header(request, "user-agent")
            .unwrap()
            .starts_with("Ticketbridge/")
    );
    // Without compression, the limit of a response's bytes limits the memory too.
    assert_eq!(header(request, "accept-encoding"), None);
}

#[tokio::test]
async fn a_listing_is_read_by_cursor_and_keeps_only_matching_tickets() {
    let next = "Link: <http://x/?pageId=5>; rel=\"next\"\r\n";
    let end = "Link: <http://x/?pageId=>; rel=\"next\"\r\n";
    let mixed = r#"[{"id":2,"externalXRef":"tb1-a"},{"id":3,"externalXRef":"other"},{"id":4},{"id":5,"externalXRef":"tb1-b"}]"#;
    let answers = [
        answer_with(200, next, mixed),
        answer_with(200, end, r#"[{"id":9,"externalXRef":"tb1-c"}]"#),
        answer_with(200, end, r#"[{"id":5,"externalXRef":"tb1-b"}]"#),
        answer_with(200, next, r#"[{"id":1,"name":"Acme"}]"#),
    ];
    let server = Server::start(answers.map(Play::Answer)).await;
    let client = server.client();
    let ours = TicketFilter::beginning(xref("tb1-")).open();
    let ids = |page: &RecordPage<Ticket>| page.items.iter().map(|t| t.id).collect::<Vec<_>>();

    let first = client.ticket_page(&ours, RecordCursor::START, within(2_000));
    let first = first.await.unwrap();
    assert_eq!(ids(&first), [2, 5]);
    let from = first.next.unwrap();
    let second = client.ticket_page(&ours, from, within(2_000));
    let second = second.await.unwrap();
    assert_eq!((ids(&second), second.next), (vec![9], None));
    // A server that does not know cursors returns the first page again.
    let again = client.ticket_page(&ours, from, within(2_000));
    let again = again.await.unwrap_err();
    assert!(matches!(again, Error::AnswerUnreadable { .. }), "{again:?}");
    let acme = SearchText::parse("Acme & Co").unwrap();
    let found = client.companies_matching(&acme, RecordCursor::START, within(2_000));
    assert_eq!(found.await.unwrap().next, Some(from));

    let base = "GET /v4_6_release/apis/3.0";
    let conditions = "conditions=externalXRef%20like%20%22tb1-%2A%22%20and%20closedFlag%3Dfalse";
    let fields = "fields=id,summary,board,status,company,priority,type,externalXRef,closedFlag,estimatedStartDate,closedDate,closedBy,mergedParentTicket,_info";
    let either = "conditions=%28name%20contains%20%22Acme%20%26%20Co%22%20or%20identifier%20contains%20%22Acme%20%26%20Co%22%29";
    let part = format!("{base}/service/tickets?{conditions}&{fields}&pageSize=1000");
    let expected = [
        (format!("{part} HTTP/1.1"), Some("forward-only")),
        (format!("{part}&pageId=5 HTTP/1.1"), Some("forward-only")),
        (format!("{part}&pageId=5 HTTP/1.1"), Some("forward-only")),
        (
            format!(
                "{base}/company/companies?{either}&fields=id,identifier,name,status,deletedFlag&pageSize=100 HTTP/1.1"
            ),
            Some("forward-only"),
        ),
    ];
    let requests = server.requests();
    for (request, (line, pagination)) in requests.iter().zip(&expected) {
        assert_eq!(request.lines().next(), Some(line.as_str()));
        assert_eq!(header(request, "pagination-type").as_deref(), *pagination);
    }
    assert_eq!(requests.len(), expected.len());
}

#[tokio::test]
async fn a_throttled_call_returns_how_long_to_wait() {
    let body = r#"{"error":"ConnectWiseAPI","message":"Too many requests. Please try again in 30 seconds."}"#;
    let table: [(&[u8], u64); 9] = [
        (b"", 30),
        (b"Retry-After: 17\r\n", 17),
        (b"retry-after:17\r\nRetry-After: 90\r\n", 17),
        (b"Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", 1),
        (b"Retry-After: Thu, 31 Dec 2099 23:59:59 GMT\r\n", 3_600),
        (b"Retry-After: 18446744073709551616\r\n", 3_600),
        (b"Retry-After: -1\r\n", 30),
        (b"Retry-After: \xff\xfe17\r\n", 30),
        (b"Retry-After:\r\n", 30),
    ];
    for (headers, seconds) in table {
        let [head, rest] = [
            b"HTTP/1.1 429 X\r\n",
            format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes(),
        ]
        .map(<[u8]>::to_vec);
        let server = Server::start([Play::Bytes([&head, headers, &rest].concat())]).await;
        let retry_after = std::time::Duration::from_secs(seconds);
        let expected = Err(Error::Throttled { retry_after });
        let what = String::from_utf8_lossy(headers);
        assert_eq!(create_at(&server, 2_000).await, expected, "{what}");
    }
}

#[tokio::test]
async fn a_closed_port_proves_that_nothing_was_sent() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let http = Http::new(HostList::new([&origin]).unwrap()).unwrap();
    let writer = Client::new(&http, credentials(&origin))
        .unwrap()
        .ticket_writer();
    let error = writer
        .create(&new_ticket(), within(2_000))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotSent { .. }), "{error:?}");
    assert!(!error.classify().is_uncertain());
}

#[tokio::test]
async fn a_failed_handshake_proves_that_nothing_was_sent() {
    let server = Server::start([Play::AnswerAndClose("not TLS".to_owned())]).await;
    let origin = server.origin.replace("http://", "https://");
    let http = Http::new(HostList::new([&origin]).unwrap()).unwrap();
    let client = Client::new(&http, credentials(&origin)).unwrap();
    let error = client.my_member(within(2_000)).await.unwrap_err();
    assert!(matches!(error, Error::NotSent { .. }), "{error:?}");
    assert_eq!(server.connections(), 1);
    assert!(!server.requests()[0].contains("YWNtZStQ"));
}

#[tokio::test]
async fn a_write_on_a_broken_connection_is_uncertain_and_not_repeated() {
    // The second request uses the first one's connection. There, HTTP clients like to retry.
    let plays = [
        Play::Answer(answer(201, TICKET)),
        Play::AnswerAndClose(String::new()),
    ];
    let server = Server::start(plays).await;
    let writer = server.client().ticket_writer();
    writer.create(&new_ticket(), within(2_000)).await.unwrap();
    let error = writer
        .create(&new_ticket(), within(2_000))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error:?}");
    assert!(error.classify().is_uncertain());
    assert_eq!((server.requests().len(), server.connections()), (2, 1));
}

#[tokio::test]
async fn silence_times_out_at_the_deadline_and_is_uncertain() {
    let server = Server::start([Play::Silence]).await;
    let begun = std::time::Instant::now();
    let error = create_at(&server, 300).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    assert!(error.classify().is_uncertain());
    assert!(begun.elapsed().as_millis() < 1_500);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn no_call_takes_longer_than_ten_seconds_whatever_the_deadline() {
    let server = Server::start([Play::Silence]).await;
    let client = server.client();
    let call = tokio::spawn(async move { client.ticket(7, within(60_000)).await });
    while server.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    assert!(begun.elapsed().as_secs() <= 10, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_slow_body_times_out_at_the_deadline() {
    let head = "HTTP/1.1 201 X\r\nContent-Length: 100000\r\n\r\n{";
    let server = Server::start([Play::Trickle(head.to_owned())]).await;
    let begun = std::time::Instant::now();
    let error = create_at(&server, 300).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    assert!(error.classify().is_uncertain());
    assert!(begun.elapsed().as_millis() < 1_500);
}

/// hyper skips interim responses without a limit, and reqwest has no setting for one. The deadline
/// is the limit.
#[tokio::test]
async fn endless_interim_responses_time_out() {
    let server = Server::start([Play::Interim]).await;
    let error = create_at(&server, 300).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    assert!(error.classify().is_uncertain());
}

#[tokio::test]
async fn a_response_that_is_cut_off_leaves_a_write_uncertain() {
    let whole = answer(201, TICKET);
    let server = Server::start([Play::AnswerAndClose(whole[..whole.len() - 20].to_owned())]).await;
    let error = create_at(&server, 2_000).await.unwrap_err();
    assert!(
        matches!(error, Error::AnswerUnreadable { status: 201, .. }),
        "{error:?}"
    );
    assert!(error.classify().is_uncertain());
}

#[tokio::test]
async fn a_refusal_that_is_cut_off_stays_a_refusal() {
    let whole = answer(400, r#"{"code":"InvalidObject"}"#);
    let server = Server::start([Play::AnswerAndClose(whole[..whole.len() - 5].to_owned())]).await;
    let error = create_at(&server, 2_000).await.unwrap_err();
    assert!(
        matches!(error, Error::AnswerUnreadable { status: 400, .. }),
        "{error:?}"
    );
    assert!(!error.classify().is_uncertain());
}

#[tokio::test]
async fn a_response_of_another_shape_is_unreadable_and_not_quoted() {
    let deep = "[".repeat(200_000);
    for body in [
        "",
        "<html>canary</html>",
        "[]",
        r#"{"id":"canary"}"#,
        r#"{"id":-1}"#,
        "null",
        &deep,
    ] {
        let server = Server::start([Play::Answer(answer(200, body))]).await;
        let error = server.client().ticket(7, within(2_000)).await.unwrap_err();
        assert!(
            matches!(error, Error::AnswerUnreadable { status: 200, .. }),
            "{error:?}"
        );
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}

#[tokio::test]
async fn an_endless_response_is_cut_at_the_limit() {
    let announced = "HTTP/1.1 200 X\r\nContent-Length: 1000000000\r\n\r\n".to_owned();
    let chunked = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for play in [Play::Trickle(announced), Play::Flood(chunked)] {
        let server = Server::start([play]).await;
        let client = server.client();
        let one = client.ticket(7, within(5_000)).await.unwrap_err();
        assert_eq!(one, Error::AnswerTooLarge { limit: 1024 * 1024 });
        let list = client.boards(within(5_000)).await.unwrap_err();
        assert_eq!(
            list,
            Error::AnswerTooLarge {
                limit: 8 * 1024 * 1024
            }
        );
    }
}

fn records(ids: std::ops::Range<u64>) -> String {
    let records: Vec<String> = ids
        .map(|id| format!(r#"{{"id":{id},"name":"n"}}"#))
        .collect();
    format!("[{}]", records.join(","))
}

#[tokio::test]
async fn a_list_is_read_to_its_end_with_or_without_link_headers() {
    let evil = Server::start([Play::Answer(answer(200, "[]"))]).await;
    let next = format!("Link: <{}/?page=2>; rel=\"next\"\r\n", evil.origin);
    let last = "Link: <http://x/?page=1>; rel=\"first\", <http://x/?page=1>; rel=\"prev\"\r\n";
    let table = [
        ("one short page", vec![answer(200, &records(0..3))], 3),
        ("nothing", vec![answer(200, "[]")], 0),
        (
            "a full page without a link",
            vec![
                answer(200, &records(0..1000)),
                answer(200, &records(1000..1001)),
            ],
            1001,
        ),
        (
            "a full page and nothing",
            vec![answer(200, &records(0..1000)), answer(200, "[]")],
            1000,
        ),
        (
            "capped pages with a link",
            vec![
                answer_with(200, &next, &records(0..25)),
                answer_with(200, last, &records(25..50)),
            ],
            50,
        ),
    ];
    for (what, answers, expected) in table {
        let pages = answers.len();
        let server = Server::start(answers.into_iter().map(Play::Answer)).await;
        let found = server.client().priorities(within(5_000)).await.unwrap();
        let ids: Vec<u64> = found.iter().map(|priority| priority.id).collect();
        assert_eq!(ids, (0..expected).collect::<Vec<_>>(), "{what}");
        let lines: Vec<String> = server
            .requests()
            .iter()
            .map(|r| r.lines().next().unwrap().to_owned())
            .collect();
        let asked: Vec<String> = (1..=pages)
            .map(|page| format!("GET /v4_6_release/apis/3.0/service/priorities?orderBy=id&pageSize=1000&page={page} HTTP/1.1"))
            .collect();
        assert_eq!(lines, asked, "{what}");
    }
    assert_eq!(evil.connections(), 0);
}

#[tokio::test]
async fn a_list_that_fails_or_never_ends_is_an_error() {
    let half = [
        Play::Answer(answer(200, &records(0..1000))),
        Play::Answer(answer(500, "{}")),
    ];
    let server = Server::start(half).await;
    let error = server.client().boards(within(5_000)).await.unwrap_err();
    assert!(
        matches!(error, Error::ServerError { status: 500, .. }),
        "{error:?}"
    );

    let next = "Link: <http://x/?page=2>; rel=\"next\"\r\n";
    let server = Server::start([Play::Answer(answer_with(200, next, &records(0..1)))]).await;
    let error = server.client().boards(within(20_000)).await.unwrap_err();
    assert_eq!(error, Error::AnswerTooLarge { limit: 100 });
    assert_eq!(server.requests().len(), 100);
}

#[tokio::test]
async fn a_search_returns_only_tickets_that_match() {
    let body = r#"[{"id":1,"externalXRef":"tb1-a"},{"id":2,"externalXRef":"tb1-a2"},{"id":3,"externalXRef":""},{"id":4},{"id":5,"externalXRef":"tb1-b"}]"#;
    let server = Server::start([Play::Answer(answer(200, body))]).await;
    let client = server.client();
    let (a, b) = (xref("tb1-a"), xref("tb1-b"));
    let ids =
        |tickets: Vec<crate::Ticket>| tickets.iter().map(|ticket| ticket.id).collect::<Vec<_>>();

    let found = async |xrefs: &[&ExternalXref]| {
        let found = client.tickets_by_external_xref(xrefs, within(2_000)).await;
        ids(found.unwrap())
    };
    assert_eq!((found(&[]).await, server.connections()), (vec![], 0));
    assert_eq!(found(&[&a]).await, [1]);
    assert_eq!(found(&[&a, &b]).await, [1, 5]);
    let prefix = client.tickets_by_external_xref_prefix(&a, within(2_000));
    assert_eq!(ids(prefix.await.unwrap()), [1, 2]);
    for (prefix, expected) in [("tb1-", true), ("other", false)] {
        let prefix = xref(prefix);
        let any = client.any_ticket_by_external_xref_prefix(&prefix, within(2_000));
        assert_eq!(any.await.unwrap(), expected, "{prefix:?}");
    }

    let requests = server.requests();
    for (request, query) in requests.iter().zip([
        "externalXRef%3D%22tb1-a%22&orderBy=id&pageSize=1000",
        "externalXRef%20in%20%28%22tb1-a%22%2C%22tb1-b%22%29&orderBy=id&pageSize=1000",
        "externalXRef%20like%20%22tb1-a%2A%22&orderBy=id&pageSize=1000",
        "externalXRef%20like%20%22tb1-%2A%22&pageSize=1",
    ]) {
        let (_, sent) = request.lines().next().unwrap().split_once('?').unwrap();
        assert_eq!(sent, format!("conditions={query}&page=1 HTTP/1.1"));
    }
}

#[tokio::test]
async fn many_references_are_split_into_short_addresses() {
    let server = Server::start([Play::Answer(answer(200, "[]"))]).await;
    let references: Vec<ExternalXref> = (0..30).map(|n| xref(&format!("{n:0100}"))).collect();
    let references: Vec<&ExternalXref> = references.iter().collect();
    server
        .client()
        .tickets_by_external_xref(&references, within(5_000))
        .await
        .unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!(
        requests
            .iter()
            .all(|request| request.lines().next().unwrap().len() < 1_900)
    );
}

#[tokio::test]
async fn without_time_or_a_valid_client_id_nothing_is_sent() {
    let server = Server::start([Play::Answer(answer(200, TICKET))]).await;
    let error = create_at(&server, 50).await.unwrap_err();
    assert_eq!(error, Error::DeadlineTooShort);

    let mut keys = credentials(&server.origin);
    keys.client_id = Secret::new("line\r\nbreak");
    let client = Client::new(&server.http(), keys).unwrap();
    let error = client.ticket(7, within(2_000)).await.unwrap_err();
    assert_eq!(error, Error::ClientIdRefused);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn clones_share_four_concurrent_calls() {
    let server = Server::start([Play::Delayed(answer(200, TICKET))]).await;
    let client = server.client();
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.ticket(7, within(5_000)).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(server.max_concurrent(), 4);
    assert_eq!(server.requests().len(), 12);
}

#[tokio::test]
async fn a_company_id_is_looked_up_without_keys() {
    let guide = r#"{"CompanyName":"ConnectWise","Codebase":"v2017_3/","VersionCode":"v2017.3","VersionNumber":"v4.6.38842","CompanyID":"CW","IsCloud":"True"}"#;
    let others = r#"{"CompanyName":null,"CompanyID":"CW","IsCloud":true,"SiteUrl":"api-na.myconnectwise.net"}"#;
    let answers = [
        answer(200, guide),
        answer(200, others),
        answer(200, "null"),
        answer(404, ""),
        answer(404, "<html>"),
        answer(503, ""),
    ];
    let server = Server::start(answers.map(Play::Answer)).await;
    let (http, origin) = (server.http(), Origin::parse(&server.origin).unwrap());
    let ask = async |id| company_info(&http, &origin, id, within(2_000)).await;

    let info = ask("CW").await.unwrap().unwrap();
    assert_eq!(
        (
            info.company_id.as_str(),
            info.codebase.as_str(),
            info.is_cloud
        ),
        ("CW", "v2017_3/", true)
    );
    let info = ask("a/../b?c#d%").await.unwrap().unwrap();
    assert_eq!(
        (info.site_url.as_str(), info.is_cloud),
        ("api-na.myconnectwise.net", true)
    );
    for id in ["null", "404", "page"] {
        assert_eq!(ask(id).await, Ok(None));
    }
    assert!(matches!(
        ask("503").await,
        Err(Error::ServerError { status: 503, .. })
    ));
    for id in ["", ".", "..", "a\nb"] {
        assert_eq!(ask(id).await, Ok(None), "{id:?}");
    }

    let requests = server.requests();
    assert_eq!(requests.len(), 6);
    assert!(
        requests[0].starts_with("GET /login/companyinfo/CW HTTP/1.1"),
        "{}",
        requests[0]
    );
    assert!(
        requests[1].starts_with("GET /login/companyinfo/a%2F..%2Fb%3Fc%23d% HTTP")
            || requests[1].starts_with("GET /login/companyinfo/a%2F..%2Fb%3Fc%23d%25 HTTP"),
        "{}",
        requests[1]
    );
    for request in requests {
        assert_eq!(header(&request, "authorization"), None);
        assert_eq!(header(&request, "clientid"), None);
    }
}

#[tokio::test]
async fn no_failure_shows_a_key_or_a_path() {
    let body = answer(500, r#"{"message":"failed"}"#);
    let server = Server::start([Play::Answer(body), Play::AnswerAndClose(String::new())]).await;
    let client = server.client();
    for _ in 0..2 {
        let error = client.ticket(7, within(2_000)).await.unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("/tickets"),
            "{error:?}"
        );
        let shown = format!("{error} {error:?} {client:?} {:?}", client.ticket_writer());
        for secret in ["PUBLIC", "PRIVATE", "YWNtZStQ", "11111111-"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
