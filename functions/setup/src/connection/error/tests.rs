use std::collections::BTreeSet;

use super::*;

#[test]
fn each_error_has_its_own_words_and_status() {
    let origin = || Origin::parse("https://psa.msp.example").unwrap();
    let company_id = || "acme".to_owned();
    let host = || HostError::Insecure {
        host: "h".to_owned(),
    };
    let all = [
        ConnectionError::NotAnAddress(host()),
        ConnectionError::HostNotAllowed(host()),
        ConnectionError::ServedElsewhere(host()),
        ConnectionError::HostUnknown { origin: origin() },
        ConnectionError::AddressRefused { origin: origin() },
        ConnectionError::CompanyUnknown {
            origin: origin(),
            company_id: company_id(),
        },
        ConnectionError::CompanyOrSiteWrong {
            origin: origin(),
            company_id: company_id(),
        },
        ConnectionError::NotConnectWise { origin: origin() },
        ConnectionError::KeysRefused,
        ConnectionError::CompanyOrKeysRefused,
        ConnectionError::OwnClientIdRefused,
        ConnectionError::ClientIdRefused,
        ConnectionError::Down { origin: origin() },
        ConnectionError::DownOrCompanyUnknown { origin: origin() },
        ConnectionError::Throttled {
            after: Duration::from_secs(30),
        },
        ConnectionError::NoKeys,
        ConnectionError::Internal,
    ];
    let words: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    let codes: BTreeSet<_> = all.iter().map(ConnectionError::code).collect();
    assert_eq!((words.len(), codes.len()), (all.len(), all.len()));
    for err in all {
        let (field, is_temporary) = (err.field(), err.is_temporary());
        let problem = Problem::from(err.clone());
        assert_eq!(problem.field.as_deref(), field, "{err}");
        let expected = if is_temporary { 503 } else { 422 };
        assert_eq!(problem.status.as_u16(), expected, "{err}");
    }
}
