"""The SIP user agent: places calls through pjsua2 in child processes and hands back what happened."""

from probe.agent.pool import Agent
from probe.agent.preflight import Finding, inspect

__all__ = ["Agent", "Finding", "inspect"]
