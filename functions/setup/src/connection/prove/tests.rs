use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::connection::test_site::{
    DEAD, EnteredConnection, TestSite, connections, prove, seconds,
};
use crate::test_server::server;

#[path = "../../../../../shared/connectwise/src/wire_tests/notations.rs"]
mod notations;

fn entered(site: &str, company_id: &str) -> EnteredConnection {
    EnteredConnection {
        site: site.to_owned(),
        company_id: company_id.to_owned(),
        public_key: "public".to_owned(),
        private_key: Secret::new("private"),
        client_id: Some(Secret::new("client")),
    }
}

#[tokio::test]
async fn a_good_connection_names_its_owner() {
    let site = TestSite::new().await;
    let typed = EnteredConnection {
        site: format!(" {}/v4_6_release/ConnectWise.aspx ", site.sim.base_url()),
        company_id: " TBDEMO ".to_owned(),
        ..site.candidate()
    };
    let proven = site.prove(typed).await.unwrap();
    assert_eq!(
        (proven.keys.origin.as_str(), proven.keys.company_id.as_str()),
        (site.sim.base_url().as_str(), "tbdemo")
    );
    let member = proven.member.unwrap();
    assert_eq!(member.identifier, "Ticketbridge");
    assert_eq!(member.service_default_board.unwrap().name, "Service Desk");
    assert!(proven.company.is_some_and(|name| !name.is_empty()));
}

#[tokio::test]
async fn each_broken_connection_has_its_own_code() {
    let site = TestSite::new().await;
    let good = || site.candidate();
    let of = |change: fn(&mut EnteredConnection)| {
        let mut candidate = good();
        change(&mut candidate);
        candidate
    };
    let at = |site: &str| EnteredConnection {
        site: site.to_owned(),
        ..good()
    };
    let company = || of(|typed| typed.company_id = "unknown".to_owned());
    for (expected, candidates) in [
        ("proven", vec![good()]),
        (
            "not_an_address",
            vec![
                at("  "),
                at("ftp://na.myconnectwise.net"),
                at("http://na.myconnectwise.net"),
            ],
        ),
        ("host_not_allowed", vec![at("https://evil.example")]),
        ("host_unknown", vec![at(DEAD)]),
        (
            "company_unknown",
            vec![of(|typed| typed.company_id = " ".to_owned())],
        ),
        ("company_or_site_wrong", vec![company()]),
        (
            "keys_refused",
            vec![
                of(|typed| typed.private_key = Secret::new("tbPrivateKey02")),
                of(|typed| typed.public_key = "tbPublicKey02".to_owned()),
            ],
        ),
        // The operator's own clientId is read from AWS, which does not exist here.
        ("internal", vec![of(|typed| typed.client_id = None)]),
    ] {
        for candidate in candidates {
            let entered = (candidate.site.clone(), candidate.company_id.clone());
            assert_eq!(site.code(candidate).await, expected, "{entered:?}");
        }
    }

    let variants = |variants: Value| json!({ "variants": variants });
    let client_id =
        |status: u16| json!({ "client_id": "refused", "variants": { "client_id_status": status } });
    for (expected, candidate, faults) in [
        (
            "company_or_site_wrong",
            company(),
            vec![
                variants(json!({ "company_info_unknown": "not_found" })),
                variants(json!({ "wrong_company": "cannot_route" })),
            ],
        ),
        (
            "company_or_keys_refused",
            company(),
            vec![variants(json!({ "wrong_company": "unauthorized" }))],
        ),
        (
            "keys_refused",
            good(),
            vec![
                json!({ "keys": "revoked" }),
                json!({ "keys": "revoked", "variants": { "unauthorized_body": "user_not_authenticated" } }),
            ],
        ),
        (
            "own_client_id_refused",
            good(),
            vec![
                json!({ "client_id": "refused" }),
                client_id(401),
                client_id(403),
            ],
        ),
        (
            "down",
            good(),
            vec![
                json!({ "outage": true }),
                json!({ "error_rate": 1.0 }),
                json!({ "lost_answer_rate": 1.0 }),
            ],
        ),
    ] {
        for faults in faults {
            let about = faults.to_string();
            site.faults(faults).await;
            let code = site.code(candidate.clone()).await;
            assert_eq!(code, expected, "{about}");
            site.clear_faults().await;
        }
    }

    site.faults(json!({ "rate_limit_per_minute": 1 })).await;
    assert_eq!(site.code(good()).await, "proven");
    assert_eq!(site.code(good()).await, "throttled");
    site.clear_faults().await;

    // No response: the wait ends with the invocation.
    let silent = json!({ "variants": { "wrong_company": "no_answer" } });
    site.faults(silent).await;
    let err = prove(&site.connections, company(), &seconds(3)).await;
    assert_eq!(err.unwrap_err().code(), "down_or_company_unknown");
    site.faults(json!({ "latency_ms": 5000 })).await;
    let err = prove(&site.connections, good(), &seconds(3)).await;
    assert_eq!(err.unwrap_err().code(), "down");
}

#[test]
fn only_a_cloud_proves_that_a_company_is_unknown() {
    let words = String::new;
    let info = || CompanyInfo {
        company_name: String::new(),
        company_id: String::new(),
        codebase: String::new(),
        version_code: String::new(),
        is_cloud: true,
        site_url: String::new(),
    };
    let cause = || "no route to 10.1.2.3".to_owned();
    let (cloud, server) = (
        "https://api-na.myconnectwise.net",
        "https://psa.msp.example",
    );
    let (known, goes_on) = (Ok(true), Ok(false));
    let not_routed = |status| Error::NotRouted {
        status,
        words: words(),
    };
    let unreadable = Error::AnswerUnreadable {
        status: 200,
        cause: words(),
    };
    let failing = Error::ServerError {
        status: 503,
        words: words(),
    };
    let second = Duration::from_secs(1);
    for (results, of_cloud, of_server) in [
        (vec![Ok(Some(info()))], known, known),
        (
            vec![Ok(None), Err(not_routed(400))],
            Err("company_unknown"),
            goes_on,
        ),
        (
            vec![
                // A firewall's page.
                Err(not_routed(403)),
                Err(Error::KeysRefused),
                Err(Error::RedirectRefused { status: 302 }),
                Err(unreadable),
            ],
            goes_on,
            goes_on,
        ),
        (
            vec![Err(Error::HostRefused { cause: cause() })],
            Err("address_refused"),
            Err("address_refused"),
        ),
        (
            vec![Err(Error::NotSent { cause: cause() })],
            Err("host_unknown"),
            Err("host_unknown"),
        ),
        (
            vec![Err(failing), Err(Error::TimedOut { after: second })],
            Err("down"),
            Err("down"),
        ),
        (
            vec![Err(Error::Throttled {
                retry_after: second,
            })],
            Err("throttled"),
            Err("throttled"),
        ),
    ] {
        for (result, (origin, expected)) in results
            .iter()
            .flat_map(|result| [(result, (cloud, of_cloud)), (result, (server, of_server))])
        {
            let judged = judge_company(&Origin::parse(origin).unwrap(), "acme", result.clone());
            let actual = judged.map(|info| info.is_some()).map_err(|err| {
                assert!(!err.to_string().contains("10.1.2.3"), "{err}");
                err.code()
            });
            assert_eq!(actual, expected, "{origin} {result:?}");
        }
    }
}

#[test]
fn a_missing_right_proves_the_keys() {
    let words = String::new;
    let origin = Origin::parse("https://psa.msp.example").unwrap();
    let not_routed = Error::NotRouted {
        status: 404,
        words: words(),
    };
    let unreadable = Error::AnswerUnreadable {
        status: 200,
        cause: words(),
    };
    let missing = Error::EndpointMissing { path: words() };
    let redirected = Error::RedirectRefused { status: 302 };
    let refused = Error::HostRefused { cause: words() };
    for (err, expected) in [
        (Error::MissingRight { right: "x" }, Ok(())),
        (Error::NotFound { what: words() }, Ok(())),
        (Error::KeysRefused, Err("keys_refused")),
        (Error::ClientIdRefused, Err("client_id_refused")),
        (not_routed, Err("company_or_site_wrong")),
        (missing, Err("not_connectwise")),
        (redirected, Err("not_connectwise")),
        (unreadable, Err("down")),
        (refused, Err("address_refused")),
        (Error::NotSent { cause: words() }, Err("host_unknown")),
        (Error::AnswerTooLarge { limit: 1 }, Err("down")),
        (Error::DeadlineTooShort, Err("down")),
    ] {
        let site = ProbedSite {
            origin: &origin,
            company_id: "acme",
            company_known: true,
            own_client_id: false,
        };
        let judged = judge_keys(site, Err(err.clone()));
        let actual = judged.map(|member| assert_eq!(member, None));
        assert_eq!(actual.map_err(|err| err.code()), expected, "{err:?}");
    }
}

#[tokio::test]
async fn no_notation_of_another_host_opens_a_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // The listed host and port differ from the listener, so any notation of this machine would
    // reach it.
    let connections = connections(&["http://127.0.0.2:1", "https://psa.msp.example"]);
    let mut refused = 0;
    for (notation, expected) in notations::NOTATIONS {
        if expected.is_ok() {
            continue;
        }
        let site = notation.replace(":8080", &format!(":{port}"));
        let candidate = entered(&site, "tbdemo");
        let err = prove(&connections, candidate, &seconds(20)).await;
        let err = err.unwrap_err();
        let code = match expected {
            Err("not listed") => "host_not_allowed",
            _ => "not_an_address",
        };
        assert_eq!(err.code(), code, "{site:?}");
        refused += 1;
    }
    assert!(refused >= 60, "{refused}");
    let accepted = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(accepted.is_err(), "a connection was opened");
}

#[tokio::test]
async fn a_named_host_gets_keys_only_if_it_is_allowed() {
    let has_keys = |head: &str| head.to_lowercase().contains("authorization:");
    let (other, mut other_requests) =
        server(|_, _| json!({ "id": 7, "identifier": "other" })).await;
    for (named, expected) in [
        (other.clone(), "proven"),
        ("http://169.254.169.254".to_owned(), "served_elsewhere"),
        ("evil.example".to_owned(), "served_elsewhere"),
        (format!("{other}@evil.example"), "served_elsewhere"),
    ] {
        let site_url = named.clone();
        let answer = move |_: &str, _: &str| json!({ "CompanyID": "acme", "SiteUrl": site_url });
        let (site, mut requests) = server(answer).await;
        let candidate = entered(&site, "acme");
        let proven = prove(&connections(&[&site, &other]), candidate, &seconds(20)).await;
        match proven {
            Ok(proven) => {
                assert_eq!((expected, proven.keys.origin), ("proven", other.clone()));
                let request = other_requests.recv().await.unwrap();
                assert!(has_keys(&request), "{request}");
            }
            Err(err) => assert_eq!(err.code(), expected, "{named}"),
        }
        let request = requests.recv().await.unwrap();
        let path = "GET /login/companyinfo/acme ";
        assert!(request.starts_with(path), "{request}");
        assert!(!has_keys(&request), "{request}");
        assert!(requests.try_recv().is_err(), "the site gets one request");
    }
}
