//! A client of the partner's page: it uses the JSON form of each page, within one session.

use anyhow::{Context, Result, bail, ensure};
use domain::{RecordId, Secret, TenantId};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::emulator::http_client;

/// The most requests that long work may need. Each request works for some seconds.
const MAX_STEPS: usize = 100;

/// A person who is signed in to the page.
#[derive(Debug)]
pub struct PartnerPage {
    http: reqwest::Client,
    /// The page's origin, which browsers send with each change.
    origin: String,
    /// The session cookie, as `name=value`. An ordinary cookie store would not send it: it is for
    /// https, and only browsers treat loopback as equally secure.
    cookie: Secret,
    /// The partner of the link, which the addresses of its pages name.
    partner: String,
}

impl PartnerPage {
    /// Signs in with a link, which is used up.
    pub async fn open(link: &str) -> Result<Self> {
        let (origin, token) = link
            .split_once("/setup/open#")
            .with_context(|| format!("not a link to a partner's page: {link}"))?;
        let mut page = Self {
            http: http_client()?,
            origin: origin.to_owned(),
            cookie: Secret::new(""),
            partner: String::new(),
        };
        let answer = page
            .request(Method::POST, "/setup/session")
            .json(&json!({ "token": token }))
            .send()
            .await
            .context("the page does not answer")?;
        let status = answer.status();
        let cookie = answer.headers().get("set-cookie").cloned();
        let body = answer.text().await?;
        ensure!(status.is_success(), "the link is refused: {status}: {body}");
        let cookie = cookie.context("the answer sets no session cookie")?;
        let session = cookie.to_str()?.split(';').next().unwrap_or_default();
        page.cookie = Secret::new(session);
        let body: Value = serde_json::from_str(&body)?;
        let partner = body["partner"].as_str();
        partner
            .context("the answer does not name the partner")?
            .clone_into(&mut page.partner);
        Ok(page)
    }

    /// The content of a page.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let request = self.request(Method::GET, &self.path(path));
        self.send(path, request).await
    }

    /// Sends a form and returns the answer.
    pub async fn post(&self, path: &str, form: &Value) -> Result<Value> {
        let request = self.request(Method::POST, &self.path(path)).json(form);
        self.send(path, request).await
    }

    /// Sends a form with the version that its page shows.
    pub async fn save(&self, path: &str, form: &Value) -> Result<Value> {
        let mut form = form.clone();
        form["version"] = self.get(path).await?["version"].take();
        self.post(path, &form).await
    }

    /// The page of a tenant.
    pub async fn tenant(&self, tenant: &TenantId) -> Result<Value> {
        let tenant = utf8_percent_encode(tenant.as_str(), NON_ALPHANUMERIC);
        self.get(&format!("tenant?tenant={tenant}")).await
    }

    /// Maps a tenant to a company, and enables or disables it.
    pub async fn map(&self, tenant: &TenantId, company: RecordId, enabled: bool) -> Result<()> {
        let form = json!({
            "tenant": tenant,
            "company": company,
            "enabled": enabled,
            "version": self.tenant(tenant).await?["version"],
        });
        self.post("tenant", &form).await?;
        Ok(())
    }

    /// Continues long work until it is done, as the page's script does.
    pub async fn finish(&self, path: &str) -> Result<()> {
        for _ in 0..MAX_STEPS {
            let answer = self.post(path, &json!({})).await?;
            if answer["next"] != path {
                return Ok(());
            }
        }
        bail!("{path} is not done after {MAX_STEPS} requests")
    }

    /// The whole path of one of the partner's pages.
    fn path(&self, page: &str) -> String {
        format!("/setup/partners/{}/{page}", self.partner)
    }

    async fn send(&self, path: &str, request: RequestBuilder) -> Result<Value> {
        let answer = request
            .send()
            .await
            .with_context(|| format!("{path} does not answer"))?;
        let status = answer.status();
        let body = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status}: {body}");
        serde_json::from_str(&body).with_context(|| format!("{path}: not JSON: {body}"))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.origin))
            .header("accept", "application/json")
            .header("origin", &self.origin)
            .header("cookie", self.cookie.expose())
    }
}
