"""One measured figure and what it is compared to."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`value` is a median unless `what` says otherwise. `wanted` is the bound that it is held against."""

    what: str
    value: float
    unit: str
    beside: str
    other: float
    wanted: str

    @property
    def ratio(self) -> float:
        return self.value / self.other

    def in_a_line(self) -> str:
        value, other = f"{self.value:,.1f} {self.unit}", f"{self.other:,.1f} {self.unit}"
        return f"{self.what:<52} {value:>16}   {self.beside:<28} {other:>16}   x{self.ratio:<8.2f} {self.wanted}"

    def document(self) -> dict[str, object]:
        return asdict(self) | {"ratio": round(self.ratio, 3)}
