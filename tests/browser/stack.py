"""The running stack that the tests use.

The operator's API, the webhook, ConnectWise, the alerts table and the mailbox.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import botocore.session
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

# How long alerts, tickets and mails may take to arrive, in seconds.
PATIENCE = 45
# The most items that DynamoDB writes at once.
BATCH = 25


def wait_until(what, ask, within=PATIENCE):
    """Asks until the answer is true or not empty, and returns it."""
    deadline = time.monotonic() + within
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited {within} s for {what}"
        time.sleep(0.1)


class Stack:
    """Addresses and keys come from a file of `cargo xtask browser`, named by TICKETBRIDGE_STACKS.
    Each worker of pytest-xdist has a stack of its own."""

    def __init__(self):
        path = os.environ.get("TICKETBRIDGE_STACKS")
        assert path, "start these tests with `cargo xtask browser`"
        self.folder = Path(path).parent
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        self._described = json.loads(Path(path).read_text())[worker]
        self._partners = set()
        self.origin = self._described["origin"]
        self.connectwise = self._described["connectwise"]

    @property
    def setup_url(self):
        return f"{self.origin}/setup"

    def page_of(self, partner, page="overview"):
        """The address of one of a partner's pages."""
        return f"{self.setup_url}/partners/{partner.id}/{page}"

    def new_partner(self, partner, name, manages_sources=False):
        """Registers a partner and a source of alerts, and creates a link to the partner's page."""
        # Else a test would depend on those that ran before it with the same partner.
        assert partner not in self._partners, f"another test has the partner {partner}"
        self._partners.add(partner)
        body = {"name": name, "manages_sources": manages_sources}
        self._operator("PUT", f"/partners/{partner}", body)
        source = self._operator("POST", "/sources", {"name": "Scanner", "partner": partner})
        link = self._new_link(partner)
        url = f"{self.origin}/v1/events/{source['id']}"
        return Partner(partner, link, Source(url, source["secret"]))

    def new_link(self, partner):
        """A further link to the partner's page."""
        return self._new_link(partner.id)

    def _new_link(self, partner):
        return self._operator("POST", f"/partners/{partner}/links", {})["url"]

    def list_tenants(self, partner, tenants):
        """Lists tenants of the partner ahead of their first alert: pairs of an id and a name."""
        entries = [{"id": tenant, "name": name} for tenant, name in tenants]
        body = {"source": partner.source.url.rsplit("/", 1)[-1], "tenants": entries}
        self._operator("PUT", f"/partners/{partner.id}/tenants", body)

    def list_many_tenants(self, partner, tenants):
        """As `list_tenants`, for thousands. The first is listed by the operator's API, and the others
        are copies of its item: the emulator takes minutes for as many conditional writes."""
        self.list_tenants(partner, tenants[:1])
        dynamodb, table = self._dynamodb(), self._described["config_table"]
        [(first, _), *others] = tenants
        key = {"pk": {"S": f"P#{partner.id}#tenants"}, "sk": {"S": f"T#{first}"}}
        item = dynamodb.get_item(TableName=table, Key=key)["Item"]
        for start in range(0, len(others), BATCH):
            copies = [
                item | {"sk": {"S": f"T#{tenant}"}, "name": {"S": name}}
                for tenant, name in others[start : start + BATCH]
            ]
            puts = {table: [{"PutRequest": {"Item": copy}} for copy in copies]}
            assert dynamodb.batch_write_item(RequestItems=puts)["UnprocessedItems"] == {}

    def set_contact(self, partner, address):
        """Sets the partner's only contact, which needs no confirmation."""
        contact = {"address": address, "mails": ["broken_connection"]}
        self._operator("PUT", f"/partners/{partner.id}/contacts", {"contacts": [contact]})

    def map_tenants(self, partner, companies):
        """Maps tenants: their id, the number of the company, and whether they are switched on."""
        connectwise = {
            "origin": self.connectwise["base_url"],
            "company_id": self.connectwise["company_id"],
        }
        tenants = [
            {"id": tenant, "company": company, "enabled": enabled}
            for tenant, company, enabled in companies
        ]
        body = {"connectwise": connectwise, "tenants": tenants}
        self._operator("PUT", f"/partners/{partner.id}/configuration", body)

    def set_faults(self, **faults):
        """Changes how ConnectWise behaves; what is not named stays."""
        url = f"{self.connectwise['base_url']}/_sim/faults"
        _answer(_request("PUT", url, json=faults))

    def expect_blocked(self, alert_id, reason):
        """Waits until the alert's record is blocked for this reason; None: is not blocked."""
        wait_until(f"{alert_id} blocked: {reason}", lambda: self._reasons(alert_id) == [reason])

    def tickets(self):
        """Every ticket that Ticketbridge created in ConnectWise, the oldest first."""
        query = {"conditions": 'externalXRef like "tb1-%"', "pageSize": "1000"}
        tickets = self.connectwise_get("/service/tickets", query)
        return sorted(tickets, key=lambda ticket: ticket["id"])

    def wait_for_tickets(self, count):
        """Waits until there are that many tickets, and fails as soon as there are more."""

        def ask():
            tickets = self.tickets()
            assert len(tickets) <= count, tickets
            return len(tickets) == count and tickets

        return wait_until(f"{count} tickets", ask)

    def connectwise_get(self, path, query):
        keys = self.connectwise
        login = f"{keys['company_id']}+{keys['public_key']}:{keys['private_key']}"
        headers = urllib3.make_headers(basic_auth=login) | {"clientId": keys["client_id"]}
        url = f"{keys['base_url']}/v4_6_release/apis/3.0{path}"
        return _answer(_request("GET", url, fields=query, headers=headers))

    def mails(self):
        """Every mail that was sent, as one text."""
        return _request("GET", self._described["mail_url"]).data.decode()

    def confirmation_link(self):
        """Waits for a confirmation mail; returns the newest link."""
        pattern = re.compile(r"/setup/contact/confirm#([\w.-]+)")
        tokens = wait_until("the confirmation mail", lambda: pattern.findall(self.mails()))
        return f"{self.setup_url}/contact/confirm#{tokens[-1]}"

    def _reasons(self, alert_id):
        """Why the records of this alert are blocked: one reason a record, None where it is not."""
        items = self._dynamodb().scan(TableName=self._described["alerts_table"])["Items"]
        return [
            item["blocked"]["M"]["reason"]["S"] if "blocked" in item else None
            for item in items
            # Other items of the table have no key of an alert.
            if "key" in item and item["key"]["M"]["alert_id"]["S"] == alert_id
        ]

    def _dynamodb(self):
        described = self._described
        return botocore.session.get_session().create_client(
            "dynamodb",
            endpoint_url=described["aws_endpoint_url"],
            region_name=described["aws_region"],
            aws_access_key_id=described["aws_root_key"],
            aws_secret_access_key=described["aws_root_key"],
        )

    def _operator(self, method, path, body):
        keys = self._described["operator"]
        url = self._described["operator_url"] + path
        request = AWSRequest(method, url, {"content-type": "application/json"}, json.dumps(body))
        credentials = Credentials(keys["access_key_id"], keys["secret_access_key"])
        SigV4Auth(credentials, "execute-api", self._described["aws_region"]).add_auth(request)
        headers = dict(request.headers)
        return _answer(_request(method, url, body=request.data, headers=headers))


@dataclass(frozen=True)
class Partner:
    id: str
    link: str
    source: "Source"


@dataclass(frozen=True)
class Source:
    """A source of alerts. It posts signed events, as any upstream system does."""

    url: str
    secret: str

    def raise_alert(self, alert_id, tenant, raised_at, tenant_name=None, event=None):
        """Raises an alert, or raises it again by another event."""
        title = f"Disk full on {alert_id}"
        data = {
            "tenant": tenant,
            "alert_id": alert_id,
            "kind": "disk",
            "severity": "high",
            "title": title,
            "description": f"{title}\nSeen by the demo.",
            "device": "SRV-01",
        }
        if tenant_name:
            data["tenant_name"] = tenant_name
        self._post("alert.raised", f"evt-{event or alert_id}", raised_at, data)

    def resolve_alert(self, alert_id, tenant, event=None):
        now = datetime.now(timezone.utc)
        data = {"tenant": tenant, "alert_id": alert_id}
        self._post("alert.resolved", f"evt-{event or alert_id}-resolved", now, data)

    def _post(self, kind, event_id, at, data):
        event = {
            "specversion": "1.0",
            "id": event_id,
            "source": "https://rmm.example.com/demo",
            "type": kind,
            "time": at.isoformat(),
            "datacontenttype": "application/json",
            "data": data,
        }
        body = json.dumps(event)
        message, seconds = f"msg_{event_id}", str(int(time.time()))
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = hmac.digest(key, f"{message}.{seconds}.{body}".encode(), hashlib.sha256)
        headers = {
            "content-type": "application/cloudevents+json",
            "webhook-id": message,
            "webhook-timestamp": seconds,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }
        answer = _request("POST", self.url, body=body, headers=headers)
        assert answer.status == 202, f"{answer.status}: {answer.data.decode()}"


def _request(method, url, **content):
    return urllib3.request(method, url, timeout=PATIENCE, **content)


def _answer(answer):
    assert answer.status < 300, f"{answer.url}: {answer.status}: {answer.data.decode()}"
    return answer.json() if answer.data else None
