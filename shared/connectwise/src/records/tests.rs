use super::*;
use crate::CompanyInfo;

#[test]
fn a_ticket_with_null_and_unknown_members_is_read() {
    let ticket: Ticket = serde_json::from_str(
        r#"{"id":9,"summary":null,"board":{"id":21,"name":"Ops","_info":{"board_href":"x"}},"status":null,
        "company":{"id":250,"identifier":"acme","name":"Acme"},"type":{"id":3},"externalXRef":"","closedFlag":null,
        "customFields":[{"id":1}],"_info":{"dateEntered":"2026-04-01T08:00:00Z","lastUpdated":"yesterday","updatedBy":null}}"#,
    )
    .unwrap();
    assert_eq!(ticket.board.unwrap().name, "Ops");
    assert_eq!(ticket.type_.unwrap().name, "");
    assert_eq!(ticket.company.unwrap().identifier, "acme");
    assert_eq!((ticket.external_xref, ticket.closed_flag), (None, false));
    assert_eq!(
        ticket.info.date_entered.unwrap().to_string(),
        "2026-04-01T08:00:00Z"
    );
    assert_eq!(ticket.info.last_updated, None);

    let bare: Ticket = serde_json::from_str(r#"{"id":9}"#).unwrap();
    assert_eq!(bare.info, RecordInfo::default());
    assert!(serde_json::from_str::<Ticket>(r#"{"summary":"no id"}"#).is_err());
}

#[test]
fn an_absent_or_unknown_level_is_none() {
    let table = [
        (r#""All""#, Level::All),
        (r#""ALL""#, Level::All),
        (r#""My""#, Level::My),
        (r#""None""#, Level::None),
        (r#""Everything""#, Level::None),
        ("null", Level::None),
        ("3", Level::None),
        ("[[]]", Level::None),
    ];
    for (text, expected) in table {
        let json = format!(r#"{{"moduleFunctionName":null,"inquireLevel":{text}}}"#);
        let right: MySecurity = serde_json::from_str(&json).unwrap();
        assert_eq!(right.inquire_level, expected, "{text}");
        assert_eq!(right.add_level, Level::None, "{text}");
    }
    assert!(Level::All > Level::My && Level::My > Level::None);
}

#[test]
fn is_cloud_is_a_boolean_or_a_text() {
    for (text, expected) in [
        ("true", true),
        (r#""True""#, true),
        (r#""False""#, false),
        ("null", false),
    ] {
        let json = format!(r#"{{"IsCloud":{text}}}"#);
        let info: CompanyInfo = serde_json::from_str(&json).unwrap();
        assert_eq!(info.is_cloud, expected, "{text}");
    }
}
