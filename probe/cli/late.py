"""A module's name in, the module out, loaded when it is first used: no call has to wait for what comes after it."""

import importlib.util
import sys
from types import ModuleType


def late(name: str) -> ModuleType:
    """Give a module that is loaded at its first use."""
    if name in sys.modules:
        return sys.modules[name]
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.loader is not None
    found.loader = importlib.util.LazyLoader(found.loader)
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    return module
