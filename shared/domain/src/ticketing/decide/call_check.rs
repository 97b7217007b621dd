//! Whether ConnectWise may be called now: the breaker, and the rights of the API member.

use jiff::Timestamp;

use crate::Blocked;
use crate::connection::breaker;
use crate::connection::view::ConnectionView;
use crate::setup::rights;
use crate::ticketing::decision::Decision;

/// Whether ConnectWise may be called with these rights now. If not, returns the decision to take
/// instead.
pub(super) fn check_call(
    rights: &[&str],
    view: &ConnectionView,
    now: Timestamp,
) -> Result<(), Decision> {
    if rights.is_empty() {
        return Ok(());
    }
    let breaker = &view.breaker;
    if let Some(reason) = breaker.reason() {
        return Err(Decision::Block(reason.clone()));
    }
    let missing = |right: &&&str| breaker.missing_rights.contains(**right);
    if let Some(right) = rights.iter().find(missing) {
        return Err(Decision::Block(Blocked::MissingRight((*right).to_owned())));
    }
    match breaker.pause(now) {
        // A message that waits long is in flight all the time, and all partners share the queue's
        // limit for that.
        Some(until) if breaker::exceeds_queue_wait(until.duration_since(now)) => {
            Err(Decision::Block(Blocked::Throttled))
        }
        Some(until) => Err(Decision::Wait { until }),
        None => Ok(()),
    }
}

/// Whether notes may be written. Without that right, a ticket is closed without its note.
pub(super) fn may_note(view: &ConnectionView) -> bool {
    !view.breaker.missing_rights.contains(rights::TICKETS_ADD)
}
