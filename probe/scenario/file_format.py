"""A scenario file as text in; the same file, checked and with typed values, out. And its JSON Schema."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, PlainValidator, Tag, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from probe.event import STANDING_CHANGED
from probe.expectation import DISPOSITIONS
from probe.scenario import notation
from probe.scenario.scenario import Hours, Maintenance, Rate
from probe.trunk import IdentityHeader, Srtp, Transport

_Value = TypeVar("_Value")

_VARIABLE = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"
_KEPT = r"^\$\{([A-Za-z_][A-Za-z0-9_]*|file:/[^${}]+|keyring:[^${}/]+/[^${}]+)\}$"
_PLACES = "${NAME} of the environment, ${file:/path} of mode 0600 or ${keyring:service/name}"
_NUMBER = r"^\+[0-9 .()-]+$"
_DURATION = r"^[0-9]{1,9}(ms|s|m|h|d)$"


def _of_text(read: Callable[[str], _Value]) -> PlainValidator:
    """Read one value from its text, and say so where a list or a table stands instead."""

    def read_value(value: object) -> _Value:
        if not isinstance(value, str):
            raise PydanticCustomError("one_value", "takes one value, no list and no table.")
        return read(value)

    return PlainValidator(read_value)


def _whole(low: int, high: int) -> PlainValidator:
    return _of_text(lambda text: notation.read_whole(text, low, high))


def _between(low: str, high: str) -> PlainValidator:
    """Read a duration of at least and at most so long, into milliseconds."""
    return _of_text(lambda text: notation.read_duration_between(text, low, high))


def _schema(pattern: str) -> WithJsonSchema:
    """Describe a text that fits a pattern, or in which a variable has to be filled in first."""
    return WithJsonSchema({"type": "string", "pattern": f"{pattern}|{_VARIABLE}"})


def _one_of(*words: str) -> WithJsonSchema:
    return _schema("^(" + "|".join(words).replace(".", r"\.") + ")$")


Words = Annotated[str, _of_text(notation.read_text), _schema(r"\S")]
Name = Annotated[str, _of_text(notation.read_name), _schema(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Site = Annotated[str, _of_text(notation.read_site), _schema("^[a-z0-9][a-z0-9-]*$")]
Number = Annotated[str, _of_text(notation.read_number), _schema(_NUMBER)]
DestinationNumber = Annotated[str, _of_text(notation.read_destination), _schema("[0-9]")]
Yes = Annotated[bool, _of_text(notation.read_yes), _one_of("true", "false", "yes", "no", "on", "off")]
Verify = Annotated[bool, _of_text(notation.read_verify), _one_of("true", "yes", "on", notation.VERIFY_OFF)]
Whole = WithJsonSchema({"type": "string", "pattern": f"^[0-9]+$|{_VARIABLE}"})
Duration = _schema(_DURATION)
RateText = Annotated[Rate, _of_text(notation.read_rate), _schema(r"^[1-9][0-9]*/[0-9]+(ms|s|m|h|d)$")]
HoursText = Annotated[Hours, _of_text(notation.read_hours), _schema(r"^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$")]
Weekday = Annotated[int, _of_text(notation.read_weekday), _one_of(*notation.WEEKDAYS)]
Day = Annotated[date, _of_text(notation.read_date), _schema(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Clock = Annotated[int, _of_text(notation.read_clock), _schema(r"^[0-9]{2}:[0-9]{2}$")]
Span = Annotated[int, _whole(0, 1_000), Whole]
MaintenanceText = Annotated[
    Maintenance, _of_text(notation.read_maintenance), _schema(r"^[0-9T:-]+/[0-9T:-]+ [A-Za-z0-9_+/-]+$")
]
Money = Annotated[Decimal, _of_text(notation.read_money), _schema(r"^[0-9]+(\.[0-9]+)?$")]
Timezone = Annotated[str, _of_text(notation.read_timezone), _schema(r"^[A-Za-z0-9_+/-]+$")]
Uri = Annotated[notation.SipUri, _of_text(notation.read_uri), _schema("^[sS][iI][pP][sS]?:[^@]+$")]
Proxy = Annotated[str, _of_text(notation.read_proxy), _schema("^[sS][iI][pP][sS]?:[^@]+$")]
Host = Annotated[str, _of_text(notation.read_host), _schema(r"^\S+$")]
Address = Annotated[str, _of_text(notation.read_address), _schema(r"^[0-9A-Fa-f.:]+$")]
HostPort = Annotated[str, _of_text(notation.read_host_port), _schema(r"^\S+$")]
Nameserver = Annotated[str, _of_text(notation.read_nameserver), _schema(r"^\S+$")]
User = Annotated[str, _of_text(notation.read_user), _schema(r'^[^\s"\\<>]+$')]
Secret = Annotated[str, _of_text(notation.read_text), _schema(_KEPT)]
WebhookSecret = Annotated[str, _of_text(notation.read_webhook_secret), _schema(_KEPT)]
HeaderName = Annotated[str, _of_text(notation.read_header_name), _schema(r"^[A-Za-z0-9.!%*_+`'~-]+$")]
HeaderValue = Annotated[str, _of_text(notation.read_header_value), _schema(r"\S")]
Identity = Annotated[IdentityHeader, _of_text(notation.read_identity), _one_of(*IdentityHeader)]
SrtpUse = Annotated[Srtp, _of_text(notation.read_srtp), _one_of(*Srtp)]
PrivateNetwork = Annotated[
    IPv4Network | IPv6Network, _of_text(notation.read_network), _schema(r"^[0-9A-Fa-f.:]+(/[0-9]+)?$")
]
SentReason = Annotated[str, _of_text(notation.read_sent_reason), _schema("[vV]=[aA][nN][aA][lL]")]
Disposition = Annotated[str, _of_text(notation.read_disposition), _one_of(*DISPOSITIONS)]
EventType = Annotated[str, _of_text(notation.read_event), _one_of(*notation.EVENTS)]


def _form(value: object) -> str:
    """Say in which of the forms that a key may take its value is written."""
    if isinstance(value, dict):
        return "table"
    return "list" if isinstance(value, list) else "text"


def _either(*keys: str) -> ConfigDict:
    """State in the schema, too, that exactly one of these keys is there."""
    return ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in keys]})


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, table: Any) -> Any:  # noqa: ANN401 - whatever the file holds at this place
        """Name the nearest key, which pydantic's own error for an unknown key does not."""
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in table if isinstance(table, dict) else ():
            if key not in known:
                raise PydanticCustomError("unknown_key", "unknown", {"key": key, "hint": notation.nearest(key, known)})
        return table


Dispositions = Annotated[
    Annotated[Disposition, Tag("text")] | Annotated[tuple[Disposition, ...], Field(min_length=1), Tag("list")],
    Discriminator(_form),
]


class ExpectTable(_Table):
    """What is expected of a call; every key that is given has to hold."""

    disposition: Annotated[Dispositions | None, Field(description="One disposition, or a list: any of them.")] = None
    not_: Annotated[Dispositions | None, Field(alias="not", description="One disposition, or a list: none.")] = None
    max_final_ms: Annotated[
        Annotated[int, _whole(1, 600_000), Whole] | None,
        Field(description="Milliseconds from the INVITE to the final response, at most."),
    ] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("is empty; write disposition, not or max_final_ms.")
        return self


Expect = Annotated[
    Annotated[Disposition, Tag("text")]
    | Annotated[tuple[Disposition, ...], Field(min_length=1), Tag("list")]
    | Annotated[ExpectTable, Tag("table")],
    Discriminator(_form),
]


class TlsTable(_Table):
    """How the trunk's certificate is checked, and what we show."""

    verify: Annotated[Verify, Field(description=f"On by default; {notation.VERIFY_OFF} turns it off.")] = True
    ca_file: Annotated[Words | None, Field(description="PEM file of the authorities that are trusted.")] = None
    cert_file: Annotated[Words | None, Field(description="PEM file of our own certificate.")] = None
    key_file: Annotated[Words | None, Field(description="PEM file of the key to our own certificate.")] = None

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("names one of cert_file and key_file; name both or none.")
        return self


class NatTable(_Table):
    """How the far end reaches us through a NAT."""

    public_address: Annotated[Address | None, Field(description="The address to state to the far end.")] = None
    stun: Annotated[HostPort | None, Field(description="A STUN server, host:port.")] = None
    keep_alive: Annotated[
        Annotated[int, _between("0s", "10m"), Duration], Field(description="Time between keep-alives; 0s is off.")
    ] = 15_000


class TrunkTable(_Table):
    """Where calls leave, and how the caller ID is carried."""

    name: Annotated[Name, Field(description="The trunk's name in reports and messages.")]
    uri: Annotated[Uri, Field(description="sip:host[:port][;transport=udp|tcp|tls] or sips:host[:port].")]
    username: Annotated[User | None, Field(description="The user name for digest and REGISTER.")] = None
    auth_username: Annotated[User | None, Field(description="The user name for digest where it differs.")] = None
    password: Annotated[Secret | None, Field(repr=False, description=f"The password: {_PLACES}.")] = None
    realm: Annotated[User, Field(description="The realm that may ask for the password; * is any.")] = "*"
    register_: Annotated[Yes, Field(alias="register", description="REGISTER before calling.")] = False
    outbound_proxy: Annotated[Proxy | None, Field(description="The SIP URI that requests are sent to.")] = None
    identity: Annotated[
        tuple[Identity, ...], Field(min_length=1, description="The headers that carry the caller ID.")
    ] = (IdentityHeader.FROM, IdentityHeader.ASSERTED)
    from_domain: Annotated[Host | None, Field(description="The host part of the caller's URI.")] = None
    headers: Annotated[
        dict[HeaderName, HeaderValue], Field(repr=False, description="Extra headers of the INVITE.")
    ] = {}
    lines: Annotated[Annotated[int, _whole(1, 256), Whole], Field(description="Calls at once.")] = 4
    calls_per_second: Annotated[
        Annotated[float, _of_text(notation.read_calls_per_second), _schema(r"^[0-9]+(\.[0-9]+)?$")],
        Field(description="Calls started in a second, at most."),
    ] = 1.0
    tls: Annotated[TlsTable, Field(description="Certificates.")] = TlsTable()
    srtp: Annotated[SrtpUse, Field(description="Encrypted media (SRTP, its keys in SDES).")] = Srtp.OFF
    nat: Annotated[NatTable, Field(description="Behind a NAT.")] = NatTable()
    bind: Annotated[Address | None, Field(description="The local address to send from.")] = None
    nameservers: Annotated[tuple[Nameserver, ...], Field(description="DNS servers, in place of the machine's.")] = ()

    @model_validator(mode="after")
    def _credentials_make_sense(self) -> Self:
        if self.register_ and self.username is None:
            raise ValueError("has register: true but no username; add the username or take register out.")
        if self.password is not None and (self.username or self.auth_username) is None:
            raise ValueError("has a password but no username; add the username.")
        return self

    @model_validator(mode="after")
    def _certificates_have_a_use(self) -> Self:
        tls = Transport.TLS
        if "tls" in self.model_fields_set and self.uri.transport not in {tls, None}:
            raise ValueError("has the key tls but another transport in its uri; write ;transport=tls or take tls out.")
        return self


class CallerTable(_Table):
    """A caller ID under test, or a CSV file of them (columns number, label, campaign, lead_source, tags)."""

    model_config = _either("number", "file")

    number: Annotated[Number | None, Field(description="The caller ID, +12025550101.")] = None
    label: Annotated[Words | None, Field(description="What the number is for, in words.")] = None
    campaign: Annotated[Words | None, Field(description="The campaign that calls with it.")] = None
    lead_source: Annotated[Words | None, Field(description="Where the people come from whom it calls.")] = None
    tags: Annotated[tuple[Words, ...], Field(description="Words to group callers by.")] = ()
    file: Annotated[Words | None, Field(description="A CSV file, found from the scenario file's folder.")] = None

    @model_validator(mode="after")
    def _number_or_file(self) -> Self:
        if (self.number is None) == (self.file is None):
            raise ValueError("needs either a number or a file; write one of the two.")
        if self.file is not None and self.model_fields_set != {"file"}:
            raise ValueError("has a file and more; label and campaign are columns of that file.")
        return self


class SendsTable(_Table):
    """The 603+ that a far end of your own answers with, to see what the networks between leave of it."""

    phrase: Annotated[Words, Field(description="The reason phrase.")] = "Network Blocked"
    reason: Annotated[SentReason, Field(description="The value of the Reason header.")]


class DestinationTable(_Table):
    """A number that may be rung, and why."""

    number: Annotated[DestinationNumber, Field(description="The number to ring, +12025550191.")]
    consent: Annotated[Words, Field(description="Why this number may be rung; stored with each call.")]
    network: Annotated[Words | None, Field(description="The carrier that serves the number.")] = None
    timezone: Annotated[Timezone | None, Field(description="Where the phone is, America/New_York.")] = None
    expect: Annotated[Expect | None, Field(description="What a call is expected to turn out as.")] = None
    expect_from: Annotated[
        dict[Number, Expect], Field(description="The same for single callers; it wins over expect.")
    ] = {}
    sends: Annotated[SendsTable | None, Field(description="The 603+ that is known to be sent from there.")] = None


class CallTable(_Table):
    """How long a phone rings and how long an answered call is held."""

    ring_limit: Annotated[Annotated[int, _between("1s", "3m"), Duration], Field(description="Then CANCEL.")] = 25_000
    hold: Annotated[Annotated[int, _between("0s", "10m"), Duration], Field(description="Then BYE.")] = 6_000


class LimitsTable(_Table):
    """How much may be dialled; what is left out keeps its default."""

    per_caller: Annotated[tuple[RateText, ...] | None, Field(min_length=1, description="For each caller ID.")] = None
    per_destination: Annotated[tuple[RateText, ...] | None, Field(min_length=1, description="For each callee.")] = None
    calls_per_day: Annotated[Annotated[int, _whole(1, 1_000_000), Whole] | None, Field(description="All calls.")] = None
    minutes_per_day: Annotated[
        Annotated[int, _whole(1, 1_000_000), Whole] | None, Field(description="Minutes of talk.")
    ] = None
    hours: Annotated[HoursText | None, Field(description="When phones may ring, at the called party.")] = None
    weekdays: Annotated[
        frozenset[Weekday] | None,
        Field(min_length=1, description="Days to dial on, at the called party; all by default."),
    ] = None
    holidays: Annotated[
        frozenset[Day] | None, Field(min_length=1, description="Days not to dial on, at the called party.")
    ] = None
    maintenance: Annotated[
        tuple[MaintenanceText, ...] | None,
        Field(min_length=1, description="Times in which nothing is dialled: 2026-11-22T01:00/02:00 America/New_York."),
    ] = None
    spend_per_day: Annotated[Money | None, Field(description="All talk of a day may cost so much.")] = None
    rate_per_minute: Annotated[Money | None, Field(description="What each started minute of talk costs.")] = None

    @model_validator(mode="after")
    def _spend_with_rate(self) -> Self:
        if (self.spend_per_day is None) != (self.rate_per_minute is None):
            raise ValueError("names one of spend_per_day and rate_per_minute; name both or none.")
        return self


NoLimits = Annotated[str, _of_text(notation.read_none), _one_of("none")]
Limits = Annotated[
    Annotated[NoLimits, Tag("text")] | Annotated[LimitsTable, Tag("table")],
    Discriminator(lambda value: "text" if isinstance(value, str) else "table"),
]


class CalendarTable(_Table):
    """Rounds by the calendar: every so many months, weeks and days."""

    months: Annotated[Span, Field(description="Months from one round to the next.")] = 0
    weeks: Annotated[Span, Field(description="Weeks from one round to the next.")] = 0
    days: Annotated[Span, Field(description="Days from one round to the next.")] = 0
    at: Annotated[Clock, Field(description="The time of day, 09:30.")]
    since: Annotated[Day, Field(description="The day of the first round, 2026-01-31.")]

    @model_validator(mode="after")
    def _moves_on(self) -> Self:
        if not (self.months or self.weeks or self.days):
            raise ValueError("has no months, weeks or days; write how many lie between two rounds.")
        return self


class ScheduleTable(_Table):
    """When rounds start."""

    model_config = _either("cron", "every", "calendar")

    cron: Annotated[
        Annotated[str, _of_text(notation.read_cron), _schema(r"^\S+( +\S+){4}$")] | None,
        Field(description="Minute, hour, day, month, weekday; weekdays by name."),
    ] = None
    every: Annotated[Annotated[int, _between("1s", "365d"), Duration] | None, Field(description="Or: 2h.")] = None
    calendar: Annotated[CalendarTable | None, Field(description="Or by months, weeks and days.")] = None
    timezone: Annotated[Timezone, Field(description="The time zone of cron and calendar.")] = "UTC"
    jitter: Annotated[Annotated[int, _between("0s", "1d"), Duration], Field(description="A delay up to so long.")] = 0
    retest: Annotated[
        Annotated[int, _between("10s", "1d"), Duration] | None,
        Field(description="One more call so long after a caller's first failure in a round, 2m; off by default."),
    ] = None

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if [self.cron, self.every, self.calendar].count(None) != 2:  # noqa: PLR2004 - all but one
            raise ValueError("needs cron, every or calendar; write one of the three.")
        return self


class WebhookTable(_Table):
    """Who is told."""

    url: Annotated[
        Annotated[str, _of_text(notation.read_web_address), _schema("^https?://")],
        Field(repr=False, description="POST goes here."),
    ]
    secret: Annotated[WebhookSecret, Field(repr=False, description=f"The whsec_ secret: {_PLACES}.")]
    events: Annotated[
        tuple[EventType, ...], Field(min_length=1, description="The types of event that are sent; all by default.")
    ] = notation.EVENTS
    remind_every: Annotated[
        Annotated[int, _between("1m", "365d"), Duration] | None,
        Field(description="While a number stays blocked, tell of it again so often, 1d; off by default."),
    ] = None
    private_networks: Annotated[
        tuple[PrivateNetwork, ...],
        Field(description="Private networks that the URL may lead to, 10.1.2.0/24; this machine and none by default."),
    ] = ()

    @model_validator(mode="after")
    def _reminders_have_an_event(self) -> Self:
        if self.remind_every is not None and STANDING_CHANGED not in self.events:
            raise ValueError(f"has remind_every but no {STANDING_CHANGED} among its events; add it there.")
        return self


class JCardTable(_Table):
    """The signed card of a 608 is fetched from where the far end says, and checked; without this table it is not."""

    roots: Annotated[Words, Field(description="PEM file of the authorities that may vouch for who signed a card.")]
    private_networks: Annotated[
        tuple[PrivateNetwork, ...],
        Field(description="Private networks that a card may be fetched from, 10.1.2.0/24; none by default."),
    ] = ()


class ScenarioFile(_Table):
    """A scenario: which callers ring which destinations over which trunk, and what is expected."""

    trunk: Annotated[TrunkTable, Field(description="Where calls leave.")]
    callers: Annotated[tuple[CallerTable, ...], Field(min_length=1, description="The caller IDs under test.")]
    control: Annotated[Number | None, Field(description="A known-good caller ID to compare with.")] = None
    destinations: Annotated[
        tuple[DestinationTable, ...], Field(min_length=1, description="The only numbers that may be rung.")
    ]
    call: Annotated[CallTable, Field(description="Ring limit and hold.")] = CallTable()
    limits: Annotated[Limits, Field(description="Limits, or none for a trunk on loopback.")] = LimitsTable()
    schedule: Annotated[ScheduleTable | None, Field(description="When rounds start.")] = None
    webhook: Annotated[WebhookTable | None, Field(description="Who is told.")] = None
    jcard: Annotated[JCardTable | None, Field(description="Fetch the signed card of a 608; off by default.")] = None
    sites: Annotated[
        tuple[Site, ...],
        Field(min_length=1, description="Where workers place the calls; this machine itself by default."),
    ] = ()

    @model_validator(mode="after")
    def _each_site_once(self) -> Self:
        if len(set(self.sites)) < len(self.sites):
            raise ValueError("names a site twice under sites; name each once.")
        return self


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a scenario file whose every scalar is read as text."""
    schema = _as_written(ScenarioFile.model_json_schema(mode="validation"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "probe scenario file"}


def _as_written(schema: dict[str, Any]) -> dict[str, Any]:
    """Take out of pydantic's schema what speaks of values inside the program: defaults, null, and class names."""
    described = {key: _part(value) for key, value in schema.items() if key not in {"default", "title"}}
    forms = [form for form in described.get("anyOf", ()) if form != {"type": "null"}]
    if len(forms) == 1:
        del described["anyOf"]
        described = {**forms[0], **described}
    return described


def _part(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return _as_written(value)
    return [_part(item) for item in value] if isinstance(value, list) else value
