//! What the page of one source shows.

use domain::monitoring::inactive_source::InactivityRules;
use domain::source::activity::{RefusedRequest, UnknownKind};
use domain::source::authentication::Authentication;
use domain::source::presets::Preset;
use serde::Serialize;

use super::vendor::VendorSteps;
use super::{MessageRow, SourceRow};
use crate::sources::inactivity_view::{InactiveSourceView, InactiveTenantsView};

#[derive(Serialize)]
pub(crate) struct SourceView {
    #[serde(flatten)]
    pub(crate) listed: SourceRow,
    pub(crate) can_manage: bool,
    pub(crate) version: u64,
    pub(super) authentication: Authentication,
    /// Whether the vendor issues the secret.
    pub(super) has_vendor_secret: bool,
    #[serde(flatten)]
    pub(super) vendor: VendorSteps,
    /// The user of Basic authentication.
    pub(crate) user: Option<String>,
    #[serde(skip)]
    pub(super) has_preset: bool,
    /// Only in the response that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
    pub(crate) messages: Vec<MessageRow>,
    /// A newer version of its preset.
    pub(crate) newer_preset: Option<u32>,
    /// Ticket types of its kinds that the partner's boards lack.
    pub(crate) missing_types: Vec<String>,
    pub(crate) last_refused: Option<RefusedRequest>,
    /// Texts of the last seven days that are no known kind.
    pub(crate) unknown_kinds: Vec<UnknownKind>,
    pub(crate) inactivity: InactivityRules,
    /// Whether it has been quiet for too long.
    pub(crate) inactive: Option<InactiveSourceView>,
    /// The tenants for which it has been quiet for too long.
    pub(crate) inactive_tenants: Option<InactiveTenantsView>,
}

impl SourceView {
    pub(crate) fn new(
        listed: SourceRow,
        address: &str,
        authentication: Authentication,
        preset: Option<&Preset>,
        secret: Option<String>,
    ) -> Self {
        Self {
            can_manage: false,
            version: 0,
            has_vendor_secret: preset.is_some_and(|preset| preset.has_vendor_secret),
            vendor: VendorSteps::new(address, &authentication, preset, secret.as_deref()),
            user: None,
            has_preset: preset.is_some(),
            authentication,
            secret,
            messages: vec![],
            newer_preset: None,
            missing_types: vec![],
            last_refused: None,
            unknown_kinds: vec![],
            inactivity: InactivityRules::default(),
            inactive: None,
            inactive_tenants: None,
            listed,
        }
    }
}
