"""Whose turn it is with a device that several workers hold: a line of processes for each device, first come first.

Owns the file that stands for the line. What keeps its order are locks of the kernel on the file's bytes, which nobody
has to clean up: each comer locks the byte behind the last one that is locked, and waits for all bytes before its own.
They are those of ``fcntl``, which belong to one process: no child of it inherits them, and they end with it, however
that comes about. The file's text tells people who stands in the line, and nothing depends on it.

A process stands in a line once at a time; one that opens and closes the file meanwhile by other means than these
would lose its place, as such locks have it. It must not know tests, pods or engines.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import struct
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from paddock.devices.resources import LINE_SUFFIX
from paddock.moments import written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

PATIENCE = 3.0
"""Seconds of waiting before anybody is told: most tests that hold a device are over by then."""
_TEXT, _FIRST = 0, 1
"""Bytes: who has the lock of the first may change the text, and let others know of its place; then come the places."""
_LAST = 1 << 62
_ALL = 0
"""Length of a range that ends with the file, however long that gets."""
_FLOCK = "hhqqi4x"
"""``struct flock``: type, whence, start, length, process; with the padding of its end."""
_MOST = 1 << 16
"""Bytes of the text that are read: it comes from pods."""
_LONGEST = 300
"""Characters of each word in it."""
_BUSY = {errno.EAGAIN, errno.EACCES}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Who stands in a line, for what."""

    device: str
    """As a person calls it."""
    run: str
    worker: str
    test: str
    since: str = ""
    """When it came, or since when it has its turn, as RFC 3339 writes it."""

    @property
    def who(self) -> str:
        """Run and worker, with a slash between."""
        return f"{self.run}/{self.worker}"


class Place:
    """A place in the line of one device, from entering it to leaving it."""

    def __init__(self, path: str, claim: Claim) -> None:
        self._path, self.claim = path, replace(claim, since=_now())
        self.file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        self.number = 0
        _ENTERED[path] = self
        try:
            self._enter()
        except BaseException:
            self.leave()
            raise

    def _enter(self) -> None:
        with self._alone():
            number = _end(self.file)
            self._write(number, _told(self.file))  # first, so that nobody takes the place for that of who had it before
            fcntl.lockf(self.file, fcntl.LOCK_EX, 1, number)
            self.number = number

    def try_turn(self) -> bool:
        """Return whether it is this place's turn."""
        if self.number == _FIRST:
            return True
        try:
            self._pass(fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _BUSY:
                raise
            return False
        return True

    def await_turn(self) -> None:
        """Wait until everybody before this place has left, or died; a signal's exception ends it."""
        self._pass()
        self.claim = replace(self.claim, since=_now())
        with self._alone():
            self._write(self.number, _told(self.file))

    def _pass(self, how: int = 0) -> None:
        before = self.number - _FIRST
        fcntl.lockf(self.file, fcntl.LOCK_SH | how, before, _FIRST)
        fcntl.lockf(self.file, fcntl.LOCK_UN, before, _FIRST)  # only places behind this one will ever be taken

    def before(self) -> list[Claim]:
        """Return who has the turn, and who else is in front of this place."""
        return [claim for number, claim in sorted(_told(self.file).items()) if number < self.number]

    def leave(self) -> None:
        """Leave the line: the next has its turn."""
        _ENTERED.pop(self._path, None)
        os.close(self.file)

    def _write(self, number: int, told: Mapping[int, Claim]) -> None:
        line = {**told, number: self.claim}
        text = "".join(json.dumps({"place": place, **asdict(one)}) + "\n" for place, one in sorted(line.items()))
        with suppress(OSError):  # no room: the line is none the less one
            os.pwrite(self.file, text.encode(), 0)
            os.ftruncate(self.file, len(text))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        fcntl.lockf(self.file, fcntl.LOCK_EX, 1, _TEXT)
        try:
            yield
        finally:
            fcntl.lockf(self.file, fcntl.LOCK_UN, 1, _TEXT)


_ENTERED: dict[str, Place] = {}
"""Path of a line -> this process's place in it."""


@contextmanager
def turns(
    claims: Mapping[str, Claim],
    tell: Callable[[Claim, Claim], None] = lambda _mine, _holder: None,
    patience: float = PATIENCE,
) -> Iterator[None]:
    """Have the turn with devices, path of the line -> claim; all lines are entered in one order, so nobody deadlocks.

    ``tell`` hears of a wait that takes longer, once for each line, in a thread: who waits, and who has the turn.
    """
    with ExitStack() as stack:
        for path in sorted(claims):
            place = Place(path, claims[path])
            stack.callback(place.leave)
            if not place.try_turn():
                with _telling(place, claims[path], tell, patience):
                    place.await_turn()
        yield


@contextmanager
def _telling(place: Place, mine: Claim, tell: Callable[[Claim, Claim], None], patience: float) -> Iterator[None]:
    def say() -> None:
        for holder in place.before()[:1]:
            tell(mine, holder)

    timer = threading.Timer(patience, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # nothing is told of a wait that is over


@contextmanager
def if_free(path: str, claim: Claim) -> Iterator[bool]:
    """Have the turn with a device if nobody else has it, and say whether that is so."""
    place = Place(path, claim)
    try:
        yield place.try_turn()
    finally:
        place.leave()


def make(path: str) -> str:
    """Make the file of a line, if it is not there yet, for every user of the machine; return its path."""
    if not Path(path).exists():  # not to be opened and closed by who may stand in it: see the module's docstring
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        os.close(opened(path))
    return path


def opened(path: str | Path) -> int:
    """Return a descriptor of a file that every user of the machine may lock, made if it is not there."""
    try:  # not with O_CREAT where it is there: another user's file in a folder of all could not be opened then
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        with suppress(PermissionError):  # somebody else was quicker, and has done it
            os.fchmod(descriptor, 0o666)
        return descriptor


def standing(folders: Iterable[Path]) -> list[Sequence[Claim]]:
    """Return the lines in these folders in which anybody stands: who has the turn first, then who waits for it."""
    paths = sorted(path for folder in folders for path in folder.rglob(f"*{LINE_SUFFIX}"))
    return [line for path in paths if (line := _line(str(path)))]


def _line(path: str) -> list[Claim]:
    if own := _ENTERED.get(path):  # not to be opened and closed: see the module's docstring
        told = {own.number: own.claim, **_told(own.file)}
    else:
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # it has just gone, or is not for this user
            return []
        try:
            told = _told(file)
        finally:
            os.close(file)
    return [claim for _, claim in sorted(told.items())]


def _told(file: int) -> dict[int, Claim]:
    """Return place -> who is there, of the others who stand in the line; what is half written is left out."""
    found = map(_claim, os.pread(file, _MOST, 0).decode(errors="replace").splitlines())
    return {number: claim for number, claim in filter(None, found) if _locked(file, number, 1)}


def _claim(text: str) -> tuple[int, Claim] | None:
    try:
        told = json.loads(text)
        number = int(told["place"])
        words = {field.name: _plain(told[field.name]) for field in fields(Claim)}
    except (ValueError, TypeError, KeyError):
        return None
    return (number, Claim(**words)) if _FIRST <= number < _LAST else None


def _plain(word: object) -> str:
    """Return a word of a pod's that does nothing to a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in str(word)[:_LONGEST])


def _end(file: int) -> int:
    """Return the place behind all others that are taken: what the text says may be nonsense."""
    end = _FIRST
    while found := _locked(file, end, _ALL):
        end = sum(found)
    return end


def _locked(file: int, start: int, length: int) -> tuple[int, int] | None:
    """Return start and length of a place that another process has in a range, or of some of them; ``None`` if none."""
    asked = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, start, length, 0)
    kind, _, start, length, _ = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else (start, length)


def _now() -> str:
    return written(datetime.now(UTC))
