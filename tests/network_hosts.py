"""Hosts of a small network on this machine: network namespaces on a bridge, where the system lets us make them."""

import os
import secrets
import shutil
import subprocess
from contextlib import contextmanager


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def may_make_hosts():
    """Whether namespaces can be made here: it takes Linux, `ip`, and root."""
    return shutil.which("ip") is not None and os.geteuid() == 0


@contextmanager
def network(count):
    """Yields the address of this machine on the network, and a prefix for the commands of every host."""
    mark, net = f"cm{secrets.token_hex(2)}", f"10.211.{secrets.randbelow(200) + 20}"
    names = [f"{mark}h{number}" for number in range(count)]
    try:
        ip("link", "add", mark, "type", "bridge")
        ip("addr", "add", f"{net}.1/24", "dev", mark)
        ip("link", "set", mark, "up")
        for number, name in enumerate(names, start=2):
            ip("netns", "add", name)
            ip("link", "add", f"{mark}v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"{mark}v{number}", "master", mark, "up")
            ip("-n", name, "addr", "add", f"{net}.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield f"{net}.1", [["ip", "netns", "exec", name] for name in names]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        subprocess.run(["ip", "link", "del", mark], capture_output=True)
