"""Numbers in every spelling: which are read, which are never dialled, and which ordinary ones must not be refused."""

import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberFormat, PhoneNumberType

from probe.phone import barred, is_premium, normalise

READ = {
    "+12025550101": "+12025550101",
    "+1 (202) 555-0101": "+12025550101",
    "+1.202.555.0101": "+12025550101",
    "+4930123456": "+4930123456",
    "+441632960123": "+441632960123",
    "+290123": None,  # too short for any number
    "+29012345": "+29012345",
    "+1234567890123456": None,
    "+1202555": None,  # North America has ten digits
    "+120255501010": None,
    "12025550101": None,
    "2025550101": None,
    "0012025550101": None,
    "++12025550101": None,
    "+02025550101": None,
    "+1202555O101": None,
    "+1/202/555/0101": None,
    "+1\t2025550101": None,
    "+12025550101\n": None,
    "+1\u00a02025550101": None,
    "+1202555010\u0661": None,
    "\uff0b12025550101": None,
    "+\uff112025550101": None,
    "+12025550101;ext=5": None,
    "tel:+12025550101": None,
    "": None,
    "+": None,
}


@pytest.mark.parametrize(("text", "expected"), READ.items())
def test_a_number_is_read_strictly(text, expected):
    assert expected == normalise(text)


@given(st.text())
def test_any_text_is_read_without_an_exception(text):
    number = normalise(text)
    assert number is None or re.fullmatch(r"\+[1-9][0-9]{6,14}", number)
    barred(text)


@given(st.text(alphabet="0123456789+*#;=@:%-. ()tel sip", max_size=25))
def test_any_dial_string_is_read_without_an_exception(text):
    barred(text)


SPELLINGS = {
    "emergency": [
        *("911", "9-1-1", " 9 1 1 ", "(911)", "0911", "+911", "+1911", "+1-9-1-1", "+19115550101", "00911", "911#"),
        *("tel:911", "TEL:911", "tel:+1911", "sip:911@example.com", "SIPS:911@example.com;user=phone", "<sip:911@x>"),
        *("sip:911:secret@example.com", "sip:%39%31%31@example.com", "%39%31%31", "%2539%2531%2531"),
        *("911;phone-context=+1", "tel:911;phone-context=example.com", "tel:99;phone-context=+449", "tel:911;isub=1"),
        *(
            "\uff19\uff11\uff11",
            "\u0669\u0661\u0661",
            "\u2460\u2460\u2461",
            "9\u200b1\u200b1",
            "\U0001d7d7\U0001d7cf\U0001d7cf",
        ),
        *("112", "0112", "00112", "+112", "+44112", "+49112", "+490112", "0044112", "01144112", "tel:112"),
        *("999", "sip:999@x", "+44999", "+440999", "+44 (0)999", "+999", "+999123456", "+449991234567"),
        *("000", "+61000", "110", "+86110", "+49110", "119", "+81119", "+886119", "118", "108", "+91108"),
        *("17", "+3317", "15", "+3318", "190", "+55190", "10111", "+2710111", "911w"),
    ],
    "crisis_line": [
        *("988", "+1988", "+19885550101", "tel:988", "9-8-8", "+18002738255", "+1 800 273 8255", "1-800-273-8255"),
        *("8002738255", "tel:+1-800-273-8255", "01118002738255", "+180027382550", "+18002221222", "+18007997233"),
        *("116123", "+44116123", "+49116111", "+353116000", "131114", "+61131114", "+61 13 11 14", "+498001110111"),
    ],
    "short_code": [
        *("411", "611", "711", "811", "0", "5", "1234", "12345", "9911", "911,,1", "9,911"),
        *("+1411", "+14115550101", "+1611", "+1711", "+1811", "+81118"),
        *("+44118118", "+44101", "+49115", "*67", "#31#"),
    ],
    "premium_rate": [
        *("+19005550101", "1-900-555-0101", "+12029765555", "+449098790000", "+4490987900001", "+4990012345678"),
        *("+33899123456", "+97912345678", "tel:+19005550101"),
    ],
    "satellite": ["+870773123456", "+8816123456", "+8821612345678", "+883510012345678", "+61147101234"],
    "shared_cost": ["+80812345678", "+491805123456"],
    "directory_assistance": ["+12125551212", "+1 202 555 1212"],
}


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in SPELLINGS.items() for text in texts])
def test_a_number_is_barred_in_whatever_spelling(rule, text):
    found = barred(text)
    assert found is not None
    assert rule == found.rule


ALLOWED = [
    *(f"+120255501{last:02}" for last in range(100)),
    "+1 (202) 555-0101",
    "+18005550199",
    "+81112123456",  # Sapporo: 112 without being an emergency number
    "+81118123456",  # and 118
    "+911123456789",  # Delhi: 911 and 112 at once
    "+493019240123",  # Berlin: begins like the poison centre
    "+5511912345678",  # Sao Paulo: 119
    "+493011211211",
    "+442079110000",
    "+819012345678",
    "+998901234567",
]


@pytest.mark.parametrize("number", ALLOWED)
def test_an_ordinary_number_is_not_barred(number):
    assert barred(number) is None


COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)
ORDINARY = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.VOIP, PhoneNumberType.TOLL_FREE)
SATELLITE_UNDER_A_COUNTRY = re.compile(r"\+6114[57]")


def examples(region, kinds):
    found = (phonenumbers.example_number_for_type(region, kind) for kind in kinds)
    return [phonenumbers.format_number(number, PhoneNumberFormat.E164) for number in found if number]


@pytest.mark.parametrize("region", COUNTRIES)
def test_ordinary_numbers_of_every_country_are_read_and_not_barred(region):
    numbers = [number for number in examples(region, ORDINARY) if not SATELLITE_UNDER_A_COUNTRY.match(number)]
    assert numbers
    assert numbers == [normalise(number) for number in numbers]
    assert dict.fromkeys(numbers) == {number: barred(number) for number in numbers}


@pytest.mark.parametrize("region", COUNTRIES)
def test_premium_and_shared_cost_numbers_of_every_country_are_barred(region):
    for number in examples(region, (PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST)):
        assert barred(number)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_SHORT_REGIONS))
def test_emergency_numbers_of_every_country_are_barred_with_and_without_country_code(region):
    metadata = PhoneMetadata.short_metadata_for_region(region)
    pattern = metadata.emergency.national_number_pattern if metadata and metadata.emergency else None
    code = phonenumbers.country_code_for_region(region)
    numbers = [str(number) for number in range(10, 1000) if pattern and re.fullmatch(pattern, str(number))]
    for number in numbers:
        for spelling in (number, f"0{number}", f"+{code}{number}", f"+{code} (0){number}", f"00{code}{number}"):
            assert barred(spelling), spelling


def test_premium_is_told_from_other_barred_numbers():
    assert is_premium("+19005550101")
    assert not is_premium("911")
    assert not is_premium("+80812345678")
    assert not is_premium("+12025550101")
    assert not is_premium("no number")


def test_the_reason_is_half_a_sentence():
    assert {"911 is an emergency number", "it is US poison control"} == {
        found.why for found in (barred("+1911"), barred("+18002221222")) if found
    }
