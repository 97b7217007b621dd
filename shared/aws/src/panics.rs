//! Panics: one line of the log each, whichever task or thread they end, and nothing of them in an answer.
//!
//! A panic's message can hold what the code worked on, such as a key or an address. Only a message that is written out in the code is logged;
//! any other is left out, and the location says where to look.

use std::panic::{AssertUnwindSafe, PanicHookInfo, set_hook};

use futures_util::FutureExt as _;

use crate::metrics::{Metric, count};

/// What a handler that panicked answers. The runtime would answer with the panic's message, which ends in the API's access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the function panicked, its log says where")]
pub struct Panicked;

/// Has every panic logged and counted from now on. It replaces the lines of plain text that Rust writes.
pub fn log_panics() {
    set_hook(Box::new(|panic| {
        log(panic);
        count(Metric::Panics, 1);
    }));
}

/// Runs a handler to its end.
///
/// # Errors
/// When it panicked; by then that is logged.
pub async fn catch<T>(handler: impl Future<Output = T>) -> Result<T, Panicked> {
    let caught = AssertUnwindSafe(handler).catch_unwind().await;
    // The payload is the message.
    caught.map_err(|_| Panicked)
}

fn log(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let written_out = panic.payload().downcast_ref::<&'static str>().copied();
    tracing::error!(
        panic.location = location.unwrap_or_default(),
        panic.message = written_out.unwrap_or("(left out: it may hold a secret)"),
        "function panicked"
    );
}
