"""Which parameter server holds which parameters: balanced by size. Pure logic on sizes."""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def assign_by_size(sizes: Sequence[int], num_servers: int) -> list[list[int]]:
    """Give each parameter, largest first, to the server that holds least so far.

    Longest processing time first (Graham, SIAM J. Appl. Math. 1969): the fullest server holds at most 4/3 of
    what the best assignment would give it. Parameters stay whole, because optimizers such as Adafactor look
    at rows and columns.

    Args:
        sizes: Elements of each parameter.
        num_servers: Number of servers, at least 1; those beyond the number of parameters get none.

    Returns:
        For each server the indices of its parameters, ascending.
    """
    loads = [(0, server) for server in range(num_servers)]
    members: list[list[int]] = [[] for _ in range(num_servers)]
    for index in sorted(range(len(sizes)), key=lambda index: (-sizes[index], index)):
        load, server = heapq.heappop(loads)
        members[server].append(index)
        heapq.heappush(loads, (load + sizes[index], server))
    return [sorted(group) for group in members]
