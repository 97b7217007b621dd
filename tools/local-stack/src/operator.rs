//! The operator of a local stack: an IAM user who may call the operator API and nothing else, and
//! the client that signs as this user.

use anyhow::{Context, Result, ensure};
use aws::signing::{API_GATEWAY, Signer};
use aws_credential_types::Credentials;
use domain::{PartnerId, SourceId};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::emulator::{Emulator, REGION, http_client};

const USER: &str = "ticketbridge-operator";

/// Calls the operator API of one stack.
#[derive(Debug)]
pub struct OperatorClient {
    http: reqwest::Client,
    url: String,
    signer: Signer,
}

/// A source that was just created. The API returns its secret only then.
#[derive(Debug, Deserialize)]
pub struct NewSource {
    pub id: SourceId,
    pub secret: String,
}

impl OperatorClient {
    /// Creates the IAM user and its keys.
    ///
    /// # Errors
    /// When the emulator refuses, for instance because the user exists.
    pub async fn create_user(emulator: &Emulator, api_id: &str) -> Result<Self> {
        let arn = format!("arn:aws:execute-api:{REGION}:*:{api_id}/*/*/v1/operator/*");
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": arn }],
        });
        let user = json!({ "UserName": USER });
        let calls = [
            json!({ "service": "iam", "operation": "CreateUser", "parameters": user }),
            json!({ "service": "iam", "operation": "PutUserPolicy", "parameters": {
                "UserName": USER, "PolicyName": "operate", "PolicyDocument": policy.to_string(),
            } }),
            json!({ "service": "iam", "operation": "CreateAccessKey", "parameters": user }),
        ];
        let created = emulator.call_all(&calls).await?.pop();
        let created = created.as_ref().map(|created| &created["AccessKey"]);
        let key = |member: &str| {
            let text = created.and_then(|created| created[member].as_str());
            text.with_context(|| format!("the operator's key has no {member}"))
        };
        let (id, secret) = (key("AccessKeyId")?, key("SecretAccessKey")?);
        let keys = Credentials::new(id, secret, None, None, "operator");
        Self::with_keys(emulator, api_id, keys)
    }

    /// A client that signs with any keys.
    pub fn with_keys(emulator: &Emulator, api_id: &str, keys: Credentials) -> Result<Self> {
        Ok(Self {
            http: http_client()?,
            // The path has no stage: clients differ in how they sign its `$` (curl 7 leaves it
            // as it is).
            url: format!(
                "{}/_aws/execute-api/{api_id}/v1/operator",
                emulator.endpoint()
            ),
            signer: Signer {
                credentials: keys,
                region: REGION.to_owned(),
                service: API_GATEWAY,
            },
        })
    }

    /// The API's address: the emulator's own, since the signature covers host and path.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn keys(&self) -> &Credentials {
        &self.signer.credentials
    }

    /// Creates a partner, or renames it.
    pub async fn put_partner(&self, partner: &PartnerId, name: &str) -> Result<()> {
        let path = format!("/partners/{partner}");
        self.call(Method::PUT, &path, Some(&json!({ "name": name })))
            .await?;
        Ok(())
    }

    /// Creates a source of one partner that posts CloudEvents.
    pub async fn new_source(&self, name: &str, partner: &PartnerId) -> Result<NewSource> {
        self.new_source_of("cloudevents", name, partner).await
    }

    /// Creates a source of one partner from a preset.
    pub async fn new_source_of(
        &self,
        preset: &str,
        name: &str,
        partner: &PartnerId,
    ) -> Result<NewSource> {
        let body = json!({ "name": name, "partner": partner, "preset": preset });
        let created = self.call(Method::POST, "/sources", Some(&body)).await?;
        serde_json::from_value(created).context("the operator API returned a source without secret")
    }

    /// Sets the webhook of a source, which must have none; it takes actions. Returns its signing secret.
    pub async fn put_webhook(&self, source: &SourceId, url: &str) -> Result<String> {
        let path = format!("/sources/{source}/webhook");
        let body = json!({ "url": url, "takes_actions": true });
        signing_secret(&self.call(Method::PUT, &path, Some(&body)).await?)
    }

    /// Gives the webhook of a source another signing secret, and returns it.
    pub async fn rotate_webhook_secret(&self, source: &SourceId) -> Result<String> {
        let path = format!("/sources/{source}/webhook/secret");
        let body = json!({});
        signing_secret(&self.call(Method::POST, &path, Some(&body)).await?)
    }

    /// Asks for a test delivery, and returns its id.
    pub async fn ping_webhook(&self, source: &SourceId) -> Result<String> {
        let path = format!("/sources/{source}/webhook/ping");
        let pinged = self.call(Method::POST, &path, None).await?;
        let id = pinged["delivery"].as_str().map(str::to_owned);
        id.context("the operator API returned a test delivery without id")
    }

    /// The newest deliveries of a source in this state.
    pub async fn deliveries(&self, source: &SourceId, state: &str) -> Result<Vec<Value>> {
        let path = format!("/sources/{source}/deliveries?state={state}");
        let mut page = self.call(Method::GET, &path, None).await?;
        let deliveries = page["deliveries"].as_array_mut().map(std::mem::take);
        deliveries.context("the operator API returned no deliveries")
    }

    /// A link to the partner's page. It works once, within a day.
    pub async fn new_link(&self, partner: &PartnerId) -> Result<String> {
        let path = format!("/partners/{partner}/links");
        let created = self.call(Method::POST, &path, Some(&json!({}))).await?;
        let url = created["url"].as_str();
        url.map(str::to_owned)
            .context("the operator API returned a link without url")
    }

    /// Sets the partner's only contact, which receives all mails. It needs no confirmation.
    pub async fn set_contact(&self, partner: &PartnerId, address: &str) -> Result<()> {
        let path = format!("/partners/{partner}/contacts");
        let mails = ["broken_connection", "waiting_alerts", "weekly_report"];
        let contacts = json!({ "contacts": [{ "address": address, "mails": mails }] });
        let answer = self.send(Method::PUT, &path, Some(&contacts)).await?;
        ensure!(
            answer.status().is_success(),
            "PUT {path}: {}",
            answer.status()
        );
        Ok(())
    }

    /// Enables a partner, or suspends it: then its alerts are blocked.
    pub async fn enable_partner(&self, partner: &PartnerId, enabled: bool) -> Result<()> {
        let path = format!("/partners/{partner}");
        let body = json!({ "enabled": enabled });
        self.call(Method::PUT, &path, Some(&body)).await?;
        Ok(())
    }

    /// What a partner chose about its ConnectWise.
    pub async fn configuration(&self, partner: &PartnerId) -> Result<Value> {
        let path = format!("/partners/{partner}/configuration");
        self.call(Method::GET, &path, None).await
    }

    /// Stores what [`Self::configuration`] returned before.
    pub async fn put_configuration(
        &self,
        partner: &PartnerId,
        configuration: &Value,
    ) -> Result<()> {
        let path = format!("/partners/{partner}/configuration");
        self.call(Method::PUT, &path, Some(configuration)).await?;
        Ok(())
    }

    /// Creates or replaces a maintenance window.
    pub async fn put_maintenance_window(
        &self,
        partner: &PartnerId,
        window: &str,
        definition: &Value,
    ) -> Result<()> {
        let path = format!("/partners/{partner}/maintenance-windows/{window}");
        self.call(Method::PUT, &path, Some(definition)).await?;
        Ok(())
    }

    /// Ends the running occurrence of a maintenance window.
    pub async fn end_maintenance_window(&self, partner: &PartnerId, window: &str) -> Result<()> {
        let path = format!("/partners/{partner}/maintenance-windows/{window}/end");
        let status = self.send(Method::POST, &path, None).await?.status();
        ensure!(status.is_success(), "POST {path}: {status}");
        Ok(())
    }

    /// The status of the answer to a request for the list of partners.
    pub async fn try_partners(&self) -> Result<StatusCode> {
        Ok(self.send(Method::GET, "/partners", None).await?.status())
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let what = format!("{method} /v1/operator{path}");
        let answer = self.send(method, path, body).await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{what}: {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("{what}: not JSON: {text}"))
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let url = format!("{}{path}", self.url);
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = self.http.request(method.clone(), &url);
        let signature = self
            .signer
            .headers(method.as_str(), &url, body.as_bytes())?;
        for (name, value) in signature {
            request = request.header(name, value);
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let answer = request.body(body).send().await;
        answer.with_context(|| format!("{method} {url}"))
    }
}

/// The secret in the response to the request that made it.
fn signing_secret(response: &Value) -> Result<String> {
    let secret = response["secret"].as_str().map(str::to_owned);
    secret.context("the operator API returned a webhook without secret")
}
