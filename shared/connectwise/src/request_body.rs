//! The parts of request bodies that both writers send.

use domain::RecordId;
use serde::Serialize;

/// A reference to another record.
#[derive(Serialize)]
pub(crate) struct RecordRef {
    pub(crate) id: RecordId,
}

/// One operation of a PATCH.
///
/// ConnectWise's guide: the path is a bare name, and a reference is replaced whole. `status/id` may
/// be answered with 200 and change nothing.
#[derive(Serialize)]
pub(crate) struct ReplaceOp<V> {
    op: &'static str,
    path: &'static str,
    value: V,
}

impl<V> ReplaceOp<V> {
    pub(crate) fn new(path: &'static str, value: V) -> Self {
        Self {
            op: "replace",
            path,
            value,
        }
    }
}
