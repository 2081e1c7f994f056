"""The official openai client: chat completions."""

import asyncio
import json

import openai
import pydantic
import pytest

from reached import CLIENT_KEY, assert_reached_local, assert_reached_openai, demo_of

HELLO = [{"role": "user", "content": "Hello"}]

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def chat(client, model, **options):
    return client.chat.completions.create(model=model, messages=HELLO, **options)


def test_a_model_by_its_own_name(openai_client):
    answer = chat(openai_client, "gpt-5.4-mini")
    assert answer.choices[0].message.content.startswith('Hello from demo backend "openai".')
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert_reached_openai(answer, "gpt-5.4-mini")


@pytest.mark.router
def test_a_model_that_its_backend_calls_otherwise(openai_client):
    assert_reached_local(chat(openai_client, "llama-3.1-8b"))


@pytest.mark.router
def test_fast_is_shared_out(openai_client):
    reached = set()
    # The smaller share is a quarter: the chance to miss it 80 times in a row is one in ten thousand millions.
    for _ in range(80):
        answer = chat(openai_client, "fast")
        reached.add(demo_of(answer)["backend"])
        if demo_of(answer)["backend"] == "local":
            assert_reached_local(answer)
        else:
            assert_reached_openai(answer, "gpt-5.4-mini")
        if len(reached) == 2:
            break
    assert reached == {"local", "openai"}


def test_smart_falls_past_a_dead_backend(openai_client):
    # Often enough for Envoy to eject the dead host, which must make no difference.
    for _ in range(10):
        assert_reached_openai(chat(openai_client, "smart"), "gpt-5.5")


@pytest.mark.parametrize("model", ["gpt-5.4-mini", "smart"])
def test_streaming(openai_client, model):
    stream = chat(openai_client, model, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.startswith('Hello from demo backend "openai".')
    assert CLIENT_KEY not in text
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.completion_tokens > 0


def test_tools_there_and_back(openai_client):
    messages = list(HELLO)
    asked = openai_client.chat.completions.create(model="smart", messages=messages, tools=[WEATHER])
    assert asked.choices[0].finish_reason == "tool_calls"
    (call,) = asked.choices[0].message.tool_calls
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == {"city": "demo"}

    messages.append(asked.choices[0].message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "sunny"})
    told = openai_client.chat.completions.create(model="smart", messages=messages, tools=[WEATHER])
    assert told.choices[0].finish_reason == "stop"
    assert_reached_openai(told, "gpt-5.5")


def test_tools_streamed(openai_client):
    arguments = ""
    for chunk in chat(openai_client, "gpt-5.5", stream=True, tools=[WEATHER]):
        for call in chunk.choices[0].delta.tool_calls or []:
            arguments += call.function.arguments
    assert json.loads(arguments) == {"city": "demo"}


@pytest.mark.router
def test_models(openai_client):
    models = {model.id for model in openai_client.models.list()}
    assert {"fast", "smart", "gpt-5.5", "gpt-5.4-mini", "llama-3.1-8b"} <= models
    # Patterns are not model names.
    assert not [model for model in models if "*" in model]
    assert openai_client.models.retrieve("fast").id == "fast"
    assert openai_client.models.retrieve("gpt-5.5").object == "model"


@pytest.mark.router
def test_no_such_model_to_retrieve(openai_client):
    with pytest.raises(openai.NotFoundError) as error:
        openai_client.models.retrieve("no-such-model")
    assert error.value.code == "model_not_found"


@pytest.mark.router
def test_no_such_model(openai_client):
    with pytest.raises(openai.NotFoundError) as error:
        chat(openai_client, "no-such-model")
    assert error.value.code == "model_not_found"
    assert error.value.param == "model"
    assert error.value.type == "invalid_request_error"
    assert "no-such-model" in error.value.message


@pytest.mark.router
def test_no_such_model_streamed(openai_client):
    with pytest.raises(openai.NotFoundError):
        chat(openai_client, "no-such-model", stream=True)


@pytest.mark.router
def test_a_model_of_another_api(openai_client):
    with pytest.raises(openai.BadRequestError) as error:
        chat(openai_client, "claude-sonnet-5-5")
    assert error.value.code == "api_not_supported"


@pytest.mark.router
def test_a_model_that_is_no_string(openai_client):
    with pytest.raises(openai.BadRequestError) as error:
        chat(openai_client, "gpt-5.5", extra_body={"model": 5})
    assert error.value.code == "invalid_model"


@pytest.mark.router
def test_no_such_path(openai_client):
    with pytest.raises(openai.NotFoundError) as error:
        openai_client.get("/engines", cast_to=object)
    assert error.value.code == "path_not_found"


def test_a_backends_own_error_comes_as_it_is(openai_client):
    with pytest.raises(openai.RateLimitError) as error:
        chat(openai_client, "status-429")
    assert error.value.code == "rate_limit_exceeded"
    with pytest.raises(openai.InternalServerError) as error:
        chat(openai_client, "status-503")
    assert error.value.status_code == 503
    assert error.value.type == "server_error"


@pytest.mark.router
def test_a_backend_that_breaks_off(openai_client):
    with pytest.raises(openai.InternalServerError) as error:
        chat(openai_client, "reset")
    assert error.value.status_code == 503
    assert error.value.code == "upstream_reset"


class Weather(pydantic.BaseModel):
    city: str
    days: int


def test_structured_output(openai_client):
    answer = openai_client.chat.completions.parse(
        model="smart", messages=HELLO, response_format=Weather
    )
    assert answer.choices[0].message.parsed == Weather(city="demo", days=1)
    assert_reached_openai(answer, "gpt-5.5")


def test_the_helper_for_streams(openai_client):
    kinds = []
    with openai_client.chat.completions.stream(
        model="smart", messages=HELLO, response_format=Weather
    ) as stream:
        for event in stream:
            kinds.append(event.type)
        answer = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= set(kinds)
    assert answer.choices[0].message.parsed == Weather(city="demo", days=1)


def test_tools_by_the_helper_for_streams(openai_client):
    with openai_client.chat.completions.stream(
        model="gpt-5.5", messages=HELLO, tools=[openai.pydantic_function_tool(Weather)]
    ) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
    assert [event.parsed_arguments for event in done] == [Weather(city="demo", days=1)]


def test_a_stream_that_is_left(openai_client):
    with chat(openai_client, "slow-words-1000", stream=True) as stream:
        assert next(iter(stream)).choices[0].delta.role == "assistant"
    assert_reached_openai(chat(openai_client, "gpt-5.5"), "gpt-5.5")


def test_async_streaming(openai_options):
    async def ask():
        async with openai.AsyncOpenAI(**openai_options) as client:
            stream = await chat(client, "smart", stream=True)
            return [chunk.choices[0].delta.content or "" async for chunk in stream]

    assert "".join(asyncio.run(ask())).startswith('Hello from demo backend "openai".')


def test_async(openai_options):
    async def ask():
        async with openai.AsyncOpenAI(**openai_options) as client:
            # Concurrently, on as many connections.
            return await asyncio.gather(*(chat(client, "smart") for _ in range(8)))

    for answer in asyncio.run(ask()):
        assert_reached_openai(answer, "gpt-5.5")
