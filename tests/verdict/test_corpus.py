"""Every final response of the corpus reads as its JSON says."""

import json
from pathlib import Path

import pytest

from probe.sip import Reason, Response, read_response
from probe.verdict import Heard, Verdict, judge, read_notice

CORPUS = Path(__file__).parents[1] / "data" / "corpus"
NAMES = sorted(path.stem for path in CORPUS.glob("*.sip"))


def response_of(name: str) -> Response:
    return read_response((CORPUS / f"{name}.sip").read_bytes())


def said_of(name: str) -> dict:
    return json.loads((CORPUS / f"{name}.json").read_text())


def verdict_of(name: str) -> Verdict:
    at_ms = said_of(name)["at_ms"]
    return judge(
        Heard(
            response=response_of(name),
            alerting_ms=at_ms["alerting"],
            early_media_ms=at_ms["early_media"],
            final_ms=at_ms["final"],
        )
    )


def as_said(reason: Reason, said: dict) -> dict:
    """Write a Reason as the corpus does, with the keys that the corpus gives for it."""
    read = {
        "protocol": reason.protocol,
        "cause": reason.cause,
        "text": reason.text,
        "location": reason.location,
        "params": dict(reason.params),
    }
    return {key: read[key] for key in said} | {key: value for key, value in read.items() if value and key not in said}


def test_the_corpus_is_complete():
    assert 37 == len(NAMES)
    assert sorted(path.stem for path in CORPUS.glob("*.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_status_and_phrase_are_read(name):
    expected = said_of(name)["expect"]
    response = response_of(name)
    assert (response.status, response.phrase) == (expected["status"], expected["phrase"])


@pytest.mark.parametrize("name", NAMES)
def test_reasons_are_read(name):
    expected = said_of(name)["expect"]["reasons"]
    reasons = response_of(name).reasons
    assert len(expected) == len(reasons)
    assert expected == [as_said(reason, said) for reason, said in zip(reasons, expected, strict=True)]


@pytest.mark.parametrize("name", NAMES)
def test_the_notice_is_read(name):
    expected = said_of(name)["expect"]["notice"]
    notice = read_notice(response_of(name))
    if expected is None:
        assert notice is None
    else:
        assert notice is not None
        read = {"kind": notice.kind, "conformance": notice.conformance, "avp": notice.avp}
        assert expected == {key: read[key] for key in expected}


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_is_reached(name):
    expected = said_of(name)["expect"]
    verdict = verdict_of(name)
    assert (verdict.disposition, verdict.confidence) == (expected["disposition"], expected["confidence"])
    assert expected["flags"] == list(verdict.flags)


@pytest.mark.parametrize("name", NAMES)
def test_the_evidence_begins_with_what_was_said_and_can_be_shown(name):
    verdict = verdict_of(name)
    assert verdict.because[0].startswith(f"The network said: {said_of(name)['expect']['status']}")
    assert len(verdict.because) > 1
    assert all(line.isprintable() for line in verdict.because)
