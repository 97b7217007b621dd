//! The HTTP server on the loopback. It accepts connections itself, so that it can close one without
//! a response.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use axum::routing::{any, get, post};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::dashboard::{fault_page, ticket_page};
use crate::delivery::DropConnection;
use crate::fault_rules::Interim;
use crate::interim::InterimStream;
use crate::seed::Seed;
use crate::shared::Shared;
use crate::site::Site;
use crate::{callbacks, control, pipeline};

/// A simulated ConnectWise site that is being served. Dropping it stops the server.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    accepting: JoinHandle<()>,
    /// Dropped with the simulator, which ends the task.
    _callbacks: JoinSet<()>,
}

impl Simulator {
    /// Serves a site on a loopback address. Port 0 takes any free port.
    ///
    /// # Errors
    /// The address is not a loopback address, or cannot be bound.
    pub async fn start(seed: Seed, addr: SocketAddr) -> io::Result<Self> {
        if !addr.ip().is_loopback() {
            let reason = format!("{} is not a loopback address", addr.ip());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let listener = TcpListener::bind(addr).await?;
        let address = listener.local_addr()?;
        let site = Site::new(seed, format!("http://{address}"));
        let shared = Arc::new(Shared::new(site));
        let mut posting = JoinSet::new();
        posting.spawn(callbacks::post_all(Arc::clone(&shared)));
        let router = Router::new()
            .route("/", get(ticket_page::show))
            .route("/faults", get(fault_page::show).post(fault_page::set))
            .route("/faults/end", post(fault_page::end))
            .route(
                "/_sim/faults",
                get(control::faults).put(control::set_faults),
            )
            .route("/_sim/reset", post(control::reset))
            .route("/_sim/tickets", post(control::create_bulk))
            .route("/_sim/tickets/{id}", post(control::act))
            .route("/_sim/companies/{id}", post(control::act_on_company))
            .route("/_sim/boards/{id}", post(control::act_on_board))
            .route("/_sim/journal", get(control::journal))
            .route("/_sim/{*unknown}", any(control::unknown))
            .route("/login/companyinfo/{company}", any(pipeline::login))
            .fallback(pipeline::api)
            .with_state(shared);
        Ok(Self {
            address,
            accepting: tokio::spawn(accept(listener, router)),
            _callbacks: posting,
        })
    }

    /// The site's origin, such as `http://127.0.0.1:8040`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops the server with all its connections. The port is free afterwards.
    pub async fn stop(mut self) {
        self.accepting.abort();
        // An aborted task ends with an error by design.
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts until aborted. The connections end with it.
async fn accept(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, router.clone()));
            }
            // Out of file descriptors, or a client that left before it was accepted: neither stops
            // the server. The pause prevents a busy loop in the first case.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, router: Router) {
    // Nagle's algorithm would delay small responses. Without the option they are only slower.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let (stream, before_answer) = InterimStream::new(stream);
    let service = service_fn(move |request| {
        let answer = router.call(request);
        let before_answer = before_answer.clone();
        async move {
            let answer = answer.await;
            if let Ok(response) = &answer
                && let Some(interim) = response.extensions().get::<Interim>()
            {
                before_answer.send(*interim);
            }
            deliver(answer)
        }
    });
    // A connection that is closed on purpose, or by the client, is no error.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Returns the response, or an error that makes the server close the connection without a byte.
fn deliver(response: Result<Response, Infallible>) -> Result<Response, &'static str> {
    match response {
        Ok(response) if response.extensions().get::<DropConnection>().is_some() => {
            Err("the answer is lost on purpose")
        }
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}
