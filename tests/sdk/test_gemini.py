"""The official google-genai client."""

import asyncio

import pydantic
import pytest
from google import genai
from google.genai import errors, types

from reached import CLIENT_KEY

FLASH = "gemini-3-flash"


def generate(client, model, **config):
    return client.models.generate_content(model=model, contents="Hello", config=config or None)


def assert_said_hello(text, path):
    """This client shows nothing that it does not know, so that the text has to tell what came."""
    assert text.startswith('Hello from demo backend "gemini".')
    if not reached_directly(text):
        assert f"{path}, host gemini.example, model \"{FLASH}\", x-goog-api-key: demo-key-gemini" in text
        assert CLIENT_KEY not in text


def reached_directly(text):
    return "host 127.0.0.1" in text
