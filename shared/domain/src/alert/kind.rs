//! The kinds of alerts, their boards and their ticket types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Kind;

/// Which of the two boards a kind of alert belongs to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Conditions that an RMM watches. They come and go, and their tickets are closed
    /// automatically.
    Operations,
    /// Security findings, which a person has to investigate.
    CyberAlerts,
}

/// A kind of alert, with its category and ticket type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KindInfo {
    pub kind: Kind,
    pub category: Category,
    pub type_name: String,
}

/// The built-in kinds, with the exact names of their ticket types.
pub const BUILT_IN: [(&str, Category, &str); 12] = [
    ("cpu", Category::Operations, "CPU"),
    ("memory", Category::Operations, "Memory"),
    ("disk", Category::Operations, "Disk"),
    ("dns_poisoning", Category::Operations, "DNS Poisoning"),
    ("firewall", Category::Operations, "Firewall"),
    (
        "microsoft_updates",
        Category::Operations,
        "Microsoft Updates",
    ),
    (
        "next_gen_antivirus_notification",
        Category::Operations,
        "Next-Gen Antivirus",
    ),
    (
        "privileged_access_management",
        Category::CyberAlerts,
        "Privileged Access Management",
    ),
    (
        "ransomware_encryption",
        Category::CyberAlerts,
        "Ransomware Encryption",
    ),
    (
        "next_gen_antivirus",
        Category::CyberAlerts,
        "Next-Gen Antivirus",
    ),
    (
        "vector_n_detection",
        Category::CyberAlerts,
        "VectorN Detection",
    ),
    ("zero_trust", Category::CyberAlerts, "Zero-Trust"),
];

/// Returns the category of a kind that is built in or in `added`.
#[must_use]
pub fn category_of(kind: &Kind, added: &[KindInfo]) -> Option<Category> {
    let built_in = BUILT_IN
        .iter()
        .find(|(name, ..)| *name == kind.as_str())
        .map(|(_, category, _)| *category);
    built_in.or_else(|| {
        added
            .iter()
            .find(|info| info.kind == *kind)
            .map(|info| info.category)
    })
}

/// Returns the built-in kinds and the added ones, each once.
#[must_use]
pub fn with_added(added: &[KindInfo]) -> Vec<KindInfo> {
    let built_in = BUILT_IN.iter().filter_map(|(kind, category, type_name)| {
        Some(KindInfo {
            kind: Kind::parse(*kind).ok()?,
            category: *category,
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
