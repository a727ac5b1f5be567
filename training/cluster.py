"""Which processes train together."""

from __future__ import annotations

from dataclasses import dataclass

from shuffleseg_core.errors import UserError


@dataclass(frozen=True)
class Cluster:
    """The processes of one training, one a machine (or a part of a machine).

    Attributes:
        hosts: "address:port" of every process; the first one coordinates and writes files.
        index: which of them this process is.
    """

    hosts: tuple[str, ...]
    index: int

    @classmethod
    def parse(cls, hosts: str | None, index: int | None) -> Cluster | None:
        """From the command line's --hosts and --host-index; None where both are missing.

        Raises:
            UserError: only one of them is given, or they contradict each other.
        """
        if hosts is None and index is None:
            return None
        if hosts is None or index is None:
            raise UserError("give --hosts and --host-index together, or neither")
        names = tuple(name.strip() for name in hosts.split(","))
        for name in names:
            address, _, port = name.rpartition(":")
            if not (address and port.isdigit() and 0 < int(port) < 65536):
                raise UserError(
                    f"--hosts {hosts}: {name!r} is no ADDRESS:PORT; write them as "
                    "10.0.0.1:2222,10.0.0.2:2222"
                )
        if len(set(names)) < len(names):
            raise UserError(f"--hosts {hosts}: each process needs a port of its own")
        if not 0 <= index < len(names):
            raise UserError(f"--host-index {index}: --hosts names 0 to {len(names) - 1}")
        return cls(names, index)
