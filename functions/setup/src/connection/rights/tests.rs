use domain::setup::rights::RightNeed;
use serde_json::json;

use super::*;
use crate::connection::test_site::TestSite;

#[tokio::test]
async fn rights_are_read_from_the_list_and_my_is_missing() {
    let site = TestSite::new().await;
    assert!(
        site.rights()
            .await
            .iter()
            .all(|(_, is)| *is == RightStatus::Granted)
    );
    site.faults(json!({
        "missing_rights": ["table_setup.add", "close_service_tickets.edit"],
        "variants": { "rights_at_my": ["service_tickets.inquire"] },
    }))
    .await;
    let missing: Vec<_> = site.rights().await;
    let missing = missing.iter().filter(|(_, is)| *is == RightStatus::Missing);
    let missing: Vec<_> = missing.map(|(right, _)| *right).collect();
    assert_eq!(
        missing,
        [
            rights::TICKETS_INQUIRE,
            rights::TICKETS_CLOSE,
            rights::TABLES_ADD
        ]
    );
}

#[tokio::test]
async fn rights_that_are_not_listed_are_found_by_reading_a_row() {
    let site = TestSite::new().await;
    for listing in [
        json!({ "my_security": "refused" }),
        json!({ "my_security_names": "absent" }),
    ] {
        let missing = [
            "member_maintenance.inquire",
            "table_setup.inquire",
            "service_tickets.add",
            "contacts.inquire",
        ];
        site.faults(json!({ "missing_rights": missing, "variants": listing }))
            .await;
        let of = site.rights().await;
        let of = |right| of.iter().find(|(of, _)| *of == right).unwrap().1;
        for (right, expected) in [
            (rights::COMPANIES_INQUIRE, RightStatus::Granted),
            (rights::TICKETS_INQUIRE, RightStatus::Granted),
            (rights::MY_COMPANY_INQUIRE, RightStatus::Granted),
            (rights::MEMBERS_INQUIRE, RightStatus::Missing),
            (rights::TABLES_INQUIRE, RightStatus::Missing),
            (rights::CONFIGURATIONS_INQUIRE, RightStatus::Granted),
            (rights::CONTACTS_INQUIRE, RightStatus::Missing),
            (rights::TICKETS_ADD, RightStatus::NotKnown),
            (rights::TICKETS_CLOSE, RightStatus::NotKnown),
        ] {
            assert_eq!(of(right), expected, "{right} {listing}");
        }
        site.clear_faults().await;
    }
    let required = rights::TABLE
        .iter()
        .filter(|right| right.need == RightNeed::Required);
    assert_eq!(required.count(), 4);
}
