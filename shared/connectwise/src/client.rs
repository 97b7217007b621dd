//! One connection: its keys, its limit of calls at a time, and how a call is made. What can be asked is in `tables` and `tickets`.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::call::{self, Answer, Call};
use crate::credentials::Credentials;
use crate::error::Error;
use crate::http::Http;
use crate::origin::HostError;
use crate::writer::TicketWriter;

/// Twelve calls at a time tripped ConnectWise's limit within a thousand requests, four did not (seen live).
const CALLS_AT_A_TIME: usize = 4;

/// One connection to one ConnectWise. Cheap to clone; clones share the limit of four calls at a time.
#[derive(Debug, Clone)]
pub struct Client {
    http: Http,
    keys: Arc<Credentials>,
    calls: Arc<Semaphore>,
}

impl Client {
    /// A client that sends these keys to their own origin.
    ///
    /// # Errors
    /// When that origin may not be spoken to.
    pub fn new(http: &Http, credentials: Credentials) -> Result<Self, HostError> {
        http.hosts.check(&credentials.origin)?;
        Ok(Self {
            http: http.clone(),
            keys: Arc::new(credentials),
            calls: Arc::new(Semaphore::new(CALLS_AT_A_TIME)),
        })
    }

    /// The writes. Only `functions/tickets` may call this: it alone holds the claims that make a write safe.
    #[must_use]
    pub fn ticket_writer(&self) -> TicketWriter {
        TicketWriter::new(self.clone())
    }

    /// Reads one record.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        right: &'static str,
        deadline: Instant,
    ) -> Result<T, Error> {
        self.send(&Call::get(path, right), deadline).await?.parse()
    }

    /// Makes a call without a body.
    pub(crate) async fn send(&self, call: &Call, deadline: Instant) -> Result<Answer, Error> {
        let _turn = self.turn(deadline).await?;
        let end = call::end_of_call(deadline)?;
        let request = call::signed(&self.http, &self.keys, call)?;
        call::send(request, call, end).await
    }

    /// Makes a call with a body.
    pub(crate) async fn send_json(
        &self,
        call: &Call,
        body: &(impl serde::Serialize + ?Sized),
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let _turn = self.turn(deadline).await?;
        let end = call::end_of_call(deadline)?;
        let request = call::signed(&self.http, &self.keys, call)?.json(body);
        call::send(request, call, end).await
    }

    /// Waits for one of the four places; whoever gets none in time has sent nothing.
    async fn turn(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Error> {
        match timeout_at(deadline, self.calls.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Error::DeadlineTooShort),
        }
    }
}
