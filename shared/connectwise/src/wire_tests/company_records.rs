//! Look-ups of a company's configurations and contacts.

use domain::setup::ticket_links::CompanyRecordName;

use super::server::{Play, Server, answer, sent, within};
use crate::Error;

async fn find(name: &CompanyRecordName, body: &str) -> (Option<u64>, String) {
    let server = Server::start([Play::Answer(answer(200, body))]).await;
    let client = server.client();
    let found = client.company_record(301, name, within(2_000)).await;
    (found.unwrap(), sent(&server))
}

#[tokio::test]
async fn a_configuration_is_found_by_its_name_if_it_is_the_only_active_one() {
    let name = CompanyRecordName::of_device("srv-01 & co").unwrap();
    let row = |id, name: &str, active: &str| {
        format!(r#"{{"id":{id},"name":"{name}","activeFlag":{active}}}"#)
    };
    let (own, old) = (
        row(5, "SRV-01 & Co", "true"),
        row(6, "srv-01 & co", "false"),
    );
    let other = row(7, "srv-01 & co 2", "true");
    let (found, request) = find(&name, &format!("[{own},{old},{other}]")).await;
    assert_eq!(found, Some(5));
    let path = "/company/configurations?conditions=name%3D%22srv-01%20%26%20co%22%20and%20company%2Fid%3D301&fields=id,name,activeFlag&";
    assert!(request.contains(path), "{request}");
    let unknown = row(8, "srv-01 & co", "null");
    let (twice, _) = find(&name, &format!("[{own},{unknown}]")).await;
    assert_eq!(twice, None);
    let (none, _) = find(&name, "[]").await;
    assert_eq!(none, None);
}

#[tokio::test]
async fn a_contact_is_found_by_its_address_if_it_is_the_only_active_one() {
    let name = CompanyRecordName::of_user("anna@acme.example").unwrap();
    let row = |id, inactive: bool, address: &str| {
        format!(
            r#"{{"id":{id},"inactiveFlag":{inactive},"communicationItems":[{{"value":"5550100"}},{{"value":"{address}"}}]}}"#
        )
    };
    let own = row(5, false, "Anna@acme.example");
    let old = row(6, true, "anna@acme.example");
    let other = row(7, false, "hanna@acme.example");
    let (found, request) = find(&name, &format!("[{own},{old},{other}]")).await;
    assert_eq!(found, Some(5));
    let path = "/company/contacts?conditions=company%2Fid%3D301&childConditions=communicationItems%2Fvalue%3D%22anna%40acme.example%22&fields=id,inactiveFlag,communicationItems&";
    assert!(request.contains(path), "{request}");
    let (twice, _) = find(
        &name,
        &format!("[{own},{}]", row(8, false, "anna@acme.example")),
    )
    .await;
    assert_eq!(twice, None);
}

#[tokio::test]
async fn a_refused_look_up_names_its_right() {
    let body = r#"{"code":"Security","message":"You do not have security permission to perform this action."}"#;
    let server = Server::start([Play::Answer(answer(403, body))]).await;
    for (name, right) in [
        (
            CompanyRecordName::of_device("srv-01"),
            "configurations.inquire",
        ),
        (
            CompanyRecordName::of_user("anna@acme.example"),
            "contacts.inquire",
        ),
    ] {
        let (client, name) = (server.client(), name.unwrap());
        let found = client.company_record(301, &name, within(2_000)).await;
        assert_eq!(found.unwrap_err(), Error::MissingRight { right });
    }
}
