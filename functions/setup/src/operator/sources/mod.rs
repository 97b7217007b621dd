//! Sources, for the operator: which partners each may post for, its format and its secrets.

pub(super) mod handlers;
pub(super) mod presets;
pub(super) mod preview;
pub(super) mod request;
pub(super) mod response;
