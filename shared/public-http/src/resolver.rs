//! The HTTP client's DNS resolver: it checks each address that a host name resolves to.
//!
//! A listed name can be pointed anywhere by its DNS operator, also between two look-ups. So the
//! check is in the resolver itself: the client connects to the address that was checked. A host
//! that is written as an IP address is never resolved; such a host is allowed only if the operator
//! listed it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::ip_ranges::{AddressClass, classify_ip};

/// Resolves names with another resolver and checks the addresses.
pub(crate) struct CheckingResolver {
    /// The names that may be private.
    pub(crate) listed: Vec<String>,
    pub(crate) upstream: Arc<dyn Resolve>,
}

/// Resolves names as the system does.
#[derive(Debug, Clone, Copy)]
pub struct SystemResolver;

/// A name resolves to an address that is not allowed.
#[derive(Debug, thiserror::Error)]
#[error("{name} resolves to {address}, which is not public")]
pub struct AddressRefused {
    name: String,
    address: IpAddr,
}

impl Resolve for CheckingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let is_listed = self.listed.contains(&host);
        let resolving = self.upstream.resolve(name);
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = resolving.await?.collect();
            check_addresses(&host, &addresses, is_listed)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(addresses.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

/// One bad address refuses the name, since an attacker can answer with a good one beside it.
fn check_addresses(
    name: &str,
    addresses: &[SocketAddr],
    is_listed: bool,
) -> Result<(), AddressRefused> {
    let is_refused = |ip: &IpAddr| match classify_ip(*ip) {
        AddressClass::Public => false,
        AddressClass::Private => !is_listed,
        AddressClass::Forbidden => true,
    };
    match addresses.iter().map(SocketAddr::ip).find(is_refused) {
        Some(address) => Err(AddressRefused {
            name: name.to_owned(),
            address,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_private_address_refuses_a_name_with_a_public_one() {
        let public: SocketAddr = "52.1.2.3:0".parse().unwrap();
        let private: SocketAddr = "10.0.0.1:0".parse().unwrap();
        let metadata: SocketAddr = "169.254.169.254:0".parse().unwrap();
        assert!(check_addresses("h", &[public], false).is_ok());
        assert!(check_addresses("h", &[public, private], false).is_err());
        assert!(check_addresses("h", &[public, private], true).is_ok());
        assert!(check_addresses("h", &[public, metadata], true).is_err());
    }

    #[tokio::test]
    async fn a_loopback_name_resolves_only_if_listed() {
        let resolve = async |listed| {
            let upstream = Arc::new(SystemResolver);
            let answer = CheckingResolver { listed, upstream }
                .resolve("localhost".parse().unwrap())
                .await;
            answer
                .map(|addresses| addresses.count() > 0)
                .map_err(|e| e.to_string())
        };
        let refused = resolve(vec![]).await.unwrap_err();
        assert!(refused.contains("not public"), "{refused}");
        assert_eq!(resolve(vec!["localhost".into()]).await, Ok(true));
    }
}
