//! The alerts that a maintenance window holds.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Kind, TenantId};

/// What a window covers. An empty list covers everything, and an alert must match all three.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaintenanceScope {
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tenants: BTreeSet<TenantId>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<Kind>,
    /// Names of devices without regard to case. `*` matches any text, `?` one character. An
    /// alert without a device matches no pattern.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub devices: BTreeSet<String>,
}

impl MaintenanceScope {
    #[must_use]
    pub fn covers_tenant(&self, tenant: &TenantId) -> bool {
        self.tenants.is_empty() || self.tenants.contains(tenant)
    }

    /// Whether it covers an alert of this kind and device, as far as these are concerned.
    #[must_use]
    pub fn covers(&self, kind: &Kind, device: Option<&str>) -> bool {
        let is_of_kind = self.kinds.is_empty() || self.kinds.contains(kind);
        let is_of_device = self.devices.is_empty()
            || device.is_some_and(|device| {
                let mut patterns = self.devices.iter();
                patterns.any(|pattern| matches_pattern(pattern, device))
            });
        is_of_kind && is_of_device
    }

    #[must_use]
    pub fn entries(&self) -> usize {
        self.tenants.len() + self.kinds.len() + self.devices.len()
    }
}

/// Whether a text matches a pattern with `*` and `?`, without regard to case.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let lower = |text: &str| text.trim().to_lowercase().chars().collect::<Vec<_>>();
    let (pattern, text) = (lower(pattern), lower(text));
    // Where the last `*` is, and where the text after it begins.
    let mut star = None;
    let (mut p, mut t) = (0, 0);
    while t < text.len() {
        match (pattern.get(p), star) {
            (Some('*'), _) => {
                star = Some((p, t));
                p += 1;
            }
            (Some(letter), _) if *letter == '?' || text.get(t) == Some(letter) => {
                p += 1;
                t += 1;
            }
            // The `*` matches one letter more.
            (_, Some((star_p, star_t))) => {
                star = Some((star_p, star_t + 1));
                p = star_p + 1;
                t = star_t + 1;
            }
            (_, None) => return false,
        }
    }
    pattern.iter().skip(p).all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_names_of_devices() {
        for (pattern, device, expected) in [
            ("SRV-*", "srv-01", true),
            ("srv-*", " SRV-", true),
            ("srv-*", "wks-01", false),
            ("*-dc?", "berlin-dc1", true),
            ("*-dc?", "berlin-dc10", false),
            ("*dc*", "a-dc-dc-b", true),
            ("*a*b", "aabab", true),
            ("*a*b", "aaba", false),
            ("srv-01", "srv-01", true),
            ("srv-01", "srv-011", false),
            ("*", "anything", true),
            ("Ä*", "äh", true),
        ] {
            assert_eq!(
                matches_pattern(pattern, device),
                expected,
                "{pattern} {device}"
            );
        }
    }

    #[test]
    fn an_alert_must_match_tenant_kind_and_device() {
        let kind = |name| Kind::parse(name).unwrap();
        let tenant = |id| TenantId::parse(id).unwrap();
        let scope = MaintenanceScope {
            tenants: [tenant("acme")].into(),
            kinds: [kind("disk"), kind("cpu")].into(),
            devices: ["srv-*".to_owned()].into(),
        };
        assert!(scope.covers_tenant(&tenant("acme")));
        assert!(!scope.covers_tenant(&tenant("other")));
        assert!(scope.covers(&kind("cpu"), Some("srv-1")));
        assert!(!scope.covers(&kind("memory"), Some("srv-1")));
        assert!(!scope.covers(&kind("cpu"), Some("wks-1")));
        assert!(!scope.covers(&kind("cpu"), None));
        let all = MaintenanceScope::default();
        assert!(all.covers_tenant(&tenant("acme")) && all.covers(&kind("cpu"), None));
    }
}
