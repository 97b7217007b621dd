"""The partner's page as a person uses it: each method is one thing that a person does.

The names of buttons, links and fields are in this file only, each once.
"""

import re
import time
from contextlib import contextmanager

from playwright.sync_api import expect

from stack import PATIENCE

# The pages of the navigation: path, name.
STEPS = {
    "overview": "Overview",
    "activity": "Activity",
    "connection": "Connect",
    "check": "Check connection",
    "boards": "Boards",
    "tickets": "Tickets",
    "tenants": "Tenants",
    "sources": "Sources",
    "contacts": "Contacts",
    "confirm": "Confirm",
    "test": "Test ticket",
    "waiting": "Waiting alerts",
    "maintenance": "Maintenance",
    "history": "History",
}


class SetupPage:
    """Each method that loads a page waits for it; each method that goes to a page inspects it."""

    def __init__(self, page, inspector):
        self.page = page
        self.inspect = inspector.inspect
        self.paused = inspector.paused
        self.expect_refusal = inspector.expect_refusal

    @property
    def text(self):
        """What a person reads on the page."""
        return self.page.get_by_role("main").inner_text()

    @property
    def alert(self):
        return self.page.get_by_role("alert")

    def expect_path(self, path):
        """The page of this path is shown, whatever follows the path. A path without a slash is of
        the partner's pages."""
        whole = path if path.startswith("/") else f"/setup/partners/[^/]+/{path}"
        expect(self.page).to_have_url(re.compile(rf"^http://[^/]+{whole}([?#]|$)"))

    def expect_text(self, text):
        expect(self.page.get_by_role("main")).to_contain_text(text)

    def expect_error_at(self, label):
        """The error is read out with the field that it is about, and that field has the focus. The page
        no longer says what was done before."""
        expect(self.page.locator("p.done[role=status]")).to_have_count(0)
        field = self._field(label)
        expect(field).to_be_focused()
        expect(field).to_have_accessible_description(re.compile(re.escape(self.alert.inner_text())))

    def expect_focused_message(self, text):
        """What a change has done is where the keyboard goes on."""
        message = self.page.get_by_role("status").filter(has_text=text)
        expect(message).to_be_focused()

    def go_to(self, path):
        """Follows the navigation."""
        navigation = self.page.get_by_role("navigation", name="Steps")
        self._follow(navigation.get_by_role("link", name=STEPS[path], exact=True))
        self.expect_path(path)
        self.inspect(path)

    def connect(self, stack, partner):
        """Opens the partner's link, enters its keys, and sends its tickets to one board."""
        with self.paused():
            self.open_link(partner.link)
            self.go_to("connection")
            self.enter_connection(stack.connectwise)
            self.enter_private_key(stack.connectwise["private_key"])
            self.save_connection()
            self.go_to("boards")
            self.use_board("Service Desk")

    def become_live(self, stack, partner):
        """Does the whole set-up."""
        self.connect(stack, partner)
        stack.set_contact(partner, f"oncall@{partner.id}.example")
        with self.paused():
            self.go_to("confirm")
            self.go_live()

    def visit(self, stack, partner, page="overview"):
        """Loads one of the partner's pages by its address."""
        self.page.goto(stack.page_of(partner, page))

    def switch_script_off(self):
        """The pages have no script from now on. JavaScript itself stays on so that axe can run; the
        page's policy allows no other script."""
        empty = {"body": "", "content_type": "text/javascript"}
        self.page.context.route("**/page.js", lambda route: route.fulfill(**empty))

    @contextmanager
    def held_work(self, path):
        """Only the first request of long work is answered, so that the page can be inspected between
        two of them: `wait` returns once the second was sent."""
        requests = []

        def answer(route):
            requests.append(route)
            if len(requests) == 1:
                route.continue_()

        def wait():
            deadline = time.monotonic() + PATIENCE
            while len(requests) < 2:
                assert time.monotonic() < deadline, f"{len(requests)} requests to {path}"
                self.page.wait_for_timeout(100)

        self.page.route(f"**/{path}", answer)
        yield wait
        self.page.unroute(f"**/{path}")

    # Links with a token behind "#".

    def open_link(self, link):
        self.page.goto(link)
        self.inspect("open")
        self._press("Open the set-up")
        self.expect_path("overview")
        self.inspect("overview")

    def try_link(self, link):
        """Opens a link that is refused."""
        self.page.goto(link)
        self._button("Open the set-up").click()

    def confirm_contact(self, link):
        self.page.goto(link)
        self.inspect("contact-confirm")
        self._press("Confirm this address")
        self.expect_path("/setup/contact/confirm")
        self.inspect("contact-confirmed")
        self._follow(self.page.get_by_role("link", name="Go to the set-up"))
        self.expect_path("overview")

    # Connect.

    def enter_connection(self, connectwise):
        for label, member in [
            ("ConnectWise site", "base_url"),
            ("Company id", "company_id"),
            ("Public key", "public_key"),
        ]:
            self._field(label).fill(connectwise[member])

    def enter_private_key(self, key):
        self._field("Private key").fill(key)

    def try_connection(self):
        """Sends a connection that is refused."""
        self._button("Check and save").click()

    def save_connection(self):
        self._press("Check and save")

    # Check connection.

    def check_now(self):
        """Checks the connection, where no script does it."""
        self._press("Check now")

    # Boards.

    def choose_board(self, board, location, department, team_lead):
        fields = self.page.get_by_role("group", name=board, exact=True)
        _choose(fields.get_by_label("Location", exact=True), location)
        _choose(fields.get_by_label("Department of that location"), department)
        _choose(fields.get_by_label("Team lead"), team_lead)

    def review_boards(self):
        """Shows what will be created. The page's script shows it in place of the form."""
        self._button("Review the new boards").click()
        expect(self._reviewed_boards()).to_be_visible()

    def create_boards(self):
        self._follow(self._reviewed_boards())

    def _reviewed_boards(self):
        """The button of a review, which says whether anything is created."""
        words = re.compile("^(Create these parts|Use these boards)$")
        return self.page.get_by_role("button", name=words)

    def continue_boards(self):
        """Creates the next part of the boards, where no script does it."""
        self._press("Continue")

    def use_board(self, board):
        """Sends all tickets to a board that exists."""
        for category in ["operations", "cyber alerts"]:
            self._field(f"Board for {category}").select_option(label=board)
        self._button("Review the choice").click()
        expect(self._button("Use these boards")).to_be_visible()
        self.inspect("boards-review")
        self._press("Use these boards")

    # Tickets.

    def save_priority(self, severity, priority):
        self._field(severity).select_option(priority)
        self._press("Save")

    def choose_assignee(self, team, owner, kind, kind_owner):
        """Chooses who gets operations tickets, and another owner for a kind of alert."""
        board = self.page.get_by_role("group", name="Operations alerts:")
        board.get_by_label("Team of a new ticket", exact=True).select_option(team)
        board.get_by_label("Owner of a new ticket", exact=True).select_option(owner)
        board.get_by_text("Another team or owner for a kind of alert").click()
        self._field(f"Owner of {kind}").select_option(kind_owner)

    def save_tickets(self):
        self._press("Save")

    # Tenants.

    def assign_tenant(self, name, owner):
        """Chooses the owner of a tenant's tickets on its own page."""
        self.open_tenant(name)
        self._follow(self.page.get_by_role("link", name="Team and owner of its tickets"))
        self._field("Owner").select_option(owner)
        self._press("Save")

    def search_company(self, tenant, words):
        """Opens the tenant's row in the list, and searches companies there."""
        self._follow(self.page.get_by_role("link", name=f"Map {tenant}", exact=True))
        self._field("Company name or id contains").fill(words)
        self._press("Search")

    def map_to(self, company):
        """Maps the tenant to the company of this identifier, and switches it on."""
        self.page.get_by_role("radio", name=re.compile(rf"\({company}, \d+\)")).check()
        self._field("Create tickets for its alerts").check()
        self._press("Save")

    def add_tenant(self, tenant, source):
        """Lists a tenant ahead of its first alert."""
        self._field("Id at the source").fill(tenant)
        self._field("Source").select_option(source)
        self._press("Add")

    def suggest_companies(self):
        self._press("Suggest companies by name")

    def confirm_suggestion(self, company):
        self._follow(self.page.get_by_role("button", name=re.compile(rf"^Confirm {company} ")))

    def find_tenants(self, search="", show="All"):
        self._field("Search").fill(search)
        self._field("Show").select_option(show)
        self._press("Show")

    def turn_page(self, link):
        """Follows the link to the next or the previous page of a list."""
        self._follow(self.page.get_by_role("link", name=link, exact=True))

    def open_tenant(self, name):
        self._follow(self.page.get_by_role("link", name=name, exact=True))
        self.expect_path("tenant")

    def look_over_exact_matches(self):
        self._press("Look over all exact matches")
        self.expect_path("tenants-changes")

    def confirm_changes(self, count):
        """Confirms changes of many tenants. The page's script goes on until all are made."""
        # The button is above and below the list.
        self._follow(self._button(f"Confirm {count} change{'' if count == 1 else 's'}").first)

    def stop_changes(self):
        """Stops changes that are being made."""
        self._press("Stop")

    def open_import(self):
        self._follow(self.page.get_by_role("link", name="Map tenants by a CSV file"))
        self.expect_path("tenants-import")

    def choose_file(self, lines):
        file = {"name": "tenants.csv", "mimeType": "text/csv", "buffer": "\r\n".join(lines).encode()}
        self._field("CSV file").set_input_files(file)

    def send_file(self):
        self._press("Show what will change")
        self.expect_path("tenants-changes")

    def try_file(self):
        """Sends a file that is refused."""
        self._button("Show what will change").click()

    # Maintenance.

    def fill_window(self, name, starts, zone, hours, tenant=None):
        """Fills the form of a window that happens once; `starts` is by the clocks of the zone."""
        self._field("Name").fill(name)
        self._field("Begins").fill(starts)
        self._field("Time zone").fill(zone)
        self._field("Length in hours").fill(hours)
        if tenant:
            self._field("Tenants").select_option(label=tenant)

    def repeat_window(self, repeats, days=()):
        self.page.get_by_role("radio", name=repeats, exact=True).check()
        for day in days:
            self._field(day).check()

    def preview_window(self):
        """Shows when the window will be. The page's script shows it in place of the form."""
        self._button("Show the next times").click()

    def save_window(self):
        self._press("Save")

    def try_window(self):
        """Sends a window that is refused. The page's script shows why."""
        self._button("Save").click()

    def end_window(self):
        self._press("End now")

    def delete_window(self):
        self._press("Delete")

    # Activity.

    def find_alerts(self, search, reason=None):
        self._field("Search").fill(search)
        if reason:
            self.page.get_by_text("More filters").click()
            _choose(self._field("Why it waits"), reason)
        self._press("Show")

    def find_alerts_of(self, tenant):
        """Searches alerts of a tenant, where there are too many tenants to choose from."""
        self._field("Tenant").fill(tenant)
        self._press("Show")

    def open_alert(self, title):
        self._follow(self.page.get_by_role("link", name=title, exact=True))
        self.expect_path("activity-alert")

    # Waiting alerts.

    def open_waiting_tenant(self, name):
        self._follow(self.page.get_by_role("link", name=name, exact=True))
        self.expect_path("waiting-tenant")

    # Sources.

    def add_source(self, name, product):
        self.begin_source(name, product)
        self.create_source()

    def begin_source(self, name, product):
        self._follow(self.page.get_by_role("link", name="Add a source"))
        self.inspect("source-new")
        self._field("Name").fill(name)
        self.page.get_by_role("radio", name=re.compile(f"^{product}")).check()

    def try_source(self):
        """Sends a source that is refused. The page's script shows why."""
        self._button("Create").click()

    def create_source(self, refused=False):
        self._press("Create")
        self.expect_path("source-new" if refused else "source")

    def choose_scheme(self, words):
        self.page.get_by_role("radio", name=re.compile(f"^{words}")).check()

    def enter_signature(self, header=None, prefix=None, signed=None, time_header=None):
        for label, value in [
            ("Header with the signature", header),
            ("Text before the signature", prefix),
            ("Header with the time", time_header),
        ]:
            if value:
                self._field(label).fill(value)
        if signed:
            self._field("What is signed").select_option(signed)

    def change_authentication(self):
        name = "Change authentication, networks or response"
        self._follow(self.page.get_by_role("link", name=name))
        self.expect_path("source-authentication")

    def end_secret(self):
        self.page.get_by_role("radio", name=re.compile("^End it")).check()

    def try_authentication(self):
        """Sends a change that is refused. The page's script shows why."""
        self._button("Save").click()

    def save_authentication(self):
        self._press("Save")
        self.expect_path("source")

    def source_address(self):
        return self.page.locator("pre[data-copy='the address']").inner_text()

    def make_secret(self, leaves=False):
        """Makes the secret of a new source, and returns it. Without the script it is a page."""
        if leaves:
            self._press("Make the secret")
        else:
            self._button("Make the secret").click()
        shown = self.page.locator("pre[data-copy='the secret']")
        expect(shown).to_be_visible()
        return shown.inner_text()

    def enter_vendor_secret(self, secret):
        self._field("Secret that the vendor shows").fill(secret)

    def try_vendor_secret(self):
        self._button("Save the secret").click()

    def save_vendor_secret(self):
        self._press("Save the secret")

    def expect_message(self):
        """A message of the source appears by itself."""
        use = self.page.get_by_role("button", name=re.compile("^Use the message of"))
        expect(use.first).to_be_visible()

    def use_message(self):
        self._follow(self.page.get_by_role("button", name=re.compile("^Use the message of")).first)
        self.expect_path("source-mapping")

    def open_source(self, name):
        self._follow(self.page.get_by_role("link", name=name, exact=True))

    def choose_place(self, field, value):
        """Fills a field of the mapping by a value of the sample."""
        self._field(field).focus()
        tree = self.page.get_by_role("region", name="The first sample")
        tree.get_by_role("button", name=value, exact=True).click()

    def field_value(self, field):
        return self._field(field).input_value()

    def enter_place(self, field, place):
        self._field(field).fill(place)

    def make_mapping(self, sample):
        """Begins the mapping of a source by a message that is pasted."""
        self._field("A message of this product, as JSON or XML").fill(sample)
        self._press("Make the mapping")
        self.expect_path("source-mapping")

    def look_at_mapping(self):
        name = "Look at the mapping, and try it on messages"
        self._follow(self.page.get_by_role("link", name=name))
        self.expect_path("source-mapping")

    def origin(self, field):
        """Where a field of the mapping comes from."""
        chosen = self._field(f"{field}: where it comes from").locator("option:checked")
        return chosen.inner_text()

    def suggested_places(self):
        """The places of the sample that the fields suggest."""
        options = self.page.locator("datalist#places option")
        return [option.get_attribute("value") for option in options.all()]

    def choose_origin(self, field, words):
        self._field(f"{field}: where it comes from").select_option(words)

    def translate(self, field, value, meaning):
        """Adds a row to the table that translates the values of a field."""
        row = self.page.get_by_role("group", name=re.compile(rf"^{field}( \(required\))?$"))
        row.get_by_text("Translate its values").click()
        self._field(f"{field} by value, value 1").fill(value)
        self._field(f"{field} by value, meaning of value 1").select_option(meaning)

    def paste_sample(self, text):
        self._field("Another message, such as the one that resolves the alert").fill(text)

    def try_mapping(self, leaves=False):
        """Tries the mapping. Without the page's script, the result is a page of its own."""
        if leaves:
            self._press("Try it")
        else:
            self._button("Try it").click()

    def edit_as_json(self):
        self._button("Edit as JSON").click()
        expect(self._field("Mapping")).to_be_visible()

    def save_mapping(self):
        self._press("Save")

    def look_at_messages(self):
        self._follow(self.page.get_by_role("link", name=re.compile("^(Look at the messages|Show all)")))
        self.expect_path("source-messages")

    def open_message(self):
        self._follow(self.page.locator("td[data-label=Received] a").first)
        self.expect_path("source-message")

    def replay_all(self, name):
        self._press(f"Replay all of {name}")

    # Contacts.

    def add_contact(self, address, without=()):
        """Adds a contact, which receives all mails but those of these names."""
        form = self.page.locator("form", has=self._field("E-mail address"))
        self._field("E-mail address").fill(address)
        for name in without:
            form.get_by_role("checkbox", name=name, exact=True).uncheck()
        self._press("Add")

    def change_mails(self, address, name, receives):
        """Changes whether a contact receives the mails of this name."""
        contact = self._contact(address)
        contact.get_by_role("checkbox", name=name, exact=True).set_checked(receives)
        self._follow(contact.get_by_role("button", name="Save", exact=True))

    def try_to_remove_contact(self, address):
        """Removes a contact that has to stay."""
        self._contact(address).get_by_role("button", name="Remove", exact=True).click()

    def remove_contact(self, address):
        self._follow(self._contact(address).get_by_role("button", name="Remove", exact=True))

    def send_test_mail(self):
        self._press("Send a test mail")

    def _contact(self, address):
        return self.page.get_by_role("region", name=address, exact=True)

    # Confirm, test ticket, sign out.

    def go_live(self):
        self._press("Confirm and go live")

    def create_test_ticket(self, tenant, board):
        self._field("Tenant").select_option(tenant)
        self.page.get_by_role("radio", name=board).check()
        self._press("Create a test ticket")

    def wait_for_test_ticket(self):
        expect(self._button("Close the test ticket")).to_be_visible()

    def close_test_ticket(self):
        self._press("Close the test ticket")

    def sign_out(self):
        self._press("Sign out")

    def _field(self, label):
        return self.page.get_by_label(label, exact=True)

    def _button(self, name):
        return self.page.get_by_role("button", name=name, exact=True)

    def _press(self, name):
        """Presses a button that leads to another page, or to the same page anew."""
        self._follow(self._button(name))

    def _follow(self, locator):
        with self.page.expect_event("load"):
            locator.click()


def _choose(select, words):
    """Chooses the first option that contains these words."""
    select.select_option(select.locator("option", has_text=words).first.get_attribute("value"))
