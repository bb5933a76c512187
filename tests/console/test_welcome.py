"""The welcome page: both languages, a strict policy, honest about what is not there."""

from tests.conftest import TestHub


def test_welcome_page_in_both_languages(hub: TestHub) -> None:
    chinese = hub.request("GET", "/console", headers={"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"})
    assert chinese.status == 200
    assert "创建镜像仓库" in chinese.body.decode()
    english = hub.request("GET", "/console", headers={"accept-language": "fr,en;q=0.5"})
    assert "Make a bucket" in english.body.decode()
    assert "docker login hub.test" in english.body.decode()
    assert "创建镜像仓库" in hub.request("GET", "/console?lang=zh").body.decode()
    policy = english.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert b"<script" not in english.body
    assert hub.request("GET", "/console/style.css").headers["content-type"].startswith("text/css")


def test_other_pages_say_that_they_are_not_there_and_escape_what_they_echo(hub: TestHub) -> None:
    for path in ("/uapi/detail?id=GetImageBucketList", "/uapi/apikey", "/stepflow/manage/", "/%3Cscript%3E"):
        page = hub.request("GET", path)
        assert page.status == 404
        assert 'href="/console"' in page.body.decode()
        assert b"<script>" not in page.body


def test_a_host_header_cannot_break_out_of_the_page(hub: TestHub) -> None:
    page = hub.request("GET", "/console", headers={"host": '"><script>alert(1)</script>'})
    assert b"<script>" not in page.body
