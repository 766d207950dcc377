"""The camera, on a port of the USB controller inside the case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.hardware import usb_devices
from tests.bench.hardware.part import Part
from tests.bench.hardware.usb import CAMERA_PORT, Usb
from tests.bench.hardware.usb_devices import Picture
from tests.bench.machine.usbredir import Redirected, Speed

ON_USB = f"1-{CAMERA_PORT}"
NAME = "camera"


class Camera(Part):
    """There unless ``fitted`` in the table is false."""

    name = NAME

    def __init__(self, table: dict[str, Any], folder: Path, usb: Usb) -> None:
        super().__init__(table, folder)
        self._usb = usb
        self._fitted = usb.there and bool(table.get("fitted", True))

    def connect(self) -> None:
        """Plug it in."""
        if self._fitted:
            self._usb.plug(NAME, usb_devices.Camera(), CAMERA_PORT)

    def ready(self) -> None:
        """It is found, with its driver."""
        if self._fitted:
            self._usb.await_device(ON_USB)

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Its cable inside has come off."""
        self._unplug()
        try:
            yield
        finally:
            self._plug()

    @contextmanager
    def slow(self) -> Iterator[None]:
        """The handshake for high speed fails, as with a bad cable: it runs at full speed, 12 Mbit/s."""
        with self.gone():
            self._redirected.device = usb_devices.Camera(Speed.FULL)
            self._plug()
            try:
                yield
            finally:
                self._unplug()
                self._redirected.device = usb_devices.Camera()

    @contextmanager
    def giving(self, picture: Picture) -> Iterator[None]:
        """Its sensor, its lens or its cable is such that it gives this and nothing else."""
        camera = self._redirected.device
        assert isinstance(camera, usb_devices.Camera)
        camera.shows = picture
        try:
            yield
        finally:
            camera.shows = Picture.WALL

    def drop_out(self, times: int) -> None:
        """Its plug has a bad contact: it goes and comes back, so many times."""
        for _ in range(times):
            self._unplug()
            self._plug()

    @property
    def _redirected(self) -> Redirected:
        return self._usb.redirected[NAME]

    def _plug(self) -> None:
        self._redirected.plug()
        self._usb.await_device(ON_USB)

    def _unplug(self) -> None:
        self._redirected.unplug()
        self._usb.await_device(ON_USB, there=False)
