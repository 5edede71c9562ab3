"""What the daemon does, as Prometheus metrics, and its health, over HTTP. No phone number stands in a label."""

import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

from probe.call import Ending
from probe.errors import ScenarioError
from probe.judged import JudgedCall

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60)
_ENDPOINT_LABELS = ("endpoint", "result")
_CALL_LABELS = ("scenario", "trunk", "network", "ending", "disposition")


class Metrics:
    """The figures of one daemon."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Counter(
            "probe_calls", "Calls placed, by how they ended and what that means", _CALL_LABELS, registry=self.registry
        )
        self._refusals = Counter(
            "probe_refusals", "Calls that the guard refused, by its rule", ("scenario", "rule"), registry=self.registry
        )
        self._final = Histogram(
            "probe_final_seconds",
            "From the INVITE to the final response",
            ("scenario", "network"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._rounds = Counter(
            "probe_rounds", "Rounds, by what became of them", ("scenario", "state"), registry=self.registry
        )
        self._troubles = Counter(
            "probe_troubles", "Ticks late, overlapped or failed", ("kind",), registry=self.registry
        )
        self._deliveries = Counter(
            "probe_deliveries", "Webhook events taken, and tries that failed", _ENDPOINT_LABELS, registry=self.registry
        )
        self.under_way = Gauge("probe_calls_under_way", "Calls under way", registry=self.registry)
        self.waiting = Gauge(
            "probe_deliveries_waiting", "Webhook events that wait", ("endpoint",), registry=self.registry
        )
        self.last_tick = Gauge(
            "probe_last_tick_timestamp_seconds",
            "When was last asked, and answered, what is due",
            registry=self.registry,
        )
        self.next_round = Gauge(
            "probe_next_round_timestamp_seconds", "When the next round starts", ("scenario",), registry=self.registry
        )

    def count_call(self, judged: JudgedCall) -> None:
        """Count one call, placed or refused."""
        request = judged.record.request
        scenario, network = request.scenario or "", request.network or ""
        if judged.record.ending is Ending.GUARDED:
            rule = (judged.record.detail or "").partition(":")[0]
            self.count_refusal(scenario, rule)
            return
        labels = (scenario, request.trunk, network, judged.record.ending, judged.verdict.disposition)
        self._calls.labels(*labels).inc()
        if judged.conversation.timing.final_ms is not None:
            self._final.labels(scenario, network).observe(judged.conversation.timing.final_ms / 1000)

    def count_refusal(self, scenario: str, rule: str) -> None:
        self._refusals.labels(scenario, rule).inc()

    def count_round(self, scenario: str, state: str) -> None:
        self._rounds.labels(scenario, state).inc()

    def count_trouble(self, kind: str) -> None:
        self._troubles.labels(kind).inc()

    def count_deliveries(self, endpoint: str, taken: int, failed: int) -> None:
        self._deliveries.labels(endpoint, "taken").inc(taken)
        self._deliveries.labels(endpoint, "failed").inc(failed)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without a look-up of our own name, which may take seconds where no nameserver answers."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _ServerOverIPv6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class names it so
        """Say nothing: a scrape every few seconds is no news."""


def serve(metrics: Metrics, address: str, port: int, healthy: Callable[[], str | None]) -> _Server:
    """Answer /metrics and /healthz; `healthy` gives None, or in words what is wrong. ScenarioError if it cannot."""
    measured = make_wsgi_app(metrics.registry)

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            found: Iterable[bytes] = measured(environ, start)
            return found
        if environ["PATH_INFO"] != "/healthz":
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/metrics and /healthz are here\n"]
        wrong = healthy()
        start("503 Service Unavailable" if wrong else "200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{wrong or 'ok'}\n".encode()]

    try:
        kind = _ServerOverIPv6 if ":" in address else _Server
        server = make_server(address, port, answer, server_class=kind, handler_class=_Quiet)
    except OSError as error:
        raise ScenarioError(f"--http: cannot listen on {address}:{port}: {error.strerror}.") from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
