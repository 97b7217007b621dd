"""Runs a command as on another machine: one that has no tool chain and no clone of the repository.

The command gets a root folder of its own. It has the libraries of this system, a shell, the virtual
environments and the paths that the arguments name, all of them read-only, and an empty /tmp. Of the
system's other programs it has none, because a tool chain is among them.

`unshare` must start this program in namespaces of its own, with which all mounts end.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

# What programs need on any Linux.
SYSTEM = ["/etc", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/share", "/lib", "/lib32", "/lib64"]
SYSTEM += ["/bin/sh", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"]
# Only the owner of a mount may take these options from it, so they stay.
KEPT_OPTIONS = {
    "nosuid": os.ST_NOSUID,
    "nodev": os.ST_NODEV,
    "noexec": os.ST_NOEXEC,
    "noatime": os.ST_NOATIME,
    "nodiratime": os.ST_NODIRATIME,
    "relatime": os.ST_RELATIME,
}


def main():
    options = parse_arguments()
    root = Root(options.root)
    # First, since paths that are shown may be below /tmp.
    root.mount("tmpfs", "/tmp")
    root.mount("proc", "/proc")
    for path in SYSTEM:
        if os.path.exists(path):
            root.show(path)
    for venv in options.venv:
        root.show(venv)
        root.show(venv / "bin/python")
        root.show(base_of(venv) / "lib")
    for path in options.show:
        root.show(path)
    os.chroot(root.path)
    os.chdir("/tmp")
    os.mkdir("home")
    environment = {"PATH": options.path, "HOME": "/tmp/home", "LANG": "C.UTF-8"}
    os.execve(options.command[0], options.command, environment)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="an empty folder")
    parser.add_argument("--venv", type=Path, action="append", default=[])
    parser.add_argument("--show", type=Path, action="append", default=[])
    parser.add_argument("--path", required=True, help="PATH of the command")
    parser.add_argument("command", nargs="+", help="a program by its whole path, and its arguments")
    return parser.parse_args()


def base_of(venv):
    """Where the Python is installed that a virtual environment was made with."""
    lines = (venv / "pyvenv.cfg").read_text().splitlines()
    homes = [line.split("=", 1)[1].strip() for line in lines if line.startswith("home")]
    return Path(homes[0]).parent


class Root:
    """The root folder of the command."""

    def __init__(self, path):
        # Without links, as the list of mounts has it.
        self.path = path.resolve()
        self._shown = set()
        mount("-t", "tmpfs", "tmpfs", self.path)

    def mount(self, kind, path):
        target = self._inside(path)
        target.mkdir(parents=True)
        mount("-t", kind, kind, target)

    def show(self, path):
        """Shows a file or folder at the same path, with the links that lead to it."""
        path = Path(os.path.abspath(path))
        for place in [*reversed(path.parents), path]:
            if place.is_symlink():
                link = self._inside(place)
                if not link.is_symlink():
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(os.readlink(place))
                self.show(place.parent / os.readlink(place) / path.relative_to(place))
                return
        if self._shown.isdisjoint([path, *path.parents]):
            self._shown.add(path)
            self._bind(path)

    def _bind(self, path):
        target = self._inside(path)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        mount("--rbind", path, target)
        for place in mount_points(target):
            flags = os.statvfs(place).f_flag
            kept = [option for option, flag in KEPT_OPTIONS.items() if flags & flag]
            mount("-o", ",".join(["remount", "bind", "ro", *kept]), place)

    def _inside(self, path):
        return self.path / Path(path).relative_to("/")


def mount_points(folder):
    """The folder, and what is mounted below it."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    # Spaces are written as `\040`.
    places = [line.split(" ")[4].encode().decode("unicode_escape") for line in lines]
    return [Path(place) for place in places if Path(place).is_relative_to(folder)]


def mount(*arguments):
    program = shutil.which("mount", path="/usr/bin:/bin:/usr/sbin:/sbin")
    if program is None:
        sys.exit("error: there is no program mount")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: mount {' '.join(map(str, arguments))}: {done.stderr.strip()}")


if __name__ == "__main__":
    main()
