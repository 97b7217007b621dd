//! Rights that calls were refused for, until the API member has them again.

use std::collections::BTreeSet;

use connectwise::MySecurity;
use domain::setup::rights::{RightStatus, right_status};
use jiff::{SignedDuration, Timestamp};
use store::{ConfigTable, Due, LeasedRun, RunProgress};

use crate::connection_case::ConnectionCase;
use crate::prober::ProbeResult;
use crate::run_result::HealthError;

/// If the API member may not list its own rights, a missing right is tried again after this time:
/// the next call shows whether it is still missing.
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// Updates a partner's missing rights.
pub(crate) struct MissingRights<'a> {
    pub(crate) table: &'a ConfigTable,
    pub(crate) due: &'a Due,
}

impl MissingRights<'_> {
    /// Removes the rights that the API member has by now. Returns whether there were any. If the
    /// process dies right after, alerts that were blocked for one go on at the partner's own time.
    pub(crate) async fn update(
        &self,
        case: &ConnectionCase<'_>,
        leased: &LeasedRun,
        result: &ProbeResult,
    ) -> Result<bool, HealthError> {
        let (breaker, now) = (case.breaker, case.invocation.now());
        if breaker.missing_rights.is_empty() {
            return Ok(false);
        }
        let listed = result.rights.as_deref();
        let missing = listed.and_then(|listed| still_missing(&breaker.missing_rights, listed));
        let missing = match missing {
            Some(missing) => missing,
            None if was_tried_recently(&leased.progress, now) => return Ok(false),
            None => {
                let progress = RunProgress {
                    rights_tried_at: Some(now),
                    ..leased.progress.clone()
                };
                // Written before they are tried: if the process dies in between, they are not tried
                // more often.
                if !self.due.save_progress(leased, &progress).await? {
                    return Err(HealthError::Conflict);
                }
                BTreeSet::new()
            }
        };
        if missing == breaker.missing_rights {
            return Ok(false);
        }
        let seen = self
            .table
            .breaker
            .replace_missing_rights(case.partner, breaker, &missing);
        let is_written = seen.await?;
        if is_written {
            tracing::info!(missing = ?missing, before = ?breaker.missing_rights, "missing rights changed");
        }
        Ok(is_written)
    }
}

fn was_tried_recently(progress: &RunProgress, now: Timestamp) -> bool {
    let tried = progress.rights_tried_at;
    tried.is_some_and(|at| now.duration_since(at) < RETRY_AFTER)
}

/// The rights that the API member still lacks, or `None` if the list does not name one of them.
fn still_missing(missing: &BTreeSet<String>, listed: &[MySecurity]) -> Option<BTreeSet<String>> {
    let listed: Vec<_> = listed.iter().map(MySecurity::listed).collect();
    let mut still = BTreeSet::new();
    for right in missing {
        match right_status(right, &listed) {
            RightStatus::Granted => {}
            RightStatus::Missing => {
                still.insert(right.clone());
            }
            RightStatus::NotKnown => return None,
        }
    }
    Some(still)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, add: &str) -> MySecurity {
        let row = serde_json::json!({ "moduleFunctionName": name, "addLevel": add, "inquireLevel": "All" });
        serde_json::from_value(row).unwrap()
    }

    #[test]
    fn a_right_is_granted_at_level_all_and_unknown_if_not_listed() {
        let rights = |rights: &[&str]| rights.iter().map(|right| (*right).to_owned()).collect();
        let missing: BTreeSet<String> = rights(&["service_tickets.add", "service_tickets.inquire"]);
        for (add, still) in [
            ("None", Some(rights(&["service_tickets.add"]))),
            ("My", Some(rights(&["service_tickets.add"]))),
            ("All", Some(rights(&[]))),
        ] {
            let listed = [
                listed("Table Setup", "None"),
                listed("Service Tickets", add),
            ];
            assert_eq!(still_missing(&missing, &listed), still, "{add}");
        }
        assert_eq!(still_missing(&missing, &[listed("", "All")]), None);
    }
}
