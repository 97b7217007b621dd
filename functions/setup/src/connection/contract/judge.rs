//! What the answers of ConnectWise say about the behaviour that the code relies on.

use connectwise::{
    AuditTrailEntry, Board, BoardStatus, BoardSubType, BoardTeam, BoardType, BoardTypeAssociation,
    CompanyInfo, CompanyRecord, Error, MyMember, MySecurity, Priority, ServiceTicketNote, Ticket,
    TicketNote, TicketSource,
};
use domain::RecordId;
use domain::connection::callbacks::FoundCallback;
use domain::setup::rights;

use super::view::{ContractCheck, ContractResult};

/// A behaviour, and what a difference means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reliance {
    code: &'static str,
    relied_on: &'static str,
    effect: &'static str,
}

impl Reliance {
    /// The check of an answer: `Ok` is as expected, `Err` differs.
    fn check(self, observed: Result<String, String>) -> ContractCheck {
        let (result, observed, effect) = match observed {
            Ok(observed) => (ContractResult::AsExpected, observed, None),
            Err(observed) => (ContractResult::Differs, observed, Some(self.effect)),
        };
        ContractCheck {
            code: self.code,
            relied_on: self.relied_on,
            result,
            observed,
            effect,
        }
    }

    pub(super) fn not_known(self, why: impl Into<String>) -> ContractCheck {
        ContractCheck {
            result: ContractResult::NotKnown,
            observed: why.into(),
            effect: None,
            ..self.check(Ok(String::new()))
        }
    }

    /// The check of a call. A call that failed for a cause of the moment says nothing.
    fn of_call<T>(
        self,
        answer: &Result<T, Error>,
        judge: impl FnOnce(&T) -> Result<String, String>,
    ) -> ContractCheck {
        match answer {
            Ok(answer) => self.check(judge(answer)),
            Err(err) if err.is_temporary() => self.not_known(err.to_string()),
            Err(err) => self.check(Err(err.to_string())),
        }
    }
}

fn expect(is_so: bool, yes: impl Into<String>, no: impl Into<String>) -> Result<String, String> {
    if is_so {
        Ok(yes.into())
    } else {
        Err(no.into())
    }
}

pub(super) fn company_info(answer: &Result<Option<CompanyInfo>, Error>) -> ContractCheck {
    let reliance = Reliance {
        code: "company_info",
        relied_on: "/login/companyinfo names the company of a login without keys",
        effect: "A wrong company id is found only with the keys.",
    };
    reliance.of_call(answer, |info| match info {
        Some(info) => Ok(format!("version {}", info.version_code)),
        None => Err("it does not know the company".to_owned()),
    })
}

pub(super) fn my_member(answer: &Result<MyMember, Error>) -> ContractCheck {
    let reliance = Reliance {
        code: "my_member",
        relied_on: "/system/myMembers describes the owner of the keys",
        effect: "The page does not show whose keys these are, and which boards it cannot see.",
    };
    reliance.of_call(answer, |member| {
        let yes = format!(
            "license class {}",
            member.license_class.as_deref().unwrap_or("unknown")
        );
        expect(!member.identifier.is_empty(), yes, "it has no identifier")
    })
}

pub(super) fn my_security(answer: &Result<Vec<MySecurity>, Error>) -> ContractCheck {
    let reliance = Reliance {
        code: "my_security",
        relied_on: "/system/mySecurity lists the rights by the function names of the security role",
        effect: "Rights to add and to edit are not known before a call needs them.",
    };
    reliance.of_call(answer, |rows| {
        let known = |row: &&MySecurity| {
            let mut rights = rights::TABLE.iter();
            rights.any(|right| right.function == row.module_function_name)
        };
        let named = rows.iter().filter(known).count();
        let observed = format!("{} rows, {named} with a known function", rows.len());
        expect(named > 0, observed.clone(), observed)
    })
}

pub(super) fn boards(
    boards: &Result<Vec<Board>, Error>,
    infos: &Result<Vec<Board>, Error>,
) -> ContractCheck {
    let reliance = Reliance {
        code: "boards",
        relied_on: "/service/info/boards lists the same boards as /service/boards",
        effect: "Without the right to Table Setup, the page does not offer all boards.",
    };
    let Ok(boards) = boards else {
        return reliance.not_known("/service/boards cannot be read");
    };
    reliance.of_call(infos, |infos| {
        let ids = |boards: &[Board]| {
            let mut ids: Vec<RecordId> = boards.iter().map(|board| board.id).collect();
            ids.sort_unstable();
            ids
        };
        let observed = format!("{} and {} boards", boards.len(), infos.len());
        expect(ids(boards) == ids(infos), observed.clone(), observed)
    })
}

pub(super) const BOARD_STATUSES: Reliance = Reliance {
    code: "board_statuses",
    relied_on: "a board has one default status, and a status whose tickets count as closed",
    effect: "A ticket cannot be closed on such a board, or its first status is not known.",
};

pub(super) fn board_statuses(answer: &Result<Vec<BoardStatus>, Error>) -> ContractCheck {
    BOARD_STATUSES.of_call(answer, |statuses| {
        let defaults = statuses.iter().filter(|status| status.default_flag).count();
        let closed = statuses
            .iter()
            .filter(|status| status.closed_status)
            .count();
        let observed = format!(
            "{} statuses, {defaults} default, {closed} closed",
            statuses.len()
        );
        expect(defaults == 1 && closed > 0, observed.clone(), observed)
    })
}

pub(super) fn priorities(answer: &Result<Vec<Priority>, Error>) -> ContractCheck {
    let reliance = Reliance {
        code: "priorities",
        relied_on: "priorities have an order",
        effect: "The page cannot propose priorities for severities.",
    };
    reliance.of_call(answer, |priorities| {
        let ordered = priorities
            .iter()
            .filter(|of| of.sort_order.is_some())
            .count();
        let observed = format!("{} priorities, {ordered} with an order", priorities.len());
        let is_ordered = ordered == priorities.len() && ordered > 0;
        expect(is_ordered, observed.clone(), observed)
    })
}

pub(super) const COMPANY_PAGES: Reliance = Reliance {
    code: "company_pages",
    relied_on: "a forward-only list has ascending ids, and starts after the cursor",
    effect: "Lists of companies and tickets may have gaps or repeats.",
};

/// The first page, and the page after its first record.
pub(super) fn company_pages(
    first: &Result<Vec<CompanyRecord>, Error>,
    after: &Result<Vec<CompanyRecord>, Error>,
) -> ContractCheck {
    let Ok(first) = first else {
        return COMPANY_PAGES.of_call(first, |_| Ok(String::new()));
    };
    COMPANY_PAGES.of_call(after, |after| {
        let is_ascending = first.is_sorted_by(|one, next| one.id < next.id);
        let ids = |page: &[CompanyRecord]| page.iter().map(|of| of.id).collect::<Vec<_>>();
        let (before, after) = (ids(first), ids(after));
        // A company may be added between the two calls, at the end.
        let continues = before
            .iter()
            .skip(1)
            .zip(&after)
            .all(|(one, other)| one == other);
        let observed = format!("{} companies on the first page", before.len());
        let differs = format!("{observed}; ascending: {is_ascending}, continues: {continues}");
        expect(is_ascending && continues, observed, differs)
    })
}

pub(super) fn missing_ticket(answer: &Result<Ticket, Error>) -> ContractCheck {
    let reliance = Reliance {
        code: "missing_ticket",
        relied_on: "a ticket that does not exist is answered with 404",
        effect: "A deleted ticket is not recognised, so its alert gets no new one.",
    };
    match answer {
        Ok(_) => reliance.not_known("a ticket with this number exists"),
        Err(Error::NotFound { .. }) => reliance.check(Ok("404".to_owned())),
        Err(err) if err.is_temporary() => reliance.not_known(err.to_string()),
        Err(err) => reliance.check(Err(err.to_string())),
    }
}

pub(super) const REFERENCE_SEARCH: Reliance = Reliance {
    code: "reference_search",
    relied_on: "a search by externalXRef finds the ticket that has it",
    effect: "Creates of unknown outcome wait for a person: a missing ticket cannot be proven.",
};

pub(super) fn reference_search(
    ticket: &Ticket,
    found: &Result<Vec<Ticket>, Error>,
) -> ContractCheck {
    found_again(REFERENCE_SEARCH, ticket, found)
}

pub(super) const NUMBER_SEARCH: Reliance = Reliance {
    code: "number_search",
    relied_on: "a search by number finds the ticket that has it",
    effect: "Changes of tickets by people are noticed late or not at all.",
};

pub(super) fn number_search(ticket: &Ticket, found: &Result<Vec<Ticket>, Error>) -> ContractCheck {
    found_again(NUMBER_SEARCH, ticket, found)
}

fn found_again(
    reliance: Reliance,
    ticket: &Ticket,
    found: &Result<Vec<Ticket>, Error>,
) -> ContractCheck {
    reliance.of_call(found, |found| {
        let is_found = found.iter().any(|of| of.id == ticket.id);
        expect(is_found, "found", "not found")
    })
}

pub(super) const TICKET_MEMBERS: Reliance = Reliance {
    code: "ticket_members",
    relied_on: "a ticket has board, status, company, externalXRef and the time of its last change",
    effect: "Ticketbridge does not change a ticket whose company or reference it cannot read.",
};

pub(super) fn ticket_members(answer: &Result<Ticket, Error>) -> ContractCheck {
    TICKET_MEMBERS.of_call(answer, |ticket| {
        let members = [
            ("board", ticket.board.is_some()),
            ("status", ticket.status.is_some()),
            ("company", ticket.company.is_some()),
            ("externalXRef", ticket.external_xref.is_some()),
            ("_info.lastUpdated", ticket.info.last_updated.is_some()),
        ];
        let missing = members.iter().filter(|(_, is_there)| !is_there);
        let missing: Vec<_> = missing.map(|(name, _)| *name).collect();
        let differs = format!("without {}", missing.join(", "));
        expect(missing.is_empty(), "all are there", differs)
    })
}

pub(super) const TICKET_NOTES: Reliance = Reliance {
    code: "ticket_notes",
    relied_on: "the notes of a ticket can be read, with their times",
    effect: "A note of unknown outcome may be written twice.",
};

pub(super) fn ticket_notes(answer: &Result<Vec<TicketNote>, Error>) -> ContractCheck {
    TICKET_NOTES.of_call(answer, |notes| {
        let dated = notes
            .iter()
            .filter(|note| note.date_created.is_some())
            .count();
        let observed = format!("{} notes, {dated} with a time", notes.len());
        expect(dated == notes.len(), observed.clone(), observed)
    })
}

pub(super) const ALL_NOTES: Reliance = Reliance {
    code: "all_notes",
    relied_on: "/allNotes lists each note of a ticket that /notes lists",
    effect: "A ticket that a person works on may count as untouched, and be closed.",
};

pub(super) fn all_notes(
    notes: &Result<Vec<TicketNote>, Error>,
    all: &Result<Vec<ServiceTicketNote>, Error>,
) -> ContractCheck {
    let Ok(notes) = notes else {
        return ALL_NOTES.not_known("the notes cannot be read");
    };
    ALL_NOTES.of_call(all, |all| {
        // A note of an integration may have no author.
        let signed = all
            .iter()
            .filter(|note| note.member.is_some() || note.contact.is_some())
            .count();
        let observed = format!(
            "{} notes, {signed} with an author; /notes lists {}",
            all.len(),
            notes.len()
        );
        expect(all.len() >= notes.len(), observed.clone(), observed)
    })
}

pub(super) const AUDIT_TRAIL: Reliance = Reliance {
    code: "audit_trail",
    relied_on: "the audit trail of a ticket says who changed it",
    effect: "A change by a rule of ConnectWise counts as that of a person.",
};

pub(super) fn audit_trail(answer: &Result<Vec<AuditTrailEntry>, Error>) -> ContractCheck {
    AUDIT_TRAIL.of_call(answer, |entries| {
        let signed = entries.iter().filter(|entry| !entry.entered_by.is_empty());
        let signed = signed.count();
        let observed = format!("{} changes, {signed} with an author", entries.len());
        let is_so = signed == entries.len() && signed > 0;
        expect(is_so, observed.clone(), observed)
    })
}

pub(super) fn callbacks(answer: &Result<Vec<FoundCallback>, Error>) -> ContractCheck {
    let reliance = Reliance {
        code: "callbacks",
        relied_on: "callbacks can be listed",
        effect: "ConnectWise reports no changes, so they are found by the next comparison only.",
    };
    if let Err(Error::Forbidden { .. } | Error::MissingRight { .. }) = answer {
        return reliance.not_known("the API member may not list them");
    }
    reliance.of_call(answer, |callbacks| {
        Ok(format!("{} for tickets", callbacks.len()))
    })
}

pub(super) const BOARD_TEAMS: Reliance = Reliance {
    code: "board_teams",
    relied_on: "a board lists its teams",
    effect: "The page offers no team for new tickets, or one that ConnectWise refuses.",
};

pub(super) fn board_teams(answer: &Result<Vec<BoardTeam>, Error>) -> ContractCheck {
    BOARD_TEAMS.of_call(answer, |teams| {
        let named = teams.iter().filter(|team| !team.name.is_empty()).count();
        let observed = format!("{} teams, {named} with a name", teams.len());
        expect(named == teams.len(), observed.clone(), observed)
    })
}

pub(super) const BOARD_TYPES: Reliance = Reliance {
    code: "board_types",
    relied_on: "a board says which types, subtypes and items belong together",
    effect: "The page offers a subtype or an item that ConnectWise refuses with its type.",
};

pub(super) fn board_types(
    types: &Result<Vec<BoardType>, Error>,
    subtypes: &Result<Vec<BoardSubType>, Error>,
    associations: &Result<Vec<BoardTypeAssociation>, Error>,
) -> ContractCheck {
    let (Ok(types), Ok(subtypes)) = (types, subtypes) else {
        return BOARD_TYPES.not_known("types or subtypes cannot be read");
    };
    BOARD_TYPES.of_call(associations, |associations| {
        let is_type = |id: &RecordId| types.iter().any(|of| of.id == *id);
        let of_subtypes = subtypes.iter().flat_map(|of| &of.type_association_ids);
        let of_rows = associations.iter().filter_map(|row| row.type_.as_ref());
        let unknown = of_subtypes
            .chain(of_rows.map(|of| &of.id))
            .filter(|id| !is_type(id))
            .count();
        let observed = format!(
            "{} types, {} subtypes, {} rows that belong together",
            types.len(),
            subtypes.len(),
            associations.len()
        );
        let differs = format!("{observed}, {unknown} of them with an unknown type");
        expect(unknown == 0, observed, differs)
    })
}

pub(super) fn ticket_sources(answer: &Result<Vec<TicketSource>, Error>) -> ContractCheck {
    let reliance = Reliance {
        code: "ticket_sources",
        relied_on: "the sources of tickets can be listed",
        effect: "The page offers no source for new tickets.",
    };
    reliance.of_call(answer, |sources| {
        let observed = format!("{} sources", sources.len());
        expect(!sources.is_empty(), observed.clone(), observed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(default_flag: bool, closed_status: bool) -> BoardStatus {
        BoardStatus {
            id: 1,
            name: "New".to_owned(),
            sort_order: None,
            default_flag,
            inactive: false,
            closed_status,
        }
    }

    fn company(id: RecordId) -> CompanyRecord {
        CompanyRecord {
            id,
            identifier: String::new(),
            name: String::new(),
            status: None,
            deleted_flag: false,
        }
    }

    #[test]
    fn a_board_without_a_closed_status_differs() {
        let result = |statuses| board_statuses(&Ok(statuses)).result;
        let (new, closed) = (status(true, false), status(false, true));
        assert_eq!(
            result(vec![new.clone(), closed.clone()]),
            ContractResult::AsExpected
        );
        assert_eq!(result(vec![new.clone()]), ContractResult::Differs);
        assert_eq!(
            result(vec![new.clone(), new, closed]),
            ContractResult::Differs
        );
    }

    #[test]
    fn an_outage_says_nothing_about_the_contract() {
        let outage = Error::ServerError {
            status: 503,
            words: String::new(),
        };
        let check = board_statuses(&Err(outage));
        assert_eq!(check.result, ContractResult::NotKnown);
        assert_eq!(check.effect, None);
        let missing = Error::EndpointMissing { path: "/x".into() };
        let check = board_statuses(&Err(missing));
        assert_eq!(check.result, ContractResult::Differs);
        assert!(check.effect.is_some());
    }

    #[test]
    fn a_list_that_repeats_its_first_record_differs() {
        let page = |ids: &[RecordId]| Ok(ids.iter().copied().map(company).collect());
        let result = |first: &[RecordId], after: &[RecordId]| {
            company_pages(&page(first), &page(after)).result
        };
        assert_eq!(result(&[1, 2, 3], &[2, 3]), ContractResult::AsExpected);
        assert_eq!(result(&[1, 2, 3], &[2, 3, 4]), ContractResult::AsExpected);
        assert_eq!(result(&[1, 2, 3], &[1, 2, 3]), ContractResult::Differs);
        assert_eq!(result(&[3, 2, 1], &[2, 1]), ContractResult::Differs);
    }

    #[test]
    fn a_missing_ticket_must_be_answered_with_404() {
        let not_found = Error::NotFound {
            what: "ticket".into(),
        };
        assert_eq!(
            missing_ticket(&Err(not_found)).result,
            ContractResult::AsExpected
        );
        let rejected = Error::Rejected { words: "no".into() };
        assert_eq!(
            missing_ticket(&Err(rejected)).result,
            ContractResult::Differs
        );
    }

    #[test]
    fn a_note_that_is_not_among_all_notes_differs() {
        let note = TicketNote {
            id: 1,
            text: "Restarted the service.".to_owned(),
            detail_description_flag: true,
            internal_analysis_flag: false,
            resolution_flag: false,
            date_created: None,
            created_by: None,
        };
        let of_all = ServiceTicketNote {
            note_type: "TicketNote".to_owned(),
            text: note.text.clone(),
            member: None,
            contact: None,
        };
        let result = |all| all_notes(&Ok(vec![note.clone()]), &Ok(all)).result;
        assert_eq!(result(vec![of_all]), ContractResult::AsExpected);
        assert_eq!(result(vec![]), ContractResult::Differs);
    }

    #[test]
    fn a_change_without_an_author_differs() {
        let entry = |entered_by: &str| AuditTrailEntry {
            text: "Status changed".to_owned(),
            entered_by: entered_by.to_owned(),
        };
        let result = |entries| audit_trail(&Ok(entries)).result;
        assert_eq!(result(vec![entry("jdoe")]), ContractResult::AsExpected);
        assert_eq!(
            result(vec![entry("jdoe"), entry("")]),
            ContractResult::Differs
        );
        assert_eq!(result(vec![]), ContractResult::Differs);
    }

    #[test]
    fn a_subtype_of_an_unknown_type_differs() {
        let types = [BoardType {
            id: 4,
            name: "Disk".to_owned(),
            default_flag: false,
            inactive_flag: false,
        }];
        let subtype = |of| BoardSubType {
            id: 9,
            name: "Full".to_owned(),
            inactive_flag: false,
            type_association_ids: vec![of],
        };
        let result = |of| {
            let subtypes = Ok(vec![subtype(of)]);
            board_types(&Ok(types.to_vec()), &subtypes, &Ok(vec![])).result
        };
        assert_eq!(result(4), ContractResult::AsExpected);
        assert_eq!(result(5), ContractResult::Differs);
    }

    #[test]
    fn a_missing_right_says_nothing_about_callbacks() {
        let right = rights::TABLES_INQUIRE;
        let check = callbacks(&Err(Error::MissingRight { right }));
        assert_eq!(check.result, ContractResult::NotKnown);
    }
}
