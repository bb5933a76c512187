"""The printed samples run as they stand, with keys filled in, whatever stands in their values."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from entrepot.api.samples import PRIVATE_KEY, PUBLIC_KEY, samples
from tests.sdks.conftest import HERE, Shop, built, kept, need

pytestmark = pytest.mark.clients
NASTY = 'it\'s "x" $HOME `id` \\n \\ 测试 + & % -- #{} ;'


def sample(shop: Shop, title: str, action: str, **params: str) -> str:
    [found] = [one for one in samples(action, params, shop.live.url) if one.title == title]
    return found.text.replace(PUBLIC_KEY, shop.live.public_key).replace(PRIVATE_KEY, shop.live.private_key)


def described(shop: Shop, name: str) -> str:
    repos = shop.call("GetRepo", Type="private", Limit=1000)["RepoSet"]
    return str(next(one["Description"] for one in repos if one["RepoName"] == name))


@pytest.mark.parametrize("title", ["curl", "Python", "entrepot CLI"])
def test_a_sample_runs(shop: Shop, title: str, tmp_path: Path) -> None:
    name = f"sample-{title.lower().replace(' ', '-')}"
    text = sample(shop, title, "CreateRepo", RepoName=name, Description=NASTY)
    script = tmp_path / "sample"
    script.write_text(text, "utf-8")
    if title == "entrepot CLI":
        script.write_text(f'entrepot() {{ "{sys.executable}" -m entrepot.cli.main "$@"; }}\n{text}', "utf-8")
    program = sys.executable if title == "Python" else need("sh")
    if title == "curl":
        need("curl")
    done = subprocess.run([program, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert described(shop, name) == NASTY
    shop.call("DeleteRepo", RepoName=name)


def test_the_go_sample_runs(shop: Shop) -> None:
    go = need("go")
    folder = kept("go-sample")
    for name in ("go.mod", "go.sum"):
        shutil.copy(HERE / "go" / name, folder / name)
    (folder / "main.go").write_text(sample(shop, "Go", "CreateRepo", RepoName="sample-go", Description=NASTY), "utf-8")
    done = subprocess.run([go, "run", "."], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    built(done)
    assert described(shop, "sample-go") == NASTY
    shop.call("DeleteRepo", RepoName="sample-go")


def test_the_java_sample_compiles_and_runs(shop: Shop, tmp_path: Path) -> None:
    java = need("java")
    listed = next(iter(kept("java").rglob("classpath")), None)
    if listed is None:
        pytest.skip("no Java SDK here: the tests of test_java.py fetch it")
    text = sample(shop, "Java", "CreateRepo", RepoName="sample-java", Description=NASTY)
    (tmp_path / "Main.java").write_text(text, "utf-8")
    words = [java, "-cp", listed.read_text("utf-8").strip(), str(tmp_path / "Main.java")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("0 ")
    assert described(shop, "sample-java") == NASTY
    shop.call("DeleteRepo", RepoName="sample-java")


def test_the_javascript_sample_is_javascript(shop: Shop, tmp_path: Path) -> None:
    node = need("node")
    text = sample(shop, "JavaScript", "CreateRepo", RepoName="x", Description=NASTY)
    # The SDK is replaced by what prints the request: this holds the literals, test_js.py holds the SDK.
    fake = (
        "const require = () => ({"
        " Request: class { constructor(o) { Object.assign(this, o); } },"
        " Client: class { async invoke(r) { console.log(JSON.stringify(r)); return { toObject: () => 0 }; } } });\n"
    )
    (tmp_path / "sample.mjs").write_text(fake + text, "utf-8")
    done = subprocess.run([node, str(tmp_path / "sample.mjs")], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0]) == {"Action": "CreateRepo", "RepoName": "x", "Description": NASTY}


def test_the_php_sample_is_php(shop: Shop, tmp_path: Path) -> None:
    php = need("php")
    text = sample(shop, "PHP", "CreateRepo", RepoName="x", Description=NASTY)
    array = text[text.index("new Request(") + len("new Request(") : text.index("]);\nprint_r") + 1]
    (tmp_path / "sample.php").write_text(f"<?php echo json_encode({array});", "utf-8")
    done = subprocess.run([php, str(tmp_path / "sample.php")], capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(done.stdout) == {"Action": "CreateRepo", "RepoName": "x", "Description": NASTY}
