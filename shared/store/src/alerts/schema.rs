//! The format of the items.

/// The version of the item format that this code writes.
pub(super) const SCHEMA: u32 = 1;
/// The attributes of a record. Each is set or removed as a whole. Attributes that a newer version
/// added stay.
pub(super) const ATTRIBUTES: [&str; 17] = [
    "key",
    "schema",
    "occurrence",
    "desired",
    "actual",
    "claim",
    "blocked",
    "rechecks",
    "duplicates",
    "payload",
    "folded",
    "summary",
    "trail",
    "raises",
    "figures",
    "outgoing",
    "rev",
];
/// The attributes that list a record in the indexes.
pub(super) const INDEX_ATTRIBUTES: [&str; 6] = [
    "state_of",
    "tenant_since",
    "look_of",
    "look_at",
    "list_of",
    "listed_at",
];
