//! Which network addresses a host name may lead to.
//!
//! A name on the list can be pointed anywhere by whoever runs its DNS, also between two look-ups, so the addresses are checked
//! in the resolver itself: what is connected to is what was checked. Addresses written as such never come here; they are
//! spoken to only if the operator listed them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::origin::HostList;

/// What an address is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anybody's.
    Public,
    /// This machine or the operator's own network: only under a name that the operator listed.
    Private,
    /// Where no ConnectWise can be: link-local (cloud metadata), multicast, reserved.
    Never,
}

/// The resolver of the one HTTP client: asks another one, and judges what it says.
pub(crate) struct Resolver {
    pub(crate) hosts: HostList,
    pub(crate) names: Arc<dyn Resolve>,
}

/// The system's own look-up.
pub(crate) struct SystemNames;

/// A name leads where it must not.
#[derive(Debug, thiserror::Error)]
#[error("{name} leads to the address {address}, which is not a public one")]
pub(crate) struct AddressRefused {
    name: String,
    address: IpAddr,
}

impl Resolve for Resolver {
    fn resolve(&self, asked: Name) -> Resolving {
        let name = asked.as_str().to_owned();
        let listed = self.hosts.lists_name(&name);
        let found = self.names.resolve(asked);
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            check(&name, &found, listed)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl Resolve for SystemNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

/// One bad address spoils all: an attacker answers with a good one beside it.
fn check(name: &str, found: &[SocketAddr], listed: bool) -> Result<(), AddressRefused> {
    let refused = found
        .iter()
        .map(SocketAddr::ip)
        .find(|&ip| match reach(ip) {
            Reach::Public => false,
            Reach::Private => !listed,
            Reach::Never => true,
        });
    match refused {
        Some(address) => Err(AddressRefused {
            name: name.to_owned(),
            address,
        }),
        None => Ok(()),
    }
}

/// Whether a host is written as an address that is never spoken to, not even when listed.
pub(crate) fn is_never_literal(host: &str) -> bool {
    host.trim_matches(['[', ']'])
        .parse()
        .is_ok_and(|ip| reach(ip) == Reach::Never)
}

fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(v4) => reach_v4(v4),
        IpAddr::V6(v6) => reach_v6(v6),
    }
}

/// IANA's special-purpose registry for IPv4.
fn reach_v4(ip: Ipv4Addr) -> Reach {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    if ip.is_loopback() || ip.is_private() || shared {
        return Reach::Private;
    }
    let protocol_assignments = a == 192 && b == 0 && c == 0;
    let benchmarking = a == 198 && (b == 18 || b == 19);
    let relay_anycast = a == 192 && b == 88 && c == 99;
    if a == 0
        || a >= 224
        || ip.is_link_local()
        || ip.is_documentation()
        || protocol_assignments
        || benchmarking
        || relay_anycast
    {
        return Reach::Never;
    }
    Reach::Public
}

/// Only 2000::/3 is public IPv6; every form that carries an IPv4 address is judged by what it carries.
fn reach_v6(ip: Ipv6Addr) -> Reach {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return reach_v4(v4);
    }
    let s = ip.segments();
    if ip.is_loopback() || (s[0] & 0xfe00) == 0xfc00 {
        return Reach::Private;
    }
    let teredo_or_special = s[0] == 0x2001 && s[1] < 0x200;
    let documentation = (s[0] == 0x2001 && s[1] == 0xdb8) || (s[0] == 0x3fff && s[1] < 0x1000);
    let six_to_four = s[0] == 0x2002;
    if (s[0] & 0xe000) != 0x2000 || teredo_or_special || documentation || six_to_four {
        return Reach::Never;
    }
    Reach::Public
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_fall_into_three_classes() {
        let table = [
            ("52.1.2.3", Reach::Public),
            ("2600:1f18::1", Reach::Public),
            ("127.0.0.1", Reach::Private),
            ("127.255.255.254", Reach::Private),
            ("10.0.0.1", Reach::Private),
            ("172.16.0.1", Reach::Private),
            ("172.31.255.255", Reach::Private),
            ("172.32.0.1", Reach::Public),
            ("192.168.1.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("100.128.0.1", Reach::Public),
            ("::1", Reach::Private),
            ("fd00:ec2::254", Reach::Private),
            ("::ffff:127.0.0.1", Reach::Private),
            ("::ffff:169.254.169.254", Reach::Never),
            ("169.254.169.254", Reach::Never),
            ("169.254.170.2", Reach::Never),
            ("0.0.0.0", Reach::Never),
            ("0.1.2.3", Reach::Never),
            ("192.0.0.192", Reach::Never),
            ("192.0.2.1", Reach::Never),
            ("198.18.0.1", Reach::Never),
            ("224.0.0.1", Reach::Never),
            ("240.0.0.1", Reach::Never),
            ("255.255.255.255", Reach::Never),
            ("::", Reach::Never),
            ("::127.0.0.1", Reach::Never),
            ("fe80::1", Reach::Never),
            ("fec0::1", Reach::Never),
            ("ff02::1", Reach::Never),
            ("64:ff9b::a9fe:a9fe", Reach::Never),
            ("2002:7f00:1::", Reach::Never),
            ("2001::1", Reach::Never),
            ("2001:db8::1", Reach::Never),
            ("2001:4860:4860::8888", Reach::Public),
        ];
        for (text, expected) in table {
            assert_eq!(reach(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn one_private_address_beside_a_public_one_refuses_the_name() {
        let public: SocketAddr = "52.1.2.3:0".parse().unwrap();
        let private: SocketAddr = "10.0.0.1:0".parse().unwrap();
        let metadata: SocketAddr = "169.254.169.254:0".parse().unwrap();
        assert!(check("h", &[public], false).is_ok());
        assert!(check("h", &[public, private], false).is_err());
        assert!(check("h", &[public, private], true).is_ok());
        assert!(check("h", &[public, metadata], true).is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_home_resolves_only_when_listed() {
        let resolve = async |hosts| {
            let names = Arc::new(SystemNames);
            let answer = Resolver { hosts, names }
                .resolve("localhost".parse().unwrap())
                .await;
            answer
                .map(|addresses| addresses.count() > 0)
                .map_err(|e| e.to_string())
        };
        let refused = resolve(HostList::default()).await.unwrap_err();
        assert!(refused.contains("not a public one"), "{refused}");
        let listed = HostList::new(["http://localhost:8080"]).unwrap();
        assert_eq!(resolve(listed).await, Ok(true));
    }
}
