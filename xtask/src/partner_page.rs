//! The partner's page as a program uses it: the JSON beside each page, within one session.

use anyhow::{Context, Result, bail, ensure};
use domain::{RecordId, Secret, TenantId};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::local::emulator::http_client;

/// How many requests any long work here may need; each does what fits into seconds.
const STEPS_AT_MOST: usize = 100;

/// Somebody at a partner's page.
#[derive(Debug)]
pub(crate) struct PartnerPage {
    http: reqwest::Client,
    /// Where the page is: what a browser tells as the origin of each change.
    origin: String,
    /// The session, as `name=value`. Kept by hand: it is for https alone, and only browsers take this machine for as good.
    cookie: Secret,
    /// The partner that the link was for: each change names it.
    partner: String,
}

impl PartnerPage {
    /// Uses up a link.
    ///
    /// # Errors
    /// When the link is none, or is not taken.
    pub(crate) async fn open(link: &str) -> Result<Self> {
        let (origin, token) = link
            .split_once("/setup/open#")
            .with_context(|| format!("this is no link to a partner's page: {link}"))?;
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
        let said = answer.text().await?;
        ensure!(status.is_success(), "the link is refused: {status}: {said}");
        let cookie = cookie.context("the link is taken, but there is no session")?;
        let session = cookie.to_str()?.split(';').next().unwrap_or_default();
        page.cookie = Secret::new(session);
        let said: Value = serde_json::from_str(&said)?;
        let partner = said["partner"].as_str();
        partner
            .context("the link is taken, but its partner is not named")?
            .clone_into(&mut page.partner);
        Ok(page)
    }

    /// What a page shows.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.done(path, self.request(Method::GET, path)).await
    }

    /// Sends a form; answers what comes of it.
    pub(crate) async fn post(&self, path: &str, form: &Value) -> Result<Value> {
        let partner = [("partner", &self.partner)];
        let request = self.request(Method::POST, path).query(&partner);
        self.done(path, request.json(form)).await
    }

    /// Saves a form from the version that its page shows.
    pub(crate) async fn save(&self, path: &str, form: &Value) -> Result<Value> {
        let mut form = form.clone();
        form["version"] = self.get(path).await?["version"].take();
        self.post(path, &form).await
    }

    /// What the page shows of a tenant.
    pub(crate) async fn tenant(&self, tenant: &TenantId) -> Result<Value> {
        let tenant = utf8_percent_encode(tenant.as_str(), NON_ALPHANUMERIC);
        self.get(&format!("/setup/tenant?tenant={tenant}")).await
    }

    /// Maps a tenant to a company, and switches it on or off.
    pub(crate) async fn map(
        &self,
        tenant: &TenantId,
        company: RecordId,
        enabled: bool,
    ) -> Result<()> {
        let chosen = json!({
            "tenant": tenant,
            "company": company,
            "enabled": enabled,
            "version": self.tenant(tenant).await?["version"],
        });
        self.post("/setup/tenant", &chosen).await?;
        Ok(())
    }

    /// Goes on with long work until it is done, as the page's script does.
    pub(crate) async fn finish(&self, path: &str) -> Result<()> {
        for _ in 0..STEPS_AT_MOST {
            let said = self.post(path, &json!({})).await?;
            if said["next"] != path {
                return Ok(());
            }
        }
        bail!("{path} does not come to an end")
    }

    async fn done(&self, path: &str, request: RequestBuilder) -> Result<Value> {
        let answer = request
            .send()
            .await
            .with_context(|| format!("{path} does not answer"))?;
        let status = answer.status();
        let said = answer.text().await?;
        ensure!(status.is_success(), "{path}: {status}: {said}");
        serde_json::from_str(&said).with_context(|| format!("{path}: not JSON: {said}"))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.origin))
            .header("accept", "application/json")
            .header("origin", &self.origin)
            .header("cookie", self.cookie.expose())
    }
}
