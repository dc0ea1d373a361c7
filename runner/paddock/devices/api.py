"""Kubelet's device plugin API v1beta1: its messages and methods, made when this is loaded.

The one place that knows protobuf. Source: ``k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1/api.proto`` of Kubernetes
1.36; numbers and types of fields never change within a version of the API. Needs the extra ``device-plugin``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "v1beta1"
HEALTHY, UNHEALTHY = "Healthy", "Unhealthy"
REGISTER = f"/{VERSION}.Registration/Register"
PLUGIN = f"{VERSION}.DevicePlugin"

_MESSAGES = """
DevicePluginOptions: bool pre_start_required = 1; bool get_preferred_allocation_available = 2
RegisterRequest: string version = 1; string endpoint = 2; string resource_name = 3; DevicePluginOptions options = 4
Empty:
ListAndWatchResponse: repeated Device devices = 1
TopologyInfo: repeated NUMANode nodes = 1
NUMANode: int64 ID = 1
Device: string ID = 1; string health = 2; TopologyInfo topology = 3
PreStartContainerRequest: repeated string devices_ids = 1
PreStartContainerResponse:
PreferredAllocationRequest: repeated ContainerPreferredAllocationRequest container_requests = 1
ContainerPreferredAllocationRequest: repeated string available_deviceIDs = 1; repeated string must_include_deviceIDs = 2; int32 allocation_size = 3
PreferredAllocationResponse: repeated ContainerPreferredAllocationResponse container_responses = 1
ContainerPreferredAllocationResponse: repeated string deviceIDs = 1
AllocateRequest: repeated ContainerAllocateRequest container_requests = 1
ContainerAllocateRequest: repeated string devices_ids = 1
AllocateResponse: repeated ContainerAllocateResponse container_responses = 1
ContainerAllocateResponse: map envs = 1; repeated Mount mounts = 2; repeated DeviceSpec devices = 3
Mount: string container_path = 1; string host_path = 2; bool read_only = 3
DeviceSpec: string container_path = 1; string host_path = 2; string permissions = 3
"""  # noqa: E501 - a message a line, as the source has them
"""The part of the API that is spoken here; ``map`` stands for ``map<string, string>``."""

_FIELD = re.compile(r"(?P<repeated>repeated )?(?P<type>\w+) (?P<name>\w+) = (?P<number>\d+)")
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
}


def _message(line: str) -> descriptor_pb2.DescriptorProto:
    name, _, fields = line.partition(":")
    message = descriptor_pb2.DescriptorProto(name=name)
    for match in _FIELD.finditer(fields):
        if match["type"] == "map":
            _add_map(message, match["name"], int(match["number"]))
        else:
            _add_field(message, match)
    return message


def _add_field(message: descriptor_pb2.DescriptorProto, match: re.Match[str]) -> None:
    field = message.field.add(name=match["name"], number=int(match["number"]))
    field.label = _Field.LABEL_REPEATED if match["repeated"] else _Field.LABEL_OPTIONAL
    field.type = _SCALARS.get(match["type"], _Field.TYPE_MESSAGE)
    if field.type == _Field.TYPE_MESSAGE:
        field.type_name = f".{VERSION}.{match['type']}"


def _add_map(message: descriptor_pb2.DescriptorProto, name: str, number: int) -> None:
    """Add a map as protobuf has them: a list of entries of a nested message."""
    entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
    entry.options.map_entry = True
    for position, part in enumerate(("key", "value"), start=1):
        entry.field.add(name=part, number=position, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING)
    type_name = f".{VERSION}.{message.name}.{entry.name}"
    message.field.add(
        name=name, number=number, label=_Field.LABEL_REPEATED, type=_Field.TYPE_MESSAGE, type_name=type_name
    )


def _messages() -> Mapping[str, Any]:
    pool = descriptor_pool.DescriptorPool()  # one of our own: the usual one may hold somebody else's of the same name
    file = descriptor_pb2.FileDescriptorProto(name="paddock/deviceplugin.proto", package=VERSION, syntax="proto3")
    file.message_type.extend(_message(line) for line in _MESSAGES.strip().splitlines())
    pool.Add(file)
    names = [message.name for message in file.message_type]
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{VERSION}.{name}")) for name in names}


MESSAGES = _messages()
"""Name -> class of each message; what they hold is known at run time only."""

METHODS: Mapping[str, tuple[str, str]] = {
    "GetDevicePluginOptions": ("Empty", "DevicePluginOptions"),
    "ListAndWatch": ("Empty", "ListAndWatchResponse"),
    "GetPreferredAllocation": ("PreferredAllocationRequest", "PreferredAllocationResponse"),
    "Allocate": ("AllocateRequest", "AllocateResponse"),
    "PreStartContainer": ("PreStartContainerRequest", "PreStartContainerResponse"),
}
"""Method of a plugin -> what it is asked with and what it answers; ``ListAndWatch`` answers with a stream."""
STREAMS = frozenset({"ListAndWatch"})
