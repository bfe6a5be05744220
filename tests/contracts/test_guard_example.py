"""The example of the guard's file is one that it takes."""

from __future__ import annotations

from monitor.cli.guard_file import guarding


def test_the_example_is_taken_as_it_stands_and_so_is_the_line_that_is_off(project, tmp_path):
    text = (project / "packaging" / "guard.yaml").read_text("utf-8")
    path = tmp_path / "guard.yaml"
    for written in (text, text.replace("#watchdog:", "watchdog:").replace("stops_within: 45s", "stops_within: 55s")):
        path.write_text(written, "utf-8")
        path.chmod(0o600)
        known, language, problems = guarding(path)
        assert problems == ()
        assert language == "fr"
        assert known is not None
        assert [target.name for target in known.plans[0].targets] == ["dialler", "onnet"]
    assert known.watchdog == 10
