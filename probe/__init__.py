"""probe: which of your phone numbers get through, which are blocked, by whom, and where to complain."""

__version__ = "0.1.0"
