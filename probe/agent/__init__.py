"""The SIP user agent: places calls through pjsua2 in child processes and hands back what happened.

Each child process imports this package, so it imports nothing itself: the agent is `probe.agent.pool.Agent`.
"""
