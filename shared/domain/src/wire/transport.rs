//! Whether an address is protected against eavesdropping.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Whether an address is https, or leads to this machine. Keys, links and alerts are sent only to
/// protected addresses. An address that is not plain, such as one with a user name, is not
/// protected.
#[must_use]
pub fn is_protected(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || authority.contains(['@', '\\']) {
        return false;
    }
    match scheme {
        "https" => true,
        "http" => is_this_machine(host(authority)),
        _ => false,
    }
}

fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    }
}

fn is_this_machine(host: &str) -> bool {
    let v6 = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match v6 {
        Some(address) => address.parse().is_ok_and(|ip: Ipv6Addr| ip.is_loopback()),
        None => host == "localhost" || host.parse().is_ok_and(|ip: Ipv4Addr| ip.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_protected() {
        for protected in [
            "https://psa.example",
            "https://psa.example:8443/v1/events/{source}",
            "https://127.0.0.1",
            "http://127.0.0.1:8080",
            "http://127.8.9.10/x",
            "http://[::1]:4566",
            "http://localhost",
            "http://localhost:4566/000000000000/events",
        ] {
            assert!(is_protected(protected), "{protected}");
        }
        for open in [
            "",
            "https://",
            "https:///x",
            "psa.example",
            "http://psa.example",
            "http://psa.example:443",
            "http://10.0.0.1",
            "http://128.0.0.1",
            "http://0.0.0.0:80",
            "http://[::2]",
            "http://[::ffff:10.0.0.1]",
            "http://127.0.0.1.psa.example",
            "http://127.1",
            "http://2130706433",
            "http://localhost.psa.example",
            "http://psa.example#@localhost",
            "http://localhost@psa.example",
            "http://localhost:80@psa.example",
            "http://psa.example\\@localhost",
            "ftp://localhost",
            "HTTP://psa.example",
            "http:localhost",
        ] {
            assert!(!is_protected(open), "{open}");
        }
    }
}
