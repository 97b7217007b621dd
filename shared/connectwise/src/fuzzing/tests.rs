use proptest::prelude::*;

use super::*;

/// JSON with the members that are read, of the right or of a wrong type, sometimes cut off.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::sample::select(vec![
        "id",
        "name",
        "count",
        "code",
        "message",
        "errors",
        "error",
        "field",
        "_info",
        "board",
        "status",
        "externalXRef",
        "closedFlag",
        "dateEntered",
        "isCloud",
        "inquireLevel",
        "excludedServiceBoardIds",
        "leader",
        "CompanyID",
        "x",
    ]);
    let word = prop::sample::select(vec![
        "",
        "All",
        "NotFound",
        "InvalidObject",
        "clientId",
        "SSL is required.",
        "The endpoint does not exist.",
        "Service Board 3 not found",
        "status/id",
        "company",
        "2026-04-01T08:00:00Z",
        "True",
        "tb1-a",
        "a\r\nb",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        (0..9_u64).prop_map(serde_json::Value::from),
        word.clone().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    let json = leaf.prop_recursive(4, 48, 6, move |inner| {
        let members = prop::collection::vec((name.clone(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(serde_json::Value::from),
            members.prop_map(|all| all
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    });
    // Chance alone seldom produces ConnectWise's own messages.
    let message = |errors: BoxedStrategy<serde_json::Value>| {
        let parts = (word.clone(), word.clone(), word.clone(), errors);
        parts.prop_map(|(code, message, field, errors)| {
            serde_json::json!({ "code": code, "message": message, "field": field, "errors": errors })
        })
    };
    let single = message(Just(serde_json::Value::Null).boxed());
    let singles = prop::collection::vec(single, 0..3);
    let whole = message(singles.prop_map(serde_json::Value::from).boxed());
    let record = (0..9_u64, json.clone()).prop_map(|(id, mut json)| {
        if let Some(members) = json.as_object_mut() {
            members.insert("id".to_owned(), id.into());
        }
        json
    });
    let list = prop::collection::vec(record.clone(), 0..4).prop_map(serde_json::Value::from);
    let json = prop_oneof![json, whole, record, list];
    let cut = (
        json,
        any::<prop::sample::Index>(),
        prop::bool::weighted(0.2),
    );
    prop_oneof![
        8 => cut.prop_map(|(json, at, cut)| {
            let mut bytes = json.to_string().into_bytes();
            if cut {
                bytes.truncate(at.index(bytes.len()));
            }
            bytes
        }),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => "(\u{feff}|[ \r\n]){0,3}<[a-z<>/ ]{0,40}".prop_map(String::into_bytes),
    ]
}

fn header() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let name = prop::sample::select(vec!["retry-after", "link", "Link", "x\r\n", "location"]);
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "[0-9]{0,30}".prop_map(String::into_bytes),
        "(Mon|Wed), [0-9]{2} (Apr|Feb) [0-9]{1,6} [0-9]{2}:[0-9]{2}:[0-9]{2} (GMT|[+-][0-9]{4})"
            .prop_map(String::into_bytes),
        "<[a-z:/?=&]{0,12}(pageId=)?[0-9]{0,22}[>;]; ?rel=\"?(next|prev)\"?"
            .prop_map(String::into_bytes),
    ];
    (name, value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_response_keeps_the_properties(
        status in prop_oneof![100..600_u16, prop::sample::select(vec![200, 201, 400, 401, 403, 404, 409, 429, 500, 503])],
        headers in prop::collection::vec(header(), 0..4),
        body in body(),
    ) {
        let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        for interpretation in interpret_all(status, &headers, &body) {
            prop_assert_eq!(interpretation.violation(status), None, "{} {:?}", status, interpretation);
        }
    }
}

#[test]
fn a_good_response_is_read_by_the_calls_that_expect_it() {
    let read = |body: &str| {
        let all = interpret_all(200, &[], body.as_bytes()).into_iter();
        all.filter(|interpretation| interpretation.outcome.is_ok())
            .count()
    };
    // Lists; single records and types without a number; counts.
    assert_eq!(read(r#"[{"id":7,"name":"n"}]"#), 13);
    assert_eq!(read(r#"{"id":7,"name":"n"}"#), 4);
    assert_eq!(read(r#"{"count":7}"#), 2);
    assert_eq!(read("null"), 1);
}
