use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::connection::test_site::{
    DEAD, EnteredConnection, TestSite, connections, prove, seconds,
};
use crate::test_server::server;

#[path = "../../../../../shared/connectwise/src/wire_tests/notations.rs"]
mod notations;

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
    let company = || of(|typed| typed.company_id = "unknown".to_owned());
    for (faults, candidate, expected) in [
        (json!({}), good(), "proven"),
        (
            json!({}),
            of(|typed| typed.site = "  ".to_owned()),
            "not_an_address",
        ),
        (
            json!({}),
            of(|typed| typed.site = "ftp://na.myconnectwise.net".to_owned()),
            "not_an_address",
        ),
        (
            json!({}),
            of(|typed| typed.site = "http://na.myconnectwise.net".to_owned()),
            "not_an_address",
        ),
        (
            json!({}),
            of(|typed| typed.site = "https://evil.example".to_owned()),
            "host_not_allowed",
        ),
        (
            json!({}),
            of(|typed| typed.site = DEAD.to_owned()),
            "host_unknown",
        ),
        (
            json!({}),
            of(|typed| typed.company_id = " ".to_owned()),
            "company_unknown",
        ),
        (json!({}), company(), "company_or_site_wrong"),
        (
            json!({ "variants": { "company_info_unknown": "not_found" } }),
            company(),
            "company_or_site_wrong",
        ),
        (
            json!({ "variants": { "wrong_company": "cannot_route" } }),
            company(),
            "company_or_site_wrong",
        ),
        (
            json!({ "variants": { "wrong_company": "unauthorized" } }),
            company(),
            "company_or_keys_refused",
        ),
        (
            json!({}),
            of(|typed| typed.private_key = Secret::new("tbPrivateKey02")),
            "keys_refused",
        ),
        (
            json!({}),
            of(|typed| typed.public_key = "tbPublicKey02".to_owned()),
            "keys_refused",
        ),
        (json!({ "keys": "revoked" }), good(), "keys_refused"),
        (
            json!({ "keys": "revoked", "variants": { "unauthorized_body": "user_not_authenticated" } }),
            good(),
            "keys_refused",
        ),
        (
            json!({ "client_id": "refused" }),
            good(),
            "own_client_id_refused",
        ),
        (
            json!({ "client_id": "refused", "variants": { "client_id_status": 401 } }),
            good(),
            "own_client_id_refused",
        ),
        (
            json!({ "client_id": "refused", "variants": { "client_id_status": 403 } }),
            good(),
            "own_client_id_refused",
        ),
        (json!({ "outage": true }), good(), "down"),
        (json!({ "error_rate": 1.0 }), good(), "down"),
        (json!({ "lost_answer_rate": 1.0 }), good(), "down"),
        // The operator's own clientId is read from AWS, which does not exist here.
        (json!({}), of(|typed| typed.client_id = None), "internal"),
    ] {
        let about = faults.to_string();
        site.faults(faults).await;
        assert_eq!(site.code(candidate).await, expected, "{about}");
        site.clear_faults().await;
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
    for (result, of_cloud, of_server) in [
        (Ok(Some(info())), known, known),
        (Ok(None), Err("company_unknown"), goes_on),
        (
            Err(Error::NotRouted {
                status: 400,
                words: words(),
            }),
            Err("company_unknown"),
            goes_on,
        ),
        // A firewall's page.
        (
            Err(Error::NotRouted {
                status: 403,
                words: words(),
            }),
            goes_on,
            goes_on,
        ),
        (Err(Error::KeysRefused), goes_on, goes_on),
        (
            Err(Error::RedirectRefused { status: 302 }),
            goes_on,
            goes_on,
        ),
        (
            Err(Error::AnswerUnreadable {
                status: 200,
                cause: words(),
            }),
            goes_on,
            goes_on,
        ),
        (
            Err(Error::HostRefused { cause: cause() }),
            Err("address_refused"),
            Err("address_refused"),
        ),
        (
            Err(Error::NotSent { cause: cause() }),
            Err("host_unknown"),
            Err("host_unknown"),
        ),
        (
            Err(Error::ServerError {
                status: 503,
                words: words(),
            }),
            Err("down"),
            Err("down"),
        ),
        (
            Err(Error::TimedOut {
                after: Duration::from_secs(10),
            }),
            Err("down"),
            Err("down"),
        ),
        (
            Err(Error::Throttled {
                retry_after: Duration::from_secs(30),
            }),
            Err("throttled"),
            Err("throttled"),
        ),
    ] {
        for (origin, expected) in [(cloud, of_cloud), (server, of_server)] {
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
    for (err, expected) in [
        (Error::MissingRight { right: "x" }, Ok(())),
        (Error::NotFound { what: words() }, Ok(())),
        (Error::KeysRefused, Err("keys_refused")),
        (Error::ClientIdRefused, Err("client_id_refused")),
        (
            Error::NotRouted {
                status: 404,
                words: words(),
            },
            Err("company_or_site_wrong"),
        ),
        (
            Error::EndpointMissing { path: words() },
            Err("not_connectwise"),
        ),
        (
            Error::RedirectRefused { status: 302 },
            Err("not_connectwise"),
        ),
        (
            Error::AnswerUnreadable {
                status: 200,
                cause: words(),
            },
            Err("down"),
        ),
        (
            Error::HostRefused { cause: words() },
            Err("address_refused"),
        ),
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
        let candidate = EnteredConnection {
            site: site.clone(),
            company_id: "tbdemo".to_owned(),
            public_key: "public".to_owned(),
            private_key: Secret::new("private"),
            client_id: Some(Secret::new("client")),
        };
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
        let candidate = EnteredConnection {
            site: site.clone(),
            company_id: "acme".to_owned(),
            public_key: "public".to_owned(),
            private_key: Secret::new("private"),
            client_id: Some(Secret::new("client")),
        };
        let proven = prove(&connections(&[&site, &other]), candidate, &seconds(20)).await;
        match proven {
            Ok(proven) => {
                assert_eq!((expected, proven.keys.origin), ("proven", other.clone()));
                let request = other_requests.recv().await.unwrap();
                assert!(
                    request.to_lowercase().contains("authorization:"),
                    "{request}"
                );
            }
            Err(err) => assert_eq!(err.code(), expected, "{named}"),
        }
        let request = requests.recv().await.unwrap();
        assert!(
            request.starts_with("GET /login/companyinfo/acme "),
            "{request}"
        );
        assert!(
            !request.to_lowercase().contains("authorization:"),
            "{request}"
        );
        assert!(requests.try_recv().is_err(), "the site gets one request");
    }
}
