//! The form of a maintenance window.

use std::collections::{BTreeSet, HashMap};

use domain::maintenance::recurrence::{Recurrence, Weekday};
use domain::maintenance::scope::MaintenanceScope;
use domain::maintenance::window::{MaintenanceWindow, WindowDefinition};
use domain::setup::mapping::Mapping;
use domain::{Kind, TenantId, WindowId};
use serde::{Deserialize, Serialize};

use crate::http::input::{filled, parse_name};
use crate::http::problem::Problem;
use crate::maintenance::change::parse;
use crate::tenants::search::find_tenant;

/// A window as a person enters it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WindowForm {
    /// Absent for a new window.
    #[serde(default)]
    pub(super) id: Option<String>,
    pub(super) name: String,
    pub(super) zone: String,
    /// `2026-12-01T22:00`.
    pub(super) starts: String,
    /// Hours and minutes. Both are empty for a window that lasts until it is ended.
    #[serde(default)]
    pub(super) hours: String,
    #[serde(default)]
    pub(super) minutes: String,
    pub(super) repeats: FormRecurrence,
    /// For a weekly window.
    #[serde(default)]
    pub(super) days: BTreeSet<Weekday>,
    /// For a monthly window.
    #[serde(default)]
    pub(super) month_day: String,
    #[serde(default)]
    pub(super) tenants: BTreeSet<TenantId>,
    /// Where there are too many to choose from: a name or id of a tenant a line.
    #[serde(default)]
    pub(super) tenant_lines: String,
    #[serde(default)]
    pub(super) kinds: BTreeSet<Kind>,
    /// One pattern a line.
    #[serde(default)]
    pub(super) devices: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FormRecurrence {
    #[default]
    Once,
    Daily,
    Weekly,
    Monthly,
}

/// An existing window.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExistingWindowForm {
    pub(super) window: WindowId,
}

impl WindowForm {
    /// # Errors
    /// Names the field that is wrong.
    pub(super) fn parse(&self) -> Result<MaintenanceWindow, Problem> {
        let starts = self.starts.parse().map_err(|_| {
            Problem::invalid(
                "starts",
                "It is a date and a time such as 2026-12-01T22:00.",
            )
        })?;
        let hours: Option<u32> = number("hours", &self.hours)?;
        let minutes: Option<u32> = number("minutes", &self.minutes)?;
        let minutes = match (hours, minutes) {
            (None, None) => None,
            (hours, minutes) => {
                let of_hours = hours.unwrap_or_default().saturating_mul(60);
                Some(of_hours.saturating_add(minutes.unwrap_or_default()))
            }
        };
        let repeats = match self.repeats {
            FormRecurrence::Once => Recurrence::Once,
            FormRecurrence::Daily => Recurrence::Daily,
            FormRecurrence::Weekly if self.days.is_empty() => {
                return Err(Problem::invalid("days", "Choose at least one day."));
            }
            FormRecurrence::Weekly => Recurrence::Weekly {
                days: self.days.clone(),
            },
            FormRecurrence::Monthly => {
                let day = number("month_day", &self.month_day)?;
                let missing = || Problem::invalid("month_day", "It is a day from 1 to 31.");
                Recurrence::Monthly {
                    day: day.ok_or_else(missing)?,
                }
            }
        };
        let devices = self.devices.lines().filter_map(|line| filled(Some(line)));
        parse(WindowDefinition {
            name: parse_name("name", &self.name)?,
            zone: self.zone.clone(),
            starts,
            minutes,
            repeats,
            scope: MaintenanceScope {
                tenants: self.tenants.clone(),
                kinds: self.kinds.clone(),
                devices: devices.map(str::to_owned).collect(),
            },
            ended_at: None,
        })
    }

    /// Adds the tenants that were typed to those that were chosen.
    ///
    /// # Errors
    /// When a line matches no tenant or several.
    pub(super) fn with_typed_tenants(
        mut self,
        mappings: &HashMap<TenantId, Mapping>,
    ) -> Result<Self, Problem> {
        for line in self
            .tenant_lines
            .lines()
            .filter(|line| !line.trim().is_empty())
        {
            let tenant = find_tenant("tenant_lines", line, mappings)?;
            self.tenants.insert(tenant);
        }
        Ok(self)
    }

    pub(super) fn of(id: &WindowId, window: &MaintenanceWindow) -> Self {
        let definition = window.definition();
        let (repeats, days, month_day) = match &definition.repeats {
            Recurrence::Once => (FormRecurrence::Once, BTreeSet::new(), String::new()),
            Recurrence::Daily => (FormRecurrence::Daily, BTreeSet::new(), String::new()),
            Recurrence::Weekly { days } => (FormRecurrence::Weekly, days.clone(), String::new()),
            Recurrence::Monthly { day } => {
                (FormRecurrence::Monthly, BTreeSet::new(), day.to_string())
            }
        };
        let part = |minutes: u32| {
            definition
                .minutes
                .map_or_else(String::new, |_| minutes.to_string())
        };
        let minutes = definition.minutes.unwrap_or_default();
        let devices: Vec<_> = definition.scope.devices.iter().cloned().collect();
        Self {
            id: Some(id.to_string()),
            name: definition.name.clone(),
            zone: definition.zone.clone(),
            starts: definition.starts.strftime("%Y-%m-%dT%H:%M").to_string(),
            hours: part(minutes / 60),
            minutes: part(minutes % 60),
            repeats,
            days,
            month_day,
            tenants: definition.scope.tenants.clone(),
            tenant_lines: String::new(),
            kinds: definition.scope.kinds.clone(),
            devices: devices.join("\n"),
        }
    }
}

impl FormRecurrence {
    pub(super) const ALL: [Self; 4] = [Self::Once, Self::Daily, Self::Weekly, Self::Monthly];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Once => "Once",
            Self::Daily => "Each day",
            Self::Weekly => "On days of the week",
            Self::Monthly => "On a day of the month",
        }
    }
}

fn number<T: std::str::FromStr>(field: &str, text: &str) -> Result<Option<T>, Problem> {
    let Some(text) = filled(Some(text)) else {
        return Ok(None);
    };
    let wrong = |_| Problem::invalid(field, "It is a whole number.");
    text.trim().parse().map(Some).map_err(wrong)
}
