//! Sources as the operator sees them.

use aws::secrets::SourceDocument;
use domain::alert::kind::KindInfo;
use domain::monitoring::inactive_source::InactivityRules;
use domain::source::activity::{QuarantinedOfDay, RefusedRequest, SourceActivity, UnknownKind};
use domain::source::authentication::{Authentication, Network};
use domain::source::presets::{
    self, Placeholders, Preset, PresetVersion, SourceFormat, SuccessResponse,
};
use domain::{PartnerId, SourceId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use store::{RegisteredSource, Rejections, Versioned};

use crate::context::Setup;
use crate::sources::change::ChangedSource;

/// A source in a list.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SourceSummary {
    pub(super) id: SourceId,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) partner: Option<PartnerId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) partners: Vec<PartnerId>,
    pub(super) enabled: bool,
    made_at: Timestamp,
    #[serde(flatten)]
    inactivity: InactivityRules,
    version: u64,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct SourcesResponse {
    pub(super) sources: Vec<SourceSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// A source with its document.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SourceResponse {
    #[serde(flatten)]
    pub(super) listed: SourceSummary,
    webhook_url: String,
    kinds_added: Vec<KindInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preset: Option<PresetVersion>,
    authentication: Authentication,
    networks: Vec<Network>,
    format: SourceFormat,
    response: SuccessResponse,
    /// What to do at the vendor. The secret is shown only when it is made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<String>,
    /// A text to paste at the vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    paste: Option<String>,
    /// When each signing secret expires, newest first; `null` for one that does not expire.
    secrets_until: Vec<Option<Timestamp>>,
    /// Whether the document matches the item. If not, a change was interrupted: repeat it.
    complete: bool,
}

/// A source with what is known of its messages.
#[derive(Serialize, JsonSchema)]
pub(crate) struct SourceDetail {
    #[serde(flatten)]
    pub(super) source: SourceResponse,
    pub(super) rejected: Vec<RejectedEventsView>,
    pub(super) activity: Vec<ActivityView>,
}

/// A new source.
#[derive(Serialize, JsonSchema)]
pub(crate) struct NewSourceResponse<'a> {
    #[serde(flatten)]
    pub(super) source: SourceResponse,
    /// Its secret, unless the vendor issues it and it is not known yet.
    pub(super) secret: Option<&'a str>,
}

/// A source with its new secret.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RotatedSourceResponse<'a> {
    #[serde(flatten)]
    pub(super) source: SourceResponse,
    pub(super) secret: &'a str,
    /// How long the secret before is accepted.
    pub(super) old_until: Option<Timestamp>,
    /// The number of secrets that were accepted before and are not any more.
    pub(super) ended_now: usize,
}

/// Events of a partner that the webhook endpoint rejected in the last seven days.
#[derive(Serialize, JsonSchema)]
pub(crate) struct RejectedEventsView {
    partner: PartnerId,
    events: u32,
    since: Timestamp,
    last_at: Timestamp,
    field: String,
    problem: String,
}

/// The last messages of a source for one of its partners, and the counts of the last seven days.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ActivityView {
    partner: PartnerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ping_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_refused: Option<RefusedRequestView>,
    unknown_kinds: Vec<UnknownKind>,
    quarantined: Vec<QuarantinedOfDay>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct RefusedRequestView {
    #[serde(flatten)]
    refused: RefusedRequest,
    /// For people.
    description: &'static str,
}

impl ActivityView {
    pub(super) fn new(partner: &PartnerId, activity: SourceActivity, now: Timestamp) -> Self {
        let activity = activity.at(now);
        let refused = activity.last_refused.map(|refused| RefusedRequestView {
            refused,
            description: refused.reason.describe(),
        });
        Self {
            partner: partner.clone(),
            last_message_at: activity.last_message_at,
            last_ping_at: activity.last_ping_at,
            last_refused: refused,
            unknown_kinds: activity.unknown_kinds,
            quarantined: activity.quarantined,
        }
    }
}

impl RejectedEventsView {
    pub(super) fn new(partner: &PartnerId, rejections: Rejections) -> Self {
        Self {
            partner: partner.clone(),
            events: rejections.events,
            since: rejections.since,
            last_at: rejections.last_at,
            field: rejections.field,
            problem: rejections.problem,
        }
    }
}

impl SourceSummary {
    pub(super) fn new(id: SourceId, source: RegisteredSource, version: u64) -> Self {
        Self {
            id,
            name: source.name,
            partner: source.partner,
            partners: source.partners,
            enabled: source.enabled,
            made_at: source.made_at,
            inactivity: source.inactivity,
            version,
        }
    }
}

impl SourceResponse {
    pub(super) fn of(setup: &Setup, changed: ChangedSource) -> Self {
        Self::new(setup, changed.id, changed.source, Some(changed.document))
    }

    pub(super) fn new(
        setup: &Setup,
        id: SourceId,
        source: Versioned<RegisteredSource>,
        document: Option<SourceDocument>,
    ) -> Self {
        let webhook_url = setup.config.webhook_url.replace("{source}", id.as_str());
        let Versioned { value, version } = source;
        let complete = document.as_ref().is_some_and(|document| {
            (&document.partner, &document.partners, document.enabled)
                == (&value.partner, &value.partners, value.enabled)
        });
        let document = document.unwrap_or_default();
        let preset = document.preset.as_ref();
        let preset = preset.and_then(|preset| presets::get(&preset.name, preset.version));
        let values = Placeholders {
            url: &webhook_url,
            secret: "(the secret)",
        };
        let filled = |preset: &Preset| {
            let steps = preset.steps.iter().map(|step| preset.fill(step, values));
            let paste = preset.paste.as_ref().map(|text| preset.fill(text, values));
            (steps.collect::<Vec<_>>(), paste)
        };
        let (steps, paste) = preset.as_ref().map(filled).unwrap_or_default();
        Self {
            listed: SourceSummary::new(id, value, version),
            webhook_url,
            kinds_added: document.kinds_added,
            preset: document.preset,
            authentication: document.authentication,
            networks: document.networks,
            format: document.format,
            response: document.response,
            steps,
            paste,
            secrets_until: document
                .secrets
                .iter()
                .map(|secret| secret.not_after)
                .collect(),
            complete,
        }
    }
}
