"""What a receiver keeps things in: SQLite and files, or a PostgreSQL and an S3 server started for the tests."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from server_stub.settings import BUNDLES, DATABASE

BOTH = ("sqlite+files", pytest.param("postgresql+s3", marks=pytest.mark.storage))
"""For a fixture that is to be had on either."""

START_S = 60
"""Seconds within which a server must answer: machines that run tests are busy."""

_BUCKET = "bundles"
_AWS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests-secret", "AWS_DEFAULT_REGION": "us-east-1"}


class Postgres:
    """Debian's PostgreSQL on a socket of its own, with an account that needs no password. Nothing in it outlives it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="aiodiag-pg-"))
        self._count = 0
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
        assert found, "the Debian package postgresql is missing"
        programs = found[-1].parent
        self._as = ["/usr/bin/setpriv", "--pdeathsig", "QUIT"]
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            shutil.chown(self.folder, "postgres", "postgres")
            account = pwd.getpwnam("postgres")
            self._as += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        options = ["-U", "aiodiag", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D", self.folder / "data"]
        done = subprocess.run(
            [*self._as, programs / "initdb", *options],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd="/",
        )
        assert done.returncode == 0, done.stderr
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
        }
        named = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*self._as, programs / "postgres", "-D", self.folder / "data", *named], stderr=log, stdout=log, cwd="/"
            )
        import psycopg  # most runs of the tests need neither driver

        deadline = time.monotonic() + START_S
        while True:
            try:
                self.execute("SELECT 1")
                break
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.05)

    def execute(self, statement: str) -> None:
        """As the administrator, outside of a transaction."""
        import psycopg

        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def address(self, database: str) -> str:
        return f"postgresql://aiodiag@/{database}?host={self.folder}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of an empty database."""
        self._count += 1
        name = f"receiver_{self._count}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield self.address(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)
        shutil.rmtree(self.folder)


class S3:
    """moto's S3 server: a process on a port of loopback, which keeps objects as long as it lives."""

    def __init__(self, log: Path) -> None:
        with log.open("wb") as written:
            program = [sys.executable, "-c", "import sys; from moto.server import main; main(sys.argv[1:])"]
            self.process = subprocess.Popen(
                ["/usr/bin/setpriv", "--pdeathsig", "KILL", *program, "-H", "127.0.0.1", "-p", "0"],
                stdout=written,
                stderr=written,
            )
        deadline = time.monotonic() + START_S
        while not (found := re.search(r"Running on http://127\.0\.0\.1:(\d+)", log.read_text())):
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        self.port = int(found[1])
        import boto3

        self.client = boto3.session.Session(
            aws_access_key_id=_AWS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_AWS["AWS_SECRET_ACCESS_KEY"],
            region_name=_AWS["AWS_DEFAULT_REGION"],
        ).client("s3", endpoint_url=self.endpoint)
        self.client.create_bucket(Bucket=_BUCKET)
        self._count = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def place(self) -> str:
        """``s3://BUCKET/PREFIX`` where nothing is yet."""
        self._count += 1
        return f"s3://{_BUCKET}/of-{self._count}"

    def keys(self, place: str) -> list[str]:
        """The objects below ``place``."""
        prefix = place.removeprefix(f"s3://{_BUCKET}/")
        listed = self.client.list_objects_v2(Bucket=_BUCKET, Prefix=f"{prefix}/").get("Contents", [])
        return [entry["Key"] for entry in listed]

    def content(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=_BUCKET, Key=key)["Body"].read())

    def put(self, key: str, content: bytes) -> None:
        """Whatever was there before."""
        self.client.put_object(Bucket=_BUCKET, Key=key, Body=content)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(30)
        self.client.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    server = S3(tmp_path_factory.mktemp("s3") / "log")
    yield server
    server.stop()


@contextmanager
def s3_environment(s3: S3, endpoint: str = "") -> Iterator[str]:
    """Receivers that are started meanwhile keep their bundles in ``s3``; gives the place."""
    place = s3.place()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**_AWS, "AWS_ENDPOINT_URL_S3": endpoint or s3.endpoint, BUNDLES: place}.items():
            patch.setenv(name, value)
        # nothing of whoever runs the tests
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, os.devnull)
        yield place


@dataclass(frozen=True)
class Storage:
    """Where receivers keep what they have; ``s3`` is ``None``, and the others ``""``, below their data directory."""

    database: str = ""
    s3: S3 | None = None
    place: str = ""

    def stored(self, data: Path) -> dict[str, bytes]:
        """Digest -> bytes of the bundles that a receiver has."""
        if self.s3 is None:
            return {file.stem: file.read_bytes() for file in (data / "bundles").glob("*/*.zip")}
        return {Path(key).stem: self.s3.content(key) for key in self.s3.keys(self.place)}

    def overwrite(self, data: Path, sha256: str, content: bytes) -> None:
        """Damage a bundle."""
        if self.s3 is None:
            file = data / "bundles" / sha256[:2] / f"{sha256}.zip"
            file.chmod(0o600)
            file.write_bytes(content)
        else:
            [key] = [key for key in self.s3.keys(self.place) if sha256 in key]
            self.s3.put(key, content)


@contextmanager
def storage_environment(kind: str, request: pytest.FixtureRequest) -> Iterator[Storage]:
    """Receivers that are started meanwhile, here or as other processes, use the storage of this kind, and a new one."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (DATABASE, BUNDLES):
            patch.delenv(name, raising=False)
        if kind == "sqlite+files":
            yield Storage()
            return
        postgres, s3 = request.getfixturevalue("postgres"), request.getfixturevalue("s3")
        with postgres.database() as address, s3_environment(s3) as place:
            patch.setenv(DATABASE, address)
            yield Storage(address, s3, place)
