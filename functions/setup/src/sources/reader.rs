//! Reads the sources of a partner, with what could not be read of each.

use std::collections::BTreeMap;

use aws::invocation::Invocation;
use aws::secrets::SourceDocument;
use domain::alert::kind::KindInfo;
use domain::source::activity::SourceActivity;
use domain::source::authentication::Authentication;
use domain::source::presets::{self, Preset, SourceFormat};
use domain::{PartnerId, SourceId};
use futures_util::future::try_join_all;
use jiff::Timestamp;
use store::{ListEntry, QuarantinedMessage, Rejections, WaitingMessages};

use crate::auth::session::PartnerSession;
use crate::context::Setup;
use crate::http::problem::Problem;
use crate::sources::access::OwnSource;
use crate::sources::format::DEFAULT_USER;
use crate::sources::inactivity_view::{
    InactiveSourceView, InactiveTenantsView, inactive_sources, inactive_tenants,
};
use crate::sources::view::list::SourcesView;
use crate::sources::view::source_model::SourceView;
use crate::sources::view::{FormatName, MessageRow, SourceRow};

/// Messages on the page of one source.
const SHOWN: usize = 10;

/// What is known about the messages of a partner's sources.
struct SourceMessages {
    rejected: BTreeMap<SourceId, Rejections>,
    waiting: WaitingMessages,
    activity: BTreeMap<SourceId, SourceActivity>,
    now: Timestamp,
}

impl SourceMessages {
    async fn read(
        setup: &Setup,
        partner: &PartnerId,
        invocation: &Invocation,
    ) -> Result<Self, Problem> {
        let (table, now) = (setup.table(), invocation.now());
        let (rejected, waiting, activity) = tokio::join!(
            table.rejected.get_all(partner, now),
            table.quarantine.waiting(partner, None),
            table.source_activity.get_all(partner),
        );
        let activity = activity?.into_iter();
        Ok(Self {
            rejected: rejected?,
            waiting: waiting?,
            activity: activity.map(|(id, of)| (id, of.at(now))).collect(),
            now,
        })
    }

    fn of<'a>(
        &'a self,
        source: &'a SourceId,
    ) -> impl Iterator<Item = &'a ListEntry<String, QuarantinedMessage>> {
        let entries = self.waiting.entries.iter();
        entries.filter(move |entry| entry.value.source == *source)
    }

    fn row(&self, own: &OwnSource) -> SourceRow {
        let rejected = self.rejected.get(&own.id);
        let activity = self.activity.get(&own.id);
        let days = activity.map_or(&[][..], |activity| activity.quarantined.as_slice());
        let source = &own.source.value;
        SourceRow {
            id: own.id.clone(),
            name: source.name.clone(),
            enabled: source.enabled,
            shared: own.is_shared(),
            format: match own.document.format {
                SourceFormat::CloudEvents => FormatName::CloudEvents,
                SourceFormat::Mapped(_) => FormatName::Mapped,
                SourceFormat::Unmapped => FormatName::Unmapped,
            },
            preset: preset_of(&own.document).map(|preset| preset.title),
            last_message_at: activity.and_then(|activity| activity.last_message_at),
            rejected: rejected.map_or(0, |rejected| rejected.events),
            quarantined: days.iter().map(|day| day.alerts).sum(),
            needs_secret: own.document.valid_secrets(self.now).next().is_none(),
        }
    }
}

pub(super) async fn read_list(
    setup: &Setup,
    session: &PartnerSession,
    invocation: &Invocation,
) -> Result<SourcesView, Problem> {
    let partner = &session.partner;
    let (known, messages) = tokio::join!(
        setup.access().partner_sources.get_all(partner),
        SourceMessages::read(setup, partner, invocation),
    );
    let (known, messages) = (known?, messages?);
    let read = known.into_keys().map(async |id| {
        match OwnSource::read(setup, partner, id).await {
            // It was taken away meanwhile.
            Err(problem) if problem.status == axum::http::StatusCode::NOT_FOUND => Ok(None),
            read => read.map(Some),
        }
    });
    let sources = try_join_all(read).await?;
    let sources = sources.iter().flatten();
    Ok(SourcesView {
        can_manage: session.manages_sources,
        waiting: messages.waiting.entries.len(),
        more_waiting: messages.waiting.next.is_some(),
        sources: sources.map(|own| messages.row(own)).collect(),
    })
}

/// One source, with its secret if that was made just now.
pub(super) async fn read_one(
    setup: &Setup,
    session: &PartnerSession,
    own: OwnSource,
    secret: Option<String>,
    invocation: &Invocation,
) -> Result<SourceView, Problem> {
    let (partner, table) = (&session.partner, setup.table());
    let (of_sources, settings, health, mappings) = tokio::join!(
        SourceMessages::read(setup, partner, invocation),
        table.settings.get(partner),
        table.health.get(partner),
        table.tenants.get_all(partner),
    );
    let (mut of_sources, settings) = (of_sources?, settings?.value);
    let (health, mappings) = (health?.value, mappings?);
    let lacks_type = |info: &&KindInfo| {
        let board = settings.as_ref().map(|of| of.board(info.category));
        board.is_some_and(|board| !board.types.contains_key(&info.kind))
    };
    let kinds = own.document.kinds_added.iter();
    let missing_types = kinds.filter(lacks_type).map(|info| info.type_name.clone());
    let missing_types = missing_types.collect();
    let messages = of_sources.of(&own.id).take(SHOWN).map(MessageRow::from);
    let messages = messages.collect();
    let row = of_sources.row(&own);
    let preset = preset_of(&own.document);
    let newest = preset.as_ref().and_then(|of| presets::latest(&of.name));
    let newer = newest.map(|newest| newest.version);
    let newer = newer.filter(|newer| Some(*newer) > preset.as_ref().map(|of| of.version));
    let address = setup
        .config
        .webhook_url
        .replace("{source}", own.id.as_str());
    let is_changeable = session.manages_sources && !own.is_shared();
    let user = user_of(&own.document);
    let mut view = SourceView::new(
        row,
        &address,
        own.document.authentication,
        preset.as_ref(),
        secret,
    );
    view.can_manage = is_changeable;
    view.user = user;
    view.version = own.source.version;
    view.messages = messages;
    view.newer_preset = newer;
    if let Some(activity) = of_sources.activity.remove(&view.listed.id) {
        view.last_refused = activity.last_refused;
        view.unknown_kinds = activity.unknown_kinds;
    }
    view.missing_types = missing_types;
    view.inactivity = own.source.value.inactivity;
    let (source, name) = (&view.listed.id, &view.listed.name);
    let since = inactive_sources(&health).remove(source);
    view.inactive = since.map(|since| InactiveSourceView {
        source: source.clone(),
        name: name.clone(),
        since,
    });
    let tenants = inactive_tenants(&health, &mappings, usize::MAX)?.remove(source);
    view.inactive_tenants = tenants.map(|tenants| InactiveTenantsView {
        name: name.clone(),
        ..tenants
    });
    Ok(view)
}

/// The user of the present secret, if the source proves itself by user and password. It is no
/// secret.
fn user_of(document: &SourceDocument) -> Option<String> {
    if document.authentication != Authentication::Basic {
        return None;
    }
    let secret = document.secrets.first();
    let user = secret.and_then(|secret| secret.value.expose().split_once(':'));
    Some(user.map_or(DEFAULT_USER, |(user, _)| user).to_owned())
}

/// The version of the preset that the source uses.
pub(super) fn preset_of(document: &SourceDocument) -> Option<Preset> {
    let preset = document.preset.as_ref()?;
    presets::get(&preset.name, preset.version)
}
