//! Shows, replays and discards messages that could not be read.

use std::collections::BTreeMap;

use aws::invocation::Invocation;
use axum::Extension;
use domain::{PartnerId, SourceId};
use serde::Deserialize;
use store::{Actor, PageStart};

use super::replay::replay_part;
use super::view::{
    MessageView, MessagesView, ProgressView, ReplayCounts, render_list, render_one,
    render_progress, replay_path,
};
use crate::auth::session::PartnerSession;
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams};
use crate::http::problem::Problem;
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page::flash::FlashQuery;
use crate::paths::{self, with_query};
use crate::sources::access::{OwnSource, require_manager};
use crate::sources::view::MessageRow;
use crate::step::SetupStep;
use crate::{audit, page, quarantine};

/// Messages on one page.
const SHOWN: usize = 50;

#[derive(Deserialize)]
pub(crate) struct MessagesQuery {
    source: Option<SourceId>,
    from: Option<PageStart>,
    done: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct MessageQuery {
    id: String,
}

#[derive(Deserialize)]
pub(crate) struct MessageForm {
    id: String,
    action: MessageAction,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MessageAction {
    Replay,
    Discard,
}

#[derive(Deserialize)]
pub(crate) struct ReplayQuery {
    source: SourceId,
    after: Option<PageStart>,
    #[serde(default)]
    replayed: usize,
    #[serde(default)]
    left: usize,
}

impl ReplayQuery {
    fn so_far(&self) -> ReplayCounts {
        ReplayCounts {
            replayed: self.replayed,
            left: self.left,
        }
    }
}

pub(crate) async fn list(
    setup: AppState,
    session: PartnerSession,
    QueryParams(query): QueryParams<MessagesQuery>,
) -> Result<PageResponse, Problem> {
    let partner = &session.partner;
    let stored = &setup.table().quarantine;
    let waiting = stored.waiting(partner, query.from.as_ref()).await?;
    let is_wanted = |source: &SourceId| query.source.as_ref().is_none_or(|only| only == source);
    let mut entries = waiting.entries;
    entries.retain(|entry| is_wanted(&entry.value.source));
    let next = match entries.get(SHOWN - 1) {
        Some(last) if entries.len() > SHOWN => PageStart::try_from(last.id.clone()).ok(),
        Some(_) | None => waiting.next,
    };
    entries.truncate(SHOWN);
    let messages: Vec<_> = entries.iter().map(MessageRow::from).collect();
    let view = MessagesView {
        can_manage: session.manages_sources,
        names: names(&setup, &messages).await?,
        source: query.source,
        messages,
        retention_days: stored.retention_days(),
        next,
    };
    let content = render_list(&view)?;
    let (step, flash) = (SetupStep::Sources, FlashQuery::new(query.done));
    Ok(page::step(&session, step, &flash, &view, &content))
}

async fn names(
    setup: &Setup,
    messages: &[MessageRow],
) -> Result<BTreeMap<SourceId, String>, Problem> {
    let mut names = BTreeMap::new();
    for message in messages {
        if !names.contains_key(&message.source) {
            let name = name(setup, &message.source).await?;
            names.insert(message.source.clone(), name);
        }
    }
    Ok(names)
}

async fn name(setup: &Setup, source: &SourceId) -> Result<String, Problem> {
    let read = setup.access().sources.get(source).await?.value;
    Ok(read.map_or_else(|| source.to_string(), |source| source.name))
}

pub(crate) async fn show(
    setup: AppState,
    session: PartnerSession,
    QueryParams(query): QueryParams<MessageQuery>,
) -> Result<PageResponse, Problem> {
    let read = quarantine::read(&setup, &session.partner, &query.id).await?;
    let view = MessageView {
        can_manage: session.manages_sources,
        id: query.id,
        name: name(&setup, &read.source).await?,
        source: read.source,
        received_at: read.received_at,
        field: read.field,
        problem: read.problem,
        text: read.text,
    };
    let content = render_one(&view)?;
    let (step, flash) = (SetupStep::Sources, FlashQuery::default());
    Ok(page::step(&session, step, &flash, &view, &content))
}

/// Replays a message, or discards it.
pub(crate) async fn handle(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<MessageForm>,
) -> Result<ChangeResponse, Problem> {
    require_manager(&session)?;
    let partner = &session.partner;
    let (what, events) = match form.action {
        MessageAction::Replay => {
            let replay = quarantine::replay(&setup, partner, &form.id, &invocation).await?;
            ("message_replayed", replay.events)
        }
        MessageAction::Discard => {
            quarantine::discard(&setup, partner, &form.id, &invocation).await?;
            ("message_discarded", 0)
        }
    };
    let detail = [("message", form.id)];
    record(&setup, partner, what, &detail, &invocation).await;
    let next = format!("{}?done={what}", paths::QUARANTINE);
    Ok(ChangeResponse::next(next).with("events", events))
}

/// The page between two parts of a replay. A reload goes on with the next part.
pub(crate) async fn progress(
    setup: AppState,
    session: PartnerSession,
    QueryParams(query): QueryParams<ReplayQuery>,
) -> Result<PageResponse, Problem> {
    let so_far = query.so_far();
    let after = query
        .after
        .ok_or_else(|| Problem::not_found("There is no such page."))?;
    let stored = &setup.table().quarantine;
    let waiting = stored.waiting(&session.partner, Some(&after)).await?;
    let mut entries = waiting.entries;
    entries.retain(|entry| entry.value.source == query.source);
    let view = ProgressView {
        source: query.source,
        after,
        so_far,
        to_do: entries.len(),
        more_to_do: waiting.next.is_some(),
    };
    let content = render_progress(&view)?;
    let (step, flash) = (SetupStep::Sources, FlashQuery::default());
    Ok(page::step(&session, step, &flash, &view, &content))
}

/// Replays the messages of a source for as long as a request may take.
pub(crate) async fn replay_all(
    setup: AppState,
    session: PartnerSession,
    Extension(invocation): Extension<Invocation>,
    QueryParams(query): QueryParams<ReplayQuery>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let before = query.so_far();
    let own = OwnSource::read_to_change(&setup, &session, query.source).await?;
    let part = replay_part(&setup, partner, &own, query.after.as_ref(), &invocation).await?;
    if part.replayed > 0 || part.events > 0 {
        let detail = [
            ("source", own.id.to_string()),
            ("messages", part.replayed.to_string()),
        ];
        record(&setup, partner, "messages_replayed", &detail, &invocation).await;
    }
    let so_far = ReplayCounts {
        replayed: before.replayed.saturating_add(part.replayed),
        left: before.left.saturating_add(part.left),
    };
    let next = match &part.next {
        Some(after) => replay_path(&own.id, Some((after, so_far)))?,
        None => {
            let done = match so_far.left {
                0 => "messages_replayed",
                _ => "messages_left",
            };
            let source = own.id.as_str();
            with_query(paths::QUARANTINE, &[("source", source), ("done", done)])?
        }
    };
    Ok(ChangeResponse::next(next)
        .with("replayed", so_far.replayed)
        .with("left", so_far.left)
        .with("events", part.events))
}

async fn record(
    setup: &Setup,
    partner: &PartnerId,
    what: &str,
    detail: &[(&str, String)],
    invocation: &Invocation,
) {
    audit::record(setup, partner, (Actor::Partner, what), detail, invocation).await;
}
