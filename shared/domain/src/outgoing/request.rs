//! The message on the queue of deliveries: outgoing events of one alert, with what a receiver needs
//! beside them. The envelope is versioned, because messages outlive deployments.

use serde::{Deserialize, Serialize};

use crate::outgoing::events::OutgoingEvent;
use crate::{AlertKey, Kind};

const VERSION: u32 = 1;

/// Asks for the delivery of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRequest {
    pub key: AlertKey,
    /// The kind of the alert. `None` if no raise of it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    pub events: Vec<ReportedEvent>,
}

/// An outgoing event with the address of its ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedEvent {
    #[serde(flatten)]
    pub event: OutgoingEvent,
    /// Where people find the ticket. `None` if there is none, or none that the connection reaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    v: u32,
    #[serde(flatten)]
    request: T,
}

/// A message that cannot be read. A newer release can read it, or a person must.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableRequest {
    #[error("written by a newer release: envelope version {0}")]
    Newer(u32),
    #[error("not a request for a delivery: {0}")]
    Invalid(#[from] serde_json::Error),
}

impl DeliveryRequest {
    #[must_use]
    pub fn to_json(&self) -> String {
        // A tree of strings and numbers with string keys always has a JSON form.
        let request = self;
        serde_json::to_string(&Envelope {
            v: VERSION,
            request,
        })
        .unwrap_or_default()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When a newer release wrote the message, or Ticketbridge did not.
    pub fn from_json(text: &str) -> Result<Self, UnreadableRequest> {
        #[derive(Deserialize)]
        struct Head {
            v: u32,
        }
        let head: Head = serde_json::from_str(text)?;
        if head.v > VERSION {
            return Err(UnreadableRequest::Newer(head.v));
        }
        let envelope: Envelope<Self> = serde_json::from_str(text)?;
        Ok(envelope.request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{at, key};
    use crate::outgoing::events::{OutgoingEventKind, ReportedTicket};

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let ticket = ReportedTicket {
            number: 77,
            epoch: 1,
        };
        let request = DeliveryRequest {
            key: key(),
            kind: Some(Kind::parse("disk").unwrap()),
            events: vec![ReportedEvent {
                event: OutgoingEvent {
                    sequence: 1,
                    at: at(3),
                    what: OutgoingEventKind::TicketCreated(ticket),
                },
                link: Some("https://na.myconnectwise.net/77".into()),
            }],
        };
        let json = request.to_json();
        assert_eq!(DeliveryRequest::from_json(&json).unwrap(), request);
        let newer = json.replacen("\"v\":1", "\"v\":2", 1);
        assert!(matches!(
            DeliveryRequest::from_json(&newer),
            Err(UnreadableRequest::Newer(2))
        ));
        assert!(matches!(
            DeliveryRequest::from_json("{\"v\":1}"),
            Err(UnreadableRequest::Invalid(_))
        ));
    }
}
