"""The official openai client: responses, stored responses, and completions."""

import asyncio
import json

import openai
import pydantic
import pytest

from reached import CLIENT_KEY, OPENAI, assert_reached, assert_reached_openai

WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}


class Forecast(pydantic.BaseModel):
    city: str
    days: int


def respond(client, model, **options):
    return client.responses.create(model=model, input="Hello", **options)


@pytest.mark.parametrize("model", ["gpt-5.5", "smart"])
def test_a_response(openai_client, model):
    answer = respond(openai_client, model)
    assert answer.status == "completed"
    assert answer.output_text.startswith('Hello from demo backend "openai".')
    assert CLIENT_KEY not in answer.output_text
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert_reached_openai(answer, "gpt-5.5", path="/v1/responses")


def test_streaming(openai_client):
    events = list(respond(openai_client, "smart", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text.startswith('Hello from demo backend "openai".')
    assert events[-1].response.output_text == text


def test_the_helper_for_streams(openai_client):
    with openai_client.responses.stream(model="smart", input="Hello", text_format=Forecast) as stream:
        kinds = {event.type for event in stream}
        answer = stream.get_final_response()
    assert {"response.created", "response.output_text.delta", "response.completed"} <= kinds
    assert answer.output_parsed == Forecast(city="demo", days=1)


def test_structured_output(openai_client):
    answer = openai_client.responses.parse(model="smart", input="Hello", text_format=Forecast)
    assert answer.output_parsed == Forecast(city="demo", days=1)
    assert_reached_openai(answer, "gpt-5.5", path="/v1/responses")


def test_tools_there_and_back(openai_client):
    asked = respond(openai_client, "smart", tools=[WEATHER])
    (call,) = asked.output
    assert (call.type, call.name) == ("function_call", "weather")
    assert json.loads(call.arguments) == {"city": "demo"}

    told = openai_client.responses.create(
        model="smart",
        tools=[WEATHER],
        input=[
            {"role": "user", "content": "Hello"},
            call.model_dump(include={"type", "call_id", "name", "arguments"}),
            {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"},
        ],
    )
    assert told.output_text.startswith('Hello from demo backend "openai".')


def test_tools_streamed(openai_client):
    events = list(respond(openai_client, "gpt-5.5", stream=True, tools=[WEATHER]))
    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert json.loads("".join(deltas)) == {"city": "demo"}


def test_input_tokens(openai_client):
    counted = openai_client.responses.input_tokens.count(model="smart", input="Hello")
    assert counted.input_tokens > 0
    assert_reached_openai(counted, "gpt-5.5", path="/v1/responses/input_tokens")


def test_compact(openai_client):
    compacted = openai_client.responses.compact(model="gpt-5.5", input="Hello")
    assert compacted.output[0].type == "compaction"
    assert_reached_openai(compacted, "gpt-5.5", path="/v1/responses/compact")


def test_a_stored_response(openai_client):
    stored = respond(openai_client, "gpt-5.5")
    found = openai_client.responses.retrieve(stored.id)
    assert found.output_text == stored.output_text
    assert_reached(found, OPENAI, method="GET", path=f"/v1/responses/{stored.id}", model=None)
    assert openai_client.responses.input_items.list(stored.id).data == []
    openai_client.responses.delete(stored.id)
    with pytest.raises(openai.NotFoundError) as error:
        openai_client.responses.retrieve(stored.id)
    assert stored.id in error.value.message


def test_what_comes_after_a_stored_response(openai_client):
    first = respond(openai_client, "gpt-5.5")
    second = respond(openai_client, "gpt-5.5", previous_response_id=first.id)
    assert_reached_openai(second, "gpt-5.5", path="/v1/responses")


@pytest.mark.router
def test_a_stored_response_is_at_no_other_backend(openai_client):
    with pytest.raises(openai.BadRequestError) as error:
        respond(openai_client, "smart", previous_response_id="resp_1")
    assert error.value.code == "stored_state_unpinned"
    assert "previous_response_id" in error.value.message


@pytest.mark.router
def test_no_such_model(openai_client):
    with pytest.raises(openai.NotFoundError) as error:
        respond(openai_client, "no-such-model")
    assert error.value.code == "model_not_found"


def test_a_backends_own_error_comes_as_it_is(openai_client):
    with pytest.raises(openai.RateLimitError) as error:
        respond(openai_client, "status-429")
    assert error.value.code == "rate_limit_exceeded"


@pytest.mark.router
def test_a_stream_that_ends_too_early(openai_client):
    with pytest.raises(openai.APIError) as error:
        list(respond(openai_client, "end-3", stream=True))
    assert error.value.code == "upstream_incomplete"


def test_async(openai_options):
    async def ask():
        async with openai.AsyncOpenAI(**openai_options) as client:
            async with client.responses.stream(model="smart", input="Hello") as stream:
                async for _ in stream:
                    pass
                return await stream.get_final_response()

    assert asyncio.run(ask()).output_text.startswith('Hello from demo backend "openai".')


@pytest.mark.parametrize("model", ["gpt-5.5", "smart"])
def test_completions(openai_client, model):
    answer = openai_client.completions.create(model=model, prompt="Hello")
    assert answer.choices[0].text.startswith('Hello from demo backend "openai".')
    assert_reached_openai(answer, "gpt-5.5", path="/v1/completions")

    chunks = openai_client.completions.create(model=model, prompt="Hello", stream=True)
    text = "".join(chunk.choices[0].text for chunk in chunks)
    assert text.startswith('Hello from demo backend "openai".')
