"""Serve until told to stop."""

import argparse
import os
import signal
import threading

from edge_inference.accelerator import SimulatedAccelerator, own_path
from edge_inference.serving import Inference, Server


def main() -> None:
    """Hold the device and serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--device", help="device node; by default the one that this process was given")
    chosen = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    accelerator = SimulatedAccelerator(chosen.device or own_path(os.environ))
    with Server(("", chosen.port), Inference(accelerator)) as server:
        threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
        ended.wait()
        server.shutdown()


if __name__ == "__main__":
    main()
