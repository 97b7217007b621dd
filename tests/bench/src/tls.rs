//! A TLS endpoint on loopback, and a program that trusts it.
//!
//! The functions trust Amazon's roots alone, which are part of the program. The bench replaces the
//! first of them in a copy of the program by the root of its own authority, padded to the same
//! length. Everything else is the deployed code, and it still loads as many roots.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----\n";

/// An authority with one intermediate, as AWS's certificates have at least.
pub(crate) struct Authority {
    root_pem: String,
    config: Arc<ServerConfig>,
}

impl Authority {
    pub(crate) fn new() -> Result<Self> {
        let root = CertifiedIssuer::self_signed(authority_params(), KeyPair::generate()?)?;
        let intermediate =
            CertifiedIssuer::signed_by(authority_params(), KeyPair::generate()?, &root)?;
        let key = KeyPair::generate()?;
        let names = vec![Ipv4Addr::LOCALHOST.to_string()];
        let leaf = CertificateParams::new(names)?.signed_by(&key, &intermediate)?;
        let chain = vec![leaf.der().clone(), intermediate.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der());
        let key = key.ok().context("the certificate's key is not readable")?;
        // A second installation is refused, which does not matter.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        // In AWS the second connection goes to another host, so it cannot resume the session.
        config.send_tls13_tickets = 0;
        Ok(Self {
            root_pem: root.pem(),
            config: Arc::new(config),
        })
    }

    /// Writes a copy of a program that trusts this authority.
    ///
    /// # Errors
    /// When the program does not have exactly one list of roots.
    pub(crate) fn trust_in(&self, program: &Path, roots: &str, copy: &Path) -> Result<()> {
        let mut bytes = fs::read(program)?;
        let at = position(&bytes, roots.as_bytes());
        let at = at.context("the program does not have the pinned roots in it")?;
        let changed = self.with_own_root(roots)?;
        let end = at + roots.len();
        let place = bytes.get_mut(at..end).context("the roots are cut")?;
        place.copy_from_slice(changed.as_bytes());
        ensure!(
            position(&bytes, roots.as_bytes()).is_none(),
            "the program has the pinned roots twice"
        );
        fs::write(copy, bytes)?;
        fs::set_permissions(copy, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    /// The roots with this authority's in place of the first, as long as before.
    fn with_own_root(&self, roots: &str) -> Result<String> {
        let begin = roots.find(BEGIN).context("there is no root")?;
        let end = roots.find(END).context("there is no root")? + END.len();
        let own = self.root_pem.replace('\r', "");
        let padding = (end - begin).checked_sub(own.len());
        let padding = padding.context("the own root is longer than the first one")?;
        let (before, after) = (&roots[..begin], &roots[end..]);
        Ok(format!("{before}{own}{}{after}", "\n".repeat(padding)))
    }
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn position(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// Accepts TLS connections on loopback.
pub(crate) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsListener {
    pub(crate) async fn bind(authority: &Authority) -> Result<Self> {
        Ok(Self {
            tcp: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
            acceptor: TlsAcceptor::from(Arc::clone(&authority.config)),
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            // A connection that fails is the client's to report.
            let Ok((stream, address)) = self.tcp.accept().await else {
                continue;
            };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.address()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_root_is_replaced_and_the_length_stays() {
        let body = "QUJD\n".repeat(400);
        let roots = format!("a note\n{BEGIN}\n{body}{END}{BEGIN}\nsecond\n{END}");
        let changed = Authority::new().unwrap().with_own_root(&roots).unwrap();
        assert_eq!(changed.len(), roots.len());
        assert!(
            changed.starts_with("a note\n")
                && changed.ends_with("second\n-----END CERTIFICATE-----\n")
        );
        assert!(!changed.contains("QUJD"));
        assert_eq!(changed.matches(BEGIN).count(), 2);
    }
}
