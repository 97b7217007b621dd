"""Updates a stack on the emulator from one release to another, and back, while messages wait.

`cargo xtask try-upgrade` starts it beside try_release.py, which deploys. Ticket creation is stopped
by disabling the event source mapping of the function tickets, so that the queue keeps all messages
of one release until the other release is deployed.
"""

import json
import sys
import time
from pathlib import Path

from steps import check, passed
from try_release import (
    AWS_CLI,
    Aws,
    ConnectWise,
    STACK,
    check_sums,
    deploy,
    post,
    prepare,
    set_up,
)

# How long the waiting messages may take to have their effect, in seconds.
PATIENCE = 120
# Each deployment has its own, since CloudFormation updates a function only if the name of its
# package changes, and both releases may have the same version.
PREFIXES = {"from": "from/", "to": "to/", "back": "back/"}


def main():
    releases = {"from": Path(sys.argv[1]), "to": Path(sys.argv[2])}
    for release in releases.values():
        check_sums(release)
    described = json.loads(Path(sys.argv[3]).read_text())
    upgrade = Upgrade(Aws(described["aws"]), ConnectWise(described["connectwise"]))
    prepare(upgrade.aws, upgrade.connectwise)
    upgrade.deploy(releases["from"], "from")
    _, upgrade.source = set_up(upgrade.stack, upgrade.connectwise)
    upgrade.raise_alert("disk-1")
    upgrade.settle()
    passed("the earlier release works: an alert became a ticket")

    upgrade.read_queue(False)
    upgrade.raise_alert("disk-2")
    upgrade.raise_alert("disk-3")
    upgrade.resolve("disk-1")
    upgrade.expect_waiting(3)
    passed("3 messages of the earlier release wait")
    upgrade.deploy(releases["to"], "to")
    upgrade.expect_waiting(3)
    upgrade.read_queue(True)
    upgrade.settle()
    passed("the later release processed them: each alert has one ticket")
    upgrade.resolve("disk-2")
    upgrade.raise_alert("disk-4")
    upgrade.settle()
    passed("it closes a ticket of the earlier release, and creates one")

    upgrade.read_queue(False)
    upgrade.raise_alert("disk-5")
    upgrade.resolve("disk-3")
    upgrade.resolve("disk-4")
    upgrade.expect_waiting(3)
    passed("3 messages of the later release wait")
    upgrade.deploy(releases["from"], "back")
    upgrade.expect_waiting(3)
    upgrade.read_queue(True)
    upgrade.settle()
    passed("the earlier release processed them: each alert has one ticket")
    check(upgrade.message_count("DeadLetterQueueUrl") == 0, "there are dead letters")
    count = len(upgrade.alerts)
    passed(f"{count} alerts have {count} tickets: nothing is lost, nothing is doubled")


class Upgrade:
    """A stack, and the alerts that its source posted."""

    def __init__(self, aws, connectwise):
        self.aws = aws
        self.connectwise = connectwise
        self.stack = None
        self.source = None
        # Whether each alert is active, by its id.
        self.alerts = {}

    def deploy(self, release, step):
        self.stack = deploy(release, self.aws, self.connectwise, PREFIXES[step], AWS_CLI)
        template = (release / "template.yaml").read_text().splitlines()[0]
        passed(f"deployed {release.name}: {template.lstrip('# ').split(':')[0]}")

    def raise_alert(self, alert):
        post(self.stack, self.source, "raised", alert, title_of(alert))
        self.alerts[alert] = True

    def resolve(self, alert):
        post(self.stack, self.source, "resolved", alert, title_of(alert))
        self.alerts[alert] = False

    def read_queue(self, enabled):
        """Enables or disables the event source mapping, and waits until it is so."""
        function = ["--function-name", f"{STACK}-tickets"]
        listed = self.aws.cli("lambda", "list-event-source-mappings", *function, "--output", "json")
        mapping = json.loads(listed)["EventSourceMappings"][0]["UUID"]
        option = "--enabled" if enabled else "--no-enabled"
        self.aws.cli("lambda", "update-event-source-mapping", "--uuid", mapping, option)
        desired = "Enabled" if enabled else "Disabled"
        query = ["--uuid", mapping, "--query", "State", "--output", "text"]
        state = None
        for _ in range(60):
            state = self.aws.cli("lambda", "get-event-source-mapping", *query).strip()
            if state == desired:
                return
            time.sleep(0.5)
        check(False, f"the event source mapping is {state}, not {desired}")

    def message_count(self, queue):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = ["--queue-url", self.stack.outputs[queue], "--attribute-names", *names]
        # The CLI takes its older address of SQS from no environment variable.
        url += ["--endpoint-url", self.aws.endpoint]
        answer = self.aws.cli("sqs", "get-queue-attributes", *url, "--output", "json")
        return sum(int(count) for count in json.loads(answer)["Attributes"].values())

    def expect_waiting(self, count):
        """The messages are in the queue, and nothing was done with them."""
        found = self.message_count("QueueUrl")
        check(found == count, f"{found} messages wait in the queue, not {count}")

    def settle(self):
        """Waits until each alert has one ticket, open or closed as it should be."""
        deadline = time.monotonic() + PATIENCE
        problem = None
        while time.monotonic() < deadline:
            problem = self.problem()
            if problem is None and self.message_count("QueueUrl") == 0:
                # A second ticket would be there by now: no message is left that creates one.
                problem = self.problem()
                check(problem is None, problem)
                return
            time.sleep(0.5)
        check(False, f"after {PATIENCE} s: {problem or 'messages are left in the queue'}")

    def problem(self):
        """What is not yet as it should be. Fails at once if an alert has two tickets."""
        query = {"conditions": 'externalXRef like "tb1-%"', "pageSize": "1000"}
        tickets = self.connectwise.get("/service/tickets", query)
        letters = self.message_count("DeadLetterQueueUrl")
        check(letters == 0, f"{letters} dead letters")
        for alert, active in self.alerts.items():
            found = [one for one in tickets if title_of(alert) in one["summary"]]
            check(len(found) < 2, f"the alert {alert} has {len(found)} tickets")
            if not found:
                return f"the alert {alert} has no ticket"
            if found[0]["closedFlag"] == active:
                state = "closed" if active else "open"
                return f"the ticket of {alert} is {state}"
        check(len(tickets) == len(self.alerts), f"there are {len(tickets)} tickets")
        return None


def title_of(alert):
    return f"Disk of {alert} is full"


if __name__ == "__main__":
    main()
