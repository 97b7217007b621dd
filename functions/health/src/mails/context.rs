//! To whom a mail goes, and the names in it.

use std::collections::BTreeMap;

use domain::setup::contacts::MailKind;
use domain::{EmailAddress, PartnerId, SourceId, TenantId};

/// The recipient of a mail, and the names in it.
#[derive(Debug, Clone)]
pub(crate) struct MailContext<'a> {
    pub(crate) to: EmailAddress,
    /// The choice of the recipient for which it gets the mail.
    pub(crate) kind: MailKind,
    pub(crate) partner: &'a PartnerId,
    pub(crate) partner_name: &'a str,
    /// The names of its tenants.
    pub(crate) tenants: &'a BTreeMap<TenantId, String>,
    /// The names of its sources, as far as the mail needs them.
    pub(crate) sources: &'a BTreeMap<SourceId, String>,
    /// The origin of the set-up page.
    pub(crate) origin: &'a str,
}
