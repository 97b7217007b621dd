//! Logs each panic of any task or thread as one line, and keeps its message out of responses.
//!
//! A panic's message can hold data such as a key or an address. Only a message that is a literal in
//! the code is logged. Any other is left out, and the location says where to look.

use std::panic::{AssertUnwindSafe, PanicHookInfo, set_hook};

use futures_util::FutureExt as _;

use crate::metrics::{Metric, count};

/// The error of a handler that panicked. The runtime's own response would hold the panic's message,
/// which would end up in the API's access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the function panicked; its log says where")]
pub struct HandlerPanic;

/// Logs and counts every panic from now on, in place of the plain text that Rust writes.
pub fn log_panics() {
    set_hook(Box::new(|panic| {
        log(panic);
        count(Metric::Panics, 1);
    }));
}

/// Runs a handler to its end.
///
/// # Errors
/// When the handler panicked. The panic is logged by then.
pub async fn catch<T>(handler: impl Future<Output = T>) -> Result<T, HandlerPanic> {
    let caught = AssertUnwindSafe(handler).catch_unwind().await;
    // The payload is the panic's message, and is dropped.
    caught.map_err(|_| HandlerPanic)
}

fn log(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let literal = panic.payload().downcast_ref::<&'static str>().copied();
    tracing::error!(
        panic.location = location.unwrap_or_default(),
        panic.message = literal.unwrap_or("(left out: it may hold a secret)"),
        "function panicked"
    );
}
