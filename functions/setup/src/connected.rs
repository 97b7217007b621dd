//! A step's way to the partner's ConnectWise: its stored connection with a client, and what a failed call means to the person at the
//! page.

use aws::secrets::{self, ConnectionSecret};
use connectwise::{Client, Error};
use domain::PartnerId;
use domain::kind::KindInfo;
use domain::rights;
use store::Connection;

use crate::Setup;
use crate::answer::Problem;
use crate::check::{ConnectionError, client_of};

/// A stored connection and a client with its keys. Whether ConnectWise takes them, the first call tells.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) connection: Connection,
    pub(crate) client: Client,
}

impl Setup {
    /// The partner's connection; none where nothing is connected yet.
    ///
    /// # Errors
    /// When the table cannot be read, or there are no keys for the connection.
    pub(crate) async fn connected(
        &self,
        partner: &PartnerId,
    ) -> Result<Option<Connected>, Problem> {
        let Some(connection) = self.access().connections.get(partner).await?.value else {
            return Ok(None);
        };
        let keys = self.stored_keys(partner, &connection).await?;
        let keys = keys.ok_or(ConnectionError::NoKeys)?;
        let client = client_of(&self.connections, keys).await?;
        Ok(Some(Connected { connection, client }))
    }

    /// The keys that are stored for this connection, as they are now: somebody may have replaced them a moment ago. None where they are
    /// another site's, or unreadable for good: entering them again mends either.
    ///
    /// # Errors
    /// When Secrets Manager cannot be asked.
    pub(crate) async fn stored_keys(
        &self,
        partner: &PartnerId,
        connection: &Connection,
    ) -> Result<Option<ConnectionSecret>, ConnectionError> {
        let prefix = &self.config.connections.connection_secret_prefix;
        let keys = match self.secret_writer.connection(prefix, partner).await {
            Ok(kept) => kept.map(|kept| kept.document),
            Err(err) => {
                tracing::error!(%partner, error = %err, "failed to read the stored keys");
                match err {
                    secrets::Error::Unavailable { .. } => return Err(ConnectionError::Ours),
                    secrets::Error::Malformed { .. } | secrets::Error::Unknown(_) => None,
                }
            }
        };
        Ok(keys.filter(|keys| {
            keys.origin == connection.origin && keys.company_id == connection.company_id
        }))
    }

    /// The kinds of the partner's sources beside the built-in ones, each once.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(crate) async fn own_kinds(&self, partner: &PartnerId) -> Result<Vec<KindInfo>, Problem> {
        let sources = self.access().partner_sources.get_all(partner).await?;
        let mut kinds: Vec<KindInfo> = vec![];
        for info in sources.into_values().flat_map(|source| source.kinds) {
            if kinds.iter().all(|known| known.kind != info.kind) {
                kinds.push(info);
            }
        }
        Ok(kinds)
    }

    /// The same for who wants to change something that needs it.
    ///
    /// # Errors
    /// Also when nothing is connected yet.
    pub(crate) async fn must_be_connected(
        &self,
        partner: &PartnerId,
    ) -> Result<Connected, Problem> {
        let connected = self.connected(partner).await?;
        connected
            .ok_or_else(|| Problem::refused("Nothing is connected yet: connect ConnectWise first."))
    }
}

/// What a failed call means to the person whose request made it.
pub(crate) fn problem_of(err: &Error) -> Problem {
    tracing::warn!(error = %err, "ConnectWise call failed for a set-up page");
    match err {
        Error::MissingRight { right } => Problem::refused(missing(right)),
        Error::Throttled { retry_after } => Problem::unavailable(format!(
            "ConnectWise asks to wait, because it was called too often. Try again in {} seconds.",
            retry_after.as_secs().max(1)
        )),
        Error::KeysRefused
        | Error::ClientIdRefused
        | Error::NotRouted { .. }
        | Error::EndpointMissing { .. }
        | Error::RedirectRefused { .. }
        | Error::Forbidden { .. }
        | Error::HostRefused { .. } => Problem::refused(
            "The connection to ConnectWise does not work any more. \"Check connection\" says what to mend.",
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
        | Error::TargetGone { words, .. }
        | Error::Rejected { words }
        | Error::Conflict { words } => {
            Problem::refused(format!("ConnectWise refuses this. It says: {words}"))
        }
    }
}

impl From<Error> for Problem {
    fn from(err: Error) -> Self {
        problem_of(&err)
    }
}

/// That a right is missing, and where to grant it.
pub(crate) fn missing(right: &str) -> String {
    match rights::known(right) {
        Some(right) => format!(
            "The API member lacks a right. Grant it in ConnectWise and try again: {}.",
            right.place()
        ),
        None => format!("The API member lacks the right {right}."),
    }
}
