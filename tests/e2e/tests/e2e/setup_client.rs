//! Who uses set-up: the operator's programs, and people with their browsers. Requests reach the function as the gateway hands them over.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::invocation::Invocation;
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::HeaderMap;
use domain::access::{Link, Partner, TokenHash};
use domain::{PartnerId, Secret};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use setup::{App, OPERATOR_ROUTE, PAGE_ROUTES};
use store::SaveOutcome;

use crate::canary::record_answer;
use crate::reconcile_fans_out::Way;
use crate::world::{World, partner};

/// Where browsers find the page.
pub(crate) const PAGE: &str = "https://setup.example";
/// How long the function has for an answer.
const TIME: SignedDuration = SignedDuration::from_secs(29);

/// Set-up that can start itself: Lambda's answers are the test's, and it runs what was asked for when the test says so.
pub(crate) struct Lambda {
    way: Way,
    app: Arc<App>,
}

impl Lambda {
    /// How many tasks wait, each of which was taken with this status.
    pub(crate) fn waiting(&self) -> usize {
        self.way.asked.lock().unwrap().len()
    }

    /// Runs all tasks that wait, at a time; each result is whether Lambda would not repeat it.
    pub(crate) async fn run(&self, now: Timestamp) -> Vec<bool> {
        let tasks = std::mem::take(&mut *self.way.asked.lock().unwrap());
        let mut results = vec![];
        for (call, task) in tasks {
            assert_eq!(call, "setup Event");
            let repeated = results.len();
            let invocation = Invocation::at(&format!("task-{repeated}"), now, now + TIME);
            let result = self.app.invoke(task.clone(), invocation).await;
            if result.is_err() {
                self.way.asked.lock().unwrap().push((call, task));
            }
            results.push(result.is_ok());
        }
        results
    }
}

/// One request, as the gateway describes it. A test changes what it wants to be otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// A `?` in it belongs to the path: the gateway decoded it.
    pub(crate) is_path: bool,
    /// Which of its routes the gateway chose.
    pub(crate) route_key: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) cookies: Vec<String>,
    pub(crate) body: Option<String>,
    pub(crate) now: Timestamp,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Call {
    /// One that says nothing about who makes it.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let operators = path.starts_with("/v1/operator/");
        let bare = path.split('?').next() == Some("/setup");
        let route_key = match (operators, bare) {
            (true, _) => OPERATOR_ROUTE,
            (false, true) => PAGE_ROUTES[0],
            (false, false) => PAGE_ROUTES[1],
        };
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            is_path: false,
            route_key: route_key.to_owned(),
            headers: BTreeMap::new(),
            cookies: vec![],
            body: None,
            now: Timestamp::now(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With a body of JSON; `null` is none.
    pub(crate) fn json(mut self, body: &Value) -> Self {
        if body.is_null() {
            return self;
        }
        self.body = Some(body.to_string());
        self.header("content-type", "application/json")
    }

    /// With a body as a form sends it.
    pub(crate) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let url = reqwest::Url::parse_with_params("http://form.invalid", fields).unwrap();
        self.body = Some(url.query().unwrap_or_default().to_owned());
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    pub(crate) async fn to(&self, app: &App) -> Answered {
        let parts = self.path.split_once('?').filter(|_| !self.is_path);
        let (path, query) = parts.unwrap_or((&self.path, ""));
        let event = json!({
            "version": "2.0",
            "routeKey": self.route_key,
            "rawPath": path,
            "rawQueryString": query,
            "headers": self.headers,
            "cookies": (!self.cookies.is_empty()).then_some(&self.cookies),
            "requestContext": {
                "routeKey": self.route_key,
                "stage": "$default",
                "requestId": "test",
                "domainName": "setup.example",
                "timeEpoch": self.now.as_millisecond(),
                "http": { "method": self.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test" },
            },
            "body": self.body,
            "isBase64Encoded": false,
        });
        let event = serde_json::from_value(event).unwrap();
        let invocation = Invocation::at("test", self.now, self.now + TIME);
        let answer = Box::pin(app.handle(event, invocation)).await;
        let mut headers = answer.headers;
        for cookie in answer.cookies {
            headers.append("set-cookie", cookie.parse().unwrap());
        }
        let Some(Body::Text(text)) = answer.body else {
            unreachable!("all of its bodies are texts");
        };
        let answered = Answered {
            status: u16::try_from(answer.status_code).unwrap(),
            headers,
            text,
        };
        record_answer(&answered);
        answered
    }
}

impl Answered {
    /// Panics with the whole answer unless it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {:?}", self.text, self.headers);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect(&self.text)
    }

    /// A header; empty where it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default()
    }
}

/// Somebody at the page. Nothing is followed: an answer that sends on is looked at as it is.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    app: Arc<App>,
    pub(crate) cookies: BTreeMap<String, String>,
    /// The partner whose pages it shows: their forms name it.
    pub(crate) partner: Option<String>,
    /// What it says of where its forms and scripts come from.
    pub(crate) origin: Option<String>,
    /// The time of its requests; the machine's where absent.
    pub(crate) now: Option<Timestamp>,
}

impl Browser {
    /// Follows a link and presses the button there; panics unless it opens.
    pub(crate) async fn open(&mut self, link: &str) {
        let (page, token) = link.split_once('#').unwrap();
        assert_eq!(page, format!("{PAGE}/setup/open"));
        let token = json!({ "token": token });
        let answer = self.post("/setup/session", &token).await;
        let answer = answer.expect(200).json();
        assert_eq!(answer["next"], "/setup");
        self.partner = answer["partner"].as_str().map(str::to_owned);
    }

    /// A page as people see it.
    pub(crate) async fn get(&mut self, path: &str) -> Answered {
        let call = self.call("GET", path).header("accept", "text/html");
        self.send(call).await
    }

    /// The same for a program.
    pub(crate) async fn get_json(&mut self, path: &str) -> Answered {
        let call = self.call("GET", path).header("accept", "application/json");
        self.send(call).await
    }

    /// A change as the page's script sends it.
    pub(crate) async fn post(&mut self, path: &str, json: &Value) -> Answered {
        let call = self.call("POST", path).json(json);
        self.send(call.header("accept", "application/json")).await
    }

    /// A change as a form sends it.
    pub(crate) async fn post_form(&mut self, path: &str, fields: &[(&str, &str)]) -> Answered {
        let call = self.call("POST", path).form(fields);
        self.send(call.header("accept", "text/html")).await
    }

    /// A request with this browser's cookies; where it may change something, with its origin and the partner of its pages.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        let mut call = Call::new(method, path);
        if let Some(partner) = self.partner.as_ref().filter(|_| method != "GET") {
            let event = if path.contains('?') { '&' } else { '?' };
            call.path = format!("{path}{event}partner={partner}");
        }
        call.now = self.now.unwrap_or(call.now);
        let cookies = self.cookies.iter();
        call.cookies = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        match &self.origin {
            Some(origin) if method != "GET" => call.header("origin", origin),
            _ => call,
        }
    }

    /// Sends a request, and keeps what cookies the answer sets.
    pub(crate) async fn send(&mut self, call: Call) -> Answered {
        let answer = call.to(&self.app).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

impl World {
    /// Lets set-up start itself; Lambda answers with this status.
    pub(crate) async fn with_lambda(&mut self, status: u16) -> Lambda {
        let way = Way::open(self, status, None).await;
        let app = Arc::new(App::build(&self.setup_config(), &way.aws(self)).unwrap());
        self.setup = Arc::clone(&app);
        Lambda { way, app }
    }

    /// What the operator's programs ask; the gateway has checked their keys. `null` is no body.
    pub(crate) async fn operator(&self, method: &str, path: &str, json: &Value) -> Answered {
        self.operator_at(Timestamp::now(), method, path, json).await
    }

    /// The same at another time.
    pub(crate) async fn operator_at(
        &self,
        now: Timestamp,
        method: &str,
        path: &str,
        json: &Value,
    ) -> Answered {
        let mut call = Call::new(method, path).json(json);
        call.now = now;
        call.to(&self.setup).await
    }

    /// The confirmation link in the last mail that has one: its part behind `#`.
    pub(crate) async fn confirmation(&self) -> String {
        let mails = self.mails().await;
        let texts = mails.iter().filter_map(|mail| mail["BodyText"].as_str());
        let links = texts.flat_map(str::split_whitespace);
        let mut links = links.filter_map(|word| word.split_once("/setup/contact/confirm#"));
        let last = links.next_back().expect("no confirmation was mailed");
        last.1.to_owned()
    }

    /// Whoever reads the pending address's mail opens the link and presses the button, at a time.
    pub(crate) async fn confirm_contact_at(&self, now: Timestamp) -> Answered {
        let mut reader = self.browser();
        reader.now = Some(now);
        let token = json!({ "token": self.confirmation().await });
        reader.post("/setup/contact/confirm", &token).await
    }

    /// The same now, which must work.
    pub(crate) async fn confirm_contact(&self) {
        self.confirm_contact_at(Timestamp::now()).await.expect(200);
    }

    /// Somebody whom nobody knows.
    pub(crate) fn browser(&self) -> Browser {
        Browser {
            app: Arc::clone(&self.setup),
            cookies: BTreeMap::new(),
            partner: None,
            origin: Some(PAGE.to_owned()),
            now: None,
        }
    }

    /// Somebody at the seeded partner, who has followed a link.
    pub(crate) async fn signed_in(&self) -> Browser {
        self.signed_in_at(&partner()).await
    }

    /// Somebody at this partner, which is made if need be.
    pub(crate) async fn signed_in_at(&self, partner: &PartnerId) -> Browser {
        let now = Timestamp::now();
        // In the very millisecond of an end of all sessions nobody is let in.
        let made_at = now + SignedDuration::from_millis(1);
        if self
            .access
            .partners
            .get(partner)
            .await
            .unwrap()
            .value
            .is_none()
        {
            let item = Partner {
                name: partner.to_string(),
                enabled: true,
                made_at: now,
                sessions_from: None,
            };
            let saved = self.access.partners.save(partner, &item, 0).await.unwrap();
            assert_eq!(saved, SaveOutcome::Saved { version: 1 });
        }
        let token = format!("link-of-{partner}-{}", now.as_nanosecond());
        let link = Link {
            partner: partner.clone(),
            made_at,
            expires_at: now + SignedDuration::from_hours(1),
        };
        let hash = TokenHash::of(&Secret::new(token.as_str()));
        self.access.sessions.put_link(&hash, &link).await.unwrap();
        let mut browser = self.browser();
        browser.open(&format!("{PAGE}/setup/open#{token}")).await;
        browser
    }
}

#[tokio::test]
async fn somebody_with_a_link_comes_in_and_goes_again() {
    let world = World::new().await;
    world.browser().get("/setup").await.expect(401);
    let mut browser = world.signed_in().await;
    let page = browser.get("/setup").await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let view = browser.get_json("/setup").await.expect(200).json();
    assert_eq!(view["partner"], "northwind");
    let out = browser.post_form("/setup/session/end", &[]).await;
    assert_eq!(
        out.expect(303).header("location"),
        "/setup/link?done=signed_out"
    );
    assert!(browser.cookies.is_empty());
    browser.get("/setup").await.expect(401);
    let nothing = world
        .operator("GET", "/v1/operator/nothing", &Value::Null)
        .await;
    assert_eq!(
        nothing.expect(404).header("content-type"),
        "application/problem+json"
    );
}
