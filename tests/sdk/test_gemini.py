"""The official google-genai client."""

import asyncio
import json

import pydantic
import pytest
from google import genai
from google.genai import errors, types

from reached import CLIENT_KEY, GEMINI, assert_reached

FLASH = "gemini-3-flash"


class Forecast(pydantic.BaseModel):
    city: str
    days: int


def generate(client, model, contents="Hello", **config):
    return client.models.generate_content(model=model, contents=contents, config=config)


def assert_reached_gemini(answer, method):
    demo = json.loads(answer.sdk_http_response.headers["x-demo"])
    version = demo["path"].split("/")[1]
    assert_reached({"demo": demo}, GEMINI, path=f"/{version}/models/{FLASH}:{method}", model=FLASH)


@pytest.mark.parametrize("model", [FLASH, "smart", f"models/{FLASH}"])
def test_generate(gemini_client, model):
    answer = generate(gemini_client, model)
    assert answer.text.startswith('Hello from demo backend "gemini".')
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.usage_metadata.total_token_count > 0
    assert_reached_gemini(answer, "generateContent")


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_versions(addresses, version):
    options = types.HttpOptions(base_url=addresses.of("gemini"), api_version=version)
    with genai.Client(api_key=CLIENT_KEY, http_options=options) as client:
        answer = generate(client, "smart")
    assert f" /{version}/models/" in answer.text


def test_streaming(gemini_client):
    chunks = list(gemini_client.models.generate_content_stream(model="smart", contents="Hello"))
    text = "".join(chunk.text for chunk in chunks)
    assert len(chunks) > 5
    assert text.startswith('Hello from demo backend "gemini".')
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP


def test_chats(gemini_client):
    chat = gemini_client.chats.create(model="smart")
    for _ in range(2):
        assert chat.send_message("Hello").text.startswith('Hello from demo backend "gemini".')
    assert len(chat.get_history()) == 4


def test_a_function_that_the_client_runs(gemini_client):
    asked = []

    def weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "sunny"

    answer = gemini_client.chats.create(model="smart", config={"tools": [weather]}).send_message("Hello")
    assert asked == ["demo"]
    assert answer.text.startswith('Hello from demo backend "gemini".')


def test_structured_output(gemini_client):
    answer = generate(
        gemini_client, "smart", response_mime_type="application/json", response_schema=Forecast
    )
    assert answer.parsed == Forecast(city="demo", days=1)


def test_count_tokens(gemini_client):
    counted = gemini_client.models.count_tokens(model=FLASH, contents="Hello")
    assert counted.total_tokens > 0
    assert_reached_gemini(counted, "countTokens")


def test_vectors(gemini_client):
    # The router does not know this model call, so a pass-through route takes it.
    answer = gemini_client.models.embed_content(model="gemini-embedding-001", contents=["one", "two"])
    assert [one.values[:2] for one in answer.embeddings] == [[1.0, 0.0], [0.0, 1.0]]


def test_caches(gemini_client):
    cache = gemini_client.caches.create(
        model=FLASH, config=types.CreateCachedContentConfig(contents="Hello", ttl="60s")
    )
    assert gemini_client.caches.get(name=cache.name).model == f"models/{FLASH}"
    answer = generate(gemini_client, FLASH, cached_content=cache.name)
    assert_reached_gemini(answer, "generateContent")
    gemini_client.caches.delete(name=cache.name)
    with pytest.raises(errors.ClientError) as error:
        gemini_client.caches.get(name=cache.name)
    assert error.value.code == 404


@pytest.mark.router
def test_models(gemini_client):
    models = {model.name for model in gemini_client.models.list()}
    assert {"models/smart", f"models/{FLASH}"} <= models
    assert gemini_client.models.get(model="smart").name == "models/smart"


@pytest.mark.router
def test_no_such_model(gemini_client):
    with pytest.raises(errors.ClientError) as error:
        generate(gemini_client, "no-such-model")
    assert (error.value.code, error.value.status) == (404, "NOT_FOUND")
    assert "no-such-model" in error.value.message
    assert error.value.details["error"]["details"][0]["reason"] == "MODEL_NOT_FOUND"


@pytest.mark.router
def test_a_model_of_another_api(gemini_client):
    with pytest.raises(errors.ClientError) as error:
        generate(gemini_client, "fast")
    assert error.value.details["error"]["details"][0]["reason"] == "API_NOT_SUPPORTED"


def test_a_backends_own_error_comes_as_it_is(gemini_client):
    with pytest.raises(errors.ClientError) as error:
        generate(gemini_client, "status-429")
    assert (error.value.code, error.value.status) == (429, "RESOURCE_EXHAUSTED")
    with pytest.raises(errors.ServerError) as error:
        generate(gemini_client, "status-503")
    assert (error.value.code, error.value.status) == (503, "UNAVAILABLE")


def test_async(gemini_client):
    async def ask():
        # Concurrently, on as many connections.
        answers = [
            gemini_client.aio.models.generate_content(model="smart", contents="Hello") for _ in range(4)
        ]
        stream = await gemini_client.aio.models.generate_content_stream(model="smart", contents="Hello")
        text = "".join([chunk.text async for chunk in stream])
        return [answer.text for answer in await asyncio.gather(*answers)] + [text]

    for text in asyncio.run(ask()):
        assert text.startswith('Hello from demo backend "gemini".')
