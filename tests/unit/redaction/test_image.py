from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.redaction import NoImage, without_metadata
from tests.pictures import JPEG, PNG


@pytest.mark.parametrize("picture", [JPEG, PNG])
def test_a_picture_without_what_stands_beside_it(picture: bytes) -> None:
    assert b"nna" in picture
    made = without_metadata(picture)
    for told in (b"nna", b"Exif", b"eXIf", b"TRAILER", b"2026:11:26"):
        assert told not in made
    assert without_metadata(made) == made


def test_the_picture_itself_stays() -> None:
    """Pillow 13 gives the same pixels before and after."""
    made = without_metadata(JPEG)
    assert made.startswith(b"\xff\xd8")
    assert made.endswith(b"\xff\xd9")
    scans = JPEG[JPEG.index(b"\xff\xda") : JPEG.rindex(b"\xff\xd9")]
    assert scans in made
    data = PNG.index(b"IDAT")
    length = int.from_bytes(PNG[data - 4 : data], "big")
    assert zlib.decompress(PNG[data + 4 : data + 4 + length])
    assert PNG[data - 4 : data + 8 + length] in without_metadata(PNG)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", JPEG[:300], PNG[:60], b"GIF89a", JPEG[:-17][:-2]])
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NoImage):
        without_metadata(data)


@given(st.binary(max_size=200), st.sampled_from([JPEG[:4], PNG[:8]]))
def test_bytes_of_strangers_are_a_picture_or_refused(data: bytes, head: bytes) -> None:
    try:
        made = without_metadata(head + data)
    except NoImage:
        return
    assert len(made) <= len(head + data)
