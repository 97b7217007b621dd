"""What the scripts share that try a release: each step passes, or the run ends with the reason."""

import subprocess
import sys
import time

STARTED = time.monotonic()


def passed(what):
    print(f"  {time.monotonic() - STARTED:5.1f} s  {what}", flush=True)


def check(condition, otherwise):
    if not condition:
        sys.exit(f"error: {otherwise}")


def run(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    shown = " ".join(command[:4])
    check(done.returncode == 0, f"{shown} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout
