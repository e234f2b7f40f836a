"""A network camera: ``python http_camera.py PORT`` serves the town as Motion JPEG until killed."""

from __future__ import annotations

import itertools
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2

from roadmask.town.town import Town

_FPS = 15
_PICTURES: list[bytes] = []


class Camera(BaseHTTPRequestHandler):
    """Whoever asks gets pictures at a steady rate."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        begin = time.monotonic()
        try:
            for number in itertools.count():
                data = _PICTURES[number % len(_PICTURES)]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                time.sleep(max(0.0, begin + (number + 1) / _FPS - time.monotonic()))
        except OSError:  # the reader is gone
            return

    def log_message(self, *arguments: object) -> None:
        pass


def main(port: int) -> None:
    town = Town(3, 640, 360)
    for number in range(120):
        _PICTURES.append(cv2.imencode(".jpg", town.frame(number).image[:, :, ::-1])[1].tobytes())
    print("there", flush=True)
    ThreadingHTTPServer(("127.0.0.1", port), Camera).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
