"""Settings that all tests share."""

from hypothesis import settings

# A loaded CI machine is no reason to fail; the suite's own time limit guards against what hangs.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
