"""Consensus: enough different cameras, close enough together, each sure enough; nothing else makes a fire."""

import pytest
from fire_watch.clock import ManualClock
from fire_watch.consensus import Consensus, Rule
from support import sighting

NOON = 1_000_000.0


@pytest.fixture
def consensus(clock: ManualClock) -> Consensus:
    """Give a rule of two cameras in ten seconds."""
    return Consensus(Rule(cameras=2, window=10.0, confidence=0.6), clock)


class TestAgreement:
    """Who must agree."""

    def test_one_camera_is_not_enough(self, consensus: Consensus) -> None:
        """A lone sighting is a vote, not a decision."""
        assert consensus.add(sighting("cam-1")) is None
        assert consensus.voters() == ("cam-1",)

    def test_two_cameras_decide_and_are_named(self, consensus: Consensus) -> None:
        """A decision names its cameras in order and averages how sure they were."""
        consensus.add(sighting("cam-2", confidence=0.7))
        decision = consensus.add(sighting("cam-1", confidence=0.9))
        assert decision is not None
        assert decision.cameras == ("cam-1", "cam-2")
        assert decision.confidence == pytest.approx(0.8)

    def test_one_camera_repeating_itself_is_still_one(self, consensus: Consensus) -> None:
        """Votes are counted by camera, not by message."""
        assert [consensus.add(sighting("cam-1", NOON + second)) for second in range(5)] == [None] * 5

    def test_a_fire_is_decided_once(self, consensus: Consensus) -> None:
        """A decision uses up its votes: the next camera starts anew."""
        consensus.add(sighting("cam-1"))
        assert consensus.add(sighting("cam-2"))
        assert consensus.add(sighting("cam-3")) is None

    def test_a_withdrawn_vote_does_not_count(self, consensus: Consensus) -> None:
        """A camera that went offline has no say."""
        consensus.add(sighting("cam-1"))
        consensus.withdraw("cam-1")
        assert consensus.add(sighting("cam-2")) is None

    def test_withdrawing_a_vote_nobody_gave_is_harmless(self, consensus: Consensus) -> None:
        """A camera may go offline without having seen anything."""
        consensus.withdraw("cam-7")
        assert consensus.voters() == ()

    @pytest.mark.parametrize(
        ("confidence", "counts"), [(0.59, False), (0.6, True), (1.0, True)], ids=["below", "at", "above"]
    )
    def test_only_sure_cameras_vote(self, consensus: Consensus, confidence: float, *, counts: bool) -> None:
        """The threshold itself still counts."""
        consensus.add(sighting("cam-1", confidence=confidence))
        assert bool(consensus.voters()) is counts


class TestWindow:
    """How close together."""

    @pytest.mark.parametrize(
        ("gap", "decides"), [(0.0, True), (10.0, True), (10.1, False)], ids=["together", "edge", "apart"]
    )
    def test_votes_expire_with_the_window(
        self, consensus: Consensus, clock: ManualClock, gap: float, *, decides: bool
    ) -> None:
        """Two sightings further apart than the window are two false alarms."""
        consensus.add(sighting("cam-1", clock.now()))
        clock.advance(gap)
        assert bool(consensus.add(sighting("cam-2", clock.now()))) is decides

    def test_a_renewed_vote_lives_longer(self, consensus: Consensus, clock: ManualClock) -> None:
        """The newest sighting of a camera sets its time."""
        consensus.add(sighting("cam-1", clock.now()))
        clock.advance(8)
        consensus.add(sighting("cam-1", clock.now()))
        clock.advance(8)
        assert consensus.add(sighting("cam-2", clock.now()))

    def test_an_old_message_does_not_replace_a_newer_one(self, consensus: Consensus, clock: ManualClock) -> None:
        """Messages may arrive out of order; time does not."""
        consensus.add(sighting("cam-1", NOON))
        consensus.add(sighting("cam-1", NOON - 9))
        clock.advance(5)
        assert consensus.voters() == ("cam-1",)

    @pytest.mark.parametrize("skew", [-60.0, 60.0], ids=["slow-clock", "fast-clock"])
    def test_a_camera_with_a_wrong_clock_has_no_vote(self, consensus: Consensus, skew: float) -> None:
        """A sighting from last minute, or from the next one, decides nothing."""
        assert consensus.add(sighting("cam-1", NOON + skew)) is None
        assert consensus.voters() == ()


@pytest.mark.parametrize(("cameras", "window"), [(0, 10.0), (2, 0.0)], ids=["nobody", "no-time"])
def test_an_impossible_rule_is_refused(cameras: int, window: float) -> None:
    """A rule that everything or nothing fulfils is a mistake in the settings."""
    with pytest.raises(ValueError, match="not 0"):
        Rule(cameras=cameras, window=window)


def test_a_manual_clock_does_not_run_backwards(clock: ManualClock) -> None:
    """Drills must not make what happened unhappen."""
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)
