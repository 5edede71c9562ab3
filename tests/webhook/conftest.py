"""A real HTTP server on loopback that answers as a test tells it, and keeps what was posted."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from probe.event import Endpoint, Event

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass(frozen=True)
class Post:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`answers` are used up one a post: a status, a status with headers, or a function of the handler; then 200."""

    answers: list[object] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    path: str = "/number-health"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"

    def hang(self, _: BaseHTTPRequestHandler) -> None:
        """Say nothing until the test is over."""
        self.released.wait(30)

    def hang_after_status(self, handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        self.released.wait(30)

    def trickle(self, handler: BaseHTTPRequestHandler) -> None:
        """Keep every read alive, and never finish the head."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.released.wait(0.02):
            handler.wfile.write(b"x")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(made))
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def _handler_for(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or head and body of each answer are 40 ms apart

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # the sender went away, as some tests want it to
                self.close_connection = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.posts.append(Post(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            receiver.reached.set()
            answer = receiver.answers.pop(0) if receiver.answers else 200
            if callable(answer):
                answer(self)
                self.close_connection = True
                return
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    return Handler


@pytest.fixture
def endpoint(receiver: Receiver) -> Endpoint:
    return Endpoint(name="http://${HOST}/number-health", url=receiver.url, secret=SECRET, types=frozenset())


@pytest.fixture
def make_event() -> Callable[..., Event]:
    def make(event_id: str = "msg-1", subject: str | None = None) -> Event:
        moment = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)
        return Event(id=event_id, type="call.blocked", timestamp=moment, data={"id": event_id}, subject=subject)

    return make


@pytest.fixture
def sleeps() -> list[float]:
    return []


@pytest.fixture
def sleep(sleeps: list[float]):
    """Sleep not at all, and keep how long it should have been."""

    async def keep(seconds: float) -> None:
        sleeps.append(seconds)

    return keep
