//! The HTTP client of the AWS SDK's clients: HTTP/1.1 over TLS with pinned root certificates.
//!
//! The SDK's own client also brings HTTP/2, which no service here needs: 0.5 MB in each function.
//! It also builds its TLS settings again for each client of a service. This one builds them once.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{
    CaptureConnection, HttpConnector as TcpConnector, capture_connection,
};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tower_service::Service;

/// The root certificates of AWS's endpoints: the four of Amazon Trust Services, and the Starfield
/// root that cross-signs them. Scanning the system's roots instead costs some 3 ms at each start.
pub(crate) const AMAZON_ROOTS: &str = include_str!("amazon-roots.pem");

/// How long a connection may take with its TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// AWS closes idle connections, and a frozen environment would continue with a dead one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// The pinned roots cannot be loaded. This is a defect of the build, which shows at the first
/// start.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    #[error("a certificate is not PEM: {0}")]
    Pem(pem::Error),
    #[error("the TLS library refuses a certificate or its settings")]
    Tls(#[from] rustls::Error),
}

/// Opens connections, each within [`CONNECT_TIMEOUT`].
#[derive(Clone)]
struct TimedConnector(HttpsConnector<TcpConnector>);

/// The client of all services. A clone shares its connections.
#[derive(Clone)]
struct AwsHttpClient(Client<TimedConnector, SdkBody>);

/// Sends requests with the time-out of one service client.
#[derive(Debug)]
struct AwsConnector {
    client: AwsHttpClient,
    /// From the start of a request to the head of its response.
    read_timeout: Option<Duration>,
}

/// Builds the client. All clients of services share its connections.
///
/// # Errors
/// When the pinned roots cannot be loaded.
pub fn https_client() -> Result<SharedHttpClient, RootsError> {
    let mut tcp = TcpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    // Only the local stack has endpoints without TLS. An address that is not on this machine must
    // have https, which is checked where the environment is read.
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(tls_config()?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build(TimedConnector(https));
    Ok(SharedHttpClient::new(AwsHttpClient(client)))
}

fn tls_config() -> Result<ClientConfig, RootsError> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(AMAZON_ROOTS.as_bytes()) {
        roots.add(root.map_err(RootsError::Pem)?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

impl fmt::Debug for AwsHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsHttpClient")
    }
}

impl Service<Uri> for TimedConnector {
    type Response = <HttpsConnector<TcpConnector> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connection = self.0.call(address);
        Box::pin(async move { timeout(CONNECT_TIMEOUT, connection).await? })
    }
}

impl HttpClient for AwsHttpClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(AwsConnector {
            client: self.clone(),
            read_timeout: settings.read_timeout(),
        })
    }
}

impl HttpConnector for AwsConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(err) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(err.into())));
            }
        };
        let connection = capture_connection(&mut request);
        // The SDK gives up a connection whose answers say that its server fails.
        if let Some(captured) = request.extensions().get::<CaptureSmithyConnection>() {
            captured.set_connection_retriever(move || metadata(&connection));
        }
        let response = self.client.0.request(request);
        let read_timeout = self.read_timeout;
        HttpConnectorFuture::new(async move {
            let response = match read_timeout {
                Some(limit) => timeout(limit, response)
                    .await
                    .map_err(|err| ConnectorError::timeout(err.into()))?,
                None => response.await,
            };
            let response = response.map_err(classify)?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(response).map_err(|err| ConnectorError::other(err.into(), None))
        })
    }
}

fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    let is_proxied = connection.connection_metadata().as_ref()?.is_proxied();
    let connection = connection.clone();
    let poison = move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    Some(
        ConnectionMetadata::builder()
            .proxied(is_proxied)
            .poison_fn(poison)
            .build(),
    )
}

/// Says what the SDK needs to know for a retry: whether the time was up, or the connection failed.
fn classify(err: ClientError) -> ConnectorError {
    let http = source::<hyper::Error>(&err);
    if source::<Elapsed>(&err).is_some() || http.is_some_and(hyper::Error::is_timeout) {
        return ConnectorError::timeout(err.into());
    }
    if http.is_some_and(hyper::Error::is_user) {
        return ConnectorError::user(err.into());
    }
    if err.is_connect()
        || http.is_some_and(|http| http.is_closed() || http.is_canceled())
        || source::<std::io::Error>(&err).is_some()
    {
        return ConnectorError::io(err.into());
    }
    // The server closed the connection before its response was complete.
    let is_incomplete = http.is_some_and(hyper::Error::is_incomplete_message);
    ConnectorError::other(
        err.into(),
        is_incomplete.then_some(ErrorKind::TransientError),
    )
}

fn source<'a, E: StdError + 'static>(err: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(err);
    while let Some(err) = next {
        if let Some(found) = err.downcast_ref::<E>() {
            return Some(found);
        }
        next = err.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// Sends one request with this time-out for the response.
    async fn call(address: &str, read_timeout: Duration) -> Result<HttpResponse, ConnectorError> {
        let client = https_client().unwrap();
        let settings = HttpConnectorSettings::builder()
            .read_timeout(read_timeout)
            .build();
        let components = RuntimeComponentsBuilder::for_tests().build().unwrap();
        let request = HttpRequest::get(address).unwrap();
        client
            .http_connector(&settings, &components)
            .call(request)
            .await
    }

    /// Answers one connection with this text.
    async fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        address
    }

    #[test]
    fn the_pinned_roots_load() {
        assert_eq!(AMAZON_ROOTS.matches("BEGIN CERTIFICATE").count(), 5);
        assert!(https_client().is_ok());
    }

    #[tokio::test]
    async fn a_response_is_passed_on() {
        let address = server("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
        let response = call(&address, Duration::from_secs(5)).await.unwrap();
        assert_eq!(response.status().as_u16(), 404);
    }

    #[tokio::test]
    async fn a_late_response_is_a_time_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let err = call(&address, Duration::from_millis(50)).await.unwrap_err();
        assert!(err.is_timeout(), "{err:?}");
    }

    #[tokio::test]
    async fn a_refused_connection_is_an_error_of_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let err = call(&address, Duration::from_secs(5)).await.unwrap_err();
        assert!(err.is_io(), "{err:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_handshake_is_a_time_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://{}/", listener.local_addr().unwrap());
        let accepted = tokio::spawn(async move { listener.accept().await.unwrap() });
        let err = call(&address, Duration::from_mins(1)).await.unwrap_err();
        assert!(err.is_timeout(), "{err:?}");
        let _: (TcpStream, _) = accepted.await.unwrap();
    }

    #[tokio::test]
    async fn a_cut_response_may_be_repeated() {
        for answer in ["", "HTTP/1.1 2"] {
            let err = call(&server(answer).await, Duration::from_secs(5)).await;
            let err = err.unwrap_err();
            let is_transient = err.as_other() == Some(ErrorKind::TransientError);
            assert!(is_transient || err.is_io(), "{answer:?}: {err:?}");
        }
    }
}
