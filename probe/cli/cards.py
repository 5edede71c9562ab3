"""What a file says of the cards of 608s in, what fetches them out."""

from probe.cli.outside import now
from probe.rounds import Cards
from probe.scenario.scenario import CardRules


def read_cards(rules: CardRules | None) -> Cards | None:
    """Give what fetches cards; None where the file does not allow it. ScenarioError for roots that cannot be read."""
    if rules is None:
        return None
    from probe import cards  # noqa: PLC0415 - HTTP, JOSE and X.509 are heavy, and few files ask for them

    return cards.Cards(rules, now)
