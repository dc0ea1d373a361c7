"""When is it a fire? When enough different cameras say so within a window of time.

One camera sees the sun in a window pane; three do not. The rule is pure: detections in, a decision or nothing out.
"""

from dataclasses import dataclass

from fire_watch.clock import SYSTEM_CLOCK, Clock
from fire_watch.messages import Decision, Detection


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How many cameras, how close together in seconds, and how sure each must be."""

    cameras: int = 3
    window: float = 10.0
    confidence: float = 0.6

    def __post_init__(self) -> None:
        if self.cameras < 1:
            raise ValueError(f"a consensus needs at least one camera, not {self.cameras!r}")
        if self.window <= 0:
            raise ValueError(f"the window must last some time, not {self.window!r} s")


class Consensus:
    """Holds each camera's newest vote until it expires, is withdrawn, or becomes part of a decision."""

    def __init__(self, rule: Rule, clock: Clock = SYSTEM_CLOCK) -> None:
        self._rule = rule
        self._clock = clock
        self._votes: dict[str, Detection] = {}

    def add(self, detection: Detection) -> Decision | None:
        """Count one detection; a decision uses up the votes, so that one fire is decided once."""
        if self._counts(detection):
            self._keep_newest(detection)
        votes = self._standing()
        if len(votes) < self._rule.cameras:
            return None
        self._votes.clear()
        return self._decision(votes)

    def withdraw(self, camera: str) -> None:
        """Forget a camera's vote, as when it went offline and cannot be asked again."""
        self._votes.pop(camera, None)

    def voters(self) -> tuple[str, ...]:
        """Name the cameras whose votes stand at this moment."""
        return tuple(sorted(vote.camera for vote in self._standing()))

    def _counts(self, detection: Detection) -> bool:
        return detection.confidence >= self._rule.confidence and self._timely(detection)

    def _timely(self, detection: Detection) -> bool:
        """A clock that is wrong by more than the window, either way, must not decide anything."""
        return abs(self._clock.now() - detection.at) <= self._rule.window

    def _keep_newest(self, detection: Detection) -> None:
        known = self._votes.get(detection.camera)
        if known is None or known.at <= detection.at:
            self._votes[detection.camera] = detection

    def _standing(self) -> list[Detection]:
        return [vote for vote in self._votes.values() if self._timely(vote)]

    def _decision(self, votes: list[Detection]) -> Decision:
        return Decision(
            cameras=tuple(sorted(vote.camera for vote in votes)),
            decided=self._clock.now(),
            confidence=sum(vote.confidence for vote in votes) / len(votes),
        )
