"""Leases on uploads: which node of several writes to one. A node's own processes have its files' locks for that."""

from entrepot.store.db import Rows


def claim(rows: Rows, upload: str, node: str, now: int, until: int) -> bool:
    """Take or renew a lease; False while another node holds it."""
    return (
        rows.run(
            "INSERT INTO upload_lease (upload, node, expires_at) VALUES (:upload, :node, :until)"
            " ON CONFLICT (upload) DO UPDATE SET node = excluded.node, expires_at = excluded.expires_at"
            " WHERE upload_lease.node = excluded.node OR upload_lease.expires_at <= :now",
            upload=upload,
            node=node,
            now=now,
            until=until,
        )
        == 1
    )


def release(rows: Rows, upload: str, node: str) -> None:
    """Give a lease back; one that another node took meanwhile stays."""
    rows.run("DELETE FROM upload_lease WHERE upload = :upload AND node = :node", upload=upload, node=node)


def forget(rows: Rows, before: int, limit: int) -> int:
    """Delete at most ``limit`` leases that ended before a time: their nodes died; how many."""
    return rows.run(
        "DELETE FROM upload_lease WHERE upload IN"
        " (SELECT upload FROM upload_lease WHERE expires_at < :before ORDER BY expires_at LIMIT :limit)",
        before=before,
        limit=limit,
    )
