//! The kinds of alert: which board they go to, and the ticket type that they become.

use serde::{Deserialize, Serialize};

use crate::Kind;

/// Which of the two boards a kind goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Things that an RMM sees: they come and go, and close by themselves.
    Operations,
    /// Things that somebody has to look into.
    CyberAlerts,
}

/// A kind and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KindInfo {
    /// The kind as events name it.
    pub kind: Kind,
    /// The board that it goes to.
    pub role: Role,
    /// The ticket type's name in ConnectWise.
    pub type_name: String,
}

/// The built-in kinds with exactly the names of their ticket types.
pub const BUILT_IN: [(&str, Role, &str); 12] = [
    ("cpu", Role::Operations, "CPU"),
    ("memory", Role::Operations, "Memory"),
    ("disk", Role::Operations, "Disk"),
    ("dns_poisoning", Role::Operations, "DNS Poisoning"),
    ("firewall", Role::Operations, "Firewall"),
    ("microsoft_updates", Role::Operations, "Microsoft Updates"),
    (
        "next_gen_antivirus_notification",
        Role::Operations,
        "Next-Gen Antivirus",
    ),
    (
        "privileged_access_management",
        Role::CyberAlerts,
        "Privileged Access Management",
    ),
    (
        "ransomware_encryption",
        Role::CyberAlerts,
        "Ransomware Encryption",
    ),
    (
        "next_gen_antivirus",
        Role::CyberAlerts,
        "Next-Gen Antivirus",
    ),
    ("vector_n_detection", Role::CyberAlerts, "VectorN Detection"),
    ("zero_trust", Role::CyberAlerts, "Zero-Trust"),
];

/// The board that a kind goes to, if it is built in or among `added`.
#[must_use]
pub fn role_of(kind: &Kind, added: &[KindInfo]) -> Option<Role> {
    let built_in = BUILT_IN
        .iter()
        .find(|(name, ..)| *name == kind.as_str())
        .map(|(_, role, _)| *role);
    built_in.or_else(|| {
        added
            .iter()
            .find(|info| info.kind == *kind)
            .map(|info| info.role)
    })
}
/// The built-in kinds and those that sources add, each once.
#[must_use]
pub fn with_added(added: &[KindInfo]) -> Vec<KindInfo> {
    let built_in = BUILT_IN.iter().filter_map(|(kind, role, type_name)| {
        Some(KindInfo {
            kind: Kind::parse(*kind).ok()?,
            role: *role,
            type_name: (*type_name).to_owned(),
        })
    });
    let mut kinds: Vec<KindInfo> = built_in.collect();
    for info in added {
        if kinds.iter().all(|known| known.kind != info.kind) {
            kinds.push(info.clone());
        }
    }
    kinds
}
