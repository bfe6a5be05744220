"""What the service manager hears."""

import socket

from monitor.daemon.systemd import notify, watchdog_interval


def test_the_service_manager_is_told_on_its_socket(tmp_path, monkeypatch):
    place = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(place))
        notify("READY=1", "STATUS=watching")
        assert manager.recv(100) == b"READY=1\nSTATUS=watching"


def test_a_service_manager_that_stands_still_holds_nobody_up_who_does_not_wait(tmp_path, monkeypatch):
    place = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place))
        manager.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(place))
        assert notify("READY=1", wait=False)
        taken = 1
        while notify("WATCHDOG=1", wait=False):
            taken += 1
        assert not notify("WATCHDOG=1", wait=False)
        assert [manager.recv(100) for _ in range(taken)].count(b"READY=1") == 1
        assert notify("WATCHDOG=1", wait=False)


def test_nobody_to_tell_is_no_failure(tmp_path, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")


def test_the_watchdog_is_fed_three_times_as_often_as_it_bites(monkeypatch):
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert watchdog_interval() == 10


def test_another_process_s_watchdog_is_not_ours_to_feed(monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_interval() is None
