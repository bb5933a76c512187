"""The reading works: manifests, HEAD, a large blob, pages of tags."""

import json
from collections.abc import Callable
from functools import partial

from bench import content, procs
from bench.content import REPOSITORY
from bench.course import MANY, MANY_TAGS, Course
from bench.load import drive, wrk
from bench.procs import Trouble
from bench.results import Bar, Row, in_turn
from bench.servers import DISTRIBUTION, NGINX, ON_POSTGRESQL, OURS, SECOND, Hub, Server

WITH_LOGIN = "ours, token"
PAGE = 100


def manifest_get(course: Course) -> list[Row]:
    """GET of a manifest by tag, without credentials and with a token."""
    image, pace = course.image(), course.pace

    def get(server: Server, token: bool) -> float:
        headers = server.headers(REPOSITORY) if token else {}
        return wrk(pace, server, image.manifest_path(server), "get", headers).requests

    contestants = {one.name: partial(get, one, False) for one in course.all}
    contestants[WITH_LOGIN] = partial(get, course.ours, True)
    values = in_turn(course.tell, "manifest GET", "/s", pace.rounds, contestants)
    logged_in = values.pop(WITH_LOGIN)
    on_postgresql = values.pop(ON_POSTGRESQL, [])
    with_token = {**values, OURS: logged_in}
    with_token.pop(SECOND, None)
    bars = [Bar(DISTRIBUTION, 8), Bar(NGINX, 0.4)]
    size = f"{len(image.manifest):,} bytes"
    rows = [
        Row("GET manifest by tag, anonymous", "/s", values, bars, size),
        Row(
            "GET manifest by tag, Bearer token", "/s", with_token, bars, "the peers check no token: as in the row above"
        ),
    ]
    if on_postgresql:
        values = {**with_token, OURS: on_postgresql}
        rows.append(Row("GET manifest by tag, rows on PostgreSQL", "/s", values, [Bar(DISTRIBUTION, 4)], "anonymous"))
    return rows


def heads(course: Course) -> list[Row]:
    """HEAD of a blob and of a manifest."""
    image, pace, rows = course.image(), course.pace, []

    def head(path: str, server: Server) -> float:
        told = drive(server, "head", paths=path, seconds=pace.seconds, clients=pace.connections)
        return float(told["per_second"][path])

    for what, path in (("blob", image.small_path()), ("manifest", image.manifest_path(course.ours))):
        contestants = {one.name: partial(head, path, one) for one in course.registries}
        values = in_turn(course.tell, f"HEAD {what}", "/s", pace.rounds, contestants)
        rows.append(Row(f"HEAD {what}, anonymous", "/s", values, [Bar(DISTRIBUTION, 8)]))
    return rows


def blob_get(course: Course) -> list[Row]:
    """A blob of 100 MiB, whole and by random ranges of 1 MiB."""
    image, pace = course.image(), course.pace

    def whole(server: Server) -> float:
        return wrk(pace, server, image.big_path(server)).mib

    def ranges(server: Server) -> float:
        words = (str(content.BIG), str(content.RANGE))
        return wrk(pace, server, image.big_path(server), "range", None, *words).mib

    rows = []
    bars = [Bar(DISTRIBUTION, 1), Bar(NGINX, 0.9)]
    works: list[tuple[str, Callable[[Server], float]]] = [("whole", whole), ("random ranges of 1 MiB", ranges)]
    for how, measure in works:
        contestants = {one.name: partial(measure, one) for one in course.servers}
        values = in_turn(course.tell, f"GET blob, {how}", "MiB/s", pace.rounds, contestants)
        rows.append(Row(f"GET blob of 100 MiB, {how}", "MiB/s", values, bars if how == "whole" else []))
    return rows


def tag_lists(course: Course) -> list[Row]:
    """A page of a hundred out of very many tags, at the start and in the middle."""
    course.tags()
    pace, rows = course.pace, []
    middle = f"v{pace.tags // 2 - 1:06d}"
    peers = course.of(Hub) + [one for one in course.servers if one.name == DISTRIBUTION]
    for where, query in (("start", ""), ("middle", f"&last={middle}")):
        path = f"/v2/{MANY}/tags/list?n={PAGE}{query}"
        held = {one.name: _tags_in(one, path) for one in peers}
        notes = [f"{name} knows no n and answers with {count:,} tags" for name, count in held.items() if count != PAGE]
        notes += [] if pace.tags == MANY_TAGS else [f"the bar is about {MANY_TAGS:,} tags"]
        contestants = {one.name: partial(_pages, one, path, pace.seconds) for one in peers}
        values = in_turn(course.tell, f"tag list, {where}", "pages/s", pace.rounds, contestants)
        work = f"tag list of {pace.tags:,}, n={PAGE} at the {where}, one client"
        bars = [Bar(DISTRIBUTION, 50)] if pace.tags == MANY_TAGS else []
        rows.append(Row(work, "pages/s", values, bars, "; ".join(notes)))
    return rows


def _tags_in(server: Server, path: str) -> int:
    status, _, body = procs.ask(server.port, "GET", path)
    if status != 200:
        raise Trouble(f"{server.name}: {path} gives {status}")
    tags = json.loads(body)["tags"]
    if isinstance(server, Hub) and len(tags) != PAGE:
        raise Trouble(f"{server.name}: a page of {len(tags)} tags")
    return len(tags)


def _pages(server: Server, path: str, seconds: float) -> float:
    told = drive(server, "pages", paths=path, seconds=min(seconds, 2))
    return 1 / float(told["medians"][path])
