"""Who asks in; whether he may be the one daemon of this store out.

The owner of the lease renews it before it ends. Who was killed never does: his lease ends by itself, or is taken over
when this machine can tell that his process is gone.
"""

import os
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from probe.store.schema import lease

_DAEMON = "daemon"
_PROC = Path("/proc")
_STARTED = 21 - 2  # field 22 of /proc/PID/stat, counted after the name in brackets (proc_pid_stat(5))


def this_process() -> str:
    """Name this process so that no other is ever named so: boot, pid namespace, pid, and the tick of its start."""
    pid = os.getpid()
    return f"{_realm()}/{pid}/{_start_of(pid)}"


def take(connection: Connection, owner: str, now: datetime, until: datetime) -> bool:
    """Take or renew the lease until then; False says that another owner holds it."""
    found = connection.execute(select(lease).where(lease.c.name == _DAEMON)).one_or_none()
    if found is None:
        return _write(connection, owner, until)
    free = or_(lease.c.owner == owner, lease.c.until <= now)
    if is_gone(found.owner):
        free = or_(free, lease.c.owner == found.owner)
    taken = update(lease).where(lease.c.name == _DAEMON, free).values(owner=owner, until=until)
    return bool(connection.execute(taken).rowcount)


def drop(connection: Connection, owner: str) -> None:
    connection.execute(delete(lease).where(lease.c.name == _DAEMON, lease.c.owner == owner))


def read_holder(connection: Connection, now: datetime) -> str | None:
    """Say who holds the lease now, or None."""
    found = connection.execute(select(lease).where(lease.c.name == _DAEMON, lease.c.until > now)).one_or_none()
    return None if found is None or is_gone(found.owner) else str(found.owner)


def is_gone(owner: str) -> bool:
    """Say whether this machine knows that the process is dead; of other machines and containers it knows nothing."""
    realm, _, process = owner.partition("/")
    pid, _, started = process.partition("/")
    if realm != _realm() or not pid.isdecimal() or not started:
        return False
    now_there = _start_of(int(pid))
    return now_there != started if now_there else not _exists(int(pid))


def _write(connection: Connection, owner: str, until: datetime) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(insert(lease).values(name=_DAEMON, owner=owner, until=until))
    except IntegrityError:  # another process was there first
        return False
    return True


def _realm() -> str:
    """Name what a pid means something in; empty where the system does not tell."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _start_of(pid: int) -> str:
    """Read at which tick a process began; a dead one that nobody has waited for yet (Z) is none."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return "dead" if fields[0] in {"Z", "X"} else fields[_STARTED]
    except (OSError, IndexError):
        return ""


def _exists(pid: int) -> bool:
    """Ask the kernel, where /proc hides the processes of other users."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
