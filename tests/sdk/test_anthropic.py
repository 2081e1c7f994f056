"""The official anthropic client."""

import asyncio

import anthropic
import pydantic
import pytest

from reached import CLIENT_KEY, assert_reached_anthropic

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


def test_count_tokens(anthropic_client):
    for model in ("claude-sonnet-5-5", "smart"):
        counted = anthropic_client.messages.count_tokens(model=model, messages=HELLO, tools=[WEATHER])
        assert counted.input_tokens > 0
        assert_reached_anthropic(counted, path="/v1/messages/count_tokens")


class Forecast(pydantic.BaseModel):
    city: str
    days: int


def test_structured_output(anthropic_client):
    answer = anthropic_client.messages.parse(
        model="smart", max_tokens=100, messages=HELLO, output_format=Forecast
    )
    assert answer.parsed_output == Forecast(city="demo", days=1)
    assert_reached_anthropic(answer)


def test_a_tool_that_the_client_runs(anthropic_client):
    asked = []

    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "sunny"

    runner = anthropic_client.beta.messages.tool_runner(
        model="smart", max_tokens=100, messages=HELLO, tools=[weather]
    )
    last = runner.until_done()
    assert asked == ["demo"]
    assert last.content[0].text.startswith('Hello from demo backend "anthropic".')


@pytest.mark.router
def test_no_such_model(anthropic_client):
    with pytest.raises(anthropic.NotFoundError) as error:
        ask(anthropic_client, "no-such-model")
    assert error.value.body["type"] == "error"
    assert error.value.body["error"]["type"] == "not_found_error"
    assert error.value.error_code == "model_not_found"


@pytest.mark.router
def test_a_model_that_its_backend_does_not_serve(anthropic_client):
    with pytest.raises(anthropic.NotFoundError) as error:
        ask(anthropic_client, "claude-of-another-age")
    assert error.value.error_code == "model_not_found"


@pytest.mark.router
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


def test_async_streaming(anthropic_options):
    async def ask_once():
        async with anthropic.AsyncAnthropic(**anthropic_options) as client:
            async with client.messages.stream(model="smart", max_tokens=100, messages=HELLO) as stream:
                return "".join([text async for text in stream.text_stream])

    assert asyncio.run(ask_once()).startswith('Hello from demo backend "anthropic".')


def test_async(anthropic_options):
    async def ask_once():
        async with anthropic.AsyncAnthropic(**anthropic_options) as client:
            return await ask(client, "smart")

    assert_reached_anthropic(asyncio.run(ask_once()))
