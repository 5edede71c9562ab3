"""What was read of a file in, batches of it for the store out, judged and packed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from probe.call import CallRecord
from probe.importing import Bad, Ignored, Reported, Unreadable
from probe.store.importing import Packed, Packer, pack_record

# A transaction of so many calls, or of so many bytes in them, takes about a quarter of a second: others who write
# to the same store do not wait for long.
_CALLS = 5_000
_BYTES = 16 << 20


@dataclass(slots=True)
class Batch:
    """What was read since the last one. `failed` says why the file cannot be read any further, or at all."""

    calls: list[Packed] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    failed: str | None = None
    last: bool = False

    @property
    def rows(self) -> int:
        return len(self.calls) + len(self.bad)


def batches(read: Iterable[Reported | CallRecord | Bad | Ignored]) -> Iterator[Batch]:
    """Judge, pack and batch what is read; the last batch says that it is the last."""
    batch, size, packer = Batch(), 0, Packer()
    try:
        for one in read:
            match one:
                case Reported() | CallRecord():
                    packed = packer.pack(one) if isinstance(one, Reported) else pack_record(one)
                    batch.calls.append(packed)
                    size += packed.size
                case Bad():
                    batch.bad.append(one)
                case Ignored():
                    batch.ignored.append(one)
            if batch.rows >= _CALLS or size >= _BYTES:
                yield batch
                batch, size = Batch(), 0
    except Unreadable as error:
        batch.failed = str(error)
    except OSError as error:
        batch.failed = f"cannot be read ({error.strerror}); look at the disk."
    batch.last = True
    yield batch
