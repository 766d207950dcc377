"""Whole bundles in S3-compatible storage."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from server_stub.blobs import BlobDamaged, digest_only

_PIECE = 1 << 20
_TRIES = 3
"""How often a conditional write is sent while another one of the same object is under way (409). Ours."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html"""


class S3Blobs:
    """Blobs as objects of one bucket, ``PREFIX/ab/ab12….zip``.

    Address, credentials, region and certificates are the standard ones of every S3 client (``AWS_ENDPOINT_URL_S3``,
    ``AWS_ACCESS_KEY_ID``, ``AWS_CA_BUNDLE``, ``~/.aws``, the role of the machine, …). ``scratch`` is where an object is
    read into, and is emptied by somebody else after a crash.

    Every error is an ``OSError``; what was to be kept is then not kept, or kept whole.
    """

    def __init__(self, url: str, scratch: Path) -> None:
        """Raises ``ValueError`` for an address that is not ``s3://BUCKET[/PREFIX]``, ``OSError`` when the bucket cannot
        be used.
        """
        parts = urlsplit(url)
        if parts.scheme != "s3" or not _BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment:
            raise ValueError(f"{url[:200]!r} is not s3://BUCKET or s3://BUCKET/PREFIX")
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/".removeprefix("/")
        self._scratch = scratch
        self._client = _client()
        with _told(f"the bucket {self._bucket} cannot be used"):
            self._client.head_bucket(Bucket=self._bucket)

    def keep(self, file: Path, sha256: str) -> None:
        """The digest is part of the signed request: a store that gets other bytes refuses them. An object that is
        there already is read back instead: it may be what a receiver left that died before it wrote that down.
        """
        with _told("the bundle cannot be stored"), file.open("rb") as stream:
            stored = self._put(stream, sha256)
        if not stored:
            with _told("the bundle cannot be read back"):
                self._read(sha256, None)

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        """A copy, whose digest was compared; raises :class:`BlobDamaged` when it is another."""
        with NamedTemporaryFile(dir=self._scratch) as copy:
            with _told("the bundle cannot be read"):
                self._read(sha256, copy)
            copy.flush()
            yield Path(copy.name)

    def _put(self, stream: BinaryIO, sha256: str) -> bool:
        """False when there is such an object."""
        from botocore.exceptions import ClientError

        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        for left in reversed(range(_TRIES)):
            stream.seek(0)
            try:
                told = self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._key(sha256),
                    Body=stream,
                    ContentType="application/zip",
                    ChecksumSHA256=checksum,
                    IfNoneMatch="*",
                )
            except ClientError as error:
                code = _status(error)
                if code == 412:
                    return False
                if code != 409 or not left:
                    raise
            else:
                if told.get("ChecksumSHA256", checksum) != checksum:
                    raise OSError("the store has other bytes than it was sent")
                return True
        raise AssertionError

    def _read(self, sha256: str, target: Any) -> None:
        """Write the object into ``target``, unless that is ``None``, and compare its digest."""
        from botocore.exceptions import ClientError

        try:
            body = self._client.get_object(Bucket=self._bucket, Key=self._key(sha256))["Body"]
        except ClientError as error:
            if _status(error) == 404:
                raise FileNotFoundError(f"there is no bundle {sha256}") from error
            raise
        digest = hashlib.sha256()
        with body:
            while piece := body.read(_PIECE):
                digest.update(piece)
                if target is not None:
                    target.write(piece)
        if digest.hexdigest() != sha256:
            raise BlobDamaged(f"the bundle {sha256} is not what was stored")

    def _key(self, sha256: str) -> str:
        return f"{self._prefix}{digest_only(sha256)[:2]}/{sha256}.zip"


def _client() -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise OSError("bundles in S3 need: pip install 'hibertek-aiodiag[server-s3]'") from error
    settings = Config(
        signature_version="s3v4",
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 3},
        # What a store besides Amazon's may not know is sent only where it is needed, and asked for by path.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path", "payload_signing_enabled": True},
        max_pool_connections=40,  # as many as there are threads that answer requests
    )
    with _told("the S3 client cannot be set up"):
        return boto3.session.Session().client("s3", config=settings)


def _status(error: Any) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Errors of the client as ``OSError`` in one line; its messages name addresses and never credentials."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise OSError(f"{what}: {' '.join(str(error).split())}") from error
