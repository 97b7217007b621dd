//! How long one request creates parts of boards.

use std::time::Duration;

use aws::invocation::Invocation;
use tokio::time::Instant;

/// The time that is left for the last call at least, if the invocation is shorter than usual.
const LAST_CALL: Duration = Duration::from_secs(4);
/// How long one request works at most. The gateway's limit is 30 s, and the last call needs some of
/// them.
const MAX_WORK_TIME: Duration = Duration::from_secs(20);

/// How long a request creates parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct WorkTime {
    /// No part is begun after this, except the first one: a slow ConnectWise needs longer to list
    /// what exists.
    pub(super) until: Instant,
    /// No part is begun after this.
    pub(super) latest: Instant,
    /// All calls have ended by then.
    pub(super) calls_end: Instant,
}

impl WorkTime {
    pub(super) fn new(seconds: Option<u64>, invocation: &Invocation) -> Self {
        let calls_end = invocation.calls_end();
        let latest = calls_end.checked_sub(LAST_CALL).unwrap_or(calls_end);
        let now = Instant::now();
        let latest = latest.min(now + MAX_WORK_TIME);
        let asked = seconds.map_or(MAX_WORK_TIME, Duration::from_secs);
        Self {
            until: latest.min(now + asked.min(MAX_WORK_TIME)),
            latest,
            calls_end,
        }
    }
}
