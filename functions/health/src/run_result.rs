use std::ops::AddAssign;

use serde::Serialize;

/// What runs did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct HealthTotals {
    /// Mails that SES accepted.
    pub mails: usize,
    /// Mails that SES did not accept. A later tick sends them.
    pub mails_failed: usize,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("another run wrote the partner's health first")]
    Conflict,
}

impl AddAssign for HealthTotals {
    fn add_assign(&mut self, other: Self) {
        self.mails += other.mails;
        self.mails_failed += other.mails_failed;
    }
}
