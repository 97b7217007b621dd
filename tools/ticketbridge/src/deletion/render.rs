//! What a deletion shows.

use super::remover::Removal;
use crate::output::{details, time};

pub(super) fn removal(removal: &Removal) -> String {
    if removal.is_empty() {
        return "nothing is stored".to_owned();
    }
    let number = |count: usize| (count > 0).then(|| count.to_string());
    let list = |names: &[String]| (!names.is_empty()).then(|| names.join(", "));
    let found = details([
        ("Records of alerts", number(removal.records)),
        ("Parts of snapshots", number(removal.snapshots)),
        ("Outgoing events and queues", number(removal.deliveries)),
        ("Items of the config table", number(removal.config_items)),
        ("Items of the access table", number(removal.access_items)),
        ("Links and sessions", number(removal.sessions)),
        ("Secrets", list(&removal.secrets)),
        ("In the operator's lists", list(&removal.listed)),
    ]);
    let mut lines = vec![found];
    if !removal.open_tickets.is_empty() {
        let tickets: Vec<_> = removal
            .open_tickets
            .iter()
            .map(ToString::to_string)
            .collect();
        lines.push(format!(
            "\nOpen tickets in ConnectWise, which Ticketbridge no longer closes: {}",
            tickets.join(", ")
        ));
    }
    lines.push(match (removal.is_deleted, removal.repeat_after) {
        (false, _) => {
            "\nNothing was deleted. Repeat the command with --yes to delete this.".to_owned()
        }
        (true, Some(at)) => format!(
            "\nAll of this is deleted. Events that were accepted before may still be in the queue: \
             repeat the command after {}. It must find nothing.",
            time(at)
        ),
        (true, None) => "\nAll of this is deleted.".to_owned(),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Removal {
        Removal {
            records: 3,
            deliveries: 5,
            config_items: 2,
            secrets: vec!["ticketbridge/prod/connection/northwind".into()],
            listed: vec!["partner northwind".into()],
            open_tickets: [77, 78].into(),
            ..Removal::default()
        }
    }

    #[test]
    fn a_plan_says_that_nothing_was_deleted() {
        insta::assert_snapshot!(removal(&found()));
        assert_eq!(removal(&Removal::default()), "nothing is stored");
    }

    #[test]
    fn a_deletion_says_when_to_repeat_it() {
        let deleted = Removal {
            is_deleted: true,
            repeat_after: Some("2026-11-22T07:30:00Z".parse().unwrap()),
            ..found()
        };
        insta::assert_snapshot!(removal(&deleted));
    }
}
