"""Ways to a host outside of allowed_hosts, each as the settings and the command that would take it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proofs.reach_net import OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Mapping

IMMEDIATE, PREDEPLOY = ("-m", "pytest", "-m", "immediate"), ("-m", "pytest", "-m", "predeploy")
LOAD = ("-m", "rampgate", "load")
NAMES = {
    "shop.test": ["127.0.0.1"],
    "half.test": [f"127.0.0.1 {OUTSIDE}"],
    "moves.test": ["127.0.0.1", OUTSIDE],
}
SERVICES = {"_mongodb._tcp.db.cluster.test": ["member.cluster.test 27017"]}
START = """
environment = "proof"
allow_writes = true
{allowed}
[stages.immediate]
patience = "1s"
[stages.predeploy]
patience = "1s"
[latency]
look = "10s"
pace = 45
"""
WEB = '[target]\nweb = "{web}"\ntimeout = "2s"\n'
API = '[[endpoints]]\nname = "items"\npath = "/items"\nload = true\n[target]\ntimeout = "2s"\napi = '
RAMP = '[load]\nusers = 2\nramp_up = "1s"\nplateau = "2s"\nramp_down = "1s"\n'
WEB_PORT = "8089"
PROXY = f"http://{OUTSIDE}:3128"


@dataclass(frozen=True)
class Case:
    """One way out.

    Args:
        name: of the way.
        settings: beside START; ``{web}`` is a server here, ``{member}`` a MongoDB whose primary is outside.
        command: what Python runs.
        environ: further variables.
        open: whether the way is open where the outside is allowed; else nothing leads there at all.
        page: what the server here shows at ``/``.
    """

    name: str
    settings: str
    command: tuple[str, ...] = IMMEDIATE
    environ: Mapping[str, str] = field(default_factory=dict)
    open: bool = True
    page: str = "<!doctype html><title>x</title><link rel=icon href=data:,>"


def _api(address: str, command: tuple[str, ...] = IMMEDIATE, more: str = "") -> str:
    return f'{API}"{address}"\n{more}' + (RAMP if command == LOAD else "")


HOSTILE = f"""<!doctype html><title>x</title><link rel=icon href=data:,>
<link rel=dns-prefetch href=//a.out.test><link rel=preconnect href=//out.test>
<link rel=preconnect href=//{OUTSIDE}>
<link rel=prefetch href=//out.test/1><link rel=stylesheet href=//out.test/2>
<script type=speculationrules>{{"prerender": [{{"source": "list", "urls": ["http://out.test/3"]}}]}}</script>
<img src=//out.test/4><img src=//{OUTSIDE}/5><img src="//[fd00::5]/6"><iframe src=//out.test/7></iframe>
<video src=//{OUTSIDE}/8 autoplay></video><script src=//out.test/9></script>
<script>
fetch("//out.test/10").catch(() => 0); fetch("//{OUTSIDE}:8080/11").catch(() => 0);
navigator.sendBeacon("//{OUTSIDE}/12", "x"); new EventSource("//out.test/13");
new WebSocket("ws://out.test/14"); new WebSocket("ws://{OUTSIDE}/15");
try {{ new WebTransport("https://{OUTSIDE}/16"); }} catch {{}}
const peer = new RTCPeerConnection({{iceServers: [{{urls: "stun:{OUTSIDE}:3478"}},
    {{urls: "turn:{OUTSIDE}:3478?transport=tcp", username: "x", credential: "x"}}]}});
peer.createDataChannel("x"); peer.createOffer().then(offer => peer.setLocalDescription(offer));
new Worker(URL.createObjectURL(new Blob(["fetch('http://{OUTSIDE}/17').catch(() => 0)"])));
navigator.serviceWorker.register("/worker.js");
open("//out.test/18");
document.write("<form method=post target=f action=//out.test/19></form><iframe name=f></iframe>");
document.forms[0].submit();
</script>"""
WORKER = f"self.addEventListener('install', event => event.waitUntil(fetch('http://{OUTSIDE}/20')))"
AWAY = "<!doctype html><title>x</title><meta http-equiv=refresh content='0;url=http://out.test/away'>"
_PAGE = WEB + '[[pages]]\nname = "home"\npath = "/"\nselector = "title"\n'
_AUDIT = WEB + '[[pages]]\nname = "home"\npath = "/"\nlighthouse = true\n'
_MONGODB = WEB + '[mongodb]\ntimeout = "2s"\nuri = '
_FORMS = {
    "a name": "out.test",
    "a name with a dot": "OUT.test.",
    "a number": "3405803781",
    "hexadecimal": "0xCB007105",
    "IPv6": "[fd00::5]",
    "IPv4 in IPv6": f"[::ffff:{OUTSIDE}]",
    "a user that looks like a host": f"127.0.0.1@{OUTSIDE}",
    "a name that is half here": "half.test",
    "a name that moves": "moves.test",
}
CASES = (
    *(Case(f"API: {form}", _api(f"http://{host}:8080")) for form, host in _FORMS.items()),
    Case("API: redirects", _api("{web}/away"), open=False),
    Case(
        "API: sign-in redirects",
        _api("{web}", more='[login]\npath = "/away"\nbody = {{ u = "x" }}\n'),
        open=False,
    ),
    Case(
        "API: proxies of the environment",
        _api("{web}"),
        environ={"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY},
        open=False,
    ),
    Case("page: everything that a page can do", _PAGE, page=HOSTILE),
    Case("page: goes away by itself", _PAGE, page=AWAY),
    Case(
        "page: proxies of the environment",
        _PAGE,
        environ={"http_proxy": PROXY, "all_proxy": PROXY},
        open=False,
    ),
    Case("Lighthouse: everything that a page can do", _AUDIT, page=HOSTILE),
    Case("MongoDB: a name", _MONGODB + '"mongodb://out.test/"\n'),
    Case("MongoDB: the second of two", _MONGODB + '"mongodb://127.0.0.1:1,out.test/"\n'),
    Case("MongoDB: the primary of a set", _MONGODB + '"mongodb://{member}/?replicaSet=rs"\n'),
    Case("MongoDB: SRV records", _MONGODB + '"mongodb+srv://db.cluster.test/?tls=false"\n'),
    Case("MongoDB: SRV records, TLS", _MONGODB + '"mongodb+srv://db.cluster.test/"\n'),
    Case("MongoDB: a load balancer", _MONGODB + '"mongodb://out.test/?loadBalanced=true"\n'),
    Case(
        "MongoDB: a backup and its proof",
        _MONGODB + '"mongodb://{member}/?replicaSet=rs"\n[backups]\ntimeout = "20s"\n',
        PREDEPLOY,
    ),
    Case("Redis: a name", WEB + '[redis]\ntimeout = "2s"\nurl = "redis://out.test:6379"\n'),
    Case("Redis: TLS", WEB + f'[redis]\ntimeout = "2s"\nurl = "rediss://{OUTSIDE}:6379"\n'),
    Case("Redis: a name that moves", WEB + '[redis]\ntimeout = "2s"\nurl = "redis://moves.test:6379"\n'),
    *(
        Case(
            f"monitoring: {each}",
            f'{WEB}[monitoring]\ntimeout = "2s"\n{each} = "http://out.test:9090"\n',
            PREDEPLOY,
        )
        for each in ("prometheus", "alertmanager", "grafana")
    ),
    Case(
        "alert: redirects",
        WEB + '[[alerts]]\nname = "a"\nurl = "json://{host}/away"\ntimeout = "3s"\n',
        PREDEPLOY,
        open=False,
    ),
    Case("load: a name", _api("http://out.test:8080", LOAD), LOAD),
    Case("load: a name that moves", _api("http://moves.test:{port}", LOAD), LOAD),
    Case("load: --host", _api("{web}", LOAD), (*LOAD, "--", "--host", "http://out.test:8080")),
    Case(
        "load: LOCUST_HOST and proxies",
        _api("{web}", LOAD),
        LOAD,
        {"LOCUST_HOST": "http://out.test", "ALL_PROXY": PROXY},
        open=False,
    ),
    Case("load: redirects", _api("{web}/away", LOAD), LOAD, open=False),
    Case(
        "load: the page's form",
        _api("{web}", LOAD),
        (*LOAD, "--web", "--", "--web-port", WEB_PORT),
        open=False,
    ),
    Case("doctor", _api("http://out.test:8080"), ("-m", "rampgate", "doctor")),
)
