//! Callbacks: ConnectWise posts to an address when a ticket of a board changes.
//!
//! The endpoint's rights are not documented. Here they are those of Table Setup, as for other
//! tables of the system.

use domain::RecordId;
use domain::connection::callbacks::FoundCallback;
use domain::setup::rights;
use reqwest::Method;
use serde::Serialize;
use tokio::time::Instant;

use crate::call::ApiCall;
use crate::client::Client;
use crate::error::Error;
use crate::records::CallbackEntry;

const PATH: &str = "/system/callbacks";
const TICKET: &str = "ticket";
const BOARD: &str = "board";
/// Shown to people in ConnectWise.
const DESCRIPTION: &str = "Ticketbridge: changes of tickets";

/// Registers callbacks over one connection.
#[derive(Debug, Clone)]
pub struct CallbackWriter(Client);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallbackBody<'a> {
    description: &'a str,
    url: &'a str,
    #[serde(rename = "type")]
    type_: &'a str,
    level: &'a str,
    object_id: RecordId,
    /// The API member's own changes are not reported.
    is_self_suppressed_flag: bool,
}

impl Client {
    /// Lists the callbacks for tickets that this API member can see, also those of other programs.
    ///
    /// # Errors
    /// See [`Error`]. A narrow role may lack the right ([`Error::MissingRight`]).
    pub async fn callbacks(&self, deadline: Instant) -> Result<Vec<FoundCallback>, Error> {
        let entries: Vec<CallbackEntry> = self
            .list(PATH, "", rights::TABLES_INQUIRE, deadline)
            .await?;
        let for_tickets = entries
            .into_iter()
            .filter(|entry| entry.type_.eq_ignore_ascii_case(TICKET));
        let found = for_tickets.map(|entry| FoundCallback {
            board: entry
                .object_id
                .filter(|_| entry.level.eq_ignore_ascii_case(BOARD)),
            id: entry.id,
            address: entry.url,
            is_active: !entry.inactive_flag,
        });
        Ok(found.collect())
    }

    /// Returns the writes of callbacks. Only `functions/reconcile` may call this, and a lint
    /// enforces it: a partner has one run at a time there, which lists the callbacks first.
    #[must_use]
    pub fn callback_writer(&self) -> CallbackWriter {
        CallbackWriter(self.clone())
    }
}

impl CallbackWriter {
    /// Registers a callback for the tickets of a board. If the process dies right after, it may
    /// exist: [`Client::callbacks`] lists it by its address.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn create(
        &self,
        board: RecordId,
        address: &str,
        deadline: Instant,
    ) -> Result<(), Error> {
        let body = CallbackBody {
            description: DESCRIPTION,
            url: address,
            type_: TICKET,
            level: BOARD,
            object_id: board,
            is_self_suppressed_flag: true,
        };
        let call = ApiCall::write(Method::POST, PATH, rights::TABLES_ADD);
        self.0.send_json(&call, &body, deadline).await.map(drop)
    }

    /// Deletes a callback. If the process dies right after, it can be repeated safely.
    ///
    /// # Errors
    /// See [`Error`]. A callback that does not exist is [`Error::NotFound`].
    pub async fn delete(&self, id: RecordId, deadline: Instant) -> Result<(), Error> {
        let path = format!("{PATH}/{id}");
        let call = ApiCall::write(Method::DELETE, path, rights::TABLES_DELETE);
        self.0.send(&call, deadline).await.map(drop)
    }
}
