"""The command line: verbs are found, errors become one line, exit codes are kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from wm_planner import cli
from wm_planner.datasets.lerobot_reader import LeRobotDataset
from wm_planner.errors import ConfigurationError


@pytest.fixture
def verb(monkeypatch):
    """A command whose run can be replaced."""
    module = SimpleNamespace(
        NAME="act", HELP="Acts.", __doc__="Acts.", add_arguments=lambda parser: None, run=None
    )
    monkeypatch.setattr(cli, "find_commands", lambda: {"act": module})
    return module


def test_that_every_verb_has_help(capsys):
    for name in cli.find_commands():
        with pytest.raises(SystemExit) as stop:
            cli.main([name, "--help"])
        assert stop.value.code == 0
        assert name in capsys.readouterr().out


def test_that_our_errors_are_one_line_and_exit_2(verb, capsys):
    def run(args):
        raise ConfigurationError("no such rig")

    verb.run = run
    assert cli.main(["act"]) == 2
    assert capsys.readouterr().err == "wm-planner: no such rig\n"


def test_that_ctrl_c_exits_130(verb, capsys):
    def run(args):
        raise KeyboardInterrupt

    verb.run = run
    assert cli.main(["act"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_that_sigterm_ends_as_ctrl_c_does(verb, capsys):
    ended = []

    def run(args):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10.0)
        except KeyboardInterrupt:
            ended.append("in order")
            raise

    verb.run = run
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["act"]) == 143
    assert ended == ["in order"]
    assert "terminated" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


def test_that_the_exit_code_of_a_verb_is_kept(verb):
    verb.run = lambda args: 1
    assert cli.main(["act"]) == 1
    verb.run = lambda args: None
    assert cli.main(["act"]) == 0


@pytest.mark.slow
def test_that_sigterm_keeps_what_was_collected(tmp_path):
    words = ["collect", "--out", str(tmp_path / "set"), "--tasks", "reach", "--kinds", "stills"]
    command = [sys.executable, "-m", "wm_planner.cli", *words, "--episodes", "5000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for text in iter(lambda: process.stderr.read(1), ""):
            if text == "%":  # the progress bar: collecting has begun
                break
        while not list((tmp_path / "set").rglob("*.parquet")):
            assert process.poll() is None
            time.sleep(0.1)
        process.terminate()
        said = process.stderr.read()
    assert process.returncode == cli.EXIT_TERMINATED, said
    assert "terminated" in said
    assert len(LeRobotDataset(tmp_path / "set")) >= 50
