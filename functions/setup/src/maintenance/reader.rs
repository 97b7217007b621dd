//! Reads the maintenance windows with the alerts that they hold.

use std::collections::BTreeMap;

use domain::maintenance::windows::MaintenanceWindows;
use domain::{Blocked, PartnerId, WindowId};
use jiff::Timestamp;
use store::BlockedRange;

use crate::context::Setup;
use crate::http::problem::Problem;

/// The most blocked alerts that are read.
const MAX_READ: usize = 20_000;

/// The alerts that windows hold now.
#[derive(Debug, Default)]
pub(super) struct HeldAlerts {
    pub(super) by_window: BTreeMap<WindowId, usize>,
    /// Whether all blocked alerts were read. If not, each number is a minimum.
    pub(super) is_complete: bool,
}

pub(super) async fn read_held(
    setup: &Setup,
    partner: &PartnerId,
    windows: &MaintenanceWindows,
    now: Timestamp,
) -> Result<HeldAlerts, Problem> {
    let mut held = HeldAlerts {
        by_window: BTreeMap::new(),
        is_complete: true,
    };
    let running = windows
        .readable()
        .filter(|(_, window)| window.occurrence_at(now).is_some());
    let running: Vec<_> = running.collect();
    if running.is_empty() {
        return Ok(held);
    }
    let mut read = 0;
    for range in BlockedRange::all_from(None) {
        let mut listing = setup.alerts.lists.blocked_in(partner, &range);
        while let Some(listed) = listing.next().await? {
            if read == MAX_READ {
                held.is_complete = false;
                return Ok(held);
            }
            read += 1;
            let (Blocked::Maintenance(hold), Some(details)) =
                (&listed.blocked.reason, &listed.desired.details)
            else {
                continue;
            };
            for (id, window) in &running {
                let scope = window.scope();
                if scope.covers_tenant(&listed.key.tenant)
                    && scope.covers(&details.kind, hold.device.as_deref())
                {
                    *held.by_window.entry((*id).clone()).or_default() += 1;
                }
            }
        }
    }
    Ok(held)
}
