//! The operator's API, and the page on which a partner connects its own ConnectWise.
//!
//! The sets of routes are separate. The gateway's `routeKey` says which of them it authorized;
//! the path never decides that. This function reads and writes ConnectWise while a person waits. It
//! writes no tickets: those go through the queue.

mod activity;
mod alert_status;
mod audit;
mod auth;
mod backlog;
mod boards;
mod callbacks;
mod checklist;
mod config;
mod confirm;
mod connection;
mod contacts;
mod context;
mod held;
mod history;
mod http;
mod kind_names;
mod mails;
mod maintenance;
mod operator;
mod overview;
mod page;
mod page_routes;
mod partner_names;
mod paths;
mod quarantine;
mod random;
mod source_routes;
mod sources;
mod step;
mod tenants;
#[cfg(test)]
mod test_server;
mod test_ticket;
mod tickets;

use std::sync::Arc;

use api_document::ApiDocument;
use aws::invocation::Invocation;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_types::SdkConfig;
use axum::Router;
use serde::Deserialize as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::alert_status::handlers::SourceRequest;
use crate::auth::link::{self, LinkTask};
use crate::context::Setup;
use crate::http::problem::Problem;
use crate::http::{gateway, headers, present};

pub use auth::link::LinkError;
pub use config::Config;
pub use context::BuildError;
pub use http::routes::{Route, RouteAccess};

/// The gateway's key of the routes that require the operator's keys.
pub const OPERATOR_ROUTE: &str = "ANY /v1/operator/{proxy+}";
/// The gateway's key of the route that sources use. It needs the proof of a source.
pub const SOURCE_ROUTE: &str = "GET /v1/tickets/{key}";
/// The gateway's key of the route to which ConnectWise posts.
pub const CALLBACK_ROUTE: &str = "POST /v1/callbacks/{partner}/{token}";
/// The gateway's keys of the page's routes.
pub const PAGE_ROUTES: [&str; 2] = ["ANY /setup", "ANY /setup/{proxy+}"];

#[derive(Debug)]
pub struct SetupHandler {
    setup: Arc<Setup>,
    operator: Router,
    page: Router,
    sources: Router,
    callbacks: Router,
    routes: Vec<Route>,
}

#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    #[error("the event is neither a request nor a task")]
    Event(#[from] serde_json::Error),
    /// The link was not mailed; a retry may succeed.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// Adds the operator's API, and what sources can read, to the OpenAPI document.
pub fn describe_api(document: &mut ApiDocument) {
    alert_status::document::describe(document);
    operator::document::describe(document);
}

impl SetupHandler {
    /// Builds the clients, once, in the init phase.
    ///
    /// # Errors
    /// When an allowed origin is malformed or the HTTP client cannot be built.
    pub fn build(config: &Config, aws: &SdkConfig) -> Result<Self, BuildError> {
        let setup = Arc::new(Setup::build(config, aws)?);
        let (operator, mut routes) = operator::routes(Arc::clone(&setup));
        let (page, page_routes) = page_routes::build(Arc::clone(&setup));
        routes.extend(page_routes);
        let (sources, source_routes) = source_routes::build(Arc::clone(&setup));
        routes.extend(source_routes);
        let (callbacks, callback_routes) = callbacks::routes(Arc::clone(&setup));
        routes.extend(callback_routes);
        Ok(Self {
            setup,
            operator,
            page,
            sources,
            callbacks,
            routes,
        })
    }

    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Handles one event: a request from the gateway, or a task that this function sent itself.
    ///
    /// # Errors
    /// When the event is neither, or the task failed and a retry may succeed: Lambda repeats it
    /// twice.
    pub async fn invoke(&self, event: Value, invocation: Invocation) -> Result<Value, InvokeError> {
        // The gateway builds its events itself, so no caller of the page can send a task.
        if let Some(task) = event.get(link::TASK) {
            let request = LinkTask::deserialize(task)?;
            link::mail_link(&self.setup, &request, &invocation).await?;
            return Ok(json!({}));
        }
        let response = self
            .handle(serde_json::from_value(event)?, invocation)
            .await;
        Ok(serde_json::to_value(response)?)
    }

    /// Handles one request. Every failure becomes a response, so the function itself never fails.
    pub async fn handle(
        &self,
        event: ApiGatewayV2httpRequest,
        invocation: Invocation,
    ) -> ApiGatewayV2httpResponse {
        let route = event.request_context.route_key.clone().unwrap_or_default();
        let is_for_page = PAGE_ROUTES.contains(&route.as_str());
        let router = if route == OPERATOR_ROUTE {
            Some(&self.operator)
        } else if is_for_page {
            Some(&self.page)
        } else if route == SOURCE_ROUTE {
            Some(&self.sources)
        } else if route == CALLBACK_ROUTE {
            Some(&self.callbacks)
        } else {
            tracing::error!(route, "unknown routeKey");
            None
        };
        let (caller, sent) = (gateway::caller(&event), event.headers.clone());
        let from_source = (route == SOURCE_ROUTE).then(|| SourceRequest(event.clone()));
        let Some((router, mut request)) = router.zip(gateway::request(event)) else {
            let problem = Problem::not_found("There is no such address.");
            let mut response = present::unread(problem, is_for_page, &sent);
            headers::set_security_headers(response.headers_mut());
            return gateway::response(response).await;
        };
        request
            .extensions_mut()
            .insert(invocation.with_caller(caller));
        if let Some(from_source) = from_source {
            request.extensions_mut().insert(from_source);
        }
        // A router's error type has no values.
        let response = router.clone().oneshot(request).await;
        gateway::response(response.unwrap_or_else(|never| match never {})).await
    }
}
