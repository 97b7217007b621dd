"""The pages about alerts in the states that are not a way to a ticket: empty, waiting, rejected, long."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import expect

from stack import wait_until

pytestmark = [pytest.mark.steps, pytest.mark.usefixtures("healthy_connectwise")]

# The numbers of companies in ConnectWise.
MAPPED, OFF, UNMAPPED = "acme-dental", "baker-and-sons", "cedar-valley"
COMPANIES = [(MAPPED, 301, True), (OFF, 302, False)]
REJECTED = "odd"
# More than two pages show.
MANY = [f"many-{n:03}" for n in range(105)]
PAGE = 50
# More steps than an alert's page keeps.
LONG, ROUNDS = "long", 25


@pytest.fixture(scope="module")
def partner(stack):
    return stack.new_partner("adventure", "Adventure Works")


def show_alert(setup_page, title):
    with setup_page.paused():
        setup_page.go_to("activity")
    setup_page.find_alerts(title)
    setup_page.open_alert(title)


def test_a_live_partner_without_alerts_is_green_and_its_lists_are_empty(setup_page, stack, partner):
    setup_page.become_live(stack, partner)
    stack.map_tenants(partner, COMPANIES)
    setup_page.go_to("activity")
    setup_page.expect_text("No alert has arrived yet")
    setup_page.go_to("waiting")
    setup_page.expect_text("Every active alert has its ticket.")
    setup_page.go_to("overview")
    setup_page.expect_text("Live: alerts become tickets.")
    setup_page.visit(stack, partner, "source-messages")
    setup_page.expect_text("No message waits.")
    setup_page.inspect("messages-none")


def test_the_overview_counts_waiting_alerts_by_their_reason(setup_page, stack, partner):
    answer = {"status": 400, "body": {"custom": {"message": "Summary is odd"}}}
    when = {"operations": ["create"], "text": f"Disk full on {REJECTED}"}
    stack.set_faults(rules=[{"when": when, "then": {"answer": answer}}])
    now = datetime.now(timezone.utc)
    for alert, tenant, hours, reason in [
        (REJECTED, MAPPED, 0, "rejected"),
        ("aged", MAPPED, 72, "older_than_backfill"),
        ("tenant-off", OFF, 0, "tenant_disabled"),
        ("not-mapped", UNMAPPED, 0, "unmapped"),
    ]:
        partner.source.raise_alert(alert, tenant, now - timedelta(hours=hours))
        stack.expect_blocked(alert, reason)
    with setup_page.paused():
        setup_page.go_to("overview")
    setup_page.expect_text("something needs attention")
    for words in ["ConnectWise rejected the ticket", "The tenant is not mapped", "switched off"]:
        setup_page.expect_text(words)
    setup_page.inspect("overview-amber")
    setup_page.go_to("waiting")
    setup_page.open_waiting_tenant(MAPPED)
    setup_page.expect_text("Disk full on aged")
    setup_page.inspect("waiting-to-release")


@pytest.mark.parametrize(
    ("alert", "words"),
    [(REJECTED, "Summary is odd"), ("not-mapped", "not mapped"), ("aged", "too long ago")],
)
def test_the_page_of_a_waiting_alert_says_why(setup_page, alert, words):
    show_alert(setup_page, f"Disk full on {alert}")
    setup_page.expect_text(words)
    setup_page.inspect(f"alert-{alert}")


def test_a_long_timeline_is_cut_in_the_middle(setup_page, stack, partner):
    for n in range(ROUNDS):
        partner.source.raise_alert(LONG, UNMAPPED, datetime.now(timezone.utc), event=f"{LONG}-{n}")
        partner.source.resolve_alert(LONG, UNMAPPED, event=f"{LONG}-{n}")
    partner.source.raise_alert(LONG, UNMAPPED, datetime.now(timezone.utc), event=f"{LONG}-last")

    def is_cut():
        show_alert(setup_page, f"Disk full on {LONG}")
        return "no longer stored" in setup_page.text

    wait_until("the cut timeline", is_cut)
    setup_page.inspect("alert-long")


def test_filters_without_a_match_say_so(setup_page):
    with setup_page.paused():
        setup_page.go_to("activity")
    setup_page.find_alerts("nothing of that name", reason="limits the rate")
    setup_page.expect_text("No alert matches.")
    setup_page.inspect("activity-no-match")


def test_more_than_a_hundred_alerts_are_on_three_pages(setup_page, stack, partner):
    now = datetime.now(timezone.utc)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda alert: partner.source.raise_alert(alert, UNMAPPED, now), MANY))
    rows = setup_page.page.locator("tbody tr")

    def have_all_arrived():
        with setup_page.paused():
            setup_page.go_to("activity")
        for _ in range(2):
            if rows.count() < PAGE or "Older" not in setup_page.text:
                return False
            setup_page.turn_page("Older")
        # Those of the tests before are five.
        return rows.count() == len(MANY) + 5 - 2 * PAGE

    wait_until("all alerts", have_all_arrived, within=150)
    setup_page.inspect("activity-third-page")
    setup_page.turn_page("Newest")
    expect(rows).to_have_count(PAGE)
    setup_page.inspect("activity-first-page")
    with setup_page.paused():
        setup_page.go_to("waiting")
    setup_page.open_waiting_tenant(UNMAPPED)
    setup_page.expect_text("Page 1 of 2")
    setup_page.inspect("waiting-many")


def test_the_overview_is_red_while_connectwise_refuses_the_keys(setup_page, stack, partner):
    stack.set_faults(keys="revoked")
    partner.source.raise_alert("refused", MAPPED, datetime.now(timezone.utc))
    stack.expect_blocked("refused", "connection_broken")

    def is_red():
        setup_page.visit(stack, partner)
        return "No tickets are created" in setup_page.text

    # The connection is probed every half minute.
    wait_until("the incident", is_red, within=90)
    setup_page.inspect("overview-red")
    setup_page.go_to("check")
    setup_page.expect_text("refuses the keys")
    setup_page.inspect("check-refused")
    show_alert(setup_page, "Disk full on refused")
    setup_page.expect_text("ConnectWise refuses the connection")
    setup_page.inspect("alert-refused")
    for path in ["boards", "tenants", "confirm", "test"]:
        setup_page.go_to(path)
    # Everything on it is chosen from lists of ConnectWise.
    with setup_page.paused():
        setup_page.go_to("tickets")
    setup_page.expect_refusal(422)
    setup_page.expect_text("This page cannot be shown now")
    setup_page.inspect("tickets-refused")
