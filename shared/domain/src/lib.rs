//! The rules of Ticketbridge: how events become a ticket, when the ticket is closed, what set-up
//! and monitoring decide.
//!
//! The crate does no I/O and reads no clock, environment or randomness: `now`, ids and settings are
//! arguments. Its manifest and `clippy.toml` enforce that.
//!
//! The way of an alert: [`wire::webhook`] parses its events, [`alert::fold`] folds them into its
//! record, [`ticketing::decide`] names the next step, and [`ticketing::write_effect`] records what
//! the step did.

mod digest;
mod email;
#[cfg(test)]
mod fixtures;
mod ids;
mod secret;
pub mod text;
pub mod time;

/// Alerts: events, their record, and blocks.
pub mod alert {
    pub mod blocked;
    pub mod command;
    pub mod event;
    pub mod figures;
    pub mod flapping;
    pub mod fold;
    pub mod folded_events;
    pub mod forecast;
    pub mod key;
    pub mod kind;
    pub mod op;
    pub mod record;
    pub mod release;
    pub mod resolution;
    pub mod similar;
    pub mod source_answer;
    pub mod state;
    pub mod storm;
    pub mod storm_ticket;
    pub mod summary;
    pub mod test_alert;
    pub mod ticket_end;
    pub mod trail;
}

/// Tickets: the decision about the next step, its effect, and tickets that are found.
pub mod ticketing {
    pub mod adopt;
    pub mod alert_request;
    pub mod claimed_write;
    pub mod decide;
    pub mod decision;
    pub mod found_ticket;
    pub mod lookup;
    pub mod manual_change;
    pub mod note_mark;
    pub mod prior_tickets;
    pub mod reaction;
    pub mod refused_writes;
    pub mod ticket_activity;
    pub mod ticket_index;
    pub mod ticket_text;
    pub mod ticket_write;
    pub mod worker_step;
    pub mod write_effect;
}

/// Closing without an event: snapshots, expiry, and the guard against mass closing.
pub mod closing {
    pub mod alert_set;
    pub mod census;
    pub mod census_entry;
    pub mod guard;
    pub mod proposal;
    pub mod resolution_plan;
    pub mod snapshot;
    pub mod snapshot_part;
    pub mod ticket_comparison;
}

/// A partner's connection to ConnectWise.
pub mod connection {
    pub mod breaker;
    pub mod callbacks;
    pub mod view;
}

/// Maintenance windows: while one applies, an alert waits and makes no ticket.
pub mod maintenance {
    pub mod recurrence;
    pub mod scope;
    pub mod window;
    pub mod windows;
    pub mod zone;
}

/// What a partner and the operator configure.
pub mod setup {
    pub mod access;
    pub mod assignment;
    pub mod board_issue;
    pub mod board_name;
    pub mod board_targets;
    pub mod choices;
    pub mod company_index;
    pub mod company_name;
    pub mod contacts;
    pub mod custom_fields;
    pub mod dedicated_board;
    pub mod found_board;
    pub mod mapping;
    pub mod rights;
    pub mod same_connectwise;
    pub mod settings;
    pub mod source_keys;
    pub mod status_action;
    pub mod tenant_changes;
    pub mod ticket_links;
    pub mod type_hierarchy;
}

/// Sources: how they authenticate, and how what they post becomes events.
pub mod source {
    pub mod activity;
    pub mod authentication;
    pub mod mapping;
    pub mod presets;
}

/// Outgoing webhooks: what a source is notified of, and how often a delivery is tried.
pub mod outgoing {
    pub mod alert_status;
    pub mod block_reason;
    pub mod cloud_event;
    pub mod events;
    pub mod format;
    pub mod request;
    pub mod retry;
    pub mod scope;
}

/// Incidents of partners and of Ticketbridge itself, and their notifications.
pub mod monitoring {
    pub mod consequence;
    pub mod figures;
    pub mod health;
    pub mod inactive_source;
    pub mod inactive_tenant;
    pub mod issue;
    pub mod pipeline;
    pub mod requirements;
    pub mod source_alert;
    pub mod waiting;
    pub mod weekly_report;
}

/// What comes in by webhook, and what the queue carries.
pub mod wire {
    pub mod invalid_field;
    pub mod message;
    pub(crate) mod particulars;
    pub mod problem;
    pub mod tenant_list;
    pub mod transport;
    pub mod webhook;
}

pub use alert::blocked::{Blocked, TicketTarget};
pub use alert::key::{AlertKey, TicketRef};
pub use email::{EmailAddress, InvalidAddress};
pub use ids::{
    AlertId, ClaimId, EventId, InvalidId, Kind, PartnerId, RecordId, SnapshotId, SourceId,
    TenantId, WindowId,
};
pub use secret::Secret;
pub use setup::source_keys::SourceKeys;
pub use ticketing::reaction::Reaction;
