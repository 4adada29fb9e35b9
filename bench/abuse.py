"""The service under abuse: the memory that photos leave, the delay of a good request beside bad ones, guessed tokens.

`python bench/abuse.py`, some ten minutes: writes bench/abuse.json. The service runs as a process of its own on the nano
base; each kind of client has an address of its own (127.0.0.x, so Linux alone).
"""

import json
import socket
import statistics
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import psutil
import requests
from PIL import Image
from requests.adapters import HTTPAdapter
from serve import started, write_random_adapter

RESULT = Path(__file__).with_suffix(".json")
PORT, TOKEN = 8766, "an-admin-token-of-benchmarks"
GOOD, BAD, HALF, GUESSER = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"  # addresses of clients
PHONE_PHOTOS, DIFFERENT, LARGE_PNGS, SECONDS_AFTER = 100, 5, 6, 60
SLOW_UPLOADS, HALF_HEADS, HEAD_SECONDS = 16, 300, 20
GUESSES, ASKED = 10_000, 10
QUICK = {"prompt": "a photo of a sport gentra", "num_inference_steps": 2, "seed": 1}


class From(HTTPAdapter):
    """Sends from an address of this machine."""

    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args, **more):
        super().init_poolmanager(*args, **more, source_address=(self.address, 0))


def client(address):
    """Return a session of an address."""
    session = requests.Session()
    session.mount("http://", From(address))
    return session


def post(session, path, **more):
    """POST to the service."""
    return session.post(f"http://127.0.0.1:{PORT}{path}", timeout=600, **more)


def redrawn(session, content):
    """Return the status of a photo redrawn."""
    return post(session, "/v1/img2img", files={"image": content}, data=QUICK | {"strength": 0.5}).status_code


def phone_photo(seed):
    """Return a JPEG of 12 megapixels with as much detail as one has."""
    coarse = np.random.default_rng(seed).integers(0, 256, (750, 1000, 3), np.uint8)
    with BytesIO() as buffer:
        Image.fromarray(coarse).resize((4000, 3000), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
        return buffer.getvalue()


def large_png():
    """Return a small PNG of 7000 x 7000 px, 16 bits a pixel."""
    levels = np.repeat(np.linspace(0, 65535, 7000).astype(np.uint16)[None], 7000, 0)
    with BytesIO() as buffer:
        Image.fromarray(levels).save(buffer, "PNG")
        return buffer.getvalue()


class Memory:
    """What a process holds, MB: before, at most meanwhile, and a while after."""

    def __init__(self, process):
        self.process, self.most, self._done = psutil.Process(process.pid), 0, threading.Event()
        self._before = self.now()

    def now(self):
        return self.process.memory_info().rss / 1e6

    def during(self, work):
        """Return the figures of a piece of work."""
        watching = threading.Thread(target=self._watch)
        watching.start()
        work()
        self._done.set()
        watching.join()
        time.sleep(SECONDS_AFTER)
        return {"before": round(self._before), "most": round(self.most), "after": round(self.now())}

    def _watch(self):
        while not self._done.wait(0.05):
            self.most = max(self.most, self.now())


@contextmanager
def slow_upload(address):
    """Hold an upload that sends a byte now and then; yields whether it was let in."""
    head = f"POST /v1/img2img HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nContent-Length: 5000000\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    with socket.create_connection(("127.0.0.1", PORT), source_address=(address, 0)) as held:
        held.sendall(head.encode())
        held.settimeout(1)
        try:
            refused = bool(held.recv(1))
        except TimeoutError:
            refused = False
        yield not refused


@contextmanager
def half_head(address):
    """Hold a connection whose head does not end; yields it."""
    with socket.create_connection(("127.0.0.1", PORT), source_address=(address, 0)) as held:
        held.sendall(b"POST /v1/img2img HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        yield held


def closed(held):
    """Return whether the service has closed a connection."""
    held.setblocking(False)
    try:
        return held.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def delays(photo):
    """Return {kind: median seconds} of good requests: a prompt, a photo, the service's health."""
    session, found = client(GOOD), {"prompt": [], "photo": [], "health": []}
    for _ in range(ASKED):
        for kind, ask in {
            "prompt": lambda: post(session, "/v1/txt2img", json=QUICK).status_code,
            "photo": lambda: redrawn(session, photo),
            "health": lambda: session.get(f"http://127.0.0.1:{PORT}/healthz", timeout=60).status_code,
        }.items():
            begun = time.perf_counter()
            assert ask() == 200, kind
            found[kind].append(time.perf_counter() - begun)
    return {kind: round(statistics.median(values), 3) for kind, values in found.items()}


def besieged():
    """Return the delays without and with slow uploads and half-open heads, and what became of these."""
    photo = phone_photo(0)
    alone = delays(photo)
    with ExitStack() as stack:
        held = [stack.enter_context(half_head(HALF)) for _ in range(HALF_HEADS)]
        opened = time.monotonic()
        let_in = [stack.enter_context(slow_upload(BAD)) for _ in range(SLOW_UPLOADS)]
        beside = delays(photo)
        time.sleep(max(0.0, opened + HEAD_SECONDS + 5 - time.monotonic()))
        return {"alone": alone, "beside": beside, "let_in": sum(let_in), "heads_closed": sum(map(closed, held))}


def guessed():
    """Return how many wrong tokens were looked at, of how many and in how many seconds, and a good request's delay."""
    session, statuses, good, begun = client(GUESSER), [], [], time.perf_counter()
    friend = client(GOOD)
    for number in range(GUESSES):
        headers = {"Authorization": f"Bearer a-wrong-token-{number:05}"}
        statuses.append(post(session, "/v1/admin/reload", json={}, headers=headers).status_code)
        if number % 1000 == 500:
            asked = time.perf_counter()
            assert post(friend, "/v1/txt2img", json=QUICK).ok
            good.append(time.perf_counter() - asked)
    seconds = time.perf_counter() - begun
    looked_at, waited = len(statuses) - statuses.count(429), statuses.count(429)
    return {"looked_at": looked_at, "told_to_wait": waited, "seconds": round(seconds, 1), "good": round(max(good), 3)}


@contextmanager
def service(adapter):
    """Start the service; yields its process."""
    with started(adapter, port=PORT, GENTRA_ADMIN_TOKEN=TOKEN) as process:
        try:
            assert redrawn(client(GOOD), phone_photo(0)) == 200  # what is loaded once is there
            yield process
        finally:
            process.terminate()


def main():
    """Measure, print and write."""
    with tempfile.TemporaryDirectory() as folder:
        adapter = Path(folder) / "a.safetensors"
        write_random_adapter(adapter)
        with service(adapter) as process:
            sender, png, different = client(BAD), large_png(), [phone_photo(seed) for seed in range(DIFFERENT)]

            def photos():
                for number in range(PHONE_PHOTOS):
                    assert redrawn(sender, different[number % DIFFERENT]) == 200

            def pngs():
                asking = [threading.Thread(target=redrawn, args=(client(BAD), png)) for _ in range(LARGE_PNGS)]
                for one in asking:
                    one.start()
                for one in asking:
                    one.join()

            parts = {
                "phone_photos_mb": lambda: Memory(process).during(photos),
                "large_pngs_mb": lambda: Memory(process).during(pngs),
                "besieged": besieged,
                "guesses": guessed,
            }
            result = {}
            for name, part in parts.items():
                result[name] = part()
                print(name, json.dumps(result[name]), flush=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
