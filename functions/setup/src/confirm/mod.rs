//! The last step: the partner sees what will happen, confirms, and alerts become tickets.

pub(crate) mod handlers;
mod readiness;
mod view;
