"""What each registry client was seen to do in this run; docs/clients.md is printed from it (test_z_matrix.py)."""

HELD: dict[str, dict[str, list[str] | str]] = {}


def holds(client: str, version: str, *capabilities: str) -> None:
    """Note that these held for a client; call it right after the assertion that shows it."""
    entry = HELD.setdefault(client, {"version": version, "capabilities": []})
    listed = entry["capabilities"]
    assert isinstance(listed, list)
    listed += [one for one in capabilities if one not in listed]
