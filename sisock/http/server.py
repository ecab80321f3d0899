"""The web server: Flask inside the reactor's process (twisted.web's WSGI resource)."""

# twisted.web has types for what it returns, not for most of what it takes:
# mypy: allow-untyped-calls

from typing import Any

from flask import Flask
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool
from twisted.web import http
from twisted.web.server import Request, Site
from twisted.web.wsgi import WSGIResource

from sisock.errors import Misconfigured
from sisock.http.answers import to_json
from sisock.http.app import MAX_BODY_BYTES

__all__ = ["HttpServer"]

log = Logger()

_THREADS = 16  # a thread only waits, mostly; a dashboard sends some ten requests at once
_STOP_TIMEOUT_S = 2.0
_POLL_S = 0.02


class _LimitedRequest(Request):
    """A request whose body is not kept beyond the limit; twisted.web would fill the disk."""

    _received_bytes = 0

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - twisted's name
        """Take a part of the body."""
        self._received_bytes += len(data)
        if self._received_bytes <= MAX_BODY_BYTES:
            super().handleContentChunk(data)

    def process(self) -> None:
        """Answer, once the whole body has come."""
        if self._received_bytes <= MAX_BODY_BYTES:
            super().process()
            return
        self.setResponseCode(413)
        self.setHeader(b"content-type", b"application/json; charset=utf-8")
        text = f"the body is too large: allowed are {MAX_BODY_BYTES} bytes"
        self.write(to_json({"message": text}))
        self.finish()


class _Site(Site):
    """A site that mentions requests only to those who debug."""

    requestFactory = _LimitedRequest  # noqa: N815 - twisted's name
    noisy = False

    def log(self, request: http.Request) -> None:
        """Log a request that has been answered."""
        log.debug(
            "{method} {uri} {code}", method=request.method, uri=request.uri, code=request.code
        )


class HttpServer:
    """Serves a web application on a TCP port.

    Args:
        reactor: The Twisted reactor.
        app: What to serve.
    """

    def __init__(self, reactor: Any, app: Flask) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(minthreads=2, maxthreads=_THREADS, name="http")
        self._site = _Site(WSGIResource(reactor, self._pool, app))
        self._port: Any = None

    def listen(self, host: str, port: int) -> int:
        """Open the port and return its number (another one if ``port`` is 0).

        Raises:
            Misconfigured: the port cannot be had.
        """
        try:
            self._port = self._reactor.listenTCP(port, self._site, interface=host)
        except CannotListenError as error:
            raise Misconfigured(
                f"cannot listen on port {port} of {host} ({error.socketError}): choose another "
                "port with the environment variable PORT or --port, or another address with HOST "
                "or --host"
            ) from error
        number: int = self._port.getHost().port
        return number

    def start(self) -> None:
        """Begin to answer; the reactor must run."""
        self._pool.start()

    async def stop(self) -> None:
        """Close the port, and wait for the threads to finish what they are at."""
        if self._port is not None:
            await self._port.stopListening()
        waited_s = 0.0
        while self._pool.working and waited_s < _STOP_TIMEOUT_S:
            await deferLater(self._reactor, _POLL_S)
            waited_s += _POLL_S
        self._pool.stop()
