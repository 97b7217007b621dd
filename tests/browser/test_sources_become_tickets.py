"""A partner that is live adds two products: one by its signature, one without JavaScript."""

import hashlib
import hmac
import json
import time

import pytest
import urllib3
from playwright.sync_api import expect

from stack import wait_until

pytestmark = pytest.mark.steps

TENANT, COMPANY = "wayside", "AcmeDental"


@pytest.fixture(scope="module")
def partner(stack):
    return stack.new_partner("margies", "Margies IT", manages_sources=True)


@pytest.fixture(scope="module")
def signed():
    """The address and the secret of the source that signs."""
    return {}


@pytest.fixture(scope="module")
def plain():
    """Those of the source that is added without JavaScript."""
    return {}


def message(number, status, what):
    return json.dumps(
        {
            "incident": {"number": number, "status": status, "level": "P2"},
            "customer": {"name": TENANT},
            "what": what,
            "host": "SRV-07",
        }
    )


def tickets_about(stack, what):
    return [ticket for ticket in stack.tickets() if what in ticket["summary"]]


def expect_ticket(stack, what):
    """Waits for the one ticket about this, and checks what it got."""
    [ticket] = wait_until(f"the ticket about {what}", lambda: tickets_about(stack, what))
    assert ticket["company"]["identifier"] == COMPANY
    assert ticket["board"]["name"] == "Service Desk"
    return ticket


def test_the_partner_is_live(setup_page, stack, partner):
    setup_page.become_live(stack, partner)


def test_a_tenant_is_mapped_ahead_of_its_first_alert(setup_page):
    setup_page.go_to("tenants")
    setup_page.add_tenant(TENANT, "Scanner")
    setup_page.search_company(TENANT, "acme")
    setup_page.map_to(COMPANY)


# By a signature.


def test_the_fields_of_a_signature_appear_when_it_is_chosen(setup_page):
    setup_page.go_to("sources")
    setup_page.begin_source("Signer", "Other")
    header = setup_page.page.get_by_label("Header with the signature")
    expect(header).not_to_be_visible()
    setup_page.choose_scheme("Another signature")
    expect(header).to_be_visible()
    expect(setup_page.page.get_by_label("Name of the parameter")).not_to_be_visible()
    setup_page.inspect("signature")


def test_what_is_wrong_is_shown_beside_its_field(setup_page):
    setup_page.enter_signature(
        header="X-Signature-256", prefix="sha256=", signed="time, a dot, the body"
    )
    setup_page.try_source()
    expect(setup_page.alert).to_contain_text("It is needed, since the time is signed")
    setup_page.expect_refusal(422)
    expect(setup_page.page.get_by_label("Header with the signature")).to_have_value("X-Signature-256")
    setup_page.inspect("signature-refused")
    setup_page.enter_signature(time_header="X-Sent-At")


def test_the_source_that_signs_gets_its_secret(setup_page, signed):
    setup_page.create_source()
    setup_page.expect_text("A signature in the header x-signature-256 (HMAC with SHA-256)")
    signed["secret"] = setup_page.make_secret()
    signed["address"] = setup_page.source_address()
    setup_page.expect_text("Sign by HMAC with SHA-256: time, a dot, the body.")
    setup_page.inspect("signature-secret")


def test_its_mapping_is_saved_from_a_sample(setup_page):
    setup_page.make_mapping(message("n-1", "open", "Tape full"))
    setup_page.choose_place("Alert id", "n-1")
    setup_page.choose_place("Title", "Tape full")
    setup_page.try_mapping()
    setup_page.expect_text("It raises the alert n-1 of the tenant wayside")
    # The names of ConnectWise, not its numbers.
    setup_page.expect_text("Service Desk, for operations alerts")
    setup_page.expect_text("Priority 3 - Medium, for severity medium")
    setup_page.inspect("preview-names")
    setup_page.save_mapping()
    setup_page.expect_path("source")


def test_a_signed_message_becomes_a_ticket_and_a_wrong_one_is_refused(stack, signed):
    def post(secret, sent_at):
        body = message("n-1", "open", "Tape full")
        text = f"{sent_at}.{body}".encode()
        signature = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "x-signature-256": f"sha256={signature}",
            "x-sent-at": str(sent_at),
        }
        return urllib3.request("POST", signed["address"], body=body, headers=headers).status

    now = int(time.time())
    assert post("x" * 43, now) == 401
    assert post(signed["secret"], now - 3600) == 401
    assert tickets_about(stack, "Tape full") == []
    assert post(signed["secret"], now) == 202
    expect_ticket(stack, "Tape full")


def test_the_way_changes_and_the_secret_stays_unless_it_is_ended(setup_page):
    setup_page.change_authentication()
    setup_page.inspect("authentication")
    setup_page.choose_scheme("User and password")
    setup_page.try_authentication()
    expect(setup_page.alert).to_contain_text("The present secret cannot be used in this way")
    setup_page.expect_refusal(422)
    setup_page.inspect("authentication-refused")
    setup_page.end_secret()
    setup_page.save_authentication()
    setup_page.expect_text("needs its secret")
    expect(setup_page.page.get_by_label("User", exact=True).first).to_have_value("ticketbridge")
    setup_page.inspect("authentication-saved")


# Without JavaScript.


def test_the_page_goes_on_without_javascript(setup_page):
    setup_page.switch_script_off()
    setup_page.go_to("sources")


def test_what_was_typed_is_on_the_page_again(setup_page):
    setup_page.begin_source("Backup", "Other")
    setup_page.choose_scheme("The secret in another header")
    setup_page.page.get_by_label("Name of the header").fill("not a header")
    setup_page.create_source(refused=True)
    expect(setup_page.alert).to_contain_text("The name of a header has at most 64 letters")
    setup_page.expect_refusal(422)
    expect(setup_page.page.get_by_label("Name", exact=True)).to_have_value("Backup")
    expect(setup_page.page.get_by_label("Name of the header")).to_have_value("not a header")
    setup_page.inspect("plain-refused")
    setup_page.page.get_by_label("Name of the header").fill("X-Backup-Key")
    setup_page.create_source()


def test_its_secret_is_made_and_shown_once(setup_page, plain):
    plain["address"] = setup_page.source_address()
    plain["secret"] = setup_page.make_secret(leaves=True)
    setup_page.inspect("plain-secret")


def test_a_sample_is_pasted_and_its_places_are_typed(setup_page):
    setup_page.make_mapping(message("n-2", "open", "Nightly backup failed"))
    setup_page.inspect("plain-guess")
    setup_page.expect_text("A place is the way to a value")
    assert "/incident/number" in setup_page.suggested_places()
    setup_page.enter_place("Alert id", "incident/number")
    setup_page.choose_origin("Title", "text with places")
    setup_page.enter_place("Title", "{/what} on {/host}")
    setup_page.enter_place("Device", "/host")
    setup_page.choose_origin("Severity", "a place")
    setup_page.enter_place("Severity", "/incident/level")
    setup_page.translate("Severity", "P2", "high")
    setup_page.try_mapping(leaves=True)
    expect(setup_page.alert).to_contain_text("A place begins with a slash")
    setup_page.expect_refusal(422)
    assert setup_page.field_value("Alert id") == "incident/number"
    setup_page.inspect("plain-wrong-place")


def test_the_corrected_mapping_shows_its_ticket(setup_page):
    setup_page.enter_place("Alert id", "/incident/number")
    setup_page.paste_sample(message("n-2", "closed", "Nightly backup failed"))
    setup_page.try_mapping(leaves=True)
    setup_page.expect_text("It raises the alert n-2 of the tenant wayside")
    setup_page.expect_text("It resolves the alert n-2 of the tenant wayside")
    setup_page.expect_text("Nightly backup failed on SRV-07")
    setup_page.inspect("plain-tried")
    setup_page.save_mapping()
    setup_page.expect_path("source")
    setup_page.expect_text("Saved.")


def test_its_alert_becomes_a_correct_ticket_that_is_closed(stack, plain):
    def post(status):
        body = message("n-2", status, "Nightly backup failed")
        headers = {"content-type": "application/json", "x-backup-key": plain["secret"]}
        answer = urllib3.request("POST", plain["address"], body=body, headers=headers)
        assert answer.status == 202, answer.data

    post("open")
    ticket = expect_ticket(stack, "Nightly backup failed on SRV-07")
    assert ticket["priority"]["name"] == "Priority 2 - High"
    post("closed")

    def is_closed():
        [ticket] = tickets_about(stack, "Nightly backup failed on SRV-07")
        return ticket["closedFlag"]

    wait_until("the ticket closed", is_closed)
