"""The result as a table for the terminal, and as the page docs/benchmarks.md."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.load import Pace
from bench.results import COLUMNS, Row
from bench.servers import OURS, SECOND


@dataclass
class Report:
    """All there is to tell of a run."""

    date: str
    pace: Pace
    machine: list[str]
    versions: list[str]
    missing: dict[str, str]
    is_quick: bool
    workers: int = 1
    rows: list[Row] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def table(self) -> str:
        """Aligned columns of medians."""
        lines = [self._head(), *(self._line(row, with_spread=False) for row in self.rows)]
        widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
        text = "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
        )
        return "\n".join(line.rstrip() for line in text.splitlines())

    def _columns(self) -> list[str]:
        return [one for one in COLUMNS if one != SECOND or any(SECOND in row.values for row in self.rows)]

    def _head(self) -> list[str]:
        names = [f"ours, {self.workers} workers" if one == SECOND else one for one in self._columns()]
        return ["work", "unit", *names, "ratio", "bar", "reached"]

    def _line(self, row: Row, *, with_spread: bool) -> list[str]:
        cells = [row.work, row.unit]
        spreads = [row.spread(column) for column in self._columns()]
        cells += spreads if with_spread else [one.partition(" (")[0] for one in spreads]
        words = {True: "yes", False: "no", None: "not measured"}
        cells.append(", ".join(row.ratios()) or "–")
        cells.append(", ".join(bar.words(row.unit, row.base) for bar in row.bars) or "–")
        cells.append(", ".join(words[row.reached(bar)] for bar in row.bars) or "–")
        return cells

    def page(self) -> str:
        """Markdown."""
        return "\n".join(self._page()) + "\n"

    def _page(self) -> Iterator[str]:
        yield "# Benchmarks\n"
        yield "Written by `make bench` on the machine below; do not edit. Another machine gives other numbers, so what"
        yield "counts is the ratio to other servers that did the same work on the same machine in the same minutes.\n"
        if self.is_quick:
            yield "**This was a quick run: it shows that everything works; its numbers mean little.**\n"
        yield f"Measured on {self.date}.\n"
        yield from (f"- {line}" for line in [*self.machine, f"Servers: {', '.join(self.versions)}"])
        yield from (f"- {name}: {why}" for name, why in self.missing.items())
        yield "\n## Results\n"
        yield f"Medians of {self.pace.rounds} rounds, in brackets the least and the most. For rates the ratio is ours"
        yield "by theirs, so more is better; where the unit is ms, s or MiB, less is better.\n"
        head = self._head()
        yield f"| {' | '.join(head)} |"
        yield f"|{'|'.join([' --- '] * len(head))}|"
        for row in self.rows:
            yield f"| {' | '.join(self._line(row, with_spread=True))} |"
        notes = [f"- {row.work}: {row.note}" for row in self.rows if row.note]
        if notes:
            yield "\nNotes:\n"
            yield from notes
        yield "\n## What is not reached\n"
        yield from self._short() or ["Every bar that was measured is reached."]
        yield "\n## How it was measured\n"
        yield HOW.format(pace=self.pace, seconds=f"{self.pace.seconds:g}").strip()

    def _short(self) -> list[str]:
        lines = []
        for row in self.rows:
            for bar in row.bars:
                reached = row.reached(bar)
                words = bar.words(row.unit, row.base)
                if reached is None:
                    lines.append(f"- {row.work}: not measured against {bar.peer}; the bar is {words}.")
                elif not reached:
                    value = row.ratio(bar.peer) if bar.peer else row.middle(OURS)
                    lines.append(f"- {row.work}: {value:.3g}{'x' if bar.peer else f' {row.unit}'}; the bar is {words}.")
        return [*lines, *(f"- {one}" for one in self.skipped)]


HOW = """
- All servers run at the same time on 127.0.0.1, each with its data below one temporary folder on one disk, and only
  the one that is measured has work. A round measures each server once, one after the other, and the next round goes
  the other way: what drifts on the machine, and who comes first, meets all of them.
- The load runs on the same cores as the servers and takes its share of them.
- This hub runs as `entrepot serve` with one worker and its default settings. Every write it acknowledges is on disk
  (fsync of file and folder). Reads are anonymous from a public bucket unless a row says otherwise; writes carry a
  Bearer token, which is fetched before the clock starts, as a client that pushes much has one.
- "rows on PostgreSQL" is a hub whose rows are in a PostgreSQL server on the same machine, over its socket, with the
  server's own defaults for syncing (on) and 64 MiB of shared buffers; its blobs are files like ours.
- distribution runs with local files, its descriptor cache in memory, no log, no logins. It fsyncs every file that it
  writes (some twice), but not the folders that hold them, so what it acknowledged may lack its name after a power cut.
  The rows "distribution fully synced" sync its file system (syncfs) after each blob, or after each image of each
  client, on the clock: the simplest way to what ours gives. That also pays for what else the machine wrote meanwhile.
- zot, where it can be had, runs with local files, `commit: true` (it fsyncs), no logins, nothing logged but errors.
- nginx serves files of the same bytes with sendfile and one worker per core: what this machine can do at most.
- Everything that is read fits in memory and was read before: reads come from the page cache, for all alike.
- GET: wrk with {pace.threads} threads and {pace.connections} connections for {seconds} s each time; any answer but 2xx
  ends the run. Ranges start anywhere.
- HEAD: a small Go program with {pace.connections} connections, because wrk waits for the body that HEAD announces.
- PUT and pushes: the same Go program (bench/driver). Its content is random, new each time, made and hashed before the
  clock starts; the file system is synced before the clock starts, so that nobody pays for the writes of another. What
  was pushed is read back and its digest compared after the clock stopped.
- A small image is a config, three layers of 10 to 100 KiB, a manifest and a tag: for each blob HEAD, POST and PUT, then
  PUT of the manifest; {pace.images} images by 8 clients, each into its own repository.
- The tags of the tag list were made through the API of this hub (80 with each PUT of another manifest), and for
  distribution as the files that its own PUTs leave (one manifest), because its API would take very long. The page is
  asked for by one client, over and over; the rate is 1 by the median time. zot is left out: each of its PUTs rewrites
  the index of the whole repository.
- Through S3: versitygw on files of the same disk, a hub whose bytes are in a bucket of it, and as the base a plain
  client of the same library that sends the same parts, in parallel, with the same Content-MD5. versitygw has one core
  of its own, the hub and the client share the others.
- GetImageBucketList: signed calls of one account through the whole app, in the process that measures, one after the
  other and each hub in turn; half of the buckets are public, half of another account. 99th percentiles of each round.
- PUT of a manifest into many tags: one client puts in turn into the repository with many tags and into a new one with
  ten, so the two times belong together.
- Start to ready is from the start of the process to the first 200 on /healthz, for distribution on /v2/.
- Memory is the sum of VmHWM over the hub's processes: the peak of each, even if they were not at the same time.
"""
