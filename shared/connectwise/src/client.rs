//! One connection: its keys, its limit of calls at a time, and how a call is made. What can be asked is in `tables` and `tickets`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::call::{self, Answer, Call};
use crate::credentials::Credentials;
use crate::error::Error;
use crate::http::Http;
use crate::origin::HostError;
use crate::setup_writer::SetupWriter;
use crate::writer::TicketWriter;

/// Twelve calls at a time tripped ConnectWise's limit within a thousand requests, four did not (seen live).
const CALLS_AT_A_TIME: u32 = 4;

/// One connection to one ConnectWise. Cheap to clone; clones share the limit of four calls at a time, and what ConnectWise asked
/// them to wait.
#[derive(Debug, Clone)]
pub struct Client {
    http: Http,
    keys: Arc<Credentials>,
    calls: Arc<Semaphore>,
    /// How many of the four places a call takes.
    places: u32,
    paused_until: Arc<Mutex<Option<Instant>>>,
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
            calls: Arc::new(Semaphore::new(CALLS_AT_A_TIME as usize)),
            places: 1,
            paused_until: Arc::default(),
        })
    }

    /// The same connection, with one call at a time: where nobody knows whether others had trouble with it.
    #[must_use]
    pub fn one_at_a_time(mut self) -> Self {
        self.places = CALLS_AT_A_TIME;
        self
    }

    /// The writes of tickets. Only `functions/tickets` may call this: it alone holds the claims that make a write safe.
    #[must_use]
    pub fn ticket_writer(&self) -> TicketWriter {
        TicketWriter::new(self.clone())
    }

    /// The writes of set-up tables. Only `functions/setup` may call this: a person asked for them there, and they are looked
    /// for by their names before each.
    #[must_use]
    pub fn setup_writer(&self) -> SetupWriter {
        SetupWriter::new(self.clone())
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
        self.note_throttling(call::send(request, call, end).await)
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
        self.note_throttling(call::send(request, call, end).await)
    }

    /// Waits for one of the four places; whoever gets none in time, or is asked to wait, has sent nothing.
    async fn turn(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Error> {
        let waited = timeout_at(deadline, self.calls.acquire_many(self.places)).await;
        let Ok(Ok(permit)) = waited else {
            return Err(Error::DeadlineTooShort);
        };
        let paused = *self.pause();
        match paused.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(retry_after) if !retry_after.is_zero() => Err(Error::Throttled { retry_after }),
            _ => Ok(permit),
        }
    }

    /// A call that was throttled holds up all that come after it.
    fn note_throttling(&self, answer: Result<Answer, Error>) -> Result<Answer, Error> {
        if let Err(Error::Throttled { retry_after }) = &answer {
            self.pause_for(*retry_after);
        }
        answer
    }

    /// Lets no call of any clone begin for so long; a longer pause stays.
    pub fn pause_for(&self, time: Duration) {
        let mut paused = self.pause();
        *paused = (*paused).max(Some(Instant::now() + time));
    }

    fn pause(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
