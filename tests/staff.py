"""Somebody of the staff with a browser, for tests of the receiver."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import requests

from server_stub.db.accounts import Account, Role
from server_stub.receiver import Receiver
from server_stub.staff import accounts

PASSWORD = "correct horse battery"
SIGN_IN = "/staff/sign-in"


def account(receiver: Receiver, name: str, role: Role, password: str = PASSWORD) -> Account:
    """Made as the command line makes one."""
    with receiver.db.write() as session:
        return accounts.add(session, name, role, password)


class Browser(requests.Session):
    """A browser on the receiver at ``base_url``: keeps cookies, sends what browsers send with a form, and goes nowhere
    by itself.
    """

    def __init__(self, base_url: str) -> None:
        super().__init__()
        self.base_url = base_url
        self.trust_env = False

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        address = str(url) if urlsplit(str(url)).scheme else self.base_url + str(url)
        return super().request(method, address, *args, **{"timeout": 60, **kwargs, "allow_redirects": False})

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        if request.method == "POST":
            request.headers.setdefault("Origin", self.base_url)
            request.headers.setdefault("Sec-Fetch-Site", "same-origin")
        return super().send(request, **kwargs)

    def form_word(self, path: str) -> str:
        """What the forms of a page carry."""
        return str(re.findall(r'name="form" value="([0-9a-f]{64})"', self.get(path).text)[0])

    def sign_in(self, name: str, password: str = PASSWORD, target: str = "", **headers: str) -> requests.Response:
        """As a person does: opens the page, fills in the form, sends it."""
        word = self.form_word(SIGN_IN)
        fields = {"name": name, "password": password, "form": word, "next": target}
        return self.post(SIGN_IN, data=fields, headers=headers)

    def cookie(self, name: str = "aiodiag-staff") -> str:
        return str(self.cookies.get(name) or "")
