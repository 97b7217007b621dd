//! Changes of maintenance windows, by a person on the page or by the operator.

use aws::invocation::Invocation;
use domain::maintenance::window::{InvalidWindow, MaintenanceWindow, WindowDefinition};
use domain::maintenance::windows::MaintenanceWindows;
use domain::{PartnerId, WindowId};
use store::{Actor, SaveOutcome, Versioned};

use crate::context::Setup;
use crate::http::input::sentence;
use crate::http::problem::Problem;
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

    /// The windows after the change, and the name of the window that it concerns. `None` if it
    /// changes nothing.
    fn apply(
        &self,
        before: MaintenanceWindows,
        id: &WindowId,
        invocation: &Invocation,
    ) -> Result<Option<(MaintenanceWindows, String)>, Problem> {
        let known = before.get(id).cloned();
        let name = |window: &MaintenanceWindow| window.definition().name.clone();
        Ok(match self {
            Self::Save(window) if known.as_ref() == Some(window) => None,
            Self::Save(window) => {
                let name = name(window);
                let after = before.with(id.clone(), (**window).clone());
                let after = after.map_err(|err| Problem::refused(err.to_string()))?;
                Some((after, name))
            }
            Self::End => {
                let known = known.ok_or_else(|| not_found(id))?;
                let now = invocation.now();
                if known.occurrence_at(now).is_none() {
                    return Ok(None);
                }
                let name = name(&known);
                // It replaces a window that exists, so no limit refuses it.
                let after = before.with(id.clone(), known.ended(now));
                let after = after.map_err(|err| Problem::refused(err.to_string()))?;
                Some((after, name))
            }
            Self::Delete if !before.contains(id) => None,
            Self::Delete => {
                let name = known.as_ref().map_or_else(|| id.to_string(), name);
                Some((before.without(id), name))
            }
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
        let Some((after, name)) = change.apply(value, id, invocation)? else {
            return Ok(());
        };
        if store.save(partner, &after, version).await? == SaveOutcome::Conflict {
            continue;
        }
        let detail = [("window", id.to_string()), ("name", name)];
        audit::record(setup, partner, (who, change.action()), &detail, invocation).await;
        let now = invocation.now();
        setup.schedule().reconcile(partner, now).await?;
        return Ok(());
    }
    Err(Problem::conflict())
}

/// Checks a definition; the problem names the field.
pub(crate) fn parse(definition: WindowDefinition) -> Result<MaintenanceWindow, Problem> {
    MaintenanceWindow::try_from(definition).map_err(|err| invalid(&err))
}

fn invalid(err: &InvalidWindow) -> Problem {
    Problem::invalid(err.field, sentence(&format!("It {}", err.problem)))
}

pub(crate) fn not_found(id: &WindowId) -> Problem {
    Problem::not_found(format!("There is no maintenance window {id}."))
}

/// The id of a new window.
pub(crate) fn new_id() -> Result<WindowId, Problem> {
    let id = format!("w-{:016x}", random::number()?);
    WindowId::parse(id).map_err(|_| Problem::failed())
}
