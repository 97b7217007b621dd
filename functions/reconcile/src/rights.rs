//! Whether the rights that calls were refused for want of are there by now.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use connections::View;
use connectwise::MySecurity;
use domain::PartnerId;
use domain::breaker::{Breaker, Told};
use domain::rights::{Standing, standing};
use jiff::{SignedDuration, Timestamp};
use store::Progress;

use crate::App;

/// Where the API member may not see its own rights, they are taken for there again so often, and the next call shows.
const TRIED_EVERY: SignedDuration = SignedDuration::from_mins(15);

impl App {
    /// Asks which of the missing rights are there by now, and forgets those. Returns the view as it is then.
    pub(crate) async fn with_rights(
        &self,
        partner: &PartnerId,
        mut view: View,
        progress: &mut Progress,
        invocation: &Invocation,
    ) -> Result<View, store::Error> {
        let (breaker, now) = (&view.view.breaker, invocation.now());
        let Some(site) = &view.site else {
            return Ok(view);
        };
        if breaker.missing_rights.is_empty() || breaker.open.is_some() {
            return Ok(view);
        }
        let listed = match self.connections.client(partner, site).await {
            Ok(client) => client
                .my_security(invocation.call_ends())
                .await
                .map_err(|fault| (fault.to_string(), fault.told())),
            Err(fault) => Err((fault.to_string(), fault.told())),
        };
        let missing = match listed {
            Ok(listed) => still_missing(&breaker.missing_rights, &listed),
            Err((fault, told)) => {
                tracing::warn!(fault, "the API member's rights cannot be read");
                match told {
                    // It may not see them, or they say nothing.
                    Told::MissingRight(_) | Told::Works | Told::Nothing => None,
                    told @ (Told::Fails { .. } | Told::Throttled { .. } | Told::Refused) => {
                        self.connections.heard(partner, told, breaker, now).await?;
                        return Ok(view);
                    }
                }
            }
        };
        let missing = match missing {
            Some(missing) => missing,
            None if tried_lately(progress, now) => return Ok(view),
            None => {
                progress.rights_tried_at = Some(now);
                BTreeSet::new()
            }
        };
        if missing != breaker.missing_rights {
            let table = &self.connections.table;
            if table.rights_seen(partner, breaker, &missing).await? {
                tracing::info!(missing = ?missing, before = ?breaker.missing_rights, "rights");
                view.view.breaker = Breaker {
                    missing_rights: missing,
                    ..breaker.clone()
                };
            }
        }
        Ok(view)
    }
}

fn tried_lately(progress: &Progress, now: Timestamp) -> bool {
    let tried = progress.rights_tried_at;
    tried.is_some_and(|at| now.duration_since(at) < TRIED_EVERY)
}

/// Those of the rights that the API member has not; none where the list does not name one of them.
fn still_missing(missing: &BTreeSet<String>, listed: &[MySecurity]) -> Option<BTreeSet<String>> {
    let listed: Vec<_> = listed.iter().map(MySecurity::listed).collect();
    let mut still = BTreeSet::new();
    for right in missing {
        match standing(right, &listed) {
            Standing::Found => {}
            Standing::Missing => {
                still.insert(right.clone());
            }
            Standing::NotKnown => return None,
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
    fn a_right_is_there_when_it_reaches_all_and_unknown_when_it_is_not_listed() {
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
