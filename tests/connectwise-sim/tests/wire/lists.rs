//! Filtering, order, pages and fields.

use serde_json::json;

use crate::client::{API, Reply, Site, authorization, encoded};

/// Seven tickets, ids 10001 to 10007: summaries "a" to "g", odd ones on the board Operations.
async fn seven(site: &Site) {
    for (n, summary) in ["a", "b", "c", "d", "e", "f", "g"].iter().enumerate() {
        let board = if n % 2 == 0 { 22 } else { 21 };
        let ticket = json!({
            "summary": summary, "company": { "id": 301 }, "board": { "id": board }, "externalXRef": format!("tb1-{summary}"),
        });
        assert_eq!(site.post("/service/tickets", ticket).await.status, 201);
    }
}

/// A page of a list with a cursor instead of page numbers.
async fn forward_only(site: &Site, path: &str) -> Reply {
    let headers = [
        ("authorization", &*authorization(&site.integration)),
        ("clientid", &site.integration.client_id),
        ("pagination-type", "forward-only"),
    ];
    site.send("GET", path, &headers, "").await
}

#[tokio::test]
async fn conditions_filter_lists_counts_and_searches_alike() {
    let site = Site::start().await;
    seven(&site).await;
    let with_reference = "externalXRef like \"tb1-*\" and closedFlag = false and id > 10005";
    for (conditions, ids) in [
        (
            "board/name = \"Operations\"",
            &[10001, 10003, 10005, 10007][..],
        ),
        (
            "externalXRef in (\"tb1-b\",\"tb1-g\",\"tb1-zzz\")",
            &[10002, 10007],
        ),
        (with_reference, &[10006, 10007]),
        ("company/identifier = 'Fjord'", &[]),
        (
            "dateEntered > [2020-01-01T00:00:00Z] and summary = 'c'",
            &[10003],
        ),
    ] {
        let query = format!("conditions={}", encoded(conditions));
        let listed = site.get(&format!("/service/tickets?{query}")).await;
        assert_eq!(listed.ids(), ids, "{conditions}");
        let body = json!({ "conditions": conditions });
        let searched = site.post("/service/tickets/search", body).await;
        assert_eq!(
            (searched.status, &*searched.ids()),
            (200, ids),
            "{conditions}"
        );
        let counted = site.get(&format!("/service/tickets/count?{query}")).await;
        assert_eq!(
            counted.json(),
            json!({ "count": ids.len() }),
            "{conditions}"
        );
    }
}

#[tokio::test]
async fn invalid_queries_are_refused_by_name() {
    let site = Site::start().await;
    let conditions = encoded("resources/identifier='Jason'");
    let listed = site
        .get(&format!("/service/tickets?conditions={conditions}"))
        .await;
    let message = "resources/identifier is not a recognized name.";
    listed.assert_error(400, "ApiFindCondition", message);
    for query in [
        "orderBy=colour",
        "fields=dateEntered",
        "fields=id,colour",
        "page=x",
        "conditions=id",
    ] {
        let refused = site.get(&format!("/service/tickets?{query}")).await;
        assert_eq!(refused.status, 400, "{query}");
    }
    let body = json!({ "conditions": "id > 0", "page": 2 });
    let searched = site.post("/service/tickets/search", body).await;
    let message = "Could not find member 'page' on object of type 'FilterValues'. Path 'page', line 1, position 30.\
        Check your accept header to make sure you are using the correct version.";
    searched.assert_error(400, "ConnectWiseApi", message);
}

#[tokio::test]
async fn pages_have_link_headers() {
    let site = Site::start().await;
    seven(&site).await;
    let base = format!(
        "{}{API}/service/tickets?conditions=id%20%3E%200&pageSize=3&page=",
        site.origin()
    );
    let link = |parts: &[(usize, &str)]| {
        let parts: Vec<String> = parts
            .iter()
            .map(|(page, rel)| format!("<{base}{page}>; rel=\"{rel}\""))
            .collect();
        parts.join(", ")
    };
    for (page, ids, links) in [
        (
            1,
            vec![10001, 10002, 10003],
            link(&[(2, "next"), (3, "last")]),
        ),
        (
            2,
            vec![10004, 10005, 10006],
            link(&[(1, "first"), (1, "prev"), (3, "next"), (3, "last")]),
        ),
        (3, vec![10007], link(&[(1, "first"), (2, "prev")])),
        (9, vec![], link(&[(1, "first"), (3, "prev")])),
    ] {
        let reply = site
            .get(&format!(
                "/service/tickets?conditions=id+%3E+0&pageSize=3&page={page}"
            ))
            .await;
        assert_eq!(reply.ids(), ids, "page {page}");
        assert_eq!(reply.header("link"), Some(links.as_str()), "page {page}");
    }
    let whole = site.get("/service/tickets").await;
    assert_eq!((whole.ids().len(), whole.header("link")), (7, None));
}

#[tokio::test]
async fn a_page_has_25_rows_by_default_and_1000_at_most() {
    let site = Site::start().await;
    for _ in 0..1_005 {
        site.new_ticket().await;
    }
    assert_eq!(site.get("/service/tickets").await.ids().len(), 25);
    let capped = site.get("/service/tickets?pageSize=5000&fields=id").await;
    assert_eq!(capped.ids().len(), 1_000);
    let link = capped.header("link").expect("a link");
    assert!(link.contains("pageSize=1000&page=2>; rel=\"next\""));
}

#[tokio::test]
async fn a_forward_only_cursor_reaches_every_row() {
    let site = Site::start().await;
    seven(&site).await;
    let mut path = format!("{API}/service/tickets?pageSize=3&fields=id");
    let mut pages = Vec::new();
    loop {
        let reply = forward_only(&site, &path).await;
        pages.push(reply.ids());
        let link = reply.header("link").expect("always there");
        let (url, _) = link[1..].split_once('>').expect("an address");
        if url.ends_with("&pageId=") {
            break;
        }
        path = url.strip_prefix(&site.origin()).expect("the origin").into();
    }
    let expected: [&[i64]; 3] = [&[10001, 10002, 10003], &[10004, 10005, 10006], &[10007]];
    assert_eq!(pages, expected);
    let full = forward_only(
        &site,
        &format!("{API}/service/tickets?pageSize=7&fields=id"),
    )
    .await;
    let link = full.header("link").expect("always there");
    let end = "&pageId=>; rel=\"next\"";
    assert!(link.ends_with(end), "a full last page has no next: {link}");
    let ordered = forward_only(&site, &format!("{API}/service/tickets?orderBy=id")).await;
    assert_eq!(ordered.status, 400);
}

#[tokio::test]
async fn order_by_and_fields_are_honoured() {
    let site = Site::start().await;
    seven(&site).await;
    let reply = site
        .get("/service/tickets?orderBy=board/name%20asc,id%20desc&pageSize=5")
        .await;
    assert_eq!(reply.ids(), [10007, 10005, 10003, 10001, 10006]);
    let reply = site
        .get("/service/tickets/10001?fields=id,board/name,externalXRef")
        .await;
    assert_eq!(
        reply.json(),
        json!({ "id": 10001, "board": { "name": "Operations" }, "externalXRef": "tb1-a" })
    );
    let reply = site
        .get("/service/tickets?fields=id,_info&pageSize=1")
        .await;
    assert_eq!(reply.json()[0]["_info"]["enteredBy"], "Ticketbridge");
}

#[tokio::test]
async fn the_seeded_setup_records_are_listed() {
    let site = Site::start().await;
    let companies = "/company/companies";
    let active = "deletedFlag=false and status/name=\"Active\"";
    for (path, conditions, ids) in [
        (
            companies,
            "",
            &[250, 301, 302, 303, 304, 305, 306, 307, 308][..],
        ),
        (companies, active, &[250, 301, 302, 303, 306, 307]),
        (companies, "name contains \"élan\"", &[306]),
        (companies, "identifier=\"Fjord\"", &[307]),
        ("/service/boards", "inactiveFlag=false", &[21, 22, 23]),
        ("/service/info/boards", "", &[21, 22, 23, 24]),
        ("/service/boards/22/statuses", "closedStatus=true", &[224]),
        ("/service/boards/22/statuses", "defaultFlag=true", &[221]),
        ("/service/boards/23/types", "name=\"Zero-Trust\"", &[2305]),
        ("/service/priorities", "", &[31, 32, 33, 34]),
        ("/service/teams", "", &[41, 42]),
        ("/system/locations", "", &[2, 3]),
        ("/system/departments", "", &[10, 11]),
        ("/system/members", "inactiveFlag=false", &[151, 152]),
        ("/system/apiMembers", "identifier=\"Ticketbridge\"", &[181]),
    ] {
        let query = format!("{path}?conditions={}", encoded(conditions));
        let reply = site.get(&query).await;
        assert_eq!(
            (reply.status, &*reply.ids()),
            (200, ids),
            "{path} {conditions}"
        );
    }
    for (path, members) in [
        (
            "/company/companies/302",
            json!({ "name": "Baker & Sons \"Roofing\"" }),
        ),
        (
            "/service/boards/21",
            json!({ "department": { "identifier": "Services" } }),
        ),
        (
            "/service/boards/21/statuses/214",
            json!({ "closedStatus": true }),
        ),
    ] {
        site.get(path).await.assert_is(200, &members);
    }
    let astray = site.get("/service/boards/21/statuses/221").await;
    assert_eq!(astray.status, 404, "of another board");
    let no_board = site.get("/service/boards/99/types").await.json();
    assert_eq!(no_board["message"], "Board 99 not found");
}

#[tokio::test]
async fn bulk_tickets_equal_posted_ones() {
    let site = Site::start().await;
    let ticket = json!({ "summary": "CPU", "company": { "id": 301 }, "board": { "id": 22 }, "status": { "id": 222 } });
    let mut posted = ticket.clone();
    posted["externalXRef"] = json!("tb1-posted");
    let posted = site.post("/service/tickets", posted).await.json();
    let references: Vec<String> = (0..2500).map(|n| format!("tb1-{n}")).collect();
    let existing = json!({ "ticket": ticket, "references": references }).to_string();
    let before = site.journal(0).await.len();
    let made = site.without_keys("POST", "/_sim/tickets", &existing).await;
    assert_eq!(made.json(), json!({ "first": 10002, "made": 2500 }));
    assert_eq!(site.journal(0).await.len(), before);

    let mut one = site.get("/service/tickets/12501").await.json();
    assert_eq!(one["externalXRef"], "tb1-2499");
    for member in ["id", "externalXRef", "_info"] {
        one[member] = posted[member].clone();
    }
    assert_eq!(one, posted);

    let conditions = encoded("externalXRef like \"tb1-*\" and closedFlag = false");
    let mut ids = vec![];
    for page in 0..3 {
        let after = ids.last().copied().unwrap_or(0);
        let path =
            format!("{API}/service/tickets?conditions={conditions}&pageSize=1000&pageId={after}");
        let listed = forward_only(&site, &path).await;
        let link = listed.header("link").expect("a link").to_owned();
        assert_eq!(link.contains("pageId=>"), page == 2, "{link}");
        ids.extend(listed.ids());
    }
    assert_eq!(ids, (10001..=12501).collect::<Vec<i64>>());

    let elsewhere =
        json!({ "ticket": { "summary": "CPU", "company": { "id": 9 } }, "references": ["tb1-a"] });
    for refused in [&*elsewhere.to_string(), "[]"] {
        let reply = site.without_keys("POST", "/_sim/tickets", refused).await;
        assert_eq!(reply.status, 400, "{refused}");
    }
}
