//! The callbacks of `/system/callbacks`: a POST for each change of a ticket that one names.
//!
//! As ConnectWise documents them: the record's id is appended to the address, a receiver has five
//! seconds, and only some refusals are repeated, twice. Not simulated: the signature in
//! `x-content-signature`, and that a callback is switched off after three days of failures, which a
//! test does by `inactiveFlag`. Only `http` addresses can be posted to.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::listing::Row as _;
use crate::shared::Shared;
use crate::site::Site;
use crate::storage::{self, WritableTable};
use crate::tickets::{ChangedTicket, TicketChange, TicketRow};

/// How often the changes of tickets are looked through.
const PAUSE: Duration = Duration::from_millis(50);
/// A receiver that takes longer has not answered.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pauses before the repetitions.
const REPETITIONS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(4)];

type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// One POST.
#[derive(Clone)]
struct Callback {
    address: String,
    body: String,
}

/// Posts the callbacks of all changes until it is aborted.
pub(crate) async fn post_all(shared: Arc<Shared>) {
    let http: HttpClient = Client::builder(TokioExecutor::new()).build_http();
    let mut posting = JoinSet::new();
    loop {
        sleep(PAUSE).await;
        for callback in due(&mut shared.lock()) {
            posting.spawn(post(http.clone(), callback));
        }
        while posting.try_join_next().is_some() {}
    }
}

/// The callbacks of the changes since the last call.
fn due(site: &mut Site) -> Vec<Callback> {
    let changed = site.tickets.take_unreported();
    if changed.is_empty() {
        return vec![];
    }
    let registered = storage::rows(site, WritableTable::Callback, None);
    let mut due = vec![];
    for ticket in changed {
        for entry in &registered {
            if !matches(site, entry, &ticket) || site.rng.f64() < site.faults.callbacks.lost_rate {
                continue;
            }
            due.extend(callback(site, entry, &ticket));
            if site.rng.f64() < site.faults.callbacks.doubled_rate {
                due.extend(callback(site, entry, &ticket));
            }
        }
    }
    due
}

/// Whether a registered callback is for this change. The levels that are simulated are `owner` (all
/// tickets) and `board`.
fn matches(site: &Site, entry: &Value, ticket: &ChangedTicket) -> bool {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_lowercase();
    let is_set = |name: &str| entry[name].as_bool().unwrap_or_default();
    if is_set("inactiveFlag") || text("type") != "ticket" {
        return false;
    }
    let member = entry["memberId"].as_i64();
    let registered_it = site
        .setup
        .api_members
        .iter()
        .any(|row| Some(row.id) == member && row.identifier == ticket.by);
    if is_set("isSelfSuppressedFlag") && registered_it {
        return false;
    }
    match text("level").as_str() {
        "owner" => true,
        "board" => entry["objectId"].as_i64() == Some(ticket.board),
        _ => false,
    }
}

fn callback(site: &mut Site, entry: &Value, changed: &ChangedTicket) -> Option<Callback> {
    let action = match changed.change {
        TicketChange::Added => "added",
        TicketChange::Updated => "updated",
        TicketChange::Deleted => "deleted",
    };
    let message = site.request_id();
    let site = &*site;
    let ticket = site.tickets.get(changed.id);
    let entity = ticket.map(|ticket| TicketRow { site, ticket }.record().to_string());
    let body = json!({
        "MessageId": message,
        "FromUrl": site.base_url,
        "CompanyId": "simulated",
        "MemberId": changed.by,
        "Action": action,
        "Type": "ticket",
        "ID": changed.id,
        "ProductInstanceId": null,
        "PartnerId": null,
        "Entity": entity,
        "CallbackObjectRecId": entry["id"],
    });
    Some(Callback {
        address: format!("{}{}&action={action}", entry["url"].as_str()?, changed.id),
        body: body.to_string(),
    })
}

/// Posts once, and again where ConnectWise does.
async fn post(http: HttpClient, callback: Callback) {
    for pause in [None].into_iter().chain(REPETITIONS.map(Some)) {
        if let Some(pause) = pause {
            sleep(pause).await;
        }
        match status(&http, &callback).await {
            Some(status) if is_repeated(status) => {}
            Some(_) | None => return,
        }
    }
}

/// The status of the response. `None` without one, and for an address that cannot be posted to.
async fn status(http: &HttpClient, callback: &Callback) -> Option<StatusCode> {
    let request = Request::post(&callback.address)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(callback.body.clone()))
        .ok()?;
    let response = timeout(PATIENCE, http.request(request)).await;
    Some(response.ok()?.ok()?.status())
}

fn is_repeated(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 409 | 419 | 429)
}
