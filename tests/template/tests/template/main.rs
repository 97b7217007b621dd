//! Rules that `infra/template.yaml` must keep. They apply to all resources of a type, so a new
//! function, queue, table or route has to keep them without being named here. The linters know
//! AWS; these rules know Ticketbridge.
#![cfg(test)]

mod monitoring;
mod mutations;
mod names;
mod parameters;
mod permissions;
mod queues;
mod routes;
mod storage;
mod template;

use std::collections::BTreeMap;

use template::Template;

/// Returns the violations.
type Rule = fn(&Template) -> Vec<String>;

const RULES: [(&str, Rule); 16] = [
    (
        "a message stays hidden for six time-outs",
        queues::visibility,
    ),
    (
        "no function sends to the queue that it reads",
        queues::loops,
    ),
    (
        "the consumer of a queue is updated before its senders",
        queues::update_order,
    ),
    ("every queue has a dead-letter queue", queues::dead_letters),
    ("permissions name their resources", permissions::permissions),
    (
        "every function and schedule has a role of its own",
        permissions::roles,
    ),
    (
        "every log has a retention and belongs to one function",
        storage::logs,
    ),
    ("tables are encrypted, backed up and kept", storage::tables),
    (
        "what is stored about people ends after a number of days that the operator chooses",
        storage::retention,
    ),
    (
        "the template says the version of its functions",
        storage::version,
    ),
    (
        "a stack's name that the documents allow fits into all names",
        names::stack_name,
    ),
    ("every open route is known", routes::routes),
    ("mails come from one address", permissions::sender),
    (
        "an alarm says what it means and notifies the operator",
        monitoring::alarms,
    ),
    (
        "alarms, dashboard and code name the same metrics",
        monitoring::metrics,
    ),
    (
        "only set-up writes who may act for which partner",
        permissions::access_table,
    ),
];

/// Tests run in their package's folder.
fn text() -> String {
    std::fs::read_to_string("../../infra/template.yaml").unwrap()
}

/// The rules that a template breaks, each with its violations.
fn broken_rules(text: &str) -> BTreeMap<&'static str, Vec<String>> {
    let template = Template::read(text);
    RULES
        .iter()
        .map(|(name, rule)| (*name, rule(&template)))
        .filter(|(_, wrong)| !wrong.is_empty())
        .collect()
}

#[test]
fn the_template_keeps_every_rule() {
    assert_eq!(broken_rules(&text()), BTreeMap::new());
    let template = Template::read(&text());
    // A rule without resources holds too, so check that there are some.
    for (kind, least) in [
        ("AWS::Serverless::Function", 5),
        ("AWS::Scheduler::Schedule", 2),
        ("AWS::IAM::Role", 7),
        ("AWS::SQS::Queue", 2),
        ("AWS::DynamoDB::Table", 3),
        ("AWS::Logs::LogGroup", 6),
        ("AWS::ApiGatewayV2::Route", 4),
    ] {
        assert!(template.of_type(kind).len() >= least, "{kind}");
    }
    let read: Vec<_> = template
        .functions()
        .into_values()
        .flat_map(|function| template.reads(function))
        .collect();
    assert_eq!(read, ["DeliveryQueue", "EventQueue"]);
    for (open, _) in routes::OPEN_ROUTES {
        assert!(
            text().contains(open),
            "{open} is listed as open, but is no route"
        );
    }
}
