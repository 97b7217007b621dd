//! Throttling by DynamoDB or Secrets Manager: the work is done later, and nothing is left half done.

use crate::environment::{TestEnvironment, raised_event};
use crate::proxy::Refused;

#[tokio::test]
async fn a_refused_aws_call_is_retried_and_done_once() {
    for (what, but_for) in [
        // Reads of the record and of the configuration.
        ("BatchGetItem", 0),
        ("BatchGetItem", 1),
        // The claim, or the call's outcome. The first write makes the partner due.
        ("UpdateItem", 0),
        ("UpdateItem", 1),
        ("UpdateItem", 2),
        // The keys, or the client id.
        ("GetSecretValue", 0),
        ("GetSecretValue", 1),
    ] {
        let mut env = TestEnvironment::new().await;
        let proxy = env.proxy().await;
        let worker = proxy.count(None);
        let config = env.config_through(&worker, &proxy).await;
        let aws = env.account.sdk_config_through(&proxy.origin, &worker);
        env.worker.app = tickets::TicketsHandler::build(&config, &aws).unwrap();
        let raised = env.post_and_take(&[raised_event("e1", "a1", 0)]).await;
        proxy.refuse(Some(Refused { what, but_for }));
        let back = env.worker.handle_at(raised, 0).await;
        assert_eq!(back.len(), 1, "{what} but for {but_for}");
        proxy.refuse(None);
        env.worker.handle_until_done(back, 11, 1).await;
        let record = env.record("a1").await.unwrap();
        assert!(
            record.open().is_some(),
            "{what} but for {but_for}: {record:?}"
        );
        let tickets = env.connectwise.tickets().await.len();
        assert_eq!(tickets, 1, "{what} but for {but_for}");
    }
}
