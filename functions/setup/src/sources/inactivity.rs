//! When a quiet source or tenant is reported: what the operator or a partner changes of it.

use domain::monitoring::inactive_source::InactivityRules;

use crate::http::input::filled;
use crate::http::problem::Problem;

/// The longest limits: a year.
const MAX_HOURS: u32 = 8760;
const MAX_DAYS: u32 = 365;

/// The member of the source's hours, in the API and the form.
pub(crate) const HOURS: &str = "inactive_after_hours";
/// The member of the tenants' days.
pub(crate) const DAYS: &str = "tenant_inactive_after_days";

/// A change of the rules. What is absent stays as it is. An inner `None` removes the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct InactivityEdit {
    pub(crate) hours: Option<Option<u32>>,
    pub(crate) tenant_days: Option<Option<u32>>,
    pub(crate) ticket: Option<bool>,
}

impl InactivityEdit {
    pub(crate) fn apply(self, rules: InactivityRules) -> InactivityRules {
        InactivityRules {
            inactive_after_hours: self.hours.unwrap_or(rules.inactive_after_hours),
            tenant_inactive_after_days: self
                .tenant_days
                .unwrap_or(rules.tenant_inactive_after_days),
            inactive_ticket: self.ticket.unwrap_or(rules.inactive_ticket),
        }
    }

    /// Reads the limits of the form. An empty one removes the limit.
    pub(crate) fn from_form(hours: Option<&str>, days: Option<&str>) -> Result<Self, Problem> {
        let number = |text: &str| filled(Some(text)).map(|text| text.parse().ok());
        Ok(Self {
            hours: hours.map(|text| hours_of(number(text))).transpose()?,
            tenant_days: days.map(|text| days_of(number(text))).transpose()?,
            ticket: None,
        })
    }
}

/// Checks the hours of a source: the outer `None` is no limit, the inner one no number.
pub(crate) fn hours_of(hours: Option<Option<u32>>) -> Result<Option<u32>, Problem> {
    let detail = "It is a number of hours from 1 to 8760, or null for longer than usual.";
    checked(hours, MAX_HOURS, || Problem::invalid(HOURS, detail))
}

/// Checks the days of a source's tenants, as [`hours_of`].
pub(crate) fn days_of(days: Option<Option<u32>>) -> Result<Option<u32>, Problem> {
    let detail = "It is a number of days from 1 to 365, or null for never.";
    checked(days, MAX_DAYS, || Problem::invalid(DAYS, detail))
}

fn checked(
    number: Option<Option<u32>>,
    max: u32,
    problem: impl Fn() -> Problem,
) -> Result<Option<u32>, Problem> {
    match number {
        None => Ok(None),
        Some(Some(number)) if (1..=max).contains(&number) => Ok(Some(number)),
        Some(_) => Err(problem()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_field_stays_and_an_empty_one_is_removed() {
        let rules = InactivityRules {
            inactive_after_hours: Some(48),
            tenant_inactive_after_days: Some(7),
            inactive_ticket: true,
        };
        let edit = InactivityEdit::from_form(None, Some(" ")).unwrap();
        let changed = edit.apply(rules);
        assert_eq!(changed.inactive_after_hours, Some(48));
        assert_eq!(changed.tenant_inactive_after_days, None);
        let edit = InactivityEdit::from_form(Some("12"), Some("365")).unwrap();
        let changed = edit.apply(rules);
        assert_eq!(changed.inactive_after_hours, Some(12));
        assert_eq!(changed.tenant_inactive_after_days, Some(365));
    }

    #[test]
    fn a_limit_beyond_a_year_or_of_no_number_is_rejected() {
        for wrong in ["0", "-1", "8761", "soon", "1.5"] {
            let hours = InactivityEdit::from_form(Some(wrong), None);
            assert_eq!(hours.unwrap_err().field.as_deref(), Some(HOURS), "{wrong}");
            let days = InactivityEdit::from_form(None, Some(wrong));
            assert_eq!(days.unwrap_err().field.as_deref(), Some(DAYS), "{wrong}");
        }
    }
}
