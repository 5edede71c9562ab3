"""Each file under tests/data/scenarios/invalid has one mistake (one has three); its message is pinned to the letter."""

import re
from pathlib import Path

import pytest

from probe.errors import ScenarioError
from probe.scenario.file import load_scenario

INVALID = Path(__file__).parents[1] / "data" / "scenarios" / "invalid"
ENVIRON = {
    "EMPTY": "",
    "TWO_LINES": "hunter3\r\nVia: SIP/2.0/UDP 192.0.2.1",
    "TRUNK_PASSWORD": "hunter2",
    "WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}

# File name to message, without the folder.
MESSAGES = {
    "call_hold_negative": 'FILE:10: call.hold: "-6s" is not a duration; write it as 25s, 500ms, 2h, 10m or 1d.',
    "call_ring_limit_too_long": 'FILE:10: call.ring_limit: "1h" is out of range; write a duration from 1s to 3m.',
    "call_ring_limit_without_unit": (
        'FILE:10: call.ring_limit: "25" is not a duration; write it as 25s, 500ms, 2h, 10m or 1d.'
    ),
    "caller_file_and_label": "FILE:5: callers[0] has a file and more; label and campaign are columns of that file.",
    "caller_file_and_number": "FILE:5: callers[0] needs either a number or a file; write one of the two.",
    "caller_file_column_twice": (
        "column_twice.csv:1: the first line has to name each column once: number,label,campaign."
    ),
    "caller_file_control_character": (
        "control_character.csv:3: label holds a line break or a control character; take it out."
    ),
    "caller_file_duplicate": (
        'duplicate.csv:3: number: "+12025550101" stands on line 5 already; take one of the two out.'
    ),
    "caller_file_missing": (
        'FILE:5: callers[0].file: "no_such_file.csv" cannot be read (No such file or directory); check its '
        "name and rights."
    ),
    "caller_file_no_header": "no_header.csv:1: the first line has to name each column once: number,label,campaign.",
    "caller_file_not_utf8": 'FILE:6: callers[1].file: "not_utf8.csv" is not UTF-8 on line 2; save it as UTF-8.',
    "caller_file_too_many_cells": "too_many_cells.csv:2: the row has 3 cells, not 2; quote a text with a comma.",
    "caller_file_unclosed_quote": (
        "unclosed_quote.csv:2: this is not CSV (unexpected end of data); look at its quotes."
    ),
    "caller_file_unknown_column": 'unknown_column.csv:1: "lable" is not a known column; did you mean label?',
    "caller_file_wrong_number": (
        'wrong_number.csv:3: number: "12025550103" is not a phone number; write it as +12025550101.'
    ),
    "caller_lead_source_blank": ('FILE:6: callers[0].lead_source: " " is empty; write something or take the key out.'),
    "caller_number_in_other_digits": (
        'FILE:5: callers[0].number: "+1202555010٤" is not a phone number; write it as +12025550101.'
    ),
    "caller_number_national": (
        'FILE:5: callers[0].number: "(202) 555-0101" is not a phone number; write it as +12025550101.'
    ),
    "caller_number_too_short": (
        'FILE:5: callers[0].number: "+1202555" is not a phone number; write it as +12025550101.'
    ),
    "caller_twice": 'FILE:6: callers[1].number: "+12025550101" stands on line 5 already; take one of the two out.',
    "caller_without_number": "FILE:5: callers[0] needs either a number or a file; write one of the two.",
    "callers_empty": "FILE:4: callers is empty; list at least one.",
    "callers_entry_is_text": (
        "FILE:5: callers[0] takes a table of keys; write each key and its value on its own line."
    ),
    "callers_is_text": "FILE:4: callers takes a list; write each item on its own line after a hyphen.",
    "callers_missing": "FILE:1: callers is missing; list under it the caller IDs under test.",
    "control_wrong": 'FILE:9: control: "100" is not a phone number; write it as +12025550101.',
    "destination_consent_blank": (
        'FILE:8: destinations[0].consent: " " is empty; write something or take the key out.'
    ),
    "destination_number_in_words": (
        'FILE:7: destinations[0].number: "my mobile" is not a phone number; write it as +12025550101.'
    ),
    "destination_number_wrong": (
        'FILE:7: destinations[0].number: "+1202555" is not a phone number; write it as +12025550101.'
    ),
    "destination_sends_a_broken_reason": (
        'FILE:10: destinations[0].sends.reason: "SIP;cause=603;text=v=analytics1;url=https://example.com/r" '
        "is not the Reason of a 603+; write it as "
        'SIP;cause=603;text="v=analytics1;url=https://example.com/r;id=probe-1";location=RLN.'
    ),
    "destination_sends_another_reason": (
        'FILE:10: destinations[0].sends.reason: "Q.850;cause=21" is not the Reason of a 603+; write it as '
        'SIP;cause=603;text="v=analytics1;url=https://example.com/r;id=probe-1";location=RLN.'
    ),
    "destination_sends_no_reason": "FILE:9: destinations[0].sends.reason is missing; add it.",
    "destination_timezone_outside": (
        'FILE:9: destinations[0].timezone: "../../etc/passwd" is not a time zone; write it as America/New_York.'
    ),
    "destination_timezone_unknown": (
        'FILE:9: destinations[0].timezone: "America/Gotham" is not a time zone; write it as America/New_York.'
    ),
    "destination_twice": (
        'FILE:9: destinations[1].number: "+12025550191" stands on line 7 already; take one of the two out.'
    ),
    "destination_without_consent": "FILE:7: destinations[0].consent is missing; say why this number may be rung.",
    "destinations_missing": "FILE:1: destinations is missing; list under it the numbers that may be rung.",
    "expect_from_caller_twice": (
        "FILE:9: destinations[0].expect_from names one caller twice; take one of the two out."
    ),
    "expect_from_unknown_caller": (
        "FILE:9: destinations[0].expect_from names +12025550109, which is no caller; list it under callers."
    ),
    "expect_from_wrong_number": (
        "FILE:9: destinations[0].expect_from.12025550101 is not a phone number; write it as +12025550101."
    ),
    "expect_key_unknown": "FILE:9: destinations[0].expect.dispositon is not a known key; did you mean disposition?",
    "expect_list_empty": "FILE:9: destinations[0].expect is empty; list at least one.",
    "expect_max_final_with_unit": (
        'FILE:9: destinations[0].expect.max_final_ms: "4s" is not a whole number from 1 to 600000; write one.'
    ),
    "expect_misspelt": 'FILE:9: destinations[0].expect: "anserwed" is not a disposition; did you mean answered?',
    "expect_not_is_a_table": (
        "FILE:9: destinations[0].expect.not takes one disposition or a list of them; write one of the two."
    ),
    "expect_table_empty": "FILE:9: destinations[0].expect is empty; write disposition, not or max_final_ms.",
    "expect_unknown_in_list": (
        'FILE:11: destinations[0].expect[1]: "ringing" is not a disposition; use one of answered, '
        "analytics_blocked, analytics_suspected, subscriber_blocked, provider_blocked, user_declined, "
        "rejected_ambiguous, user_busy, no_answer, unreachable, invalid_number, caller_id_rejected, "
        "trunk_misconfigured, network_failure, media_incompatible, redirected, cancelled, timed_out, "
        "protocol_error, inconclusive."
    ),
    "expect_unknown_in_table": (
        'FILE:10: destinations[0].expect.not: "blocked" is not a disposition; did you mean provider_blocked?'
    ),
    "file_empty": "FILE:1: the file is empty; it needs trunk, callers and destinations.",
    "file_is_a_list": "FILE:1: the file is no table of keys; it needs trunk, callers and destinations.",
    "file_is_one_word": "FILE:1: the file is no table of keys; it needs trunk, callers and destinations.",
    "file_not_utf8": "FILE is not UTF-8 on line 2; save it as UTF-8.",
    "file_of_comments_only": "FILE:1: the file is empty; it needs trunk, callers and destinations.",
    "file_too_large": "FILE is larger than 256 KiB; make it smaller.",
    "file_with_a_forbidden_character": "FILE:8: there is a character that YAML forbids; take it out.",
    "file_with_two_documents": "FILE:9: a second document starts; put each scenario into its own file.",
    "jcard_private_network_with_host_bits": (
        'FILE:11: jcard.private_networks[0]: "10.1.2.3/24" is not a network; write it as 10.1.2.0/24.'
    ),
    "jcard_roots_missing": (
        'FILE:10: jcard.roots: "no_such_file.pem" cannot be read (No such file or directory); check its name '
        "and rights."
    ),
    "jcard_roots_without_certificate": (
        'FILE:10: jcard.roots: "duplicate.csv" holds no certificate; write at least one there, as PEM.'
    ),
    "jcard_without_roots": "FILE:9: jcard.roots is missing; add it.",
    "key_top_twice": "FILE:6: trunk stands on line 1 already; take one of the two out.",
    "key_twice": "FILE:4: trunk.name stands on line 2 already; take one of the two out.",
    "key_unknown": "FILE:4: calers is not a known key; did you mean callers?",
    "key_unknown_far_from_any": (
        "FILE:4: trunk.zzz is not a known key; use one of name, uri, username, auth_username, password, "
        "realm, register, outbound_proxy, identity, from_domain, headers, lines, calls_per_second, tls, srtp, "
        "nat, bind, nameservers."
    ),
    "key_unknown_in_destination": "FILE:9: destinations[0].concent is not a known key; did you mean consent?",
    "key_unknown_in_trunk": "FILE:4: trunk.usrname is not a known key; did you mean username?",
    "limits_calls_per_day_in_words": (
        'FILE:10: limits.calls_per_day: "many" is not a whole number from 1 to 1000000; write one.'
    ),
    "limits_hours_backwards": (
        'FILE:10: limits.hours: "20:00-09:00" is not a span of hours within one day; write it as "09:00-20:00".'
    ),
    "limits_hours_in_words": (
        'FILE:10: limits.hours: "daytime" is not a span of hours within one day; write it as "09:00-20:00".'
    ),
    "limits_is_a_list": "FILE:9: limits takes a table of keys; write each key and its value on its own line.",
    "limits_none_beyond_loopback": (
        "FILE:9: limits is none, but the trunk or its proxy leads beyond this machine; write limits or take "
        "the key out."
    ),
    "limits_none_with_a_proxy_beyond_loopback": (
        "FILE:10: limits is none, but the trunk or its proxy leads beyond this machine; write limits or take "
        "the key out."
    ),
    "limits_other_word": (
        'FILE:9: limits: "unlimited" is neither a table of limits nor the word none; write one of the two.'
    ),
    "limits_rate_of_zero": 'FILE:10: limits.per_caller[0]: "0/1m" is not a rate; write it as 3/15m.',
    "limits_rate_without_window": 'FILE:10: limits.per_caller[0]: "3" is not a rate; write it as 3/15m.',
    "limits_rates_empty": "FILE:10: limits.per_destination is empty; list at least one.",
    "schedule_cron_and_every": "FILE:9: schedule needs cron, every or calendar; write one of the three.",
    "schedule_cron_four_fields": (
        'FILE:10: schedule.cron: "0 9 * *" is not a cron line; write its five fields: minute, hour, day, '
        "month, weekday."
    ),
    "schedule_cron_hour_25": (
        'FILE:10: schedule.cron: "0 25 * * *" has a wrong hour field; use *, 0 to 23, ranges, lists and '
        "steps such as */2."
    ),
    "schedule_cron_weekday_number": (
        'FILE:10: schedule.cron: "0 9 * * 1-5" has a wrong weekday field; use *, mon to sun, ranges, lists '
        "and steps such as */2."
    ),
    "schedule_empty": "FILE:9: schedule needs cron, every or calendar; write one of the three.",
    "schedule_every_too_often": 'FILE:10: schedule.every: "500ms" is out of range; write a duration from 1s to 365d.',
    "schedule_timezone_unknown": (
        'FILE:11: schedule.timezone: "EST5" is not a time zone; write it as America/New_York.'
    ),
    "several_mistakes": (
        'FILE:2: trunk.name: "my trunk" is not a name; use up to 64 letters, digits, dots, hyphens and '
        "underscores.\n"
        'FILE:5: callers[0].number: "+1202555" is not a phone number; write it as +12025550101.\n'
        "FILE:8: destinations[0].concent is not a known key; did you mean consent?"
    ),
    "limits_weekday_unknown": (
        'FILE:10: limits.weekdays[1]: "funday" is not a weekday; use mon, tue, wed, thu, fri, sat and sun.'
    ),
    "limits_weekdays_no_list": "FILE:10: limits.weekdays takes a list; write each item on its own line after a hyphen.",
    "limits_holiday_is_no_date": ('FILE:10: limits.holidays[0]: "2026-02-30" is not a date; write it as 2026-12-25.'),
    "limits_maintenance_without_zone": (
        'FILE:10: limits.maintenance[0]: "2026-11-22T01:00/02:00" is no maintenance '
        "window; write it as 2026-11-22T01:00/02:00 America/New_York."
    ),
    "limits_maintenance_backwards": (
        'FILE:10: limits.maintenance[0]: "2026-11-22T23:00/01:00 UTC" ends before it starts; '
        "if it ends the next day, write that day's date before its end."
    ),
    "limits_spend_without_rate": ("FILE:9: limits names one of spend_per_day and rate_per_minute; name both or none."),
    "limits_spend_with_currency": (
        'FILE:10: limits.spend_per_day: "5 USD" is not an amount; write it as 5, 0.0085 or 12.50, without a currency.'
    ),
    "schedule_retest_too_soon": ('FILE:11: schedule.retest: "1s" is out of range; write a duration from 10s to 1d.'),
    "schedule_calendar_stands_still": (
        "FILE:10: schedule.calendar has no months, weeks or days; write how many lie between two rounds."
    ),
    "schedule_calendar_at_noon": ('FILE:10: schedule.calendar.at: "noon" is not a time of day; write it as "09:30".'),
    "sites_empty": "FILE:9: sites is empty; list at least one.",
    "sites_local": (
        'FILE:9: sites[0]: "local" is not a site; use up to 24 small letters, digits and hyphens, but not local, which '
        "is this machine."
    ),
    "sites_twice": "FILE:1: names a site twice under sites; name each once.",
    "trunk_bind_is_a_name": (
        'FILE:4: trunk.bind: "localhost" is not an IP address; write it as 192.0.2.10 or 2001:db8::10.'
    ),
    "trunk_calls_per_second_exponent": (
        'FILE:4: trunk.calls_per_second: "1e3" is not a number above 0 and up to 100; write one such as 1 or 0.5.'
    ),
    "trunk_calls_per_second_zero": (
        'FILE:4: trunk.calls_per_second: "0" is not a number above 0 and up to 100; write one such as 1 or 0.5.'
    ),
    "trunk_from_domain_with_a_blank": (
        'FILE:4: trunk.from_domain: "my domain" is not a host; write a name such as sbc.example.com or an '
        "address such as 192.0.2.10."
    ),
    "trunk_header_authorization": (
        "FILE:5: trunk.headers.authorization is a header that the user agent writes itself; take it out."
    ),
    "trunk_header_compact": "FILE:5: trunk.headers.f is a header that the user agent writes itself; take it out.",
    "trunk_header_content": (
        "FILE:5: trunk.headers.Content-Type is a header that the user agent writes itself; take it out."
    ),
    "trunk_header_empty": 'FILE:5: trunk.headers.X-Account: "" is empty; write something or take the key out.',
    "trunk_header_identity": (
        "FILE:5: trunk.headers.P-Asserted-Identity carries the caller ID; list it under the key identity."
    ),
    "trunk_header_injected": (
        "FILE:5: trunk.headers.X-Account holds a line break or a control character; take it out."
    ),
    "trunk_header_injected_by_variable": (
        "FILE:5: trunk.headers.X-Account holds a line break or a control character; take it out."
    ),
    "trunk_header_name_injected": (
        'FILE:5: trunk.headers."X-A: 1\\r\\nVia" is not a header name; write it as X-Account.'
    ),
    "trunk_header_name_with_a_blank": (
        'FILE:5: trunk.headers."X Account" is not a header name; write it as X-Account.'
    ),
    "trunk_header_too_long": (
        'FILE:5: trunk.headers.X-Account: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" is '
        "longer than 500 characters; make it shorter."
    ),
    "trunk_header_via": "FILE:5: trunk.headers.Via is a header that the user agent writes itself; take it out.",
    "trunk_headers_a_list": "FILE:4: trunk.headers takes a table; write each name and its value on its own line.",
    "trunk_identity_empty": "FILE:4: trunk.identity is empty; list at least one.",
    "trunk_identity_is_text": ("FILE:4: trunk.identity takes a list; write each item on its own line after a hyphen."),
    "trunk_identity_unknown": (
        'FILE:4: trunk.identity[1]: "p-asserted-id" is not a header for the caller ID; did you mean '
        "p-asserted-identity?"
    ),
    "trunk_is_text": "FILE:1: trunk takes a table of keys; write each key and its value on its own line.",
    "trunk_lines_in_words": 'FILE:4: trunk.lines: "four" is not a whole number from 1 to 256; write one.',
    "trunk_lines_zero": 'FILE:4: trunk.lines: "0" is not a whole number from 1 to 256; write one.',
    "trunk_missing": "FILE:1: trunk is missing; say under it where calls leave.",
    "trunk_name_missing": "FILE:1: trunk.name is missing; add it.",
    "trunk_name_with_a_blank": (
        'FILE:2: trunk.name: "my trunk" is not a name; use up to 64 letters, digits, dots, hyphens and underscores.'
    ),
    "trunk_nameserver_is_a_name": (
        'FILE:4: trunk.nameservers[0]: "dns.example.com" is not a nameserver\'s address; write it as '
        "192.0.2.53 or 192.0.2.53:5353."
    ),
    "trunk_nat_keep_alive": (
        'FILE:4: trunk.nat.keep_alive: "15" is not a duration; write it as 25s, 500ms, 2h, 10m or 1d.'
    ),
    "trunk_nat_public_name": (
        'FILE:4: trunk.nat.public_address: "nat.example.com" is not an IP address; write it as 192.0.2.10 or '
        "2001:db8::10."
    ),
    "trunk_nat_stun_port": (
        'FILE:4: trunk.nat.stun: "stun.example.com:0" has a port outside 1 to 65535; write one inside.'
    ),
    "trunk_password_in_the_file": (
        "FILE:5: trunk.password is a secret, which is never written in the file; write ${NAME} and set NAME "
        "in the environment."
    ),
    "trunk_password_without_username": "FILE:1: trunk has a password but no username; add the username.",
    "trunk_proxy_without_scheme": (
        'FILE:4: trunk.outbound_proxy: "proxy.example.com" is not a SIP URI of a host; write it as '
        "sip:sbc.example.com:5061;transport=tls."
    ),
    "trunk_register_is_maybe": 'FILE:4: trunk.register: "maybe" is neither true nor false; write true or false.',
    "trunk_register_without_username": (
        "FILE:1: trunk has register: true but no username; add the username or take register out."
    ),
    "trunk_tls_certificate_without_key": ("FILE:4: trunk.tls names one of cert_file and key_file; name both or none."),
    "trunk_tls_over_udp": (
        "FILE:1: trunk has the key tls but another transport in its uri; write ;transport=tls or take tls out."
    ),
    "trunk_tls_unverified": (
        'FILE:4: trunk.tls.verify: "no" would let anyone on the way listen in; if that is meant, write '
        "no-anyone-can-listen-in."
    ),
    "trunk_tls_verify_misspelt": ('FILE:4: trunk.tls.verify: "maybe" is neither true nor false; write true or false.'),
    "trunk_uri_bad_address": (
        'FILE:3: trunk.uri: "sip:192.0.2.300" names no host; write it as sip:sbc.example.com or sip:[2001:db8::10].'
    ),
    "trunk_uri_host_with_a_quote": (
        'FILE:3: trunk.uri: "sip:sbc".example.com" names no host; write it as sip:sbc.example.com or '
        "sip:[2001:db8::10]."
    ),
    "trunk_uri_ipv6_without_brackets": (
        'FILE:3: trunk.uri: "sip:2001:db8::10" is not a SIP URI of a host; write it as '
        "sip:sbc.example.com:5061;transport=tls."
    ),
    "trunk_uri_is_a_list": "FILE:3: trunk.uri takes one value, no list and no table.",
    "trunk_uri_missing": "FILE:1: trunk.uri is missing; add it.",
    "trunk_uri_port_too_high": (
        'FILE:3: trunk.uri: "sip:sbc.example.com:70000" has a port outside 1 to 65535; write one inside.'
    ),
    "trunk_uri_sips_over_udp": (
        'FILE:3: trunk.uri: "sips:sbc.example.com;transport=udp" asks for TLS by sips: and for udp at once; '
        "take one of the two out."
    ),
    "trunk_uri_transport_unknown": (
        'FILE:3: trunk.uri: "sip:sbc.example.com;transport=sctp" is not a SIP URI of a host; write it as '
        "sip:sbc.example.com:5061;transport=tls."
    ),
    "trunk_uri_with_a_password": (
        'FILE:3: trunk.uri: "sip:…@sbc.example.com" holds a user name; take it out of the URI and use the '
        "keys username and password."
    ),
    "trunk_uri_with_a_user": (
        'FILE:3: trunk.uri: "sip:…@sbc.example.com" holds a user name; take it out of the URI and use the '
        "keys username and password."
    ),
    "trunk_uri_with_headers": (
        'FILE:3: trunk.uri: "sip:sbc.example.com?Subject=x" names no host; write it as sip:sbc.example.com '
        "or sip:[2001:db8::10]."
    ),
    "trunk_uri_without_scheme": (
        'FILE:3: trunk.uri: "127.0.0.1:5060" is not a SIP URI of a host; write it as '
        "sip:sbc.example.com:5061;transport=tls."
    ),
    "trunk_username_with_a_quote": (
        'FILE:4: trunk.username: "me"" holds a blank or one of "\\<>; a user name and a realm have none of these.'
    ),
    "trunk_srtp_unknown": 'FILE:4: trunk.srtp: "always" is not a choice for SRTP; use one of off, optional, required.',
    "trunk_username_from_a_file": (
        "FILE:4: trunk.username takes no value from a file or the keyring, which only a password or secret does; "
        "write ${NAME}."
    ),
    "trunk_variable_empty": (
        "FILE:4: trunk.username needs the environment variable EMPTY, which is not set or empty; set it and "
        "start again."
    ),
    "trunk_variable_missing": (
        "FILE:4: trunk.username needs the environment variable NOT_SET, which is not set or empty; set it "
        "and start again."
    ),
    "trunk_variable_misspelt": "FILE:4: trunk.username has a ${ that names no environment variable; write ${NAME}.",
    "trunk_variable_unclosed": "FILE:4: trunk.username has a ${ that names no environment variable; write ${NAME}.",
    "trunk_variable_with_a_line_break": (
        "FILE:4: trunk.username holds a line break or a control character; take it out."
    ),
    "webhook_event_unknown": (
        'FILE:12: webhook.events[0]: "call.bloked" is not a webhook event; did you mean call.blocked?'
    ),
    "webhook_remind_of_nothing": (
        "FILE:9: webhook has remind_every but no number.standing_changed among its events; add it there."
    ),
    "webhook_remind_too_often": (
        'FILE:12: webhook.remind_every: "30s" is out of range; write a duration from 1m to 365d.'
    ),
    "webhook_secret_in_the_file": (
        "FILE:11: webhook.secret is a secret, which is never written in the file; write ${NAME} and set NAME "
        "in the environment."
    ),
    "webhook_secret_missing": (
        "FILE:9: webhook.secret is missing; name the variable that holds it, ${WEBHOOK_SECRET}."
    ),
    "webhook_secret_of_another_kind": (
        "FILE:11: webhook.secret is not a webhook secret; set it to whsec_ and 24 to 64 bytes in base64."
    ),
    "webhook_url_of_another_kind": (
        'FILE:10: webhook.url: "ftp://hooks.example.com/x" is not a web address; write it as '
        "https://hooks.example.com/number-health."
    ),
    "webhook_url_with_a_password": (
        "FILE:10: webhook.url holds a password, which is never written in the file; write ${NAME} and set "
        "NAME in the environment."
    ),
    "webhook_url_without_host": (
        'FILE:10: webhook.url: "https:///x" is not a web address; write it as https://hooks.example.com/number-health.'
    ),
    "yaml_alias": ("FILE:8: destinations[0].consent is an anchor or alias (& or *); write the value out or quote it."),
    "yaml_anchor": ("FILE:8: destinations[0].consent is an anchor or alias (& or *); write the value out or quote it."),
    "yaml_bad_escape": "FILE:8: there is an escape for no character; take it out.",
    "yaml_list_as_key": "FILE:8: destinations[0] has a list or a table as a key; a key is one word.",
    "yaml_nested_deeply": "FILE:8: destinations[0] is nested too deeply; a scenario needs no such depth.",
    "yaml_recursive_anchor": ("FILE:6: destinations is an anchor or alias (& or *); write the value out or quote it."),
    "yaml_tab_indent": (
        "FILE:8: this is not YAML (found character '\\t' that cannot start any token); look at the "
        "indentation, colons and quotes here."
    ),
    "yaml_tag": "FILE:8: destinations[0].consent has a YAML tag (!); write the value without it or quote it.",
    "yaml_unclosed_list": (
        "FILE:9: this is not YAML (expected ',' or ']', but got '<stream end>'); look at the indentation, "
        "colons and quotes here."
    ),
    "yaml_unclosed_quote": (
        "FILE:9: this is not YAML (found unexpected end of stream); look at the indentation, colons and quotes here."
    ),
}


def message(name: str) -> str:
    with pytest.raises(ScenarioError) as raised:
        load_scenario(INVALID / f"{name}.yaml", ENVIRON)
    return str(raised.value)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_mistake_is_named_with_file_line_and_key(name):
    assert MESSAGES[name] == message(name).replace(f"{INVALID / name}.yaml", "FILE").replace(f"{INVALID}/", "")


def test_every_invalid_file_has_its_message_pinned():
    assert sorted(path.stem for path in INVALID.glob("*.yaml")) == sorted(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
def test_each_mistake_is_one_line_that_shows_no_secret(name):
    for line in message(name).split("\n"):
        assert line.isprintable()
        assert re.search(r"[.?]\Z", line)
        assert "hunter" not in line
        assert "aHVudGVyMg" not in line


def test_twenty_mistakes_are_named_and_the_others_counted(tmp_path):
    path = tmp_path / "many.yaml"
    path.write_text("trunk: x\ncallers: x\ndestinations:\n" + "  - x\n" * 30)
    with pytest.raises(ScenarioError) as raised:
        load_scenario(path, {})
    assert [f"{path}: 12 more mistakes follow."] == str(raised.value).split("\n")[20:]
