//! What every call to ConnectWise passes, in this order: latency, rules, outage, throttle, server error, route, keys,
//! right, endpoint, journal, and at last how the answer reaches the client, if it does. The only place where faults act
//! on a call as a whole.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::answer::{Answer, Body, Outcome, Refusal};
use crate::auth::{self, Denied};
use crate::delivery::{self, Delivery};
use crate::faults::{
    CompanyInfoUnknown, LateCommitAnswer, RetryAfter, RightsChecked, SystemInfoAuth,
};
use crate::journal::Line;
use crate::render::API;
use crate::routes::route;
use crate::rules::{Effect, Interim, Operation, RawCall, Reply};
use crate::server::Shared;
use crate::setup_tables::company_info;
use crate::world::{Call, Caller, Licence, World, shifted};

const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// A call as it came from the wire.
struct Incoming {
    parts: Parts,
    body: Vec<u8>,
    now: Timestamp,
}

/// What became of a call, before it is written down and delivered.
enum Verdict {
    Answered(Answer),
    /// Carried out; a rule spoils the answer.
    Carried {
        answer: Answer,
        fault: AnswerFault,
    },
    /// No answer ever comes.
    Silence,
    /// An answer now, if any, and the call itself later.
    Late {
        answer: Option<Answer>,
        call: Call,
        wait: Duration,
    },
}

/// What a rule does to the answer of a call that was carried out.
enum AnswerFault {
    Lost,
    Cut,
    Slow(Duration),
    Interim(Interim),
}

/// Everything under `/v4_6_release`, and what the cloud's router cannot route.
pub(crate) async fn api(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return delivery::response(&Refusal::body_too_large().into(), "0");
    };
    let latency = shared.lock().faults.latency_ms;
    if latency > 0 && is_api(parts.uri.path()) {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    let incoming = Incoming {
        parts,
        body: body.into(),
        now: Timestamp::now(),
    };
    let (delivery, request_id, offset) = {
        let mut world = shared.lock();
        let delivery = take(&mut world, &shared, &incoming);
        let offset = world.faults.clock.date_header_seconds;
        (delivery, world.request_id(), offset)
    };
    let mut response = delivery.respond(&request_id).await;
    if offset != 0 {
        // Without the header, the server writes the right one.
        let date = http_date(shifted(Timestamp::now(), offset));
        if let Ok(date) = HeaderValue::from_str(&date) {
            response.headers_mut().insert(header::DATE, date);
        }
    }
    response
}

/// `/login/companyinfo/{companyId}`: no keys, no faults but the answers of rules.
pub(crate) async fn login(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let mut world = shared.lock();
    let path = request.uri().path().to_owned();
    let company = decoded(path.rsplit('/').next().unwrap_or_default());
    let raw = RawCall {
        method: request.method(),
        path: &path,
        query: &[],
        body: &[],
    };
    let ruled = match world.effect(raw) {
        Some(Effect::Answer(reply)) => Some(reply.answer()),
        _ => None,
    };
    let answer = ruled.unwrap_or_else(|| company_answer(&world, request.method(), &company));
    let line = Line {
        method: request.method().to_string(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        path,
    };
    world.journal.record(
        line,
        &[],
        Timestamp::now(),
        Some(answer.status.as_u16()),
        false,
    );
    let request_id = world.request_id();
    delivery::response(&answer, &request_id).into_response()
}

fn company_answer(world: &World, method: &Method, company: &str) -> Answer {
    match company_info(world, method, company) {
        Ok(Some(info)) => Answer::read(info),
        Ok(None) => match world.faults.variants.company_info_unknown {
            CompanyInfoUnknown::Null => Answer::read(Value::Null),
            CompanyInfoUnknown::NotFound => Refusal::unknown_company().into(),
        },
        Err(refusal) => refusal.into(),
    }
}

fn is_api(path: &str) -> bool {
    path.starts_with("/v4_6_release")
}

/// Decides, carries out and writes down one call.
fn take(world: &mut World, shared: &Arc<Shared>, incoming: &Incoming) -> Delivery {
    let path = incoming.parts.uri.path();
    let line = Line {
        method: incoming.parts.method.to_string(),
        path: path.to_owned(),
        query: incoming.parts.uri.query().unwrap_or_default().to_owned(),
    };
    let verdict = judge(world, shared, incoming);
    let record = |world: &mut World, status, committed| {
        world.journal.record(
            line.clone(),
            &incoming.body,
            incoming.now,
            status,
            committed,
        )
    };
    match verdict {
        Verdict::Answered(answer) => {
            // Faults concern the API alone, not the cloud's router before it.
            let (lost, cut) = if is_api(path) {
                let faults = &world.faults;
                let (lost, cut) = (faults.lost_answer_rate, faults.truncate_rate);
                (world.dice.roll(lost), world.dice.roll(cut))
            } else {
                (false, false)
            };
            let committed = answer.committed;
            if lost {
                record(world, None, committed);
                return Delivery::Dropped;
            }
            record(world, Some(answer.status.as_u16()), committed);
            if cut {
                Delivery::Cut(answer)
            } else {
                Delivery::Whole(answer)
            }
        }
        Verdict::Carried { answer, fault } => {
            let comes = match &fault {
                AnswerFault::Lost => false,
                AnswerFault::Interim(interim) => interim.count.is_some(),
                AnswerFault::Cut | AnswerFault::Slow(_) => true,
            };
            let status = comes.then_some(answer.status.as_u16());
            record(world, status, answer.committed);
            match fault {
                AnswerFault::Lost => Delivery::Dropped,
                AnswerFault::Cut => Delivery::Cut(answer),
                AnswerFault::Slow(wait) => Delivery::Slow(answer, wait),
                AnswerFault::Interim(interim) => Delivery::AfterInterim(answer, interim),
            }
        }
        Verdict::Silence => {
            record(world, None, false);
            Delivery::Never
        }
        Verdict::Late { answer, call, wait } => {
            let status = answer.as_ref().map(|answer| answer.status.as_u16());
            let n = record(world, status, false);
            commit_later(shared, world, call, n, wait);
            answer.map_or(Delivery::Never, Delivery::Whole)
        }
    }
}

fn judge(world: &mut World, shared: &Arc<Shared>, incoming: &Incoming) -> Verdict {
    let Incoming { parts, body, now } = incoming;
    let path = parts.uri.path();
    let Some(rest) = path
        .strip_prefix(API)
        .and_then(|rest| rest.strip_prefix('/'))
    else {
        // The router refuses before the API and its faults.
        return answered(Err(Refusal::cannot_route()));
    };
    let segments: Vec<String> = rest.split('/').map(decoded).collect();
    let caller = caller(world, &parts.headers, &segments);
    let query = query(parts.uri.query().unwrap_or_default());
    let is_technician = matches!(&caller, Ok(caller) if caller.licence == Licence::Member);
    let effect = if is_technician {
        None
    } else {
        world.effect(RawCall {
            method: &parts.method,
            path: rest,
            query: &query,
            body,
        })
    };
    if let Some(Effect::Answer(reply)) = &effect {
        return Verdict::Answered(reply.answer());
    }
    if !is_technician && let Err(refusal) = is_up(world, *now) {
        return answered(Err(refusal));
    }
    let caller = match caller {
        Ok(caller) => caller,
        Err(Denied::Refused(refusal)) => return answered(Err(refusal)),
        Err(Denied::NoAnswer) => return Verdict::Silence,
    };
    let call = Call {
        method: parts.method.clone(),
        segments,
        full_path: path.to_owned(),
        query,
        body: body.clone(),
        forward_only: header_is(&parts.headers, "pagination-type", "forward-only"),
        now: world.clock(),
        caller,
        is_ignored: matches!(effect, Some(Effect::Ignored)),
    };
    if !has_json_body(&call.method, &parts.headers) {
        return answered(Err(Refusal::wrong_media_type()));
    }
    match effect {
        Some(Effect::Late(late)) => {
            let answer = late.answer.as_ref().map(Reply::answer);
            return Verdict::Late {
                answer: answer.or_else(|| late_commit_answer(world)),
                call,
                wait: seconds(late.seconds),
            };
        }
        Some(Effect::Lost) => return carried(world, shared, &call, AnswerFault::Lost),
        Some(Effect::Cut) => return carried(world, shared, &call, AnswerFault::Cut),
        Some(Effect::Slow { seconds: wait }) => {
            return carried(world, shared, &call, AnswerFault::Slow(seconds(wait)));
        }
        Some(Effect::Interim(interim)) => {
            return carried(world, shared, &call, AnswerFault::Interim(interim));
        }
        Some(Effect::Answer(_) | Effect::Ignored) | None => {}
    }
    let late = world.faults.late_commit.rate;
    let is_search = call
        .segments
        .last()
        .is_some_and(|segment| segment == "search");
    let may_be_late = !is_technician && call.method != Method::GET && !is_search;
    if may_be_late && world.dice.roll(late) {
        return Verdict::Late {
            answer: late_commit_answer(world),
            call,
            wait: seconds(world.faults.late_commit.seconds),
        };
    }
    answered(carry_out(world, shared, &call))
}

/// Whether the site takes a call of the integration at this time.
fn is_up(world: &mut World, now: Timestamp) -> Result<(), Refusal> {
    if world.faults.outage {
        return Err(Refusal::outage());
    }
    let throttle = &world.faults.throttle;
    if throttle.all {
        let seconds = throttle.retry_after_seconds.into();
        return Err(Refusal::too_many_requests(retry_after(world, now, seconds)));
    }
    let limit = world.faults.rate_limit_per_minute;
    if let Err(wait) = world.limiter.admit(limit, now) {
        let seconds = wait.as_secs().max(1);
        return Err(Refusal::too_many_requests(retry_after(world, now, seconds)));
    }
    let error_rate = world.faults.error_rate;
    match world.dice.roll(error_rate) {
        true => Err(Refusal::server_error()),
        false => Ok(()),
    }
}

/// What a late commit answers now; `None` is silence.
fn late_commit_answer(world: &World) -> Option<Answer> {
    match world.faults.variants.late_commit_answer {
        LateCommitAnswer::ServerError => Some(Refusal::server_timeout().into()),
        LateCommitAnswer::Timeout => None,
    }
}

fn carried(world: &mut World, shared: &Arc<Shared>, call: &Call, fault: AnswerFault) -> Verdict {
    let answer = carry_out(world, shared, call).unwrap_or_else(Answer::from);
    Verdict::Carried { answer, fault }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0))
}

fn answered(outcome: Outcome) -> Verdict {
    Verdict::Answered(outcome.unwrap_or_else(Answer::from))
}

fn carry_out(world: &mut World, shared: &Arc<Shared>, call: &Call) -> Outcome {
    let route = route(&call.method, &call.segments)?;
    let body_first =
        route.asks_itself && world.faults.variants.rights_checked == RightsChecked::AfterValidation;
    if let Some(right) = route.right.filter(|_| !body_first) {
        world.require(&call.caller, right)?;
    }
    let operation = world.operation(call);
    let answer = (route.run)(world, call)?;
    if answer.committed {
        start_workflows(world, shared, call, operation, &answer);
    }
    Ok(answer)
}

/// Runs what the site's workflow rules say after a call, now or later.
fn start_workflows(
    world: &mut World,
    shared: &Arc<Shared>,
    call: &Call,
    operation: Operation,
    answer: &Answer,
) {
    let ticket = match (operation, &answer.body) {
        (Operation::Create, Body::Json(record)) => record.get("id").and_then(Value::as_i64),
        _ => call.segments.get(2).and_then(|id| id.parse().ok()),
    };
    let Some(ticket) = ticket else {
        return;
    };
    for (wait, action) in world.workflows_after(operation) {
        if wait > 0.0 {
            later(shared, world, seconds(wait), move |world, _| {
                let now = world.clock();
                world.run_workflow(ticket, &action, now);
            });
        } else {
            world.run_workflow(ticket, &action, call.now);
        }
    }
}

/// Carries the call out when its time has come.
fn commit_later(shared: &Arc<Shared>, world: &World, mut call: Call, n: usize, wait: Duration) {
    later(shared, world, wait, move |world, shared| {
        call.now = world.clock();
        if carry_out(world, shared, &call).is_ok_and(|answer| answer.committed) {
            world.journal.committed_late(n);
        }
    });
}

/// Does something after a wait, unless the site was reset or stopped meanwhile.
fn later(
    shared: &Arc<Shared>,
    world: &World,
    wait: Duration,
    deed: impl FnOnce(&mut World, &Arc<Shared>) + Send + 'static,
) {
    let generation = world.generation;
    let shared = Arc::downgrade(shared);
    tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let mut world = shared.lock();
        if world.generation == generation {
            deed(&mut world, &shared);
        }
    });
}

fn caller(world: &World, headers: &HeaderMap, segments: &[String]) -> Result<Caller, Denied> {
    let open = world.faults.variants.system_info_auth == SystemInfoAuth::Open;
    if open && segments == ["system", "info"] {
        return Ok(Caller {
            id: 0,
            identifier: String::new(),
            licence: Licence::Nobody,
        });
    }
    auth::authenticate(world, headers)
}

fn retry_after(world: &World, now: Timestamp, seconds: i64) -> Option<String> {
    match world.faults.variants.retry_after {
        RetryAfter::Seconds => Some(seconds.to_string()),
        RetryAfter::Date => {
            let at = shifted(now, world.faults.clock.date_header_seconds);
            let at = at.checked_add(jiff::SignedDuration::from_secs(seconds));
            at.ok().map(http_date)
        }
        RetryAfter::Absent => None,
        RetryAfter::Absurd => Some("31536000".to_owned()),
    }
}

fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn header_is(headers: &HeaderMap, name: &str, expected: &str) -> bool {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.eq_ignore_ascii_case(expected))
}

/// A body must be declared as JSON, plain or with ConnectWise's own type.
fn has_json_body(method: &Method, headers: &HeaderMap) -> bool {
    if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        return true;
    }
    let declared = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = declared
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    matches!(
        essence.as_str(),
        "application/json" | "application/vnd.connectwise.com+json"
    )
}

/// Form decoding: `+` is a space.
fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (
                decoded(&name.replace('+', " ")),
                decoded(&value.replace('+', " ")),
            )
        })
        .collect()
}

impl World {
    /// A GUID for `x-cw-request-id`; its own dice, so that rates repeat whatever was asked before.
    fn request_id(&mut self) -> String {
        let (high, low) = (self.request_ids.next(), self.request_ids.next());
        let hex = format!("{high:016x}{low:016x}");
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        [
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32),
        ]
        .join("-")
    }
}
