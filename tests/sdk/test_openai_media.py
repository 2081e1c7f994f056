"""The official openai client: images and audio."""

import base64
import json

import pytest

from reached import CLIENT_KEY, assert_reached_openai, demo_of

PNG = b"\x89PNG\r\n\x1a\n"

# Larger than what the router reads at once, and with text that looks like the end of a form's part.
IMAGE = PNG + b"\r\n--boundary--\r\n" * 20_000
SOUND = b"RIFF" + bytes(range(256)) * 100


def assert_images(answer, path, count=1):
    assert len(answer.data) == count
    for image in answer.data:
        assert base64.b64decode(image.b64_json).startswith(PNG)
        assert 'demo backend "openai"' in image.revised_prompt
    assert_reached_openai(answer, "gpt-image-2", path=path)


def assert_files(answer, *files):
    assert [(file["name"], file["filename"], file["bytes"]) for file in demo_of(answer)["files"]] == list(files)


def test_generations(openai_client):
    answer = openai_client.images.generate(model="gpt-image-2", prompt="A dot", n=2)
    assert_images(answer, "/v1/images/generations", count=2)
    answer = openai_client.images.generate(model="dall-e-3", prompt="A dot", response_format="url")
    assert answer.data[0].url.startswith("https://")


def test_generations_streamed(openai_client):
    stream = openai_client.images.generate(
        model="gpt-image-2", prompt="A dot", stream=True, partial_images=2
    )
    kinds = []
    for event in stream:
        kinds.append(event.type)
        assert base64.b64decode(event.b64_json).startswith(PNG)
    partial = "image_generation.partial_image"
    assert kinds == [partial, partial, "image_generation.completed"]


def test_edits(openai_client):
    answer = openai_client.images.edit(
        model="gpt-image-2",
        prompt="A larger dot",
        image=[("one.png", IMAGE, "image/png"), ("two.png", PNG, "image/png")],
        mask=("mask.png", PNG, "image/png"),
    )
    assert_images(answer, "/v1/images/edits")
    assert_files(
        answer,
        ("image[]", "one.png", len(IMAGE)),
        ("image[]", "two.png", len(PNG)),
        ("mask", "mask.png", len(PNG)),
    )


def test_edits_streamed(openai_client):
    stream = openai_client.images.edit(
        model="gpt-image-2", prompt="A dot", image=("one.png", PNG), stream=True
    )
    assert [event.type for event in stream] == ["image_edit.completed"]


# The client warns that this call is deprecated, but it must still work.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_variations(openai_client):
    answer = openai_client.images.create_variation(model="gpt-image-2", image=("one.png", PNG))
    assert_images(answer, "/v1/images/variations")


def test_speech(openai_client, tmp_path):
    raw = openai_client.audio.speech.with_raw_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input="Hello"
    )
    assert raw.headers["content-type"] == "audio/mpeg"
    assert raw.content.startswith(b"\xff\xfb")
    demo = json.loads(raw.headers["x-demo"])
    assert_reached_openai({"demo": demo}, "gpt-4o-mini-tts", path="/v1/audio/speech")

    with openai_client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input="Hello", response_format="wav"
    ) as answer:
        answer.stream_to_file(tmp_path / "hello.wav")
    assert (tmp_path / "hello.wav").read_bytes().startswith(b"RIFF")


def test_transcriptions(openai_client):
    answer = openai_client.audio.transcriptions.create(model="whisper-1", file=("hello.wav", SOUND))
    assert answer.text.startswith('Hello from demo backend "openai".')
    assert CLIENT_KEY not in answer.text
    assert_reached_openai(answer, "whisper-1", path="/v1/audio/transcriptions")
    assert_files(answer, ("file", "hello.wav", len(SOUND)))


@pytest.mark.parametrize("format", ["text", "srt", "vtt", "verbose_json"])
def test_transcriptions_in_every_format(openai_client, format):
    answer = openai_client.audio.transcriptions.create(
        model="whisper-1", file=("hello.wav", SOUND), response_format=format
    )
    text = answer if isinstance(answer, str) else answer.text
    assert 'Hello from demo backend "openai".' in text


def test_transcriptions_streamed(openai_client):
    events = list(
        openai_client.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=("hello.wav", SOUND), stream=True
        )
    )
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert events[-1].type == "transcript.text.done"
    assert "".join(deltas) == events[-1].text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_translations(openai_client):
    answer = openai_client.audio.translations.create(model="whisper-1", file=("hello.wav", SOUND))
    assert answer.text.startswith('Hello from demo backend "openai".')
    assert_reached_openai(answer, "whisper-1", path="/v1/audio/translations")
