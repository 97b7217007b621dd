"""The pages of the simulated ConnectWise."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.steps


@pytest.fixture(autouse=True)
def no_icon(page):
    # Chromium asks for it where a page names no icon.
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))


def test_faults_are_switches(page, inspector, stack):
    page.goto(stack.connectwise["base_url"])
    expect(page.get_by_text("Faults: none")).to_be_visible()
    page.get_by_role("link", name="Faults").click()
    inspector.inspect("faults")
    # A fault that disturbs no other test.
    page.get_by_label("How late, in seconds").fill("0.5")
    page.get_by_text("Rights that the integration lacks").click()
    page.get_by_role("row", name="My Account").get_by_label("delete").check()
    page.get_by_role("button", name="Set").click()
    expect(page.get_by_label("How late, in seconds")).to_have_value("0.5")
    inspector.inspect("faults-set")
    page.get_by_role("link", name="Boards and tickets").click()
    expect(page.get_by_text("missing right my_account.delete")).to_be_visible()


def test_a_wrong_fault_is_named(page, inspector):
    page.get_by_role("link", name="Faults").click()
    page.get_by_label("How late, in seconds").fill("100000")
    page.get_by_role("button", name="Set").click()
    expect(page.get_by_role("alert")).to_have_text("How late, in seconds: from 0 to 86400")
    expect(page.get_by_label("How late, in seconds")).to_have_attribute("aria-invalid", "true")
    inspector.expect_refusal(400)
    inspector.inspect("faults-refused")


def test_all_faults_end_together(page):
    page.get_by_role("button", name="End all faults").click()
    page.get_by_role("link", name="Boards and tickets").click()
    expect(page.get_by_text("Faults: none")).to_be_visible()
