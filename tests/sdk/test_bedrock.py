"""The official AWS client for Bedrock."""

import json
import urllib.parse

import botocore.exceptions
import pytest

from reached import BEDROCK, assert_reached

CLAUDE = "anthropic.claude-sonnet-5-5-v1:0"
PROFILE = f"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.{CLAUDE}"
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]

WEATHER = {
    "toolSpec": {
        "name": "weather",
        "inputSchema": {
            "json": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            }
        },
    }
}


def assert_reached_bedrock(answer, method, model=CLAUDE):
    demo = json.loads(answer["ResponseMetadata"]["HTTPHeaders"]["x-demo"])
    path = f"/model/{urllib.parse.quote(model, safe='')}/{method}"
    assert_reached({"demo": demo}, BEDROCK, path=path, model=model)
    return demo


@pytest.mark.parametrize("model", [CLAUDE, PROFILE, "smart"])
def test_converse(bedrock_client, model):
    answer = bedrock_client.converse(modelId=model, messages=HELLO)
    (part,) = answer["output"]["message"]["content"]
    assert part["text"].startswith('Hello from demo backend "bedrock".')
    assert answer["stopReason"] == "end_turn"
    assert answer["usage"]["totalTokens"] > 0
    assert_reached_bedrock(answer, "converse", CLAUDE if model == "smart" else model)


@pytest.mark.router
def test_nothing_of_a_signature_is_sent_on(bedrock_client):
    answer = bedrock_client.converse(modelId="smart", messages=HELLO)
    demo = assert_reached_bedrock(answer, "converse")
    assert not [name for name, _ in demo["headers"] if name.startswith("x-amz-")]


def test_streaming(bedrock_client):
    answer = bedrock_client.converse_stream(modelId="smart", messages=HELLO)
    events = list(answer["stream"])
    assert "messageStart" in events[0]
    assert "metadata" in events[-1]
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert len(deltas) > 5
    assert "".join(deltas).startswith('Hello from demo backend "bedrock".')


def test_tools_there_and_back(bedrock_client):
    tools = {"tools": [WEATHER]}
    asked = bedrock_client.converse(modelId="smart", messages=HELLO, toolConfig=tools)
    message = asked["output"]["message"]
    call = message["content"][0]["toolUse"]
    assert (asked["stopReason"], call["name"], call["input"]) == ("tool_use", "weather", {"city": "demo"})

    result = {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": "sunny"}]}}
    messages = [*HELLO, message, {"role": "user", "content": [result]}]
    told = bedrock_client.converse(modelId="smart", messages=messages, toolConfig=tools)
    assert told["stopReason"] == "end_turn"


def test_invoke(bedrock_client):
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": HELLO}
    answer = bedrock_client.invoke_model(modelId=PROFILE, body=json.dumps(body))
    message = json.loads(answer["body"].read())
    assert message["content"][0]["text"].startswith('Hello from demo backend "bedrock".')
    assert_reached_bedrock(answer, "invoke", PROFILE)


def test_invoke_streamed(bedrock_client):
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100, "messages": HELLO}
    answer = bedrock_client.invoke_model_with_response_stream(modelId="smart", body=json.dumps(body))
    events = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    assert (events[0]["type"], events[-1]["type"]) == ("message_start", "message_stop")


@pytest.mark.router
def test_no_such_model(bedrock_client):
    with pytest.raises(bedrock_client.exceptions.ResourceNotFoundException) as error:
        bedrock_client.converse(modelId="no-such-model", messages=HELLO)
    assert "no-such-model" in error.value.response["Error"]["Message"]


@pytest.mark.router
def test_a_model_of_another_api(bedrock_client):
    with pytest.raises(bedrock_client.exceptions.ValidationException):
        bedrock_client.converse(modelId="fast", messages=HELLO)


def test_a_backends_own_error_comes_as_it_is(bedrock_client):
    with pytest.raises(bedrock_client.exceptions.ThrottlingException):
        bedrock_client.converse(modelId="status-429", messages=HELLO)
    with pytest.raises(botocore.exceptions.ClientError) as error:
        bedrock_client.converse(modelId="status-503", messages=HELLO)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_an_error_in_a_stream(bedrock_client):
    answer = bedrock_client.converse_stream(modelId="error-after-2", messages=HELLO)
    with pytest.raises(botocore.exceptions.EventStreamError) as error:
        list(answer["stream"])
    assert error.value.response["Error"]["Code"] == "internalServerException"
