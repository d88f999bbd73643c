"""Finding and installing Prometheus and Alertmanager, with small scripts in place of the programs."""

from __future__ import annotations

import os
import stat
import subprocess
from typing import TYPE_CHECKING

import pytest

from rampgate import doctor
from rampgate.install import monitoring_programs
from rampgate.install.monitoring_programs import find_programs, install_programs
from rampgate.io.browser_tools import Found, Missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def program(path: Path, says: str) -> Path:
    """A program that knows its version and nothing else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


class Apt:
    """A machine whose apt installs both programs; notes its commands, and the policy during each."""

    def __init__(self, root: Path, *, works: bool = True) -> None:
        self.root = root
        self.works = works
        self.commands: list[str] = []
        self.policies: list[str] = []
        self.environ = {"PATH": str(root / "bin"), "HOME": str(root)}
        program(root / "bin" / "apt-get", "apt 2.6.1")

    def __call__(
        self, command: Sequence[str], *, timeout_s: float, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Do what apt would."""
        assert 0 < timeout_s <= 900
        line = " ".join(command)
        self.commands.append(line)
        if " install " not in line:
            return subprocess.CompletedProcess(list(command), 0, "", "")
        assert env["DEBIAN_FRONTEND"] == "noninteractive"
        policy = self.root / "sbin" / "policy-rc.d"
        assert stat.S_IMODE(policy.stat().st_mode) == 0o755
        self.policies.append(policy.read_text(encoding="utf-8"))
        if not self.works:
            return subprocess.CompletedProcess(list(command), 100, "", "E: Unable to fetch some archives")
        program(self.root / "bin" / "prometheus", "prometheus, version 2.42.0+ds (branch: x)")
        program(self.root / "bin" / "prometheus-alertmanager", "alertmanager, version 0.25.0 (branch: x)")
        return subprocess.CompletedProcess(list(command), 0, "", "")


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    """A Debian without the programs, where we are root."""
    (tmp_path / "sbin").mkdir()
    monkeypatch.setattr(monitoring_programs, "_POLICY", tmp_path / "sbin" / "policy-rc.d")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return Apt(tmp_path)


def sbin(apt: Apt) -> dict[str, str]:
    """The files beside the policy, and the policy."""
    return {path.name: path.read_text(encoding="utf-8") for path in (apt.root / "sbin").iterdir()}


def test_root_installs_both_without_starting_a_service(apt: Apt) -> None:
    """Apt waits for another apt, no service may start meanwhile, and nothing is left of the policy."""
    lines: list[str] = []
    found = install_programs(lines.append, apt.environ, apt)
    assert [(each.name, each.version) for each in found if isinstance(each, Found)] == [
        ("prometheus", "2.42.0"),
        ("alertmanager", "0.25.0"),
    ]
    install = "install -y --no-install-recommends prometheus prometheus-alertmanager"
    assert apt.commands[-1] == f"apt-get -o DPkg::Lock::Timeout=300 {install}"
    assert len(apt.policies) == 1
    assert apt.policies[0].endswith("exit 101\n")
    assert sbin(apt) == {}
    assert lines[0].startswith("prometheus, alertmanager: apt-get install: done (")
    apt.commands.clear()
    install_programs(lines.append, apt.environ, apt)
    assert apt.commands == []


@pytest.mark.parametrize("works", [True, False])
@pytest.mark.parametrize("died_before", [True, False])
def test_policy_of_the_machine_is_put_back(apt: Apt, *, works: bool, died_before: bool) -> None:
    """Whatever came of it, this time or the time before, the machine's own policy is in force again."""
    own = program(apt.root / "sbin" / "policy-rc.d", "mine")
    text = own.read_text(encoding="utf-8")
    if died_before:
        own.rename(own.with_name("policy-rc.d.kept-by-rampgate"))
        program(own, "of the one that died")
    apt.works = works
    lines: list[str] = []
    install_programs(lines.append, apt.environ, apt)
    assert apt.policies[0].endswith("exit 101\n")
    assert sbin(apt) == {"policy-rc.d": text}
    assert stat.S_IMODE(own.stat().st_mode) == 0o755
    if not works:
        assert "failed: E: Unable to fetch some archives" in lines[0]


def test_policy_left_by_an_installation_that_died_is_no_policy(apt: Apt) -> None:
    """A machine that had none has none again after the next installation."""
    (apt.root / "sbin" / "policy-rc.d").write_text(monitoring_programs._NO_STARTS, encoding="utf-8")
    install_programs(lambda _line: None, apt.environ, apt)
    assert sbin(apt) == {}


def test_without_a_place_for_the_policy_nothing_is_installed(
    apt: Apt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where we cannot keep services from starting, apt is not started; one line says why."""
    monkeypatch.setattr(monitoring_programs, "_POLICY", apt.root / "nowhere" / "policy-rc.d")
    lines: list[str] = []
    install_programs(lines.append, apt.environ, apt)
    assert apt.commands == []
    assert "policy-rc.d: No such file or directory" in lines[0]


def test_who_is_not_root_reads_the_line_for_root(apt: Apt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is run, nothing fails, and the line can be copied."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    lines: list[str] = []
    found = install_programs(lines.append, apt.environ, apt)
    assert [type(each) for each in found] == [Missing, Missing]
    assert apt.commands == []
    assert len(lines) == 1
    assert lines[0].startswith("prometheus, alertmanager: not installed (for the demo's full stack); ")
    assert lines[0].endswith("as root: apt-get install prometheus prometheus-alertmanager")


def test_makers_name_of_alertmanager_is_known_too(tmp_path: Path) -> None:
    """Outside Debian the program is called alertmanager; one that does not start is no program."""
    path = program(tmp_path / "alertmanager", "alertmanager, version 0.28.1 (branch: HEAD)")
    program(tmp_path / "prometheus-alertmanager", "no such library").write_text("#!/bin/sh\nexit 1\n")
    prometheus, alertmanager = find_programs({"PATH": str(tmp_path)})
    assert isinstance(prometheus, Missing)
    assert alertmanager == Found("alertmanager", path, "0.28.1", "on PATH")


def test_doctor_never_counts_them_as_lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without the demo's full stack needs neither, and is told what they are for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {each.name: each for each in doctor._monitoring_programs()}
    assert set(found) == {"prometheus", "alertmanager"}
    for each in found.values():
        assert not each.good
        assert not each.lacking
        assert "for the demo's full stack" in each.says
        assert "rampgate doctor --fix as root" in each.mend
