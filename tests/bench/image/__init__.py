"""The guest image: Debian's packages, the project installed as a user would, and the bench's way in."""

from tests.bench.image.build import Image, build

__all__ = ["Image", "build"]
