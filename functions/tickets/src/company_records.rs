//! The records of a company that tickets are linked to: the configuration of a device, and the
//! contact of a user. Each is looked up once and then known for a while, to this process and to all
//! others by the table. No failure here reaches the alert: its ticket is then made without the link.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use connectwise::{Client, Error};
use domain::alert::event::Payload;
use domain::alert::record::Record;
use domain::setup::ticket_links::{CompanyRecordName, LookupKey, lookup_lifetime};
use domain::ticketing::ticket_write::TicketWrite;
use domain::time::later;
use domain::{PartnerId, RecordId, TenantId};
use jiff::{SignedDuration, Timestamp};
use store::{CompanyLookup, CompanyLookupStore};
use tokio::time::Instant;

use crate::BatchInvocation;
use crate::case::AlertCase;
use crate::connection::PartnerConnection;
use crate::ticket_error::TicketError;

/// A look-up that failed is not made again by this process for this long.
const FAILED_FOR: SignedDuration = SignedDuration::from_mins(1);
/// Most look-ups that this process knows. Beyond that it forgets all and asks the table.
const MAX_KNOWN: usize = 2000;

/// A record that a write is linked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompanyRecord {
    Found(RecordId),
    /// The write names none, the company has none, or it may not be read.
    Missing,
    /// It is not known at the moment.
    Unknown,
}

impl CompanyRecord {
    pub(crate) fn id(self) -> Option<RecordId> {
        match self {
            Self::Found(id) => Some(id),
            Self::Missing | Self::Unknown => None,
        }
    }
}

impl From<CompanyLookup> for CompanyRecord {
    fn from(lookup: CompanyLookup) -> Self {
        lookup.record.map_or(Self::Missing, Self::Found)
    }
}

/// What is looked up for a write.
pub(crate) struct LookupRequest {
    partner: PartnerId,
    tenant: TenantId,
    company: RecordId,
    name: CompanyRecordName,
    key: LookupKey,
}

impl LookupRequest {
    /// The look-up before this write. `None` if it needs none, or the alert names nothing that can
    /// be looked up.
    pub(crate) fn of(
        step: &TicketWrite,
        record: &Record,
        text: Option<&Payload>,
        case: &AlertCase<'_>,
    ) -> Option<Self> {
        let (company, name) = match step {
            TicketWrite::Create(create) if create.links.contact => {
                let user = text?.user.as_deref()?;
                (create.company, CompanyRecordName::of_user(user)?)
            }
            TicketWrite::Link {
                company, device, ..
            } => (*company, CompanyRecordName::of_device(device)?),
            TicketWrite::Create(_)
            | TicketWrite::Note { .. }
            | TicketWrite::Patch { .. }
            | TicketWrite::SetType { .. }
            | TicketWrite::Close { .. }
            | TicketWrite::Reopen(_)
            | TicketWrite::Repair(_) => return None,
        };
        let epoch = case.view.connection.as_ref()?.epoch;
        let (partner, tenant) = (record.key.partner.clone(), record.key.tenant.clone());
        let key = LookupKey::new((&partner, &tenant), epoch, company, &name);
        Some(Self {
            partner,
            tenant,
            company,
            name,
            key,
        })
    }
}

/// A result, and until when this process takes it for true.
#[derive(Debug, Clone, Copy)]
struct Known {
    record: CompanyRecord,
    until: Timestamp,
}

/// One look-up. Alerts that name the same record wait for it.
type Slot = Arc<tokio::sync::Mutex<Option<Known>>>;

/// The records that this process knows.
#[derive(Debug, Default)]
pub(crate) struct CompanyRecords {
    known: Mutex<HashMap<LookupKey, Slot>>,
}

impl CompanyRecords {
    /// Finds a record. It costs a call to ConnectWise only if neither this process nor the table
    /// knows the answer.
    pub(crate) async fn find(
        &self,
        request: &LookupRequest,
        store: &CompanyLookupStore,
        connection: &PartnerConnection<'_>,
        invocation: &BatchInvocation,
    ) -> CompanyRecord {
        let now = invocation.now();
        let slot = self.slot(&request.key);
        let mut known = slot.lock().await;
        if let Some(known) = known.filter(|known| now < known.until) {
            return known.record;
        }
        let (record, until) = match store.get(&request.partner, &request.key, now).await {
            Ok(Some(lookup)) => (lookup.into(), lookup.until),
            Ok(None) => match ask(request, connection, invocation).await {
                Some(lookup) => {
                    put(request, store, &lookup).await;
                    (lookup.into(), lookup.until)
                }
                None => (CompanyRecord::Unknown, later(now, FAILED_FOR)),
            },
            Err(err) => {
                tracing::warn!(error = %err, "failed to read a look-up from the table");
                (CompanyRecord::Unknown, later(now, FAILED_FOR))
            }
        };
        *known = Some(Known { record, until });
        record
    }

    /// Takes a record for missing, since ConnectWise refused to link a ticket to it: it may have been
    /// deleted.
    pub(crate) async fn drop_refused(
        &self,
        request: &LookupRequest,
        store: &CompanyLookupStore,
        now: Timestamp,
    ) {
        let lookup = new_lookup(None, now);
        let slot = self.slot(&request.key);
        *slot.lock().await = Some(Known {
            record: lookup.into(),
            until: lookup.until,
        });
        put(request, store, &lookup).await;
    }

    fn slot(&self, key: &LookupKey) -> Slot {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN && !known.contains_key(key) {
            known.clear();
        }
        known.entry(key.clone()).or_default().clone()
    }
}

fn new_lookup(record: Option<RecordId>, now: Timestamp) -> CompanyLookup {
    CompanyLookup {
        record,
        until: later(now, lookup_lifetime(record)),
    }
}

async fn put(request: &LookupRequest, store: &CompanyLookupStore, lookup: &CompanyLookup) {
    let of = (&request.partner, &request.tenant);
    if let Err(err) = store.put(of, &request.key, lookup).await {
        tracing::warn!(error = %err, "failed to store a look-up in the table");
    }
}

/// Asks ConnectWise. `None` if it is not known at the moment. A missing right counts as a missing
/// record, so that not every alert asks again. A failure is not recorded in the breaker: no call
/// would follow that records the success.
async fn ask(
    request: &LookupRequest,
    connection: &PartnerConnection<'_>,
    invocation: &BatchInvocation,
) -> Option<CompanyLookup> {
    let now = invocation.now();
    let end = invocation
        .lookup_end()
        .filter(|end| Instant::now() < *end)?;
    let look_up = |client: Client| async move {
        let found = client.company_record(request.company, &request.name, end);
        found.await.map_err(TicketError::Read)
    };
    match connection.call(look_up).await {
        Ok(found) => Some(new_lookup(found, now)),
        Err(err) if err.call().is_some_and(is_refusal) => {
            tracing::warn!(error = %err, "ConnectWise refuses to look up a record of a company");
            Some(new_lookup(None, now))
        }
        Err(err) => {
            tracing::warn!(error = %err, "failed to look up a record of a company");
            None
        }
    }
}

/// Whether ConnectWise would refuse the same call again.
pub(crate) fn is_refusal(err: &Error) -> bool {
    matches!(
        err,
        Error::NotFound { .. }
            | Error::Rejected { .. }
            | Error::TargetMissing { .. }
            | Error::MissingRight { .. }
            | Error::Forbidden { .. }
            | Error::EndpointMissing { .. }
    )
}
