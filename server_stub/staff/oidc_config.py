"""Which identity provider vouches for staff: ``oidc.toml`` in the receiver's directory.

issuer = "https://id.example.com"
client_id = "aiodiag"
client_secret_file = "/etc/aiodiag/oidc-secret"   or the environment's AIODIAG_OIDC_SECRET; neither: a public client
role_claim = "roles"                              of the ID token; a text, or a list of texts

[roles]                                           the first line counts that fits
aiodiag-admins = "admin"
repair-center = "support"
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from server_stub.db.accounts import Role

SECRET = "AIODIAG_OIDC_SECRET"
"""The environment variable with the client's secret."""

_NEEDED = {"issuer", "client_id", "role_claim", "roles"}
_MORE = {"client_secret_file"}


@dataclass(frozen=True, slots=True)
class OidcConfig:
    """``secret`` is ``""`` for a public client; ``roles`` maps a value of the claim to a role, in the file's order."""

    issuer: str
    client_id: str
    secret: str
    role_claim: str
    roles: Mapping[str, Role]

    @classmethod
    def load(cls, file: Path) -> OidcConfig | None:
        """``None`` when there is no file. Raises ``ValueError`` when it is not as above, ``OSError`` when it or the
        secret's file cannot be read.
        """
        try:
            data = tomllib.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error
        if not _NEEDED <= data.keys() <= _NEEDED | _MORE:
            raise ValueError(f"{file}: it has {', '.join(sorted(_NEEDED))}, perhaps client_secret_file, and no more")
        texts = {name: value for name, value in data.items() if name != "roles"}
        if not all(isinstance(value, str) and value for value in texts.values()):
            raise ValueError(f"{file}: {', '.join(sorted(texts))} are texts")
        if not is_safe(texts["issuer"]):
            raise ValueError(f"{file}: the issuer is an https address, or one of this machine")
        try:
            roles = {str(value): Role(role) for value, role in dict(data["roles"]).items()}
        except (ValueError, TypeError) as error:
            raise ValueError(f"{file}: roles: {error}") from error
        secret = os.environ.get(SECRET, "")
        if "client_secret_file" in texts:
            secret = Path(texts["client_secret_file"]).read_text("utf-8").strip()
        return cls(texts["issuer"], texts["client_id"], secret, texts["role_claim"], roles)

    def role(self, claims: Mapping[str, Any]) -> Role | None:
        """The role of somebody with these claims, if any."""
        said = claims.get(self.role_claim)
        values = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        return next((role for value, role in self.roles.items() if value in values), None)


def is_safe(url: str) -> bool:
    """Whether nobody between here and ``url`` can change what it says: https, or this very machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and ip_address(host).is_loopback))
    except ValueError:
        return False
