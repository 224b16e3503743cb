"""Backup instances: which one a request means."""

from typing import TYPE_CHECKING

from shared.arm import ResourceId, arm_errors, same_id
from shared.contracts.api import InstanceInfo
from shared.contracts.plan import BackupInstanceRef
from shared.errors import RequestRejected
from shared.settings import settings
from shared.vault.clients import data_protection, vault_id

if TYPE_CHECKING:
    from azure.mgmt.dataprotection.models import BackupInstance, BackupInstanceResource

_FLEXIBLE_SERVERS = "Microsoft.DBforPostgreSQL/flexibleServers"


def resolve(wanted: str) -> BackupInstanceRef:
    """The backup instance that an alias, an ARM id, an instance's name or a server's name means.

    Raises:
        RequestRejected: nothing or more than one thing is meant.
    """
    name = settings().instances.get(wanted, wanted)
    vault = vault_id()
    instances = _list(vault)
    found = [_reference(one, properties, vault) for one, properties in instances if _means(one, properties, name)]
    if len(found) == 1:
        return found[0]
    known = sorted({*settings().instances, *(str(one.name) for one, _ in instances)})
    problem = f"means {len(found)} backup instances" if found else "is no backup instance"
    raise RequestRejected(
        f"source.backupInstance: {wanted!r} {problem} of vault {vault.name}; known are: {', '.join(known) or 'none'}."
    )


def protected() -> list[InstanceInfo]:
    """The flexible servers that the vault protects, by their names."""
    known = settings().instances.items()
    return sorted(
        (
            InstanceInfo(
                name=str(one.name),
                aliases=tuple(sorted(alias for alias, name in known if _means(one, properties, name))),
                server=properties.data_source_info.resource_name or str(properties.friendly_name),
                location=properties.data_source_info.resource_location or "",
                protection=properties.current_protection_state or "unknown",  # an enum of str: str() gives its name
            )
            for one, properties in _list(vault_id())
        ),
        key=lambda instance: instance.name,
    )


def _list(vault: ResourceId) -> list[tuple["BackupInstanceResource", "BackupInstance"]]:
    with arm_errors(f"listing the backup instances of vault {vault.name}"):
        listed = list(data_protection(vault.subscription).backup_instances.list(vault.resource_group, vault.name))
    return [(one, one.properties) for one in listed if one.properties and _is_flexible_server(one.properties)]


def _is_flexible_server(properties: "BackupInstance") -> bool:
    return same_id(properties.data_source_info.datasource_type, _FLEXIBLE_SERVERS)


def _means(instance: "BackupInstanceResource", properties: "BackupInstance", name: str) -> bool:
    source = properties.data_source_info
    names = (instance.id, instance.name, source.resource_name, source.resource_id, properties.friendly_name)
    return any(same_id(one, name) for one in names)


def _reference(
    instance: "BackupInstanceResource", properties: "BackupInstance", vault: ResourceId
) -> BackupInstanceRef:
    source = properties.data_source_info
    return BackupInstanceRef(
        subscription=vault.subscription,
        resource_group=vault.resource_group,
        vault=vault.name,
        name=str(instance.name),
        server=source.resource_name or str(properties.friendly_name),
        datasource_id=source.resource_id,
        location=source.resource_location or "",
    )
