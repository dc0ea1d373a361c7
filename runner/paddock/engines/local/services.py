"""What each worker is given on this machine: ports, credentials and variables, and what the keeper must know of them.

Owns how a declared service, which is written for a pod, is meant here. Nothing is started.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from paddock.engines.local import declared, places
from paddock.engines.local.wanted import Wanted
from paddock.errors import LeaseError
from paddock.images import recipes
from paddock.services import broker, database
from paddock.services.environment import to_environment
from paddock.services.ports import HOST
from paddock.specs import ServiceFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from paddock.declared_services import DeclaredService
    from paddock.engines.local.devices import Lease
    from paddock.engines.request import RunRequest
    from paddock.services.ports import Ports


@dataclass(frozen=True)
class Given:
    """What one worker is given."""

    variables: Mapping[str, str]
    wanted: Sequence[Wanted]
    secrets: Sequence[str]


class Services:
    """The services of one run.

    Raises:
        UsageError: the user's settings of one cannot be read.
    """

    def __init__(self, request: RunRequest) -> None:
        images = request.images
        self._configurations = {
            broker.NAME: _own(broker.NAME, images.broker_configuration),
            database.NAME: _own(database.NAME, images.database_configuration),
        }
        self._declared = request.services
        self._version = images.database_version
        self._limit = request.limits.service
        self._shares_broker, self._access = request.shares_broker, request.broker
        self._shared_broker: Wanted | None = None

    def give(self, worker: str, folder: Path, ports: Ports, held: Mapping[str, Lease] = MappingProxyType({})) -> Given:
        """Return what a worker is given; where ports are lacking, why stands in its folder for the tests that ask.

        Of services with hardware it is those that have ``held`` some for it.
        """
        offered = [one for one in self._declared if one.hardware is None or one.name in held]
        movable = [one.name for one in offered if one.is_movable]
        names = [*([] if self._shared_broker else [broker.NAME]), database.NAME, *movable]
        try:
            chosen = ports.reserve(worker, names)
        except LeaseError as error:
            for name in names:
                places.tell(folder, name, str(error))
            return Given({}, (), ())
        own = [self._shared_broker or self._broker(chosen[broker.NAME]), self._database(chosen[database.NAME])]
        theirs = [
            self._fixed(one, folder, ports)
            if one.name not in chosen
            else declared.meant(one, chosen[one.name], folder / one.name)
            for one in offered
        ]
        wanted = [*own, *(replace(_equipped(one, held.get(one.name)), limit=self._limit) for one in theirs)]
        facts = [self._of_broker(_facts(one)) if one is own[0] else _facts(one) for one in wanted]
        variables = {name: value for one in facts for name, value in to_environment(one).items()}
        return Given(variables, wanted, [*(one.password for one in own), *self._access.accounts.values()])

    def _of_broker(self, facts: ServiceFacts) -> ServiceFacts:
        return replace(facts, authority=self._access.authority, logins=broker.logins(self._access))

    def _broker(self, port: int) -> Wanted:
        account = broker.credentials()
        made = Wanted(
            name=broker.NAME,
            port=port,
            limit=self._limit,
            username=account["USERNAME"],
            password=account["PASSWORD"],
            configuration=self._configurations[broker.NAME],
            logins=broker.logins(self._access),
            acl=broker.rights(self._access),
            certificate=self._access.certificate,
            key=self._access.key,
            shared=self._shares_broker,
        )
        self._shared_broker = made if made.shared else None
        return made

    def _database(self, port: int) -> Wanted:
        account = database.credentials()
        return Wanted(
            name=database.NAME,
            port=port,
            limit=self._limit,
            username=account["USERNAME"],
            password=account["PASSWORD"],
            database=account["DATABASE"],
            configuration=self._configurations[database.NAME],
            version=self._version,
        )

    @staticmethod
    def _fixed(one: DeclaredService, folder: Path, ports: Ports) -> Wanted:
        wanted = declared.meant(one, one.port, folder / one.name)
        if wanted.obstacle or ports.take(one.port):
            return wanted
        return replace(
            wanted,
            obstacle=f"Its command listens at port {one.port}, which is taken on this machine, perhaps by that of "
            f"another worker: write {{{one.name}.port}} where it says {one.port}, at {one.place}.",
        )


def _equipped(wanted: Wanted, held: Lease | None) -> Wanted:
    """Return a service whose process is told of the devices that it holds."""
    return replace(wanted, environment={**wanted.environment, **held.variables}) if held else wanted


def _facts(wanted: Wanted) -> ServiceFacts:
    return ServiceFacts(
        kind=wanted.name,
        host=HOST,
        port=wanted.port,
        username=wanted.username,
        password=wanted.password,
        database=wanted.database,
        url=wanted.url,
    )


def _own(name: str, path: Path | None) -> str:
    return recipes.service(name, path)[recipes.OWN[name]].decode() if path else ""
