//! A source that sends nothing for a tenant: one mail for all tenants, shown on the page, and over
//! with their next messages.

use domain::setup::mapping::Mapping;
use serde_json::json;

use crate::environment::{COMPANY, TENANT, event, partner, tenant};
use crate::health::source_test::SourceTest;

const QUIET: &str = "Ticketbridge: no messages for 2 tenants (Northwind)";
const ONE: &str = "Ticketbridge: no messages from Scanner for Acme Dental (Northwind)";
const OVER: &str = "Ticketbridge: no tenant is inactive any more (Northwind)";
const GROVE: &str = "grove";

/// An environment with a source whose tenants are inactive after three days.
async fn watched_tenants() -> SourceTest {
    let source = SourceTest::new(json!({ "tenant_inactive_after_days": 3 })).await;
    let grove = Mapping {
        company: Some(COMPANY),
        enabled: true,
        name: Some("Grove".into()),
        ..Mapping::default()
    };
    let tenants = &source.test.env.config.tenants;
    let (partner, id) = (partner(), tenant(GROVE));
    tenants.put(&partner, &id, &grove).await.unwrap();
    source
}

/// Posts an alert of this tenant.
async fn post(source: &mut SourceTest, of: &str, alert: &str) {
    let mut raised = event("alert.raised", "e1", alert, 0);
    raised["data"]["tenant"] = of.into();
    source.post_body(&raised).await;
}

#[tokio::test]
async fn quiet_tenants_are_one_mail_and_their_next_messages_end_it() {
    let mut source = watched_tenants().await;
    post(&mut source, TENANT, "a1").await;
    post(&mut source, GROVE, "g1").await;
    source.wait_hours(71).await;
    assert_eq!(source.subjects().await, [""; 0]);

    source.wait_hours(26).await;
    assert_eq!(source.subjects().await, [QUIET]);
    source
        .test
        .assert_text(&[
            "The sources of Northwind work, but for some tenants nothing has arrived for longer than expected.",
            "- Scanner has sent nothing for Acme Dental since ",
            "- Scanner has sent nothing for Grove since ",
            "What to do: check at the vendor that this customer is still connected.",
        ])
        .await;
    let overview = source.overview().await;
    let shown = &overview["live"]["inactive_tenants"][0];
    assert_eq!(shown["name"], "Scanner", "{overview}");
    assert_eq!(shown["tenants"][0]["name"], "Acme Dental", "{overview}");
    assert_eq!(overview["live"]["incidents"], json!([]), "{overview}");
    source.test.minutes(20).await;
    assert_eq!(source.subjects().await, [QUIET]);

    post(&mut source, TENANT, "a2").await;
    post(&mut source, GROVE, "g2").await;
    source.test.minutes(20).await;
    assert_eq!(source.subjects().await, [QUIET, OVER]);
    assert_eq!(
        source.overview().await["live"]["inactive_tenants"],
        json!([])
    );
}

#[tokio::test]
async fn a_tenant_that_is_off_or_of_a_quiet_source_is_not_named() {
    let mut source = watched_tenants().await;
    post(&mut source, TENANT, "a1").await;
    post(&mut source, GROVE, "g1").await;
    let tenants = &source.test.env.config.tenants;
    let (partner, id) = (partner(), tenant(GROVE));
    let grove = tenants.get(&partner, &id).await.unwrap();
    let mapping = Mapping {
        enabled: false,
        ..grove.value.unwrap()
    };
    // The messages changed no version, and a person's change keeps their days.
    let saved = tenants.save(&partner, &id, &mapping, grove.version).await;
    assert!(matches!(saved, Ok(store::SaveOutcome::Saved { .. })));
    assert_eq!(tenants.last_sent(&partner).await.unwrap().len(), 2);
    source.wait_hours(97).await;
    assert_eq!(source.subjects().await, [ONE]);
    // Once the whole source is inactive, that is the issue.
    source.change(&json!({ "inactive_after_hours": 48 })).await;
    source.wait_hours(1).await;
    source.wait_hours(1).await;
    let overview = source.overview().await;
    assert_eq!(
        overview["live"]["inactive_tenants"],
        json!([]),
        "{overview}"
    );
    assert_eq!(
        overview["live"]["inactive"][0]["name"], "Scanner",
        "{overview}"
    );
    for wrong in [json!(0), json!(366), json!("3")] {
        let change = json!({ "tenant_inactive_after_days": wrong });
        let setup = &source.test.env.setup;
        let refused = setup.operator("PATCH", &source.path(), &change).await;
        let problem = refused.expect(422).json();
        assert_eq!(problem["field"], "tenant_inactive_after_days", "{problem}");
    }
}
