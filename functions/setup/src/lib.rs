//! The operator's API, and the page on which a partner connects its ConnectWise by itself.
//!
//! Two sets of routes that cannot be reached from each other: which one a request belongs to is what the gateway says that it
//! authorised (`routeKey`), never its path. Reads and writes of ConnectWise are made here while a person waits; tickets are not written
//! here: what needs one goes through the queue.

mod answer;
mod audit;
mod check;
mod config;
mod connected;
mod gateway;
mod input;
mod mails;
mod making;
mod operator;
mod page;
mod random;
mod routes;
mod same_connectwise;
mod session;
mod steps;
#[cfg(test)]
mod test_server;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use aws::functions::Function;
use aws::invocation::Invocation;
use aws::mail::{Mail, MailError, Mailer};
use aws::queue::QueueSender;
use aws::secret_writer::SecretWriter;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_types::SdkConfig;
use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use connections::Connections;
use serde::Deserialize as _;
use serde_json::{Value, json};
use store::{AccessTable, Alerts, ConfigTable, OperatorEvent};
use tower::ServiceExt as _;

use crate::page::assets;
use crate::steps::link::{self, LinkRequest};

pub use config::Config;
pub use connections::BuildError;
pub use routes::{Route, RouteAccess};
pub use steps::link::LinkError;

/// What the gateway calls the routes that only the operator's keys open.
pub const OPERATOR_ROUTE: &str = "ANY /v1/operator/{proxy+}";
/// What it calls those of the page.
pub const PAGE_ROUTES: [&str; 2] = ["ANY /setup", "ANY /setup/{proxy+}"];

/// How long one request works at what takes longer: the gateway gives up after 30 s, and the last call needs some of them.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// The largest body that is looked at, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// The function, with its clients.
#[derive(Debug)]
pub struct App {
    setup: Arc<Setup>,
    operator: Router,
    page: Router,
    routes: Vec<Route>,
}

/// An event could not be handled.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The event is neither a request from the gateway nor a task of this function.
    #[error("the event is neither a request nor a task")]
    Event(#[from] serde_json::Error),
    /// The link was not mailed; a retry may succeed.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// What every handler works with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) connections: Connections,
    pub(crate) alerts: Alerts,
    pub(crate) queue: QueueSender,
    pub(crate) secret_writer: SecretWriter,
    pub(crate) mailer: Mailer,
    /// This function: it starts itself for work that no answer waits for.
    pub(crate) itself: Function,
}

pub(crate) type State = axum::extract::State<Arc<Setup>>;

impl Setup {
    /// What partners set up.
    pub(crate) fn table(&self) -> &ConfigTable {
        &self.connections.table
    }

    /// Who may act for which partner, and what was done.
    pub(crate) fn access(&self) -> &AccessTable {
        &self.connections.access
    }

    /// Sends a mail; where SES does not take mails, the operator hears of that. An address that is none is for its own people to mend,
    /// who are told.
    pub(crate) async fn mail(&self, mail: &Mail, invocation: &Invocation) -> Result<(), MailError> {
        let sent = self.mailer.send(mail).await;
        if !matches!(sent, Ok(()) | Err(MailError::Recipient { .. })) {
            let now = invocation.now();
            self.connections
                .report_event(OperatorEvent::MailFailed, now)
                .await;
        }
        sent
    }
}

impl App {
    /// Makes the clients, once, in the init phase.
    ///
    /// # Errors
    /// When an allowed origin is malformed or the HTTP client cannot be made.
    pub fn build(config: &Config, aws: &SdkConfig) -> Result<Self, BuildError> {
        let setup = Arc::new(Setup {
            connections: Connections::build(&config.connections, aws)?,
            alerts: Alerts::new(aws, config.alerts_table.clone()),
            queue: QueueSender::new(aws, config.queue_url.clone()),
            secret_writer: SecretWriter::new(aws),
            mailer: Mailer::new(aws, config.mail_from.clone()),
            itself: Function::new(aws, config.function_name.clone()),
            config: config.clone(),
        });
        let (operator, mut routes) = operator::routes(Arc::clone(&setup));
        let (page, more) = steps::routes(Arc::clone(&setup));
        routes.extend(more);
        Ok(Self {
            setup,
            operator,
            page,
            routes,
        })
    }

    /// All routes that there are.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Handles one event: a request from the gateway, or a task that this function gave to itself.
    ///
    /// # Errors
    /// When the event is neither, or the task failed and a retry may succeed: Lambda repeats it twice.
    pub async fn invoke(&self, event: Value, invocation: Invocation) -> Result<Value, InvokeError> {
        // The gateway builds its events itself, so no caller of the page can send a task.
        if let Some(task) = event.get(link::TASK) {
            let request = LinkRequest::deserialize(task)?;
            link::mail_link(&self.setup, &request, &invocation).await?;
            return Ok(json!({}));
        }
        let answer = self
            .handle(serde_json::from_value(event)?, invocation)
            .await;
        Ok(serde_json::to_value(answer)?)
    }

    /// Answers one request. Never an error of the function itself: people and programs understand statuses.
    pub async fn handle(
        &self,
        event: ApiGatewayV2httpRequest,
        invocation: Invocation,
    ) -> ApiGatewayV2httpResponse {
        let route = event.request_context.route_key.clone().unwrap_or_default();
        let router = if route == OPERATOR_ROUTE {
            Some(&self.operator)
        } else if PAGE_ROUTES.contains(&route.as_str()) {
            Some(&self.page)
        } else {
            tracing::error!(route, "unknown routeKey");
            None
        };
        let Some((router, mut request)) = router.zip(gateway::request(event)) else {
            let mut answer = StatusCode::NOT_FOUND.into_response();
            assets::guard(answer.headers_mut());
            return gateway::answer(answer).await;
        };
        request.extensions_mut().insert(invocation);
        // A router's own error cannot be made.
        let answer = router.clone().oneshot(request).await;
        gateway::answer(answer.unwrap_or_else(|never| match never {})).await
    }
}

/// Whether a request of this method changes nothing.
pub(crate) fn is_read(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}
