"""A notice as a mail message: threads, languages, and no header that somebody else wrote."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.invitation import Meeting, Method, invitation
from alerts.letter import address_of, letter, one_line
from alerts.mail_url import parse_url
from alerts.notice import Audience, NoticeKey, Step
from alerts.parcel import Parcel, TransportError
from monitor.core.ids import IncidentId

SERVER = parse_url("mailto://localhost?from=noc@example.org")
HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
    "X-Auto-Response-Suppress", "Content-Language", "X-Releve-Key", "X-Releve-Audit", "Content-Type", "MIME-Version",
}  # fmt: skip


def plain_date() -> datetime:
    return datetime(2026, 11, 22, 14, 15, tzinfo=UTC)


def received(parcel: Parcel) -> EmailMessage:
    raw = letter(parcel, SERVER).as_bytes()
    assert raw.isascii()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_the_headers_say_who_what_when_and_that_a_machine_wrote(parcel):
    message = received(parcel(audit_head="ab" * 32))
    assert str(message["From"]) == "Média Contact <noc@example.org>"
    assert str(message["To"]) == "Awa Ndiaye <awa@example.org>"
    assert str(message["Subject"]) == "[Relève] 26-0042 Arrêt d’un service"
    assert message["Date"].datetime.isoformat() == "2026-11-22T13:05:07+00:00"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Releve-Key"] == "26-0042/internal/update/3/awa"
    assert message["X-Releve-Audit"].strip() == "ab" * 32
    assert message["Content-Language"] == "fr"


@pytest.mark.parametrize("method", Method)
def test_an_invitation_is_a_part_that_mail_programs_answer(parcel, method):
    plain = parcel().notice.message
    meeting = Meeting("u@x", plain_date(), "Conférence", "Mots", "+237 000", [("Awa", "awa@example.org")])
    calendar = invitation(meeting, method, plain_date())
    message = received(parcel(message=replace(plain, calendar=calendar)))
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html", "text/calendar"]
    part = list(message.walk())[-1]
    assert part.get_param("method") == method.value
    assert 'ORGANIZER;CN="Média Contact":mailto:noc@example.org' in part.get_content().replace("\r\n ", "")


def test_text_and_html_arrive_as_they_were_written(parcel):
    packed = parcel()
    message = received(packed)
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == packed.notice.message.text
    assert html.get_content().strip() == packed.notice.message.html


def test_a_second_attempt_gives_the_same_message_id_and_date(parcel):
    first, second = received(parcel()), received(parcel())
    assert (first["Message-ID"], first["Date"]) == (second["Message-ID"], second["Date"])


def test_the_messages_of_an_incident_to_one_reader_are_one_thread(parcel):
    first = NoticeKey(IncidentId("26-0042"), Audience.INTERNAL, Step.FIRST_NOTICE, 1, "awa")
    root = received(parcel(key=first, message_id=first.message_id("douala"), in_reply_to=first.thread_id("douala")))
    follow = received(parcel())
    assert root["In-Reply-To"] is None
    assert follow["In-Reply-To"] == follow["References"] == root["Message-ID"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it makes a new parcel each time
@given(subject=st.text(max_size=60), person=st.text(max_size=60), site=st.text(max_size=60))
def test_no_words_become_a_header(parcel, subject, person, site):
    packed = parcel()
    notice = replace(packed.notice, message=replace(packed.notice.message, subject=f"{subject}\r\nBcc: x@example.org"))
    message = received(replace(packed, notice=notice, recipient_name=f"{person}\nBcc: x", site_name=f"{site}\rBcc: x"))
    assert set(message.keys()) <= HEADERS
    assert message["To"].addresses[0].addr_spec == "awa@example.org"
    assert len(message["To"].addresses) == len(message["From"].addresses) == 1


@pytest.mark.parametrize(
    "address",
    [
        "awa", "awa@", "@example.org", "", "a@b\r\nBcc: c@d", "a@b\nc", "a b@example.org", "<a@b>", "a@b,c@d", "a@b>",
        "a\x00@b",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_for_good(parcel, address):
    with pytest.raises(TransportError) as caught:
        letter(parcel(address=address), SERVER)
    assert caught.value.permanent


def test_a_sender_that_is_no_address_is_ours_to_mend(parcel):
    with pytest.raises(TransportError) as caught:
        letter(parcel(), parse_url("mailto://localhost?from=nobody"))
    assert caught.value.ours
    assert not caught.value.permanent


def test_an_international_domain_is_written_in_its_ascii_form():
    assert address_of("awa@téléphonie.example") == "awa@xn--tlphonie-b1ab.example"


def test_our_people_read_that_the_state_is_not_written_and_the_client_does_not(parcel):
    client = NoticeKey(IncidentId("26-0042"), Audience.CLIENT, Step.UPDATE, 3, "att")
    for key, told in ((None, True), (client, False)):
        packed = parcel(unwritten=True) if key is None else parcel(unwritten=True, key=key)
        for part in ("plain", "html"):
            body = received(packed).get_body((part,))
            assert body is not None
            assert ("ne peut pas écrire son état" in body.get_content()) == told


@given(st.text())
def test_one_line_is_one_line(text):
    assert one_line(text).isprintable()


WORDS = ["Relève", "données", "coupée", "ou", "(nuit)", "à", "l’étage", "tél,", "[ESSAI]", "26-0003", "SI", "résolu"]


@given(st.lists(st.sampled_from(WORDS), min_size=1).map(" ".join))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_space_is_lost_or_won_on_the_way(parcel, words):
    packed = parcel(message=replace(parcel().notice.message, subject=words))
    raw = letter(replace(packed, recipient_name=f"Zoé {words}"), SERVER).as_bytes()
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    assert max(len(line) for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n")) <= 78
    assert decoded(message["Subject"]) == words
    # The parser of email.policy.default puts a space between encoded words of a name, which RFC 2047 (6.2) forbids.
    name, address = parseaddr(message["To"].replace("\r\n", ""))
    assert (decoded(name), address) == (f"Zoé {words}", "awa@example.org")


def decoded(header: str) -> str:
    return str(make_header(decode_header(header))).replace("\n", "")
