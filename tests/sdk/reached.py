"""Checks what the demo backends report about the requests that reached them."""

CLIENT_KEY = "the-clients-own-key"

# Set by conftest.py: there is no router in front of the backends that could have changed a request.
direct = False


class Backend:
    """A backend of envoy/demo.yaml."""

    def __init__(self, name, host, key_header, scheme=""):
        self.name = name
        self.host = host
        self.key = (key_header, f"{scheme}demo-key-{name}-not-a-secret")


OPENAI = Backend("openai", "api.openai.example", "authorization", "Bearer ")
LOCAL = Backend("local", "vllm.example", "authorization", "Bearer ")
ANTHROPIC = Backend("anthropic", "api.anthropic.example", "x-api-key")
AZURE = Backend("azure", "resource.azure.example", "api-key")
GEMINI = Backend("gemini", "gemini.example", "x-goog-api-key")
BEDROCK = Backend("bedrock", "bedrock-runtime.eu-west-1.example", "authorization", "Bearer ")

KEY_HEADERS = {"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"}


def demo_of(answer):
    """Returns the `demo` object of an answer, from where its client keeps unknown fields."""
    return answer["demo"] if isinstance(answer, dict) else answer.model_extra["demo"]


def assert_reached(answer, backend, *, path, model, method="POST"):
    """Checks the `demo` object of an answer: the request was rewritten for this backend and has only its key."""
    demo = demo_of(answer)
    assert demo["method"] == method
    if direct:
        return
    assert demo["backend"] == backend.name
    assert demo["path"] == path
    assert demo["host"] == backend.host
    assert demo["model"] == model

    headers = [(name, value) for name, value in demo["headers"]]
    header, expected = backend.key
    assert [value for name, value in headers if name == header] == [expected]
    assert not [name for name, _ in headers if name in KEY_HEADERS - {header}]
    assert not [name for name, value in headers if CLIENT_KEY in value]
    # No internal headers reach a provider, neither the router's nor Envoy's.
    assert not [name for name, _ in headers if name.startswith(("x-llm-", "x-envoy-", "x-forwarded-for"))]


def assert_reached_openai(answer, model, path="/v1/chat/completions"):
    assert_reached(answer, OPENAI, path=path, model=model)


def assert_reached_local(answer):
    assert_reached(answer, LOCAL, path="/v1/chat/completions", model="meta-llama/Llama-3.1-8B-Instruct")


def assert_reached_anthropic(answer, model="claude-sonnet-5-5", path="/v1/messages"):
    assert_reached(answer, ANTHROPIC, path=path, model=model)
