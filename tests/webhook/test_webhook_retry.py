from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from probe.webhook.retry import RETRY_DELAYS, find_next_try, read_retry_after

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def test_the_table_is_that_of_standard_webhooks():
    total = sum(RETRY_DELAYS, timedelta())
    assert (9, timedelta(hours=75, minutes=35, seconds=5)) == (len(RETRY_DELAYS), total)


@pytest.mark.parametrize(
    ("attempts", "chance", "after"),
    [
        (1, 0.0, timedelta(seconds=5)),
        (1, 1.0, timedelta(seconds=5.5)),
        (2, 0.0, timedelta(minutes=5)),
        (9, 0.0, timedelta(hours=24)),
    ],
)
def test_the_next_try_follows_the_table(attempts, chance, after):
    assert NOW + after == find_next_try(attempts, NOW, chance)


def test_after_the_table_there_is_no_next_try():
    assert None is find_next_try(10, NOW, 0.5)


def test_a_receiver_can_ask_for_more_time_but_not_for_less():
    assert NOW + timedelta(seconds=60) == find_next_try(1, NOW, 0.0, 60.0)
    assert NOW + timedelta(minutes=5) == find_next_try(2, NOW, 0.0, 60.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("9" * 400, 86400.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=9), usegmt=True), 0.0),
        ("Sun, 22 Nov 2026 10:01:00 -0000", 60.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400.0),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
        ("Sun, 99 Nov 2026 10:00:00 GMT", None),
        ("Sun, 22 Nov 2026 10:00:00 +9999999999", None),
        ("Sun, 22 Nov 99999999999 10:00:00 GMT", None),
    ],
)
def test_retry_after_is_read(value, seconds):
    assert seconds == read_retry_after(value, NOW)
