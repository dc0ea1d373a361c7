"""``PodStream`` keeps the contract of a ``WorkerStream`` over every transport, also one that is cut all the time."""

from __future__ import annotations

from tests.contract.workers.stream_contract import StreamContract


class TestPodStream(StreamContract):
    """The contract, over the places of ``conftest``."""
