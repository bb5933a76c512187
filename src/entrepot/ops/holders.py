"""Manifests that keep each other: an index keeps what it lists, a subject keeps what refers to it.

An index may refer to what it lists, so keepers can stand in a circle. A circle that no tag reaches, and that nothing
outside of it keeps, is garbage as a whole. The walk goes up from one manifest, step by step, with an end.
"""

from entrepot.store.db import Rows
from entrepot.store.sql import collect as sql

MOST = 1000
"""Manifests that a walk looks at; one that is kept by more stays, and is looked at again when one of them goes."""
KEPT = -1


def look_again(rows: Rows, image_id: int, manifest_id: int, rooted: set[int]) -> int:
    """When a manifest that has no tag may go: the latest time of those that hold it, or KEPT.

    ``rooted``: manifests that a tag is known to reach, for walks in the same transaction; it grows.
    """
    above: dict[int, list[int]] = {}
    when = 0
    todo = [manifest_id]
    while todo:
        one = todo.pop()
        if one in above:
            continue
        if len(above) == MOST:
            return KEPT
        above[one] = []
        for holder in sql.holders(rows, image_id, one):
            if holder.is_tagged or holder.id in rooted:
                rooted |= {manifest_id, holder.id}
                return KEPT
            when = max(when, holder.review_after)
            above[one].append(holder.id)
            todo.append(holder.id)
    if not above[manifest_id]:
        return KEPT  # what held it went in this very transaction, and gave it a time of its own
    # Who holds it without being held by it has a time of its own; when that goes, this one is looked at again.
    return when if _below(above, manifest_id) == above.keys() else KEPT


def _below(above: dict[int, list[int]], start: int) -> set[int]:
    """Everything that ``start`` holds, as far as the walk has come."""
    held: dict[int, list[int]] = {}
    for one, holders in above.items():
        for holder in holders:
            held.setdefault(holder, []).append(one)
    found, todo = {start}, [start]
    while todo:
        for one in held.get(todo.pop(), []):
            if one not in found:
                found.add(one)
                todo.append(one)
    return found
