"""A partner connects its ConnectWise: from an empty stack to tickets, through the page alone."""

import re
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from stack import wait_until

pytestmark = pytest.mark.steps

CONTACT = "oncall@contoso.example"
SECOND_CONTACT = "helpdesk@contoso.example"
# What a person chooses for alerts of high severity, which all of these are.
PRIORITY = "Priority 2 - High"
# The tenant that is mapped last, and its name: a company's in ConnectWise.
LAST_TENANT, LAST_NAME = "harbor-hotel", "Fjord Shipping"

# Alerts of before the set-up: id, tenant, hours since it was raised,
# and why it has no ticket after the partner went live.
RESOLVED = "resolved"
ALERTS = [
    ("a1", "acme-dental", 1, None),
    ("a2", "acme-dental", 47, None),
    ("b1", "baker-and-sons", 5, None),
    ("old", "baker-and-sons", 72, "older_than_backfill"),
    (RESOLVED, "acme-dental", 3, None),
    ("h1", LAST_TENANT, 2, "unmapped"),
]


@pytest.fixture(scope="module")
def partner(stack):
    return stack.new_partner("contoso", "Contoso IT")


def test_alerts_are_blocked_until_the_partner_is_set_up(stack, partner):
    now = datetime.now(timezone.utc)
    for alert, tenant, hours, _ in ALERTS:
        name = LAST_NAME if tenant == LAST_TENANT else None
        partner.source.raise_alert(alert, tenant, now - timedelta(hours=hours), name)
        if alert == RESOLVED:
            partner.source.resolve_alert(alert, tenant)
    for alert, *_ in ALERTS:
        stack.expect_blocked(alert, None if alert == RESOLVED else "not_set_up")
    assert stack.tickets() == []


def test_a_link_opens_the_page_and_its_token_leaves_the_address(setup_page, partner):
    setup_page.open_link(partner.link)
    assert "#" not in setup_page.page.url


def test_the_rights_are_listed_before_there_are_keys(setup_page):
    setup_page.go_to("check")
    setup_page.expect_text("Nothing is connected yet")
    setup_page.expect_text("Service Tickets")


def test_a_wrong_key_is_refused(setup_page, stack):
    setup_page.go_to("connection")
    setup_page.enter_connection(stack.connectwise)
    setup_page.enter_private_key("not the key")
    setup_page.try_connection()
    expect(setup_page.alert).to_be_visible()
    setup_page.expect_refusal(422)
    setup_page.expect_error_at("Private key")
    setup_page.inspect("wrong-key")


def test_the_right_key_is_saved_and_the_rights_are_listed(setup_page, stack):
    private_key = stack.connectwise["private_key"]
    setup_page.enter_private_key(private_key)
    setup_page.save_connection()
    setup_page.expect_path("check")
    # The page's script checks the connection.
    setup_page.expect_text("The connection works, and the API member has all rights")
    setup_page.expect_text("Service Tickets")
    setup_page.inspect("check")
    assert private_key not in setup_page.page.content()


def test_both_boards_are_created_also_if_the_page_is_loaded_again_meanwhile(setup_page, stack):
    setup_page.go_to("boards")
    for board in ["Operations", "Cyber Alerts"]:
        setup_page.choose_board(board, "Springfield", "Professional Services", "TSmith")
    setup_page.inspect("boards-chosen")
    setup_page.review_boards()
    setup_page.inspect("boards-review")
    # One request works two seconds, so it creates some parts only.
    stack.set_faults(latency_ms=1000)
    with setup_page.held_work("boards-progress") as wait:
        setup_page.create_boards()
        wait()
        setup_page.inspect("boards-being-created")
    stack.set_faults(latency_ms=0)
    # The page's script goes on until they exist.
    setup_page.page.reload()
    expect(setup_page.page).to_have_url(re.compile("done=boards_ready"))
    setup_page.page.wait_for_load_state()
    setup_page.inspect("boards-ready")


def test_the_priority_of_a_severity_is_chosen(setup_page):
    setup_page.go_to("tickets")
    setup_page.save_priority("High", PRIORITY)
    setup_page.inspect("tickets-saved")


def test_team_and_owner_are_chosen_for_a_board_and_a_kind(setup_page):
    setup_page.choose_assignee("Operations", "Tara Smith", "CPU", "Jonas Miller")
    setup_page.inspect("tickets-assigned")
    setup_page.save_tickets()
    setup_page.expect_text("Saved.")
    setup_page.expect_focused_message("Saved.")
    setup_page.inspect("tickets-assigned-saved")


@pytest.mark.parametrize(
    ("tenant", "words", "company"),
    [("acme-dental", "acme", "AcmeDental"), ("baker-and-sons", "roofing", "BakerSons")],
)
def test_a_tenant_is_mapped_to_a_company_that_was_searched(setup_page, tenant, words, company):
    setup_page.go_to("tenants")
    setup_page.search_company(tenant, words)
    setup_page.inspect(f"tenant-{tenant}")
    setup_page.map_to(company)
    setup_page.inspect("tenants")


def test_a_tenant_gets_an_owner_of_its_own(setup_page):
    setup_page.go_to("tenants")
    setup_page.assign_tenant("baker-and-sons", "Jonas Miller")
    setup_page.expect_text("Saved.")
    setup_page.inspect("tenant-assigned")


def test_a_contact_confirms_its_address_and_gets_a_test_mail(setup_page, stack):
    setup_page.go_to("contacts")
    setup_page.add_contact(CONTACT)
    setup_page.inspect("contacts-one-waits")
    setup_page.confirm_contact(stack.confirmation_link())
    setup_page.go_to("contacts")
    setup_page.send_test_mail()
    setup_page.inspect("contacts-tested")
    wait_until("the test mail", lambda: "a test mail for" in stack.mails())


def test_a_second_contact_receives_only_what_it_chose(setup_page, stack):
    setup_page.add_contact(SECOND_CONTACT, without=["Broken connection"])
    setup_page.inspect("contacts-second-waits")
    setup_page.confirm_contact(stack.confirmation_link())
    setup_page.go_to("contacts")
    setup_page.change_mails(CONTACT, "Waiting alerts", False)
    setup_page.expect_text("Saved.")
    setup_page.inspect("contacts-two")


def test_the_preview_counts_what_becomes_tickets(setup_page):
    setup_page.go_to("confirm")
    setup_page.expect_text("3 alerts of 2 tenants become tickets")
    setup_page.expect_text("1 alert of 1 tenant waits until you map it")
    setup_page.expect_text("1 older alert: no ticket unless you release it")


def test_going_live_creates_exactly_three_tickets(setup_page, stack):
    setup_page.go_live()
    setup_page.inspect("confirmed")
    stack.wait_for_tickets(3)
    for alert, _, _, reason in ALERTS:
        stack.expect_blocked(alert, reason)
    # Nothing is left that could still become a ticket.
    for ticket in stack.wait_for_tickets(3):
        chosen = [ticket[member]["name"] for member in ("board", "type", "status", "priority")]
        assert chosen == ["Operations", "Disk", "New", PRIORITY]
        is_bakers = ticket["company"]["identifier"] == "BakerSons"
        owner = "Jonas Miller" if is_bakers else "Tara Smith"
        assert (ticket["team"]["name"], ticket["owner"]["name"]) == ("Operations", owner)


def test_a_live_partner_keeps_a_contact_for_a_broken_connection(setup_page):
    setup_page.go_to("contacts")
    setup_page.try_to_remove_contact(CONTACT)
    expect(setup_page.alert).to_contain_text("at least one confirmed contact")
    setup_page.expect_refusal(422)
    setup_page.inspect("contacts-last-one-stays")
    setup_page.remove_contact(SECOND_CONTACT)
    setup_page.expect_text("Removed: the address gets no more mails.")


def test_the_last_tenant_is_mapped_as_suggested_and_gets_its_ticket(setup_page, stack):
    setup_page.go_to("tenants")
    setup_page.suggest_companies()
    # The page's script goes on until all are read.
    setup_page.expect_text("All companies were read")
    setup_page.page.wait_for_load_state()
    setup_page.inspect("suggested")
    setup_page.expect_text(LAST_NAME)
    setup_page.confirm_suggestion(LAST_NAME)
    setup_page.inspect("tenants")
    stack.wait_for_tickets(4)


def test_a_test_ticket_is_created_shown_and_closed_and_no_other_is(setup_page, stack):
    setup_page.go_to("test")
    setup_page.create_test_ticket("acme-dental", "Cyber alerts")
    # The page loads itself again until the ticket is there.
    setup_page.wait_for_test_ticket()
    newest = stack.wait_for_tickets(5)[-1]
    assert newest["board"]["name"] == "Cyber Alerts"
    assert "test" in newest["summary"].lower()
    setup_page.inspect("test-open")
    setup_page.close_test_ticket()

    def closed():
        closed = [ticket["id"] for ticket in stack.tickets() if ticket["closedFlag"]]
        assert len(closed) < 2, closed
        return closed

    assert wait_until("the test ticket closed", closed) == [newest["id"]]


def test_activity_shows_what_became_of_each_alert(setup_page, stack):
    setup_page.go_to("activity")
    rows = setup_page.page.locator("tbody tr")
    expect(rows).to_have_count(7)
    states = {"Ticket open": 4, "Waiting": 1, "Ticket closed": 1, "Resolved without a ticket": 1}
    for state, count in states.items():
        expect(rows.filter(has_text=state)).to_have_count(count)
    # The newest is the closed test.
    newest = max(ticket["id"] for ticket in stack.tickets())
    link = rows.first.get_by_role("link", name=f"#{newest}", exact=True)
    address = link.get_attribute("href")
    assert address.startswith(stack.connectwise["base_url"]), address
    assert f"service_recid={newest}" in address


def test_activity_is_searched_and_an_alert_shows_its_steps(setup_page):
    setup_page.page.get_by_label("Search", exact=True).fill("h1")
    setup_page.page.get_by_role("button", name="Show", exact=True).click()
    expect(setup_page.page.locator("tbody tr")).to_have_count(1)
    setup_page.inspect("activity-searched")
    setup_page.page.get_by_role("link", name="Disk full on h1").click()
    setup_page.expect_path("activity-alert")
    for words in ["The source raised the alert", "the tenant is not mapped", "It has ticket #"]:
        setup_page.expect_text(words)
    setup_page.inspect("alert")


def test_a_permanent_address_leads_from_another_site_to_the_alert(setup_page, page):
    key = parse_qs(urlsplit(page.url).query)["id"][0]
    address = urlsplit(page.url)._replace(path=f"/setup/alerts/{key}", query="").geturl()
    # Another site, where a link to the alert was stored.
    other = "http://another.localhost/"
    link = f'<a href="{address}">the alert</a>'
    page.route(other, lambda route: route.fulfill(content_type="text/html", body=link))
    page.goto(other)
    page.get_by_role("link", name="the alert").click()
    setup_page.expect_path("activity-alert")
    setup_page.expect_text("Disk full on h1")


def test_the_simulators_page_shows_the_tickets(page, inspector, stack):
    # Chromium asks for it where a page names no icon.
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    page.goto(stack.connectwise["base_url"])
    # The newest is the closed test. Behind it is the ticket of the last tenant.
    expect(page.locator("tbody tr")).to_have_count(5)
    page.locator("summary").nth(1).click()
    expect(page.locator("details[open] article").first).to_contain_text("Disk full on h1")
    inspector.inspect("simulator")
    page.go_back()


def test_a_maintenance_window_is_previewed_and_saved(setup_page):
    setup_page.go_to("maintenance")
    setup_page.expect_text("There is no maintenance window.")
    setup_page.fill_window("Patch night", "2030-03-30T22:00", "Europe/Berlin", "8")
    setup_page.repeat_window("On days of the week", ["Saturday"])
    setup_page.preview_window()
    setup_page.expect_text("Next times")
    setup_page.inspect("maintenance-preview")
    setup_page.save_window()
    setup_page.expect_text("Each Saturday at 22:00 (Europe/Berlin), for 8 h")
    setup_page.inspect("maintenance-weekly")


def test_a_weekly_window_without_a_day_is_refused_at_its_days(setup_page):
    setup_page.fill_window("Move", "2030-01-01T10:00", "Europe/Berlin", "1")
    setup_page.repeat_window("On days of the week")
    setup_page.try_window()
    setup_page.expect_error_at("Monday")
    setup_page.expect_refusal(422)
    setup_page.repeat_window("Once")


def test_a_window_in_an_unknown_zone_is_refused(setup_page):
    setup_page.fill_window("Move", "2030-01-01T10:00", "Europe/Atlantis", "1")
    setup_page.try_window()
    setup_page.expect_error_at("Time zone")
    setup_page.expect_refusal(422)
    setup_page.inspect("maintenance-refused")


def test_an_alert_is_held_by_a_window_and_becomes_a_ticket_when_it_ends(setup_page, stack, partner):
    setup_page.go_to("maintenance")
    begun = datetime.now(timezone.utc) - timedelta(minutes=5)
    starts = begun.strftime("%Y-%m-%dT%H:%M")
    setup_page.fill_window("Server room", starts, "Etc/UTC", "2", tenant="acme-dental")
    setup_page.save_window()
    setup_page.expect_text("It applies now")
    now = datetime.now(timezone.utc)
    partner.source.raise_alert("held", "acme-dental", now)
    stack.expect_blocked("held", "maintenance")
    setup_page.go_to("activity")
    setup_page.inspect("activity-held")
    setup_page.go_to("maintenance")
    setup_page.expect_text("holds 1 alert")
    setup_page.inspect("maintenance-running")
    before = len(stack.tickets())
    setup_page.end_window()
    setup_page.inspect("maintenance-ended")
    stack.wait_for_tickets(before + 1)


@pytest.mark.parametrize("path", ["waiting", "history", "overview"])
def test_the_other_pages_are_in_order(setup_page, path):
    setup_page.go_to(path)


def test_nothing_is_shown_after_signing_out(setup_page, stack, partner):
    setup_page.sign_out()
    setup_page.inspect("signed-out")
    setup_page.page.goto(stack.page_of(partner))
    setup_page.expect_refusal(401)
    setup_page.inspect("no-session")


def test_a_link_does_not_work_twice(setup_page, partner):
    setup_page.try_link(partner.link)
    setup_page.expect_text("This link has been used")
    setup_page.expect_refusal(401)
    # The button would only be refused again.
    expect(setup_page.page.get_by_role("button", name="Open the set-up")).to_be_hidden()
    link = setup_page.alert.get_by_role("link", name="Request a new link")
    expect(link).to_have_attribute("href", re.compile("^/setup/link[?]partner="))
    setup_page.inspect("link-used")
