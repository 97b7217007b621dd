//! The requests about callbacks, and what is read of their responses.

use domain::connection::callbacks::FoundCallback;
use domain::setup::rights;

use super::server::{Play, Server, answer, sent, within};
use crate::Error;

const ADDRESS: &str = "https://tickets.example/v1/callbacks/acme/t?recordId=";
const FORBIDDEN: &str = r#"{"code":"Security","message":"You do not have security permission to perform this action."}"#;

#[tokio::test]
async fn the_requests_about_callbacks() {
    let answers = [
        answer(200, "[]"),
        answer(201, r#"{"id":7}"#),
        answer(204, ""),
    ];
    let server = Server::start(answers.map(Play::Answer)).await;
    let client = server.client();
    client.callbacks(within(2_000)).await.unwrap();
    let writer = client.callback_writer();
    writer.create(21, ADDRESS, within(2_000)).await.unwrap();
    writer.delete(7, within(2_000)).await.unwrap();
    insta::assert_snapshot!(sent(&server));
}

#[tokio::test]
async fn only_callbacks_for_tickets_are_read() {
    let list = format!(
        r#"[{{"id":1,"url":"{ADDRESS}","type":"Ticket","level":"Board","objectId":21,"inactiveFlag":null}},
            {{"id":2,"url":null,"type":"ticket","level":"owner","objectId":1,"inactiveFlag":true}},
            {{"id":3,"url":"https://rmm.example/","type":"company","level":"owner","objectId":1}}]"#
    );
    let server = Server::start([Play::Answer(answer(200, &list))]).await;
    let found = server.client().callbacks(within(2_000)).await.unwrap();
    let of_board = FoundCallback {
        id: 1,
        address: ADDRESS.to_owned(),
        board: Some(21),
        is_active: true,
    };
    let of_all = FoundCallback {
        id: 2,
        address: String::new(),
        board: None,
        is_active: false,
    };
    assert_eq!(found, [of_board, of_all]);
}

#[tokio::test]
async fn a_refused_call_names_the_right_to_callbacks() {
    let server = Server::start([Play::Answer(answer(403, FORBIDDEN))]).await;
    let client = server.client();
    let writer = client.callback_writer();
    let errors = [
        client.callbacks(within(2_000)).await.unwrap_err(),
        writer.create(21, ADDRESS, within(2_000)).await.unwrap_err(),
        writer.delete(7, within(2_000)).await.unwrap_err(),
    ];
    let rights = [
        rights::TABLES_INQUIRE,
        rights::TABLES_ADD,
        rights::TABLES_DELETE,
    ];
    assert_eq!(errors, rights.map(|right| Error::MissingRight { right }));
}
