"""How to read the page: its words, in the order in which one meets them."""

from typing import Final

from probe.report.page_element import Html, element

_TERMS: Final = {
    "Judged": "Calls that can speak for or against the caller ID: those that were blocked because of who called, and "
    "those that reached the called party (answered, rung out, busy, or declined by a person after ringing). Calls that "
    "failed for other reasons stay out. A refusal that may be a person's or a machine's counts only when a control "
    "call from a known-good caller ID has settled it.",
    "Blocked share, with its interval": "Blocked calls as a share of the judged ones. The true share lies within the "
    "interval 95 times in 100 (Wilson): with few calls it is wide, and the share alone says little.",
    "Standing": "Blocked: the evidence is strong that many of its calls are refused because of who calls. Suspect: "
    "more blocks, or damaged signs of them, than the strays that happen to every number. Recovering: it was blocked, "
    "and calls get through again. Clean: strays at most. Unknown: too few calls to tell.",
    "How a standing is decided": "By a sequential test. After each call it weighs anew how likely it is that the "
    "number is blocked, slowly forgets what was long ago, and changes a standing only on strong evidence: never for "
    "one stray block.",
    "As a whole": "A caller ID stands as a whole as on its worst network. Each carrier asks its own analytics: a "
    "number can be clean on one and blocked on the next, and a mean would hide that.",
    "What ties blocks together": "What blocked calls have in common more often than chance allows, corrected for all "
    "that was looked at: of a hundred such sentences, about one is chance.",
    "Contacts": "What a blocker's notice names. It is text from the network and may be forged; so nothing here is a "
    "link, and probe itself never opens, calls or writes to any of it.",
}


def reading() -> Html:
    """Write the definitions."""
    return element(
        "dl", ((element("dt", term), element("dd", words)) for term, words in _TERMS.items()), class_="terms"
    )
