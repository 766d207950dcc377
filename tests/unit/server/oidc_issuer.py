"""An identity provider that can be told to lie: honest in its endpoints, and with any ID token that a test wants."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT = "aiodiag"
SECRET = "not known to others"

Made = Callable[["Issuer", dict[str, Any]], str]


def honest(issuer: Issuer, claims: dict[str, Any]) -> str:
    """An ID token as it should be."""
    return jwt.encode({"alg": "RS256", "kid": issuer.key.kid}, claims, issuer.key)


class Issuer:
    """``token`` makes the ID token of the claims that an honest one has; ``described`` goes over its description."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
        self.token: Made = honest
        self.described: dict[str, Any] = {}
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}

    def authorize(self, url: str) -> tuple[str, str]:
        """What a browser gets that was sent to ``url`` and signs in there: the code and the state."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        assert set(query["scope"].split()) >= {"openid"}
        code = f"code{len(self._codes)}"
        self._codes[code] = query
        return code, query["state"]

    def redeem(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """RFC 6749 and RFC 7636: the code once, to its client, with the verifier of its challenge."""
        self.asked.append(form)
        expected = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        begun = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if authorization != expected or begun is None or begun["code_challenge"] != challenge:
            return {"error": "invalid_grant"}
        moment = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "ana",
            "iat": moment,
            "exp": moment + 60,
            "nonce": begun["nonce"],
            "preferred_username": "ana@example.com",
            "roles": ["repair-center"],
        }
        return {"access_token": "a", "token_type": "Bearer", "id_token": self.token(self, claims)}


@contextmanager
def serving() -> Iterator[Issuer]:
    """On this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/.well-known/openid-configuration":
                told = {
                    "issuer": issuer.url,
                    "authorization_endpoint": f"{issuer.url}/authorize",
                    "token_endpoint": f"{issuer.url}/token",
                    "jwks_uri": f"{issuer.url}/keys",
                }
                self._answer(200, {**told, **issuer.described})
            else:
                self._answer(200, KeySet([issuer.key]).as_dict(private=False))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            answer = issuer.redeem(form, self.headers.get("authorization", ""))
            self._answer(400 if "error" in answer else 200, answer)

        def _answer(self, status: int, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
