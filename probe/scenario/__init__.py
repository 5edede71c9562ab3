"""What the user wants: a scenario file in; the calls that are planned, and the guard that refuses, out."""

from probe.scenario.file import load_scenario, read_scenario, trunk_from_uri
from probe.scenario.file_format import scenario_schema
from probe.scenario.guard import Allowed, Refusal, allowed_by, check, on_loopback
from probe.scenario.plan import matrix, may_start, plan_key
from probe.scenario.scenario import Caller, Destination, Hours, Limits, Rate, Scenario, Schedule

__all__ = [
    "Allowed",
    "Caller",
    "Destination",
    "Hours",
    "Limits",
    "Rate",
    "Refusal",
    "Scenario",
    "Schedule",
    "allowed_by",
    "check",
    "load_scenario",
    "matrix",
    "may_start",
    "on_loopback",
    "plan_key",
    "read_scenario",
    "scenario_schema",
    "trunk_from_uri",
]
