//! The state of the simulated site, which `shared` keeps behind one mutex. Only data and look-ups;
//! the endpoints define what calls do with it.

use std::sync::Arc;

use axum::http::Method;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};

use crate::faults::{Faults, TableSetupInquire};
use crate::journal::Journal;
use crate::rate_limiter::RateLimiter;
use crate::response::ApiError;
use crate::seed::Seed;
use crate::storage::StoredRecords;
use crate::tickets::{Stamp, Tickets};

/// Everything that a reset restores.
#[derive(Debug)]
pub(crate) struct Site {
    seed: Arc<Seed>,
    /// The origin of every `_href`, such as `http://127.0.0.1:8040`.
    pub(crate) base_url: String,
    /// Set-up tables: companies, boards, members and so on.
    pub(crate) setup: Seed,
    /// Clients' changes of those tables for which `setup` has no member.
    pub(crate) stored: StoredRecords,
    pub(crate) tickets: Tickets,
    pub(crate) faults: Faults,
    pub(crate) rng: Rng,
    pub(crate) request_ids: Rng,
    pub(crate) limiter: RateLimiter,
    pub(crate) journal: Journal,
    /// Incremented by a reset, so that earlier late commits are dropped.
    pub(crate) generation: u64,
}

/// One call to the API, authenticated.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// The path after `/v4_6_release/apis/3.0/`, decoded.
    pub(crate) segments: Vec<String>,
    pub(crate) full_path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The header `pagination-type: forward-only`.
    pub(crate) forward_only: bool,
    pub(crate) now: Timestamp,
    pub(crate) caller: Caller,
    /// Whether the call is a PATCH that must answer 200 and change nothing.
    pub(crate) is_ignored: bool,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) id: i64,
    pub(crate) identifier: String,
    pub(crate) licence: Licence,
}

/// API members are integrations, which faults of keys and rights affect. Members are technicians.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Licence {
    ApiMember,
    Member,
    /// A caller of `/system/info` if that needs no keys.
    Anonymous,
}

impl Call {
    /// The caller and the time of its change.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            at: self.now,
            by: self.caller.identifier.clone(),
        }
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

impl Site {
    pub(crate) fn new(seed: Seed, base_url: String) -> Self {
        Self {
            base_url,
            setup: seed.clone(),
            stored: StoredRecords::starting_at(seed.free_id()),
            tickets: Tickets::starting_at(seed.first_ticket_id),
            seed: Arc::new(seed),
            faults: Faults::default(),
            rng: Rng::with_seed(1),
            request_ids: Rng::with_seed(2),
            limiter: RateLimiter::default(),
            journal: Journal::default(),
            generation: 0,
        }
    }

    /// A changed limit starts counting now.
    pub(crate) fn set_faults(&mut self, faults: Faults) {
        self.limiter = RateLimiter::default();
        self.faults = faults;
    }

    /// Restores the seed's records and clears faults and journal.
    pub(crate) fn reset(&mut self) {
        let generation = self.generation + 1;
        *self = Self {
            generation,
            ..Self::new(Seed::clone(&self.seed), std::mem::take(&mut self.base_url))
        };
    }

    /// A GUID for `x-cw-request-id`. Its own generator, so that rates repeat whatever was called
    /// before.
    pub(crate) fn request_id(&mut self) -> String {
        let (high, low) = (self.request_ids.u64(..), self.request_ids.u64(..));
        let hex = format!("{high:016x}{low:016x}");
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        [
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32),
        ]
        .join("-")
    }

    /// What the site's clock says when a record is written.
    pub(crate) fn clock(&self) -> Timestamp {
        shifted(Timestamp::now(), self.faults.clock.records_seconds)
    }

    /// Refuses a caller whose security role lacks the right.
    pub(crate) fn require(&self, caller: &Caller, right: &str) -> Result<(), ApiError> {
        let open = self.faults.variants.table_setup_inquire == TableSetupInquire::Open;
        if open && right == "table_setup.inquire" {
            return Ok(());
        }
        let lacks = caller.licence == Licence::ApiMember
            && self
                .faults
                .missing_rights
                .iter()
                .any(|missing| missing == right);
        if lacks {
            Err(ApiError::forbidden())
        } else {
            Ok(())
        }
    }

    /// Whether the caller may read only the tickets that it owns.
    pub(crate) fn sees_own_tickets_only(&self, caller: &Caller) -> bool {
        let limited = &self.faults.variants.rights_at_my;
        caller.licence == Licence::ApiMember
            && limited
                .iter()
                .any(|right| right == "service_tickets.inquire")
    }

    /// Whether the caller's role may see the board.
    pub(crate) fn sees_board(&self, caller: &Caller, board: i64) -> bool {
        if caller.licence != Licence::ApiMember {
            return true;
        }
        let excluded = self.setup.api_members.iter().any(|member| {
            member.id == caller.id && member.excluded_service_board_ids.contains(&board)
        });
        !excluded && !self.faults.variants.hidden_board_ids.contains(&board)
    }

    /// The board of a ticket that names none.
    pub(crate) fn default_board(&self, caller: &Caller) -> Option<i64> {
        let own = match caller.licence {
            Licence::ApiMember => self
                .setup
                .api_members
                .iter()
                .find(|member| member.id == caller.id)
                .and_then(|member| member.service_default_board),
            Licence::Member => self
                .setup
                .members
                .iter()
                .find(|member| member.id == caller.id)
                .and_then(|member| member.service_default_board),
            Licence::Anonymous => None,
        };
        own.or(self.setup.default_board)
            .map(|board| board.id)
            .or_else(|| {
                let active = self
                    .setup
                    .boards
                    .iter()
                    .filter(|board| !board.inactive_flag);
                active.map(|board| board.id).min()
            })
    }
}

/// A time shifted by so many seconds.
pub(crate) fn shifted(at: Timestamp, seconds: i32) -> Timestamp {
    let offset = SignedDuration::from_secs(seconds.into());
    at.checked_add(offset).unwrap_or(at)
}
