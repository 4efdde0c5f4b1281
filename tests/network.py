"""Who is asked: a proxy that writes down what it was asked for, and a network that leads nowhere and counts who tried."""

from __future__ import annotations

import contextlib
import shutil
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

HOW = "a network namespace of one's own: a Linux kernel that lets users make them (unshare -rn)"

# In the namespace: bring loopback up, run the command, then ask the kernel for the packets that found no route.
_INSIDE = r"""
import fcntl, pathlib, re, socket, struct, subprocess, sys
with socket.socket() as any_socket:
    flags = struct.pack("16sh14x", b"lo", 1 | 64)  # IFF_UP, IFF_RUNNING
    fcntl.ioctl(any_socket, 0x8914, flags)  # SIOCSIFFLAGS
done = subprocess.run(sys.argv[1:]).returncode
rows = [line.split() for line in pathlib.Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:")]
lost = int(dict(zip(*rows))["OutNoRoutes"])
lost += int(re.search(r"Ip6OutNoRoutes\s+(\d+)", pathlib.Path("/proc/net/snmp6").read_text())[1])
print(f"packets without a route: {lost}", file=sys.stderr)
sys.exit(done)
"""


class Proxy(socketserver.ThreadingTCPServer):
    """An HTTP proxy that refuses everything; `asked` are the first lines of what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refusal)
        self.asked: list[str] = []

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a program that is to use it for everything."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        names = [f"{scheme}_proxy" for scheme in ("http", "https", "all")]
        return {spelling: url for name in names for spelling in (name, name.upper())}


class _Refusal(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Proxy)
        self.server.asked.append(self.rfile.readline().decode("latin-1").strip())
        self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@contextlib.contextmanager
def logging_proxy() -> Iterator[Proxy]:
    """A proxy that runs."""
    with Proxy() as proxy:
        threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
        yield proxy
        proxy.shutdown()


def unroutable() -> bool:
    """Whether this machine lets us make a network that leads nowhere."""
    return (
        shutil.which("unshare") is not None
        and subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0
    )


def without_a_route(
    command: list[str], env: dict[str, str], folder: Path
) -> tuple[subprocess.CompletedProcess[str], int]:
    """Run a command where there is loopback alone: how it ended, and how many packets of its processes found no route."""
    whole = ["unshare", "-rn", sys.executable, "-c", _INSIDE, *command]
    done = subprocess.run(whole, env=env, cwd=folder, capture_output=True, text=True, encoding="utf-8")
    return done, int(done.stderr.rstrip().rpartition(" ")[2])
