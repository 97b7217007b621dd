//! The functions as they are built in `main.rs`, over the real emulator and the real simulator.
//!
//! Each test has an account of its own in the emulator and a simulator of its own, so they run side by side. The emulator is
//! started by `cargo xtask test`, which says where it is in `TICKETBRIDGE_TEST_AWS`.

// The SDK's futures nest deeper than the compiler's default allows it to look.
#![recursion_limit = "256"]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test"
)]

mod address_change;
mod aws_fails;
mod blocked;
mod breaker;
mod canary;
mod closing;
mod connectwise_fails;
mod contact;
mod counts;
mod crash_points;
mod door;
mod door_refuses;
mod drift;
mod exactly_once;
mod health_mends;
mod health_tells;
mod health_turns;
mod history;
mod hours;
mod logs;
mod operator;
mod order;
mod other_hands;
mod pipeline;
mod proxy;
mod queue_fails;
mod rebuilding;
mod reconcile_fans_out;
mod reconcile_mends;
mod reconcile_releases;
mod reconcile_turns;
mod recovery;
mod refusals;
mod refused_writes;
mod restore_drill;
mod route_matrix;
mod samples;
mod secrets_and_mail;
mod setup_backfill;
mod setup_boards;
mod setup_check;
mod setup_client;
mod setup_held;
mod setup_items;
mod setup_steps;
mod setup_story;
mod setup_tickets;
mod supply;
mod table;
mod test_tickets;
mod tickets_come_and_go;
mod ticks;
mod too_many;
mod waiting;
mod workers;
mod world;
