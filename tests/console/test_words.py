"""The console's words: both languages stand in one place, so none can be missing; what stands outside is no word."""

import re
from pathlib import Path

import jinja2
from jinja2 import nodes

from entrepot import console
from entrepot.console.faults import WORDS
from entrepot.console.render import ago
from entrepot.errors import Kind

TEMPLATES = Path(console.__file__).parent / "templates"
CJK = re.compile("[一-鿿]")
NAMES = {"Entrepot", "RetCode", "English", "Signature", "GetImageBucketList", "N", "+", "ID", "main", "docker", "login"}
"""Words that are the same in both languages, or stand inside commands."""


def parsed() -> list[tuple[Path, nodes.Template]]:
    environment = jinja2.Environment(autoescape=True)
    return [(path, environment.parse(path.read_text("utf-8"))) for path in sorted(TEMPLATES.glob("*.html"))]


def texts(node: nodes.Node) -> str:
    """What an argument says, where it is no expression alone."""
    return "".join(str(one.value) for one in node.find_all(nodes.Const)) or (
        str(node.value) if isinstance(node, nodes.Const) else ""
    )


def test_every_text_is_said_in_both_languages() -> None:
    said = 0
    for path, tree in parsed():
        for call in tree.find_all(nodes.Call):
            if not (isinstance(call.node, nodes.Name) and call.node.name == "say"):
                continue
            english, chinese = call.args
            en, zh = texts(english), texts(chinese)
            if en and not isinstance(english, nodes.Getattr):
                said += 1
                assert CJK.search(zh) or (not CJK.search(en + zh) and not re.search("[a-z]{3} [a-z]", zh)), (
                    path.name,
                    en,
                    zh,
                )
                assert not CJK.search(en), (path.name, en)
    assert said > 300


def test_nothing_is_said_in_one_language_alone() -> None:
    for path, tree in parsed():
        text = " ".join(
            part.data for output in tree.find_all(nodes.Output) for part in output.nodes
            if isinstance(part, nodes.TemplateData)
        )  # fmt: skip
        plain = re.sub(r"<pre.*?</pre>|<code>.*?</code>|<svg.*?</svg>", " ", text, flags=re.DOTALL)
        plain = re.sub(r"<[^>]*>|^[^<]*>|<[^>]*$", " ", plain)
        if path.name in {"icons.html", "macros.html"}:
            continue
        words = set(re.findall(r"[A-Za-z]{4,}", plain)) - NAMES
        assert not words, (path.name, words)
        assert not CJK.search(plain.replace("中文", "")), path.name


def test_every_refusal_is_explained() -> None:
    assert set(WORDS) == set(Kind.__members__)
    for name, (en, en_next, zh, zh_next) in WORDS.items():
        assert en, name
        assert en_next.endswith("."), name
        assert CJK.search(zh), name
        assert zh_next.endswith("。"), name


def test_when_something_was_or_will_be() -> None:
    told = {0: "just now", 59: "just now", -2: "just now", -9: "in a moment", 60: "1 minute ago", -7200: "in 2 hours"}
    assert {seconds: ago(seconds, "en") for seconds in told} == told
    assert [ago(seconds, "zh") for seconds in (-9, -7200)] == ["即将", "2 小时后"]
