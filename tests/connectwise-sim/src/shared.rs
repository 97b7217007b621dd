//! The site behind one lock, which all connections share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::site::Site;

/// The state that all connections share.
#[derive(Debug)]
pub(crate) struct Shared(Mutex<Site>);

impl Shared {
    pub(crate) fn new(site: Site) -> Self {
        Self(Mutex::new(site))
    }

    /// The lock is held for one call and never across an await. A panic while it is held is a bug
    /// of one endpoint; the others keep working.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Site> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
