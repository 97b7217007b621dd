//! An outgoing webhook as lines.

use anyhow::Result;
use domain::outgoing::format::WebhookFormat;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use store::DeliveryState;

use crate::output::{details, time};
use crate::sources::deliveries::render::{LoggedDelivery, last_answer};

#[derive(Deserialize)]
struct Webhook {
    url: String,
    format: WebhookFormat,
    takes_actions: bool,
    has_authorization: bool,
    secrets_until: Vec<Option<Timestamp>>,
    secret: Option<String>,
    old_until: Option<Timestamp>,
}

pub(super) fn one(webhook: &Value) -> Result<String> {
    let of = Webhook::deserialize(webhook)?;
    let until = of.secrets_until.iter().map(|until| match until {
        Some(until) => format!("until {}", time(*until)),
        None => "no end".to_owned(),
    });
    let until = until.collect::<Vec<_>>().join(", ");
    let secrets = Some(until).filter(|_| of.format.is_cloud_events());
    Ok(details([
        ("Address", Some(of.url.clone())),
        ("Format", Some(of.format.name().to_owned())),
        ("Actions", Some(of.actions())),
        ("Authorization", of.authorization()),
        ("Secrets", secrets),
    ]))
}

/// A webhook after a change, with its secret if that is new. No later command shows it.
pub(super) fn changed(webhook: &Value) -> Result<String> {
    let of = Webhook::deserialize(webhook)?;
    let (has_secret, is_signed) = (of.secret.is_some(), of.format.is_cloud_events());
    let text = details([
        ("Address", Some(of.url.clone())),
        ("Format", Some(of.format.name().to_owned())),
        ("Actions", Some(of.actions())),
        ("Authorization", of.authorization()),
        ("Secret", of.secret),
        ("Old secret signs until", of.old_until.map(time)),
    ]);
    Ok(match (has_secret, is_signed) {
        (true, _) => {
            format!("{text}\n\nGive the secret to the receiver now: it is not shown again.")
        }
        (false, true) => format!("{text}\n\nThe webhook keeps its secret."),
        (false, false) => text,
    })
}

impl Webhook {
    fn actions(&self) -> String {
        let text = match (self.takes_actions, self.format) {
            (false, _) => "none",
            (true, WebhookFormat::CloudEvents) => "the source gets them",
            (true, WebhookFormat::Alertmanager) => "\"Won't fix\" silences the alert",
        };
        text.to_owned()
    }

    /// `None` if the format has none.
    fn authorization(&self) -> Option<String> {
        let text = match self.has_authorization {
            true => "stored",
            false => "none",
        };
        (self.format == WebhookFormat::Alertmanager).then(|| text.to_owned())
    }
}

/// The outcome of a test delivery.
pub(super) fn attempted(delivery: &Value) -> Result<String> {
    let of = LoggedDelivery::deserialize(delivery)?;
    let answer = last_answer(&of);
    Ok(match of.state {
        DeliveryState::Delivered => format!("the receiver confirmed {}: {answer}", of.id),
        DeliveryState::Failed => format!("{} has failed: {answer}", of.id),
        DeliveryState::Pending => format!(
            "the receiver did not confirm {}: {answer}\nIt is tried again for three days.",
            of.id
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn webhook() -> Value {
        json!({
            "url": "https://example.com/hooks", "format": "cloud_events", "version": 3,
            "takes_actions": true, "has_authorization": false,
            "secrets_until": [null, "2026-11-28T08:00:00Z"],
        })
    }

    #[test]
    fn a_webhook_is_shown_without_its_secrets() {
        insta::assert_snapshot!(one(&webhook()).unwrap(), @"
        Address  https://example.com/hooks
        Format   cloud_events
        Actions  the source gets them
        Secrets  no end, until 2026-11-28T08:00:00Z
        ");
    }

    #[test]
    fn a_new_secret_is_shown_once() {
        let mut webhook = webhook();
        let unchanged = changed(&webhook).unwrap();
        assert!(unchanged.ends_with("The webhook keeps its secret."));
        webhook["secret"] = json!("whsec_c2VjcmV0");
        webhook["old_until"] = json!("2026-11-28T08:00:00Z");
        insta::assert_snapshot!(changed(&webhook).unwrap(), @"
        Address                 https://example.com/hooks
        Format                  cloud_events
        Actions                 the source gets them
        Secret                  whsec_c2VjcmV0
        Old secret signs until  2026-11-28T08:00:00Z

        Give the secret to the receiver now: it is not shown again.
        ");
    }

    #[test]
    fn an_alertmanager_has_an_authorization_and_no_secret() {
        let webhook = json!({
            "url": "https://alertmanager.example.com", "format": "alertmanager", "version": 3,
            "takes_actions": true, "has_authorization": true, "secrets_until": [],
        });
        let text = one(&webhook).unwrap();
        assert_eq!(changed(&webhook).unwrap(), text);
        insta::assert_snapshot!(text, @r#"
        Address        https://alertmanager.example.com
        Format         alertmanager
        Actions        "Won't fix" silences the alert
        Authorization  stored
        "#);
    }

    #[test]
    fn the_outcome_of_a_test_delivery_says_what_the_receiver_answered() {
        let outcome = |state: &str, attempt: Value| {
            let delivery = json!({
                "id": "ping_src_1-5", "type": "ping", "state": state, "attempts": 1,
                "stored_at": "2026-11-27T08:00:00Z", "last_attempt": attempt,
            });
            attempted(&delivery).unwrap()
        };
        let at = "2026-11-27T08:00:30Z";
        let outcomes = [
            outcome("delivered", json!({ "at": at, "status": 204 })),
            outcome(
                "pending",
                json!({ "at": at, "problem": "no answer in 10 seconds" }),
            ),
            outcome(
                "failed",
                json!({ "at": at, "status": 410, "problem": "the receiver answered 410" }),
            ),
        ];
        insta::assert_snapshot!(outcomes.join("\n"), @"
        the receiver confirmed ping_src_1-5: 204
        the receiver did not confirm ping_src_1-5: no answer in 10 seconds
        It is tried again for three days.
        ping_src_1-5 has failed: the receiver answered 410
        ");
    }
}
