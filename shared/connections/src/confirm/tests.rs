use domain::setup::rights::TICKETS_ADD;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn read(outcome: Result<Vec<MySecurity>, Error>) -> PlainRead {
    PlainRead {
        began: at(10),
        outcome,
    }
}

fn listed(add: &str) -> Result<Vec<MySecurity>, Error> {
    let row = serde_json::json!({
        "moduleFunctionName": "Service Tickets", "addLevel": add, "inquireLevel": "All"
    });
    Ok(vec![serde_json::from_value(row).unwrap()])
}

fn right(named: bool) -> Suspicion {
    Suspicion::Right {
        right: TICKETS_ADD,
        named,
    }
}

#[test]
fn a_right_is_missing_unless_the_list_contradicts() {
    let missing = || RefusalScope::Connection(Error::MissingRight { right: TICKETS_ADD });
    for (outcome, named, expected) in [
        (listed("None"), true, missing()),
        (listed("None"), false, missing()),
        (listed("My"), false, missing()),
        (Ok(vec![]), true, missing()),
        (Ok(vec![]), false, RefusalScope::CallAlone),
        (listed("All"), true, RefusalScope::CallAlone),
        (listed("All"), false, RefusalScope::CallAlone),
    ] {
        let read = read(outcome);
        assert_eq!(read.scope_of(right(named)), expected, "{named} {read:?}");
    }
}

#[test]
fn an_error_of_the_read_is_one_of_the_connection() {
    let page = || Error::NotRouted {
        status: 403,
        words: "a web page".into(),
    };
    for suspicion in [Suspicion::Keys, Suspicion::Route, right(true), right(false)] {
        for err in [Error::KeysRefused, page()] {
            let scope = read(Err(err.clone())).scope_of(suspicion);
            assert_eq!(scope, RefusalScope::Connection(err));
        }
        let late = read(Err(Error::DeadlineTooShort)).scope_of(suspicion);
        assert_eq!(late, RefusalScope::Later(RETRY_DELAY));
    }
    for suspicion in [Suspicion::Keys, Suspicion::Route] {
        assert_eq!(
            read(Ok(vec![])).scope_of(suspicion),
            RefusalScope::CallAlone
        );
    }
}

#[test]
fn keys_refused_after_a_good_read_need_another_read() {
    for (suspicion, began, outcome, enough) in [
        (Suspicion::Keys, 9, Ok(vec![]), true),
        (Suspicion::Keys, 10, Ok(vec![]), true),
        (Suspicion::Keys, 11, Ok(vec![]), false),
        (Suspicion::Keys, 11, Err(Error::KeysRefused), true),
        (Suspicion::Route, 11, Ok(vec![]), true),
        (right(false), 11, Ok(vec![]), true),
    ] {
        let refused = RefusedCall {
            suspicion,
            began: at(began),
        };
        let is_enough = read(outcome).is_recent_enough(refused);
        assert_eq!(is_enough, enough, "{refused:?}");
    }
}
