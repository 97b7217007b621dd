"""Deploys a release to the emulator, as on a machine that has Python, AWS's CLI and SAM's CLI alone.

It uses the files of the release's folder and nothing else of the repository: it uploads the
packages, deploys the template, sets a partner up, posts an alert, waits for the ticket, and runs each
command of `ticketbridge`. `cargo xtask try-release` starts it in a root folder of its own, see
bare_machine.py.
"""

import base64
import hashlib
import hmac
import json
import os
import shutil
import sys
import time
from pathlib import Path

import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from steps import check, passed, run
from try_commands import Commands, Program

STACK = "ticketbridge"
BUCKET = "release-packages"
PARTNER = "northwind"
TENANT = "acme-dental"
# Where browsers would find the page. The emulator has another address, which requests go to.
PAGE_ORIGIN = "http://localhost"
# A function that starts on a busy machine takes some seconds to answer.
HTTP = urllib3.PoolManager(timeout=30)
# How long the alert may take to become a ticket, in seconds.
PATIENCE = 60
ALERT = {"partner": PARTNER, "tenant": TENANT, "id": "disk-1", "title": "Disk C: is full"}
# What deploys a template. Both take the same options.
AWS_CLI = ["aws", "cloudformation", "deploy"]
SAM_CLI = ["sam", "deploy", "--no-confirm-changeset"]
# Folders that a machine with a tool chain has on its PATH.
PROGRAM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def main():
    release, described = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    check_machine(described["absent"])
    passed("this machine has no tool chain, and no clone of the repository")
    check_sums(release)
    passed("each file has the checksum that SHA256SUMS says")
    aws = Aws(described["aws"])
    connectwise = ConnectWise(described["connectwise"])
    prepare(aws, connectwise)
    template = (release / "template.yaml").read_text()
    stack = deploy(release, aws, connectwise, default_of(template, "ArtifactPrefix"), SAM_CLI)
    passed("SAM's CLI deployed the template with the packages of the release")
    page, source = set_up(stack, connectwise)
    passed("a partner is set up")
    post(stack, source, "raised", ALERT["id"], ALERT["title"])
    ticket = wait_for_ticket(connectwise)
    board, company = ticket["board"]["name"], ticket["company"]["name"]
    passed(f"an alert became ticket {ticket['id']} on board {board} for {company}")
    check(page.get("overview"), "the page shows no overview")
    alert = ALERT | {"source": source["id"], "ticket": ticket["id"]}
    Commands(Program(release, aws, stack), aws, stack, alert).run()


def check_machine(absent):
    folders = f"{os.environ['PATH']}:{PROGRAM_FOLDERS}"
    for program in ["cargo", "rustc", "cc", "gcc", "zig", "docker"]:
        found = shutil.which(program, path=folders)
        check(found is None, f"this machine has {found}")
    for path in absent:
        check(not Path(path).exists(), f"this machine has {path}")


def check_sums(release):
    sums = (release / "SHA256SUMS").read_text().splitlines()
    files = {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in sums}
    check("template.yaml" in files, "SHA256SUMS does not name the template")
    for name, expected in files.items():
        actual = hashlib.sha256((release / name).read_bytes()).hexdigest()
        check(actual == expected, f"{name} has another checksum than SHA256SUMS says")


class Aws:
    """The AWS CLI, and what it needs to find the account."""

    def __init__(self, described):
        self.region = described["region"]
        self.endpoint = described["endpoint"]
        self.credentials = Credentials(described["key"], described["key"])
        self.environment = os.environ | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": described["key"],
            "AWS_SECRET_ACCESS_KEY": described["key"],
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_PAGER": "",
            "SAM_CLI_TELEMETRY": "0",
        }

    def cli(self, *arguments):
        return self.run(["aws", *arguments])

    def run(self, command):
        return run(command, self.environment)


def prepare(aws, connectwise):
    """What an account needs before the first deployment."""
    secret = ["--name", "ticketbridge/client-id", "--secret-string", connectwise.client_id]
    aws.cli("secretsmanager", "create-secret", *secret)
    aws.cli("sesv2", "create-email-identity", "--email-identity", "ticketbridge@example.com")
    aws.cli("s3", "mb", f"s3://{BUCKET}")


def deploy(release, aws, connectwise, prefix, cli):
    """The commands of docs/releasing.md, with packages below this prefix."""
    target = f"s3://{BUCKET}/{prefix}"
    only = ["--exclude", "*", "--include", "*.zip"]
    aws.cli("s3", "cp", str(release), target, "--recursive", *only)
    parameters = [
        f"ArtifactBucket={BUCKET}",
        f"ArtifactPrefix={prefix}",
        "MailFrom=ticketbridge@example.com",
        "Architecture=x86_64",
        f"PageOrigin={PAGE_ORIGIN}",
        f"AllowedOrigins={connectwise.origin}",
    ]
    options = ["--stack-name", STACK]
    options += ["--template-file", str(release / "template.yaml"), "--s3-bucket", BUCKET]
    options += ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    aws.run([*cli, *options, "--parameter-overrides", *parameters])
    query = ["--query", "Stacks[0].Outputs", "--output", "json"]
    outputs = aws.cli("cloudformation", "describe-stacks", "--stack-name", STACK, *query)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in json.loads(outputs)}
    return Stack(aws, outputs)


def default_of(template, parameter):
    """The default of a parameter, as the text of the template has it."""
    block = template.split(f"\n  {parameter}:\n", 1)[1]
    return block.split("Default: ", 1)[1].splitlines()[0]


class Stack:
    """The deployed API, at the address that the emulator gives it."""

    def __init__(self, aws, outputs):
        self._aws = aws
        self._api = f"{aws.endpoint}/_aws/execute-api/{outputs['ApiId']}"
        self.name = STACK
        self.outputs = outputs
        self.operator_url = f"{self._api}/v1/operator"

    def operator(self, method, path, body):
        url = f"{self.operator_url}{path}"
        request = AWSRequest(method, url, {"content-type": "application/json"}, json.dumps(body))
        SigV4Auth(self._aws.credentials, "execute-api", self._aws.region).add_auth(request)
        return answer_of(HTTP.request(method, url, body=request.data, headers=dict(request.headers)))

    def request(self, method, path, headers, body=None):
        return HTTP.request(method, f"{self._api}/$default{path}", body=body, headers=headers)


class Page:
    """The partner's page, as a program uses it."""

    def __init__(self, stack, link):
        self._stack = stack
        self._headers = {"accept": "application/json", "origin": PAGE_ORIGIN}
        token = link.split("/setup/open#", 1)[1]
        answer = self._send("POST", "/setup/session", {"token": token})
        self._headers["cookie"] = answer.headers["set-cookie"].split(";")[0]
        self._folder = f"/setup/partners/{answer_of(answer)['partner']}"

    def get(self, page):
        return answer_of(self._send("GET", f"{self._folder}/{page}"))

    def post(self, page, form):
        return answer_of(self._send("POST", f"{self._folder}/{page}", form))

    def save(self, page, form):
        return self.post(page, form | {"version": self.get(page)["version"]})

    def finish(self, page):
        """Repeats the request for work that takes several."""
        for _ in range(100):
            if self.post(page, {}).get("next") != page:
                return
        check(False, f"{page} is not done after 100 requests")

    def _send(self, method, path, form=None):
        headers = self._headers
        if form is not None:
            headers = headers | {"content-type": "application/json"}
        body = None if form is None else json.dumps(form)
        return self._stack.request(method, path, headers, body)


def set_up(stack, connectwise):
    """Makes a partner with a source, and does on its page what a person does."""
    stack.operator("PUT", f"/partners/{PARTNER}", {"name": "Northwind IT"})
    source = stack.operator("POST", "/sources", {"name": "Scanner", "partner": PARTNER})
    page = Page(stack, stack.operator("POST", f"/partners/{PARTNER}/links", {})["url"])
    page.save("connection", connectwise.connection)
    board = {
        "location": connectwise.id_of("/system/locations", "name", "Springfield"),
        "department": connectwise.id_of("/system/departments", "name", "Professional Services"),
        "team_lead": connectwise.id_of("/system/members", "identifier", "TSmith"),
    }
    version = page.get("boards")["boards_version"]
    boards = {"operations": board, "cyber_alerts": board, "version": version, "reviewed": True}
    page.post("boards-dedicated", boards)
    page.finish("boards-progress")
    page.post("tickets", ticket_form(page.get("tickets"), connectwise))
    company = connectwise.id_of("/company/companies", "identifier", "AcmeDental")
    version = page.get(f"tenant?tenant={TENANT}")["version"]
    mapping = {"tenant": TENANT, "company": company, "enabled": True, "version": version}
    page.post("tenant", mapping)
    mails = ["broken_connection", "waiting_alerts", "weekly_report"]
    contact = {"address": "oncall@northwind.example", "mails": mails}
    stack.operator("PUT", f"/partners/{PARTNER}/contacts", {"contacts": [contact]})
    page.save("confirm", {})
    return page, source


def ticket_form(shown, connectwise):
    """The form of the page as it is filled in, with priorities that a person chooses."""
    names = {
        "critical": "Priority 1 - Critical",
        "high": "Priority 2 - High",
        "medium": "Priority 3 - Medium",
        "low": "Priority 4 - Low",
        "informational": "Priority 4 - Low",
    }
    priorities = {
        severity: connectwise.id_of("/service/priorities", "name", name)
        for severity, name in names.items()
    }
    kept = ["note_interval_minutes", "notes_for_customers", "lowers_priority", "version"]
    form = {name: shown[name] for name in kept} | {"priorities": priorities, "on": []}
    for category in ["operations", "cyber_alerts"]:
        board = shown[category]
        kept = ["start_status", "closing_status", "on_resolve", "reopen_days"]
        form[category] = {name: board[name] for name in kept}
        form[category]["types"] = {kind["kind"]: kind["type"] for kind in board["kinds"]}
        form["on"] += [kind["kind"] for kind in board["kinds"] if kind["on"]]
    return form


def post(stack, source, change, alert, title):
    """Posts that an alert was raised or resolved, as a source does."""
    data = {"tenant": TENANT, "alert_id": alert}
    if change == "raised":
        data |= {"kind": "disk", "severity": "high", "title": title}
        data |= {"description": "Only 1 GB is left."}
    name = f"{alert}-{change}"
    event = {"specversion": "1.0", "id": name, "source": "release", "type": f"alert.{change}"}
    body = json.dumps(event | {"data": data})
    message, seconds = f"msg_{name}", str(int(time.time()))
    key = base64.b64decode(source["secret"].removeprefix("whsec_"))
    signed = hmac.digest(key, f"{message}.{seconds}.{body}".encode(), hashlib.sha256)
    headers = {
        "content-type": "application/cloudevents+json",
        "webhook-id": message,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
    answer = stack.request("POST", f"/v1/events/{source['id']}", headers, body)
    check(answer.status == 202, f"the webhook answered {answer.status}: {answer.data.decode()}")


class ConnectWise:
    """The partner's ConnectWise: the simulator."""

    def __init__(self, described):
        self.origin = described["base_url"]
        self.client_id = described["client_id"]
        keys = ["company_id", "public_key", "private_key"]
        self.connection = {"site": self.origin} | {name: described[name] for name in keys}

    def get(self, path, query):
        keys = self.connection
        login = f"{keys['company_id']}+{keys['public_key']}:{keys['private_key']}"
        headers = urllib3.make_headers(basic_auth=login) | {"clientId": self.client_id}
        url = f"{self.origin}/v4_6_release/apis/3.0{path}"
        return answer_of(HTTP.request("GET", url, fields=query, headers=headers))

    def id_of(self, path, member, value):
        found = [one for one in self.get(path, {"pageSize": "1000"}) if one[member] == value]
        check(found, f"ConnectWise's {path} has no {member} {value!r}")
        return found[0]["id"]


def wait_for_ticket(connectwise):
    """Waits until the alert has its ticket, and fails if it has two."""
    deadline = time.monotonic() + PATIENCE
    query = {"conditions": 'externalXRef like "tb1-%"'}
    while time.monotonic() < deadline:
        tickets = connectwise.get("/service/tickets", query)
        check(len(tickets) < 2, f"the alert has {len(tickets)} tickets")
        if tickets:
            return tickets[0]
        time.sleep(0.2)
    check(False, f"the alert has no ticket after {PATIENCE} s")


def answer_of(answer):
    check(answer.status < 300, f"{answer.url}: {answer.status}: {answer.data.decode()}")
    return answer.json() if answer.data else None


if __name__ == "__main__":
    main()
