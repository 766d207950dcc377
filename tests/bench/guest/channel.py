"""Runs what the bench asks for, over a virtio serial port: one JSON object a line, answers in any order.

Requests: ``{"id", "argv", "stdin", "timeout", "environment"}`` runs a program and answers ``{"id", "status", "out",
"err", "seconds"}`` (``status`` is ``null`` after a timeout); ``{"id", "start"}`` starts one and lets it run.
"""

import json
import os
import subprocess
import threading
import time

PORT = "/dev/virtio-ports/aio.channel"
_writing = threading.Lock()


def main():
    while not os.path.exists(PORT):
        time.sleep(0.05)
    port = os.open(PORT, os.O_RDWR | os.O_CLOEXEC)
    waiting = b""
    while True:
        chunk = os.read(port, 65536)
        if not chunk:  # the bench's end is closed
            time.sleep(0.05)
            continue
        *lines, waiting = (waiting + chunk).split(b"\n")
        for line in lines:
            threading.Thread(target=answer, args=(port, json.loads(line)), daemon=True).start()


def answer(port, request):
    try:
        said = run(request) if "argv" in request else start(request)
    except OSError as e:
        said = {"status": 127, "out": "", "err": str(e), "seconds": 0.0}
    data = json.dumps({"id": request["id"], **said}).encode() + b"\n"
    with _writing:
        while data:
            data = data[os.write(port, data) :]


def run(request):
    started = time.monotonic()
    process = subprocess.Popen(
        request["argv"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**ENVIRONMENT, **request.get("environment", {})},
        cwd="/root",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(request.get("stdin", "").encode(), timeout=request["timeout"])
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        out, err, status = b"", b"", None  # one that cannot be killed keeps its pipes
    seconds = time.monotonic() - started
    return {"status": status, "out": text(out), "err": text(err), "seconds": seconds}


def start(request):
    null = subprocess.DEVNULL
    process = subprocess.Popen(
        request["start"], stdin=null, stdout=null, stderr=null, env=ENVIRONMENT, cwd="/root", start_new_session=True
    )
    threading.Thread(target=process.wait, daemon=True).start()
    return {"status": 0, "out": str(process.pid), "err": "", "seconds": 0.0}


def text(data):
    return data.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode()


ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
}

if __name__ == "__main__":
    main()
