"""What a person reads when a page or a change is refused, for each status."""

import pytest
from playwright.sync_api import expect

from setup_page import SetupPage

pytestmark = [pytest.mark.steps, pytest.mark.usefixtures("healthy_connectwise")]


@pytest.fixture(scope="module")
def partner(stack):
    return stack.new_partner("proseware", "Proseware IT")


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("nothing-here", 404, "There is no such page."),
        ("activity-alert?id=unknown", 404, "There is no such alert."),
        ("source-new", 403, "This is not allowed"),
        ("activity?since=2026-02-02&until=2026-02-01", 422, "The last day is before the first."),
    ],
)
def test_a_page_that_cannot_be_shown_says_why(setup_page, stack, partner, path, status, words):
    if setup_page.page.url == "about:blank":
        setup_page.connect(stack, partner)
    setup_page.visit(stack, partner, path)
    setup_page.expect_refusal(status)
    setup_page.expect_text(words)
    setup_page.inspect(f"problem-{path.split('?')[0]}")


def test_a_page_says_so_while_connectwise_is_down(setup_page, stack, partner):
    stack.set_faults(outage=True)
    for path in ["boards", "tickets", "check"]:
        setup_page.visit(stack, partner, path)
        if path == "tickets":
            setup_page.expect_refusal(503)
        setup_page.inspect(f"outage-{path}")
    stack.set_faults(outage=False)


def test_a_change_is_refused_while_connectwise_is_down(setup_page, stack, partner):
    setup_page.switch_script_off()
    setup_page.visit(stack, partner, "connection")
    setup_page.enter_connection(stack.connectwise)
    setup_page.enter_private_key(stack.connectwise["private_key"])
    stack.set_faults(outage=True)
    setup_page.save_connection()
    setup_page.expect_refusal(503)
    setup_page.expect_text("Try again in a few minutes")
    setup_page.inspect("problem-unavailable")
    stack.set_faults(outage=False)


def test_of_two_people_who_save_the_second_is_told(setup_page, inspector, stack, partner):
    setup_page.visit(stack, partner, "connection")
    setup_page.enter_connection(stack.connectwise)
    other = SetupPage(setup_page.page.context.new_page(), inspector)
    other.visit(stack, partner, "connection")
    other.enter_connection(stack.connectwise)
    other.save_connection()
    other.page.close()
    setup_page.save_connection()
    setup_page.expect_refusal(409)
    setup_page.expect_text("Another person changed this meanwhile")
    setup_page.inspect("problem-conflict")


def test_a_change_without_a_session_is_a_page_that_leads_to_a_link(setup_page, stack, partner):
    setup_page.visit(stack, partner, "connection")
    setup_page.enter_connection(stack.connectwise)
    setup_page.page.context.clear_cookies()
    setup_page.save_connection()
    setup_page.expect_refusal(401)
    expect(setup_page.page.get_by_role("link", name="Request a new link")).to_be_visible()
    setup_page.inspect("problem-signed-out")
