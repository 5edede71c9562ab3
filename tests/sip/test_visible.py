import pytest

from probe.sip import has_control, visible


@pytest.mark.parametrize(
    ("text", "shown", "control"),
    [
        ("Network Blocked", "Network Blocked", False),
        ("Refusé", "Refusé", False),
        ("a\tb", "a b", False),
        ("a\u00a0b", "a b", False),
        ("a\x1b[31mb\x1b[0m", "ab", True),
        ("a\x1b]0;title\x07b", "a]0;titleb", True),
        ("a\x00b\x7fc\x9bd", "abcd", True),
        ("a\r\nb", "a  b", True),
        ("a\u202eb\u2066c", "abc", True),
        ("a\u200bb\u00adc\ufeff", "abc", True),
    ],
)
def test_only_what_can_be_seen_is_shown(text, shown, control):
    assert (shown, control) == (visible(text), has_control(text))
    assert visible(text).isprintable()
