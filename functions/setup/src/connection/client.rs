//! The stored connection with a client, and what a failed call means to the person at the page.

use aws::secrets::{self, ConnectionSecret};
use connectwise::{Client, Error};
use domain::PartnerId;
use domain::setup::rights;
use store::Connection;

use crate::connection::error::ConnectionError;
use crate::connection::prove::client_of;
use crate::context::Setup;
use crate::http::problem::Problem;
use crate::step::SetupStep;

/// A stored connection and a client with its keys. Only a call shows whether the keys still work.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) connection: Connection,
    pub(crate) client: Client,
}

/// The partner's connection; `None` if nothing is connected yet.
///
/// # Errors
/// When the table cannot be read, or the connection has no keys.
pub(crate) async fn connected(
    setup: &Setup,
    partner: &PartnerId,
) -> Result<Option<Connected>, Problem> {
    let Some(connection) = setup.access().connections.get(partner).await?.value else {
        return Ok(None);
    };
    let keys = stored_keys(setup, partner, &connection).await?;
    let keys = keys.ok_or(ConnectionError::NoKeys)?;
    let client = client_of(&setup.connections, keys).await?;
    Ok(Some(Connected { connection, client }))
}

/// As [`connected`], for a change that needs a connection.
///
/// # Errors
/// Also when nothing is connected yet.
pub(crate) async fn require_connected(
    setup: &Setup,
    partner: &PartnerId,
) -> Result<Connected, Problem> {
    connected(setup, partner)
        .await?
        .ok_or_else(|| Problem::refused("Nothing is connected yet: connect ConnectWise first."))
}

/// The keys that are stored for this connection, read without a cache: another session may have
/// replaced them a moment ago. `None` if they belong to another site or are unreadable; entering
/// them again repairs both.
///
/// # Errors
/// When Secrets Manager cannot be reached.
pub(super) async fn stored_keys(
    setup: &Setup,
    partner: &PartnerId,
    connection: &Connection,
) -> Result<Option<ConnectionSecret>, ConnectionError> {
    let prefix = &setup.config.connections.connection_secret_prefix;
    let keys = match setup.secret_writer.connection(prefix, partner).await {
        Ok(stored) => stored.map(|stored| stored.document),
        Err(err) => {
            tracing::error!(%partner, error = %err, "failed to read the stored keys");
            match err {
                secrets::Error::Unavailable { .. } => return Err(ConnectionError::Internal),
                secrets::Error::Malformed { .. } | secrets::Error::Unknown(_) => None,
            }
        }
    };
    Ok(keys.filter(|keys| {
        keys.origin == connection.origin && keys.company_id == connection.company_id
    }))
}

/// What a failed call means to the person whose request made it.
pub(crate) fn problem_of(err: &Error) -> Problem {
    tracing::warn!(error = %err, "ConnectWise call failed for a set-up page");
    match err {
        Error::MissingRight { right } => Problem::refused(missing_right(right)),
        Error::Throttled { retry_after } => Problem::unavailable(format!(
            "ConnectWise limits the rate of calls. Try again in {} seconds.",
            retry_after.as_secs().max(1)
        )),
        Error::KeysRefused
        | Error::ClientIdRefused
        | Error::NotRouted { .. }
        | Error::EndpointMissing { .. }
        | Error::RedirectRefused { .. }
        | Error::Forbidden { .. }
        | Error::HostRefused { .. } => Problem::refused_until(
            SetupStep::Check,
            "ConnectWise refuses the connection. \"Check connection\" says what to correct.",
        ),
        Error::NotSent { .. }
        | Error::DeadlineTooShort
        | Error::TimedOut { .. }
        | Error::NoAnswer { .. }
        | Error::ServerError { .. }
        | Error::AnswerTooLarge { .. }
        | Error::AnswerUnreadable { .. } => Problem::unavailable(
            "ConnectWise is down or too slow just now. Try again in a few minutes.",
        ),
        Error::NotFound { what: words }
        | Error::TargetMissing { words, .. }
        | Error::Rejected { words }
        | Error::Conflict { words } => {
            Problem::refused(format!("ConnectWise rejected this. It says: {words}"))
        }
    }
}

impl From<Error> for Problem {
    fn from(err: Error) -> Self {
        problem_of(&err)
    }
}

/// Names a missing right, and where to grant it.
pub(crate) fn missing_right(right: &str) -> String {
    match rights::find(right) {
        Some(right) => format!(
            "The API member lacks a right. Grant it in ConnectWise and try again: {}.",
            right.place()
        ),
        None => format!("The API member lacks the right {right}."),
    }
}
