//! Sources: who may post, for whom, what kinds beside the built-in ones, and what they sign with.
//!
//! What holds at the door is a source's document in Secrets Manager; the list item in the table is what the operator wants of it, and the
//! lock over the document, which has none of its own: whoever changes it takes the item until the end of the invocation, then reads and
//! writes the document, then gives the item back. If the process dies between, the item is ahead of the document, which `complete` tells,
//! and free again half a minute later; each command writes the whole document, so any one that is repeated makes up for it.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use aws::secrets::{SigningSecret, SourceDocument};
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use domain::kind::{BUILT_IN, Category, KindInfo};
use domain::{Kind, PartnerId, Secret, SourceId};
use futures_util::future::{join_all, try_join_all};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Actor, PartnerSource, RegisteredSource, Rejections, SaveOutcome, Versioned};

use super::{PartRequest, line, name};
use crate::answer::{Problem, json_answer};
use crate::input::{InPath, Input, QueryParams, id};
use crate::{Setup, State, random};

/// How long the secret before holds beside a new one.
const OVERLAP: SignedDuration = SignedDuration::from_hours(24);
/// So many signing secrets hold at most.
const LIVE: usize = 2;
/// The document has to fit into 64 KiB.
const MOST_PARTNERS: usize = 500;
const MOST_KINDS: usize = 50;
/// ConnectWise's longest name of a ticket type.
const LONGEST_TYPE: usize = 50;

/// A source as the operator's list has it.
#[derive(Serialize)]
struct Listed {
    id: SourceId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner: Option<PartnerId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    partners: Vec<PartnerId>,
    enabled: bool,
    made_at: Timestamp,
    /// The version to save a change of it with.
    version: u64,
}

/// And with what the door has of it.
#[derive(Serialize)]
struct Body {
    #[serde(flatten)]
    listed: Listed,
    webhook_url: String,
    kinds_added: Vec<KindInfo>,
    /// When each of its signing secrets ends, the newest first; `null` for one without an end.
    secrets_until: Vec<Option<Timestamp>>,
    /// Whether the door has what the list says. Where not, a change was cut off: make it again.
    complete: bool,
}

/// Events of a partner that the webhook endpoint rejected in the last seven days.
#[derive(Serialize)]
struct RejectedView {
    partner: PartnerId,
    events: u32,
    since: Timestamp,
    last_at: Timestamp,
    field: String,
    problem: String,
}

impl RejectedView {
    fn of(partner: &PartnerId, rejections: Rejections) -> Self {
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

impl Listed {
    fn of(id: SourceId, source: RegisteredSource, version: u64) -> Self {
        Self {
            id,
            name: source.name,
            partner: source.partner,
            partners: source.partners,
            enabled: source.enabled,
            made_at: source.made_at,
            version,
        }
    }
}

impl Body {
    fn of(
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
        let (kinds_added, secrets) = document
            .map(|document| (document.kinds_added, document.secrets))
            .unwrap_or_default();
        Self {
            listed: Listed::of(id, value, version),
            webhook_url,
            kinds_added,
            secrets_until: secrets.iter().map(|secret| secret.not_after).collect(),
            complete,
        }
    }
}

pub(super) async fn list(
    setup: State,
    QueryParams(asked): QueryParams<PartRequest>,
) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Sources {
        sources: Vec<Listed>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }

    let (from, limit) = asked.read()?;
    let page = setup.access().sources.page(from.as_ref(), limit).await?;
    let entries = page.entries.into_iter();
    let sources = entries.map(|entry| Listed::of(entry.id, entry.value, entry.version));
    let answer = Sources {
        sources: sources.collect(),
        next: page.next.map(String::from),
    };
    Ok(json_answer(StatusCode::OK, &answer))
}

pub(super) async fn get(
    setup: State,
    Extension(invocation): Extension<Invocation>,
    InPath(source): InPath,
) -> Result<Response, Problem> {
    let (id, source) = existing(&setup, source).await?;
    let document = document(&setup, &id).await?;
    let (table, now) = (setup.table(), invocation.now());
    let mut rejected = vec![];
    for partner in source.value.partner.iter().chain(&source.value.partners) {
        let mut of_partner = table.rejected.get_all(partner, now).await?;
        let of_source = of_partner.remove(&id);
        rejected.extend(of_source.map(|rejections| RejectedView::of(partner, rejections)));
    }
    let mut body = serde_json::json!(Body::of(&setup, id, source, document));
    body["rejected"] = serde_json::json!(rejected);
    Ok(json_answer(StatusCode::OK, &body))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceRequest {
    name: Option<String>,
    partner: Option<String>,
    partners: Option<Vec<String>>,
    enabled: Option<bool>,
    kinds_added: Option<Vec<KindRequest>>,
    version: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KindRequest {
    kind: String,
    category: Category,
    type_name: String,
}

/// The partners that a source speaks for.
struct Bound {
    partner: Option<PartnerId>,
    partners: Vec<PartnerId>,
}

/// Makes a source. Its signing secret is in this answer alone. If the process dies between, the list has a source whose secret nobody
/// knows, or that the door does not know: whoever repeats this makes another one, and may switch that off.
pub(super) async fn make(
    setup: State,
    Extension(invocation): Extension<Invocation>,
    Input(desired): Input<SourceRequest>,
) -> Result<Response, Problem> {
    let missing = || Problem::invalid("name", "A new source needs a name.");
    let name = name("name", desired.name.as_deref().ok_or_else(missing)?)?;
    let bound = bound(&setup, desired.partner, desired.partners).await?;
    let bound = bound.ok_or_else(|| {
        Problem::invalid(
            "partner",
            "A source speaks for one \"partner\", or for several \"partners\".",
        )
    })?;
    if desired.version.is_some_and(|version| version != 0) {
        return Err(moved());
    }
    let kinds_added = kinds(desired.kinds_added.unwrap_or_default())?;
    let secret = random::signing_secret()?;
    let id = new_id(&setup).await?;
    let source = RegisteredSource {
        name,
        partner: bound.partner,
        partners: bound.partners,
        enabled: desired.enabled.unwrap_or(true),
        made_at: invocation.now(),
        busy_until: None,
    };
    let change = Change::begin(&setup, id, source, 0, &invocation).await?;
    let document = SourceDocument {
        partner: change.source.partner.clone(),
        partners: change.source.partners.clone(),
        enabled: change.source.enabled,
        kinds_added,
        secrets: vec![SigningSecret {
            value: secret.clone(),
            not_after: None,
        }],
    };
    let shown = change.end(&setup, None, document, &invocation).await?;
    note(&setup, &shown.listed, "source_made", &invocation).await;
    let mut body = serde_json::json!(shown);
    body["secret"] = secret.expose().into();
    Ok(json_answer(StatusCode::CREATED, &body))
}

/// An id that the endpoint recognizes as one of this stage.
async fn new_id(setup: &Setup) -> Result<SourceId, Problem> {
    let prefix = &setup.config.source_secret_prefix;
    let new = random::source_key()?;
    let keys = setup.secret_writer.source_keys(prefix, &new).await;
    let keys = keys.map_err(|err| {
        tracing::error!(error = %err, "failed to read or create the keys that prove source ids");
        Problem::unavailable(
            "The keys that prove source ids cannot be read. Repeat this in a minute.",
        )
    })?;
    Ok(keys.id(random::of_source_id()?))
}

/// Has a source be as told, what is left out staying as it is. The door acts on it within five minutes.
pub(super) async fn change(
    setup: State,
    Extension(invocation): Extension<Invocation>,
    InPath(source): InPath,
    Input(desired): Input<SourceRequest>,
) -> Result<Response, Problem> {
    let (id, Versioned { value, version }) = existing(&setup, source).await?;
    if desired.version.is_some_and(|asked| asked != version) {
        return Err(moved());
    }
    let name = desired.name.as_deref().map(|text| name("name", text));
    let name = name.transpose()?.unwrap_or_else(|| value.name.clone());
    let bound = bound(&setup, desired.partner, desired.partners).await?;
    let Bound { partner, partners } = bound.unwrap_or_else(|| Bound {
        partner: value.partner.clone(),
        partners: value.partners.clone(),
    });
    let kinds_added = desired.kinds_added.map(kinds).transpose()?;
    let mut before = bound_to(value.partner.iter().chain(&value.partners));
    let source = RegisteredSource {
        name,
        partner,
        partners,
        enabled: desired.enabled.unwrap_or(value.enabled),
        ..value
    };
    let change = Change::begin(&setup, id, source, version, &invocation).await?;
    let kept = document(&setup, &change.id).await?;
    // A change that was cut off has written one of the two.
    before.extend(kept.iter().flat_map(partners_of));
    let mut document = change.document(kept.clone());
    if let Some(kinds_added) = kinds_added {
        document.kinds_added = kinds_added;
    }
    let shown = change.end(&setup, kept, document, &invocation).await?;
    note_change(&setup, &shown.listed, &before, &invocation).await;
    Ok(json_answer(StatusCode::OK, &shown))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RotationRequest {
    version: Option<u64>,
}

/// Gives a source a new signing secret, which is in this answer alone. The one before holds for 24 hours more. No more than two hold at
/// once: whoever rotates again within that time ends the oldest at once, as for a secret that got out, and is told so. Whoever sends
/// the `version` cannot do that by repeating a request whose answer was lost: it is a conflict then.
pub(super) async fn rotate(
    setup: State,
    Extension(invocation): Extension<Invocation>,
    InPath(source): InPath,
    Input(asked): Input<RotationRequest>,
) -> Result<Response, Problem> {
    let (id, Versioned { value, version }) = existing(&setup, source).await?;
    if asked.version.is_some_and(|asked| asked != version) {
        return Err(moved());
    }
    let secret = random::signing_secret()?;
    let change = Change::begin(&setup, id, value, version, &invocation).await?;
    let kept = document(&setup, &change.id).await?;
    let mut document = change.document(kept.clone());
    let rotated = rotated(document.secrets, secret.clone(), invocation.now());
    let old_until = rotated.secrets.get(1).and_then(|secret| secret.not_after);
    document.secrets = rotated.secrets;
    let shown = change.end(&setup, kept, document, &invocation).await?;
    note(&setup, &shown.listed, "source_secret_rotated", &invocation).await;
    let mut body = serde_json::json!(shown);
    body["secret"] = secret.expose().into();
    body["old_until"] = serde_json::json!(old_until);
    body["ended_now"] = rotated.ended.into();
    Ok(json_answer(StatusCode::OK, &body))
}

struct Rotated {
    /// The newest first.
    secrets: Vec<SigningSecret>,
    /// How many still held and do no more.
    ended: usize,
}

fn rotated(old: Vec<SigningSecret>, new: Secret, now: Timestamp) -> Rotated {
    let end = now.saturating_add(OVERLAP).unwrap_or(now);
    let mut secrets = vec![SigningSecret {
        value: new,
        not_after: None,
    }];
    let live = old
        .into_iter()
        .filter(|secret| secret.not_after.is_none_or(|until| now <= until));
    secrets.extend(live.map(|secret| SigningSecret {
        not_after: Some(secret.not_after.map_or(end, |until| until.min(end))),
        ..secret
    }));
    let ended = secrets.len().saturating_sub(LIVE);
    secrets.truncate(LIVE);
    Rotated { secrets, ended }
}

/// A change that has its list item, until the end of the invocation.
struct Change {
    id: SourceId,
    source: RegisteredSource,
    version: u64,
}

impl Change {
    /// Takes the list item as it is to be. One conditional write: if the process dies right after, it is free again when the invocation
    /// would have ended.
    async fn begin(
        setup: &Setup,
        id: SourceId,
        source: RegisteredSource,
        version: u64,
        invocation: &Invocation,
    ) -> Result<Self, Problem> {
        let busy = source.busy_until;
        if busy.is_some_and(|until| invocation.now() < until) {
            return Err(Problem::moved(
                "Another change of this source is being made, or was cut off. Repeat this in a minute.",
            ));
        }
        let source = RegisteredSource {
            busy_until: Some(invocation.holds_until()),
            ..source
        };
        match setup.access().sources.save(&id, &source, version).await? {
            SaveOutcome::Saved { version } => Ok(Self {
                id,
                source,
                version,
            }),
            SaveOutcome::Conflict => Err(moved()),
        }
    }

    /// The document as the list has it, with the kinds and secrets of the one that the webhook endpoint has.
    fn document(&self, kept: Option<SourceDocument>) -> SourceDocument {
        let (kinds_added, secrets) = kept
            .map(|kept| (kept.kinds_added, kept.secrets))
            .unwrap_or_default();
        SourceDocument {
            partner: self.source.partner.clone(),
            partners: self.source.partners.clone(),
            enabled: self.source.enabled,
            kinds_added,
            secrets,
        }
    }

    /// Writes what partners have of the source, then the document, and gives the list item back. `kept` is the document before. If the
    /// process dies before the document is written, the source posts as before, and a repeated change writes both again.
    async fn end(
        self,
        setup: &Setup,
        kept: Option<SourceDocument>,
        document: SourceDocument,
        invocation: &Invocation,
    ) -> Result<Body, Problem> {
        let (access, now) = (setup.access(), invocation.now());
        let before = kept.as_ref().map(posts_for).unwrap_or_default();
        let after = partners_of(&document);
        let stored = after.iter().map(async |partner| {
            let known = access
                .partner_sources
                .get_all(partner)
                .await?
                .remove(&self.id);
            let since = match (before.contains(partner), known) {
                (true, Some(known)) => known.since,
                (true, None) => self.source.made_at,
                (false, _) => now,
            };
            let kinds = document.kinds_added.clone();
            let source = PartnerSource { since, kinds };
            access.partner_sources.put(partner, &self.id, &source).await
        });
        try_join_all(stored).await?;
        let gone = before.difference(&after);
        let removed = gone.map(|partner| access.partner_sources.remove(partner, &self.id));
        try_join_all(removed).await?;
        let prefix = &setup.config.source_secret_prefix;
        let stored = setup
            .secret_writer
            .put_source(prefix, &self.id, &document)
            .await;
        stored.map_err(|err| {
            tracing::error!(source = %self.id, error = %err, "failed to store a source's signing secret");
            Problem::unavailable("The webhook's copy of the secret was not updated. Repeat this in a minute.")
        })?;
        let value = RegisteredSource {
            busy_until: None,
            ..self.source
        };
        match access.sources.save(&self.id, &value, self.version).await? {
            SaveOutcome::Saved { version } => {
                let source = Versioned { value, version };
                Ok(Body::of(setup, self.id, source, Some(document)))
            }
            // This took longer than its invocation may: somebody else has it.
            SaveOutcome::Conflict => Err(moved()),
        }
    }
}

/// The partners that the source speaks for.
fn partners_of(document: &SourceDocument) -> BTreeSet<PartnerId> {
    bound_to(document.partner.iter().chain(&document.partners))
}

fn bound_to<'a>(partners: impl Iterator<Item = &'a PartnerId>) -> BTreeSet<PartnerId> {
    partners.cloned().collect()
}

/// The partners that the source may post for at present.
fn posts_for(document: &SourceDocument) -> BTreeSet<PartnerId> {
    match document.enabled {
        true => partners_of(document),
        false => BTreeSet::new(),
    }
}

async fn existing(
    setup: &Setup,
    source: String,
) -> Result<(SourceId, Versioned<RegisteredSource>), Problem> {
    let id: SourceId = id("source", source)?;
    let Versioned { value, version } = setup.access().sources.get(&id).await?;
    let missing = || Problem::not_found(format!("There is no source {id}."));
    let value = value.ok_or_else(missing)?;
    Ok((id, Versioned { value, version }))
}

async fn document(setup: &Setup, id: &SourceId) -> Result<Option<SourceDocument>, Problem> {
    let prefix = &setup.config.source_secret_prefix;
    let kept = setup
        .secret_writer
        .source(prefix, id)
        .await
        .map_err(|err| {
            tracing::error!(source = %id, error = %err, "failed to read a source's signing secret");
            Problem::unavailable("What the door has of this source cannot be read.")
        })?;
    Ok(kept.map(|kept| kept.document))
}

/// Whom a source is to speak for, each of them there; none where that stays as it is.
async fn bound(
    setup: &Setup,
    partner: Option<String>,
    partners: Option<Vec<String>>,
) -> Result<Option<Bound>, Problem> {
    match (partner, partners) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Problem::invalid(
            "partners",
            "Send \"partner\" or \"partners\", not both.",
        )),
        (Some(partner), None) => {
            let partner: PartnerId = id("partner", partner)?;
            there(setup, "partner", &partner).await?;
            Ok(Some(Bound {
                partner: Some(partner),
                partners: vec![],
            }))
        }
        (None, Some(named)) => {
            if !(1..=MOST_PARTNERS).contains(&named.len()) {
                let detail = format!("It names 1 to {MOST_PARTNERS} partners.");
                return Err(Problem::invalid("partners", detail));
            }
            let mut partners: Vec<PartnerId> = vec![];
            for (n, partner) in named.into_iter().enumerate() {
                let field = format!("partners[{n}]");
                let partner = id(&field, partner)?;
                if partners.contains(&partner) {
                    return Err(Problem::invalid(field, "It is named twice."));
                }
                partners.push(partner);
            }
            let fields = (0..partners.len()).map(|n| format!("partners[{n}]"));
            let named = partners.iter().zip(fields);
            let there = named.map(async |(partner, field)| there(setup, &field, partner).await);
            try_join_all(there).await?;
            Ok(Some(Bound {
                partner: None,
                partners,
            }))
        }
    }
}

async fn there(setup: &Setup, field: &str, partner: &PartnerId) -> Result<(), Problem> {
    match setup.access().partners.get(partner).await?.value {
        Some(_) => Ok(()),
        None => {
            let detail = format!("There is no partner {partner}: make it first.");
            Err(Problem::invalid(field, detail))
        }
    }
}

fn kinds(desired: Vec<KindRequest>) -> Result<Vec<KindInfo>, Problem> {
    if desired.len() > MOST_KINDS {
        let detail = format!("A source has at most {MOST_KINDS} kinds of its own.");
        return Err(Problem::invalid("kinds_added", detail));
    }
    let mut kinds: Vec<KindInfo> = vec![];
    for (n, desired) in desired.into_iter().enumerate() {
        let field = format!("kinds_added[{n}].kind");
        let kind: Kind = id(&field, desired.kind)?;
        if BUILT_IN.iter().any(|(name, ..)| *name == kind.as_str()) {
            return Err(Problem::invalid(field, "It is built in already."));
        }
        if kinds.iter().any(|info| info.kind == kind) {
            return Err(Problem::invalid(field, "It is named twice."));
        }
        let field = format!("kinds_added[{n}].type_name");
        kinds.push(KindInfo {
            kind,
            category: desired.category,
            type_name: line(&field, &desired.type_name, LONGEST_TYPE)?,
        });
    }
    Ok(kinds)
}

/// Adds the same entry to the history of each partner that the source speaks for.
async fn note(setup: &Setup, source: &Listed, what: &str, invocation: &Invocation) {
    let partners = bound_to(source.partner.iter().chain(&source.partners));
    let entries = partners.iter().map(|partner| (partner, what));
    note_each(setup, source, entries, invocation).await;
}

/// Adds an entry to the history of each partner that the source spoke or speaks for.
async fn note_change(
    setup: &Setup,
    source: &Listed,
    before: &BTreeSet<PartnerId>,
    invocation: &Invocation,
) {
    let after = bound_to(source.partner.iter().chain(&source.partners));
    let what = |partner| match (before.contains(partner), after.contains(partner)) {
        (true, true) => "source_changed",
        (true, false) => "source_taken_away",
        (false, _) => "source_added",
    };
    let entries = before.union(&after).map(|partner| (partner, what(partner)));
    note_each(setup, source, entries, invocation).await;
}

async fn note_each<'a>(
    setup: &Setup,
    source: &Listed,
    entries: impl Iterator<Item = (&'a PartnerId, &'a str)>,
    invocation: &Invocation,
) {
    let enabled = if source.enabled { "yes" } else { "no" };
    let detail = [
        ("source", source.id.to_string()),
        ("name", source.name.clone()),
        ("enabled", enabled.to_owned()),
    ];
    let by = Actor::Operator;
    let noted = entries.map(|(partner, what)| setup.done(partner, by, what, &detail, invocation));
    join_all(noted).await;
}

fn moved() -> Problem {
    Problem::moved("The source is not what this change began from. Get it again, and repeat.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + hour * 3600).unwrap()
    }

    /// Each secret's name with the hour of its end.
    fn after(secrets: &[(&str, Option<i64>)], hour: i64) -> (Vec<(String, Option<i64>)>, usize) {
        let old = secrets.iter().map(|(value, until)| SigningSecret {
            value: Secret::new(*value),
            not_after: until.map(at),
        });
        let rotated = rotated(old.collect(), Secret::new("new"), at(hour));
        let hour = |until: Timestamp| until.duration_since(at(0)).as_hours();
        let secrets = rotated.secrets.into_iter().map(|secret| {
            let until = secret.not_after.map(hour);
            (secret.value.expose().to_owned(), until)
        });
        (secrets.collect(), rotated.ended)
    }

    #[test]
    fn the_secret_before_holds_a_day_more_and_never_longer_than_it_did() {
        let named = |secrets: &[(&str, Option<i64>)]| {
            let secrets = secrets
                .iter()
                .map(|(name, until)| ((*name).to_owned(), *until));
            secrets.collect::<Vec<_>>()
        };
        for (old, hour, expected, ended) in [
            (&[][..], 0, &[("new", None)][..], 0),
            (&[("a", None)], 0, &[("new", None), ("a", Some(24))], 0),
            (&[("a", Some(5))], 0, &[("new", None), ("a", Some(5))], 0),
            (
                &[("b", None), ("a", Some(5))],
                6,
                &[("new", None), ("b", Some(30))],
                0,
            ),
            (
                &[("b", None), ("a", Some(24))],
                6,
                &[("new", None), ("b", Some(30))],
                1,
            ),
        ] {
            assert_eq!(after(old, hour), (named(expected), ended), "{old:?}");
        }
    }
}
