"""The official anthropic client."""

import asyncio

import anthropic
import pytest

from conftest import CLIENT_KEY
from reached import assert_reached_anthropic

HELLO = [{"role": "user", "content": "Hello"}]

WEATHER = {
    "name": "weather",
    "description": "The weather in a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def ask(client, model, messages=HELLO, **options):
    return client.messages.create(model=model, max_tokens=100, messages=messages, **options)


def test_a_model_by_its_own_name(anthropic_client):
    answer = ask(anthropic_client, "claude-sonnet-5-5")
    assert answer.content[0].text.startswith('Hello from demo backend "anthropic".')
    assert answer.stop_reason == "end_turn"
    assert_reached_anthropic(answer)


def test_smart_has_a_target_that_speaks_messages(anthropic_client):
    assert_reached_anthropic(ask(anthropic_client, "smart"))


def test_streaming(anthropic_client):
    kinds = []
    with anthropic_client.messages.stream(model="smart", max_tokens=100, messages=HELLO) as stream:
        for event in stream:
            kinds.append(event.type)
        message = stream.get_final_message()
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert message.content[0].text.startswith('Hello from demo backend "anthropic".')
    assert CLIENT_KEY not in message.content[0].text
    assert message.usage.output_tokens > 0


def test_tools_there_and_back(anthropic_client):
    asked = ask(anthropic_client, "smart", tools=[WEATHER])
    assert asked.stop_reason == "tool_use"
    (call,) = asked.content
    assert (call.name, call.input) == ("weather", {"city": "demo"})

    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    messages = [
        *HELLO,
        {"role": "assistant", "content": [call.model_dump(include={"type", "id", "name", "input"})]},
        {"role": "user", "content": [result]},
    ]
    told = ask(anthropic_client, "smart", messages, tools=[WEATHER])
    assert told.stop_reason == "end_turn"
    assert_reached_anthropic(told)


def test_tools_streamed(anthropic_client):
    with anthropic_client.messages.stream(
        model="claude-sonnet-5-5", max_tokens=100, messages=HELLO, tools=[WEATHER]
    ) as stream:
        (call,) = stream.get_final_message().content
    assert call.input == {"city": "demo"}


def test_no_such_model(anthropic_client):
    with pytest.raises(anthropic.NotFoundError) as error:
        ask(anthropic_client, "no-such-model")
    assert error.value.body["type"] == "error"
    assert error.value.body["error"]["type"] == "not_found_error"
    assert error.value.error_code == "model_not_found"


def test_a_model_that_its_backend_does_not_serve(anthropic_client):
    with pytest.raises(anthropic.NotFoundError) as error:
        ask(anthropic_client, "claude-of-another-age")
    assert error.value.error_code == "model_not_found"


def test_a_model_of_another_api(anthropic_client):
    with pytest.raises(anthropic.BadRequestError) as error:
        ask(anthropic_client, "fast")
    assert error.value.body["error"]["type"] == "invalid_request_error"
    assert error.value.error_code == "api_not_supported"


def test_a_backends_own_error_comes_as_it_is(anthropic_client):
    with pytest.raises(anthropic.RateLimitError) as error:
        ask(anthropic_client, "status-429")
    assert error.value.body["error"]["type"] == "rate_limit_error"
    with pytest.raises(anthropic.OverloadedError) as error:
        ask(anthropic_client, "status-529")
    assert error.value.status_code == 529


def test_async(router):
    async def ask_once():
        async with anthropic.AsyncAnthropic(
            base_url=router, api_key=CLIENT_KEY, max_retries=0, timeout=30
        ) as client:
            return await ask(client, "smart")

    assert_reached_anthropic(asyncio.run(ask_once()))
