//! Calls the operator's API: signs each request with AWS keys, and turns a refusal into a message
//! that says what to correct.

use std::fmt;

use anyhow::{Context, Result, bail};
use aws::signing::{API_GATEWAY, Signer};
use domain::PartnerId;
use domain::wire::transport::is_protected;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::http_client;
use crate::target::TargetStack;

/// The characters that AWS's signatures leave as they are.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[derive(Debug)]
pub struct OperatorApi {
    http: reqwest::Client,
    url: String,
    signer: Signer,
}

/// A refusal of the API: `application/problem+json`.
#[derive(Debug, PartialEq, Eq, Deserialize, thiserror::Error)]
pub struct ApiProblem {
    pub status: u16,
    pub title: String,
    #[serde(default)]
    pub detail: String,
    /// What is wrong.
    pub field: Option<String>,
}

impl fmt::Display for ApiProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field.as_deref().filter(|field| !field.is_empty());
        match field {
            Some(field) => write!(f, "{field}: {}", self.detail),
            None if self.detail.is_empty() => write!(f, "{}", self.title),
            None => write!(f, "{}", self.detail),
        }
    }
}

impl OperatorApi {
    /// # Errors
    /// When the stack's address is unknown or unprotected, or there are no credentials.
    pub async fn open(target: &TargetStack) -> Result<Self> {
        let url = target.operator_url()?.trim_end_matches('/').to_owned();
        if !is_protected(&url) {
            bail!("{url} is neither an https address nor one of this machine");
        }
        Ok(Self {
            http: http_client::create(&url)?,
            url,
            signer: Signer {
                credentials: target.operator_credentials().await?,
                region: target.region()?,
                service: API_GATEWAY,
            },
        })
    }

    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value> {
        let path = match query {
            [] => path.to_owned(),
            query => {
                let pairs = query.iter();
                let pairs = pairs.map(|(name, value)| format!("{name}={}", encoded(value)));
                format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
            }
        };
        self.call(Method::GET, &path, None).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.call(Method::DELETE, path, None).await
    }

    /// Reads all pages of a list; `member` is the member with the entries.
    pub async fn get_all(&self, path: &str, member: &str) -> Result<Vec<Value>> {
        let mut all = vec![];
        let mut query = vec![("limit", "100".to_owned())];
        loop {
            let mut page = self.get(path, &query).await?;
            let entries = page[member].take();
            let Value::Array(entries) = entries else {
                bail!("the answer to GET {path} has no {member}");
            };
            all.extend(entries);
            match page["next"].as_str() {
                Some(next) => {
                    query.truncate(1);
                    query.push(("from", next.to_owned()));
                }
                None => return Ok(all),
            }
        }
    }

    /// Sends a request and reads its JSON; `null` if the answer is empty.
    /// All sources that post for this partner.
    ///
    /// # Errors
    /// When the API refuses the request.
    pub async fn sources_of(&self, partner: &PartnerId) -> Result<Vec<Value>> {
        let mut sources = self.get_all("sources", "sources").await?;
        sources.retain(|source| {
            let named = source["partners"].as_array().into_iter().flatten();
            let mut all = named.chain(std::iter::once(&source["partner"]));
            all.any(|of| of == partner.as_str())
        });
        Ok(sources)
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}/{path}", self.url);
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = self.http.request(method.clone(), &url);
        let signature = self
            .signer
            .headers(method.as_str(), &url, body.as_bytes())?;
        for (name, value) in signature {
            request = request.header(name, value);
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let answer = request.body(body).send().await;
        let answer = answer.with_context(|| format!("cannot reach the operator's API at {url}"))?;
        let status = answer.status();
        let is_problem = answer.headers().get(CONTENT_TYPE).is_some_and(is_problem);
        let text = answer.text().await?;
        if status.is_success() {
            if text.is_empty() {
                return Ok(Value::Null);
            }
            let parsed = serde_json::from_str(&text);
            return parsed.with_context(|| format!("the answer to {method} {url} is not JSON"));
        }
        if is_problem {
            return Err(serde_json::from_str::<ApiProblem>(&text)?.into());
        }
        Err(refused_by_gateway(status, &text))
    }
}

/// A part of a path or the value of a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// Whether the API says that there is no such thing.
pub(crate) fn is_not_found(err: &anyhow::Error) -> bool {
    let problem = err.downcast_ref::<ApiProblem>();
    problem.is_some_and(|problem| problem.status == 404)
}

fn is_problem(media_type: &HeaderValue) -> bool {
    let text = media_type.to_str().unwrap_or_default();
    text.starts_with("application/problem+json")
}

/// What an answer means that did not come from Ticketbridge.
fn refused_by_gateway(status: StatusCode, text: &str) -> anyhow::Error {
    let words = match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
            "the credentials may not call the operator's API: they need execute-api:Invoke on \
             arn:aws:execute-api:REGION:ACCOUNT:API_ID/*/*/v1/operator/*"
        }
        StatusCode::NOT_FOUND => {
            "there is no operator's API at this address, or the stack is older than this program"
        }
        status if status.is_server_error() => {
            "the operator's API failed; try again in a minute, and see the log of the function setup"
        }
        _ => "the operator's API refused the request",
    };
    let text: String = text.chars().take(300).collect();
    anyhow::anyhow!("{words} ({status}): {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(field: Option<&str>, detail: &str) -> String {
        let problem = ApiProblem {
            status: 422,
            title: "This cannot be used".to_owned(),
            detail: detail.to_owned(),
            field: field.map(str::to_owned),
        };
        problem.to_string()
    }

    #[test]
    fn a_problem_names_its_field() {
        let words = "A new partner needs a name.";
        assert_eq!(problem(Some("name"), words), format!("name: {words}"));
        assert_eq!(problem(None, words), words);
        assert_eq!(problem(Some(""), words), words);
        assert_eq!(problem(None, ""), "This cannot be used");
    }

    #[test]
    fn a_value_is_encoded_as_the_signature_expects() {
        assert_eq!(encoded("a b/ü~_-.&=+"), "a%20b%2F%C3%BC~_-.%26%3D%2B");
    }

    #[test]
    fn a_refusal_of_the_gateway_names_the_missing_permission() {
        let err = refused_by_gateway(StatusCode::FORBIDDEN, "{\"message\":\"Forbidden\"}");
        assert!(err.to_string().contains("execute-api:Invoke"), "{err}");
    }
}
