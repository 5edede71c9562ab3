from probe.call import Ending
from probe.report.words import DISPOSITION_TONE, DISPOSITION_WORDS, ENDING_WORDS
from probe.verdict import Disposition


def test_every_disposition_has_words():
    assert set(Disposition) == set(DISPOSITION_WORDS)
    assert set(Disposition) >= set(DISPOSITION_TONE)


def test_every_ending_has_words():
    assert set(Ending) == set(ENDING_WORDS)
