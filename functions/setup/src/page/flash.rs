//! The message after a change. The address carries its code in `?done=`.

use maud::{Markup, html};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
pub(crate) struct FlashQuery {
    done: Option<String>,
}

impl FlashQuery {
    pub(crate) fn new(code: Option<String>) -> Self {
        Self { done: code }
    }

    pub(crate) fn is(&self, code: &str) -> bool {
        self.done.as_deref() == Some(code)
    }

    /// For a form that shows the message again with its answer.
    pub(crate) fn code(&self) -> Option<&str> {
        self.done.as_deref()
    }

    pub(crate) fn render(&self) -> Markup {
        let message = self.done.as_deref().and_then(message);
        html! { @if let Some(message) = message { p class="done" role="status" { (message) } } }
    }
}

/// The message of a code. A link cannot make the page show any other text.
fn message(code: &str) -> Option<&'static str> {
    Some(match code {
        "saved" => "Saved.",
        "maintenance_ended" => {
            "Ended: alerts that are still active become tickets within a few minutes."
        }
        "maintenance_deleted" => {
            "Deleted: alerts that it held and that are still active become tickets within a few minutes."
        }
        "connected" => "Connected: ConnectWise accepted the keys, and they are saved.",
        "address_changed" => {
            "Connected to the same ConnectWise at another address: boards, mapped tenants and open tickets stay as they are."
        }
        "boards_ready" => "Both boards are ready.",
        "mail_sent" => "A test mail was sent.",
        "confirmed" => "Ticketbridge is live: alerts become tickets from now on.",
        "closings_approved" => "Approved: the tickets are closed within a few minutes.",
        "released" => "Released: the alerts become tickets within a few minutes.",
        "released_some" => {
            "300 alerts were released and become tickets within a few minutes. Press the button again for the others."
        }
        "alert_opened_again" => "A ticket is opened within a minute. Load the page again then.",
        "alert_released" => "It is tried within a minute. Load the page again then.",
        "test_asked" => {
            "The test alert was sent. Its ticket is shown below as soon as it is created."
        }
        "test_closed" => {
            "The test alert was resolved: its ticket is closed within a minute or two."
        }
        "source_made" => "The source was created. Now it needs its secret.",
        "authentication_saved" => {
            "Saved. The change takes effect within five minutes. Change the settings at the vendor as described below."
        }
        "mapping_saved" => {
            "Saved. Messages that wait can be replayed now. New messages are read by this mapping within five minutes."
        }
        "message_replayed" => {
            "Replayed. Activity shows within a few minutes what becomes of its alerts."
        }
        "message_discarded" => "The message was discarded.",
        "messages_replayed" => {
            "Replayed. Activity shows within a few minutes what becomes of the alerts."
        }
        "messages_left" => {
            "Messages that can be read were replayed. The messages below still cannot be read."
        }
        "tenant_added" => {
            "The tenant is listed. Map it, and its first alert becomes a ticket at once."
        }
        "suggested" => "All companies were read.",
        "signed_out" => "You are signed out.",
        "contacts_not_notified" => {
            "Saved. The mail about the change to other contacts could not be sent: please tell the people who read it."
        }
        "confirmation_sent" => {
            "A link was mailed to the address. It gets other mails once that link is opened and confirmed."
        }
        "contact_removed" => "Removed: the address gets no more mails.",
        "link_asked" => {
            "If there is such a partner with this contact, a new link is mailed there. A link is mailed at most once in five minutes, \
             less often after repeated requests. It works once, within half an hour."
        }
        _ => return None,
    })
}
