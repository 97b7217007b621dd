//! The requests of the ticket writer.

use domain::setup::assignment::Assignee;
use domain::setup::custom_fields::FilledField;

use super::server::{Play, Server, answer, sent, within};
use super::{TICKET, new_ticket};
use crate::{Error, NewNote, NewTicket, NoteDisplay};

#[tokio::test]
async fn the_requests_of_the_ticket_writer() {
    let note = r#"{"id":3,"text":"n","internalAnalysisFlag":true}"#;
    let tickets = (0..6).map(|_| Play::Answer(answer(200, TICKET)));
    let notes = (0..5).map(|_| Play::Answer(answer(201, note)));
    let server = Server::start(tickets.chain(notes)).await;
    let writer = server.client().ticket_writer();

    let minimal = NewTicket {
        estimated_start_date: "2026-04-01T08:00:00.987Z".parse().unwrap(),
        initial_description: "line\nline".to_owned(),
        ..new_ticket()
    };
    let complete = NewTicket {
        board: Some(21),
        status: Some(17),
        type_: Some(3),
        sub_type: Some(31),
        item: Some(32),
        priority: Some(8),
        source: Some(9),
        contact: Some(77),
        assignee: Assignee {
            team: Some(41),
            owner: Some(151),
        },
        custom_fields: vec![
            FilledField {
                id: 1,
                value: "SRV-01".into(),
            },
            FilledField {
                id: 3,
                value: true.into(),
            },
        ],
        ..new_ticket()
    };
    writer.create(&minimal, within(2_000)).await.unwrap();
    writer.create(&complete, within(2_000)).await.unwrap();
    writer.set_status(7, 17, within(2_000)).await.unwrap();
    writer.close(7, 18, within(2_000)).await.unwrap();
    writer.set_priority(7, 8, within(2_000)).await.unwrap();
    writer
        .link_configuration(7, 77, within(2_000))
        .await
        .unwrap();
    for display in [
        NoteDisplay::Internal,
        NoteDisplay::Discussion,
        NoteDisplay::Resolution,
        NoteDisplay::InternalAndResolution,
        NoteDisplay::DiscussionAndResolution,
    ] {
        let new = NewNote {
            text: format!("{display:?}"),
            display,
        };
        let note = writer.add_note(7, &new, within(2_000)).await.unwrap();
        assert!(note.internal_analysis_flag && !note.detail_description_flag);
    }
    insta::assert_snapshot!(sent(&server));
}

#[tokio::test]
async fn a_refused_close_names_the_right_to_close() {
    let body = r#"{"code":"Security","message":"You do not have security permission to perform this action."}"#;
    let server = Server::start([Play::Answer(answer(403, body))]).await;
    let writer = server.client().ticket_writer();
    let close = writer.close(7, 18, within(2_000)).await.unwrap_err();
    assert_eq!(
        close,
        Error::MissingRight {
            right: "close_service_tickets.edit"
        }
    );
    let edit = writer.set_status(7, 17, within(2_000)).await.unwrap_err();
    assert_eq!(
        edit,
        Error::MissingRight {
            right: "service_tickets.edit"
        }
    );
    let boards = server.client().boards(within(2_000)).await.unwrap_err();
    assert_eq!(
        boards,
        Error::MissingRight {
            right: "table_setup.inquire"
        }
    );
}
