"""The router as its callers see it: the official clients, a real Envoy, and the demo backends behind it.

With `pytest --direct` the clients ask the demo backends themselves, which shows that it is not the router that makes
their answers right. What is the router's doing is left out then.
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
    try:
        running = demo.start([*command, "--port-offset", str(addresses.offset)], output, addresses.are_ready)
    except demo.NotStarted as printed:
        pytest.exit(f"the demo did not start:\n{printed}", returncode=1)
    try:
        yield addresses
    finally:
        status = demo.stop(running)
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
