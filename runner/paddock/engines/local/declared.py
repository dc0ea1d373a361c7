"""A service that the project declares, as one worker's own process: its command, and its probe.

Owns what Kubernetes' probes mean on this machine. It must not know what the service is.
"""

from __future__ import annotations

import http.client
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddock.engines.local import programs
from paddock.engines.local.wanted import Start, Wanted
from paddock.errors import LeaseError
from paddock.services.ports import HOST, accepts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paddock.declared_services import DeclaredService

_PROBE_SECONDS = 1.0
"""As long as Kubernetes waits for an answer, unless the probe says otherwise."""
_OK = range(200, 400)
_GRPC = "grpc"


def meant(one: DeclaredService, port: int, folder: Path) -> Wanted:
    """Return the service as it is meant here, listening at ``port``, in a folder of its own."""
    here = one.listening(HOST, port, str(folder))
    return Wanted(
        name=one.name,
        port=port,
        limit=0,
        command=here.own_command,
        environment=here.environment,
        readiness=here.readiness,
        url=here.url,
        place=one.place,
        obstacle=_obstacle(one),
    )


def _obstacle(one: DeclaredService) -> str:
    if not one.own_command:
        what = f"runs the image {one.image}" if one.image else "is made of Kubernetes objects"
        return (
            f"It {what}, for which there is no cluster here: say with local-command what runs without one, "
            f"at {one.place}, or run with --paddock-engine=kubernetes."
        )
    if _GRPC in one.readiness:
        return f"Its probe asks by gRPC, which the local engine cannot: choose another at {one.place}."
    return ""


def prepare(wanted: Wanted, folder: Path) -> Start:
    """Return how the service's command is started, in the service's own folder.

    Raises:
        LeaseError: it cannot run without a cluster, or its program is not on this machine.
    """
    if wanted.obstacle:
        raise LeaseError(wanted.obstacle)
    program, *arguments = wanted.command
    variables = environment(wanted)
    found = shutil.which(program, path=variables["PATH"])
    if found is None:
        where = f" at {wanted.place}" if wanted.place else ""
        raise LeaseError(
            f"Its program {program!r} is not on this machine: install it, or give the path of another{where}."
        )
    folder.mkdir(mode=0o700, exist_ok=True)
    return Start(
        argv=[found, *arguments],
        directory=folder,
        environment=variables,
        answers=_probe(wanted, variables),
    )


def environment(wanted: Wanted) -> dict[str, str]:
    """Return the variables of the service's process, and of what is run beside it."""
    # As in a pod, the project's own programs come first; its environment need not be on the PATH of who started pytest.
    path = os.pathsep.join([str(Path(sys.executable).parent), programs.search_path()])
    return {**os.environ, "PATH": path, **wanted.environment}


def _probe(wanted: Wanted, variables: Mapping[str, str]) -> Callable[[], bool]:
    probe = wanted.readiness
    seconds = float(probe.get("timeoutSeconds", _PROBE_SECONDS))
    if "httpGet" in probe:
        return lambda: _is_well(probe["httpGet"], wanted.port, seconds)
    if "exec" in probe:
        return lambda: _succeeds(probe["exec"], variables, seconds)
    return lambda: accepts(_port(probe.get("tcpSocket", {}), wanted.port))


def _is_well(get: Mapping[str, Any], port: int, seconds: float) -> bool:
    connection = _connection(str(get.get("scheme", "HTTP")), _port(get, port), seconds)
    headers = {one["name"]: one["value"] for one in get.get("httpHeaders", ())}
    try:
        connection.request("GET", get.get("path", "/"), headers=headers)
        return connection.getresponse().status in _OK
    except http.client.HTTPException:
        return False
    finally:
        connection.close()


def _connection(scheme: str, port: int, seconds: float) -> http.client.HTTPConnection:
    if scheme.upper() != "HTTPS":
        return http.client.HTTPConnection(HOST, port, timeout=seconds)
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # as Kubernetes asks: who answers is not in question
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(HOST, port, timeout=seconds, context=unverified)


def _succeeds(run: Mapping[str, Any], variables: Mapping[str, str], seconds: float) -> bool:
    try:
        done = subprocess.run(run["command"], env=variables, timeout=seconds, capture_output=True, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _port(where: Mapping[str, Any], port: int) -> int:
    return where["port"] if isinstance(where.get("port"), int) else port
