//! Changes of maintenance windows, by a person on the page or by the operator.

use aws::invocation::Invocation;
use connections::PartnerConfig;
use domain::maintenance::window::{InvalidWindow, MaintenanceWindow, WindowDefinition};
use domain::maintenance::windows::MaintenanceWindows;
use domain::{PartnerId, WindowId};
use jiff::Timestamp;
use store::{Actor, SaveOutcome, Versioned};

use crate::context::Setup;
use crate::http::input::sentence;
use crate::http::problem::Problem;
use crate::maintenance::words::{covers, when};
use crate::tenants::reader::read_tenants;
use crate::{audit, random};

/// Attempts of a change whose windows another change replaced meanwhile.
const MAX_ATTEMPTS: usize = 5;

/// One change of a window.
#[derive(Debug, Clone)]
pub(crate) enum WindowChange {
    Save(Box<MaintenanceWindow>),
    /// Ends the occurrence that is running.
    End,
    Delete,
}

impl WindowChange {
    /// Its code in the history.
    fn action(&self) -> &'static str {
        match self {
            Self::Save(_) => "maintenance_saved",
            Self::End => "maintenance_ended",
            Self::Delete => "maintenance_deleted",
        }
    }

    /// The windows after the change. `None` if it changes nothing.
    fn apply(
        &self,
        before: MaintenanceWindows,
        id: &WindowId,
        invocation: &Invocation,
    ) -> Result<Option<MaintenanceWindows>, Problem> {
        let known = before.get(id).cloned();
        Ok(match self {
            Self::Save(window) if known.as_ref() == Some(window) => None,
            Self::Save(window) => {
                let after = before.with(id.clone(), (**window).clone());
                Some(after.map_err(|err| Problem::refused(err.to_string()))?)
            }
            Self::End => {
                let known = known.ok_or_else(|| not_found(id))?;
                let now = invocation.now();
                if known.occurrence_at(now).is_none() {
                    return Ok(None);
                }
                // It replaces a window that exists, so no limit refuses it.
                let after = before.with(id.clone(), known.ended(now));
                Some(after.map_err(|err| Problem::refused(err.to_string()))?)
            }
            Self::Delete if !before.contains(id) => None,
            Self::Delete => Some(before.without(id)),
        })
    }
}

/// Makes a change and schedules reconcile, which releases alerts that are not held any more. A
/// change that was made before changes nothing. If the process dies after the write, the windows
/// are saved and reconcile runs at its regular time.
pub(crate) async fn change(
    setup: &Setup,
    partner: &PartnerId,
    who: Actor,
    (id, change): (&WindowId, &WindowChange),
    invocation: &Invocation,
) -> Result<(), Problem> {
    let store = &setup.table().maintenance;
    for _ in 0..MAX_ATTEMPTS {
        let Versioned { value, version } = store.get(partner).await?;
        let before = value.get(id).cloned();
        let Some(after) = change.apply(value, id, invocation)? else {
            return Ok(());
        };
        if store.save(partner, &after, version).await? == SaveOutcome::Conflict {
            continue;
        }
        let now = invocation.now();
        let windows = (before.as_ref(), after.get(id));
        let detail = detail(setup, partner, id, windows, now).await?;
        audit::record(setup, partner, (who, change.action()), &detail, invocation).await;
        setup.schedule().reconcile(partner, now).await?;
        return Ok(());
    }
    Err(Problem::conflict())
}

/// What the history says of a window, before and after a change.
async fn detail(
    setup: &Setup,
    partner: &PartnerId,
    id: &WindowId,
    (before, after): (Option<&MaintenanceWindow>, Option<&MaintenanceWindow>),
    now: Timestamp,
) -> Result<Vec<(&'static str, String)>, Problem> {
    let (_, config) = read_tenants(setup, partner, now).await?;
    let [before, after] = [before, after].map(|window| window.map(|of| words(of, &config)));
    let mut detail = vec![("window", id.to_string())];
    detail.extend(match (before, after) {
        (Some(before), Some(after)) => before
            .into_iter()
            .zip(after)
            .map(|((label, before), (_, after))| (label, audit::changed(&before, &after)))
            .collect::<Vec<_>>(),
        // A new window, or one that was deleted.
        (before, after) => before.or(after).map(Vec::from).unwrap_or_default(),
    });
    Ok(detail)
}

fn words(window: &MaintenanceWindow, config: &PartnerConfig) -> [(&'static str, String); 3] {
    [
        ("name", window.definition().name.clone()),
        ("time", when(window)),
        ("scope", covers(window, &config.mappings, &config.kinds())),
    ]
}

/// Checks a definition; the problem names the field.
pub(crate) fn parse(definition: WindowDefinition) -> Result<MaintenanceWindow, Problem> {
    MaintenanceWindow::try_from(definition).map_err(|err| invalid(&err))
}

fn invalid(err: &InvalidWindow) -> Problem {
    // Some problems begin with the value that is wrong.
    let words = match err.problem.starts_with('"') {
        true => err.problem.clone(),
        false => format!("It {}", err.problem),
    };
    Problem::invalid(err.field, sentence(&words))
}

pub(crate) fn not_found(id: &WindowId) -> Problem {
    Problem::not_found(format!("There is no maintenance window {id}."))
}

/// The id of a new window.
pub(crate) fn new_id() -> Result<WindowId, Problem> {
    let id = format!("w-{:016x}", random::number()?);
    WindowId::parse(id).map_err(|_| Problem::failed())
}
