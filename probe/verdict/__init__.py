"""Opinions on one call: its notice (603+, 607, 608), the verdict with its evidence, and next steps. Pure."""

from probe.verdict.disposition import Confidence, Disposition
from probe.verdict.heard import Heard
from probe.verdict.jcard import JCard, read_jcard
from probe.verdict.judge import RULESET, Verdict, judge
from probe.verdict.notice import Conformance, Notice, NoticeCard, may_be_fetched, read_notice, with_card
from probe.verdict.steps import next_steps

__all__ = [
    "RULESET",
    "Confidence",
    "Conformance",
    "Disposition",
    "Heard",
    "JCard",
    "Notice",
    "NoticeCard",
    "Verdict",
    "judge",
    "may_be_fetched",
    "next_steps",
    "read_jcard",
    "read_notice",
    "with_card",
]
