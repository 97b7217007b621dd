//! A lease: the right to work on an item alone until a time. It is stored in the item itself, as the
//! attributes `lease_id` and `lease_until`.
//!
//! Taking, using and releasing a lease are each one conditional write, so a crash leaves nothing to
//! undo. If the holder dies, the lease expires at its end and the next worker takes it. If the
//! holder is only slow and its lease has expired, its next write is conditional on [`IS_HELD`]: that
//! write fails once another worker has taken the lease. A lease is never extended.
//!
//! The SDK repeats a request whose answer was lost. A repeated attempt to take a lease finds it
//! taken and is refused, so the lease stays unused until its end.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use jiff::Timestamp;

use crate::table::{string, time};

/// Condition: no other worker holds the lease. Needs [`Lease::bind_take`].
pub(crate) const IS_FREE: &str = "(attribute_not_exists(lease_until) OR lease_until <= :now)";
/// Condition: this worker holds the lease. Needs [`Lease::bind`]. It compares the end as well as the
/// id, because Lambda may run one request twice, and then both runs have the same id.
pub(crate) const IS_HELD: &str = "lease_id = :lease_id AND lease_until = :lease_until";
/// What a `SET` clause takes the lease with. Needs [`Lease::bind_take`].
pub(crate) const SET: &str = "lease_id = :lease_id, lease_until = :lease_until";
/// What a `REMOVE` clause releases the lease with.
pub(crate) const REMOVE: &str = "lease_id, lease_until";

/// A lease that was taken.
#[derive(Debug, Clone)]
pub struct Lease {
    id: String,
    until: Timestamp,
}

impl Lease {
    /// The `id` names the worker, such as the id of its invocation.
    pub(crate) fn new(id: &str, until: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            until,
        }
    }

    /// Binds the values of [`SET`] and [`IS_FREE`].
    pub(crate) fn bind_take(
        &self,
        call: UpdateItemFluentBuilder,
        now: Timestamp,
    ) -> UpdateItemFluentBuilder {
        self.bind(call)
            .expression_attribute_values(":now", time(now))
    }

    /// Binds the values of [`IS_HELD`].
    pub(crate) fn bind(&self, call: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        call.expression_attribute_values(":lease_id", string(&self.id))
            .expression_attribute_values(":lease_until", time(self.until))
    }
}
