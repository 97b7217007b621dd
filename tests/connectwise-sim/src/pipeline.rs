//! The stages that every call to ConnectWise passes, in this order: latency, rules, outage,
//! throttle, server error, route, keys, right, endpoint, journal, delivery. Only here do faults
//! affect a call as a whole.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde_json::Value;

use crate::auth::{self, Denied};
use crate::delivery::{self, Delivery};
use crate::execution::{commit_later, execute, seconds};
use crate::fault_rules;
use crate::fault_rules::{Effect, Interim, RawCall, Reply};
use crate::faults::{CompanyInfoUnknown, LateCommitAnswer, RetryAfter, SystemInfoAuth};
use crate::http::{decoded, has_json_body, header_is, http_date, query};
use crate::journal::Line;
use crate::render::API;
use crate::response::{ApiError, ApiResponse, Outcome};
use crate::setup_tables::company_info;
use crate::shared::Shared;
use crate::site::{Call, Caller, Licence, Site, shifted};

const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// A call as it was received.
struct Incoming {
    parts: Parts,
    body: Vec<u8>,
    now: Timestamp,
}

/// The result of a call before it is recorded and delivered.
enum Verdict {
    Answered(ApiResponse),
    /// The call was executed, and a rule disturbs its response.
    Executed {
        answer: ApiResponse,
        fault: AnswerFault,
    },
    /// No response at all.
    Silence,
    /// A response now, if any. The call is executed later.
    Late {
        answer: Option<ApiResponse>,
        call: Call,
        wait: Duration,
    },
}

/// What a rule does to the response of an executed call.
enum AnswerFault {
    Lost,
    Cut,
    Slow(Duration),
    Interim(Interim),
}

/// Everything under `/v4_6_release`, and paths that the cloud's router cannot route.
pub(crate) async fn api(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return delivery::response(&ApiError::body_too_large().into(), "0");
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
        let mut site = shared.lock();
        let delivery = process(&mut site, &shared, &incoming);
        let offset = site.faults.clock.date_header_seconds;
        (delivery, site.request_id(), offset)
    };
    let mut response = delivery.respond(&request_id).await;
    if offset != 0 {
        // Without the header, the server writes the correct one.
        let date = http_date(shifted(Timestamp::now(), offset));
        if let Ok(date) = HeaderValue::from_str(&date) {
            response.headers_mut().insert(header::DATE, date);
        }
    }
    response
}

/// `/login/companyinfo/{companyId}`: needs no keys. Of all faults only the answers of rules apply.
pub(crate) async fn login(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let mut site = shared.lock();
    let path = request.uri().path().to_owned();
    let company = decoded(path.rsplit('/').next().unwrap_or_default());
    let raw = RawCall {
        method: request.method(),
        path: &path,
        query: &[],
        body: &[],
    };
    let ruled = match fault_rules::effect(&mut site, raw) {
        Some(Effect::Answer(reply)) => Some(reply.answer()),
        _ => None,
    };
    let answer = ruled.unwrap_or_else(|| company_answer(&site, request.method(), &company));
    let line = Line {
        method: request.method().to_string(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        path,
    };
    site.journal.record(
        line,
        &[],
        Timestamp::now(),
        Some(answer.status.as_u16()),
        false,
    );
    let request_id = site.request_id();
    delivery::response(&answer, &request_id).into_response()
}

fn company_answer(site: &Site, method: &Method, company: &str) -> ApiResponse {
    match company_info(site, method, company) {
        Ok(Some(info)) => ApiResponse::read(info),
        Ok(None) => match site.faults.variants.company_info_unknown {
            CompanyInfoUnknown::Null => ApiResponse::read(Value::Null),
            CompanyInfoUnknown::NotFound => ApiError::unknown_company().into(),
        },
        Err(error) => error.into(),
    }
}

fn is_api(path: &str) -> bool {
    path.starts_with("/v4_6_release")
}

/// Decides, executes and records one call.
fn process(site: &mut Site, shared: &Arc<Shared>, incoming: &Incoming) -> Delivery {
    let path = incoming.parts.uri.path();
    let line = Line {
        method: incoming.parts.method.to_string(),
        path: path.to_owned(),
        query: incoming.parts.uri.query().unwrap_or_default().to_owned(),
    };
    let verdict = decide(site, shared, incoming);
    let record = |site: &mut Site, status, committed| {
        site.journal.record(
            line.clone(),
            &incoming.body,
            incoming.now,
            status,
            committed,
        )
    };
    match verdict {
        Verdict::Answered(answer) => {
            // Faults affect the API, not the cloud's router in front of it.
            let (lost, cut) = if is_api(path) {
                let faults = &site.faults;
                let (lost, cut) = (faults.lost_answer_rate, faults.truncate_rate);
                (site.rng.f64() < lost, site.rng.f64() < cut)
            } else {
                (false, false)
            };
            let committed = answer.committed;
            if lost {
                record(site, None, committed);
                return Delivery::Dropped;
            }
            record(site, Some(answer.status.as_u16()), committed);
            if cut {
                Delivery::Cut(answer)
            } else {
                Delivery::Whole(answer)
            }
        }
        Verdict::Executed { answer, fault } => {
            let comes = match &fault {
                AnswerFault::Lost => false,
                AnswerFault::Interim(interim) => interim.count.is_some(),
                AnswerFault::Cut | AnswerFault::Slow(_) => true,
            };
            let status = comes.then_some(answer.status.as_u16());
            record(site, status, answer.committed);
            match fault {
                AnswerFault::Lost => Delivery::Dropped,
                AnswerFault::Cut => Delivery::Cut(answer),
                AnswerFault::Slow(wait) => Delivery::Slow(answer, wait),
                AnswerFault::Interim(interim) => Delivery::AfterInterim(answer, interim),
            }
        }
        Verdict::Silence => {
            record(site, None, false);
            Delivery::Never
        }
        Verdict::Late { answer, call, wait } => {
            let status = answer.as_ref().map(|answer| answer.status.as_u16());
            let n = record(site, status, false);
            commit_later(shared, site, call, n, wait);
            answer.map_or(Delivery::Never, Delivery::Whole)
        }
    }
}

fn decide(site: &mut Site, shared: &Arc<Shared>, incoming: &Incoming) -> Verdict {
    let Incoming { parts, body, now } = incoming;
    let path = parts.uri.path();
    let Some(rest) = path
        .strip_prefix(API)
        .and_then(|rest| rest.strip_prefix('/'))
    else {
        // The router refuses the call before the API and its faults.
        return to_verdict(Err(ApiError::cannot_route()));
    };
    let segments: Vec<String> = rest.split('/').map(decoded).collect();
    let caller = caller(site, &parts.headers, &segments);
    let query = query(parts.uri.query().unwrap_or_default());
    let is_technician = matches!(&caller, Ok(caller) if caller.licence == Licence::Member);
    let effect = if is_technician {
        None
    } else {
        fault_rules::effect(
            site,
            RawCall {
                method: &parts.method,
                path: rest,
                query: &query,
                body,
            },
        )
    };
    if let Some(Effect::Answer(reply)) = &effect {
        return Verdict::Answered(reply.answer());
    }
    if !is_technician && let Err(error) = check_availability(site, *now) {
        return to_verdict(Err(error));
    }
    let caller = match caller {
        Ok(caller) => caller,
        Err(Denied::Refused(error)) => return to_verdict(Err(error)),
        Err(Denied::NoAnswer) => return Verdict::Silence,
    };
    let call = Call {
        method: parts.method.clone(),
        segments,
        full_path: path.to_owned(),
        query,
        body: body.clone(),
        forward_only: header_is(&parts.headers, "pagination-type", "forward-only"),
        now: site.clock(),
        caller,
        is_ignored: matches!(effect, Some(Effect::Ignored)),
    };
    if !has_json_body(&call.method, &parts.headers) {
        return to_verdict(Err(ApiError::wrong_media_type()));
    }
    match effect {
        Some(Effect::Late(late)) => {
            let answer = late.answer.as_ref().map(Reply::answer);
            return Verdict::Late {
                answer: answer.or_else(|| late_commit_answer(site)),
                call,
                wait: seconds(late.seconds),
            };
        }
        Some(Effect::Lost) => return executed_with_fault(site, shared, &call, AnswerFault::Lost),
        Some(Effect::Cut) => return executed_with_fault(site, shared, &call, AnswerFault::Cut),
        Some(Effect::Slow { seconds: wait }) => {
            return executed_with_fault(site, shared, &call, AnswerFault::Slow(seconds(wait)));
        }
        Some(Effect::Interim(interim)) => {
            return executed_with_fault(site, shared, &call, AnswerFault::Interim(interim));
        }
        Some(Effect::Answer(_) | Effect::Ignored) | None => {}
    }
    let late = site.faults.late_commit.rate;
    let is_search = call
        .segments
        .last()
        .is_some_and(|segment| segment == "search");
    let may_be_late = !is_technician && call.method != Method::GET && !is_search;
    if may_be_late && site.rng.f64() < late {
        return Verdict::Late {
            answer: late_commit_answer(site),
            call,
            wait: seconds(site.faults.late_commit.seconds),
        };
    }
    to_verdict(execute(site, shared, &call))
}

/// Refuses an integration's call during an outage, a throttle or a server error.
fn check_availability(site: &mut Site, now: Timestamp) -> Result<(), ApiError> {
    if site.faults.outage {
        return Err(ApiError::outage());
    }
    let throttle = &site.faults.throttle;
    if throttle.all {
        let seconds = throttle.retry_after_seconds.into();
        return Err(ApiError::too_many_requests(retry_after(site, now, seconds)));
    }
    let limit = site.faults.rate_limit_per_minute;
    if let Err(wait) = site.limiter.admit(limit, now) {
        let seconds = wait.as_secs().max(1);
        return Err(ApiError::too_many_requests(retry_after(site, now, seconds)));
    }
    let error_rate = site.faults.error_rate;
    match site.rng.f64() < error_rate {
        true => Err(ApiError::server_error()),
        false => Ok(()),
    }
}

/// The immediate response of a late commit. `None` is no response.
fn late_commit_answer(site: &Site) -> Option<ApiResponse> {
    match site.faults.variants.late_commit_answer {
        LateCommitAnswer::ServerError => Some(ApiError::server_timeout().into()),
        LateCommitAnswer::Timeout => None,
    }
}

fn executed_with_fault(
    site: &mut Site,
    shared: &Arc<Shared>,
    call: &Call,
    fault: AnswerFault,
) -> Verdict {
    let answer = execute(site, shared, call).unwrap_or_else(ApiResponse::from);
    Verdict::Executed { answer, fault }
}

fn to_verdict(outcome: Outcome) -> Verdict {
    Verdict::Answered(outcome.unwrap_or_else(ApiResponse::from))
}

fn caller(site: &Site, headers: &HeaderMap, segments: &[String]) -> Result<Caller, Denied> {
    let open = site.faults.variants.system_info_auth == SystemInfoAuth::Open;
    if open && segments == ["system", "info"] {
        return Ok(Caller {
            id: 0,
            identifier: String::new(),
            licence: Licence::Anonymous,
        });
    }
    auth::authenticate(site, headers)
}

fn retry_after(site: &Site, now: Timestamp, seconds: i64) -> Option<String> {
    match site.faults.variants.retry_after {
        RetryAfter::Seconds => Some(seconds.to_string()),
        RetryAfter::Date => {
            let at = shifted(now, site.faults.clock.date_header_seconds);
            let at = at.checked_add(jiff::SignedDuration::from_secs(seconds));
            at.ok().map(http_date)
        }
        RetryAfter::Absent => None,
        RetryAfter::Absurd => Some("31536000".to_owned()),
    }
}
