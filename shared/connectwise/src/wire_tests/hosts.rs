//! Which hosts are called: any other host, in any notation, is refused before a name is resolved or
//! a socket is opened, and keys are sent only to their own host.

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use domain::setup::rights;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower_layer::Layer;
use tower_service::Service;

use super::notations::NOTATIONS;
use super::server::{Play, Server, answer, answer_with, credentials, header, within};
use super::{TICKET, records};
use crate::call::{ApiCall, sign};
use crate::{
    Client, Error, HostError, HostList, Http, ModelVersion, Origin, RecordCursor, TicketFilter,
    company_info,
};

/// Replaces the connector: it records the targets of connections and makes none.
#[derive(Clone, Default)]
struct Spy(Arc<Mutex<Vec<String>>>);

/// A connector that is replaced by a [`Spy`].
#[derive(Clone)]
struct Spied<S> {
    spy: Spy,
    connector: S,
}

impl Spy {
    fn take_targets(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl<S> Layer<S> for Spy {
    type Service = Spied<S>;
    fn layer(&self, connector: S) -> Spied<S> {
        let spy = self.clone();
        Spied { spy, connector }
    }
}

impl<S, R> Service<R> for Spied<S>
where
    S: Service<R, Error = Box<dyn StdError + Send + Sync>>,
    R: std::fmt::Debug,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Ready<Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, to: R) -> Self::Future {
        self.spy.0.lock().unwrap().push(format!("{to:?}"));
        ready(Err("the spy makes no connection".into()))
    }
}

/// Resolves names from a list: each answer once, then the last one always.
struct ScriptedResolver {
    answers: Mutex<VecDeque<Vec<SocketAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl ScriptedResolver {
    fn new(answers: &[&[&str]]) -> Self {
        let addresses = |some: &&[&str]| some.iter().map(|a| a.parse().unwrap()).collect();
        Self {
            answers: Mutex::new(answers.iter().map(addresses).collect()),
            asked: Arc::default(),
        }
    }
}

impl Resolve for ScriptedResolver {
    fn resolve(&self, _: Name) -> Resolving {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let found = match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop_front().unwrap(),
        };
        Box::pin(ready(Ok(Box::new(found.into_iter()) as Addrs)))
    }
}

fn hosts() -> HostList {
    HostList::new(["http://127.0.0.1:8080", "https://psa.msp.example"]).unwrap()
}

/// The origin of a pasted address, or the kind of its refusal.
fn check_address(pasted: &str) -> Result<Origin, &'static str> {
    hosts().site(pasted).map_err(|error| match error {
        HostError::NotAnAddress { .. } => "no address",
        HostError::Insecure { .. } => "insecure",
        HostError::NotListed { .. } => "not listed",
    })
}

#[tokio::test]
async fn another_host_is_refused_before_a_look_up_or_a_connection() {
    let spy = Spy::default();
    let names = ScriptedResolver::new(&[&["127.0.0.1:8080"]]);
    let asked = names.asked.clone();
    let builder = Http::builder(&hosts(), Arc::new(names)).unwrap();
    let client = builder.connector_layer(spy.clone()).build().unwrap();
    let http = Http {
        client,
        hosts: hosts(),
        model_version: ModelVersion::default(),
    };

    let mut refused = 0;
    for (pasted, expected) in NOTATIONS {
        let site = check_address(pasted);
        assert_eq!(
            site.as_ref().map(Origin::as_str).map_err(|kind| *kind),
            *expected,
            "{pasted:?}"
        );
        if let Ok(origin) = site {
            // Shows that the spy sees connections, so that its empty list is a proof.
            let client = Client::new(&http, credentials(origin.as_str())).unwrap();
            let error = client.ticket(7, within(2_000)).await.unwrap_err();
            assert!(matches!(error, Error::NotSent { .. }), "{error:?}");
            assert_eq!(spy.take_targets(), [format!("Unnameable({origin}/)")]);
            continue;
        }
        // An address that is no allowed site may still be an origin that a changed secret names.
        for text in [
            (*pasted).to_owned(),
            format!("https://{pasted}"),
            format!("http://{pasted}"),
        ] {
            let Ok(origin) = Origin::parse(&text) else {
                continue;
            };
            let keys = credentials(origin.as_str());
            let call = ApiCall::get("/system/myMembers", rights::MEMBERS_INQUIRE);
            assert!(Client::new(&http, keys.clone()).is_err(), "{text:?}");
            let signed = sign(&http, &keys, &call).map(drop);
            assert!(matches!(signed, Err(Error::HostRefused { .. })), "{text:?}");
            let info = company_info(&http, &origin, "acme", within(2_000)).await;
            assert!(matches!(info, Err(Error::HostRefused { .. })), "{text:?}");
        }
        refused += 1;
    }
    assert_eq!(spy.take_targets(), [""; 0]);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert!(refused >= 60, "{refused}");
}

#[tokio::test]
async fn a_name_that_resolves_to_this_machine_later_is_refused() {
    let home = Server::start([Play::Answer(answer(200, TICKET))]).await;
    let port = home.origin.rsplit_once(':').unwrap().1;
    let private = format!("127.0.0.1:{port}");
    let mapped = format!("[::ffff:127.0.0.1]:{port}");
    // A public address of a range that was returned to IANA. No host has it, and most machines have
    // no route to it.
    let public = "[3ffe:831f::1]:1";
    let cloud = "https://api-na.myconnectwise.net";
    let table: [&[&[&str]]; 5] = [
        &[&[public], &[&private]],
        &[&[public, &private]],
        &[&[&private, public]],
        &[&[&mapped]],
        &[&["169.254.169.254:80"]],
    ];
    for answers in table {
        let names = ScriptedResolver::new(answers);
        let asked = names.asked.clone();
        let client = Http::builder(&HostList::default(), Arc::new(names)).unwrap();
        let http = Http {
            client: client.build().unwrap(),
            hosts: HostList::default(),
            model_version: ModelVersion::default(),
        };
        let client = Client::new(&http, credentials(cloud)).unwrap();
        for _ in 1..answers.len() {
            let error = client.ticket(7, within(500)).await.unwrap_err();
            assert!(!matches!(error, Error::HostRefused { .. }), "{error:?}");
        }
        let error = client.ticket(7, within(2_000)).await.unwrap_err();
        assert!(
            matches!(error, Error::HostRefused { .. }),
            "{answers:?}: {error:?}"
        );
        assert_eq!(asked.load(Ordering::SeqCst), answers.len());
        assert_eq!(home.connections(), 0, "{answers:?}");
    }

    // A listed name may resolve to this machine. So the check stopped the other names. The server
    // here speaks no TLS.
    let listed = "https://psa.msp.example";
    let hosts = HostList::new([listed]).unwrap();
    let names = ScriptedResolver::new(&[&[&private]]);
    let client = Http::builder(&hosts, Arc::new(names))
        .unwrap()
        .build()
        .unwrap();
    let client = Client::new(
        &Http {
            client,
            hosts,
            model_version: ModelVersion::default(),
        },
        credentials(listed),
    )
    .unwrap();
    let error = client.ticket(7, within(2_000)).await.unwrap_err();
    assert!(!matches!(error, Error::HostRefused { .. }), "{error:?}");
    assert!(home.connections() >= 1);
}

#[tokio::test]
async fn a_response_that_names_another_host_gets_no_key() {
    // It is listed too, so only the refusal to follow keeps the keys from it.
    let elsewhere = Server::start([Play::Answer(answer(200, TICKET))]).await;
    let other = &elsewhere.origin;
    let authority = other.strip_prefix("http://").unwrap();
    let pointers = format!(
        "Link: <{other}/x?pageId=9>; rel=\"next\"\r\nContent-Location: {other}/x\r\nRefresh: 0; url={other}/x\r\nAlt-Svc: h2=\"{authority}\"\r\n"
    );
    let mut answers: Vec<String> = Vec::new();
    for status in [301, 302, 303, 307, 308] {
        for to in [
            format!("{other}/x"),
            format!("//{authority}/x"),
            "/v4_6_release/x".to_owned(),
        ] {
            answers.push(answer_with(status, &format!("Location: {to}\r\n"), ""));
        }
    }
    let redirects = answers.len();
    let hrefs =
        format!(r#"{{"id":7,"externalXRef":"tb1-a","_info":{{"notes_href":"{other}/x"}}}}"#);
    answers.push(answer_with(200, &pointers, &hrefs));
    answers.push(answer_with(200, &pointers, &format!("[{hrefs}]")));
    answers.push(answer_with(200, &pointers, "[]"));
    answers.push(answer_with(200, &pointers, &records(1..2)));
    answers.push(answer(200, "[]"));
    let asked = answers.len();
    let server = Server::start(answers.into_iter().map(Play::Answer)).await;
    let both = HostList::new([&server.origin, other]).unwrap();
    let client = Client::new(&Http::new(both).unwrap(), credentials(&server.origin)).unwrap();

    for n in 0..redirects {
        let error = match n % 2 {
            0 => client.ticket(7, within(2_000)).await.unwrap_err(),
            _ => client
                .ticket_writer()
                .close(7, 18, within(2_000))
                .await
                .unwrap_err(),
        };
        assert!(matches!(error, Error::RedirectRefused { .. }), "{error:?}");
    }
    client.ticket(7, within(2_000)).await.unwrap();
    let ours = TicketFilter::beginning(super::xref("tb1-"));
    let page = client
        .ticket_page(&ours, RecordCursor::START, within(2_000))
        .await
        .unwrap();
    let page = client
        .ticket_page(&ours, page.next.unwrap(), within(2_000))
        .await
        .unwrap();
    assert_eq!(page.next, None);
    assert_eq!(client.priorities(within(2_000)).await.unwrap().len(), 1);

    let requests = server.requests();
    assert_eq!(requests.len(), asked);
    assert!(
        requests
            .iter()
            .all(|request| header(request, "authorization").is_some())
    );
    assert!(
        requests[redirects + 2].contains("&pageId=9 HTTP/1.1"),
        "{}",
        requests[redirects + 2]
    );
    assert_eq!(
        (elsewhere.connections(), elsewhere.requests().len()),
        (0, 0)
    );
}

#[tokio::test]
async fn a_site_url_that_names_another_host_is_not_used() {
    let evil = Server::start([Play::Answer(answer(200, TICKET))]).await;
    let table = [
        (evil.origin.clone(), false),
        ("evil.example".to_owned(), false),
        ("api-na.myconnectwise.net.evil.com".to_owned(), false),
        ("api-na.myconnectwise.net@evil.example".to_owned(), false),
        ("http://169.254.169.254/".to_owned(), false),
        ("http://api-na.myconnectwise.net".to_owned(), false),
        ("api-na.myconnectwise.net".to_owned(), true),
        ("https://eu.myconnectwise.net/".to_owned(), true),
    ];
    let said = table
        .iter()
        .map(|(url, _)| serde_json::json!({ "CompanyID": "acme", "SiteUrl": url }));
    let server = Server::start(said.map(|body| Play::Answer(answer(200, &body.to_string())))).await;
    let (http, origin) = (server.http(), Origin::parse(&server.origin).unwrap());
    for (url, good) in &table {
        let info = company_info(&http, &origin, "acme", within(2_000))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(info.site_url, *url);
        assert_eq!(http.hosts().site(&info.site_url).is_ok(), *good, "{url}");
    }
    assert_eq!(
        (server.requests().len(), evil.connections()),
        (table.len(), 0)
    );
    assert!(
        server
            .requests()
            .iter()
            .all(|request| header(request, "authorization").is_none())
    );
}
