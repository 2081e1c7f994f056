"""Starts the same programs as `make run`, on other ports."""

import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The ports of envoy/demo.yaml and the demo backends before they are moved.
LISTENER = 10000
ADMIN = 9901
BACKENDS = {"openai": 9101, "anthropic": 9102, "local": 9103, "gemini": 9104, "bedrock": 9105, "azure": 9106}
NO_BACKEND = 9109
PORTS = [ADMIN, LISTENER, *BACKENDS.values(), NO_BACKEND]

START_SECONDS = 120


class NotStarted(Exception):
    """The demo was not ready in time; has what it printed."""


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_offset():
    """Returns an offset by which all ports are free: another `make run` may be running."""
    for offset in range(1000, 20000, 117):
        if all(is_free(port + offset) for port in PORTS):
            return offset
    raise RuntimeError("no free ports")


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_ready(admin):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/ready", timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def start(arguments, output, are_ready):
    """Starts the demo with these arguments and its output in the file `output`, and returns when it is ready."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    with output.open("wb") as written:
        demo = subprocess.Popen(
            [target / "debug" / "llm-router-demo", *arguments], cwd=ROOT, stdout=written, stderr=subprocess.STDOUT
        )
    deadline = time.monotonic() + START_SECONDS
    while not are_ready():
        if demo.poll() is not None or time.monotonic() > deadline:
            stop(demo)
            raise NotStarted(output.read_text())
        time.sleep(0.05)
    return demo


def stop(process):
    """Stops the demo and returns its exit status."""
    process.terminate()
    return process.wait(timeout=20)
