"""What the demo backends say reached them."""

from conftest import CLIENT_KEY


def assert_reached(answer, backend, *, path, host, model, key):
    """Checks the `demo` object of an answer: the request was rewritten for this backend, and has its key only."""
    demo = answer.model_extra["demo"]
    assert demo["backend"] == backend
    assert demo["method"] == "POST"
    assert demo["path"] == path
    assert demo["host"] == host
    assert demo["model"] == model

    headers = [(name, value) for name, value in demo["headers"]]
    header, expected = key
    assert [value for name, value in headers if name == header] == [expected]
    others = {"authorization", "x-api-key", "api-key", "cookie"} - {header}
    assert not [name for name, _ in headers if name in others]
    assert not [name for name, value in headers if CLIENT_KEY in value]
    # Nothing internal leaves for a provider: neither the router's names nor Envoy's.
    assert not [name for name, _ in headers if name.startswith(("x-llm-", "x-envoy-", "x-forwarded-for"))]


def assert_reached_openai(answer, model):
    assert_reached(
        answer,
        "openai",
        path="/v1/chat/completions",
        host="api.openai.example",
        model=model,
        key=("authorization", "Bearer demo-key-openai-not-a-secret"),
    )


def assert_reached_local(answer):
    assert_reached(
        answer,
        "local",
        path="/v1/chat/completions",
        host="vllm.example",
        model="meta-llama/Llama-3.1-8B-Instruct",
        key=("authorization", "Bearer demo-key-local-not-a-secret"),
    )


def assert_reached_anthropic(answer, model="claude-sonnet-5-5"):
    assert_reached(
        answer,
        "anthropic",
        path="/v1/messages",
        host="api.anthropic.example",
        model=model,
        key=("x-api-key", "demo-key-anthropic-not-a-secret"),
    )
