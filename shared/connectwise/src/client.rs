//! The client of one connection: its keys, its limit of concurrent calls, and how a call is sent.
//! The calls themselves are in `tables`, `tickets` and the two writers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::call::{self, ApiCall, ApiResponse};
use crate::credentials::Credentials;
use crate::error::Error;
use crate::http::Http;
use crate::origin::HostError;

/// Twelve concurrent calls reached ConnectWise's rate limit within a thousand requests, four did
/// not (observed live).
const MAX_CONCURRENT_CALLS: u32 = 4;

/// A client of one connection. Clones are cheap, and share the limit of four concurrent calls and the
/// pause that ConnectWise asked for.
///
/// ```no_run
/// use std::time::Duration;
///
/// use connectwise::{Client, Credentials, HostList, Http};
/// use domain::Secret;
/// use tokio::time::Instant;
///
/// # async fn read() -> Result<(), Box<dyn std::error::Error>> {
/// // The clouds are allowed. The operator lists the origins of other servers.
/// let http = Http::new(HostList::new(["https://psa.example.com"])?)?;
/// let credentials = Credentials {
///     origin: http.hosts().site("na.myconnectwise.net")?,
///     company_id: "acme".to_owned(),
///     public_key: "public".to_owned(),
///     private_key: Secret::new("private"),
///     client_id: Secret::new("11111111-2222-3333-4444-555555555555"),
/// };
/// let client = Client::new(&http, credentials)?;
/// let deadline = Instant::now() + Duration::from_secs(5);
/// let company = client.company(250, deadline).await?;
/// println!("{}", company.name);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    http: Http,
    keys: Arc<Credentials>,
    slots: Arc<Semaphore>,
    /// How many of the four slots a call takes.
    slots_per_call: u32,
    paused_until: Arc<Mutex<Option<Instant>>>,
}

impl Client {
    /// Creates a client that sends these keys to their own origin.
    ///
    /// # Errors
    /// When that origin is not allowed.
    pub fn new(http: &Http, credentials: Credentials) -> Result<Self, HostError> {
        http.hosts.check(&credentials.origin)?;
        Ok(Self {
            http: http.clone(),
            keys: Arc::new(credentials),
            slots: Arc::new(Semaphore::new(MAX_CONCURRENT_CALLS as usize)),
            slots_per_call: 1,
            paused_until: Arc::default(),
        })
    }

    /// Returns the same client with one call at a time, for a connection whose health is unknown.
    #[must_use]
    pub fn one_at_a_time(mut self) -> Self {
        self.slots_per_call = MAX_CONCURRENT_CALLS;
        self
    }

    /// Reads one record.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        right: &'static str,
        deadline: Instant,
    ) -> Result<T, Error> {
        self.send(&ApiCall::get(path, right), deadline)
            .await?
            .parse()
    }

    /// Makes a call without a body.
    pub(crate) async fn send(
        &self,
        call: &ApiCall,
        deadline: Instant,
    ) -> Result<ApiResponse, Error> {
        let _slot = self.acquire_slot(deadline).await?;
        let end = call::end_of_call(deadline)?;
        let request = call::sign(&self.http, &self.keys, call)?;
        self.note_throttling(call::send(request, call, end).await)
    }

    /// Makes a call with a JSON body.
    pub(crate) async fn send_json(
        &self,
        call: &ApiCall,
        body: &(impl serde::Serialize + ?Sized),
        deadline: Instant,
    ) -> Result<ApiResponse, Error> {
        let _slot = self.acquire_slot(deadline).await?;
        let end = call::end_of_call(deadline)?;
        let request = call::sign(&self.http, &self.keys, call)?.json(body);
        self.note_throttling(call::send(request, call, end).await)
    }

    /// Waits for a slot. An error here proves that nothing was sent.
    async fn acquire_slot(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Error> {
        let acquired = timeout_at(deadline, self.slots.acquire_many(self.slots_per_call)).await;
        let Ok(Ok(permit)) = acquired else {
            return Err(Error::DeadlineTooShort);
        };
        let paused_until = *self.paused_until();
        match paused_until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(retry_after) if !retry_after.is_zero() => Err(Error::Throttled { retry_after }),
            _ => Ok(permit),
        }
    }

    /// A throttled call pauses all later ones.
    fn note_throttling(&self, response: Result<ApiResponse, Error>) -> Result<ApiResponse, Error> {
        if let Err(Error::Throttled { retry_after }) = &response {
            self.pause_for(*retry_after);
        }
        response
    }

    /// Refuses new calls of all clones for this time, unless a longer pause is set already.
    pub fn pause_for(&self, time: Duration) {
        let mut paused_until = self.paused_until();
        *paused_until = (*paused_until).max(Some(Instant::now() + time));
    }

    fn paused_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
