//! The requests of the set-up writer, and the result of a write whose response fails.

use domain::setup::rights;

use super::server::{Play, Server, answer, sent, within};
use crate::{Error, NewBoard, NewStatus, NewTeam};

const FORBIDDEN: &str = r#"{"code":"Security","message":"You do not have security permission to perform this action."}"#;

fn board() -> NewBoard {
    NewBoard {
        name: "Cyber \"Alerts\"".to_owned(),
        location: 2,
        department: 10,
    }
}

fn status(name: &str, sort_order: u32, closed: bool, default: bool) -> NewStatus {
    NewStatus {
        name: name.to_owned(),
        sort_order,
        closed,
        default,
    }
}

fn team() -> NewTeam {
    NewTeam {
        name: "Operations".to_owned(),
        leader: 151,
        members: vec![151, 152],
        default: true,
    }
}

/// The errors of all set-up writes, by what they write.
async fn errors_of_all(server: &Server, millis: u64) -> [(&'static str, Error); 5] {
    let writer = server.client().setup_writer();
    let new = status("New", 10, false, true);
    [
        (
            "board",
            writer
                .create_board(&board(), within(millis))
                .await
                .unwrap_err(),
        ),
        (
            "status",
            writer
                .create_status(7, &new, within(millis))
                .await
                .unwrap_err(),
        ),
        (
            "default",
            writer
                .make_default(7, 11, within(millis))
                .await
                .unwrap_err(),
        ),
        (
            "type",
            writer
                .create_type(7, "CPU", within(millis))
                .await
                .unwrap_err(),
        ),
        (
            "team",
            writer
                .create_team(7, &team(), within(millis))
                .await
                .unwrap_err(),
        ),
    ]
}

#[tokio::test]
async fn the_requests_of_the_setup_writer() {
    let answers = [
        answer(
            201,
            r#"{"id":7,"name":"Cyber","location":{"id":2,"name":"Springfield"},"inactiveFlag":null}"#,
        ),
        answer(
            201,
            r#"{"id":11,"name":"New","sortOrder":10,"defaultFlag":true,"closedStatus":false}"#,
        ),
        answer(
            201,
            r#"{"id":12,"name":"Closed","sortOrder":90,"defaultFlag":null,"closedStatus":true}"#,
        ),
        answer(200, r#"{"id":11,"name":"New","defaultFlag":true}"#),
        answer(
            201,
            r#"{"id":31,"name":"DNS Poisoning","inactiveFlag":false}"#,
        ),
        answer(
            201,
            r#"{"id":41,"name":"Operations","teamLeader":{"id":151,"identifier":"TSmith"},"members":[151],"defaultFlag":true}"#,
        ),
        answer(
            200,
            r#"[{"id":41,"name":"Operations","teamLeader":null,"members":null,"defaultFlag":null}]"#,
        ),
    ];
    let server = Server::start(answers.map(Play::Answer)).await;
    let writer = server.client().setup_writer();

    let made = writer.create_board(&board(), within(2_000)).await.unwrap();
    assert_eq!(
        (made.id, made.location.unwrap().name.as_str()),
        (7, "Springfield")
    );
    let new = status("New", 10, false, true);
    let made = writer.create_status(7, &new, within(2_000)).await.unwrap();
    assert_eq!(
        (made.id, made.default_flag, made.closed_status),
        (11, true, false)
    );
    let closed = status("Closed", 90, true, false);
    let made = writer
        .create_status(7, &closed, within(2_000))
        .await
        .unwrap();
    assert_eq!(
        (made.id, made.default_flag, made.closed_status),
        (12, false, true)
    );
    let made = writer.make_default(7, 11, within(2_000)).await.unwrap();
    assert!(made.default_flag);
    let made = writer
        .create_type(7, "DNS Poisoning", within(2_000))
        .await
        .unwrap();
    assert_eq!((made.id, made.name.as_str()), (31, "DNS Poisoning"));
    let made = writer.create_team(7, &team(), within(2_000)).await.unwrap();
    let leader = made.team_leader.unwrap();
    assert_eq!(
        (made.id, leader.identifier.as_str(), made.members),
        (41, "TSmith", vec![151])
    );
    insta::assert_snapshot!(sent(&server));

    let teams = server.client().board_teams(7, within(2_000)).await.unwrap();
    assert!(
        teams[0].members.is_empty() && !teams[0].default_flag && teams[0].team_leader.is_none()
    );
}

#[tokio::test]
async fn a_refused_write_names_the_right_to_set_up_tables() {
    let server = Server::start([Play::Answer(answer(403, FORBIDDEN))]).await;
    for (write, error) in errors_of_all(&server, 2_000).await {
        let right = match write {
            "default" => rights::TABLES_EDIT,
            _ => rights::TABLES_ADD,
        };
        assert_eq!(error, Error::MissingRight { right }, "{write}");
    }
}

#[tokio::test]
async fn an_unanswered_write_is_sent_once_and_is_uncertain() {
    let unreadable = answer(201, r#"{"name":"no id"}"#);
    for (play, millis) in [
        (Play::Silence, 200),
        (Play::AnswerAndClose(String::new()), 2_000),
        (Play::Answer(unreadable), 2_000),
        (
            Play::Answer(answer(
                500,
                r#"{"code":"ConnectWiseApi","message":"A timeout has occured. Please try again."}"#,
            )),
            2_000,
        ),
    ] {
        let server = Server::start([play]).await;
        for (write, error) in errors_of_all(&server, millis).await {
            assert!(error.classify().is_uncertain(), "{write}: {error:?}");
        }
        assert_eq!(server.requests().len(), 5);
    }
    let server = Server::start([Play::Silence]).await;
    for (write, error) in errors_of_all(&server, 20).await {
        assert_eq!(error, Error::DeadlineTooShort, "{write}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn a_taken_name_and_a_missing_board_are_different_errors() {
    let taken = r#"{"code":"InvalidObject","message":"board object is invalid","errors":[{"code":"ObjectExists","message":"A Board with the name Alerts already exists.","resource":"board","field":"name"}]}"#;
    let server = Server::start([Play::Answer(answer(400, taken))]).await;
    for (write, error) in errors_of_all(&server, 2_000).await {
        assert!(
            matches!(&error, Error::Rejected { words } if words.contains("already exists")),
            "{write}: {error:?}"
        );
        assert!(!error.classify().is_uncertain());
    }
    let missing = r#"{"code":"NotFound","message":"Board 7 not found"}"#;
    let server = Server::start([Play::Answer(answer(404, missing))]).await;
    for (write, error) in errors_of_all(&server, 2_000).await {
        assert!(
            matches!(&error, Error::NotFound { what } if what == "Board 7 not found"),
            "{write}: {error:?}"
        );
    }
}
