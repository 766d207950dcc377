"""Signing in through an identity provider: OpenID Connect 1.0, authorization code flow with PKCE (RFC 7636, S256)."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry
from sqlalchemy import delete

from server_stub.clock import now
from server_stub.db import Database
from server_stub.db.accounts import Account, OidcSignIn
from server_stub.settings import Settings
from server_stub.staff import accounts
from server_stub.staff.oidc_config import OidcConfig, is_safe
from server_stub.staff.secret_words import digest_of, new_word

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Signatures of an ID token that count: by a key that the provider alone has. Never ``none``, and none with a shared
secret (HS256), which anybody could make who knows it.
"""

PATIENCE = timedelta(minutes=10)
"""For somebody to sign in at the provider. Ours."""

_LEEWAY_S = 60
"""Seconds that the provider's clock and ours may differ. Ours."""

_TIMEOUT_S = 10
_METADATA_AGE_S = 600.0
_ANSWER_CAP = 1 << 20
"""Bytes of a document of the provider."""


class Refused(Exception):
    """Nobody is signed in by this; why is for the log."""


class Unreachable(Exception):
    """The provider did not answer, or not like one."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and the word for its cookie."""

    url: str
    browser: str


def configured(settings: Settings) -> Provider | None:
    """The one of ``oidc.toml`` in the receiver's directory, if any. Raises ``ValueError`` and ``OSError``."""
    config = OidcConfig.load(settings.data / "oidc.toml")
    return Provider(config) if config else None


class Provider:
    """The identity provider of a receiver."""

    def __init__(self, config: OidcConfig) -> None:
        self.config = config
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}
        self._read_at = float("-inf")

    def begin(self, db: Database, target: str, redirect_uri: str) -> Begun:
        """Raises :class:`Unreachable`."""
        state, nonce, verifier, browser = (new_word() for _ in range(4))
        with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                self._endpoint("authorization_endpoint"), state=state, nonce=nonce, code_verifier=verifier
            )
        with db.write() as session:
            session.execute(delete(OidcSignIn).where(OidcSignIn.created < now() - PATIENCE))
            session.add(
                OidcSignIn(
                    state=digest_of(state),
                    browser=digest_of(browser),
                    nonce=nonce,
                    verifier=verifier,
                    target=target,
                    created=now(),
                )
            )
        return Begun(str(url), browser)

    def finish(self, db: Database, query: Mapping[str, str], browser: str, redirect_uri: str) -> tuple[Account, str]:
        """What the provider sent the browser back with: the account, and where they wanted to go. An answer counts
        once, and from the browser alone that began. Raises :class:`Refused` and :class:`Unreachable`.
        """
        with db.write() as session:
            begun = session.get(OidcSignIn, digest_of(query.get("state", "")), with_for_update=True)
            if begun is None:
                raise Refused("no sign-in was begun with this state")
            if begun.browser != digest_of(browser):
                raise Refused("another browser began this sign-in")
            session.delete(begun)
        if now() - begun.created > PATIENCE:
            raise Refused("it took too long")
        if query.get("iss", self.config.issuer) != self.config.issuer:  # RFC 9207
            raise Refused("another provider answers")
        if "code" not in query:
            raise Refused(f"the provider says {query.get('error', 'nothing')[:100]!r}")
        claims = self._claims(self._id_token(query["code"], begun.verifier, redirect_uri), begun.nonce)
        role = self.config.role(claims)
        if role is None:
            raise Refused(f"no role for {claims['sub']!r}")
        shown = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
        with db.write() as session:
            account = accounts.from_provider(session, self.config.issuer, str(claims["sub"]), shown, role)
        if account.disabled:
            raise Refused(f"{account.name} is disabled")
        return account, begun.target

    def _id_token(self, code: str, verifier: str, redirect_uri: str) -> str:
        endpoint = self._endpoint("token_endpoint")
        try:
            with self._client(redirect_uri) as client:
                answer = client.fetch_token(
                    endpoint, grant_type="authorization_code", code=code, code_verifier=verifier
                )
        except AuthlibBaseError as error:
            raise Refused(f"the provider gives no token: {error}"[:300]) from error
        except (requests.RequestException, ValueError) as error:
            raise Unreachable(str(error)[:300]) from error
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise Refused("the provider gives no ID token")
        return token

    def _claims(self, token: str, nonce: str) -> dict[str, Any]:
        """OpenID Connect Core 1.0, 3.1.3.7."""
        keys = self._get(self._endpoint("jwks_uri"))
        rules = JWTClaimsRegistry(
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": self.config.issuer},
            aud={"essential": True, "value": self.config.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            claims: dict[str, Any] = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS).claims  # type: ignore[arg-type]
            rules.validate(claims)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Refused(f"the ID token does not hold: {error}"[:300]) from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self.config.client_id) != self.config.client_id:
            raise Refused("the ID token was made for another party")
        return claims

    def _client(self, redirect_uri: str) -> OAuth2Session:
        return OAuth2Session(
            client_id=self.config.client_id,
            client_secret=self.config.secret or None,
            token_endpoint_auth_method="client_secret_basic" if self.config.secret else "none",
            scope="openid profile email",
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            default_timeout=_TIMEOUT_S,
        )

    def _endpoint(self, name: str) -> str:
        """From the provider's own description, which must be about the very issuer that was asked for."""
        with self._lock:
            if time.monotonic() - self._read_at > _METADATA_AGE_S:
                found = self._get(f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration")
                if found.get("issuer") != self.config.issuer:
                    raise Unreachable("the provider describes another issuer")
                self._metadata, self._read_at = found, time.monotonic()
        url = self._metadata.get(name)
        if not isinstance(url, str) or not is_safe(url):
            raise Unreachable(f"the provider has no safe {name}")
        return url

    def _get(self, url: str) -> dict[str, Any]:
        try:
            with requests.get(url, timeout=_TIMEOUT_S, stream=True, allow_redirects=False) as answer:
                if answer.status_code != 200:
                    raise Unreachable(f"{url}: {answer.status_code}")
                body = answer.raw.read(_ANSWER_CAP, decode_content=True)
            found = json.loads(body)
        except (requests.RequestException, ValueError, OSError) as error:
            raise Unreachable(str(error)[:300]) from error
        if not isinstance(found, dict):
            raise Unreachable(f"{url}: no JSON object")
        return found
