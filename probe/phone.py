"""The text of a phone number in; strict E.164 out, or the reason why that number is never dialled.

Two different questions. `normalise` is strict: what it does not know is no number. `barred` is generous: it reads a
number in whatever spelling it comes, as the most careless gateway on the way might, and answers for the worst reading.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberType

# North America (+1) has exactly ten digits after the country code; elsewhere only the bounds of E.164 are sure.
_E164 = re.compile(r"\+(?:1[0-9]{10}|[2-9][0-9]{6,14})", re.ASCII)
_SEPARATORS = str.maketrans("", "", " -.()")

# Emergency numbers that telephones and exchanges connect far from home, too (3GPP TS 22.101 s10.1, and habit).
_EVERYWHERE = ("000", "110", "112", "118", "119", "911", "999")

_NAMED_SHORT = {
    "988": "the 988 Suicide and Crisis Lifeline",
    "1737": "New Zealand's mental health line",
    "3114": "France's suicide prevention line",
    "131114": "Lifeline Australia",
}
# The harmonised European numbers of social value: helplines for children, for the missing, for victims (2007/116/EC).
_SOCIAL_VALUE = re.compile(r"116[0-9]{3}")

_CRISIS_LINES = {
    "18002221222": "US poison control",
    "18002738255": "the old number of the 988 Lifeline",
    "18004224453": "the Childhelp abuse hotline",
    "18004248802": "the US National Response Center",
    "18004249300": "CHEMTREC",
    "18004483000": "the Boys Town hotline",
    "18006564673": "the RAINN sexual assault hotline",
    "18006624357": "the SAMHSA helpline",
    "18006686868": "Kids Help Phone Canada",
    "18007862929": "the US runaway hotline",
    "18007873224": "the text telephone of the US domestic violence hotline",
    "18007994889": "the old text telephone of the 988 Lifeline",
    "18007997233": "the US domestic violence hotline",
    "18008435678": "the US hotline for missing children",
    "18009855990": "the US disaster distress helpline",
    "18334564566": "the old number of Canada's suicide helpline",
    "18338526262": "the US maternal mental health hotline",
    "18552423310": "Canada's Hope for Wellness line",
    "18663319474": "the US teen dating abuse helpline",
    "18664887386": "the Trevor Project",
    "18775658860": "the Trans Lifeline",
    "18883737888": "the US human trafficking hotline",
    "18884264435": "animal poison control",
    "18886289454": "the old Spanish number of the 988 Lifeline",
    "27800567567": "South Africa's suicide crisis line",
    "318000113": "the Dutch suicide prevention line",
    "3531800247247": "Pieta House Ireland",
    "448000684141": "Papyrus HOPELINE UK",
    "448001111": "Childline UK",
    "448082000247": "the UK domestic abuse helpline",
    "493019240": "the Berlin poison centre",
    "498000116016": "Germany's helpline on violence against women",
    "498001110111": "TelefonSeelsorge",
    "498001110222": "TelefonSeelsorge",
    "61131114": "Lifeline Australia",
    "61131126": "Australian poisons information",
    "611300224636": "Beyond Blue Australia",
    "611300659467": "the Australian suicide call back service",
    "611800551800": "Kids Helpline Australia",
    "611800737732": "1800RESPECT Australia",
    "64508828865": "New Zealand's suicide crisis line",
    "64800543354": "Lifeline New Zealand",
    "64800764766": "the New Zealand poisons centre",
    "81120279338": "the Yorisoi hotline Japan",
    "81120783556": "Inochi no Denwa Japan",
    "919152987821": "the iCall helpline India",
    "9118005990019": "the KIRAN helpline India",
    "919820466726": "the AASRA helpline India",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Barred:
    """Why a number is never dialled: the name of the rule, and the reason as the second half of a sentence."""

    rule: str
    why: str


_PREMIUM = Barred(rule="premium_rate", why="it is a premium-rate number")
_SHARED_COST = Barred(rule="shared_cost", why="it is a shared-cost number")
_SATELLITE = Barred(rule="satellite", why="it is a satellite or international network number")
_DIRECTORY = Barred(rule="directory_assistance", why="it is directory assistance")
_SHORT = Barred(rule="short_code", why="it is a short code")

# Digits after the plus, matched from the start. Country codes as assigned in ITU-T E.164, annex to bulletin 1283.
_RANGES: tuple[tuple[re.Pattern[str], Barred], ...] = (
    (re.compile(r"1[0-9]{3}5551212"), _DIRECTORY),
    (re.compile(r"1900|1[0-9]{3}976|979"), _PREMIUM),
    (re.compile(r"808"), _SHARED_COST),
    (re.compile(r"87[08]|88[1238]|991|6114[57]"), _SATELLITE),
)
_TYPES = {PhoneNumberType.PREMIUM_RATE: _PREMIUM, PhoneNumberType.SHARED_COST: _SHARED_COST}


def normalise(text: str) -> str | None:
    """Return a number as strict E.164 in ASCII (`+12025550101`), or None; only ` -.()` are taken out."""
    number = text.translate(_SEPARATORS)
    return number if _E164.fullmatch(number) else None


def is_premium(number: str) -> bool:
    """Say whether calling this number costs the caller a premium rate."""
    return barred(number) == _PREMIUM


@lru_cache(maxsize=4096)
def barred(number: str) -> Barred | None:
    """Return why this number is never dialled, whatever its spelling and whatever any file says; else None.

    None does not mean that the text is a number: ask `normalise` for that.
    """
    return next((found for reading in _readings(number) if (found := reading.barred())), None)


@dataclass(frozen=True, slots=True)
class _International:
    """Digits that start with a country code."""

    digits: str

    def barred(self) -> Barred | None:
        number = _parse(self.digits)
        valid = number is not None and phonenumbers.is_valid_number(number)
        return (
            _crisis(self.digits, exact=valid)
            or next((found for pattern, found in _RANGES if pattern.match(self.digits)), None)
            or (_by_plan(number, self.digits, valid=valid) if number else None)
            or (None if valid else _emergency(self.digits))
        )


@dataclass(frozen=True, slots=True)
class _Local:
    """Digits as somebody would press them, with or without zeros in front."""

    digits: str

    def barred(self) -> Barred | None:
        if len(self.digits) > 6:  # noqa: PLR2004 - E.164 numbers have at least seven digits
            return _crisis(self.digits, exact=True) or _emergency(self.digits)
        bare = self.digits.lstrip("0")
        if self.digits in _EVERYWHERE or _any_emergency().fullmatch(bare):
            return _emergency_number(bare or self.digits)
        return _crisis_short(bare) or _SHORT


def _readings(text: str) -> Iterator[_International | _Local]:
    """Yield each way in which some gateway may understand the text."""
    number, context = _user_part(text)
    digits = re.sub(r"[^0-9]", "", number)
    if not digits:
        return
    if context:
        yield _International(context + digits)
    if "+" not in number:
        yield from _local_readings(digits)
    elif len(digits) < 7 and (_any_emergency().fullmatch(digits) or digits in _NAMED_SHORT):  # noqa: PLR2004 - as above
        yield _Local(digits)
    else:
        yield _International(digits)


def _local_readings(digits: str) -> Iterator[_International | _Local]:
    yield _Local(digits)
    for prefix in ("00", "011"):
        if digits.startswith(prefix) and len(digits) > len(prefix):
            yield _International(digits.removeprefix(prefix))
    if re.fullmatch(r"1?[0-9]{10}", digits):
        yield _International("1" + digits[-10:])


def _user_part(text: str) -> tuple[str, str]:
    """Return what is dialled and the digits of the phone-context (RFC 3966 s5.1.5) out of a number or a URI."""
    plain = _plain(text)
    start = re.search(r"(?:sips?|tel)\s*:", plain, re.IGNORECASE)
    uri = plain[start.end() :] if start else plain
    context = re.search(r";\s*phone-context\s*=\s*\+([0-9]+)", uri, re.IGNORECASE)
    return re.split(r"[@;?:]", uri, maxsplit=1)[0], context[1] if context else ""


def _plain(text: str) -> str:
    """Undo percent escapes, nested ones too, and turn the digits of every script into ASCII."""
    for _ in range(5):
        text = unquote(text)
    folded = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.digit(sign, sign)) for sign in folded)


def _parse(digits: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return None


def _crisis(digits: str, *, exact: bool) -> Barred | None:
    """Look a full-length number up; exchanges ignore digits after a complete one, hence `exact` for valid ones."""
    found = next((line for line in _CRISIS_LINES if digits == line or (not exact and digits.startswith(line))), None)
    return Barred(rule="crisis_line", why=f"it is {_CRISIS_LINES[found]}") if found else None


def _crisis_short(digits: str) -> Barred | None:
    if digits in _NAMED_SHORT:
        return Barred(rule="crisis_line", why=f"it is {_NAMED_SHORT[digits]}")
    if _SOCIAL_VALUE.fullmatch(digits):
        return Barred(rule="crisis_line", why="it is a harmonised helpline")
    return None


def _emergency_number(digits: str) -> Barred:
    return Barred(rule="emergency", why=f"{digits} is an emergency number")


def _emergency(digits: str) -> Barred | None:
    """Say whether digits that are no valid number begin with an emergency or crisis number."""
    for start in (digits, digits.lstrip("0")):
        for number in _EVERYWHERE:
            if start.startswith(number):
                return _emergency_number(number)
    return _crisis_short("988") if digits.startswith("988") else None


def _by_plan(number: PhoneNumber, digits: str, *, valid: bool) -> Barred | None:
    """Ask the country's numbering plan; a valid full-length number is no emergency number, whatever it begins with."""
    found = _TYPES.get(_kind(number))
    if found or valid:
        return found
    code = str(number.country_code)
    national = digits.removeprefix(code)
    return _short_in_country(code, national) or _short_in_country(code, national.lstrip("0")) or _emergency(national)


def _kind(number: PhoneNumber) -> int:
    """Return the type of a number; an exchange ignores digits after a complete number, so they are ignored here."""
    complete = PhoneNumber()
    complete.merge_from(number)
    phonenumbers.truncate_too_long_number(complete)
    return phonenumbers.number_type(complete)


def _short_in_country(code: str, national: str) -> Barred | None:
    short = _short_numbers(int(code))
    if emergency := short.emergency.match(national):
        return _emergency_number(emergency[0])
    if crisis := _crisis_short(national):
        return crisis
    return _SHORT if short.code.fullmatch(national) else None


@dataclass(frozen=True, slots=True)
class _ShortNumbers:
    emergency: re.Pattern[str]
    code: re.Pattern[str]


@lru_cache(maxsize=256)
def _short_numbers(country_code: int) -> _ShortNumbers:
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(country_code, ())
    # In North America N11 is a service, never an area code; its five and six digit codes are for text messages only.
    codes = ["[2-9]11[0-9]*"] if country_code == 1 else [_pattern(region, "short_code") for region in regions]
    return _ShortNumbers(
        emergency=_any_of(_pattern(region, "emergency") for region in regions),
        code=_any_of(codes),
    )


@lru_cache(maxsize=1)
def _any_emergency() -> re.Pattern[str]:
    """Match the emergency numbers of all countries."""
    return _any_of(_pattern(region, "emergency") for region in phonenumbers.SUPPORTED_SHORT_REGIONS)


def _pattern(region: str, kind: str) -> str | None:
    metadata = PhoneMetadata.short_metadata_for_region(region)
    described = getattr(metadata, kind, None)
    return described.national_number_pattern if described else None


def _any_of(patterns: Iterable[str | None]) -> re.Pattern[str]:
    known = sorted({pattern for pattern in patterns if pattern})
    return re.compile("|".join(f"(?:{pattern})" for pattern in known) or r"(?!)")
