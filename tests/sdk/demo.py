"""Starts what `make run` starts, on ports of its own."""

import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What envoy/demo.yaml and the demo backends listen on before they are moved.
LISTENER = 10000
ADMIN = 9901
BACKENDS = {"openai": 9101, "anthropic": 9102, "local": 9103, "gemini": 9104, "bedrock": 9105, "azure": 9106}
NO_BACKEND = 9109
PORTS = [ADMIN, LISTENER, *BACKENDS.values(), NO_BACKEND]

START_SECONDS = 120


class NotStarted(Exception):
    """It was not ready in time; what it has printed."""


def is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_offset():
    """How far to move all ports so that each is free: another `make run` may be up meanwhile."""
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
    """The demo with these arguments, which prints into the file `output`, when it is ready."""
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
    """How it has ended."""
    process.terminate()
    return process.wait(timeout=20)
