"""The router as its callers see it: the official clients, a real Envoy, and the demo backends behind it.

With `pytest --direct` the clients ask the demo backends themselves, which shows that it is not the router that makes
their answers right. What is the router's doing is left out then.
"""

import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

import anthropic
import boto3
import botocore.config
import google.genai
import openai
import pytest

import reached
from reached import CLIENT_KEY

ROOT = pathlib.Path(__file__).resolve().parents[2]

# What envoy/demo.yaml and the demo backends listen on before they are moved.
LISTENER = 10000
ADMIN = 9901
BACKENDS = {"openai": 9101, "anthropic": 9102, "local": 9103, "gemini": 9104, "bedrock": 9105, "azure": 9106}
NO_BACKEND = 9109
PORTS = [ADMIN, LISTENER, *BACKENDS.values(), NO_BACKEND]

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


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def is_ready(admin):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/ready", timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def pytest_addoption(parser):
    parser.addoption("--direct", action="store_true", help="ask the demo backends, without the router")


def pytest_configure(config):
    config.addinivalue_line("markers", "router: what the router does, so that there is nothing to see without it")
    reached.direct = config.getoption("direct")


def pytest_collection_modifyitems(config, items):
    if config.getoption("direct"):
        for item in items:
            if item.get_closest_marker("router"):
                item.add_marker(pytest.mark.skip(reason="needs the router"))


class Addresses:
    """Where the clients of each API are sent."""

    def __init__(self, offset, direct):
        self.offset = offset
        self.direct = direct

    def of(self, backend):
        port = BACKENDS[backend] if self.direct else LISTENER
        return f"http://127.0.0.1:{port + self.offset}"

    def are_ready(self):
        if self.direct:
            return all(is_listening(port + self.offset) for port in BACKENDS.values())
        return is_ready(ADMIN + self.offset)


@pytest.fixture(scope="session")
def addresses(request, tmp_path_factory):
    """A router, or the backends alone, which run for the whole session."""
    addresses = Addresses(free_offset(), request.config.getoption("direct"))
    command = ["backends"] if addresses.direct else ["run", "--envoy", os.environ["ENVOY"]]
    output = tmp_path_factory.mktemp("demo") / "output"
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    with output.open("wb") as written:
        demo = subprocess.Popen(
            [target / "debug" / "llm-router-demo", *command, "--port-offset", str(addresses.offset)],
            cwd=ROOT,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not addresses.are_ready():
            if demo.poll() is not None or time.monotonic() > deadline:
                pytest.exit(f"the demo did not start:\n{output.read_text()}", returncode=1)
            time.sleep(0.05)
        yield addresses
    finally:
        demo.terminate()
        status = demo.wait(timeout=20)
    assert status == 0, output.read_text()


# Retries are switched off so that a test sees what the router answers, not what a client makes of it.


@pytest.fixture(scope="session")
def openai_options(addresses):
    return {"base_url": f"{addresses.of('openai')}/v1", "api_key": CLIENT_KEY, "max_retries": 0, "timeout": 30}


@pytest.fixture(scope="session")
def openai_client(openai_options):
    with openai.OpenAI(**openai_options) as client:
        yield client


@pytest.fixture(scope="session")
def anthropic_options(addresses):
    return {"base_url": addresses.of("anthropic"), "api_key": CLIENT_KEY, "max_retries": 0, "timeout": 30}


@pytest.fixture(scope="session")
def anthropic_client(anthropic_options):
    with anthropic.Anthropic(**anthropic_options) as client:
        yield client


@pytest.fixture(scope="session")
def gemini_client(addresses):
    options = google.genai.types.HttpOptions(base_url=addresses.of("gemini"), timeout=30_000)
    with google.genai.Client(api_key=CLIENT_KEY, http_options=options) as client:
        yield client


@pytest.fixture(scope="session")
def bedrock_client(addresses):
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=addresses.of("bedrock"),
        region_name="eu-west-1",
        aws_access_key_id=CLIENT_KEY,
        aws_secret_access_key="the-clients-own-secret",
        config=botocore.config.Config(retries={"max_attempts": 0}, read_timeout=30),
    )
    yield client
    client.close()
