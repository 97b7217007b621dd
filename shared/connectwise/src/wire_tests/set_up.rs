//! What set-up writes, byte for byte, and what becomes of a write whose answer fails.

use super::server::{Play, Server, answer, header, within};
use crate::{Error, NewBoard, NewStatus, NewTeam, rights};

const BASE: &str = "/v4_6_release/apis/3.0/service/boards";
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

/// The errors of all writes of set-up, by what they do.
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
async fn a_board_and_its_parts_are_written_with_nothing_but_what_was_asked() {
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
    let teams = server.client().board_teams(7, within(2_000)).await.unwrap();
    assert!(
        teams[0].members.is_empty() && !teams[0].default_flag && teams[0].team_leader.is_none()
    );

    let expected = [
        (
            format!("POST {BASE} "),
            r#"{"name":"Cyber \"Alerts\"","location":{"id":2},"department":{"id":10}}"#,
        ),
        (
            format!("POST {BASE}/7/statuses "),
            r#"{"name":"New","sortOrder":10,"displayOnBoard":true,"closedStatus":false,"defaultFlag":true}"#,
        ),
        (
            format!("POST {BASE}/7/statuses "),
            r#"{"name":"Closed","sortOrder":90,"displayOnBoard":false,"closedStatus":true,"defaultFlag":false}"#,
        ),
        (
            format!("PATCH {BASE}/7/statuses/11 "),
            r#"[{"op":"replace","path":"defaultFlag","value":true}]"#,
        ),
        (
            format!("POST {BASE}/7/types "),
            r#"{"name":"DNS Poisoning"}"#,
        ),
        (
            format!("POST {BASE}/7/teams "),
            r#"{"name":"Operations","teamLeader":{"id":151},"members":[151,152],"defaultFlag":true}"#,
        ),
    ];
    let requests = server.requests();
    for (request, (line, body)) in requests.iter().zip(expected) {
        assert!(request.starts_with(&line), "{request}");
        let (_, sent) = request.split_once("\r\n\r\n").unwrap();
        assert_eq!(sent, body);
        assert_eq!(
            header(request, "content-type").as_deref(),
            Some("application/json")
        );
        assert!(header(request, "authorization").is_some());
    }
    assert!(
        requests[6].starts_with(&format!("GET {BASE}/7/teams?")),
        "{}",
        requests[6]
    );
    assert_eq!(requests.len(), 7);
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
async fn a_write_that_is_not_answered_is_sent_once_and_may_have_been_done() {
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
            assert!(error.may_have_been_done(), "{write}: {error:?}");
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
async fn a_name_that_is_taken_and_a_board_that_is_gone_are_told_apart() {
    let taken = r#"{"code":"InvalidObject","message":"board object is invalid","errors":[{"code":"ObjectExists","message":"A Board with the name Alerts already exists.","resource":"board","field":"name"}]}"#;
    let server = Server::start([Play::Answer(answer(400, taken))]).await;
    for (write, error) in errors_of_all(&server, 2_000).await {
        assert!(
            matches!(&error, Error::Rejected { words } if words.contains("already exists")),
            "{write}: {error:?}"
        );
        assert!(!error.may_have_been_done());
    }
    let gone = r#"{"code":"NotFound","message":"Board 7 not found"}"#;
    let server = Server::start([Play::Answer(answer(404, gone))]).await;
    for (write, error) in errors_of_all(&server, 2_000).await {
        assert!(
            matches!(&error, Error::NotFound { what } if what == "Board 7 not found"),
            "{write}: {error:?}"
        );
    }
}
