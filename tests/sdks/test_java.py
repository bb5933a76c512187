"""UCloud's Java SDK, unchanged: JSON bodies with dotted keys, and numbers that are not signed as they are sent."""

import hashlib
import json
import shutil
from typing import Any

import pytest

from tests.clients.conftest import run
from tests.sdks.conftest import HERE, Shop, built, kept, need

pytestmark = [pytest.mark.clients]
TAGS = [f"v{place}" for place in range(12)]


@pytest.fixture(scope="session")
def classpath() -> str:
    need("java")
    need("mvn")
    sources = [HERE / "java" / "pom.xml", HERE / "java" / "src" / "main" / "java" / "Sdk.java"]
    version = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    folder = kept("java") / version
    listed = folder / "target" / "classpath"
    if not listed.exists():
        shutil.copytree(HERE / "java", folder, dirs_exist_ok=True)
        goals = ["compile", "dependency:build-classpath", f"-Dmdep.outputFile={listed}"]
        built(run("mvn", "-q", "-B", *goals, cwd=folder, timeout=600))
    return f"{folder / 'target' / 'classes'}:{listed.read_text()}"


class Java:
    def __init__(self, classpath: str, shop: Shop) -> None:
        self.classpath, self.env = classpath, shop.env

    def __call__(self, *words: str) -> dict[str, Any]:
        done = run("java", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp", self.classpath, "Sdk", *words,
                   env={**self.env, "LC_ALL": "C.UTF-8"})  # fmt: skip
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


@pytest.fixture
def java(classpath: str, shop: Shop) -> Java:
    return Java(classpath, shop)


def test_buckets_as_a_request_class_of_a_user(java: Java, shop: Shop) -> None:
    shop.bucket("java_bucket", public=True)
    shop.push("java_bucket/app", "v1")
    answer = java("buckets", "java_bucket")
    [bucket] = answer["ImageSet"]
    assert (answer["RetCode"], answer["TotalCount"]) == (0, 1)
    assert (bucket["BucketName"], bucket["BucketType"], bucket["ImageCount"]) == ("java_bucket", "Public", 1)
    assert bucket["CreateTime"] > 1_700_000_000
    everything = java("buckets", "")
    assert "java_bucket" in [one["BucketName"] for one in everything["ImageSet"]] or everything["TotalCount"] > 5


def test_numbers_and_booleans_are_signed_as_java_writes_them(java: Java, shop: Shop) -> None:
    java.env = {
        **shop.env,
        "HUB_PUBLIC_KEY": "ucloudsomeone@example.com1296235120854146120",
        "HUB_PRIVATE_KEY": "46f09bb9fab4f12dfc160dae12273d5332b5debe",
    }
    # The SDK signs .5 where the text that it sends is 0.5: the reason for all this.
    text = f"ActionXPublicKey{java.env['HUB_PUBLIC_KEY']}Ratio.5{java.env['HUB_PRIVATE_KEY']}"
    assert java("sign", "0.5")["signature"] == hashlib.sha1(text.encode()).hexdigest()
    java.env = shop.env
    shop.bucket("java_numbers")
    answer = java("numbers", "java_numbers")
    assert [one["BucketName"] for one in answer["ImageSet"]] == ["java_numbers"]


def test_a_repository_with_a_boolean(java: Java, shop: Shop) -> None:
    assert java("make", "java-repo", "true", "测试 镜像+仓库")["RetCode"] == 0
    found = {one["RepoName"]: one for one in shop.call("GetRepo", Limit=1000)["RepoSet"]}
    assert (found["java-repo"]["IsShared"], found["java-repo"]["Description"]) == ("true", "测试 镜像+仓库")


def test_twelve_tags_are_deleted_in_one_call(java: Java, shop: Shop) -> None:
    shop.bucket("java_tags")
    shop.push("java_tags/app", *TAGS, "kept")
    assert java("delete", "java_tags", "app", *TAGS)["RetCode"] == 0
    assert shop.tags("java_tags", "app") == ["kept"]


def test_refusals_show_code_and_request_id(java: Java, shop: Shop) -> None:
    refused = java("delete", "java_nowhere", "app", "v1")["error"]
    assert refused["code"] == 43023
    assert "BucketNotExistError" in refused["message"]
    assert len(refused["requestId"]) == 36
    for changed, code in (({"HUB_PRIVATE_KEY": "wrong"}, 171), ({"HUB_PUBLIC_KEY": "unknown"}, 172)):
        java.env = {**shop.env, **changed}
        assert java("buckets", "")["error"]["code"] == code
