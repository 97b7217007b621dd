//! Which IP addresses a host that others name may have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressClass {
    Public,
    /// This machine or the operator's own network. Allowed only under a name that the operator
    /// listed.
    Private,
    /// No such host can have such an address: link-local (cloud metadata), multicast, reserved.
    Forbidden,
}

/// Whether a host is written as an IP address that is forbidden even if the operator listed it.
#[must_use]
pub fn is_forbidden_literal(host: &str) -> bool {
    host.trim_matches(['[', ']'])
        .parse()
        .is_ok_and(|ip| classify_ip(ip) == AddressClass::Forbidden)
}

pub(crate) fn classify_ip(ip: IpAddr) -> AddressClass {
    match ip {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

/// Follows IANA's special-purpose registry for IPv4.
fn classify_v4(ip: Ipv4Addr) -> AddressClass {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    if ip.is_loopback() || ip.is_private() || shared {
        return AddressClass::Private;
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
        return AddressClass::Forbidden;
    }
    AddressClass::Public
}

/// Only 2000::/3 is public IPv6. An address that carries an IPv4 address has that one's class.
fn classify_v6(ip: Ipv6Addr) -> AddressClass {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return classify_v4(v4);
    }
    let s = ip.segments();
    if ip.is_loopback() || (s[0] & 0xfe00) == 0xfc00 {
        return AddressClass::Private;
    }
    let teredo_or_special = s[0] == 0x2001 && s[1] < 0x200;
    let documentation = (s[0] == 0x2001 && s[1] == 0xdb8) || (s[0] == 0x3fff && s[1] < 0x1000);
    let six_to_four = s[0] == 0x2002;
    if (s[0] & 0xe000) != 0x2000 || teredo_or_special || documentation || six_to_four {
        return AddressClass::Forbidden;
    }
    AddressClass::Public
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_special_range_has_its_class() {
        let table = [
            ("52.1.2.3", AddressClass::Public),
            ("2600:1f18::1", AddressClass::Public),
            ("127.0.0.1", AddressClass::Private),
            ("127.255.255.254", AddressClass::Private),
            ("10.0.0.1", AddressClass::Private),
            ("172.16.0.1", AddressClass::Private),
            ("172.31.255.255", AddressClass::Private),
            ("172.32.0.1", AddressClass::Public),
            ("192.168.1.1", AddressClass::Private),
            ("100.64.0.1", AddressClass::Private),
            ("100.128.0.1", AddressClass::Public),
            ("::1", AddressClass::Private),
            ("fd00:ec2::254", AddressClass::Private),
            ("::ffff:127.0.0.1", AddressClass::Private),
            ("::ffff:169.254.169.254", AddressClass::Forbidden),
            ("169.254.169.254", AddressClass::Forbidden),
            ("169.254.170.2", AddressClass::Forbidden),
            ("0.0.0.0", AddressClass::Forbidden),
            ("0.1.2.3", AddressClass::Forbidden),
            ("192.0.0.192", AddressClass::Forbidden),
            ("192.0.2.1", AddressClass::Forbidden),
            ("198.18.0.1", AddressClass::Forbidden),
            ("224.0.0.1", AddressClass::Forbidden),
            ("240.0.0.1", AddressClass::Forbidden),
            ("255.255.255.255", AddressClass::Forbidden),
            ("::", AddressClass::Forbidden),
            ("::127.0.0.1", AddressClass::Forbidden),
            ("fe80::1", AddressClass::Forbidden),
            ("fec0::1", AddressClass::Forbidden),
            ("ff02::1", AddressClass::Forbidden),
            ("64:ff9b::a9fe:a9fe", AddressClass::Forbidden),
            ("2002:7f00:1::", AddressClass::Forbidden),
            ("2001::1", AddressClass::Forbidden),
            ("2001:db8::1", AddressClass::Forbidden),
            ("2001:4860:4860::8888", AddressClass::Public),
        ];
        for (text, expected) in table {
            assert_eq!(classify_ip(text.parse().unwrap()), expected, "{text}");
        }
    }
}
