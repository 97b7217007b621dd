//! How a note says which claim wrote it, so that a later read finds it.
//!
//! ConnectWise has no idempotency key. After a lost answer only the note's own text shows whether it
//! was written.

use jiff::Timestamp;

use crate::alert::record::{Claim, NoteKind};

/// Who reads a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteAudience {
    Technicians,
    /// Also customers, who would not understand a technical mark.
    Customers,
}

/// The last line of the note that this claim writes. Technicians see the claim's id. Customers see
/// who wrote it and when.
#[must_use]
pub fn note_mark(kind: NoteKind, claim: &Claim, audience: NoteAudience) -> String {
    match audience {
        NoteAudience::Technicians => {
            let kind = match kind {
                NoteKind::Repeats => "repeats",
                NoteKind::Resolved => "resolved",
                NoteKind::Closing => "closing",
                NoteKind::Reopened => "reopened",
                NoteKind::Duplicate => "duplicate",
                NoteKind::Kept => "kept",
                NoteKind::Answer => "answer",
            };
            format!("[tb {kind} {}]", claim.id)
        }
        NoteAudience::Customers => signature(claim.began_at),
    }
}

/// Whether the claim wrote a note with this text. The setting of who reads notes may have changed
/// since, so both marks count.
///
/// A signature has the second in which the claim began. It identifies the claim, because an alert
/// has one claim at a time, and two notes about the same thing are further apart: repeats by the
/// partner's interval, the others by an event and several calls. It must be the end of the text: a
/// source's text is before it.
#[must_use]
pub fn is_note_of(text: &str, kind: NoteKind, claim: &Claim) -> bool {
    let has_mark = text.contains(&note_mark(kind, claim, NoteAudience::Technicians));
    let is_signed = text.trim_end().ends_with(&signature(claim.began_at));
    has_mark || (is_signed && text.trim_start().starts_with(opening(kind)))
}

/// Whether Ticketbridge wrote a note with this text, for any claim.
#[must_use]
pub(crate) fn is_note_text(text: &str) -> bool {
    let text = text.trim();
    let begins = |kind: &NoteKind| text.starts_with(opening(*kind));
    let last_words = text.rsplit_once(['[', '\n', '\r']).map(|(_, last)| last);
    let has_mark = last_words.is_some_and(|last| last.starts_with("tb ") && last.ends_with(']'));
    let is_signed = text
        .rfind(SIGNED)
        .is_some_and(|at| text[at..].len() <= SIGNED.len() + "2026-11-22 07:31:05 UTC.".len());
    NoteKind::ALL.iter().any(begins) && (has_mark || is_signed)
}

const SIGNED: &str = "Written by Ticketbridge at ";

/// ConnectWise's own time of a note is no evidence: its clock may differ from this one.
fn signature(began_at: Timestamp) -> String {
    let at = began_at.strftime("%Y-%m-%d %H:%M:%S UTC");
    format!("{SIGNED}{at}.")
}

/// The words with which each text of [`ticket_text`](crate::ticketing::ticket_text) begins. The two
/// notes about a resolved alert begin with the same words, and either says what the other says.
pub(crate) fn opening(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Repeats => "The alert was repeated",
        NoteKind::Resolved | NoteKind::Closing => "The alert is resolved",
        NoteKind::Reopened => "The alert was raised again",
        NoteKind::Duplicate => "ConnectWise created this ticket late",
        NoteKind::Kept => "ConnectWise created a second ticket",
        NoteKind::Answer => "The source answered",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::op::Op;
    use crate::fixtures::{key, new_claim};
    use crate::{ClaimId, TicketRef};

    const KINDS: [NoteKind; 7] = NoteKind::ALL;

    fn claim(id: &str, began: &str) -> Claim {
        let ticket_ref = TicketRef::new(&key(), 1);
        Claim {
            id: ClaimId::parse(id).unwrap(),
            ..new_claim(Op::Patch, ticket_ref, began.parse().unwrap())
        }
    }

    fn note(kind: NoteKind, claim: &Claim, audience: NoteAudience) -> String {
        format!(
            "{} and so on.\n{}",
            opening(kind),
            note_mark(kind, claim, audience)
        )
    }

    #[test]
    fn a_note_is_found_by_its_own_claim_and_by_no_other() {
        let own = claim("c-1", "2026-11-22T07:31:05.2Z");
        let other = claim("c-2", "2026-11-22T07:31:06.2Z");
        for kind in KINDS {
            for audience in [NoteAudience::Technicians, NoteAudience::Customers] {
                let text = note(kind, &own, audience);
                // A site may replace line breaks, or trim the text.
                for stored in [text.clone(), text.replace('\n', " "), format!(" {text} \n")] {
                    assert!(is_note_of(&stored, kind, &own), "{stored}");
                    assert!(!is_note_of(&stored, kind, &other), "{stored}");
                }
            }
        }
    }

    #[test]
    fn a_note_of_another_kind_is_not_taken_for_it() {
        let claim = claim("c-1", "2026-11-22T07:31:05Z");
        for audience in [NoteAudience::Technicians, NoteAudience::Customers] {
            let text = note(NoteKind::Repeats, &claim, audience);
            for kind in &KINDS[1..] {
                assert!(!is_note_of(&text, *kind, &claim), "{text}");
            }
        }
        // Technicians see which of the two was written.
        let closing = note(NoteKind::Closing, &claim, NoteAudience::Technicians);
        assert!(!is_note_of(&closing, NoteKind::Resolved, &claim));
    }

    #[test]
    fn a_sources_text_does_not_sign_a_note() {
        let claim = claim("c-1", "2026-11-22T07:31:05Z");
        let signature = signature(claim.began_at);
        let later = "Written by Ticketbridge at 2026-11-22 08:00:00 UTC.";
        let text = format!("The alert was repeated once.\n\n{signature}\n\n{later}");
        assert!(!is_note_of(&text, NoteKind::Repeats, &claim));
    }

    #[test]
    fn customers_see_no_id_and_no_bracket() {
        let claim = claim("924e9278", "2026-11-22T07:31:05.9Z");
        let mark = note_mark(NoteKind::Closing, &claim, NoteAudience::Customers);
        assert_eq!(mark, "Written by Ticketbridge at 2026-11-22 07:31:05 UTC.");
    }
}
