//! The webhook format `alertmanager`: the action *Won't fix* silences the alert in an Alertmanager,
//! by its API v2 (`api/v2/openapi.yaml` in Alertmanager's repository).
//!
//! An event can be delivered twice, so the silence has the event's id in its comment, and is looked
//! for before it is made. Answers are never logged: they have the labels of alerts.

use std::collections::BTreeMap;

use domain::Secret;
use domain::outgoing::cloud_event::{OutgoingCloudEvent, OutgoingType, TicketData};
use jiff::Timestamp;
use public_http::ReceiverUrl;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, Method, RequestBuilder};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Delivery;
use tokio::time::{Instant, timeout_at};

use crate::attempt::{ConfirmedAttempt, FailedAttempt, NO_ANSWER, UnreadBody, read_body, send};

const CREATED_BY: &str = "Ticketbridge";
/// The longest list of alerts or silences that is read, in bytes. The API cannot filter alerts by
/// their fingerprint, so all are listed: this is enough for some thousands.
const MAX_LIST: usize = 4 * 1024 * 1024;

/// An Alertmanager during one attempt.
pub(crate) struct Alertmanager<'a> {
    client: &'a Client,
    /// The address, without a slash at its end.
    address: &'a str,
    authorization: Option<HeaderValue>,
    now: Timestamp,
    ends: Instant,
}

#[derive(Deserialize)]
struct ListedAlert {
    /// The alert's id, as the preset `alertmanager` takes it from notifications.
    fingerprint: String,
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedSilence {
    comment: String,
    ends_at: Timestamp,
    status: SilenceStatus,
}

#[derive(Deserialize)]
struct SilenceStatus {
    state: SilenceState,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum SilenceState {
    Active,
    Pending,
    Expired,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewSilence<'a> {
    matchers: Vec<Matcher<'a>>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    created_by: &'a str,
    comment: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Matcher<'a> {
    name: &'a str,
    value: &'a str,
    is_regex: bool,
    is_equal: bool,
}

#[derive(Deserialize)]
struct CreatedSilence {
    #[serde(rename = "silenceID")]
    _id: String,
}

/// The part of the status that only an Alertmanager has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerStatus {
    #[serde(rename = "cluster")]
    _cluster: IgnoredAny,
    #[serde(rename = "versionInfo")]
    _version_info: IgnoredAny,
}

impl<'a> Alertmanager<'a> {
    pub(crate) fn new(
        client: &'a Client,
        address: &'a ReceiverUrl,
        authorization: Option<&Secret>,
        (now, ends): (Timestamp, Instant),
    ) -> Result<Self, FailedAttempt> {
        let authorization = authorization.map(|secret| {
            let mut value = HeaderValue::from_str(secret.expose())
                .map_err(|_| FailedAttempt::refused("the webhook has no valid authorization"))?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Self {
            client,
            address: address.as_str().trim_end_matches('/'),
            authorization: authorization.transpose()?,
            now,
            ends,
        })
    }

    /// Silences the alert of an action *Won't fix*. Any other event needs no call. A test delivery
    /// reads the status. If the process dies right after, a repetition finds the silence.
    pub(crate) async fn deliver(
        &self,
        delivery: &Delivery,
    ) -> Result<ConfirmedAttempt, FailedAttempt> {
        if delivery.kind == OutgoingType::Ping {
            let call = self.call(Method::GET, "status");
            let (status, _) = self
                .read::<ServerStatus>(call, "GET /api/v2/status")
                .await?;
            return Ok(confirmed(status, None, None));
        }
        let event: OutgoingCloudEvent = serde_json::from_str(&delivery.body)
            .map_err(|_| FailedAttempt::refused("the stored event is not readable"))?;
        let (Some(alert), Some(until)) = (&event.data.alert_id, event.data.until) else {
            return Ok(without_call("an Alertmanager gets no such event"));
        };
        if until <= self.now {
            return Ok(without_call(
                "the days of the action are over: nothing was silenced",
            ));
        }
        let (status, silence) = self.find_silence(&event.id).await?;
        if let Some(silence) = silence {
            return Ok(confirmed(status, None, Some(note(silence.ends_at))));
        }
        let (status, alert) = self.find_alert(alert).await?;
        let Some(alert) = alert else {
            let problem = "the Alertmanager has no such alert: nothing was silenced";
            let note = "Alertmanager has no such alert any more, so nothing is silenced there.";
            return Ok(confirmed(status, Some(problem), Some(note.to_owned())));
        };
        let silence = NewSilence {
            matchers: alert.labels.iter().map(Matcher::equal).collect(),
            starts_at: self.now,
            ends_at: until,
            created_by: CREATED_BY,
            comment: comment(event.data.ticket.as_ref(), &event.id),
        };
        let call = self.call(Method::POST, "silences").json(&silence);
        let (status, _) = self
            .read::<CreatedSilence>(call, "POST /api/v2/silences")
            .await?;
        Ok(confirmed(status, None, Some(note(until))))
    }

    /// The silence that an earlier attempt of an event made. One that has ended or that a person
    /// removed does not count.
    async fn find_silence(
        &self,
        event: &str,
    ) -> Result<(u16, Option<ListedSilence>), FailedAttempt> {
        // A version that does not know this parameter lists the silences of others too.
        let call = self.call(Method::GET, "silences");
        let call = call.query(&[("creator", CREATED_BY)]);
        let (status, silences) = self
            .read::<Vec<ListedSilence>>(call, "GET /api/v2/silences")
            .await?;
        let mark = event_mark(event);
        let found = silences.into_iter().find(|silence| {
            silence.status.state != SilenceState::Expired && silence.comment.ends_with(&mark)
        });
        Ok((status, found))
    }

    async fn find_alert(&self, id: &str) -> Result<(u16, Option<ListedAlert>), FailedAttempt> {
        let call = self.call(Method::GET, "alerts");
        let (status, alerts) = self
            .read::<Vec<ListedAlert>>(call, "GET /api/v2/alerts")
            .await?;
        let mut alerts = alerts.into_iter();
        Ok((status, alerts.find(|alert| alert.fingerprint == id)))
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/v2/{path}", self.address);
        let call = self.client.request(method, url);
        match &self.authorization {
            Some(value) => call.header(AUTHORIZATION, value),
            None => call,
        }
    }

    /// Makes a call and reads its answer. `name` is for the log of deliveries.
    async fn read<T: DeserializeOwned>(
        &self,
        call: RequestBuilder,
        name: &str,
    ) -> Result<(u16, T), FailedAttempt> {
        let response = send(call, self.now, self.ends).await;
        let mut response = response.map_err(|failed| FailedAttempt {
            problem: format!("{} ({name})", failed.problem),
            ..failed
        })?;
        let status = response.status().as_u16();
        let refused = |problem| FailedAttempt {
            status: Some(status),
            ..FailedAttempt::refused(format!("{problem} ({name})"))
        };
        let unavailable = |problem| FailedAttempt {
            status: Some(status),
            ..FailedAttempt::unavailable(format!("{problem} ({name})"))
        };
        let body = match timeout_at(self.ends, read_body(&mut response, MAX_LIST)).await {
            Ok(Ok(body)) => body,
            Ok(Err(UnreadBody::TooLong)) => return Err(refused("the answer is longer than 4 MiB")),
            Ok(Err(UnreadBody::CutOff)) => return Err(unavailable("the answer was cut off")),
            Err(_) => return Err(unavailable(NO_ANSWER)),
        };
        let answer = serde_json::from_slice(&body);
        let answer = answer.map_err(|_| refused("the answer is not that of an Alertmanager"))?;
        Ok((status, answer))
    }
}

impl<'a> Matcher<'a> {
    fn equal((name, value): (&'a String, &'a String)) -> Self {
        Self {
            name,
            value,
            is_regex: false,
            is_equal: true,
        }
    }
}

fn comment(ticket: Option<&TicketData>, event: &str) -> String {
    let ticket = ticket.map_or_else(String::new, |ticket| {
        let link = ticket.link.as_ref().map(|link| format!(" ({link})"));
        format!(": ticket #{}{}", ticket.number, link.unwrap_or_default())
    });
    format!("Won't fix{ticket}{}", event_mark(event))
}

/// The end of a comment. It has a sign on both sides of the id, since ids of one alert begin alike.
fn event_mark(event: &str) -> String {
    format!(" [event {event}]")
}

fn note(until: Timestamp) -> String {
    let until = until.strftime("%-d %B %Y at %H:%M UTC");
    format!("Alertmanager silences this alert until {until}.")
}

/// `note` is written on the ticket as the source's answer.
fn confirmed(status: u16, problem: Option<&str>, note: Option<String>) -> ConfirmedAttempt {
    let answer = note.map(|note| json!({ "note": note }).to_string().into_bytes());
    ConfirmedAttempt {
        status: Some(status),
        problem: problem.map(str::to_owned),
        answer: answer.unwrap_or_default(),
    }
}

fn without_call(problem: &str) -> ConfirmedAttempt {
    ConfirmedAttempt {
        status: None,
        problem: Some(problem.to_owned()),
        answer: vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_names_the_ticket_and_ends_with_the_event() {
        let ticket = TicketData {
            number: 4711,
            link: Some("https://na.myconnectwise.net/4711".to_owned()),
        };
        let made = comment(Some(&ticket), "0f1e-12");
        assert_eq!(
            made,
            "Won't fix: ticket #4711 (https://na.myconnectwise.net/4711) [event 0f1e-12]"
        );
        assert!(made.ends_with(&event_mark("0f1e-12")));
        for other in ["0f1e-1", "0f1e-2", "1e-12"] {
            assert!(!made.ends_with(&event_mark(other)), "{other}");
        }
    }
}
