//! Rules about queues.

use serde_json::Value;

use crate::template::{Template, attribute_of, list, matches};

pub(crate) fn visibility(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, function) in template.functions() {
        for queue in template.reads(function) {
            let hidden = &template.0["Resources"][queue]["Properties"]["VisibilityTimeout"];
            let hidden = template.default_and_least(hidden);
            let lasts = &function["Properties"]["Timeout"];
            let (longest, shortest) = (template.largest(lasts), template.default_and_least(lasts));
            let (Some((hidden, least)), Some(longest), Some((_, shortest))) =
                (hidden, longest, shortest)
            else {
                wrong.push(format!(
                    "the visibility time-out of {queue}, which {name} reads, is not a number"
                ));
                continue;
            };
            // The default fits every time-out. An operator who lowers both can keep the rule.
            if hidden < 6 * longest {
                wrong.push(format!(
                    "{queue} hides messages for {hidden} s, and {name} may work for {longest} s"
                ));
            }
            if least < 6 * shortest {
                wrong.push(format!(
                    "{queue} may hide messages for {least} s, and {name} works for at least {shortest} s"
                ));
            }
        }
    }
    for name in template.of_type("AWS::Lambda::EventSourceMapping").keys() {
        wrong.push(format!(
            "{name}: write it as an event of the function, where the rule sees it"
        ));
    }
    wrong
}

pub(crate) fn loops(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, function) in template.functions() {
        for queue in template.reads(function) {
            if may_send(template, function, queue) {
                wrong.push(format!("{name} may send to {queue}, which it reads"));
            }
        }
    }
    wrong
}

/// A newer sender may write messages that only a newer consumer can read. Of two functions that send
/// to each other, one is first: until the other is updated, such a message waits in its queue.
pub(crate) fn update_order(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    let depends_on = |function: &Value, before: &str| {
        let others = list(&function["DependsOn"]);
        others.iter().any(|other| *other == before)
    };
    for (consumer, reader) in template.functions() {
        for queue in template.reads(reader) {
            for (sender, writer) in template.functions() {
                let is_ordered = depends_on(writer, consumer) || depends_on(reader, sender);
                if sender != consumer && may_send(template, writer, queue) && !is_ordered {
                    wrong.push(format!(
                        "{sender} sends to {queue}, and may be updated before {consumer}"
                    ));
                }
            }
        }
    }
    wrong
}

fn may_send(template: &Template, function: &Value, queue: &str) -> bool {
    let role = attribute_of(&function["Properties"]["Role"]);
    let statements = template.statements().into_iter();
    statements
        .filter(|(of, _)| Some(*of) == role)
        .any(|(_, statement)| {
            let sends = list(&statement["Action"]).into_iter().any(|action| {
                let pattern = action.as_str().unwrap_or("*");
                ["sqs:SendMessage", "sqs:SendMessageBatch"]
                    .iter()
                    .any(|send| matches(pattern, send))
            });
            // A resource that is no `!GetAtt` may be the queue.
            let to_it = list(&statement["Resource"])
                .into_iter()
                .any(|resource| attribute_of(resource).is_none_or(|name| name == queue));
            sends && to_it
        })
}

pub(crate) fn dead_letters(template: &Template) -> Vec<String> {
    let queues = template.of_type("AWS::SQS::Queue");
    let target = |queue: &Value| {
        let policy = &queue["Properties"]["RedrivePolicy"];
        attribute_of(&policy["deadLetterTargetArn"]).map(str::to_owned)
    };
    let targets: Vec<_> = queues.values().filter_map(|queue| target(queue)).collect();
    let mut wrong = Vec::new();
    for (name, queue) in &queues {
        let is_target = targets.iter().any(|target| target == name);
        match target(queue) {
            None if !is_target => wrong.push(format!("{name} has no dead-letter queue")),
            Some(target) if !queues.contains_key(target.as_str()) => {
                wrong.push(format!(
                    "{name}'s dead-letter queue {target} is not in the template"
                ));
            }
            _ => {}
        }
        if queue["Properties"]["SqsManagedSseEnabled"] != true {
            wrong.push(format!("{name} is not encrypted"));
        }
        // A message keeps its age when it is moved, so a shorter retention could delete it at once.
        if is_target && queue["Properties"]["MessageRetentionPeriod"] != 1_209_600 {
            wrong.push(format!(
                "{name} does not keep dead letters for 14 days, the maximum"
            ));
        }
    }
    wrong
}
