"""Run the watch until it is told to stop."""

import logging
import os
import signal
import threading

from fire_watch.service import FireWatch
from fire_watch.settings import Settings


def main() -> None:
    """Watch until SIGTERM or Ctrl-C."""
    logging.basicConfig(level=logging.INFO)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with FireWatch(Settings.from_environment(os.environ)):
        ended.wait()


if __name__ == "__main__":
    main()
