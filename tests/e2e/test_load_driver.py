"""The real Locust on loopback, alone and with workers; its users only tell when they come, visit and go."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.stores_fixture import free_port

from rampgate.evidence import journal
from rampgate.load.launch import command
from rampgate.load.times import read

if TYPE_CHECKING:
    from collections.abc import Callable

ENDS_WITHIN_S = 90
PROMOTE, USAGE, HOLD = 0, 2, 10

# Each process writes a line when a user comes, when a visit begins and ends, and when a user goes.
STUB = """
import os, time
import gevent
from locust import User, task
from rampgate.load.launch import load_test

globals().update({name: thing for name, thing in load_test().items() if name != "LoadUser"})
from rampgate_loadtests import work


class Stub(User):
    is_rampgate = True

    def tell(self, what):
        with open(f"told-{os.getpid()}.txt", "a") as file:
            file.write(f"{what} {self.environment.runner.user_count}\\n")

    def on_start(self):
        self.work = work.now
        self.tell("comes")
        self.work.first(self)

    def on_stop(self):
        self.tell("goes")

    def wait_time(self):
        return self.work.pause()

    @task
    def visit(self):
        self.work.begins()
        begun = time.monotonic()
        self.tell("begins")
        gevent.sleep(float(os.environ["STUB_S"]))
        self.work.recorder.add(0, 0, begun, (time.monotonic() - begun) * 1000, 0.0, 200)
        self.tell("ends")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the stub and settings whose [load] each test writes."""
    (tmp_path / "stub.py").write_text(STUB, encoding="utf-8")
    return tmp_path


def configure(folder: Path, load: str) -> None:
    """A rampgate.toml with this [load]; its address is one of its own, and nobody asks there."""
    (folder / "rampgate.toml").write_text(
        f'[target]\napi = "http://127.0.0.1:{free_port()}"\n'
        '[[endpoints]]\nname = "mine"\npath = "/mine"\nsign_in = false\nload = true\n'
        f"[load]\npause = 0.05\n{load}\n",
        encoding="utf-8",
    )


def start(
    folder: Path, *arguments: str, visit_s: float = 0.01, beside: str = "", host: str = ""
) -> subprocess.Popen[str]:
    """Locust in this folder, in a session of its own, with another file beside the stub."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RAMPGATE_")}
    files = Path(",".join(["stub.py", beside] if beside else ["stub.py"]))
    if "--processes" in arguments:
        port = str(free_port())
        arguments += ("--master-port", port, "--master-bind-port", port)
    return subprocess.Popen(
        command("--headless", *arguments, file=files),
        cwd=folder,
        env={**environ, "STUB_S": str(visit_s), **({"LOCUST_HOST": host} if host else {})},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and all that it said, when it has ended; whatever it started ends with it."""
    try:
        said, _ = process.communicate(timeout=ENDS_WITHIN_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode, said


def told(folder: Path) -> list[list[tuple[str, int]]]:
    """What the users of each process told: what happened, and how many users were there then."""
    found = []
    for path in sorted(folder.glob("told-*.txt")):
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        found.append([(what, int(users)) for what, users in lines])
    return found


def happened(folder: Path, what: str) -> int:
    """How often this happened, in all processes."""
    return sum(each == what for lines in told(folder) for each, _ in lines)


def recorded(folder: Path) -> dict[str, int]:
    """How many requests each file of the latest run holds."""
    return {path.name: len(read(path)[0]) for path in (folder / "reports/latest").glob("load-*.bin")}


def verdict_of(folder: Path) -> dict[str, Any]:
    """The verdict of the latest run."""
    content: dict[str, Any] = json.loads((folder / "reports/latest/verdict.json").read_text(encoding="utf-8"))
    return content


def message_of(folder: Path, check: str) -> str:
    """What the verdict says of a check."""
    (found,) = [each for each in verdict_of(folder)["checks"] if each["check"] == check]
    return json.dumps(found)


def until(condition: Any, process: subprocess.Popen[str]) -> None:
    """Wait until a condition holds while the process runs."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_stage_is_followed_however_short(folder: Path) -> None:
    """Stages of a fraction of a second, which a loop of 1 s leaves out: every turn of the ramp is reached."""
    configure(folder, 'stages = "0.5s:4,0.3s:9,0.3s:3,0.5s:7,2s:7,0.5s:0"')
    code, said = ended(start(folder))
    assert code in {PROMOTE, HOLD}, said
    (lines,) = told(folder)
    count, turns = 0, []
    for before, after in pairwise([what for what, _ in lines if what in {"comes", "goes"}]):
        count += 1 if before == "comes" else -1
        if before != after:
            turns.append(count)
    assert turns == [9, 3, 7]
    assert [what for what, _ in lines].count("goes") == 13, "whoever came has gone"
    assert recorded(folder).popitem()[1] == happened(folder, "ends")


def test_two_processes_share_users_and_evidence(folder: Path) -> None:
    """--processes 2: half of the users in each, and every request of both in the evidence."""
    configure(folder, 'stages = "1s:8,3s:8,1s:0"')
    code, said = ended(start(folder, "--processes", "2"))
    assert code in {PROMOTE, HOLD}, said
    assert "was lost" not in message_of(folder, "load/generator"), said
    assert [max(users for _, users in lines) for lines in told(folder)] == [4, 4]
    assert len(recorded(folder)) == 2
    assert sorted(recorded(folder).values()) == sorted(
        sum(what == "ends" for what, _ in lines) for lines in told(folder)
    )
    assert "complete" in verdict_of(folder)
    assert verdict_of(folder)["complete"], said


def test_master_and_workers_are_processes_of_their_own(folder: Path) -> None:
    """--master and two --worker: the master judges, all end by themselves, and there is one run.

    LOCUST_HOST of a worker changes nothing, and the master's report names it.
    """
    configure(folder, 'stages = "1s:4,3s:4"')
    port = str(free_port())
    master = start(folder, "--master", "--master-bind-port", port, "--expect-workers", "2")
    hosts = ("http://127.0.0.1:9", "")
    workers = [start(folder, "--worker", "--master-port", port, host=host) for host in hosts]
    code, said = ended(master)
    assert code in {PROMOTE, HOLD}, said
    notes = "\n".join(verdict_of(folder)["notes"])
    assert len(re.findall(r"worker\d: found LOCUST_HOST, which change nothing", notes)) == 1, notes
    codes, told_by_workers = zip(*(ended(worker) for worker in workers), strict=True)
    assert codes == (0, 0), "\n".join((said, *told_by_workers))
    assert len(list((folder / "reports").iterdir())) == 2, "one run, and the link to it"
    assert sum(recorded(folder).values()) == happened(folder, "ends") > 0
    assert happened(folder, "comes") == happened(folder, "goes") == 4


@pytest.mark.parametrize("ends", ["by its time", "by Ctrl-C"])
def test_a_master_without_workers_holds(folder: Path, ends: str) -> None:
    """Nothing was measured: it says how many workers were missing, and its exit code is the gate's own."""
    configure(folder, 'stages = "1s:4,3s:4"')
    wait = "2" if ends == "by its time" else "0"
    arguments = ("--master-bind-port", str(free_port()), "--expect-workers", "2")
    master = start(folder, "--master", *arguments, "--expect-workers-max-wait", wait)
    if ends == "by Ctrl-C":
        assert master.stdout
        assert any("0 of 2 workers are ready" in line for line in master.stdout)
        master.send_signal(signal.SIGINT)
    code, said = ended(master)
    assert (code, verdict_of(folder)["verdict"]) == (HOLD, "hold"), said
    missing = "0 of 2 workers are ready after 2 s" if wait == "2" else "interrupted before the workers"
    assert missing in message_of(folder, "load/whole run")
    assert "Traceback" not in said


def test_a_killed_worker_is_told_and_its_evidence_kept(folder: Path) -> None:
    """Kill -9 of one of two workers: the run goes on, keeps both files, is undecided, and holds."""
    configure(folder, 'stages = "1s:6,9s:6"')
    port = str(free_port())
    master = start(folder, "--master", "--master-bind-port", port, "--expect-workers", "2")
    workers = [start(folder, "--worker", "--master-port", port) for _ in range(2)]
    until(lambda: [len(lines) > 200 for lines in told(folder)] == [True, True], master)
    workers[0].kill()
    ended(workers[0])
    code, said = ended(master)
    assert (code, verdict_of(folder)["verdict"]) == (HOLD, "hold"), said
    assert ended(workers[1])[0] == 0
    assert len(recorded(folder)) == 2
    assert min(recorded(folder).values()) > 0
    # What the killed one measured in its last second went with it.
    assert sum(recorded(folder).values()) >= happened(folder, "ends") - 150
    assert "was lost after" in message_of(folder, "load/generator")


@pytest.mark.parametrize(
    ("number", "tell"),
    [(signal.SIGINT, os.kill), (signal.SIGTERM, os.kill), (signal.SIGINT, os.killpg)],
    ids=["SIGINT", "SIGTERM", "Ctrl-C"],
)
def test_an_interrupt_keeps_what_the_workers_measured(
    folder: Path, number: signal.Signals, tell: Callable[[int, int], None]
) -> None:
    """Stopped in the middle, alone or with its workers: all that these measured is kept, and it holds."""
    configure(folder, 'stages = "1s:4,60s:4"')
    process = start(folder, "--processes", "2")
    until(lambda: happened(folder, "ends") > 100, process)
    tell(process.pid, number)
    code, said = ended(process)
    verdict = verdict_of(folder)
    assert (code, verdict["verdict"], verdict["complete"]) == (HOLD, "hold", False), said
    assert sum(recorded(folder).values()) == happened(folder, "ends")
    assert "was lost" not in message_of(folder, "load/generator"), said
    assert "Traceback" not in said


def test_workers_with_other_settings_are_told(folder: Path) -> None:
    """A worker whose settings differ, and one whose settings are wrong: both are named, and the run holds."""
    configure(folder, 'stages = "0.5s:4,2s:4"')
    text = (folder / "rampgate.toml").read_text(encoding="utf-8")
    port = str(free_port())
    master = start(folder, "--master", "--master-bind-port", port, "--expect-workers", "2")
    workers = []
    for name, changed in (("other", text.replace("0.05", "0.06")), ("wrong", text + "user = 3\n")):
        (folder / f"{name}.toml").write_text(changed, encoding="utf-8")
        workers.append(start(folder, "--worker", "--master-port", port, "--rampgate-config", f"{name}.toml"))
    code, said = ended(master)
    assert (code, verdict_of(folder)["verdict"]) == (HOLD, "hold"), said
    assert "its settings differ from the master's in load.pause" in message_of(folder, "load/whole run")
    assert "wrong.toml: load.user" in message_of(folder, "load/whole run")
    assert [ended(worker)[0] for worker in workers] == [0, USAGE]


def test_zero_users_are_refused(folder: Path) -> None:
    """A ramp on which nobody ever comes measures nothing: it is refused, and the record of that holds."""
    configure(folder, 'stages = "1s:0,5s:0"')
    code, said = ended(start(folder))
    assert code == USAGE, said
    verdict = (folder / "reports/latest/verdict.json").read_text(encoding="utf-8")
    assert "load: was not started: " in json.loads(verdict)["reason"]


def test_users_who_do_nothing_are_no_pass(folder: Path) -> None:
    """Users come and never ask anything: nothing was measured, and the run holds."""
    configure(folder, 'stages = "1s:2,2s:2"')
    text = (folder / "stub.py").read_text(encoding="utf-8")
    (folder / "stub.py").write_text(
        text.replace("        self.work.recorder.add", "        return\n        0")
    )
    code, said = ended(start(folder))
    assert (code, verdict_of(folder)["verdict"]) == (HOLD, "hold"), said
    assert "nothing was measured" in said


def test_an_arrival_rate_is_reached(folder: Path) -> None:
    """20 visits a second for 3 s: 60 instants, each taken once, by whoever is free."""
    configure(folder, "users = 8")
    code, said = ended(start(folder, "--rate", "20", "--duration", "3s"))
    assert code in {PROMOTE, HOLD}, said
    begun = happened(folder, "begins")
    assert begun <= 60
    assert begun == happened(folder, "ends") == sum(recorded(folder).values())
    reached = "journeys that were due" not in message_of(folder, "load/generator")
    assert begun == 60 or not reached, "an instant that was left out is told"


def test_two_processes_share_an_arrival_rate(folder: Path) -> None:
    """Two workers together begin as many visits as one, not twice as many."""
    configure(folder, "users = 8")
    code, said = ended(start(folder, "--rate", "20", "--duration", "3s", "--processes", "2"))
    assert code in {PROMOTE, HOLD}, said
    assert 30 < happened(folder, "begins") <= 60


def test_an_arrival_rate_that_is_not_reached_is_told(folder: Path) -> None:
    """Visits of 1 s, two users, 20 a second asked for: the instants that nobody was free for are counted."""
    configure(folder, "users = 2")
    code, said = ended(start(folder, "--rate", "20", "--duration", "3s", visit_s=1.0))
    assert (code, verdict_of(folder)["verdict"]) == (HOLD, "hold"), said
    assert happened(folder, "begins") <= 8
    assert "journeys that were due began: the load was not reached" in message_of(folder, "load/generator")


def test_users_of_ones_own_go_beside_it(folder: Path) -> None:
    """User classes in another file run beside: nothing of them is judged, and ours are as many as are due."""
    configure(folder, 'stages = "0.5s:4,3s:4"')
    (folder / "own.py").write_text(
        "from locust import User, constant, task\n"
        "class Own(User):\n"
        "    wait_time = constant(0.1)\n"
        "    weight = 3\n"
        "    @task\n"
        "    def own(self):\n"
        "        open('own.txt', 'a').write('x')\n"
        "        request = dict(name='x', response_time=1, response_length=0, exception=OSError())\n"
        "        self.environment.events.request.fire(request_type='GET', **request)\n"
        "        raise KeyError('is its own')\n"
        "class Few(Own):\n"
        "    fixed_count = 5\n",
        encoding="utf-8",
    )
    process = start(folder, beside="own.py")
    code, said = ended(process)
    assert code in {PROMOTE, HOLD}, said
    assert (folder / "own.txt").stat().st_size > 5
    assert sum(recorded(folder).values()) == happened(folder, "ends") > 0
    assert happened(folder, "comes") == 4, "as many as [load] says, whatever comes beside"
    assert "the load was not reached" not in message_of(folder, "load/whole run")
    assert "is its own" not in message_of(folder, "load/whole run")
    assert "of users of other classes: shown, and not judged" in message_of(folder, "load/generator")
    records = journal.read(folder / "reports/latest")[0]
    seen = [record["measurement"] for record in records if record["type"] == "measurement"]
    (others,) = (each for each in seen if each["metric"] == "other_requests")
    assert others["details"] == {"failed": others["n"], "users_most": 17}


def test_a_compressed_ramp_is_a_rehearsal(folder: Path) -> None:
    """--time-scale 10: the same users in a tenth of the time, and the verdict calls it a rehearsal."""
    configure(folder, 'stages = "10s:5,30s:5,5s:0"')
    code, said = ended(start(folder, "--time-scale", "10"))
    assert code in {PROMOTE, HOLD}, said
    assert happened(folder, "comes") == happened(folder, "goes") == 5
    assert "rehearsal" in said
