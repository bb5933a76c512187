"""A browser without a screen: cookies, forms with their tokens, redirects."""

import base64
import json
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

from entrepot.ops import dispatch
from tests.conftest import Reply, TestHub
from tests.model.flow.kit import http, param, start, template
from tests.registry.kit import OCI_INDEX, manifest_of, push_blob, push_image, put_manifest

FORM = "application/x-www-form-urlencoded"


class Surfer:
    """Somebody at the console."""

    def __init__(self, hub: TestHub, lang: str = "en", **headers: str) -> None:
        self.hub = hub
        self.cookies: dict[str, str] = {}
        self.headers = {"accept-language": lang, **headers}

    def get(self, path: str, **headers: str) -> Reply:
        return self._ask("GET", path, b"", headers)

    def post(self, path: str, form: dict[str, Any], *, token: bool = True, **headers: str) -> Reply:
        """A form of the page at ``path``, with the token that the page gave."""
        sent = {name: str(value) for name, value in form.items()}
        if token:
            sent = {"csrf": self.token(path), **sent}
        return self._ask("POST", path, urlencode(sent).encode(), {"content-type": FORM, **headers})

    def token(self, path: str) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.get(path).body.decode())
        return found[1] if found else ""

    def sign_in(self, login: tuple[str, str]) -> Reply:
        return self.post("/console/login", {"do": "sign-in", "email": login[0], "password": login[1]})

    def _ask(self, method: str, path: str, body: bytes, more: dict[str, str]) -> Reply:
        headers = {**self.headers, **more}
        if self.cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        reply = self.hub.request(method, path, headers=headers, body=body)
        for name, value in reply.all_headers:
            if name == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
                if "Max-Age=0" in value:
                    del self.cookies[key]
        return reply


def signed_in(hub: TestHub, login: tuple[str, str], lang: str = "en") -> Surfer:
    surfer = Surfer(hub, lang)
    reply = surfer.sign_in(login)
    assert (reply.status, reply.headers["location"]) == (303, "/console"), reply.body
    return surfer


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags_of(reply: Reply) -> list[tuple[str, dict[str, str | None]]]:
    """Every start tag of a page with its attributes."""
    parser = _Tags()
    parser.feed(reply.body.decode())
    return parser.found


def config_of(**more: Any) -> bytes:
    return json.dumps({"architecture": "amd64", "os": "linux", **more}).encode()


def push_whole(hub: TestHub, name: str, tag: str, config: bytes, login: Any, **more: Any) -> str:
    """An image with this config, one layer, and whatever else in its manifest; its digest."""
    blobs = [(push_blob(hub, name, one, login), len(one)) for one in (config, b"layer of " + tag.encode())]
    reply = put_manifest(hub, name, tag, manifest_of(blobs, **more), login)
    assert reply.status == 201, reply.body
    return reply.headers["docker-content-digest"]


def digest_of(hub: TestHub, name: str, tag: str) -> str:
    return hub.request("HEAD", f"/v2/{name}/manifests/{tag}", login=hub.main).headers["docker-content-digest"]


def furnish_flow(hub: TestHub) -> str:
    """The id of a workflow with two versions, a global and a key of a namespace."""
    namespace = hub.call("CreateSFNamespace", Namespace="work", Remark="of owned things")["NamespaceId"]
    hub.call("SetSFGlobals", Namespace=namespace, Globals='{"Bucket": "owned"}')
    hub.call("SetSFCredential", Namespace=namespace, Endpoint="https://api.example.com",
             EndpointPublicKey="key-of-owned", EndpointPrivateKey="never shown")  # fmt: skip
    for remark in ("one", "two"):
        value = template(start("ask"), http("ask", "end", Note=f"owned {remark}"), inputs=[param("Who")])
        text = base64.b64encode(json.dumps(value).encode()).decode()
        hub.call("CreateSFWorkflowFromTemplate", Region="cn-bj2", Namespace=namespace, WorkflowName="ask",
                 Workflow=text)  # fmt: skip
    assert hub.call("PublishSFWorkflow", WorkflowId=f"{namespace}.ask")["RetCode"] == 0
    return f"{namespace}.ask"


def furnish_run(hub: TestHub, flow: str) -> str:
    """The id of a run that waits for an engine."""
    return str(hub.call("RunSFWorkflow", WorkflowId=flow, Input='{"Who": "owned"}')["InstanceId"])


def furnish_listeners(hub: TestHub, flow: str) -> str:
    """The id of a webhook with deliveries; the workflow gets triggers."""
    webhook = hub.call("ListBucketWebhooks", BucketName="owned")["WebhookSet"][0]["WebhookId"]
    hub.run(dispatch.step(hub.hub))
    hub.call(
        "CreateSFTrigger",
        WorkflowId=flow,
        TriggerKind="Event",
        Bucket="owned",
        Event=["image.pushed"],
        Match=["app:v*"],
    )
    hub.call("CreateSFTrigger", WorkflowId=flow, TriggerKind="Cron", Cron="30 3 * * *", Input='{"Who": "owned"}')
    return str(webhook)


def furnish(hub: TestHub) -> dict[str, str]:
    """A hub in which every page has something to show; for each page a path that shows it."""
    hub.bucket("owned")
    hub.call("CreateBucketWebhook", BucketName="owned", Url="https://owned.example.com/hook")
    digest = push_whole(hub, "owned/app", "v1", config_of(history=[{"created_by": "RUN make"}]), hub.main)
    push_image(hub, "owned/app", "v2", hub.main)
    subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1}
    push_whole(hub, "owned/app", "sbom", config_of(), hub.main, artifactType="application/spdx+json", subject=subject)
    child = {"mediaType": subject["mediaType"], "digest": digest, "size": 1,
             "platform": {"os": "linux", "architecture": "arm64"}}  # fmt: skip
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child]}).encode()
    assert put_manifest(hub, "owned/app", "many", index, hub.main, OCI_INDEX).status == 201
    hub.request("DELETE", "/v2/owned/app/manifests/v2", login=hub.main)
    push_image(hub, "owned/app", "v3", hub.main)
    hub.request("DELETE", f"/v2/owned/app/manifests/{digest_of(hub, 'owned/app', 'v3')}", login=hub.main)
    hub.call("CreateBucketRobot", BucketName="owned", RobotName="ci", Permission=["Pull", "Push"])
    hub.call("SetBucketRetention", BucketName="owned", Rules='[{"Match": ["*"], "KeepNewest": 2}]')
    hub.call("CreateUser", UserName="worker", AccessKeyStatus="Active", LoginProfileStatus="Active",
             Password="battery staple")  # fmt: skip
    document = json.dumps({"Version": "1", "Statement": [{"Effect": "Allow", "Action": "uhub:No", "Resource": "*"}]})
    urn = hub.call("CreateIAMPolicy", PolicyName="nothing", Document=document)["PolicyURN"]
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "ucs:iam::1:root"}
    hub.call("CreateRole", RoleName="deployer", RolePolicyDocument=json.dumps({"Version": "1", "Statement": [trust]}))
    hub.call("AttachPoliciesToRole", RoleName="deployer", PolicyURNs=[urn])
    hub.call("AttachPoliciesToUser", UserName="worker", PolicyURNs=[urn])
    flow = furnish_flow(hub)
    webhook = furnish_listeners(hub, flow)
    return {
        "/console": "/console",
        "/stepflow/manage": "/stepflow/manage",
        "/stepflow/manage/gallery": "/stepflow/manage/gallery",
        "/stepflow/manage/new": "/stepflow/manage/new?from=prune",
        "/stepflow/manage/namespace": f"/stepflow/manage/namespace?id={flow.partition('.')[0]}",
        "/stepflow/manage/workflow": f"/stepflow/manage/workflow?id={flow}",
        "/stepflow/manage/versions": f"/stepflow/manage/versions?id={flow}&left=1&right=2",
        "/stepflow/manage/runs": f"/stepflow/manage/runs?id={flow}",
        "/stepflow/manage/triggers": f"/stepflow/manage/triggers?id={flow}",
        "/stepflow/manage/run": f"/stepflow/manage/run?id={furnish_run(hub, flow)}",
        "/console/login": "/console/login",
        "/console/logout": "/console/logout",
        "/console/account": "/console/account",
        "/console/audit": "/console/audit",
        "/console/buckets": "/console/buckets",
        "/console/bucket": "/console/bucket?name=owned",
        "/console/bucket/settings": "/console/bucket/settings?name=owned",
        "/console/bucket/robots": "/console/bucket/robots?name=owned",
        "/console/bucket/retention": "/console/bucket/retention?name=owned",
        "/console/bucket/events": "/console/bucket/events?name=owned",
        "/console/bucket/webhooks": "/console/bucket/webhooks?name=owned",
        "/console/bucket/webhook": f"/console/bucket/webhook?name=owned&id={webhook}",
        "/console/bucket/trash": "/console/bucket/trash?name=owned",
        "/console/trash": "/console/trash",
        "/console/jobs": "/console/jobs",
        "/console/image": "/console/image?bucket=owned&name=app",
        "/console/image/history": "/console/image/history?bucket=owned&name=app",
        "/console/manifest": "/console/manifest?bucket=owned&image=app&reference=v1",
        "/console/projects": "/console/projects",
        "/console/users": "/console/users",
        "/console/user": "/console/user?name=worker",
        "/console/policies": "/console/policies",
        "/console/policy": f"/console/policy?urn={urn}",
        "/console/roles": "/console/roles",
        "/console/role": "/console/role?name=deployer",
        "/uapi/apikey": "/uapi/apikey",
        "/uapi/ucloudapi": "/uapi/ucloudapi",
        "/uapi/detail": "/uapi/detail?id=GetImageBucketList",
    }
