"""An S3 server of the tests' own: moto's, in a process of its own, on a loopback port."""

import contextlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec

HOW = "pip install 's3fs' 'moto[s3]' flask flask-cors"
_SERVE = """
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.port, flush=True)
server.serve_forever()
"""


def there() -> bool:
    """Whether the server and the client are installed."""
    return all(find_spec(name) for name in ("s3fs", "moto", "flask", "flask_cors"))


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The address of a server that holds nothing, while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError("the S3 server did not start")
        address = f"http://127.0.0.1:{port}"
        yield address
    finally:
        process.kill()
        process.wait()


def environment(address: str) -> dict[str, str]:
    """What points every S3 client at the server."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test-key-id",
        "AWS_SECRET_ACCESS_KEY": "test-secret-that-is-nowhere",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY", ""), "127.0.0.1"])),
    }


def make_bucket(address: str, name: str) -> None:
    """Make an empty bucket: a request that the test server takes unsigned."""
    urllib.request.urlopen(urllib.request.Request(f"{address}/{name}", method="PUT"), timeout=10).close()
