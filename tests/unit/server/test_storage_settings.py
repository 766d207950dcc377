"""A storage that cannot be used is said in one line, before anybody listens; and no password is said at all."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from server_stub.settings import BUNDLES, DATABASE, Settings
from tests.storages import S3, Postgres, s3_environment
from tests.unit.server.test_serve import ROOT, running, server

SECRET = "hunter2hunter2"


@pytest.fixture(autouse=True)
def storage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test says its own."""
    for name in (DATABASE, BUNDLES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def to_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    """An S3 account whose server is away."""
    for name, value in {
        BUNDLES: "s3://bundles",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)


def refused(tmp_path: Path, said: str) -> None:
    """``serve`` ends with status 2 and one line."""
    done = server("serve", "--port", "0", "--data", str(tmp_path / "data"))
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"aiodiag-server: [^\n]+\n", done.stderr), done.stderr
    assert re.search(said, done.stderr), done.stderr
    assert SECRET not in done.stderr


def without(module: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """``serve`` where an extra is not installed."""
    program = f"import sys; sys.modules[{module!r}] = None; from server_stub.cli import main; sys.exit(main())"
    asked = [sys.executable, "-c", program, "serve", "--port", "0", "--data", str(tmp_path / "data")]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_a_database_that_cannot_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE, f"postgresql://receiver:{SECRET}@127.0.0.1:1/cases")
    refused(tmp_path, "Connection refused")


@pytest.mark.parametrize("address", [f"mysql://receiver:{SECRET}@127.0.0.1/cases", "sqlite:///cases", "cases"])
def test_a_database_of_another_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv(DATABASE, address)
    with pytest.raises(ValueError, match="must begin with postgresql://") as error:
        _ = Settings(tmp_path).database_url
    assert SECRET not in str(error.value)
    assert SECRET not in repr(Settings(tmp_path))


def test_a_bucket_that_cannot_be_reached(tmp_path: Path, to_s3: None) -> None:
    refused(tmp_path, "the bucket bundles cannot be used: Could not connect")


def test_an_address_that_is_no_bucket(tmp_path: Path, to_s3: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BUNDLES, "https://bundles.example/")
    refused(tmp_path, "is not s3://BUCKET")


def test_the_extra_for_postgresql_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE, "postgresql://127.0.0.1:1/cases")
    done = without("psycopg", tmp_path)
    line = "aiodiag-server: PostgreSQL needs: pip install 'hibertek-aiodiag[server-postgres]'\n"
    assert (done.returncode, done.stderr) == (2, line)


def test_the_extra_for_s3_is_missing(tmp_path: Path, to_s3: None) -> None:
    done = without("boto3", tmp_path)
    line = "aiodiag-server: bundles in S3 need: pip install 'hibertek-aiodiag[server-s3]'\n"
    assert (done.returncode, done.stderr) == (2, line)


@pytest.mark.storage
def test_a_bucket_that_is_not_there(tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_environment(s3):
        monkeypatch.setenv(BUNDLES, "s3://no-such-bucket")
        refused(tmp_path, "the bucket no-such-bucket cannot be used: .*404")


@pytest.mark.storage
def test_an_account_that_is_refused(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE, f"postgresql://nobody:{SECRET}@/postgres?host={postgres.folder}")
    refused(tmp_path, 'role "nobody" does not exist')


@pytest.mark.storage
def test_one_receiver_at_a_time_has_a_database(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uploads that are not whole lie with the receiver that began them, so that another one cannot go on with them."""
    with postgres.database() as address:
        monkeypatch.setenv(DATABASE, address)
        with running(tmp_path / "first") as first:
            refused(tmp_path, "another receiver runs on this database")
            assert server("cases", "--data", str(tmp_path / "first")).returncode == 0
            first.kill()
        with running(tmp_path / "second"):
            pass
