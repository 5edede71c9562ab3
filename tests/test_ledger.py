"""Calls come one by one and are written together; no call under way waits for the store."""

import asyncio
import threading

import pytest
from placed import START, answered

from probe.call import Card, CardState
from probe.errors import StoreError
from probe.ledger import Ledger, Together


class Disk:
    """A store that notes what it is given at once, and that takes it when it is let."""

    def __init__(self):
        self.groups, self.free, self.trouble = [], threading.Event(), None
        self.given = threading.Event()
        self.free.set()

    async def is_given_some(self):
        assert await asyncio.to_thread(self.given.wait, 10)

    def take(self, items):
        self.groups.append(list(items))
        self.given.set()
        assert self.free.wait(10)
        if self.trouble:
            raise self.trouble
        return [() for _ in items]

    finish_all = admit_all = take
    refuse = standings = tallies = begin_round = finish_round = None


def told(_changes, _calls):
    return ()


def ended(number):
    return answered(id=f"call-{number}", plan_key=f"plan-{number}")


def test_what_comes_while_one_is_written_goes_into_the_next():
    disk = Disk()

    async def go():
        together = Together(disk.take)
        disk.free.clear()
        asked = [asyncio.create_task(together.ask(0))]
        await disk.is_given_some()
        asked += [asyncio.create_task(together.ask(number)) for number in range(1, 8)]
        await asyncio.sleep(0)
        disk.free.set()
        await asyncio.gather(*asked)

    asyncio.run(go())
    assert [[0], [1, 2, 3, 4, 5, 6, 7]] == disk.groups


def test_nobody_waits_for_the_disk_but_those_who_asked():
    disk = Disk()

    async def go():
        ledger = Ledger(disk)
        disk.free.clear()
        asking = asyncio.create_task(ledger.finish(ended(1), told, None))
        await disk.is_given_some()  # which the loop goes on to hear of
        assert not asking.done()
        disk.free.set()
        return await asking

    assert () == asyncio.run(go())


def test_one_who_stops_waiting_harms_no_other():
    disk = Disk()

    async def go():
        together = Together(disk.take)
        disk.free.clear()
        first, second = (asyncio.create_task(together.ask(number)) for number in (1, 2))
        await disk.is_given_some()
        first.cancel()
        disk.free.set()
        return await second

    assert () == asyncio.run(go())


def test_each_of_a_group_hears_that_it_could_not_be_written():
    disk = Disk()
    disk.trouble = StoreError("the disk is full")

    async def go():
        ledger = Ledger(disk)
        return await asyncio.gather(
            *(ledger.finish(ended(number), told, None) for number in range(3)), return_exceptions=True
        )

    assert ["the disk is full"] * 3 == [str(error) for error in asyncio.run(go())]


def test_what_cannot_be_written_is_kept_and_written_before_anything_is_let_in():
    disk, heard = Disk(), []
    disk.trouble = StoreError("the disk is full")

    async def go():
        ledger = Ledger(disk, heard.append)
        assert () == await ledger.finish(ended(1), told, None)
        with pytest.raises(StoreError):
            await ledger.admit("request", "now", "gate", None)
        disk.trouble = None
        disk.groups.clear()
        await ledger.admit("request", "now", "gate", None)

    asyncio.run(go())
    assert [disk.trouble is None, 1] == [True, len(heard)]
    assert ["call-1", "request"] == [
        group[0][0].record.request.id if hasattr(group[0][0], "record") else group[0][0] for group in disk.groups
    ]


CARD = Card(uri="https://block.example.net/jws", at=START, state=CardState.UNVERIFIED, why="nobody answered")


class FullDisk(Disk):
    def keep_card(self, _call_id, _card):
        raise StoreError("the disk is full")


def test_a_card_that_cannot_be_written_is_told_and_stops_nothing():
    told_of = []
    asyncio.run(Ledger(FullDisk(), told_of.append).keep_card("call-1", CARD))
    assert ["the disk is full"] == list(map(str, told_of))
    with pytest.raises(StoreError, match="the disk is full"):
        asyncio.run(Ledger(FullDisk()).keep_card("call-1", CARD))
