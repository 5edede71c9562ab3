"""How each call ends, against far ends that say what no stack would say."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent.conftest import agent_on, place, request, said, trunk, within
from agent.far_end import FarEnd, answer, bye, reply

from probe.call import CallRecord, Ending
from probe.sip import Request, read_conversation


def ringing(asked: Request) -> Iterator[bytes]:
    """Rings for ever, and takes a CANCEL."""
    if asked.method == "INVITE":
        yield reply(asked, "100 Trying")
        yield reply(asked, "180 Ringing")
    elif asked.method == "CANCEL":
        yield reply(asked, "200 OK")
        yield reply(asked, "487 Request Terminated").replace(b"CANCEL", b"INVITE")


def silent(_: Request) -> Iterator[bytes]:
    return iter(())


def test_a_ring_limit_sends_cancel_in_time_and_keeps_the_487():
    with FarEnd(ringing) as far:
        record = place(trunk(far.port), ring_limit_ms=600)

    assert Ending.RING_LIMIT == record.ending
    assert ["INVITE", "100 Trying", "180 Ringing", "CANCEL", "200 OK", "487 Request Terminated", "ACK"] == said(record)
    assert 600 <= next(m.at_ms for m in record.messages if m.raw.startswith(b"CANCEL")) <= 900


def test_a_final_response_that_crosses_our_cancel_stands():
    def declines_a_cancel(asked: Request) -> Iterator[bytes]:
        if asked.method == "CANCEL":
            yield reply(asked, "603 Decline").replace(b"CANCEL", b"INVITE")
            yield reply(asked, "200 OK")
        elif asked.method == "INVITE":
            yield reply(asked, "180 Ringing")

    with FarEnd(declines_a_cancel) as far:
        record = place(trunk(far.port), ring_limit_ms=300)

    assert Ending.REFUSED == record.ending
    assert ["CANCEL", "603 Decline", "ACK"] == said(record)[2:5]


def test_an_answer_that_crosses_our_cancel_is_ended_by_bye():
    def answers_a_cancel(asked: Request) -> Iterator[bytes]:
        if asked.method == "CANCEL":
            yield reply(asked, "200 OK")
            yield answer(far.requests("INVITE")[0], far.port)
        elif asked.method == "INVITE":
            yield reply(asked, "180 Ringing")
        elif asked.method == "BYE":
            yield reply(asked, "200 OK")

    with FarEnd(answers_a_cancel) as far:
        record = place(trunk(far.port), ring_limit_ms=300)
        far.wait_for("ACK")
        far.wait_for("BYE")

    assert Ending.ANSWERED == record.ending


def test_the_first_of_two_finals_stands():
    def twice(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE":
            yield reply(asked, "486 Busy Here")
            yield reply(asked, "603 Decline")

    with FarEnd(twice) as far:
        record = place(trunk(far.port))

    final = read_conversation(record.messages).final
    assert final is not None
    assert (Ending.REFUSED, 486) == (record.ending, final.status)


def test_a_final_before_100_trying_is_taken():
    def backwards(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE":
            yield reply(asked, "603 Decline")
            yield reply(asked, "100 Trying")

    with FarEnd(backwards) as far:
        record = place(trunk(far.port))

    assert (Ending.REFUSED, ["INVITE", "603 Decline", "ACK"]) == (record.ending, said(record)[:3])


def test_a_redirect_is_a_result_and_is_not_followed():
    def redirects(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE":
            yield reply(asked, "302 Moved Temporarily", f"Contact: <sip:other@127.0.0.1:{far.port}>")

    with FarEnd(redirects) as far:
        record = place(trunk(far.port))

    assert (Ending.REFUSED, ["INVITE", "302 Moved Temporarily", "ACK"]) == (record.ending, said(record))


def test_retransmissions_are_kept():
    def slow(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE" and len(far.requests("INVITE")) > 1:
            yield reply(asked, "603 Decline")

    with FarEnd(slow) as far:
        record = place(trunk(far.port))

    assert ["INVITE", "INVITE", "603 Decline", "ACK"] == said(record)
    assert 450 <= record.messages[1].at_ms <= 650


def test_silence_has_messages_and_no_response_and_ends_early():
    with FarEnd(silent) as far:
        began = time.monotonic()
        record = place(trunk(far.port), ring_limit_ms=700)
        took = time.monotonic() - began

    assert (Ending.NO_RESPONSE, "not one answer within 0.7 s") == (record.ending, record.detail)
    assert {"INVITE"} == set(said(record))
    assert took < 2.5  # the start of the agent included


def test_a_phone_that_rings_after_we_gave_up_is_cancelled():
    async def give_up(far: FarEnd) -> CallRecord:
        async with agent_on(trunk(far.port)) as agent:
            record = await agent.place(request(ring_limit_ms=300))
            far.say(reply(far.requests("INVITE")[0], "180 Ringing"))
            await asyncio.to_thread(far.wait_for, "CANCEL")
            return record

    with FarEnd(silent) as far:
        record = within(10, give_up(far))

    assert Ending.NO_RESPONSE == record.ending


def test_the_ghost_of_a_call_does_not_keep_others_from_their_line():
    def first_is_silent(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE" and "0199" not in asked.uri:
            yield reply(asked, "603 Decline")

    async def two(far: FarEnd) -> list[Ending]:
        async with agent_on(trunk(far.port, lines=1)) as agent:
            first = await agent.place(request(ring_limit_ms=300))
            second = await agent.place(request("+12025550120"))
            return [first.ending, second.ending]

    with FarEnd(first_is_silent) as far:
        assert [Ending.NO_RESPONSE, Ending.REFUSED] == within(10, two(far))


PARENT = """
import asyncio, sys
from agent.conftest import request, trunk
from probe.agent.pool import Agent

async def main():
    await Agent(trunk(int(sys.argv[1]))).place(request(ring_limit_ms=int(sys.argv[2])))
    print("placed", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def _parent(port: int, ring_limit_ms: int) -> "subprocess.Popen[bytes]":
    here = Path(__file__).parents[1]
    paths = os.pathsep.join((str(here), str(here.parent)))
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, str(port), str(ring_limit_ms)],
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
    )


def test_a_killed_parent_leaves_no_phone_ringing():
    with FarEnd(ringing) as far, _parent(far.port, 20_000) as parent:
        far.wait_for("INVITE", 10)
        parent.kill()
        parent.wait()

        far.wait_for("CANCEL", 2)
        far.wait_for("ACK", 2)


def test_a_phone_that_rings_after_the_parent_was_killed_is_cancelled():
    with FarEnd(silent) as far, _parent(far.port, 200) as parent:
        assert parent.stdout is not None
        assert b"placed\n" == parent.stdout.readline()
        parent.kill()
        parent.wait()
        far.say(reply(far.requests("INVITE")[0], "180 Ringing"))

        far.wait_for("CANCEL", 2)


def test_an_answered_call_is_held_with_rtp_both_ways_and_ended_by_bye():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        media.bind(("127.0.0.1", 0))
        media.settimeout(5)

        def answers(asked: Request) -> Iterator[bytes]:
            if asked.method == "INVITE":
                yield answer(asked, far.port, media.getsockname()[1])
            elif asked.method == "ACK":
                packet, peer = media.recvfrom(2_000)
                for _ in range(10):
                    media.sendto(packet, peer)
            elif asked.method == "BYE":
                yield reply(asked, "200 OK")

        with FarEnd(answers) as far:
            record = place(trunk(far.port), hold_ms=1_000)

    assert (Ending.ANSWERED, ["INVITE", "200 OK", "ACK", "BYE", "200 OK"]) == (record.ending, said(record))
    assert record.media is not None
    assert "PCMU" == record.media.codec
    assert 40 <= record.media.rtp_sent <= 60  # 50 a second
    assert record.media.rtp_received >= 1
    assert 1_000 <= record.messages[3].at_ms - record.messages[1].at_ms <= 1_200


def test_the_reason_of_a_bye_from_the_far_end_is_kept():
    def hangs_up(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE":
            yield answer(asked, far.port)
        elif asked.method == "ACK":
            yield bye(far.requests("INVITE")[0], 'Reason: SIP;cause=607;text="Unwanted"')

    with FarEnd(hangs_up) as far:
        record = place(trunk(far.port), hold_ms=3_000)

    assert (Ending.ANSWERED, ["INVITE", "200 OK", "ACK", "BYE", "200 OK"]) == (record.ending, said(record))
    assert record.media is not None
    assert [607] == [reason.cause for reason in read_conversation(record.messages).bye_reasons]


def test_a_refer_within_a_call_rings_nobody():
    def refers(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE":
            yield answer(asked, far.port)
        elif asked.method == "ACK" and not far.requests("BYE"):
            other = f"Refer-To: <sip:+12025550177@127.0.0.1:{far.port}>"
            yield bye(far.requests("INVITE")[0], other, method="REFER")
        elif asked.method == "BYE":
            yield reply(asked, "200 OK")

    with FarEnd(refers) as far:
        record = place(trunk(far.port), hold_ms=600)
        refused = far.wait_for_text(b"SIP/2.0 403")

    assert b"CSeq: 7 REFER" in refused
    assert 1 == len(far.requests("INVITE"))
    assert Ending.ANSWERED == record.ending


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "SUBSCRIBE", "REFER", "OPTIONS"])
def test_a_request_from_outside_does_no_harm(method: str):
    def calls_back(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE":
            yield reply(asked, "180 Ringing")
            outside = bye(asked, "Refer-To: <sip:x@127.0.0.1:9>", "Event: presence", method=method)
            yield outside.replace(b"Call-ID: ", b"Call-ID: other-").replace(
                f"To: {asked.header('From')}".encode(), b"To: <sip:probe@127.0.0.1>"
            )
        elif asked.method == "CANCEL":
            yield reply(asked, "200 OK")
            yield reply(asked, "487 Request Terminated").replace(b"CANCEL", b"INVITE")

    with FarEnd(calls_back) as far:
        record = place(trunk(far.port), ring_limit_ms=500)
        answers = [raw for raw in far.heard if b"CSeq: 7 " in raw and not raw.startswith(b"SIP/2.0 100")]

    assert Ending.RING_LIMIT == record.ending
    assert 1 == len(far.requests("INVITE"))
    if method == "INVITE":
        assert answers[0].startswith(b"SIP/2.0 403 Forbidden")


def test_stop_cancels_what_rings_and_places_nothing_new():
    async def stop(far: FarEnd) -> tuple[CallRecord, CallRecord, float]:
        async with agent_on(trunk(far.port, lines=1)) as agent:
            call = asyncio.create_task(agent.place(request(ring_limit_ms=20_000)))
            waiting = asyncio.create_task(agent.place(request(ring_limit_ms=20_000)))
            await asyncio.to_thread(far.wait_for, "INVITE")
            began = time.monotonic()
            agent.stop()
            return await call, await waiting, time.monotonic() - began

    with FarEnd(ringing) as far:
        record, unplaced, took = within(10, stop(far))

    assert (Ending.STOPPED, Ending.STOPPED) == (record.ending, unplaced.ending)
    assert "CANCEL" in said(record)
    assert () == unplaced.messages
    assert 1 == len(far.requests("INVITE"))
    assert took < 1.5


def test_stop_waits_for_no_far_end_that_ignores_cancel():
    def ignores(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE":
            yield reply(asked, "180 Ringing")

    async def stop(far: FarEnd) -> tuple[CallRecord, float]:
        async with agent_on(trunk(far.port)) as agent:
            call = asyncio.create_task(agent.place(request(ring_limit_ms=20_000)))
            await asyncio.to_thread(far.wait_for, "INVITE")
            began = time.monotonic()
            agent.stop()
            return await call, time.monotonic() - began

    with FarEnd(ignores) as far:
        record, took = within(10, stop(far))

    assert Ending.STOPPED == record.ending
    assert took < 1.5


def test_stop_ends_an_answered_call_by_bye():
    def answers(asked: Request) -> Iterator[bytes]:
        if asked.method == "INVITE":
            yield answer(asked, far.port)
        elif asked.method == "BYE":
            yield reply(asked, "200 OK")

    async def stop(far: FarEnd) -> CallRecord:
        async with agent_on(trunk(far.port)) as agent:
            call = asyncio.create_task(agent.place(request(hold_ms=20_000)))
            await asyncio.to_thread(far.wait_for, "ACK")
            agent.stop()
            return await call

    with FarEnd(answers) as far:
        record = within(10, stop(far))

    assert (Ending.ANSWERED, ["BYE", "200 OK"]) == (record.ending, said(record)[-2:])


def test_a_child_that_is_killed_costs_its_calls_and_no_others():
    async def kill(far: FarEnd) -> tuple[int, list[CallRecord], CallRecord]:
        async with agent_on(trunk(far.port, lines=8)) as agent:
            calls = [asyncio.create_task(agent.place(request(ring_limit_ms=2_000))) for _ in range(5)]
            await asyncio.to_thread(far.wait_for, "INVITE", count=5)
            victim = agent._children[0]
            held = len(victim.calls)
            victim._process.send_signal(signal.SIGABRT)
            return held, list(await asyncio.gather(*calls)), await agent.place(request(ring_limit_ms=300))

    with FarEnd(ringing) as far:
        held, records, following = within(15, kill(far))

    lost = [record for record in records if record.ending is Ending.AGENT_FAILED]
    assert (held, 5 - held) == (len(lost), [record.ending for record in records].count(Ending.RING_LIMIT))
    assert all("died during the call" in (record.detail or "") for record in lost)
    assert Ending.RING_LIMIT == following.ending


def test_an_idle_child_that_died_costs_no_call():
    async def kill(far: FarEnd) -> CallRecord:
        async with agent_on(trunk(far.port)) as agent:
            await agent.open()
            agent._children[0]._process.kill()
            await agent._children[0].gone()
            return await agent.place(request(ring_limit_ms=300))

    with FarEnd(ringing) as far:
        assert Ending.RING_LIMIT == within(10, kill(far)).ending


def test_a_child_that_hangs_is_killed_and_replaced():
    async def hang(far: FarEnd) -> tuple[CallRecord, CallRecord]:
        async with agent_on(trunk(far.port, lines=1)) as agent:
            await agent.open()
            agent._children[0]._process.send_signal(signal.SIGSTOP)
            hung = await agent.place(request(ring_limit_ms=300))
            return hung, await agent.place(request(ring_limit_ms=300))

    with FarEnd(ringing) as far:
        hung, following = within(10, hang(far))

    assert (Ending.AGENT_FAILED, "The SIP user agent hung and was killed.") == (hung.ending, hung.detail)
    assert Ending.RING_LIMIT == following.ending
