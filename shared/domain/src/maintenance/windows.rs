//! The maintenance windows of a partner.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::window::MaintenanceWindow;
use crate::time::later;
use crate::{Kind, TenantId, WindowId};

/// The most windows of a partner.
pub const MAX_WINDOWS: usize = 50;
/// The most tenants, kinds and devices that the scopes of a partner's windows name together. All
/// windows are read with each alert.
pub const MAX_SCOPE_ENTRIES: usize = 1000;
/// An alert is held for at most this long, however many windows follow each other.
pub const MAX_HOLD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The windows of a partner by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MaintenanceWindows {
    #[serde(default)]
    windows: BTreeMap<WindowId, StoredWindow>,
}

/// A window that was stored. One that cannot be read holds no alert, and stays until it is saved
/// again or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StoredWindow {
    Window(Box<MaintenanceWindow>),
    Unreadable(serde_json::Value),
}

/// Why a window is not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooManyWindows {
    #[error("A partner has at most {MAX_WINDOWS} maintenance windows: delete one that is over.")]
    Windows,
    #[error(
        "The maintenance windows of a partner name at most {MAX_SCOPE_ENTRIES} tenants, kinds and devices together."
    )]
    ScopeEntries,
}

impl MaintenanceWindows {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    /// All windows, also those that cannot be read.
    pub fn iter(&self) -> impl Iterator<Item = (&WindowId, &StoredWindow)> {
        self.windows.iter()
    }

    /// The windows that can be read.
    pub fn readable(&self) -> impl Iterator<Item = (&WindowId, &MaintenanceWindow)> {
        self.windows.iter().filter_map(|(id, stored)| match stored {
            StoredWindow::Window(window) => Some((id, window.as_ref())),
            StoredWindow::Unreadable(_) => None,
        })
    }

    /// The ids of the windows that cannot be read.
    pub fn unreadable(&self) -> impl Iterator<Item = &WindowId> {
        self.windows.iter().filter_map(|(id, stored)| match stored {
            StoredWindow::Window(_) => None,
            StoredWindow::Unreadable(_) => Some(id),
        })
    }

    #[must_use]
    pub fn contains(&self, id: &WindowId) -> bool {
        self.windows.contains_key(id)
    }

    #[must_use]
    pub fn get(&self, id: &WindowId) -> Option<&MaintenanceWindow> {
        match self.windows.get(id) {
            Some(StoredWindow::Window(window)) => Some(window),
            Some(StoredWindow::Unreadable(_)) | None => None,
        }
    }

    /// Adds a window, or replaces the one with this id.
    ///
    /// # Errors
    /// Says which limit does not allow it.
    pub fn with(mut self, id: WindowId, window: MaintenanceWindow) -> Result<Self, TooManyWindows> {
        self.windows
            .insert(id, StoredWindow::Window(Box::new(window)));
        if self.windows.len() > MAX_WINDOWS {
            return Err(TooManyWindows::Windows);
        }
        let entries: usize = self
            .readable()
            .map(|(_, window)| window.scope().entries())
            .sum();
        match entries > MAX_SCOPE_ENTRIES {
            true => Err(TooManyWindows::ScopeEntries),
            false => Ok(self),
        }
    }

    #[must_use]
    pub fn without(mut self, id: &WindowId) -> Self {
        self.windows.remove(id);
        self
    }

    /// The windows that can be read and cover a tenant.
    #[must_use]
    pub fn of_tenant(mut self, tenant: &TenantId) -> Self {
        self.windows.retain(|_, stored| match stored {
            StoredWindow::Window(window) => window.scope().covers_tenant(tenant),
            StoredWindow::Unreadable(_) => false,
        });
        self
    }

    /// Until when an alert of a covered tenant is held. `None` if it is not. Windows that overlap or
    /// follow each other without a gap count as one. `since` is when the alert began to be held.
    #[must_use]
    pub fn hold(
        &self,
        kind: &Kind,
        device: Option<&str>,
        since: Timestamp,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let covering: Vec<_> = self
            .readable()
            .map(|(_, window)| window)
            .filter(|window| window.scope().covers(kind, device))
            .collect();
        let most = later(since, MAX_HOLD);
        let mut until = now;
        while until < most {
            let running = covering
                .iter()
                .filter_map(|window| window.occurrence_at(until));
            match running.map(|of| of.ends_at).max() {
                Some(end) => until = end,
                None => break,
            }
        }
        let until = until.min(most);
        (until > now).then_some(until)
    }

    /// When the next of the occurrences that run now ends. Alerts are then released.
    #[must_use]
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let next = |window: &MaintenanceWindow| {
            let next = window.next_occurrences(now, 1);
            next.first().map(|of| of.ends_at)
        };
        self.readable().filter_map(|(_, window)| next(window)).min()
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
