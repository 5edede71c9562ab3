import pytest

from probe.verdict.redress import email_flaw, id_flaw, tel_flaw, url_flaw


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/redress?case=1&x=%22y%22#top",
        "HTTPS://Redress.Example.COM:8443/r",
        "https://example.com.",
        "https://xn--bcher-kva.example/r",
        "https://a-b.example.co.uk/r%3Bs=1",
    ],
)
def test_a_public_https_url_is_sound(url):
    assert url_flaw(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://example.com/",
        "//example.com/",
        "example.com",
        "javascript:alert(1)",
        "https://",
        "https://localhost/",
        "https://printer.local/",
        "https://intranet/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.0x1/",
        "https://[::1]/",
        "https://user@example.com/",
        "https://example.com@10.0.0.1/",
        "https://example.com:0/",
        "https://example.com:999999/",
        "https://example.com:x/",
        "https://-example.com/",
        "https://example..com/",
        "https://exa_mple.com/",
        "https://bücher.example/",
        "https://example.com\\@evil.example/",
        "https://example.com/a b",
        'https://example.com/"q"',
        "https://example.com/<script>",
        "https://example.com/%0d%0aX: 1",
        "https://example.com/%0D%0A",
        "https://example.com/%00",
        "https://example.com/\x1b[2J",
        "https://example.com/\n",
        "https://example.com/" + "a" * 3000,
        "https://" + "a." * 200 + "com/",
    ],
)
def test_a_url_with_a_trap_is_named(url):
    assert "bad_redress_url" == url_flaw(url)


@pytest.mark.parametrize(
    ("tel", "flaw"),
    [
        ("+12025550142", None),
        ("+442079460000", None),
        ("+19005550100", "premium_redress_tel"),
        ("1-800-555-0100", "bad_redress_tel"),
        ("+1-800-555-0100", "bad_redress_tel"),
        ("2025550142", "bad_redress_tel"),
        ("tel:+12025550142", "bad_redress_tel"),
        ("+0123456789", "bad_redress_tel"),
        ("+1234567890123456", "bad_redress_tel"),
        ("+\uff11\uff12025550142", "bad_redress_tel"),
        ("+12025550142\n", "bad_redress_tel"),
        ("", "bad_redress_tel"),
    ],
)
def test_a_number_is_global_and_not_premium(tel, flaw):
    assert flaw == tel_flaw(tel)


@pytest.mark.parametrize("email", ["redress@example.com", "a.b+c@mail.example.co.uk", "x_y'z@example.com"])
def test_a_plain_address_is_sound(email):
    assert email_flaw(email) is None


@pytest.mark.parametrize(
    "email",
    [
        "",
        "redress",
        "@example.com",
        "a@b",
        "a@localhost",
        "a@10.0.0.1",
        "a@[10.0.0.1]",
        "a..b@example.com",
        ".a@example.com",
        "a b@example.com",
        '"a"@example.com',
        "a@example.com?subject=x",
        "a@example.com,b@example.com",
        "x@example.com%0d%0aBcc:all@example.com",
        "x%41@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "mailto:a@example.com",
        "a" * 65 + "@example.com",
    ],
)
def test_any_other_address_is_named(email):
    assert "bad_redress_email" == email_flaw(email)


@pytest.mark.parametrize(
    ("reference", "flaw"),
    [
        ("AB-12_c", None),
        ("a" * 64, None),
        ("a" * 65, "bad_id"),
        ("", "bad_id"),
        ("case#42", "bad_id"),
        ("é", "bad_id"),
        ("a\n", "bad_id"),
    ],
)
def test_a_reference_keeps_to_its_alphabet(reference, flaw):
    assert flaw == id_flaw(reference)
