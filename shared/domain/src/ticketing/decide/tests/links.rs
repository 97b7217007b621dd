//! Links of tickets to the configuration of their device.

use super::*;
use crate::setup::rights;
use crate::setup::ticket_links::TicketLinks;
use crate::ticketing::write_effect::{end_lost_link, postpone_link};

/// A raise of an alert of a device.
fn of_device(second: i64) -> Event {
    let mut of_device = particulars(Severity::Medium, Category::Operations);
    of_device.payload.device = Some("srv-01".to_owned());
    event(second, AlertChange::Raised(of_device))
}

fn linking(configuration: bool) -> ConnectionView {
    let mut view = view();
    let connection = view.connection.as_mut().unwrap();
    connection.settings.links = TicketLinks {
        configuration,
        contact: false,
    };
    view
}

/// The claim with which the ticket of the alert is created.
fn creating(record: &Record, view: &ConnectionView) -> Claim {
    let Decision::Write(create) = next_in(record, view, 2) else {
        panic!()
    };
    let id = ClaimId::parse("c-1").unwrap();
    create.claim(record, id, 1, at(2), at(60)).unwrap()
}

/// The alert with a new ticket.
fn created(view: &ConnectionView) -> Record {
    let record = folded(&[of_device(1)]);
    let claim = creating(&record, view);
    record.with_created(OpenTicket::new(77, Some(2), &claim, at(10)), &claim)
}

fn link() -> Decision {
    Decision::Write(TicketWrite::Link {
        ticket_id: 77,
        company: 19,
        device: "srv-01".to_owned(),
    })
}

#[test]
fn a_new_ticket_of_a_device_is_linked_if_the_partner_chose_that() {
    let on = linking(true);
    let linked = created(&on);
    assert_eq!(next_in(&linked, &on, 11), link());
    let off = linking(false);
    assert_eq!(
        next_in(&created(&off), &off, 11),
        Decision::Nothing(Idle::UpToDate)
    );
    // The choice was taken back, or the alert has no device.
    let nothing = Decision::Nothing(Idle::UpToDate);
    assert_eq!(next_in(&linked, &off, 11), nothing);
    let without = folded(&[raised(1)]);
    assert!(!creating(&without, &on).links_configuration);
    // A ticket from before the choice is not linked.
    let old = folded(&[of_device(1)]).with_open(open());
    assert_eq!(next_in(&old, &on, 11), nothing);
}

#[test]
fn a_link_comes_last_and_blocks_nothing() {
    let on = linking(true);
    let record = created(&on);
    let repeated = fold(record.clone(), &of_device(12));
    assert!(matches!(
        next_in(&repeated, &on, 13),
        Decision::Write(TicketWrite::Note { .. })
    ));
    let resolved = fold(record.clone(), &resolved(12));
    assert!(matches!(
        next_in(&resolved, &on, 13),
        Decision::Write(TicketWrite::Note { .. })
    ));
    let mut without_right = linking(true);
    let missing = &mut without_right.breaker.missing_rights;
    missing.insert(rights::TICKETS_EDIT.to_owned());
    let mut paused = linking(true);
    paused.breaker.paused_until = Some(at(100));
    let broken = ConnectionView {
        breaker: broken(),
        ..linking(true)
    };
    for view in [without_right, paused, broken] {
        assert_eq!(
            next_in(&record, &view, 11),
            Decision::Nothing(Idle::UpToDate)
        );
    }
}

#[test]
fn a_link_whose_outcome_is_unknown_is_made_again_later_until_the_ticket_is_a_day_old() {
    let on = linking(true);
    let record = created(&on);
    let Decision::Write(write) = next_in(&record, &on, 11) else {
        panic!()
    };
    let id = ClaimId::parse("c-2").unwrap();
    let claim = write.claim(&record, id, 1, at(11), at(30)).unwrap();
    let claimed = record.clone().with_claim(claim.clone());
    // Its worker may be at work until the claim ends. Then nothing is looked up.
    assert_eq!(end_lost_link(claimed.clone(), at(29)), claimed);
    assert_eq!(next_in(&claimed, &on, 29), Decision::Wait { until: at(30) });
    let ended = end_lost_link(claimed.clone(), at(30));
    assert_eq!(ended.claim, None);
    assert_eq!(next_in(&ended, &on, 31), Decision::Nothing(Idle::UpToDate));
    let again = at(30 + 15 * 60);
    assert_eq!(ended.open().unwrap().link_at, Some(again));
    assert_eq!(next_in(&ended, &on, 31 + 15 * 60), link());

    let linked = apply_effect(claimed, &claim, &WriteEffect::Linked, at(20));
    assert_eq!(
        (&linked.claim, linked.open().unwrap().link_at),
        (&None, None)
    );
    let old = postpone_link(record, at(24 * 3600));
    assert_eq!(old.open().unwrap().link_at, None);
}

#[test]
fn a_link_of_another_worker_changes_no_other_claim() {
    let on = linking(true);
    let noting = created(&on).with_claim(claim(Op::Note(NoteKind::Repeats)));
    assert_eq!(end_lost_link(noting.clone(), at(10_000)), noting);
}
