use super::*;

fn list() -> HostList {
    HostList::new(["http://127.0.0.1:8080", "https://psa.msp.example"]).unwrap()
}

#[test]
fn a_pasted_address_becomes_the_origin_of_the_api() {
    let na = "https://api-na.myconnectwise.net";
    let table = [
        ("na.myconnectwise.net", na),
        ("https://na.myconnectwise.net", na),
        ("https://na.myconnectwise.net/", na),
        (" https://na.myconnectwise.net \n", na),
        ("HTTPS://NA.MyConnectWise.NET", na),
        ("https://na.myconnectwise.net:443/", na),
        (
            "https://na.myconnectwise.net/v4_6_release/ConnectWise.aspx?x=a@b#c",
            na,
        ),
        ("api-na.myconnectwise.net", na),
        ("https://api-na.myconnectwise.net/v4_6_release/apis/3.0", na),
        ("eu.myconnectwise.net", "https://api-eu.myconnectwise.net"),
        ("au.myconnectwise.net", "https://api-au.myconnectwise.net"),
        ("aus.myconnectwise.net", "https://api-aus.myconnectwise.net"),
        ("za.myconnectwise.net", "https://api-za.myconnectwise.net"),
        (
            "staging.connectwisedev.com",
            "https://api-staging.connectwisedev.com",
        ),
        (
            "sandbox-eu.myconnectwise.net",
            "https://sandbox-eu.myconnectwise.net",
        ),
        ("psa.msp.example", "https://psa.msp.example"),
        ("https://psa.msp.example/login", "https://psa.msp.example"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
    ];
    for (pasted, expected) in table {
        let origin = list().site(pasted);
        assert_eq!(origin.unwrap().as_str(), expected, "{pasted}");
    }
}

#[test]
fn an_address_that_is_too_long_is_refused() {
    let long = format!("https://na.myconnectwise.net/{}", "x".repeat(MAX_PASTED));
    let result = list().site(&long);
    assert!(
        matches!(result, Err(HostError::NotAnAddress { .. })),
        "{result:?}"
    );
}

#[test]
fn a_refusal_says_what_to_correct() {
    let table = [
        (
            "http://na.myconnectwise.net",
            "api-na.myconnectwise.net must be reached by https",
        ),
        ("", "this is not a web address: it is empty"),
        (
            "ftp://na.myconnectwise.net",
            "this is not a web address: it must begin with https://",
        ),
        (
            "https://na.myconnectwise.net@evil.example",
            "this is not a web address: it has a user name in it",
        ),
        (
            "https://na.myconnectwise.net.",
            "this is not a web address: its host ends with a dot",
        ),
        (
            "https://n\u{430}.myconnectwise.net",
            "this is not a web address: its host has letters outside a-z; look-alikes are refused",
        ),
        (
            "http://0177.0.0.1",
            "this is not a web address: its host is not spelt in the usual way",
        ),
        (
            "https://evil.example/x",
            "https://evil.example is neither a ConnectWise cloud nor a server that the operator of this service has listed",
        ),
    ];
    for (pasted, expected) in table {
        let error = list().site(pasted).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn only_listed_origins_and_api_hosts_are_allowed() {
    let table = [
        ("https://api-na.myconnectwise.net", true),
        ("https://psa.msp.example", true),
        ("http://127.0.0.1:8080", true),
        ("http://api-na.myconnectwise.net", false),
        ("https://na.myconnectwise.net", false),
        ("http://psa.msp.example", false),
        ("http://127.0.0.1:8081", false),
        ("https://evil.example", false),
    ];
    for (text, expected) in table {
        let origin = Origin::parse(text).unwrap();
        assert_eq!(list().check(&origin).is_ok(), expected, "{text}");
    }
}

#[test]
fn a_site_that_a_response_names_is_checked_too() {
    let (local, na) = ("http://127.0.0.1:8080", "https://api-na.myconnectwise.net");
    for (origin, named, expected) in [
        (local, "127.0.0.1:8080", Ok(Some(local))),
        (local, " ", Ok(None)),
        (local, "psa.msp.example", Err(())),
        (na, "na.myconnectwise.net", Ok(Some(na))),
        (na, "https://api-na.myconnectwise.net/", Ok(Some(na))),
        (
            na,
            "eu.myconnectwise.net",
            Ok(Some("https://api-eu.myconnectwise.net")),
        ),
        (na, "psa.msp.example", Ok(Some("https://psa.msp.example"))),
        (na, "127.0.0.1:8080", Err(())),
        (na, "http://na.myconnectwise.net", Err(())),
        (na, "169.254.169.254", Err(())),
        (na, "evil.example", Err(())),
        (na, "na.myconnectwise.net@evil.example", Err(())),
    ] {
        let found = list().named_by(&Origin::parse(origin).unwrap(), named);
        let found = found.map(|origin| origin.map(String::from)).map_err(drop);
        assert_eq!(
            found,
            expected.map(|some| some.map(str::to_owned)),
            "{origin} {named}"
        );
    }
}

#[test]
fn a_cloud_is_known_by_its_api_host() {
    for (origin, expected) in [
        ("https://api-na.myconnectwise.net", true),
        ("https://sandbox-eu.myconnectwise.net", true),
        ("http://api-na.myconnectwise.net", false),
        ("https://na.myconnectwise.net", false),
        ("https://api-na.myconnectwise.net:8443", false),
        ("https://psa.msp.example", false),
    ] {
        assert_eq!(
            Origin::parse(origin).unwrap().is_cloud(),
            expected,
            "{origin}"
        );
    }
}

#[test]
fn only_whole_origins_can_be_listed() {
    for good in [
        "https://a.example",
        "https://A.example:443/",
        "http://[::1]:1",
    ] {
        assert!(HostList::new([good]).is_ok(), "{good}");
    }
    let table = [
        "",
        "*",
        "a.example",
        "https://*.example",
        "https://a.example/path",
        "https://a.example?q",
        "https://a.example//",
        "https://u@a.example",
        "ftp://a.example",
        "http://169.254.169.254",
        "http://[fe80::1]",
        "http://0.0.0.0:8080",
        "http://psa.msp.example",
        "http://psa.msp.example:443",
        "http://10.1.2.3:8080",
        "HTTP://api-na.myconnectwise.net",
    ];
    for bad in table {
        assert!(HostList::new([bad]).is_err(), "{bad}");
    }
    let open = HostList::new(["https://a.example", "http://psa.msp.example"]);
    assert_eq!(
        open.unwrap_err().to_string(),
        r#""http://psa.msp.example" is not https, and keys are sent there"#
    );
}

#[test]
fn an_origin_is_stored_as_text_and_checked_when_read() {
    let origin: Origin = serde_json::from_str(r#""https://API-na.myconnectwise.net/""#).unwrap();
    assert_eq!(
        serde_json::to_string(&origin).unwrap(),
        r#""https://api-na.myconnectwise.net""#
    );
    assert!(serde_json::from_str::<Origin>(r#""https://a.example/x""#).is_err());
}

#[test]
fn the_resolver_knows_listed_names_without_their_ports() {
    let hosts = HostList::new([
        "http://localhost:8080",
        "http://[::1]:8080",
        "https://a.example",
    ]);
    let hosts = hosts.unwrap();
    assert_eq!(hosts.listed_names(), ["localhost", "[::1]", "a.example"]);
}
