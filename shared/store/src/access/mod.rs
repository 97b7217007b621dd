//! Who may act for which partner: the operator's lists of partners and sources, and links and
//! sessions.
//!
//! All partners and sources share the partition key `OPERATOR`, so that a query lists them without
//! an index. An index would be a moment late and would cost a second write for each change. One
//! partition key takes 1000 writes and 3000 consistent reads a second. Only people on pages read
//! these lists; no alert does.

mod partners;
mod sessions;
mod sources;

pub use partners::PartnerStore;
pub(crate) use partners::partner_sk;
pub use sessions::SessionStore;
pub(crate) use sources::source_sk;
pub use sources::{RegisteredSource, SourceStore};

pub(crate) const OPERATOR: &str = "OPERATOR";
