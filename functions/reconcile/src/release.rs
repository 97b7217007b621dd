//! Whether what held an alert up is gone.

use domain::Blocked;
use domain::settings::ConnectionView;
use store::Listed;

/// Whether a blocked alert may be decided again. A yes too many costs a message, and the alert is blocked again with what holds it up
/// now; a no too many leaves it where it is until its next event.
pub(crate) fn released(listed: &Listed, view: &ConnectionView) -> bool {
    let connection = view.connection.as_ref();
    let mapping = view.mapping.as_ref();
    match listed.blocked.reason {
        Blocked::NotSetUp => connection.is_some(),
        Blocked::Unmapped => mapping.is_some_and(|mapping| mapping.company.is_some()),
        Blocked::TenantDisabled => mapping.is_some_and(|mapping| mapping.enabled),
        Blocked::KindDisabled => connection.is_some_and(|connection| {
            let about = listed.wanted.about.as_ref();
            about.is_none_or(|about| !connection.settings.kinds_off.contains(&about.kind))
        }),
        Blocked::ConnectionBroken
        | Blocked::ConnectionUnavailable
        | Blocked::MissingRight(_)
        | Blocked::TargetGone(_)
        | Blocked::OtherSite
        | Blocked::Rejected(_)
        | Blocked::OlderThanBackfill => false,
    }
}
