"""One HTTP call that always comes back: with an answer, or with a reason that a person understands."""

from __future__ import annotations

import math
import queue
import re
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from agent.model import Text
from uploader import strict_json
from uploader.strict_json import Malformed, field
from uploader.trust import PIN_VARIABLE, KeyNotPinned, PinnedAdapter, authorities, pins

_CONNECT_S = 10.0
_SILENCE_S = 30.0
_WHOLE_S = 60.0
"""Seconds for connecting, for a silence of the other side, and for a call without a body. Ours."""
_SLOWEST = 4096
"""Bytes a second below which an upload counts as stuck; ours: a modem of the 1990s was faster."""
_MAX_BODY = 1 << 20
_MAX_DEPTH = 16
_BROKEN_OFF = (
    requests.ConnectionError,  # TLS that ends without a goodbye, too
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.ProtocolError,
    urllib3.exceptions.SSLError,
)
_SECONDS = re.compile(r"[0-9]{1,8}", re.ASCII)
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_PROBLEMS = "https://hibertek.com/aiodiag/problems/"


class ReceiverError(Exception):
    """A call to the receiver did not give what it should. ``reason`` is for the person, ``detail`` for an engineer.

    ``passing`` says that trying again may help.
    """

    passing = False

    def __init__(self, reason: Text, detail: str = "") -> None:
        super().__init__(f"{reason} ({detail})" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class BadAddress(ReceiverError):
    """The address is none, or would send data in the clear."""


class Unreachable(ReceiverError):
    """Down, refused, broken off, or a name that nobody knows."""

    passing = True


class TooSlow(ReceiverError):
    """No answer in time."""

    passing = True


class Nonsense(ReceiverError):
    """The answer is not one of the protocol."""


class BadCertificate(ReceiverError):
    """The server cannot show that it is who it should be."""


class Refused(ReceiverError):
    """The receiver said no. ``name`` is the last part of the problem's type, ``""`` when it gave none.

    ``wait_s`` is how many seconds it asks to be left alone (Retry-After; RFC 9110, section 10.2.3), 0 when it does not
    say so in seconds.
    """

    def __init__(self, reason: Text, detail: str, status: int, name: str, wait_s: int = 0) -> None:
        super().__init__(reason, detail)
        self.status = status
        self.name = name
        self.wait_s = wait_s
        # A disk that is full (507) is made room on by a person: not within the time of an attempt.
        self.passing = status in {408, 409, 423, 429, 460} or (status >= 500 and status not in {501, 507})


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer (status 2xx); header names in lower case."""

    server: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as strict JSON; raises :class:`Nonsense`."""
        try:
            return strict_json.loads(self.body, max_size=_MAX_BODY, max_depth=_MAX_DEPTH)
        except Malformed as error:
            raise nonsense(self.server, str(error)) from error


class Http:
    """Calls to one server, one at a time. TLS is always verified, and needed unless the server is this machine
    (:mod:`uploader.trust`). Raises :class:`BadAddress`.

    Redirects are never followed: the protocol has none, and a bundle must not go where somebody else says.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = _checked(base_url)
        self._pins = _pinned()
        self._session = self._new_session()

    def url(self, reference: str) -> str:
        """An absolute URL on this server; raises :class:`Nonsense` for one on another."""
        try:
            url = urljoin(f"{self.base_url}/", reference)
            same = _origin(url) == _origin(self.base_url) and "@" not in urlsplit(url).netloc
        except ValueError:
            same = False
        if not same:
            raise nonsense(self.base_url, f"{reference[:200]!r} leads to another server")
        return url

    def call(
        self,
        method: str,
        reference: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        as_file: Callable[[bytes], BinaryIO] = BytesIO,
        limit_s: float = math.inf,
    ) -> Answer:
        """One request, its ``body`` read out of a file. Raises :class:`ReceiverError` for everything but a status 2xx.

        The answer must be whole within 60 s, and 1 s more for each 4 KiB of ``body``, or within ``limit_s``. A thread
        of its own does the work, since neither a name server nor a dripping header can otherwise be given up on.
        """
        request = requests.Request(method, self.url(reference), headers=dict(headers or {}))
        # As a file a body is sent in small blocks, each with a timeout of its own; as bytes, all would share one.
        request.data = as_file(body) if body else body
        done: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()
        session = self._session
        work = threading.Thread(
            target=lambda: done.put(_attempt(session, self.base_url, request)), name="receiver call", daemon=True
        )
        work.start()
        try:
            result = done.get(timeout=min(limit_s, _WHOLE_S + len(body or b"") / _SLOWEST))
        except queue.Empty:
            self._session = self._new_session()
            raise _slow(self.base_url, "no whole answer") from None
        if isinstance(result, Exception):
            raise result
        return result

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        if self._pins:
            session.mount("https://", PinnedAdapter(self._pins))
        # With an authenticator of its own, requests does not send passwords out of ~/.netrc.
        session.auth = lambda request: request
        # A proxy of the environment is right for the internet, and wrong for this very machine.
        session.proxies = {"no_proxy": ",".join(sorted(_LOOPBACK))} if _is_loopback(self.base_url) else {}
        session.headers.update({"User-Agent": "aiodiag", "Accept-Encoding": "identity"})
        return session


def nonsense(server: str, detail: str) -> Nonsense:
    """The server's answer is not one of the protocol."""
    return Nonsense(Text("the server {server} gave an answer that makes no sense", {"server": server}), detail)


def _checked(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        usable = (
            parts.hostname
            and parts.port != 0
            and not set("?#@ ") & set(base_url)
            and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK))
            and base_url.isprintable()
        )
    except ValueError:
        usable = False
    if not usable:
        address = {"server": base_url[:200]}
        raise BadAddress(Text("{server} is no address of a receiver (https://...)", address))
    return base_url.rstrip("/")


def _pinned() -> frozenset[bytes]:
    try:
        return pins()
    except ValueError as error:
        values = {"variable": PIN_VARIABLE, "pin": str(error)[:100]}
        raise BadAddress(Text("{variable} is no pin (sha256//...): {pin}", values)) from error


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK


def _attempt(session: requests.Session, server: str, request: requests.Request) -> Answer | Exception:
    try:
        prepared = session.prepare_request(request)
        settings = session.merge_environment_settings(prepared.url or "", dict(session.proxies), True, None, None)
        if settings["verify"] is True:  # nobody named other authorities (REQUESTS_CA_BUNDLE)
            settings["verify"] = authorities()
        timeout = (_CONNECT_S, _SILENCE_S)
        with session.send(prepared, timeout=timeout, allow_redirects=False, **settings) as response:
            content = response.raw.read(_MAX_BODY + 1, decode_content=False)
            if len(content) > _MAX_BODY:
                return nonsense(server, f"more than {_MAX_BODY} bytes")
            lower = {name.lower(): value for name, value in response.headers.items()}
            answer = Answer(server, response.status_code, lower, content)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        return _explain(server, error)
    except Exception as error:  # a defect of ours: it belongs to the caller, not to this thread
        return error
    return answer if 200 <= answer.status < 300 else _problem(answer)


def _explain(server: str, error: Exception) -> ReceiverError:
    detail = str(error)[:500]
    causes = list(_causes(error))
    if any(isinstance(cause, KeyNotPinned) for cause in causes):
        return BadCertificate(
            Text("the server {server} has another key than the one pinned", {"server": server}), detail
        )
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return BadCertificate(Text("the server {server} has no valid certificate", {"server": server}), detail)
    if any(
        isinstance(cause, requests.Timeout | urllib3.exceptions.ReadTimeoutError | TimeoutError) for cause in causes
    ):
        return _slow(server, detail)
    if isinstance(error, _BROKEN_OFF) or not isinstance(
        error, requests.RequestException | urllib3.exceptions.HTTPError
    ):
        return Unreachable(Text("the server {server} cannot be reached", {"server": server}), detail)
    return nonsense(server, detail)


def _causes(error: BaseException) -> list[BaseException]:
    """An error with all that it wraps: requests and urllib3 hide the first cause in ``args`` and ``reason``."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        item = waiting.pop()
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            waiting += [item.__cause__, item.__context__, getattr(item, "reason", None), *item.args]
    return found


def _slow(server: str, detail: str) -> TooSlow:
    return TooSlow(Text("the server {server} does not answer in time", {"server": server}), detail)


def _problem(answer: Answer) -> ReceiverError:
    """What a status other than 2xx means. Source of the body's format: RFC 9457, section 3."""
    name = title = detail = ""
    if answer.headers.get("content-type", "").split(";")[0].strip() == "application/problem+json":
        try:
            data = strict_json.loads(answer.body, max_size=_MAX_BODY, max_depth=_MAX_DEPTH)
            name = field(data, "type", str).removeprefix(_PROBLEMS)
            title, detail = field(data, "title", str)[:200], str(data.get("detail", ""))[:500]
        except Malformed as error:
            return nonsense(answer.server, str(error))
    elif answer.status < 400:
        return nonsense(answer.server, f"status {answer.status}")
    said = detail or title or f"HTTP {answer.status}"
    wait = answer.headers.get("retry-after", "").strip()
    wait_s = int(wait) if _SECONDS.fullmatch(wait) else 0
    return Refused(Text("the server refused: {error}", {"error": said}), title, answer.status, name, wait_s)
