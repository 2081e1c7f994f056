"""Runs the tests of the official openai client for Node, which are in tests/sdk/node."""

import os
import pathlib
import shutil
import subprocess

import pytest

import reached

TESTS = pathlib.Path(__file__).parent / "node"
SECONDS = 120


@pytest.mark.parametrize("file", sorted(path.name for path in TESTS.glob("*.test.cjs")))
def test_node(addresses, file):
    node = shutil.which("node")
    assert node, "Node.js is missing: install 20 or later"
    environment = {**os.environ, "BASE_URL": addresses.of("openai")}
    if reached.direct:
        environment["DIRECT"] = "1"
    ran = subprocess.run(
        [node, "--test", "--test-reporter=spec", TESTS / file],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )
    assert ran.returncode == 0, ran.stdout
