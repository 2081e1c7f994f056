"""The official openai client for Azure, which names the model in the path."""

import asyncio

import openai
import pytest

from reached import AZURE, CLIENT_KEY, assert_reached, assert_reached_openai

HELLO = [{"role": "user", "content": "Hello"}]
VERSION = "2024-10-21"


@pytest.fixture(scope="module")
def options(addresses):
    return {
        "azure_endpoint": addresses.of("azure"),
        "api_version": VERSION,
        "api_key": CLIENT_KEY,
        "max_retries": 0,
        "timeout": 30,
    }


@pytest.fixture(scope="module")
def azure_client(options):
    with openai.AzureOpenAI(**options) as client:
        yield client


@pytest.mark.parametrize("model", ["smart", "gpt-5.5"])
def test_its_calls_are_openais(azure_client, model):
    answer = azure_client.chat.completions.create(model=model, messages=HELLO)
    assert answer.choices[0].message.content.startswith("Hello from demo backend")
    assert_reached_openai(answer, "gpt-5.5")


def test_an_azure_backend(azure_client):
    answer = azure_client.chat.completions.create(model="at-azure", messages=HELLO)
    assert_reached(answer, AZURE, path="/openai/v1/chat/completions", model="my-deployment")


def test_embeddings(azure_client):
    answer = azure_client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert len(answer.data) == 2
    assert_reached_openai(answer, "text-embedding-3-small", path="/v1/embeddings")


def test_a_form(azure_client):
    answer = azure_client.audio.transcriptions.create(model="whisper-1", file=("hello.wav", b"RIFF"))
    assert_reached_openai(answer, "whisper-1", path="/v1/audio/transcriptions")


def test_streaming(azure_client):
    stream = azure_client.chat.completions.create(model="smart", messages=HELLO, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text.startswith("Hello from demo backend")


@pytest.mark.router
def test_no_such_model(azure_client):
    with pytest.raises(openai.NotFoundError) as error:
        azure_client.chat.completions.create(model="no-such-model", messages=HELLO)
    assert error.value.code == "model_not_found"


@pytest.mark.router
def test_models(azure_client):
    assert "smart" in {model.id for model in azure_client.models.list()}


def test_async(options):
    async def ask():
        async with openai.AsyncAzureOpenAI(**options) as client:
            return await client.chat.completions.create(model="smart", messages=HELLO)

    assert_reached_openai(asyncio.run(ask()), "gpt-5.5")
