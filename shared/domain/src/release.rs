//! Whether what blocks an alert still holds. Level-triggered: asked again and again, it needs no event to tell that something
//! was mended.

use crate::record::About;
use crate::settings::ConnectionView;
use crate::{Blocked, Target};

/// What stands between a blocked alert and going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Nothing any more: decide again.
    No,
    /// What it waits for has not happened.
    Yes,
    /// ConnectWise has to be asked whether this is usable again.
    ByTarget(Target),
}

/// What holds a blocked alert. `about` is what the record says of it.
#[must_use]
pub fn held(blocked: &Blocked, about: Option<&About>, view: &ConnectionView) -> Held {
    let waits = |still: bool| if still { Held::Yes } else { Held::No };
    let connection = view.connection.as_ref();
    // Whatever else: nothing can go on over a connection that is broken.
    if connection.is_none() || view.breaker.open.is_some() {
        return Held::Yes;
    }
    let is_off = |about: &About| {
        connection.is_some_and(|connection| connection.settings.kinds_off.contains(&about.kind))
    };
    let mapping = view.mapping.as_ref();
    let company = mapping.and_then(|mapping| mapping.company);
    match blocked {
        Blocked::NotSetUp | Blocked::ConnectionBroken | Blocked::ConnectionUnavailable => Held::No,
        Blocked::Unmapped => waits(company.is_none()),
        Blocked::TenantDisabled => {
            waits(company.is_none() || !mapping.is_some_and(|mapping| mapping.enabled))
        }
        Blocked::KindDisabled => waits(about.is_some_and(is_off)),
        Blocked::MissingRight(right) => waits(view.breaker.missing_rights.contains(right)),
        Blocked::TargetGone(target) => Held::ByTarget(*target),
        // Tickets of another ConnectWise are out of reach; the other two are a person's decision.
        Blocked::OtherSite | Blocked::Rejected(_) | Blocked::OlderThanBackfill => Held::Yes,
    }
}
