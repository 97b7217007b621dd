//! The functions, built as in their `main.rs`, against the emulator and the simulator.
//!
//! Each test has an account of its own in the emulator and a simulator of its own, so that tests run
//! concurrently. `cargo xtask test` starts the emulator and sets `TICKETBRIDGE_TEST_AWS` to its address.

// The SDK's futures nest deeper than the compiler's default recursion limit.
#![recursion_limit = "256"]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test"
)]

mod environment;
mod proxy;

mod deliveries {
    mod actions;
    mod alertmanager;
    mod crash_points;
    pub(crate) mod delivery;
    pub(crate) mod outages;
}

mod health {
    pub(crate) mod inactive_sources;
    pub(crate) mod inactive_tenants;
    pub(crate) mod inactive_tickets;
    mod incident_test;
    pub(crate) mod notifications;
    pub(crate) mod probes;
    pub(crate) mod quarantined_messages;
    pub(crate) mod refused_partners;
    pub(crate) mod runs;
    pub(crate) mod source_test;
    mod waiting_alerts;
    mod weekly_report;
}

mod ingest {
    pub(crate) mod accept;
    pub(crate) mod presets;
    pub(crate) mod queue_failures;
    pub(crate) mod refuse;
    pub(crate) mod samples;
    pub(crate) mod source_activity;
}

mod monitoring {
    pub(crate) mod logs;
    pub(crate) mod metrics;
    pub(crate) mod pipeline;
}

mod operator {
    pub(crate) mod api;
    mod configuration;
    mod deletion;
    mod reads;
}

mod reconcile {
    mod callbacks;
    pub(crate) mod changed_keys;
    pub(crate) mod closing;
    pub(crate) mod drift;
    mod dying_runs;
    pub(crate) mod fan_out;
    mod flapping;
    pub(crate) mod held_closings;
    pub(crate) mod leases;
    pub(crate) mod maintenance;
    mod maintenance_crashes;
    pub(crate) mod rebuild;
    pub(crate) mod release;
    pub(crate) mod restore_drill;
    pub(crate) mod retention;
    mod storm_crashes;
    mod storms;
    mod title_notes;
}

mod security {
    pub(crate) mod dependencies;
    pub(crate) mod leak_search;
    pub(crate) mod secret_leaks;
    pub(crate) mod secrets_and_mail;
}

mod setup {
    pub(crate) mod activity;
    pub(crate) mod address_change;
    mod alert_status;
    pub(crate) mod approve_closings;
    mod assignment;
    pub(crate) mod audit;
    pub(crate) mod boards;
    pub(crate) mod connection;
    pub(crate) mod connection_check;
    pub(crate) mod contacts;
    mod custom_fields;
    pub(crate) mod existing_tickets;
    pub(crate) mod journey;
    mod overview;
    pub(crate) mod route_matrix;
    mod source_authentication;
    pub(crate) mod sources;
    pub(crate) mod stored_items;
    pub(crate) mod stored_sessions;
    pub(crate) mod tenants;
    pub(crate) mod tenants_ahead;
    pub(crate) mod tenants_in_bulk;
    pub(crate) mod test_ticket;
    pub(crate) mod ticket_choices;
    mod timelines;
    mod typed_forms;
}

mod tickets {
    mod assignment;
    pub(crate) mod aws_failures;
    pub(crate) mod back_off;
    pub(crate) mod blocked;
    pub(crate) mod breaker;
    mod calls_of_an_alert;
    pub(crate) mod concurrent_workers;
    pub(crate) mod connectwise_failures;
    pub(crate) mod crash_points;
    pub(crate) mod crash_run;
    pub(crate) mod crash_scenario;
    mod custom_fields;
    pub(crate) mod event_order;
    pub(crate) mod exactly_once;
    pub(crate) mod lifecycle;
    mod links;
    pub(crate) mod manual_changes;
    pub(crate) mod optimistic_writes;
    pub(crate) mod recovery;
    pub(crate) mod recurrence;
    pub(crate) mod refused_writes;
    pub(crate) mod site_changes;
    pub(crate) mod technician_changes;
}
