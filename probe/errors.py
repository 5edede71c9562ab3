"""Whose fault it is. Every message is one sentence that names the file and key, or the trunk, and says what to do.

    ProbeError
    ├── ScenarioError    the author of a scenario file or of a command line        exit 2
    ├── TrunkError       the trunk or the network, where we could not even ask     exit 3
    ├── AgentError       our own SIP user agent                                    exit 3
    ├── StoreError       the database: gone, locked, full, or of another version   exit 3
    └── ReceiverError    the receiver of a webhook; `permanent` ends the tries

What the network *answers* is a result and never raised.
"""


class ProbeError(Exception):
    """Base of every error that probe raises on purpose."""


class ScenarioError(ProbeError):
    """The author of the scenario file or of the command line has to change something."""


class TrunkError(ProbeError):
    """The trunk or the network kept us from asking at all."""


class AgentError(ProbeError):
    """Our own user agent failed."""


class StoreError(ProbeError):
    """The database cannot take or give a row."""


class ReceiverError(ProbeError):
    """A webhook was not taken; `permanent` says that another try cannot help."""

    def __init__(self, message: str, *, permanent: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after_s = retry_after_s
