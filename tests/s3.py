"""moto's S3 on loopback, for tests of runs in a bucket: conditional writes are atomic, as in S3, and it can fail."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import boto3
from moto.moto_api._internal.models import moto_api_backend
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "bench"
ADDRESS = f"s3://{BUCKET}/results"
GONE = "gone"
"""An answer that breaks the connection."""
DENIED = (403, "AccessDenied", "User: arn:aws:iam::123456789012:user/dev is not authorized")

Answer = tuple[int, str, str] | str | None


class QuietHandler(WSGIRequestHandler):
    """Writes no line for each request."""

    def log_request(self, *_: Any) -> None: ...


class S3:
    """The server, and a bucket in it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        """`PUT /bench/results/…`, in order."""
        self.answer: Callable[[str], Answer] = lambda _: None
        """What to answer to such a request instead: status, code and message, or GONE."""
        self._lock = Lock()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=QuietHandler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.client = boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="i", aws_secret_access_key="s"
        )
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        with self._lock:
            self.requests.append(request)
            instead = self.answer(request)
            if instead is None:
                return list(self._moto(environ, start_response))
        if isinstance(instead, str):
            with suppress(OSError):
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        status, code, message = instead
        start_response(f"{status} {code}", [("Content-Type", "application/xml")])
        return [f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()]

    def reset(self) -> None:
        """An empty bucket, and no faults."""
        self.answer = lambda _: None
        moto_api_backend.reset()
        self.client.create_bucket(Bucket=BUCKET)
        self.requests.clear()

    def stop(self) -> None:
        self.client.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self, folder: Path) -> dict[str, str]:
        """The environment of a user of this bucket, with the cache in a folder."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_ACCESS_KEY_ID": "AKIDTESTING",
            "AWS_SECRET_ACCESS_KEY": "made-up-for-tests",
            "AWS_MAX_ATTEMPTS": "1",
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def names(self) -> list[str]:
        """The names of the objects below the address."""
        listed = self.client.list_objects_v2(Bucket=BUCKET, Prefix="results/").get("Contents", ())
        return [each["Key"].removeprefix("results/") for each in listed]

    def put(self, key: str, content: bytes = b"x") -> None:
        self.client.put_object(Bucket=BUCKET, Key=f"results/{key}", Body=content)

    def put_behind(self, key: str, content: bytes = b"x") -> None:
        """The same without a request, for many objects, or from inside `answer`."""
        s3_backends["123456789012"]["aws"].put_object(BUCKET, f"results/{key}", content)

    def shift(self, key: str, hours: int) -> None:
        """Change when an object was written."""
        found = s3_backends["123456789012"]["aws"].get_object(BUCKET, f"results/{key}")
        found.last_modified += timedelta(hours=hours)

    def claim(self, key: str, size: int) -> None:
        """List an object as one of this size."""
        s3_backends["123456789012"]["aws"].get_object(BUCKET, f"results/{key}").contentsize = size

    def get(self, key: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=BUCKET, Key=f"results/{key}")["Body"].read()
        return content

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=f"results/{key}")


@contextmanager
def running_s3() -> Iterator[S3]:
    server = S3()
    try:
        yield server
    finally:
        server.stop()
