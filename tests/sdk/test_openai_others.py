"""The official openai client: embeddings, moderations and reranking, and requests that are not model calls."""

import openai
import pytest

from reached import LOCAL, OPENAI, assert_reached, assert_reached_openai


def test_embeddings(openai_client):
    inputs = ["one", "two"]
    # By default, the client asks for base64 and decodes it.
    for options in ({}, {"encoding_format": "float"}, {"encoding_format": "float", "dimensions": 4}):
        answer = openai_client.embeddings.create(model="text-embedding-3-small", input=inputs, **options)
        dimensions = options.get("dimensions", 8)
        assert [one.embedding for one in answer.data] == [
            [1.0, 0.0] + [0.0] * (dimensions - 2),
            [0.0, 1.0] + [0.0] * (dimensions - 2),
        ]
        assert_reached_openai(answer, "text-embedding-3-small", path="/v1/embeddings")


def test_moderations(openai_client):
    answer = openai_client.moderations.create(model="omni-moderation-latest", input=["one", "two"])
    assert [result.flagged for result in answer.results] == [False, False]
    assert answer.results[0].categories.violence is False
    assert_reached_openai(answer, "omni-moderation-latest", path="/v1/moderations")


def test_rerank(openai_client):
    # The client has no method for reranking.
    answer = openai_client.post(
        "/rerank",
        body={"model": "bge-reranker", "query": "one", "documents": ["one", "two", "three"], "top_n": 2},
        cast_to=dict,
    )
    assert [result["index"] for result in answer["results"]] == [0, 1]
    assert_reached(answer, LOCAL, path="/v1/rerank", model="bge-reranker")


def test_files(openai_client):
    content = b'{"custom_id": "one"}\n' * 10_000
    file = openai_client.files.create(file=("batch.jsonl", content), purpose="batch")
    assert (file.filename, file.bytes, file.purpose) == ("batch.jsonl", len(content), "batch")
    assert_reached(file, OPENAI, path="/v1/files", model=None)

    assert file.id in [one.id for one in openai_client.files.list()]
    assert openai_client.files.retrieve(file.id).status == "processed"
    assert openai_client.files.content(file.id).content == content
    assert openai_client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError) as error:
        openai_client.files.retrieve(file.id)
    assert file.id in error.value.message


def test_batches(openai_client):
    batch = openai_client.batches.create(
        input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h"
    )
    assert batch.status == "validating"
    assert_reached(batch, OPENAI, path="/v1/batches", model=None)
    found = openai_client.batches.retrieve(batch.id)
    assert_reached(found, OPENAI, method="GET", path=f"/v1/batches/{batch.id}", model=None)
    assert openai_client.batches.cancel(batch.id).status == "cancelled"


def test_conversations(openai_client):
    conversation = openai_client.conversations.create(metadata={"topic": "demo"})
    found = openai_client.conversations.retrieve(conversation.id)
    assert found.metadata == {"topic": "demo"}
    answer = openai_client.responses.create(
        model="gpt-5.5", input="Hello", conversation=conversation.id
    )
    assert_reached_openai(answer, "gpt-5.5", path="/v1/responses")
    assert openai_client.conversations.delete(conversation.id).deleted


@pytest.mark.router
def test_what_is_stored_but_not_routed(openai_client):
    with pytest.raises(openai.NotFoundError) as error:
        openai_client.vector_stores.list()
    assert error.value.code == "stored_state_not_routed"


def test_realtime(openai_client):
    with openai_client.realtime.connect(model="gpt-realtime") as session:
        hello = session.recv()
        assert hello.type == "session.created"
        assert_reached(hello, OPENAI, method="GET", path="/v1/realtime?model=gpt-realtime", model=None)
        # The backend echoes every message.
        session.send({"type": "response.create", "event_id": "mine"})
        assert session.recv().event_id == "mine"
