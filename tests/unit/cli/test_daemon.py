from __future__ import annotations

from pathlib import Path

import pytest

from lispfast.cli import daemon
from lispfast.cli.exits import Exit
from lispfast.model.errors import AlreadyRunningError, HostError, PrivilegeError

GOOD = """
map-resolver = 198.51.100.36
map-server {
    address = 198.51.100.35 key-type = 2
    key     = "very secret"
}
database-mapping {
    eid-prefix = 203.0.113.7/32
    interface  = wlan0
}
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "lispd.conf"
    path.write_text(GOOD)
    return path


@pytest.mark.parametrize("option", ["-c", "-f", "--config"])
def test_a_good_file_has_no_problems(conf: Path, capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert daemon.main([option, str(conf), "--check"]) == Exit.OK
    assert capsys.readouterr().out == "no problems\n"


def test_check_lists_every_problem_at_once_on_standard_output(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf.write_text(GOOD.replace("wlan0", "wlan0\n    prioriti = 3").replace("203.0.113.7/32", "203.0.113.7/33"))
    assert daemon.main(["-c", str(conf), "--check"]) == Exit.CONFIGURATION
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{conf}:8:18", f"{conf}:10:5"]
    assert 'did you mean "priority"?' in lines[1]


def test_a_warning_is_no_error(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf.write_text(GOOD + "nat_traversal_support = on\n")
    assert daemon.main(["-c", str(conf), "--check"]) == Exit.OK
    assert ":11:1: warning: nat_traversal_support is not supported yet" in capsys.readouterr().out


def test_print_config_shows_what_is_in_force_and_no_key(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert daemon.main(["-c", str(conf), "--print-config"]) == Exit.OK
    out = capsys.readouterr().out
    assert "203.0.113.7/32" in out
    assert "very secret" not in out


def test_with_errors_nothing_is_started(
    conf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "_run", lambda settings: pytest.fail("started"))
    conf.write_text(GOOD + "}\n")
    assert daemon.main(["-c", str(conf)]) == Exit.CONFIGURATION
    out, err = capsys.readouterr()
    assert out == ""
    assert "nothing was started or changed" in err.splitlines()[-1]


def test_a_missing_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert daemon.main(["-c", str(tmp_path / "none"), "--check"]) == Exit.CONFIGURATION
    assert capsys.readouterr().out.count("\n") == 1


def test_without_a_configuration_it_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert daemon.main([]) == Exit.USAGE
    assert "lispd-fast -c lispd.conf" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [(PrivilegeError("a", "b"), 4), (AlreadyRunningError("a", "b"), 5), (HostError("a", "b"), 1)],
)
def test_each_refusal_has_its_exit_code_and_one_sentence(
    conf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: HostError, code: int
) -> None:
    def refuse(settings: object) -> None:
        raise error

    monkeypatch.setattr(daemon, "_run", refuse)
    assert daemon.main(["-c", str(conf)]) == code
    assert capsys.readouterr().err == "lispd-fast: a: b\n"
