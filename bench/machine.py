"""The machine in words."""

import os
import platform
import time
from pathlib import Path
from statistics import median


def describe(folder: Path) -> list[str]:
    """Processor, memory, kernel, and the file system that the data is on."""
    cpu = _field("/proc/cpuinfo", "model name") or platform.processor() or "unknown"
    memory = int((_field("/proc/meminfo", "MemTotal") or "0").split()[0]) / 1024**2
    return [
        f"Processor: {cpu}, {os.cpu_count()} cores",
        f"Memory: {memory:.1f} GiB",
        f"Kernel: {platform.system()} {platform.release()}",
        f"File system of the data: {file_system(folder)}; fsync of a new 50 KB file: {_fsync_ms(folder):.2f} ms",
        f"Python: {platform.python_version()}",
    ]


def _fsync_ms(folder: Path) -> float:
    """The median of fifty: how much, or how little, this disk asks for being durable."""
    content, times = os.urandom(50_000), []
    for place in range(50):
        path = folder / f"fsync-{place}"
        with path.open("wb", buffering=0) as file:
            file.write(content)
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(1000 * (time.perf_counter() - start))
        path.unlink()
    return median(times)


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text("utf-8", "replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def file_system(folder: Path) -> str:
    """The type of the nearest mount above a folder."""
    found, length = "unknown", -1
    for line in Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines():
        _, place, kind, *_ = line.split(" ")
        if folder.resolve().is_relative_to(place) and len(place) >= length:
            found, length = kind, len(place)
    return found
