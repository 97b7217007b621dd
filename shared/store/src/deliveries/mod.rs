//! The `deliveries` table: outgoing events on their way to the webhooks of sources.
//!
//! - A delivery is one row: `A#<queue>` with `event#<order>`. A queue has the events of one alert.
//! - `A#<queue>` with `queue` says when the queue is due, and which worker delivers it.
//! - `R#<source>` with `receiver` has the failures of the receiver, and when it is due.
//!
//! Whatever is pending is due at some time: its queue is in the index `due` of its source, and its
//! receiver among all receivers. So a tick finds it, whichever worker died before.

mod due;
mod receiver;
mod rows;

pub use due::QueueLease;
pub(crate) use receiver::receiver_pk;
pub use receiver::{Receiver, ReceiverLease};
pub use rows::{Attempt, Delivery, DeliveryState};
pub(crate) use rows::{queue_of, queue_pk};

use aws_types::SdkConfig;

use crate::table::Table;

/// How long a delivery stays in the table, and a queue after its last use.
pub const DELIVERY_DAYS: i64 = 30;

/// The `deliveries` table.
#[derive(Debug, Clone)]
pub struct Deliveries {
    table: Table,
}

impl Deliveries {
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }
}
