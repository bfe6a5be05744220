"""What runs at the sites and at the client: the dialler and the results that it brings, and what counts both.

A site has an effect in two ways. Its dialler (SIPp) calls, and `hermes` books results: the client's portal hands out a
number, the site writes it into its database and says so, and only what was said is an effect. Every call and every
booking carries site and token, and the client keeps them in the order in which they came.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.real.sites.network import ADDRESS

SIP, PORTAL, HEALTH, SSH, SMTP = 5060, 7000, 8000, 22, 25
HERMES = '''\
"""Book what the portal hands out, and answer at the health port while bookings get through."""
import socket, sys, threading, time
import psycopg
site, token, here, portal, port, health = sys.argv[1], int(sys.argv[2]), *sys.argv[3:5], *map(int, sys.argv[5:])
booked = [time.monotonic()]
well = threading.Event()
def answer():
    while True:
        well.wait()
        with socket.create_server((here, health)) as server:
            server.settimeout(0.2)
            while well.is_set():
                if time.monotonic() - booked[0] > 3:
                    well.clear()
                try:
                    server.accept()[0].close()
                except OSError:
                    continue
threading.Thread(target=answer, daemon=True).start()
while True:
    try:
        where = f"host={here} user=releve dbname=postgres connect_timeout=2"
        with psycopg.connect(where, autocommit=True) as database, socket.create_connection((portal, port), 2) as client:
            client.settimeout(5)
            lines = client.makefile("r")
            while line := lines.readline():
                n = int(line)
                database.execute("INSERT INTO work (n, site, token) VALUES (%s, %s, %s)", (n, site, token))
                client.sendall(f"{n} {site} {token}\\n".encode())
                booked[0] = time.monotonic()
                well.set()
    except (OSError, ValueError, psycopg.Error) as error:
        print(f"{time.monotonic():.2f} {type(error).__name__}: {error}", flush=True)
        time.sleep(0.2)
'''
CLIENT = '''\
"""The portal of the client, which hands out results to be booked, and its mail server."""
import asyncio, itertools, json, sys, time
from aiosmtpd.smtp import SMTP
here, port, smtp, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
numbers = itertools.count(1)
log, mails = open(folder + "/bookings", "a", buffering=1), open(folder + "/mails", "a", buffering=1)
async def serve(reader, writer):
    try:
        while True:
            n = next(numbers)
            writer.write(b"%d\\n" % n)
            said = (await reader.readline()).decode().split()
            if len(said) != 3 or int(said[0]) != n:
                return
            at = time.time()
            log.write(json.dumps({"at": at, "n": n, "site": said[1], "token": int(said[2])}) + "\\n")
            await asyncio.sleep(0.1)
    except (OSError, ValueError):
        return
    finally:
        writer.close()
class Box:
    async def handle_DATA(self, server, session, envelope):
        lines = envelope.content.decode("utf-8", "replace").splitlines()
        subject = next((line for line in lines if line.lower().startswith("subject:")), "")
        mails.write(json.dumps({"at": time.time(), "to": envelope.rcpt_tos, "subject": subject}) + "\\n")
        return "250 OK"
async def main():
    server = await asyncio.start_server(serve, here, port)
    mail = await asyncio.get_running_loop().create_server(lambda: SMTP(Box(), hostname=here), here, smtp)
    async with server, mail:
        await asyncio.gather(server.serve_forever(), mail.serve_forever())
asyncio.run(main())
'''
SERVICE = """\
#!/bin/sh
# start, stop or look at a service of {site}; what runs holds a lock, whatever becomes of who started it
cd {folder} || exit 9
verb=$1 what=$2
note() {{ echo "${{RELEVE_TOKEN:-0}} {site} $verb $what $1" >> {notes}; }}
case "$verb" in
start)
  note begun
  "$0" kill "$what" || exit 8
  setsid flock -w 5 "$what.lock" sh "$what.sh" "${{RELEVE_TOKEN:-0}}" </dev/null >>"$what.log" 2>&1 &
  echo $! > "$what.pid"
  tries=0
  until "$0" runs "$what"; do
    tries=$((tries + 1)); [ $tries -lt 100 ] || exit 7
    sleep 0.02
  done
  note done ;;
stop|kill)
  [ "$verb" = kill ] || note begun
  tries=0
  until "$0" stopped "$what"; do
    kill -s KILL -- "-$(cat "$what.pid")" 2>/dev/null
    tries=$((tries + 1)); [ $tries -lt 100 ] || exit 7
    sleep 0.02
  done
  [ "$verb" = kill ] || note done ;;
runs) ! flock -s -n "$what.lock" true ;;
stopped) flock -s -n "$what.lock" true ;;
*) exit 9 ;;
esac
"""
DIALLER = """\
while :; do
  {sipp} {ocm}:{sip} -sf {scenario} -i {here} -p {sip} -s "$1" \
    -r 5 -l 20 -m 1000000 -recv_timeout 2000 -nostdin >/dev/null 2>&1
  sleep 0.3
done
"""
CALL = """\
<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="a call of {site}">
 <send retrans="500"><![CDATA[
INVITE sip:client@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:{site}-[service]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:client@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:{site}@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

]]></send>
 <recv response="100" optional="true"/>
 <recv response="200"/>
 <send><![CDATA[
ACK sip:client@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:{site}-[service]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:client@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
</scenario>
"""
TRUNK = """\
<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="the client's trunk">
 <recv request="INVITE"/>
 <send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]t[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:client@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
 <recv request="ACK"/>
</scenario>
"""
EDGE = """\
#!/bin/sh
# lead the client's calls and results to a site, or refuse them from it; whoever comes with an old token is sent away
exec 9>{folder}/edge.lock
flock 9
verb=$1 site=$2 token=${{RELEVE_TOKEN:-0}}
case "$site" in
{addresses}
*) exit 9 ;;
esac
cut() {{ nft get element inet client isolated "{{ $1 }}" >/dev/null 2>&1; }}
case "$verb" in
is-cut) cut "$address"; exit ;;
is-led) ! cut "$address"; exit ;;
esac
highest=$(cat {folder}/edge.token 2>/dev/null || echo 0)
if [ "$token" -lt "$highest" ]; then
  echo "$token $site $verb edge refused" >> {notes}
  echo "token $token, and $highest was here" >&2
  exit 3
fi
echo "$token $site $verb edge begun" >> {notes}
echo "$token" > {folder}/edge.token
case "$verb" in
cut) cut "$address" || nft add element inet client isolated "{{ $address }}" || exit 4 ;;
lead) ! cut "$address" || nft delete element inet client isolated "{{ $address }}" || exit 4 ;;
esac
echo "$token $site $verb edge done" >> {notes}
"""


def write_service(folder: Path, notes: Path, site: str, sipp: Path) -> Path:
    """Write what runs at a site into its `folder`; return the script that starts, stops and looks."""
    here = ADDRESS[site]
    _write(folder / "call.xml", CALL.format(site=site))
    _write(folder / "hermes.py", HERMES)
    words = ["exec", sys.executable, folder / "hermes.py", site, '"$1"', here, ADDRESS["ocm"], PORTAL, HEALTH]
    _write(folder / "hermes.sh", " ".join(map(str, words)) + "\n")
    dialler = DIALLER.format(sipp=sipp, ocm=ADDRESS["ocm"], sip=SIP, scenario=folder / "call.xml", here=here)
    _write(folder / "dialler.sh", dialler)
    return _program(folder / "svc", SERVICE.format(site=site, folder=shlex.quote(str(folder)), notes=notes))


def write_edge(folder: Path, notes: Path, sites: Mapping[str, str]) -> Path:
    """Write what the client's edge does into its `folder`; return the script."""
    addresses = "\n".join(f"{site}) address={address} ;;" for site, address in sites.items())
    return _program(folder / "edge", EDGE.format(folder=folder, notes=notes, addresses=addresses))


def write_client(folder: Path) -> tuple[Path, Path]:
    """Write the portal's program and the trunk's scenario into `folder`; return both."""
    _write(folder / "client.py", CLIENT)
    _write(folder / "trunk.xml", TRUNK)
    return folder / "client.py", folder / "trunk.xml"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _program(path: Path, text: str) -> Path:
    _write(path, text)
    path.chmod(0o755)
    return path
