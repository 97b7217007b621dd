"""pyconnectwise, whose models type every answer, against the simulator: `check.py http://127.0.0.1:8040`."""

import json
import sys
from contextlib import contextmanager

import requests
from pyconnectwise import ConnectWiseManageAPIClient
from pyconnectwise.exceptions import (
    AuthenticationFailedException,
    ConflictException,
    MalformedRequestException,
    MethodNotAllowedException,
    NotFoundException,
    ObjectExistsError,
    PermissionsFailedException,
    ServerError,
)
from pyconnectwise.models.manage import Board, Company, ServiceNote, Ticket

from tls_front import tls_front

KEYS = {
    "company_name": "tbdemo",
    "client_id": "6f1d7c1e-3b52-4f5a-9c0e-2a8d5b7e4f10",
    "public_key": "tbPublicKey01",
    "private_key": "tbPrivateKey01",
}


class Checks:
    def __init__(self):
        self.passed = 0

    def equal(self, what, found, expected):
        if found != expected:
            raise SystemExit(f"FAILED {what}: {found!r} is not {expected!r}")
        self.passed += 1

    @contextmanager
    def raises(self, what, exception, words):
        """The client's own exception, of exactly this type, and ConnectWise's words in the answer behind it."""
        try:
            yield
        except Exception as error:
            self.equal(what, type(error), exception)
            if words not in error.response.text:
                raise SystemExit(f"FAILED {what}: {error.response.text}") from error
        else:
            raise SystemExit(f"FAILED {what}: nothing was raised")


def main(site):
    control = Control(site)
    control.reset()
    checks = Checks()
    with tls_front(site) as host:
        client = ConnectWiseManageAPIClient(manage_url=host, **KEYS)
        discover(checks, client, control, host)
        read(checks, client)
        write(checks, client)
        page(checks, client)
        set_up(checks, client)
        refusals(checks, client, control, host)
    control.reset()
    print(f"{checks.passed} checks passed")


class Control:
    """The simulator's own switches."""

    def __init__(self, site):
        self.site = site

    def reset(self):
        requests.post(f"{self.site}/_sim/reset", timeout=10).raise_for_status()

    @contextmanager
    def faults(self, faults, back):
        self.put(faults)
        yield
        self.put(back)

    def put(self, faults):
        requests.put(f"{self.site}/_sim/faults", data=json.dumps(faults), timeout=10).raise_for_status()


def discover(checks, client, control, host):
    checks.equal("codebase", client.codebase, "v4_6_release/")
    info = client.system.info.get()
    checks.equal("version", info.version[:7], "v2025.1")
    checks.equal("cloud", info.is_cloud, True)
    unknown = {"variants": {"company_info_unknown": "not_found"}}
    with control.faults(unknown, {"variants": {"company_info_unknown": "null"}}):
        with checks.raises("an unknown login company", NotFoundException, "does not exist"):
            ConnectWiseManageAPIClient(manage_url=host, **{**KEYS, "company_name": "unknown"})


def read(checks, client):
    companies = client.company.companies
    found = companies.get(params={"conditions": 'deletedFlag=false AND name contains "cedar"'})
    checks.equal("a company by its name", [(type(row), row.id) for row in found], [(Company, 303)])
    checks.equal("its status", found[0].status.name, "Active")
    checks.equal("count", companies.count.get().count, 9)
    ordered = companies.get(params={"orderBy": "name desc", "fields": "id,identifier,name", "pageSize": 2})
    checks.equal("orderBy and fields", [row.name for row in ordered], ["Northwind Managed IT", "Grove Legal LLP"])
    checks.equal("one company", companies.id(302).get().identifier, "BakerSons")
    checks.equal("its site", companies.id(302).sites.get()[0].name, "Main")
    board = client.service.boards.id(21)
    checks.equal("board", board.get().department.identifier, "Services")
    closed = board.statuses.get(params={"conditions": "closedStatus=true"})
    checks.equal("closed statuses", [row.name for row in closed], [">Closed"])
    checks.equal("types", [row.default_flag for row in board.types.get()], [True, False, False])
    checks.equal("teams", board.teams.get()[1].team_leader.identifier, "JMiller")
    checks.equal("light boards", client.service.info.boards.get()[0].name, "Service Desk")
    checks.equal("priorities", client.service.priorities.get()[0].color, "Red")
    checks.equal("sources", client.service.sources.get()[2].name, "RMM")
    checks.equal("members", client.system.members.get()[1].default_email, "Office")
    checks.equal("API members", client.system.api_members.get()[0].service_default_board.id, 21)
    checks.equal("myself", client.system.my_members.get().identifier, "Ticketbridge")
    checks.equal("roles", [row.admin_flag for row in client.system.securityroles.get()], [True, False])
    mine = {row.module_function_name: row.add_level for row in client.system.my_security.get()}
    checks.equal("my rights", mine["Service Tickets"], "All")
    checks.equal("locations", client.system.locations.get()[0].structure_level.id, 2)
    checks.equal("departments", client.system.departments.get()[1].identifier, "Admin")


def write(checks, client):
    tickets = client.service.tickets
    asked = {
        "summary": "CPU at 100 %",
        "company": {"identifier": "AcmeDental"},
        "board": {"id": 22},
        "type": {"name": "CPU"},
        "priority": {"id": 32},
        "externalXRef": "tb1-python",
        "initialDescription": "first line",
    }
    made = tickets.post(asked)
    checks.equal("the ticket's model", type(made), Ticket)
    references = (made.board.name, made.status.name, made.company.name, made.type.name)
    checks.equal("references come back expanded", references, ("Operations", "New", "Acme Dental Group", "CPU"))
    checks.equal("the description is not returned", made.initial_description, None)
    checks.equal("who entered it", made.info["enteredBy"], "Ticketbridge")
    ticket = tickets.id(made.id)
    found = tickets.get(params={"conditions": 'externalXRef="tb1-python" and closedFlag=false'})
    checks.equal("by its token", [row.id for row in found], [made.id])
    found = tickets.search.post({"conditions": "board/id=22", "orderBy": "id desc"})
    checks.equal("search", [row.id for row in found], [made.id])

    note = ticket.notes.post({"text": "looked at", "internalAnalysisFlag": True})
    checks.equal("the note", (type(note), note.internal_flag), (ServiceNote, True))
    checks.equal("all notes", [row.text for row in ticket.notes.get()], ["first line", "looked at"])
    changed = ticket.notes.id(note.id).patch([{"op": "replace", "path": "text", "value": "solved"}])
    checks.equal("a changed note", changed.text, "solved")
    checks.equal("allNotes", ticket.all_notes.get()[1].note_type, "TicketNote")
    ticket.notes.id(note.id).delete()
    checks.equal("a deleted note", ticket.notes.count.get().count, 1)

    change = [
        {"op": "replace", "path": "summary", "value": "CPU at 50 %"},
        {"op": "replace", "path": "status", "value": {"name": ">Closed"}},
    ]
    closed = ticket.patch(change)
    checks.equal("patched", (closed.summary, closed.closed_flag, closed.closed_by), (change[0]["value"], True, "Ticketbridge"))
    other = tickets.post({"summary": "the same again", "company": {"id": 301}, "board": {"id": 22}})
    answer = ticket.merge.post({"mergeTicketIds": [other.id], "status": {"name": ">Closed"}})
    checks.equal("merge", answer.success, True)
    merged = tickets.id(other.id).get()
    checks.equal("merged into", (merged.merged_parent_ticket.id, merged.closed_flag), (made.id, True))
    replaced = ticket.put({"summary": "all new", "company": {"id": 303}})
    checks.equal("put", (replaced.company.id, replaced.external_x_ref), (303, None))
    ticket.delete()
    with checks.raises("a deleted ticket", NotFoundException, f"Ticket {made.id} not found"):
        ticket.get()


def page(checks, client):
    tickets = client.service.tickets
    before = tickets.count.get().count
    made = [tickets.post({"summary": f"page {n}", "company": {"id": 301}}).id for n in range(25)]
    pages = tickets.paginated(1, 10, params={"conditions": 'summary like "page *"', "orderBy": "id asc"})
    checks.equal("pages", (pages.has_next_page, pages.last_page), (True, 3))
    checks.equal("every row once", [row.id for row in pages.all()], made)
    checks.equal("count", tickets.count.get().count, before + 25)


def set_up(checks, client):
    boards = client.service.boards
    asked = {"name": "Cyber", "location": {"id": 2}, "department": {"id": 10}}
    board = boards.post(asked)
    checks.equal("the board's model", (type(board), board.location.name), (Board, "Springfield"))
    parts = boards.id(board.id)
    checks.equal("its statuses", parts.statuses.get()[0].name, "New")
    status = parts.statuses.post({"name": "Closed", "closedStatus": True})
    checks.equal("a status", (status.closed_status, status.board.id), (True, board.id))
    checks.equal("a type", parts.types.post({"name": "Ransomware"}).category, "Reactive")
    team = parts.teams.post({"name": "Night", "teamLeader": {"id": 151}, "members": [152]})
    checks.equal("a team", (team.members, team.team_leader.name), ([152], "Tara Smith"))
    changed = parts.patch([{"op": "replace", "path": "name", "value": "Cyber Alerts 2"}])
    checks.equal("a changed board", changed.name, "Cyber Alerts 2")
    with checks.raises("a name that is taken", ObjectExistsError, "ObjectExists"):
        boards.post({**asked, "name": "Operations"})
    with checks.raises("a status in use", ConflictException, "in use"):
        boards.id(21).statuses.id(211).delete()
    parts.types.id(parts.types.get()[0].id).delete()
    checks.equal("a deleted type", parts.types.get(), [])


def refusals(checks, client, control, host):
    tickets = client.service.tickets
    good = {"summary": "x", "company": {"id": 301}}
    with checks.raises("a summary that is too long", MalformedRequestException, "MaxLengthField"):
        tickets.post({**good, "summary": "x" * 101})
    with checks.raises("no company", MalformedRequestException, "The company/id field is required."):
        tickets.post({"summary": "x"})
    with checks.raises("a missing company", MalformedRequestException, "Company 999999 not found"):
        tickets.post({**good, "company": {"id": 999999}})
    with checks.raises("a misspelt member", MalformedRequestException, "Could not find member 'sumary'"):
        tickets.post({**good, "sumary": "x"})
    with checks.raises("a misspelt condition", MalformedRequestException, "ApiFindCondition"):
        tickets.get(params={"conditions": 'colour="red"'})
    with checks.raises("an unknown ticket", NotFoundException, "Ticket 1255787 not found"):
        tickets.id(1255787).get()
    made = tickets.post(good)
    with checks.raises("a note for nowhere", MalformedRequestException, "Please choose where to display the notes"):
        tickets.id(made.id).notes.post({"text": "x"})
    with checks.raises("a method that is not there", MethodNotAllowedException, "does not support http method"):
        client.company.contacts.id(1)._make_request("DELETE")
    wrong = ConnectWiseManageAPIClient(manage_url=host, **{**KEYS, "private_key": "wrong"})
    with checks.raises("wrong keys", AuthenticationFailedException, "authentication is incorrect"):
        wrong.service.tickets.get()
    with control.faults({"missing_rights": ["service_tickets.add"]}, {"missing_rights": []}):
        with checks.raises("a missing right", PermissionsFailedException, "security permission"):
            tickets.post(good)
    with control.faults({"error_rate": 1}, {"error_rate": 0}):
        with checks.raises("a server error", ServerError, "error occurred"):
            tickets.post(good)


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
