"""What JUnit's report says of workers that went: properties of the test that ran, and of the suite.

pytest gives plugins no public way to its report but fixtures, which a worker that is gone has none of: this file alone
touches ``_pytest.junitxml``, and ``tests/contract/plugin`` reads the file that comes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from _pytest.junitxml import bin_xml_escape, xml_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from paddock.plugin.attempts import Attempt
    from paddock.specs import Cause


def record_worker(config: pytest.Config, worker: str, cause: Cause) -> None:
    """Add a property ``paddock-lost-<worker>`` to the suite: the cause's kind, and its words."""
    xml = config.stash.get(xml_key, None)
    if xml is not None:
        xml.add_global_property(f"paddock-lost-{worker}", f"{cause.kind}: {cause}")


def record_test(config: pytest.Config, report: pytest.TestReport, worker: str, cause: Cause) -> None:
    """Add worker and cause as properties to the report of the test that a worker was lost with."""
    properties = [("paddock-worker", worker), ("paddock-cause", cause.kind), ("paddock-cause-words", str(cause))]
    report.user_properties.extend(properties)
    xml = config.stash.get(xml_key, None)
    if xml is not None:  # it takes a report's own properties at the tear-down, which never comes
        reporter = xml.node_reporter(report)
        for name, value in properties:
            reporter.add_property(name, value)


def record_attempts(config: pytest.Config, report: pytest.TestReport, past: Iterable[Attempt], *, passed: bool) -> None:
    """Put the attempts before its verdict into a test's entry, under the names that Maven's Surefire gave them.

    ``flakyFailure`` and ``flakyError`` stand in the entry of a test that passed, ``rerunFailure`` and ``rerunError`` in
    that of one that did not; errors are those of set-up and tear-down, and of a worker that was lost.
    https://maven.apache.org/surefire/maven-surefire-plugin/examples/rerun-failing-tests.html
    """
    xml = config.stash.get(xml_key, None)
    if xml is None:
        return
    reporter = xml.node_reporter(report)
    for attempt in past:
        name = f"{'flaky' if passed else 'rerun'}{'Failure' if attempt.phase == 'call' else 'Error'}"
        element = ET.Element(name, message=bin_xml_escape(attempt.message), type=attempt.words)
        element.text = bin_xml_escape(attempt.text)
        reporter.append(element)


def forget(config: pytest.Config, report: pytest.TestReport) -> None:
    """Take the entry of an attempt out again: a test has one, that of its verdict."""
    xml = config.stash.get(xml_key, None)
    if xml is None:
        return
    reporter = xml.node_reporter(report)
    xml.node_reporters_ordered.remove(reporter)
    for key in [key for key, one in xml.node_reporters.items() if one is reporter]:
        del xml.node_reporters[key]
