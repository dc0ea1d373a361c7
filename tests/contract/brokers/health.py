"""One of twelve workers: publishes health messages as fast as it can while eleven others do, and counts what it hears.

Run with host, port, worker id, whether the broker is shared, and the number of messages; says ``ready``, begins at the
first line on its input, says what it heard, and ends at the second.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter

from paddock.fixtures.conditions import wait_until
from paddock.fixtures.mqtt import MQTTPool, TopicNamespace
from paddock.services import broker
from paddock.specs import ServiceFacts

LIMIT = 120.0


def main() -> None:
    """Publish and count."""
    host, port, worker, shared, number = sys.argv[1:]
    facts = ServiceFacts(kind=broker.NAME, host=host, port=int(port))
    pool = MQTTPool(facts, TopicNamespace(worker) if shared == "shared" else None)
    heard: Counter[str] = Counter()
    with pool.connection() as listening, pool.connection() as speaking:
        listening.on_message = lambda _client, _data, message: heard.update([message.payload.decode()])
        agreed = threading.Event()  # the other connection may be faster than the subscription of this one
        listening.on_subscribe = lambda *_: agreed.set()
        listening.subscribe("#", qos=1)
        agreed.wait(LIMIT)
        speaking.publish("camera/health", f"{worker} first", qos=1).wait_for_publish(LIMIT)
        wait_until(lambda: heard, LIMIT)
        print("ready", flush=True)  # noqa: T201 - this is how it tells
        sys.stdin.readline()
        for one in range(int(number)):
            last = speaking.publish("camera/health", f"{worker} {one}", qos=1)
        last.wait_for_publish(LIMIT)
        wait_until(lambda: heard[f"{worker} {one}"], LIMIT)
        print("said", flush=True)  # noqa: T201 - as above
        sys.stdin.readline()  # all have said everything: what of theirs would come here has come
        speaking.publish("camera/health", f"{worker} last", qos=1)
        wait_until(lambda: heard[f"{worker} last"], LIMIT)
    del heard[f"{worker} first"], heard[f"{worker} last"]
    own = {text: count for text, count in heard.items() if text.startswith(f"{worker} ")}
    print(json.dumps({"own": len(own), "twice": sum(own.values()) - len(own), "foreign": len(heard) - len(own)}))  # noqa: T201 - as above
    pool.close()


if __name__ == "__main__":
    main()
