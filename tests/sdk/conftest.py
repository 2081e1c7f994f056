"""Tests the router with the official clients, a real Envoy, and the demo backends behind it.

With `pytest --direct` the clients send their requests to the demo backends themselves, which shows that the backends
answer correctly without the router. Checks of what the router does are then skipped.
"""

import os

import anthropic
import boto3
import botocore.config
import google.genai
import openai
import pytest

import demo
import reached
from demo import ADMIN, BACKENDS, LISTENER, free_offset, is_listening, is_ready
from reached import CLIENT_KEY


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
    """The addresses for the clients of each API."""

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
    """Runs the router, or only the backends, for the whole session."""
    addresses = Addresses(free_offset(), request.config.getoption("direct"))
    command = ["backends"] if addresses.direct else ["run", "--envoy", os.environ["ENVOY"]]
    output = tmp_path_factory.mktemp("demo") / "output"
    try:
        running = demo.start([*command, "--port-offset", str(addresses.offset)], output, addresses.are_ready)
    except demo.NotStarted as printed:
        pytest.exit(f"the demo did not start:\n{printed}", returncode=1)
    try:
        yield addresses
    finally:
        status = demo.stop(running)
    assert status == 0, output.read_text()


# The clients do not retry, so that a test sees the router's own answers.


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
