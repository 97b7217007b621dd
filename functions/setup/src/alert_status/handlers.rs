//! Says what became of an alert, to the source that sent it.

use aws::invocation::Invocation;
use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use axum::Extension;
use axum::http::StatusCode;
use axum::response::Response;
use domain::alert::key::ItemKey;
use domain::alert::record::Record;
use domain::outgoing::alert_status::AlertStatus;
use source_authentication::{AuthenticationError, Proof, ProofContent};

use crate::alert_status::alert_link;
use crate::context::{AppState, Setup};
use crate::http::input::PathParam;
use crate::http::problem::Problem;
use crate::http::response::json_response;

/// The request as the gateway sent it, with what proves its sender.
#[derive(Debug, Clone)]
pub(crate) struct SourceRequest(pub(crate) ApiGatewayV2httpRequest);

/// Answers with the status of an alert. A wrong proof and an alert of another source get the same
/// response as an unknown key.
pub(crate) async fn get(
    setup: AppState,
    PathParam(key): PathParam,
    Extension(invocation): Extension<Invocation>,
    Extension(SourceRequest(request)): Extension<SourceRequest>,
) -> Result<Response, Problem> {
    let record = match ItemKey::parse(&key) {
        Some(_) => setup.alerts.get_listed(&key).await?,
        None => None,
    };
    let source = record.as_ref().map(|record| &record.key.source);
    let proof = Proof {
        request: &request,
        content: ProofContent::AlertKey(&key),
    };
    let now = invocation.now();
    let authenticated = setup.source_authenticator.authenticate(source, proof, now);
    let policy = match authenticated.await {
        Ok(authenticated) => authenticated.policy,
        Err(AuthenticationError::Unavailable) => return Err(unavailable()),
        Err(AuthenticationError::Refused(_)) => return Err(unknown()),
    };
    // A source can have lost a partner since it sent the alert.
    let is_own = |record: &Record| policy.partners.contains(&record.key.partner);
    let record = record.filter(is_own).ok_or_else(unknown)?;
    let status = status(&setup, &key, &record).await?;
    Ok(json_response(StatusCode::OK, &status))
}

async fn status(setup: &Setup, key: &str, record: &Record) -> Result<AlertStatus, Problem> {
    let partner = &record.key.partner;
    let connection = setup.access().connections.get(partner).await?.value;
    let page = alert_link(setup, key);
    Ok(AlertStatus::new(
        record,
        |ticket| {
            let connection = connection.filter(|of| of.epoch == ticket.epoch)?;
            Some(connections::ticket_address(&connection, ticket.number))
        },
        page,
    ))
}

pub(super) fn unknown() -> Problem {
    Problem::not_found(
        "There is no such alert of this source, or the request does not prove its source. An alert is known some seconds after its first event.",
    )
}

pub(super) fn unavailable() -> Problem {
    Problem::unavailable("The source's secret could not be read. Send the request again.")
}
