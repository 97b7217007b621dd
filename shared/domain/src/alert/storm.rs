//! Alert storms: when many alerts of one tenant are raised at once, the later ones share one ticket,
//! that of the storm.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::later;
use crate::{AlertId, AlertKey};

/// One alert is no storm.
pub const MIN_ALERTS: u32 = 2;
/// The most alerts that a rule can count, and that are stored of a tenant.
pub const MAX_ALERTS: u32 = 200;
/// The longest time within which a rule can count alerts.
pub const MAX_STORM_MINUTES: u32 = 60;
/// The most storms of a tenant at the same time. Beyond that, alerts get tickets of their own.
const MAX_STORMS: usize = 8;
/// How exact the time of a storm's newest alert is stored. Not every alert needs a write.
const EXACT: SignedDuration = SignedDuration::from_secs(10);
/// A storm is not over before, so that alerts that are still on their way are part of it.
const SHORTEST: SignedDuration = SignedDuration::from_mins(2);

/// When alerts of a tenant are a storm: more new ones than this within this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StormRule {
    /// From 2 to 200.
    pub alerts: u32,
    /// From 1 to 60.
    pub minutes: u32,
}

/// The ticket that a new alert gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    OwnTicket,
    /// That of the storm with this id.
    Storm(AlertId),
}

/// The newest alerts of a tenant, and its storms.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TenantStorms {
    /// Alerts that got tickets of their own, the oldest first.
    #[serde(default)]
    recent: Vec<NewAlert>,
    #[serde(default)]
    storms: Vec<Storm>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct NewAlert {
    /// See [`short_key`].
    key: String,
    at: Timestamp,
}

/// A storm. Its alert has the ticket that lists the alerts of the storm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storm {
    /// The id of its alert, whose source is [`SourceId::for_storms`](crate::SourceId).
    pub id: AlertId,
    pub began_at: Timestamp,
    /// When the newest alert became part of it.
    pub last_alert_at: Timestamp,
    /// The rule when it began.
    pub rule: StormRule,
    /// Whether it takes no more alerts, because all of them were resolved.
    #[serde(default)]
    pub is_over: bool,
}

impl StormRule {
    fn period(self) -> SignedDuration {
        SignedDuration::from_mins(i64::from(self.minutes))
    }
}

impl Storm {
    fn is_growing(&self, rule: StormRule, now: Timestamp) -> bool {
        !self.is_over && now < later(self.last_alert_at, rule.period())
    }

    /// Whether it may end.
    #[must_use]
    pub fn may_end(&self, now: Timestamp) -> bool {
        now >= later(self.began_at, SHORTEST)
    }
}

impl TenantStorms {
    #[must_use]
    pub fn storms(&self) -> &[Storm] {
        &self.storms
    }

    /// Decides which ticket a new alert gets. `part_of` is the storm that it is part of already.
    /// The second value is the changed state, which must be stored before the alert continues. The
    /// same alert is decided alike again, so a crash in between changes nothing.
    #[must_use]
    pub fn admit(
        &self,
        rule: Option<StormRule>,
        key: &AlertKey,
        part_of: Option<&AlertId>,
        now: Timestamp,
    ) -> (Admission, Option<Self>) {
        if let Some(id) = part_of.filter(|id| self.has_storm(id)) {
            return (Admission::Storm(id.clone()), None);
        }
        let key = short_key(key);
        let Some(rule) = rule.filter(|_| !self.recent.iter().any(|recent| recent.key == key))
        else {
            return (Admission::OwnTicket, None);
        };
        let mut changed = self.clone();
        let growing = changed.storms.iter_mut();
        if let Some(storm) = growing.rev().find(|storm| storm.is_growing(rule, now)) {
            let admission = Admission::Storm(storm.id.clone());
            if now < later(storm.last_alert_at, EXACT) {
                return (admission, None);
            }
            storm.last_alert_at = now;
            return (admission, Some(changed));
        }
        changed
            .recent
            .retain(|recent| now < later(recent.at, rule.period()));
        let count = u32::try_from(changed.recent.len()).unwrap_or(u32::MAX);
        if count < rule.alerts || changed.storms.len() >= MAX_STORMS {
            changed.recent.push(NewAlert { key, at: now });
            if changed.recent.len() > usize::try_from(MAX_ALERTS).unwrap_or(usize::MAX) {
                changed.recent.remove(0);
            }
            return (Admission::OwnTicket, Some(changed));
        }
        let id = AlertId::for_storm(now);
        if !changed.has_storm(&id) {
            changed.storms.push(Storm {
                id: id.clone(),
                began_at: now,
                last_alert_at: now,
                rule,
                is_over: false,
            });
        }
        (Admission::Storm(id), Some(changed))
    }

    #[must_use]
    pub fn has_storm(&self, id: &AlertId) -> bool {
        self.storms.iter().any(|storm| storm.id == *id)
    }

    /// Ends the growth of a storm.
    #[must_use]
    pub fn with_over(mut self, id: &AlertId) -> Self {
        for storm in &mut self.storms {
            storm.is_over |= storm.id == *id;
        }
        self
    }

    #[must_use]
    pub fn without(mut self, id: &AlertId) -> Self {
        self.storms.retain(|storm| storm.id != *id);
        self
    }
}

/// The alert's key within its partner, in 16 characters.
pub(crate) fn short_key(key: &AlertKey) -> String {
    let item_key = key.item_key();
    item_key[item_key.len() - 16..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::key;

    const RULE: StormRule = StormRule {
        alerts: 3,
        minutes: 5,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn alert(n: usize) -> AlertKey {
        AlertKey {
            alert_id: AlertId::parse(format!("a{n}")).unwrap(),
            ..key()
        }
    }

    /// Admits an alert and stores what changed.
    fn admit(storms: &mut TenantStorms, n: usize, second: i64) -> Admission {
        let (admission, changed) = storms.admit(Some(RULE), &alert(n), None, at(second));
        *storms = changed.unwrap_or_else(|| storms.clone());
        admission
    }

    #[test]
    fn the_alerts_beyond_the_rule_share_one_storm() {
        let mut storms = TenantStorms::default();
        for n in 0..3 {
            assert_eq!(admit(&mut storms, n, 1), Admission::OwnTicket, "{n}");
        }
        let storm = Admission::Storm(AlertId::for_storm(at(2)));
        for n in 3..50 {
            assert_eq!(admit(&mut storms, n, 2), storm, "{n}");
        }
        assert_eq!(storms.storms().len(), 1);
        // Each is decided alike again.
        assert_eq!(admit(&mut storms, 0, 3), Admission::OwnTicket);
        assert_eq!(admit(&mut storms, 30, 3), storm);
    }

    #[test]
    fn each_alert_prolongs_a_storm_and_single_tickets_follow_when_it_is_calm() {
        let mut storms = TenantStorms::default();
        for n in 0..4 {
            admit(&mut storms, n, 0);
        }
        let storm = Admission::Storm(AlertId::for_storm(at(0)));
        for (n, second) in [(4, 290), (5, 580), (6, 870)] {
            assert_eq!(admit(&mut storms, n, second), storm, "{second}");
        }
        assert_eq!(admit(&mut storms, 7, 1170), Admission::OwnTicket);
        // An alert that is part of it stays so.
        let id = AlertId::for_storm(at(0));
        let (admission, changed) = storms.admit(Some(RULE), &alert(4), Some(&id), at(1171));
        assert_eq!((admission, changed), (storm.clone(), None));
        let (admission, _) = storms.admit(None, &alert(4), Some(&id), at(1171));
        assert_eq!(admission, storm, "also without the rule");
        let storms = storms.without(&id);
        let (admission, _) = storms.admit(Some(RULE), &alert(4), Some(&id), at(1172));
        assert_eq!(admission, Admission::OwnTicket, "the storm has ended");
    }

    #[test]
    fn a_storm_that_is_over_takes_no_more_alerts() {
        let mut storms = TenantStorms::default();
        for n in 0..4 {
            admit(&mut storms, n, 0);
        }
        let id = AlertId::for_storm(at(0));
        storms = storms.with_over(&id);
        let next = Admission::Storm(AlertId::for_storm(at(1)));
        assert_eq!(admit(&mut storms, 4, 1), next, "still a storm: a new storm");
        assert!(!storms.storms()[0].may_end(at(119)));
        assert!(storms.storms()[0].may_end(at(120)));
        let rest = storms.without(&id);
        assert!(!rest.has_storm(&id) && rest.has_storm(&AlertId::for_storm(at(1))));
    }

    #[test]
    fn alerts_as_old_as_the_rule_no_longer_count() {
        let mut storms = TenantStorms::default();
        for n in 0..3 {
            admit(&mut storms, n, 0);
        }
        let mut earlier = storms.clone();
        let storm = Admission::Storm(AlertId::for_storm(at(299)));
        assert_eq!(admit(&mut earlier, 3, 299), storm);
        assert_eq!(admit(&mut storms, 3, 300), Admission::OwnTicket);
    }

    #[test]
    fn the_time_of_a_storms_newest_alert_is_stored_every_ten_seconds() {
        let mut storms = TenantStorms::default();
        for n in 0..4 {
            admit(&mut storms, n, 0);
        }
        let stores = |second| {
            let (_, changed) = storms.admit(Some(RULE), &alert(4), None, at(second));
            changed.is_some()
        };
        assert!(!stores(9));
        assert!(stores(10));
    }

    #[test]
    fn a_storm_that_ends_in_the_moment_of_its_start_is_stored_once() {
        let mut storms = TenantStorms::default();
        for n in 0..4 {
            admit(&mut storms, n, 0);
        }
        let id = AlertId::for_storm(at(0));
        storms = storms.with_over(&id);
        assert_eq!(admit(&mut storms, 4, 0), Admission::Storm(id));
        assert_eq!(storms.storms().len(), 1);
    }

    #[test]
    fn without_a_rule_each_alert_has_its_own_ticket_and_nothing_is_stored() {
        let storms = TenantStorms::default();
        for n in 0..100 {
            let decided = storms.admit(None, &alert(n), None, at(0));
            assert_eq!(decided, (Admission::OwnTicket, None));
        }
    }

    #[test]
    fn the_alerts_and_storms_of_a_tenant_are_limited() {
        let mut storms = TenantStorms::default();
        // Fewer within the rule's time than make a storm.
        for n in 0..500 {
            let second = 200 * i64::try_from(n).unwrap();
            assert_eq!(admit(&mut storms, n, second), Admission::OwnTicket);
        }
        assert!(storms.recent.len() <= 3);
        let mut storms = TenantStorms::default();
        for storm in 0..20 {
            for n in 0..6 {
                admit(
                    &mut storms,
                    10 * storm + n,
                    600 * i64::try_from(storm).unwrap(),
                );
            }
        }
        assert_eq!(storms.storms().len(), MAX_STORMS);
        assert_eq!(admit(&mut storms, 999, 600 * 19), Admission::OwnTicket);
        for n in 1000..1250 {
            admit(&mut storms, n, 600 * 20);
        }
        assert_eq!(storms.recent.len(), 200);
    }
}
