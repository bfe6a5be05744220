"""The modem's outbox: what lies in it, what is withdrawn, and what is recognised after a crash."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from alerts.gammu import file_name, send_sms
from alerts.parcel import Receipt, TransportError

NUMBER = "+237 6 00.00-00(00)"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    for name in ("outbox", "sent", "error"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def modem(spool: Path) -> Iterator[Callable[[str], None]]:
    """Return `modem(folder)`: from then on, what lies whole in the outbox is moved to `folder`, as gammu-smsd does."""
    stop, workers = threading.Event(), []

    def work(folder: str) -> None:
        while not stop.wait(0.02):
            for file in (spool / "outbox").glob("OUT*.txt"):
                file.rename(spool / folder / file.name)

    def start(folder: str) -> None:
        worker = threading.Thread(target=work, args=(folder,))
        workers.append(worker)
        worker.start()

    yield start
    stop.set()
    for worker in workers:
        worker.join()


def test_the_file_is_named_as_the_daemon_reads_it_and_short_enough(parcel):
    name = file_name(parcel(address=NUMBER))
    assert name.startswith("OUTA20261122_130507_00_+237600000000_")
    assert name.endswith(".txt")
    assert len(name) < 100
    assert name.split("_")[3] == "+237600000000"
    assert name == file_name(parcel(address=NUMBER))


def test_what_the_modem_sent_is_a_receipt(parcel, spool, modem):
    modem("sent")
    assert send_sms(f"gammu:{spool}", parcel(address=NUMBER)) == Receipt("gammu-smsd: OK")
    (file,) = (spool / "sent").iterdir()
    assert file.read_bytes().decode("utf-16") == "Releve 26-0042 : arrêt"


def test_a_second_attempt_of_what_was_sent_sends_nothing(parcel, spool, modem):
    modem("sent")
    send_sms(f"gammu:{spool}", parcel(address=NUMBER))
    assert send_sms(f"gammu:{spool}", parcel(address=NUMBER)) == Receipt("gammu-smsd: OK")
    assert len(list((spool / "sent").iterdir())) == 1


def test_what_the_modem_could_not_send_is_tried_again(parcel, spool, modem):
    modem("error")
    for _ in range(2):
        with pytest.raises(TransportError, match="could not send") as caught:
            send_sms(f"gammu:{spool}", parcel(address=NUMBER))
        assert (caught.value.permanent, caught.value.ours) == (False, False)


def test_what_nobody_takes_is_withdrawn(parcel, spool):
    with pytest.raises(TransportError, match="does it run") as caught:
        send_sms(f"gammu:{spool}?wait=100ms", parcel(address=NUMBER))
    assert not caught.value.permanent
    assert list((spool / "outbox").iterdir()) == []


@pytest.mark.parametrize("address", ["", "awa", "+23760000000000000", "12", "+237_6/../x"])
def test_what_is_no_number_is_refused_for_good(parcel, spool, address):
    with pytest.raises(TransportError) as caught:
        send_sms(f"gammu:{spool}", parcel(address=address))
    assert caught.value.permanent
    assert list((spool / "outbox").iterdir()) == []


@pytest.mark.parametrize(
    "url", ["gammu:/nowhere", "gammu:spool", "gammu://host/spool", "gammu:/x?wait=10", "gammu:/x?y=1"]
)
def test_a_url_that_leads_nowhere_is_ours_to_mend(parcel, url):
    with pytest.raises(TransportError) as caught:
        send_sms(url, parcel(address=NUMBER))
    assert (caught.value.permanent, caught.value.ours) == (False, True)


def test_an_outbox_that_cannot_be_written_is_named(parcel, spool):
    packed = parcel(address=NUMBER)
    (spool / "outbox" / f".{file_name(packed)}").mkdir()
    with pytest.raises(TransportError, match="cannot write") as caught:
        send_sms(f"gammu:{spool}", packed)
    assert caught.value.ours
