"""Tests envoy/observability with a real Prometheus, which scrapes a real Envoy under the demo's traffic.

Every rule has to be healthy, every query of the dashboard has to return numbers, and the sums have to match what was
sent. `make test-prometheus` runs it:

    python3 tests/prometheus/check.py --prometheus /usr/bin/prometheus --envoy /path/to/envoy

promtool is expected beside prometheus. `--keep` leaves all of it running until Ctrl-C, to look at it.
"""

import argparse
import contextlib
import http.client
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "sdk"))

import demo  # noqa: E402

RULES = ROOT / "envoy" / "observability" / "rules.yaml"
DASHBOARD = ROOT / "envoy" / "observability" / "dashboard.json"

# Envoy flushes histograms every five seconds, so in a shorter time not all of them would change.
TRAFFIC_SECONDS = 20
PATIENCE_SECONDS = 30

# The variables that Grafana inserts, for a Prometheus that scrapes every second.
GRAFANA = {"__rate_interval": "15s", "__range": "5m"}

# Metrics that stay at 0, because the demo's traffic does not include these cases.
AT_REST = {
    'type="cached_input"': "a cache of prompts",
    "llm_router_missing_envoy_setting": "a wrong file for Envoy",
    "llm_router_backend_mismatch": "a wrong file for Envoy",
    "llm_router_deadline_exceeded": "a deadline of ten minutes",
    "llm_router_unretried_body_too_large": "a body of a megabyte",
    "llm_router_unretried_circuit_breaker": "a full circuit",
}

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"

# Path, model, whether the request asks for a stream, and the expected status.
TRAFFIC = [
    (CHAT, "gpt-5.5", False, 200),
    (CHAT, "gpt-5.5", True, 200),
    (CHAT, "fast", True, 200),
    # The first of its targets is dead, which causes fallbacks and a cooldown.
    (CHAT, "smart", True, 200),
    (CHAT, "llama-3.1-8b", False, 200),
    (MESSAGES, "claude-sonnet-5-5", True, 200),
    (MESSAGES, "claude-sonnet-5-5", False, 200),
    (RESPONSES, "gpt-5.4-mini", True, 200),
    (CHAT, "status-500", False, 500),
    (CHAT, "status-401", False, 401),
    # Its usage is estimated, and its model has no price.
    (CHAT, "cut-3", True, 200),
    (CHAT, "nobody-has-this", False, 404),
]


class Failures(list):
    """The list of problems, each of which is printed when it is found."""

    def add(self, text):
        print(f"FAILED: {text}", file=sys.stderr)
        self.append(text)


class Prometheus:
    """A Prometheus, queried over its HTTP API."""

    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}/api/v1"

    def get(self, path, **parameters):
        url = f"{self.base}{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error).get("error")) from None

    def now(self, expression):
        """Returns the current numbers of an expression, one for each set of labels."""
        found = self.get("/query", query=expression)
        return [float(series["value"][1]) for series in found["result"]]

    def range(self, expression, seconds):
        """Returns all numbers of an expression in the last seconds, one a second, as a panel asks for them."""
        now = time.time()
        found = self.get("/query_range", query=expression, start=now - seconds, end=now, step=1)
        return [float(value) for series in found["result"] for _, value in series["values"]]


def free_port():
    with demo.socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(is_so, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            if is_so():
                return
        time.sleep(0.2)
    raise SystemExit(f"waited {PATIENCE_SECONDS} s, and {what} is still not so")


def send(base, path, model, stream):
    body = {"model": model, "stream": stream, "max_tokens": 50}
    if path == RESPONSES:
        body = {"model": model, "stream": stream, "input": "Say something."}
    else:
        body["messages"] = [{"role": "user", "content": "Say something."}]
    headers = {"content-type": "application/json", "anthropic-version": "2023-06-01", "x-team": "search"}
    request = urllib.request.Request(f"{base}{path}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            # A stream that is cut has no end.
            with contextlib.suppress(http.client.IncompleteRead):
                answer.read()
            return answer.status
    except urllib.error.HTTPError as error:
        error.read()
        return error.code


class Load:
    """The traffic: each kind of request in a thread of its own."""

    def __init__(self, base):
        self.base = base
        self.is_over = threading.Event()
        self.counts = {}
        self.wrong = []
        self.threads = [threading.Thread(target=self.run, args=kind, daemon=True) for kind in TRAFFIC]

    def run(self, path, model, stream, expected):
        while not self.is_over.is_set():
            status = send(self.base, path, model, stream)
            key = (path, model, stream)
            self.counts[key] = self.counts.get(key, 0) + 1
            if status != expected:
                self.wrong.append(f"{path}, {model}: {status}, not {expected}")
            self.is_over.wait(0.2)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        for thread in self.threads:
            thread.join()

    def total(self):
        return sum(self.counts.values())


def filled_in(expression, variables):
    """Returns a query of the dashboard as Grafana sends it."""

    def value(found):
        name = found.group(1) or found.group(2)
        if name not in variables:
            raise ValueError(f"nobody knows ${name}: {expression}")
        return variables[name]

    return re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, expression)


def one_of_several(values):
    """Returns the regular expression that Grafana writes for a variable with several chosen values."""
    escaped = [re.sub(r"([\\.^$|?*+()\[\]{}/])", r"\\\\\1", value) for value in values]
    return "(" + "|".join(value.replace('"', '\\"') for value in escaped) + ")"


def check_rules(prometheus, failures):
    rules = [rule for group in prometheus.get("/rules")["groups"] for rule in group["rules"]]
    for rule in rules:
        if rule["health"] != "ok":
            failures.add(f"rule {rule['name']}: {rule['health']}: {rule.get('lastError')}")
        if rule["type"] == "recording":
            values = prometheus.now(rule["name"])
            if not any(math.isfinite(value) and value != 0 for value in values):
                failures.add(f"rule {rule['name']} has recorded nothing: {values}")
    states = {rule["name"]: rule["state"] for rule in rules if rule["type"] == "alerting"}
    expected = {
        # These conditions have to last for a while.
        "LlmRouterBurnsItsErrorBudget": {"pending"},
        "LlmRouterTargetCools": {"inactive", "firing"},
        "LlmRouterKeyRefused": {"firing"},
        "LlmRouterPriceMissing": {"firing"},
    }
    for name in expected.keys() | states.keys():
        if states.get(name) not in expected.get(name, ()):
            failures.add(f"alert {name} is {states.get(name)}")
    return len(rules)


def check_variables(prometheus, dashboard, failures):
    """Returns the values of the variables in queries: with everything chosen, and with some of what Grafana offers."""
    everything, some = dict(GRAFANA), dict(GRAFANA)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "query":
            continue
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
        values = prometheus.get(f"/label/{label}/values", **{"match[]": metric})
        if not values:
            failures.add(f"there is nothing to choose from for ${variable['name']}")
        everything[variable["name"]] = variable["allValue"]
        some[variable["name"]] = one_of_several(values)
    return everything, some


def check_dashboard(prometheus, failures):
    dashboard = json.loads(DASHBOARD.read_text())
    everything, some = check_variables(prometheus, dashboard, failures)
    count = 0
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            for variables in (everything, some):
                count += 1
                title = f"{panel['title']} {target['refId']}"
                try:
                    expression = filled_in(target["expr"], variables)
                    values = prometheus.range(expression, TRAFFIC_SECONDS)
                except ValueError as error:
                    failures.add(f"{title}: {error}")
                    continue
                if not any(math.isfinite(value) for value in values):
                    failures.add(f"{title}: no numbers: {expression}")
                has_moved = any(math.isfinite(value) and value != 0 for value in values)
                rests = next((why for name, why in AT_REST.items() if name in expression), None)
                if has_moved == (rests is not None):
                    failures.add(f"{title}: {'it moves' if rests else 'always 0'}: {expression}")
    return count


def check_sums(prometheus, load, failures):
    """Compares the sums with what was sent, once Prometheus has seen the end of the traffic."""
    sent, unknown = load.total(), load.counts[(CHAT, "nobody-has-this", False)]
    sums = {
        "sum(llm_router_requests_total)": sent,
        "sum(llm_router_decisions_total)": sent,
        "sum(llm_router_caller_requests_total)": sent,
        "sum(gen_ai_client_operation_duration_milliseconds_count)": sent - unknown,
        'sum(llm_router_errors_total{error="model_not_found"})': unknown,
        "sum(llm_router_unauthorized)": load.counts[(CHAT, "status-401", False)],
        'sum(llm_router_answers_total{end!="complete",end!="none"})': load.counts[(CHAT, "cut-3", True)],
    }
    for expression, expected in sums.items():
        try:
            wait_until(lambda: prometheus.now(expression) == [expected], expression)
        except SystemExit:
            failures.add(f"{expression}: {prometheus.now(expression)}, not {expected}")


@contextlib.contextmanager
def running(command, log):
    with log.open("wb") as written:
        process = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        demo.stop(process)


def promtool(program, *arguments):
    found = subprocess.run([program, *arguments], capture_output=True, text=True)
    print(found.stdout.strip())
    if found.returncode != 0:
        raise SystemExit(f"promtool {' '.join(map(str, arguments))}: {found.stderr}")


def configuration(admin):
    """Returns the configuration of docs/metrics.md, but with intervals of one second."""
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {
                "job_name": "llm-router",
                "metrics_path": "/stats/prometheus",
                "static_configs": [{"targets": [f"127.0.0.1:{admin}"]}],
            }
        ],
    }


def is_scraped(prometheus):
    targets = prometheus.get("/targets")["activeTargets"]
    return bool(targets) and all(target["health"] == "up" for target in targets)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--prometheus", type=pathlib.Path, required=True)
    parser.add_argument("--envoy", required=True)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    tool = arguments.prometheus.with_name("promtool")
    failures = Failures()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder)
        offset = demo.free_offset()
        admin, listener = demo.ADMIN + offset, demo.LISTENER + offset
        # JSON is YAML.
        config = folder / "prometheus.yml"
        config.write_text(json.dumps(configuration(admin)))
        promtool(tool, "check", "rules", RULES)
        promtool(tool, "check", "config", config)
        router = demo.start(
            ["run", "--envoy", arguments.envoy, "--port-offset", str(offset)],
            folder / "demo.log",
            lambda: demo.is_ready(admin),
        )
        stack.callback(demo.stop, router)
        port = free_port()
        command = [arguments.prometheus, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--query.lookback-delta=15s"]
        stack.enter_context(running(command, folder / "prometheus.log"))
        prometheus = Prometheus(port)
        wait_until(lambda: is_scraped(prometheus), "Envoy is scraped")
        with Load(f"http://127.0.0.1:{listener}") as load:
            time.sleep(TRAFFIC_SECONDS)
            rules = check_rules(prometheus, failures)
            queries = check_dashboard(prometheus, failures)
        for wrong in sorted(set(load.wrong)):
            failures.add(wrong)
        check_sums(prometheus, load, failures)
        print(f"{load.total()} requests, {rules} rules, {queries} queries of the dashboard: {len(failures)} failures")
        if arguments.keep:
            print(f"Prometheus: http://127.0.0.1:{port}, the router: http://127.0.0.1:{listener}")
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
