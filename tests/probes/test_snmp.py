"""Whatever an agent sends, the adapter gives values or a fault that names device, port and remedy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.ids import NodeId
from monitor.core.text import Speech
from monitor.secret import Secret
from probes.access import SnmpAccess
from probes.ber import Malformed, hear
from probes.contract import ProbeFault, Target
from probes.snmp import as_int, as_text, open_snmp
from probes.wire import Credentials

NAME, DESCR = "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.2.2.1.2"
OCTETS, NULL, COUNTER64 = 0x04, 0x05, 0x46


def tell(fault: ProbeFault) -> str:
    speech = Speech("en", lambda text: text)
    return speech.render(fault.text) + ". " + (speech.render(fault.remedy) if fault.remedy else "")


async def read(agent, io, *oids, **access):
    return await (await open_snmp(agent.target(**access), io)).get(oids)


async def walked(agent, io, column=DESCR, **limit):
    return await (await open_snmp(agent.target(), io)).walk(column, **limit)


async def test_objects_are_read_and_absent_ones_left_out(agent, make_io):
    agent.put(NAME, "rtr-mediacontact")
    agent.put("1.3.6.1.2.1.31.1.1.1.6.1", 2**64 - 1, COUNTER64)
    found = await read(agent, make_io(), NAME, "1.3.6.1.2.1.1.99.0", "1.3.6.1.2.1.31.1.1.1.6.1")
    assert found == {NAME: b"rtr-mediacontact", "1.3.6.1.2.1.31.1.1.1.6.1": 2**64 - 1}


async def test_fifty_absent_objects_cost_three_questions(agent, make_io):
    assert await read(agent, make_io(), *(f"1.3.6.1.2.1.99.{n}" for n in range(50))) == {}
    assert len(agent.asked) == 3


async def test_an_answer_too_big_for_the_agent_is_asked_in_halves(agent, make_io):
    agent.most = 300
    oids = [f"1.3.6.1.2.1.99.{n}" for n in range(20)]
    for oid in oids:
        agent.put(oid, "x" * 50)
    assert await read(agent, make_io(), *oids) == dict.fromkeys(oids, b"x" * 50)


async def test_an_answer_too_big_for_us_is_asked_in_smaller_pieces(agent, make_io):
    for n in range(1, 60):
        agent.put(f"{DESCR}.{n}", "x" * 900)
    column = await walked(agent, make_io())
    assert (len(column), column.complete) == (59, True)
    assert len(await read(agent, make_io(), *(f"{DESCR}.{n}" for n in range(1, 20)))) == 19


async def test_one_object_with_a_senseless_value_does_not_hide_the_others(agent, make_io):
    oids = [f"1.3.6.1.2.1.99.{n}" for n in range(10)]
    for oid in oids:
        agent.put(oid, 7)
    agent.put(oids[3], b"\1", 0x40)
    assert await read(agent, make_io(), *oids) == {oid: 7 for oid in oids if oid != oids[3]}


async def test_an_agent_without_up_time_is_read_all_the_same(agent, make_io):
    agent.objects.clear()
    agent.put(NAME, "x")
    assert await read(agent, make_io(), NAME) == {NAME: b"x"}
    assert await read(agent, make_io(), "1.3.6.1.2.1.1.99.0") == {}


@pytest.mark.parametrize("behind", [True, False])
async def test_a_column_is_complete_when_its_end_was_seen(agent, make_io, behind):
    agent.table(DESCR, {n: f"if{n}" for n in range(1, 46)})
    if behind:
        agent.put("1.3.6.1.2.1.2.2.1.3.1", 6)
    column = await walked(agent, make_io())
    assert dict(column) == {str(n): f"if{n}".encode() for n in range(1, 46)}
    assert column.complete


async def test_an_absent_column_is_empty_and_complete(agent, make_io):
    column = await walked(agent, make_io())
    assert (dict(column), column.complete) == ({}, True)


async def test_a_column_cut_by_an_error_is_not_complete(agent, make_io):
    agent.table(DESCR, {n: "x" for n in range(1, 46)})
    pages = []

    def breaks_off(request, answer):
        pages.append(answer)
        return [answer if len(pages) < 3 else agent.message(_request_id(request), [], 5)]

    agent.twist = breaks_off
    column = await walked(agent, make_io())
    assert (len(column), column.complete) == (20, False)


async def test_long_answers_that_never_arrive_are_asked_in_short_ones_and_that_is_remembered(agent, make_io):
    agent.table(DESCR, {n: "x" * 200 for n in range(1, 20)})
    agent.twist = lambda request, answer: [answer] if len(answer) < 1472 else []
    assert (await walked(agent, make_io(2.0))).complete
    agent.asked.clear()
    column = await walked(agent, make_io(2.0))
    assert (len(column), column.complete) == (19, True)
    assert len(agent.asked) == 5


async def test_a_walk_that_goes_in_circles_ends_incomplete(agent, make_io):
    rows = [((1, 3, 6, 1, 2, 1, 2, 2, 1, 2, n), (OCTETS, b"x")) for n in (3, 1, 2)]
    agent.twist = lambda request, answer: [agent.message(_request_id(request), rows)]
    column = await walked(agent, make_io())
    assert (set(column), column.complete) == ({"1", "2", "3"}, False)


async def test_a_walk_without_end_is_a_fault_at_its_limit(agent, make_io):
    agent.table(DESCR, {n: "x" for n in range(1, 100)})
    with pytest.raises(ProbeFault) as caught:
        await walked(agent, make_io(), limit=50)
    assert tell(caught.value).startswith(f"the table {DESCR} of rtr has no end")


async def test_a_lost_datagram_is_asked_for_again(agent, make_io):
    agent.put(NAME, "x")
    agent.twist = lambda request, answer: [answer] if len(agent.asked) > 1 else []
    assert await read(agent, make_io(1.0), NAME) == {NAME: b"x"}


async def test_an_answer_to_another_question_is_not_taken(agent, make_io):
    agent.put(NAME, "right")
    wrong = [((1, 3, 6, 1, 2, 1, 1, 5, 0), (OCTETS, b"wrong"))]
    agent.twist = lambda request, answer: [agent.message(b"\1\2\3", wrong), answer]
    assert await read(agent, make_io(), NAME) == {NAME: b"right"}


@pytest.mark.parametrize(
    ("access", "words"),
    [
        ({"version": "2c"}, ("does not answer SNMP on UDP port", "no agent answers to a wrong one")),
        ({"version": 3, "user": "releve"}, ("does not answer SNMP on UDP port", "its agent is on")),
    ],
)
async def test_silence_is_a_fault_that_names_the_remedy(agent, make_io, access, words):
    agent.twist = lambda request, answer: []
    agent.datagram_received = lambda data, addr: None
    with pytest.raises(ProbeFault) as caught:
        await read(agent, make_io(0.6), NAME, **access)
    said = tell(caught.value)
    assert "rtr" in said
    assert str(agent.port) in said
    assert all(word in said for word in words)


async def test_a_wrong_community_is_silence(agent, make_io):
    with pytest.raises(ProbeFault) as caught:
        await read(agent, make_io(0.6), NAME, community="private")
    assert "community" in tell(caught.value)


async def test_a_port_where_nothing_listens_is_told_at_once(make_io):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lent:
        lent.bind(("127.0.0.1", 0))
        port = lent.getsockname()[1]
    access = SnmpAccess(version="2c", community=Secret("public"), port=port)
    snmp = await open_snmp(Target(NodeId("rtr"), "127.0.0.1", {"snmp": access}), make_io())
    with pytest.raises(ProbeFault) as caught:
        await snmp.get([NAME])
    assert tell(caught.value).startswith(f"nothing listens on UDP port {port} of rtr")


@pytest.mark.parametrize(
    "answers",
    [
        lambda request, answer: [b"\xff" * 40],
        lambda request, answer: [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
        lambda request, answer: [answer[:-3]],
        lambda request, answer: [answer + b"\0"],
        lambda request, answer: [request],
        lambda request, answer: [bytes([0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF])],
        lambda request, answer: [b"\x30" * 2000],
        lambda request, answer: [os.urandom(60_000)],
    ],
)
async def test_what_is_not_snmp_is_a_fault_that_says_so(agent, make_io, answers):
    agent.twist = answers
    with pytest.raises(ProbeFault) as caught:
        await read(agent, make_io(1.0), NAME)
    assert tell(caught.value).startswith(f"rtr sends on UDP port {agent.port} what is not SNMP")


async def test_answers_that_never_fit_the_question_are_told_apart_from_silence(agent, make_io):
    agent.twist = lambda request, answer: [agent.message(b"\1\2\3", [])]
    with pytest.raises(ProbeFault) as caught:
        await read(agent, make_io(0.6), NAME)
    assert "never to what was asked" in tell(caught.value)


async def test_a_panic_of_the_library_is_a_fault(agent, make_io):
    """The second datagram is read by the library without our having seen it."""
    agent.twist = lambda request, answer: [agent.message(b"\1\2\3", []), b"\xff" * 40]
    with pytest.raises(ProbeFault) as caught:
        await read(agent, make_io(1.0), NAME)
    assert "what is not SNMP" in tell(caught.value)


async def test_hundreds_of_hostile_answers_never_raise_anything_but_faults(agent, make_io):
    chance = random.Random(7)
    agent.table(DESCR, {n: f"if{n}" for n in range(1, 9)})

    def mutated(request, answer):
        raw = bytearray(answer)
        for _ in range(chance.choice((1, 2, 5))):
            at = chance.randrange(len(raw))
            raw[at] = chance.choice((0, 1, 0x30, 0x7F, 0x80, 0x82, 0x84, 0xFF, chance.randrange(256)))
        return [bytes(raw)]

    agent.twist = mutated
    for _ in range(150):
        io = make_io(0.1)
        try:
            snmp = await open_snmp(agent.target(), io)
            await snmp.get([f"{DESCR}.1", f"{DESCR}.2"])
            await snmp.walk(DESCR, limit=50)
        except ProbeFault:
            continue


async def test_an_agent_that_comes_back_is_seen_again(agent, make_io):
    agent.put(NAME, "x")
    agent.twist = lambda request, answer: []
    with pytest.raises(ProbeFault):
        await read(agent, make_io(0.5), NAME)
    agent.twist = lambda request, answer: [answer]
    assert await read(agent, make_io(), NAME) == {NAME: b"x"}


async def test_checks_of_one_device_share_a_session_and_take_turns(agent, make_io):
    agent.table(DESCR, {n: f"if{n}" for n in range(1, 30)})
    agent.put(NAME, "x")
    results = await asyncio.gather(*(read(agent, make_io(), NAME) for _ in range(10)), walked(agent, make_io()))
    assert results[:10] == [{NAME: b"x"}] * 10
    assert len(results[10]) == 29


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({"community": None}, "the snmp access of rtr lacks community"),
        ({"version": 3}, "the snmp access of rtr lacks user"),
        ({"version": 3, "user": "u", "priv": "privpass123"}, "the snmp access of rtr lacks auth"),
        ({"version": 3, "user": "u", "auth": "short"}, "the auth password of rtr is too short"),
        ({"community": "env:NO_SUCH_VARIABLE"}, "environment variable NO_SUCH_VARIABLE is not set"),
    ],
)
async def test_credentials_that_cannot_work_are_told_before_anything_is_sent(agent, make_io, access, said):
    with pytest.raises(ProbeFault) as caught:
        await read(agent, make_io(), NAME, **access)
    assert said in tell(caught.value)
    assert agent.asked == []


async def test_a_device_without_snmp_access_is_a_fault(make_io):
    with pytest.raises(ProbeFault) as caught:
        await open_snmp(Target(NodeId("rtr"), "127.0.0.1"), make_io())
    assert "rtr has no snmp access" in tell(caught.value)


async def test_a_name_without_address_is_a_fault(make_io):
    access = SnmpAccess(version="2c", community=Secret("public"))
    with pytest.raises(ProbeFault) as caught:
        await open_snmp(Target(NodeId("rtr"), "no-such-host.invalid", {"snmp": access}), make_io())
    assert "no-such-host.invalid" in tell(caught.value)


def test_secrets_show_nowhere():
    shown = repr(Credentials("s3cret", "user", "s3cret", priv="s3cret"))
    assert "s3cret" not in shown


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"Serveur", "Serveur"),
        ("Thèmes".encode(), "Thèmes"),
        ("Thèmes".encode("cp1252"), "Thèmes"),
        (b"Intel\0", "Intel"),
        (b"a\r\n b\t c ", "a b c"),
        (b"\x1b[2Jx\x07", "[2Jx"),
        ("\u202egpj.exe".encode(), "gpj.exe"),
        ("1.3.6.1.4.1.9", "1.3.6.1.4.1.9"),
        (12, "12"),
        (None, ""),
    ],
)
def test_a_devices_words_become_one_harmless_line(raw, text):
    assert as_text(raw) == text


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (5, 5),
        (b"42", 42),
        (" -3 ", -3),
        (b"\x1c0", 0),
        (b"", None),
        (b"12 V", None),
        ("1.3.6", None),
        (None, None),
        (b"\xff", None),
    ],
)
def test_an_integer_is_read_also_out_of_digits(raw, value):
    assert as_int(raw) == value


@given(st.one_of(st.integers(), st.binary(), st.text(), st.none()))
def test_decoding_never_fails(raw):
    assert as_text(raw).isprintable()
    as_int(raw)


@given(st.binary(max_size=200))
def test_any_datagram_is_walked_without_accident(raw):
    with contextlib.suppress(Malformed):
        hear(raw)


def _request_id(request: bytes) -> bytes:
    at = request.index(b"public") + 8
    return request[at + 2 : at + 2 + request[at + 1]]
