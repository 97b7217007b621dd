use std::collections::BTreeSet;
use std::time::Duration;

use aws::startup::{Account, sdk_config};
use aws_credential_types::Credentials;
use connectwise_sim::{Seed, Simulator};
use domain::rights::Need;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::test_server::server;

/// A connection as somebody typed it.
#[derive(Debug, Clone)]
struct Candidate {
    site: String,
    company_id: String,
    public_key: String,
    private_key: Secret,
    client_id: Option<Secret>,
}

/// Whether ConnectWise takes this connection.
async fn prove(
    connections: &Connections,
    candidate: Candidate,
    invocation: &Invocation,
) -> Result<Proven, ConnectionError> {
    let Candidate {
        site, company_id, ..
    } = &candidate;
    let found = find(connections, site, company_id, invocation).await?;
    let entered = Entered {
        public_key: candidate.public_key,
        private_key: candidate.private_key,
        client_id: candidate.client_id,
    };
    prove_keys(connections, found, entered, invocation).await
}

#[path = "../../../../shared/connectwise/src/wire_tests/notations.rs"]
mod notations;

/// Nobody listens there.
const DEAD: &str = "http://127.0.0.1:1";

struct World {
    sim: Simulator,
    connections: Connections,
    control: reqwest::Client,
}

impl World {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sim = Simulator::start(Seed::demo(), ([127, 0, 0, 1], 0).into()).await;
        let sim = sim.unwrap();
        let control = reqwest::Client::builder().no_proxy();
        let control = control.timeout(Duration::from_secs(10)).build().unwrap();
        Self {
            connections: connections(&[&sim.base_url(), DEAD]),
            sim,
            control,
        }
    }

    async fn faults(&self, faults: Value) {
        let url = format!("{}/_sim/faults", self.sim.base_url());
        let answer = self.control.put(url).json(&faults).send().await.unwrap();
        assert!(answer.status().is_success(), "{faults}");
    }

    async fn mend_all(&self) {
        let url = format!("{}/_sim/reset", self.sim.base_url());
        let answer = self.control.post(url).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    fn candidate(&self) -> Candidate {
        let keys = Seed::demo().integration().unwrap();
        Candidate {
            site: self.sim.base_url(),
            company_id: keys.company_id,
            public_key: keys.public_key,
            private_key: Secret::new(keys.private_key),
            client_id: Some(Secret::new(keys.client_id)),
        }
    }

    async fn prove(&self, candidate: Candidate) -> Result<Proven, ConnectionError> {
        prove(&self.connections, candidate, &seconds(20)).await
    }

    async fn code(&self, candidate: Candidate) -> &'static str {
        match self.prove(candidate).await {
            Ok(_) => "proven",
            Err(err) => err.code(),
        }
    }

    async fn rights(&self) -> Vec<(&'static str, RightStatus)> {
        let proven = self.prove(self.candidate()).await.unwrap();
        let client = self.connections.candidate(proven.keys).await.unwrap();
        let held = rights(&client, &seconds(20)).await;
        held.iter().map(|(of, is)| (of.right, *is)).collect()
    }
}

/// Without any AWS: nothing here may ask it.
fn connections(listed: &[&str]) -> Connections {
    let account = Account {
        region: "us-east-1".into(),
        endpoint_url: Some("http://127.0.0.1:9".into()),
        credentials: Credentials::new("test", "test", None, None, "test"),
    };
    let config = connections::Config {
        config_table: "config".into(),
        access_table: "access".into(),
        connection_secret_prefix: "connection/".into(),
        client_id_secret: "client-id".into(),
        allowed_origins: listed.iter().map(|origin| (*origin).to_owned()).collect(),
    };
    Connections::build(&config, &sdk_config(&account).unwrap()).unwrap()
}

fn seconds(seconds: i64) -> Invocation {
    let now = Timestamp::now();
    Invocation::at("test", now, now + SignedDuration::from_secs(seconds))
}

#[tokio::test]
async fn a_good_connection_is_proven_and_says_whose_it_is() {
    let world = World::new().await;
    let typed = Candidate {
        site: format!(" {}/v4_6_release/ConnectWise.aspx ", world.sim.base_url()),
        company_id: " TBDEMO ".to_owned(),
        ..world.candidate()
    };
    let proven = world.prove(typed).await.unwrap();
    assert_eq!(
        (proven.keys.origin.as_str(), proven.keys.company_id.as_str()),
        (world.sim.base_url().as_str(), "tbdemo")
    );
    let member = proven.member.unwrap();
    assert_eq!(member.identifier, "Ticketbridge");
    assert_eq!(member.service_default_board.unwrap().name, "Service Desk");
    assert!(proven.company.is_some_and(|name| !name.is_empty()));
}

#[tokio::test]
async fn each_kind_of_broken_connection_is_told_apart() {
    let world = World::new().await;
    let good = || world.candidate();
    let of = |change: fn(&mut Candidate)| {
        let mut candidate = good();
        change(&mut candidate);
        candidate
    };
    let company = || of(|typed| typed.company_id = "nobody".to_owned());
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
        // The operator's own clientId is asked of AWS, and there is none here.
        (json!({}), of(|typed| typed.client_id = None), "ours"),
    ] {
        let about = faults.to_string();
        world.faults(faults).await;
        assert_eq!(world.code(candidate).await, expected, "{about}");
        world.mend_all().await;
    }

    world.faults(json!({ "rate_limit_per_minute": 1 })).await;
    assert_eq!(world.code(good()).await, "proven");
    assert_eq!(world.code(good()).await, "throttled");
    world.mend_all().await;

    // Silence: no longer waited for than the invocation lasts.
    let silent = json!({ "variants": { "wrong_company": "no_answer" } });
    world.faults(silent).await;
    let err = prove(&world.connections, company(), &seconds(3)).await;
    assert_eq!(err.unwrap_err().code(), "down_or_company_unknown");
    world.faults(json!({ "latency_ms": 5000 })).await;
    let err = prove(&world.connections, good(), &seconds(3)).await;
    assert_eq!(err.unwrap_err().code(), "down");
}

#[test]
fn what_a_cloud_says_of_a_company_id_is_taken_for_sure_and_what_a_server_does_not_say_is_not() {
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
    for (asked, of_cloud, of_server) in [
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
            let judged = of_site(&Origin::parse(origin).unwrap(), "acme", asked.clone());
            let told = judged.map(|info| info.is_some()).map_err(|err| {
                assert!(!err.to_string().contains("10.1.2.3"), "{err}");
                err.code()
            });
            assert_eq!(told, expected, "{origin} {asked:?}");
        }
    }
}

#[test]
fn only_an_answer_that_comes_after_the_keys_proves_them() {
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
        let site = Site {
            origin: &origin,
            company_id: "acme",
            company_known: true,
            own_client_id: false,
        };
        let judged = of_keys(site, Err(err.clone()));
        let told = judged.map(|member| assert_eq!(member, None));
        assert_eq!(told.map_err(|err| err.code()), expected, "{err:?}");
    }
}

#[test]
fn each_fault_has_words_of_its_own_and_names_a_field_or_passes() {
    let origin = || Origin::parse("https://psa.msp.example").unwrap();
    let company_id = || "acme".to_owned();
    let host = || HostError::Insecure {
        host: "h".to_owned(),
    };
    let all = [
        ConnectionError::NotAnAddress(host()),
        ConnectionError::HostNotAllowed(host()),
        ConnectionError::ServedElsewhere(host()),
        ConnectionError::HostUnknown { origin: origin() },
        ConnectionError::AddressRefused { origin: origin() },
        ConnectionError::CompanyUnknown {
            origin: origin(),
            company_id: company_id(),
        },
        ConnectionError::CompanyOrSiteWrong {
            origin: origin(),
            company_id: company_id(),
        },
        ConnectionError::NotConnectWise { origin: origin() },
        ConnectionError::KeysRefused,
        ConnectionError::CompanyOrKeysRefused,
        ConnectionError::OwnClientIdRefused,
        ConnectionError::ClientIdRefused,
        ConnectionError::Down { origin: origin() },
        ConnectionError::DownOrCompanyUnknown { origin: origin() },
        ConnectionError::Throttled {
            after: Duration::from_secs(30),
        },
        ConnectionError::NoKeys,
        ConnectionError::Ours,
    ];
    let words: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    let codes: BTreeSet<_> = all.iter().map(ConnectionError::code).collect();
    assert_eq!((words.len(), codes.len()), (all.len(), all.len()));
    for err in all {
        let (field, passes) = (err.field(), err.passes());
        let problem = Problem::from(err.clone());
        assert_eq!(problem.field.as_deref(), field, "{err}");
        let expected = if passes { 503 } else { 422 };
        assert_eq!(problem.status.as_u16(), expected, "{err}");
    }
}

#[tokio::test]
async fn every_notation_of_another_host_is_refused_before_a_socket_is_opened() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // The listed host and its port are others: whatever leads to this machine in other clothes would come here.
    let connections = connections(&["http://127.0.0.2:1", "https://psa.msp.example"]);
    let mut refused = 0;
    for (notation, expected) in notations::NOTATIONS {
        if expected.is_ok() {
            continue;
        }
        let site = notation.replace(":8080", &format!(":{port}"));
        let candidate = Candidate {
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
    let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "a connection was opened");
}

#[tokio::test]
async fn a_host_that_the_site_names_is_used_only_if_it_may_be_and_else_gets_no_keys() {
    let (other, mut heard_by_other) =
        server(|_, _| json!({ "id": 7, "identifier": "other" })).await;
    for (named, expected) in [
        (other.clone(), "proven"),
        ("http://169.254.169.254".to_owned(), "served_elsewhere"),
        ("evil.example".to_owned(), "served_elsewhere"),
        (format!("{other}@evil.example"), "served_elsewhere"),
    ] {
        let site_url = named.clone();
        let answer = move |_: &str, _: &str| json!({ "CompanyID": "acme", "SiteUrl": site_url });
        let (site, mut heard) = server(answer).await;
        let candidate = Candidate {
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
                let asked = heard_by_other.recv().await.unwrap();
                assert!(asked.to_lowercase().contains("authorization:"), "{asked}");
            }
            Err(err) => assert_eq!(err.code(), expected, "{named}"),
        }
        let asked = heard.recv().await.unwrap();
        assert!(asked.starts_with("GET /login/companyinfo/acme "), "{asked}");
        assert!(!asked.to_lowercase().contains("authorization:"), "{asked}");
        assert!(heard.try_recv().is_err(), "the site is asked once");
    }
}

#[tokio::test]
async fn rights_are_taken_from_the_listing_and_my_counts_as_missing() {
    let world = World::new().await;
    assert!(
        world
            .rights()
            .await
            .iter()
            .all(|(_, is)| *is == RightStatus::Granted)
    );
    world
        .faults(json!({
            "missing_rights": ["table_setup.add", "close_service_tickets.edit"],
            "variants": { "rights_at_my": ["service_tickets.inquire"] },
        }))
        .await;
    let missing: Vec<_> = world.rights().await;
    let missing = missing.iter().filter(|(_, is)| *is == RightStatus::Missing);
    let missing: Vec<_> = missing.map(|(right, _)| *right).collect();
    assert_eq!(
        missing,
        [
            rights::TICKETS_INQUIRE,
            rights::TICKETS_CLOSE,
            rights::TABLES_ADD
        ]
    );
}

#[tokio::test]
async fn where_rights_are_not_listed_one_row_of_each_list_tells_what_it_can() {
    let world = World::new().await;
    for listing in [
        json!({ "my_security": "refused" }),
        json!({ "my_security_names": "absent" }),
    ] {
        let missing = [
            "member_maintenance.inquire",
            "table_setup.inquire",
            "service_tickets.add",
        ];
        world
            .faults(json!({ "missing_rights": missing, "variants": listing }))
            .await;
        let of = world.rights().await;
        let of = |right| of.iter().find(|(of, _)| *of == right).unwrap().1;
        for (right, expected) in [
            (rights::COMPANIES_INQUIRE, RightStatus::Granted),
            (rights::TICKETS_INQUIRE, RightStatus::Granted),
            (rights::MY_COMPANY_INQUIRE, RightStatus::Granted),
            (rights::MEMBERS_INQUIRE, RightStatus::Missing),
            (rights::TABLES_INQUIRE, RightStatus::Missing),
            (rights::TICKETS_ADD, RightStatus::NotKnown),
            (rights::TICKETS_CLOSE, RightStatus::NotKnown),
        ] {
            assert_eq!(of(right), expected, "{right} {listing}");
        }
        world.mend_all().await;
    }
    let required = rights::TABLE
        .iter()
        .filter(|right| right.need == Need::Required);
    assert_eq!(required.count(), 4);
}
