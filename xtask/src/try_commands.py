"""Runs each command of the release's program `ticketbridge` on the stack that try_release.py made.

The system test `operator_program` checks more of what the commands do. This script checks that the
released program does each of them on a machine that has nothing else of Ticketbridge.
"""

import json
import subprocess
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from steps import check, passed

PROGRAM = "ticketbridge-x86_64-unknown-linux-gnu"
# A second partner, which is not connected to ConnectWise.
OTHER = "contoso"
# No host has a name below `.invalid`.
RECEIVER = "https://hooks.example.invalid/events"
# A message that no function can parse.
POISON = "this is not JSON"


class Program:
    """The program with the stack that its options name."""

    def __init__(self, release, aws, stack):
        self._path = release / PROGRAM
        self._environment = aws.environment
        self._options = ["--stack-name", stack.name]
        # The emulator's own address of the API is none that it serves.
        self._options += ["--operator-url", stack.operator_url]
        # The commands that worked, such as `partners list`.
        self.worked = set()

    def text(self, command, *options, code=0):
        """Runs a command that must do its work and end with this code, and returns what it prints."""
        done = self._run(command, options, code)
        self.worked.add(command)
        return done.stdout

    def json(self, command, *options, code=0):
        return json.loads(self.text(command, *options, "--json", code=code))

    def fails(self, words, command, *options):
        """Runs a command that must fail with these words."""
        done = self._run(command, options, 1)
        expect(words in done.stderr, done.stderr)

    def _run(self, command, options, code):
        done = subprocess.run(
            [str(self._path), *command.split(" "), *options, *self._options],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        ended = f"ticketbridge {command} ended with {done.returncode}, not {code}"
        check(done.returncode == code, f"{ended}:\n{done.stdout}\n{done.stderr}")
        return done


class Commands:
    """Runs the commands. `alert` is the one that became a ticket."""

    def __init__(self, program, aws, stack, alert):
        self._program = program
        self._aws = aws
        self._stack = stack
        self._alert = alert
        self._key = ["--partner", alert["partner"], "--tenant", alert["tenant"]]
        self._key += ["--source", alert["source"], "--alert-id", alert["id"]]

    def run(self):
        self.version()
        self.partners()
        scanner = self.sources()
        self.links()
        self.webhook(scanner)
        self.alerts()
        self.checks()
        self.doctor()
        self.dead_letters()
        self.replay_and_rebuild()
        self.maintenance()
        self.export_and_import()
        self.deletions(scanner)
        self.completions_and_man()

    def version(self):
        version = self._program.json("version", "--stack")
        expect(version["version"] == version["functions"], version)
        passed(f"version: {version['version']}, as the functions")

    def partners(self):
        program = self._program
        created = program.json("partners create", OTHER, "--name", "Contoso IT")
        expect(created["name"] == "Contoso IT", created)
        listed = program.json("partners list")
        expect({self._alert["partner"], OTHER} == {of["id"] for of in listed["partners"]}, listed)
        shown = program.json("partners show", self._alert["partner"])
        expect(shown["contacts"][0]["address"] == "oncall@northwind.example", shown)
        changed = program.json("partners change", OTHER, "--name", "Contoso")
        expect(changed["name"] == "Contoso", changed)
        suspended = program.json("partners suspend", OTHER)
        expect(suspended["enabled"] is False, suspended)
        resumed = program.json("partners resume", OTHER)
        expect(resumed["enabled"] is True, resumed)
        passed("partners: create, list, show, change, suspend, resume")

    def sources(self):
        """Returns the id of a source of the second partner."""
        program = self._program
        created = program.json("sources create", "--name", "Scanner", "--partner", OTHER)
        expect(created["secret"].startswith("whsec_"), "a new source without a secret")
        source = created["id"]
        listed = program.json("sources list", "--partner", OTHER)
        expect([of["id"] for of in listed["sources"]] == [source], listed)
        shown = program.json("sources show", source)
        expect(shown["name"] == "Scanner" and "secret" not in shown, "sources show")
        changed = program.json("sources change", source, "--name", "Probe")
        expect(changed["name"] == "Probe", changed)
        rotated = program.json("sources rotate-secret", source)
        expect(rotated["secret"] != created["secret"], "the secret of the source is the same")
        passed("sources: create, list, show, change, rotate-secret")
        return source

    def links(self):
        link = self._program.json("links create", OTHER)
        expect("/setup/open#" in link["url"], link)
        ended = self._program.json("links end-sessions", OTHER)
        expect(ended["sessions_ended"] is True, ended)
        passed("links: create, end-sessions")

    def webhook(self, source):
        """The receiver is unreachable, which `ping` reports."""
        program = self._program
        made = program.json("sources webhook set", source, "--url", RECEIVER)
        expect(made["secret"].startswith("whsec_"), "a new webhook without a secret")
        shown = program.json("sources webhook show", source)
        expect(shown["url"] == RECEIVER, shown)
        rotated = program.json("sources webhook rotate-secret", source)
        expect(rotated["secret"] != made["secret"], "the secret of the webhook is the same")
        ping = program.json("sources webhook ping", source, code=3)
        expect(ping["state"] == "pending", ping)
        listed = program.json("sources deliveries list", source)
        expect([of["id"] for of in listed["deliveries"]] == [ping["id"]], listed)
        # It is pending already.
        replayed = program.json("sources deliveries replay", source, "--delivery", ping["id"])
        expect(replayed["replayed"] == 0, replayed)
        removed = program.json("sources webhook remove", source)
        expect(removed["webhook"] is None, removed)
        program.fails("no webhook", "sources webhook show", source)
        passed("sources webhook: set, show, rotate-secret, ping, remove")
        passed("sources deliveries: list, replay")

    def alerts(self):
        search = [self._alert["title"], "--partner", self._alert["partner"]]
        found = self._program.json("alerts search", *search)
        expect([of["ticket"] for of in found["alerts"]] == [self._alert["ticket"]], found)
        shown = self._program.json("alerts show", found["alerts"][0]["id"])
        expect(shown["state"] == "open" and shown["title"] == self._alert["title"], shown)
        passed("alerts: search, show")

    def checks(self):
        checked = self._program.json("check", self._alert["partner"])
        expect(checked["verdict"] == "good", checked)
        checked = self._program.json("check", OTHER, code=3)
        expect(checked["verdict"] == "not_connected", checked)
        contract = self._program.json("check", self._alert["partner"], "--contract")
        expect(contract["as_expected"] is True, contract)
        passed("check, and check --contract")

    def doctor(self):
        """Nothing listens at PageOrigin, which is a problem, so the exit code is 3."""
        found = self._program.json("doctor", code=3)["findings"]
        problems = [of["check"] for of in found if of["level"] == "problem"]
        expect("page at PageOrigin" in problems, found)
        functions = [of for of in found if of["check"].startswith("function ")]
        expect(len(functions) == 6 and all(of["level"] == "ok" for of in functions), functions)
        passed("doctor")

    def dead_letters(self):
        none = self._program.json("dead-letters show")
        expect(none == [], none)
        queue = ["--queue-url", self._stack.outputs["DeadLetterQueueUrl"]]
        # The CLI takes its older address of SQS from no environment variable.
        queue += ["--endpoint-url", self._aws.endpoint]
        self._aws.cli("sqs", "send-message", *queue, "--message-body", POISON)
        shown = self._program.json("dead-letters show")
        expect([of["body"] for of in shown] == [POISON], shown)
        dry = self._program.json("dead-letters redrive", "--dry-run")
        expect(dry == {"found": 1, "moved": 0}, dry)
        moved = self._program.json("dead-letters redrive")
        expect(moved == {"found": 1, "moved": 1}, moved)
        passed("dead-letters: show, redrive")

    def replay_and_rebuild(self):
        replayed = self._program.json("replay", *self._key)
        expect(str(self._alert["ticket"]) in json.dumps(replayed), replayed)
        dry = self._program.json("rebuild", "--dry-run")
        expect(dry == {"rebuilding": 1, "unconnected": 1, "failed": []}, dry)
        passed("replay, and rebuild --dry-run")

    def maintenance(self):
        program, partner = self._program, self._alert["partner"]
        starts = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M")
        window = [partner, "patches", "--starts", starts, "--zone", "UTC", "--minutes", "240"]
        # No alert has such a device, so the window holds none.
        added = program.json("maintenance add", *window, "--device", "PATCHED-*")
        listed = program.json("maintenance list", partner)
        expect(listed["windows"] == [added] and added["next"], listed)
        ended = program.json("maintenance end", partner, "patches")
        expect(ended["running"] is False, ended)
        listed = program.json("maintenance list", partner)
        expect(listed["windows"][0]["next"] == [], listed)
        passed("maintenance: add, list, end")

    def export_and_import(self):
        file = str(Path(tempfile.mkdtemp()) / "northwind.json")
        self._program.text("export", self._alert["partner"], "--output", file)
        expect("whsec_" not in Path(file).read_text(), "an export has a secret")
        same = self._program.json("import", file, "--dry-run")
        expect(same["changes"] == [], same)
        options = ["--partner", "fabrikam", "--without-connectwise", "--yes"]
        imported = self._program.json("import", file, *options)
        expect(imported["applied"] is True and imported["created_sources"], "import")
        passed("export, import")

    def deletions(self, source):
        program = self._program
        shown = program.json("delete alert", *self._key)
        expect(shown["open_tickets"] == [self._alert["ticket"]], shown)
        deleted = program.json("delete alert", *self._key, "--yes")
        expect(deleted["is_deleted"] is True, deleted)
        found = program.json("alerts search", "--partner", self._alert["partner"])
        expect(found["alerts"] == [], found)
        deleted = program.json("delete tenant", *self._key[:4], "--yes")
        expect(deleted["is_deleted"] is True and deleted["config_items"] > 0, deleted)
        deleted = program.json("delete source", source, "--yes")
        expect(deleted["is_deleted"] is True, deleted)
        program.fails("There is no", "sources show", source)
        program.json("partners suspend", OTHER)
        deleted = program.json("delete partner", OTHER, "--yes")
        expect(deleted["is_deleted"] is True, deleted)
        program.fails("There is no", "partners show", OTHER)
        passed("delete: alert, tenant, source, partner")

    def completions_and_man(self):
        """The man pages say which commands there are, so none was left out."""
        program, folder = self._program, Path(tempfile.mkdtemp())
        page = program.text("man")
        program.text("man", "--folder", str(folder))
        script = program.text("completions", "bash")
        pages = {page.stem.removeprefix("ticketbridge-") for page in folder.glob("*-*.1")}
        groups = {page for page in pages for of in pages if of.startswith(f"{page}-")}
        worked = {command.replace(" ", "-") for command in program.worked}
        check(worked == pages - groups, f"not run: {pages - groups - worked}")
        for command in program.worked:
            first = command.split(" ")[0]
            # A hyphen in roff is `\-`.
            expect(f"ticketbridge-{first}(1)" in page.replace("\\-", "-"), first)
            check(all(word in script for word in command.split(" ")), f"no completion of {command}")
        passed(f"completions and man: each of the {len(worked)} commands worked")


def expect(fact, shown):
    check(fact, f"ticketbridge printed something else: {shown}")
