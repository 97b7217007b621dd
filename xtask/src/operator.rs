//! The operator of a local stack: an IAM user who may call the operator's API and nothing else, and the client that signs as that user.

use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use domain::{PartnerId, SourceId};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::local::emulator::{Emulator, REGION, http_client};

const USER: &str = "ticketbridge-operator";
/// How IAM and signatures call a deployed API.
const SERVICE: &str = "execute-api";

/// Calls the operator's API of one stack.
#[derive(Debug)]
pub(crate) struct Operator {
    http: reqwest::Client,
    url: String,
    keys: Credentials,
}

/// A source that was just made. Its secret is told this once.
#[derive(Debug, Deserialize)]
pub(crate) struct NewSource {
    pub(crate) id: SourceId,
    pub(crate) secret: String,
}

impl Operator {
    /// Makes the user, with keys.
    ///
    /// # Errors
    /// When the emulator refuses, for instance because there is one already.
    pub(crate) async fn hire(emulator: &Emulator, api_id: &str) -> Result<Self> {
        let arn = format!("arn:aws:execute-api:{REGION}:*:{api_id}/*/*/v1/operator/*");
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": arn }],
        });
        let calls = [
            json!({ "service": "iam", "operation": "CreateUser", "parameters": { "UserName": USER } }),
            json!({ "service": "iam", "operation": "PutUserPolicy", "parameters": {
                "UserName": USER, "PolicyName": "operate", "PolicyDocument": policy.to_string(),
            } }),
            json!({ "service": "iam", "operation": "CreateAccessKey", "parameters": { "UserName": USER } }),
        ];
        let made = emulator.have_done(&calls).await?.pop();
        let made = made.as_ref().map(|made| &made["AccessKey"]);
        let key = |member: &str| {
            let text = made.and_then(|made| made[member].as_str());
            text.with_context(|| format!("the operator's key has no {member}"))
        };
        let (id, secret) = (key("AccessKeyId")?, key("SecretAccessKey")?);
        let keys = Credentials::new(id, secret, None, None, "operator");
        Self::with_keys(emulator, api_id, keys)
    }

    /// Whoever has these keys.
    pub(crate) fn with_keys(emulator: &Emulator, api_id: &str, keys: Credentials) -> Result<Self> {
        Ok(Self {
            http: http_client()?,
            // Without the stage, whose `$` not every client writes alike when it signs: curl 7 leaves it as it is.
            url: format!(
                "{}/_aws/execute-api/{api_id}/v1/operator",
                emulator.endpoint()
            ),
            keys,
        })
    }

    /// The API's address: the emulator's own, since the signature is over host and path.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The keys, for those who make their own client.
    pub(crate) fn keys(&self) -> &Credentials {
        &self.keys
    }

    /// Makes a partner, or renames it.
    pub(crate) async fn put_partner(&self, partner: &PartnerId, name: &str) -> Result<()> {
        let path = format!("/partners/{partner}");
        self.done(Method::PUT, &path, Some(&json!({ "name": name })))
            .await?;
        Ok(())
    }

    /// Makes a source that speaks for one partner.
    pub(crate) async fn new_source(&self, name: &str, partner: &PartnerId) -> Result<NewSource> {
        let body = json!({ "name": name, "partner": partner });
        let made = self.done(Method::POST, "/sources", Some(&body)).await?;
        serde_json::from_value(made).context("the operator's API makes a source without a secret")
    }

    /// The address of a link to the partner's page, good once and for a day.
    pub(crate) async fn new_link(&self, partner: &PartnerId) -> Result<String> {
        let path = format!("/partners/{partner}/links");
        let made = self.done(Method::POST, &path, Some(&json!({}))).await?;
        let url = made["url"].as_str();
        url.map(str::to_owned)
            .context("the operator's API makes a link without an address")
    }

    /// Sets the partner's emergency contact, which counts at once.
    ///
    /// # Errors
    /// When the API refuses.
    pub(crate) async fn set_contact(&self, partner: &PartnerId, address: &str) -> Result<()> {
        let path = format!("/partners/{partner}/contact");
        let desired = json!({ "address": address });
        let answer = self.send(Method::PUT, &path, Some(&desired)).await?;
        ensure!(
            answer.status().is_success(),
            "PUT {path}: {}",
            answer.status()
        );
        Ok(())
    }

    /// Asks for the list of partners, whatever the answer.
    pub(crate) async fn try_partners(&self) -> Result<StatusCode> {
        Ok(self.send(Method::GET, "/partners", None).await?.status())
    }

    async fn done(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let what = format!("{method} /v1/operator{path}");
        let answer = self.send(method, path, body).await?;
        let status = answer.status();
        let said = answer.text().await?;
        ensure!(status.is_success(), "{what}: {status}: {said}");
        serde_json::from_str(&said).with_context(|| format!("{what}: not JSON: {said}"))
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response> {
        let url = format!("{}{path}", self.url);
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = self.http.request(method.clone(), &url);
        for (name, value) in signature(&self.keys, &method, &url, body.as_bytes())? {
            request = request.header(name, value);
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let answer = request.body(body).send().await;
        answer.with_context(|| format!("{method} {url}"))
    }
}

/// The headers that sign a request.
fn signature(
    keys: &Credentials,
    method: &Method,
    url: &str,
    body: &[u8],
) -> Result<Vec<(String, String)>> {
    let identity = keys.clone().into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name(SERVICE)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?;
    let body = SignableBody::Bytes(body);
    let request = SignableRequest::new(method.as_str(), url, std::iter::empty(), body)?;
    let (instructions, _) = sign(request, &parameters.into())?.into_parts();
    let headers = instructions.headers();
    Ok(headers
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}
