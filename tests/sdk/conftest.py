"""The router as its callers see it: the official clients, a real Envoy, and the demo backends behind it."""

import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

import anthropic
import openai
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What envoy/demo.yaml and the demo backends listen on before they are moved.
LISTENER = 10000
ADMIN = 9901
PORTS = [ADMIN, LISTENER, 9101, 9102, 9103, 9109]

# What the clients are given as their own key. It must never reach a backend.
CLIENT_KEY = "the-clients-own-key"

START_SECONDS = 120


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


def is_ready(admin):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/ready", timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="session")
def router(tmp_path_factory):
    """The address of a router that runs for the whole session."""
    offset = free_offset()
    output = tmp_path_factory.mktemp("demo") / "output"
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    with output.open("wb") as written:
        demo = subprocess.Popen(
            [
                target / "debug" / "llm-router-demo",
                "run",
                "--envoy",
                os.environ["ENVOY"],
                "--port-offset",
                str(offset),
            ],
            cwd=ROOT,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_ready(ADMIN + offset):
            if demo.poll() is not None or time.monotonic() > deadline:
                pytest.exit(f"the demo did not start:\n{output.read_text()}", returncode=1)
            time.sleep(0.05)
        yield f"http://127.0.0.1:{LISTENER + offset}"
    finally:
        demo.terminate()
        status = demo.wait(timeout=20)
    assert status == 0, output.read_text()


# Retries are switched off so that a test sees what the router answers, not what a client makes of it.


@pytest.fixture(scope="session")
def openai_client(router):
    with openai.OpenAI(base_url=f"{router}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def anthropic_client(router):
    with anthropic.Anthropic(base_url=router, api_key=CLIENT_KEY, max_retries=0, timeout=30) as client:
        yield client
