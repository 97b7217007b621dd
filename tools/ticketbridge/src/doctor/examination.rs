//! The input of all checks, and how a check of several items runs.

use futures_util::future::join_all;
use jiff::Timestamp;

use super::finding::Finding;
use super::stack::StackDescription;
use crate::target::TargetStack;

/// The stack, and when it is examined.
pub(super) struct Examination<'a> {
    pub(super) target: &'a TargetStack,
    pub(super) stack: &'a StackDescription,
    pub(super) now: Timestamp,
}

/// Runs the check of each item at once.
pub(super) async fn each<T>(items: &[T], check: impl AsyncFn(&T) -> Vec<Finding>) -> Vec<Finding> {
    join_all(items.iter().map(|item| check(item)))
        .await
        .concat()
}
