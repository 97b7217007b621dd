//! Clients of set-up: the operator's programs, and people with browsers. Requests have the gateway's form.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use aws::invocation::Invocation;
use aws_lambda_events::encodings::Body;
use aws_lambda_events::http::HeaderMap;
use aws_types::SdkConfig;
use domain::setup::access::{Invitation, Partner, TokenHash};
use domain::{PartnerId, Secret};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use setup::{CALLBACK_ROUTE, Config, OPERATOR_ROUTE, PAGE_ROUTES, SOURCE_ROUTE, SetupHandler};
use store::{AccessTable, SaveOutcome};

use super::api_document;
use super::fixtures::{PARTNER, partner};
use super::lambda_proxy::LambdaProxy;

thread_local! {
    /// The answers of the page and the operator's API on this thread, if a test records them.
    static ANSWERS: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Records all answers on this thread from now on.
pub(crate) fn record_answers() {
    ANSWERS.set(Some(String::new()));
}

/// The recorded answers.
pub(crate) fn take_answers() -> String {
    ANSWERS.take().unwrap()
}

fn record_answer(answer: &Answer) {
    ANSWERS.with_borrow_mut(|answers| {
        if let Some(answers) = answers {
            writeln!(answers, "{} {:?}", answer.status, answer.headers).unwrap();
            answers.push_str(&answer.text);
        }
    });
}

/// The page's origin.
pub(crate) const PAGE: &str = "https://setup.example";
/// The function's time-out.
const TIME: SignedDuration = SignedDuration::from_secs(29);

/// The function `setup` as the operator's programs and people's browsers use it.
pub(crate) struct SetupPage {
    pub(crate) app: Arc<SetupHandler>,
    access: AccessTable,
}

impl SetupPage {
    pub(crate) fn new(app: SetupHandler, access: AccessTable) -> Self {
        let app = Arc::new(app);
        Self { app, access }
    }

    /// Calls the operator's API. The gateway has checked the caller's keys. `null` is no body.
    pub(crate) async fn operator(&self, method: &str, path: &str, json: &Value) -> Answer {
        self.operator_at(Timestamp::now(), method, path, json).await
    }

    /// Calls the operator's API at a time.
    pub(crate) async fn operator_at(
        &self,
        now: Timestamp,
        method: &str,
        path: &str,
        json: &Value,
    ) -> Answer {
        let mut call = Call::new(method, path).json(json);
        call.now = now;
        call.to(&self.app).await
    }

    /// Replaces the function by one that can start tasks. Lambda answers with `status`.
    pub(super) async fn start_lambda(
        &mut self,
        aws: &SdkConfig,
        config: &Config,
        status: u16,
    ) -> Lambda {
        let proxy = LambdaProxy::start(aws, status, None).await;
        let app = Arc::new(SetupHandler::build(config, &proxy.sdk_config()).unwrap());
        self.app = Arc::clone(&app);
        Lambda { proxy, app }
    }

    /// A browser without a session.
    pub(crate) fn browser(&self) -> Browser {
        Browser {
            app: Arc::clone(&self.app),
            cookies: BTreeMap::new(),
            partner: PARTNER.to_owned(),
            origin: Some(PAGE.to_owned()),
            now: None,
            time: TIME,
        }
    }

    /// A browser with a session of the seeded partner.
    pub(crate) async fn signed_in(&self) -> Browser {
        self.signed_in_at(&partner()).await
    }

    /// A browser with a session of this partner, which is created if it does not exist.
    pub(crate) async fn signed_in_at(&self, partner: &PartnerId) -> Browser {
        let mut browser = self.browser();
        browser.open(&self.link_of(partner).await).await;
        browser
    }

    /// A link to the page of this partner, which is created if it does not exist.
    pub(crate) async fn link_of(&self, partner: &PartnerId) -> String {
        let now = Timestamp::now();
        // A session that starts in the millisecond in which all sessions are ended is refused.
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
                manages_sources: true,
            };
            let saved = self.access.partners.save(partner, &item, 0).await.unwrap();
            assert_eq!(saved, SaveOutcome::Saved { version: 1 });
        }
        let token = format!("link-of-{partner}-{}", now.as_nanosecond());
        let link = Invitation {
            partner: partner.clone(),
            made_at,
            expires_at: now + SignedDuration::from_hours(1),
        };
        let hash = TokenHash::new(&Secret::new(token.as_str()));
        self.access.sessions.put_link(&hash, &link).await.unwrap();
        format!("{PAGE}/setup/open#{token}")
    }
}

/// A set-up function that starts tasks of its own through Lambda. The test chooses Lambda's answer and
/// runs the tasks.
pub(crate) struct Lambda {
    proxy: LambdaProxy,
    app: Arc<SetupHandler>,
}

impl Lambda {
    /// The number of tasks that were requested and not yet run.
    pub(crate) fn waiting(&self) -> usize {
        self.proxy.invocations.lock().unwrap().len()
    }

    /// Runs all requested tasks at a time. A result is `false` if Lambda would repeat the task.
    pub(crate) async fn run(&self, now: Timestamp) -> Vec<bool> {
        let tasks = std::mem::take(&mut *self.proxy.invocations.lock().unwrap());
        let mut results = vec![];
        for (call, task) in tasks {
            assert_eq!(call, "setup Event");
            let repeated = results.len();
            let invocation = Invocation::at(&format!("task-{repeated}"), now, now + TIME);
            let result = self.app.invoke(task.clone(), invocation).await;
            if result.is_err() {
                self.proxy.invocations.lock().unwrap().push((call, task));
            }
            results.push(result.is_ok());
        }
        results
    }
}

/// One request in the gateway's form. Tests change its fields.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// Whether a `?` belongs to the path, because the gateway decoded it.
    pub(crate) is_path: bool,
    /// The gateway's route.
    pub(crate) route_key: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) cookies: Vec<String>,
    pub(crate) body: Option<String>,
    pub(crate) now: Timestamp,
    /// The time that the function has for it.
    pub(crate) time: SignedDuration,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Call {
    /// A request without cookies and headers.
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let operators = path.starts_with("/v1/operator/");
        let bare = path.split('?').next() == Some("/setup");
        let route_key = if operators {
            OPERATOR_ROUTE
        } else if path.starts_with("/v1/tickets/") {
            SOURCE_ROUTE
        } else if path.starts_with("/v1/callbacks/") {
            CALLBACK_ROUTE
        } else if bare {
            PAGE_ROUTES[0]
        } else {
            PAGE_ROUTES[1]
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
            time: TIME,
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets a JSON body. `null` is no body.
    pub(crate) fn json(mut self, body: &Value) -> Self {
        if body.is_null() {
            return self;
        }
        self.body = Some(body.to_string());
        self.header("content-type", "application/json")
    }

    /// Sets a form's body.
    pub(crate) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let url = reqwest::Url::parse_with_params("http://form.invalid", fields).unwrap();
        self.body = Some(url.query().unwrap_or_default().to_owned());
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    pub(crate) async fn to(&self, app: &SetupHandler) -> Answer {
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
        let invocation = Invocation::at("test", self.now, self.now + self.time);
        let answer = Box::pin(app.handle(event, invocation)).await;
        let mut headers = answer.headers;
        for cookie in answer.cookies {
            headers.append("set-cookie", cookie.parse().unwrap());
        }
        let Some(Body::Text(text)) = answer.body else {
            unreachable!("all of its bodies are texts");
        };
        let answered = Answer {
            status: u16::try_from(answer.status_code).unwrap(),
            headers,
            text,
        };
        record_answer(&answered);
        // A path that cannot be read has no operation.
        let is_described = path.starts_with("/v1/operator/") && !self.is_path;
        if self.route_key == OPERATOR_ROUTE && is_described && self.method != "HEAD" {
            let media_type = answered.header("content-type");
            api_document::check(
                &self.method,
                path,
                answered.status,
                media_type,
                &answered.text,
            );
        }
        answered
    }
}

impl Answer {
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

    /// A header's value, empty if it is absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default()
    }
}

/// A browser. It does not follow redirects.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    app: Arc<SetupHandler>,
    pub(crate) cookies: BTreeMap<String, String>,
    /// The partner of the loaded page. Its links and forms are relative.
    pub(crate) partner: String,
    /// The `Origin` header of its changes.
    pub(crate) origin: Option<String>,
    /// The time of its requests. The present time if absent.
    pub(crate) now: Option<Timestamp>,
    /// The time that the function has for a request.
    pub(crate) time: SignedDuration,
}

impl Browser {
    /// Opens a link and confirms. Panics unless it succeeds.
    pub(crate) async fn open(&mut self, link: &str) {
        let (page, token) = link.split_once('#').unwrap();
        assert_eq!(page, format!("{PAGE}/setup/open"));
        let token = json!({ "token": token });
        let answer = self.post("/setup/session", &token).await;
        let answer = answer.expect(200).json();
        let partner = answer["partner"].as_str().unwrap();
        assert_eq!(
            answer["next"],
            format!("/setup/partners/{partner}/overview")
        );
        self.partner = partner.to_owned();
    }

    /// Gets a page as HTML.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let call = self.call("GET", path).header("accept", "text/html");
        self.send(call).await
    }

    /// Gets a page as JSON.
    pub(crate) async fn get_json(&mut self, path: &str) -> Answer {
        let call = self.call("GET", path).header("accept", "application/json");
        self.send(call).await
    }

    /// Posts JSON as the page's script does.
    pub(crate) async fn post(&mut self, path: &str, json: &Value) -> Answer {
        let call = self.call("POST", path).json(json);
        self.send(call.header("accept", "application/json")).await
    }

    /// Posts JSON, expects this status, and returns the answer's JSON.
    pub(crate) async fn submit(&mut self, path: &str, json: &Value, status: u16) -> Value {
        self.post(path, json).await.expect(status).json()
    }

    pub(crate) async fn post_form(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let call = self.call("POST", path).form(fields);
        self.send(call.header("accept", "text/html")).await
    }

    /// Sends a form of a page, as a browser without a script does.
    pub(crate) async fn post_form_of(
        &mut self,
        page: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Answer {
        let page = format!("{PAGE}{}", self.call("GET", page).path);
        let call = self.call("POST", path).form(fields);
        let call = call.header("referer", &page);
        self.send(call.header("accept", "text/html")).await
    }

    /// A request with the browser's cookies. A changing request also has its origin.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        let path = match path.strip_prefix('/') {
            Some(_) => path.to_owned(),
            None => format!("/setup/partners/{}/{path}", self.partner),
        };
        let mut call = Call::new(method, &path);
        call.now = self.now.unwrap_or(call.now);
        call.time = self.time;
        let cookies = self.cookies.iter();
        call.cookies = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        match &self.origin {
            Some(origin) if method != "GET" => call.header("origin", origin),
            _ => call,
        }
    }

    /// Sends a request and stores the answer's cookies.
    pub(crate) async fn send(&mut self, call: Call) -> Answer {
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
