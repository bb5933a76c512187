"""Every action of the hub through UCloud's Python SDK, unchanged, in one story."""

import base64
import json
import time
from typing import Any

import pytest
from ucloud.client import Client
from ucloud.core import exc

from entrepot.api.declare import ACTIONS
from tests.conftest import Live, entrepot
from tests.sdks.conftest import Shop

pytestmark = pytest.mark.clients
ALLOW = json.dumps({"Version": "1", "Statement": [{"Effect": "Allow", "Action": ["uhub:*"], "Resource": ["*"]}]})


class Story:
    """Calls with the generic client, and which actions were called."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.client = self.of(live.public_key, live.private_key)
        self.called: set[str] = set()

    def of(self, public_key: str, private_key: str) -> Client:
        return Client({"base_url": self.live.url, "region": "cn-bj2", "project_id": self.live.project_id,
                       "public_key": public_key, "private_key": private_key})  # fmt: skip

    def call(self, action: str, client: Client | None = None, **params: Any) -> dict[str, Any]:
        self.called.add(action)
        return dict((client or self.client).invoke(action, params))


@pytest.fixture
def story(live: Live) -> Story:
    return Story(live)


def test_every_action(story: Story, shop: Shop) -> None:
    _account(story)
    _buckets(story, shop)
    _users(story)
    _policies(story)
    _flows(story)
    assert story.called == set(ACTIONS)


def _flows(story: Story) -> None:
    namespace = story.call("CreateSFNamespace", Namespace="tales", Remark="once")["NamespaceId"]
    story.call("UpdateSFNamespace", Namespace=namespace, Remark="twice")
    assert story.call("ListSFNamespaces")["NamespaceSet"][0]["Remark"] == "twice"
    story.call("SetSFGlobals", Namespace=namespace, Globals=json.dumps({"Who": "me"}))
    assert story.call("GetSFGlobals", Namespace=namespace)["Globals"] == {"Who": "me"}
    endpoint = {"Namespace": namespace, "Endpoint": "https://api.example.com"}
    story.call("SetSFCredential", EndpointPublicKey="a", EndpointPrivateKey="b", **endpoint)
    assert len(story.call("ListSFCredentials", Namespace=namespace)["CredentialSet"]) == 1
    story.call("DeleteSFCredential", **endpoint)
    ask = {"Name": "ask", "Type": "UHttpActivity", "Next": "end", "Timeout": 5000, "RetryTimes": 1,
           "Input": {"url": "https://api.ucloud.cn", "method": "POST", "body": {"Action": "GetRegion"}}}  # fmt: skip
    template = {"Input": [], "Output": [{"Name": "Code", "Type": "INT64", "Value": "${ask.output.RetCode}"}],
                "Activities": [{"Name": "start", "Type": "StartActivity", "Next": "ask"}, ask,
                               {"Name": "end", "Type": "EndActivity"}]}  # fmt: skip
    text = base64.b64encode(json.dumps(template).encode()).decode()
    assert story.call("CheckSFWorkflowTemplate", Workflow=text)["FaultSet"] == []
    flow = f"{namespace}.one"
    story.call("CreateSFWorkflowFromTemplate", Namespace=namespace, WorkflowName="one", Workflow=text)
    assert story.call("PublishSFWorkflow", WorkflowId=flow)["Version"] == 1
    typed = story.client.stepflow()
    assert typed.create_sf_workflow_from_template(
        {"Namespace": namespace, "WorkflowName": "one", "Workflow": json.dumps(template)}
    )["Version"] == 2  # fmt: skip
    assert len(typed.get_sf_workflow_template({"WorkflowId": flow, "WorkflowVersion": 2})["Workflow"]["Activites"]) == 3
    assert story.call("GetSFWorkflowTemplate", WorkflowId=flow)["Version"] == 1
    assert story.call("ListSFWorkflows", Namespace=namespace)["TotalCount"] == 1
    assert story.call("DescribeSFWorkflow", WorkflowId=flow)["Workflow"]["LastState"] == ""
    assert len(story.call("ListSFWorkflowVersions", WorkflowId=flow)["VersionSet"]) == 2
    assert story.call("CreateSFWorkflowToken", WorkflowId=flow)["Token"]
    run = story.call("RunSFWorkflow", WorkflowId=flow)["InstanceId"]
    again = story.call("RerunSFInstance", InstanceId=run)["InstanceId"]
    for instance in (run, again):
        while not (found := story.call("GetSFInstance", InstanceId=instance))["Instance"]["EndTime"]:
            time.sleep(0.1)
        assert found["Output"] == {"Code": 0}, found
    assert len(story.call("ListSFInstances", WorkflowId=flow)["InstanceSet"]) == 2
    with pytest.raises(exc.RetCodeException):
        story.call("CancelSFInstance", InstanceId=run)
    _triggers(story, flow)
    story.call("DeleteSFWorkflow", WorkflowId=flow)
    story.call("DeleteSFNamespace", Namespace=namespace)


def _triggers(story: Story, flow: str) -> None:
    nightly = {"TriggerKind": "Cron", "Cron": "0 3 * * *", "TimeZone": "Asia/Shanghai"}
    made = story.call("CreateSFTrigger", WorkflowId=flow, **nightly)["TriggerId"]
    story.call("UpdateSFTrigger", TriggerId=made, Cron="0 4 * * *")
    [kept] = story.call("ListSFTriggers", WorkflowId=flow)["TriggerSet"]
    assert (kept["Cron"], kept["NextTime"] > time.time()) == ("0 4 * * *", True)
    story.call("DeleteSFTrigger", TriggerId=made)


def _webhooks(story: Story) -> None:
    bucket = {"BucketName": "story-one"}
    made = story.call("CreateBucketWebhook", **bucket, Url="http://127.0.0.1:9/hook", Event=["image.pushed"])
    hook = {**bucket, "WebhookId": made["WebhookId"]}
    story.call("UpdateBucketWebhook", **hook, Match=["app:v*"])
    [kept] = story.call("ListBucketWebhooks", **bucket)["WebhookSet"]
    assert (kept["Event"], kept["Match"]) == (["image.pushed"], ["app:v*"])
    assert not story.call("TestBucketWebhook", **hook)["Delivered"]
    tag = {**bucket, "ImageName": "app", "TagName": "v9", "Source": "v3"}
    assert story.call("TagImage", **tag)["Digest"].startswith("sha256:")
    # Where anybody of the account listens, there are events from before the webhook.
    [event] = [one for one in story.call("ListEvents", **bucket)["EventSet"] if one["TagName"] == "v9"]
    while not (waiting := story.call("ListWebhookDeliveries", **hook)["DeliverySet"]):
        time.sleep(0.1)
    assert waiting[0]["Number"] == event["Number"]
    assert story.call("RedeliverWebhook", **hook)["Count"] == 0
    story.call("DeleteBucketWebhook", **hook)
    story.call("DeleteImage", **bucket, ImageName="app", Tag=["v9"])


def _account(story: Story) -> None:
    assert any(one["IsDefault"] for one in story.call("GetRegion")["Regions"])
    assert story.call("ListRegions")["Regions"][0]["Region"]
    assert story.call("ListZones")["Zones"][0]["Zone"] == "cn-bj2-01"
    assert story.call("GetUserInfo")["DataSet"][0]["UserEmail"] == story.live.email
    project = story.call("CreateProject", ProjectName="story")["ProjectId"]
    story.call("ModifyProject", ProjectId=project, ProjectName="tale")
    assert "tale" in [one["ProjectName"] for one in story.call("GetProjectList")["ProjectSet"]]
    assert project in [one["ProjectID"] for one in story.call("ListProjects", Limit="100")["Projects"]]
    story.call("TerminateProject", ProjectId=project)
    story.call("SetNetworkMask", APINetworkMask="127.0.0.0/8,::1", Code="")
    assert story.call("GetNetworkMask")["Data"]["APINetworkMask"] == "127.0.0.0/8,::1/128"
    story.call("SetNetworkMask", APINetworkMask="", LoginNetworkMask="")


def _buckets(story: Story, shop: Shop) -> None:
    story.call("CreateDockerImageBucket", BucketName="story-one")
    story.call("CreateRepo", RepoName="story-two", IsShared=True, Description="故事")
    shop.push("story-one/app", "v1", "v2", "v3")
    listed = story.call("GetImageBucketList", BucketName="story-one", BucketType="User")["ImageSet"]
    assert (listed[0]["BucketType"], listed[0]["ImageCount"]) == ("Private", 1)
    assert len(story.call("GetDockerImageList", BucketName="story-one")["ImageSet"][0]["TagSet"]) == 3
    assert "story-one/app:v2" in story.call("GetAllImages")["ImageSet"]
    story.call("UpdateRepo", RepoName="story-two", IsShared="False")
    assert "story-two" in [one["RepoName"] for one in story.call("GetRepo", Type="private", Limit=1000)["RepoSet"]]
    assert [one["BucketName"] for one in story.call("ListBuckets", Prefix="story-o")["BucketSet"]] == ["story-one"]
    assert story.call("DescribeBucket", BucketName="story-two")["Bucket"]["Description"] == "故事"
    assert story.call("ListImages", BucketName="story-one")["ImageSet"][0]["TagCount"] == 3
    newest = story.call("ListTags", BucketName="story-one", ImageName="app", Limit=1)
    assert (newest["TotalCount"], len(newest["TagSet"])) == (3, 1)
    told = story.call("DescribeManifest", BucketName="story-one", ImageName="app", Reference="v3")
    assert (told["Tag"], len(told["LayerSet"])) == (["v3"], 1)
    assert story.call("GetAccountSummary", Days=7)["BucketCount"] >= 2
    assert story.call("GetRepoImage", RepoName="story-one")["ImageSet"][0]["LatestTag"] == "v3"
    assert story.call("GetImageTag", RepoName="story-one", ImageName="app", TagName="v1")["TotalCount"] == 1
    other = entrepot("user", "add", "story@example.com", "--new-account", "--data", str(story.live.data))
    assert other.returncode == 0
    grantee = json.loads(entrepot("user", "list", "--data", str(story.live.data), "--json").stdout)[-1]["Account"]
    story.call("GrantBucket", BucketName="story-one", GranteeID=grantee, Permission="Write")
    grants = story.call("ListBucketGrants", BucketName="story-one")["GrantSet"]
    assert [(one["GranteeID"], one["Permission"]) for one in grants] == [(grantee, "Write")]
    story.call("RevokeBucketGrant", BucketName="story-one", GranteeID=grantee)
    ci = {"BucketName": "story-one", "RobotName": "ci"}
    made = story.call("CreateBucketRobot", **ci, Permission=["Pull", "Push"])
    assert (made["LoginName"], len(made["Secret"])) == ("robot$story-one+ci", 48)
    story.call("UpdateBucketRobot", **ci, Status="Inactive", Permission=["Pull"], ExpireTime=4_000_000_000)
    [kept] = story.call("ListBucketRobots", BucketName="story-one")["RobotSet"]
    assert (kept["Permission"], kept["Status"], kept["ExpireTime"]) == (["Pull"], "Inactive", 4_000_000_000)
    story.call("DeleteBucketRobot", **ci)
    story.call("SetBucketNetworkPolicy", BucketName="story-one", IsOutSide=False, Network=["127.0.0.0/8", "::1"])
    assert story.call("GetBucketNetworkPolicy", BucketName="story-one")["IsOutSide"] == "false"
    quotas = story.call("ListQuotas", BucketName="story-one", ImageName="app")["QuotaSet"]
    assert quotas[-1]["Used"] == 3
    assert {one["Kind"] for one in story.call("ListJobs")["JobSet"]} >= {"Collection", "Scrub", "Backup"}
    assert story.call("ListDamaged", BucketName="story-one")["TotalCount"] == 0
    _webhooks(story)
    story.call("DeleteImage", BucketName="story-one", ImageName="app", Tag=["v1", "v2"])
    tag = {"BucketName": "story-one", "ImageName": "app", "TagName": "v1"}
    [gone, made] = story.call("ListTagHistory", **tag)["TagHistorySet"]
    assert (gone["Event"], made["Event"]) == ("Deleted", "Set")
    assert story.call("RestoreTag", **tag)["Digest"] == made["Digest"]
    _retention(story)
    story.call("SetUndeleteWindow", BucketName="story-one", Days=3)
    story.call("DeleteRepoImage", RepoName="story-one", ImageName="app")
    [deleted] = story.call("ListDeleted", BucketName="story-one")["DeletedSet"]
    assert deleted["ExpireTime"] - deleted["DeleteTime"] == 3 * 86_400
    deletion = {"BucketName": "story-one", "DeletionId": deleted["DeletionId"]}
    assert story.call("RestoreDeleted", **deletion)["Tags"] >= 1
    story.call("DeleteRepoImage", RepoName="story-one", ImageName="app")
    deletion["DeletionId"] = story.call("ListDeleted", BucketName="story-one")["DeletedSet"][0]["DeletionId"]
    story.call("PurgeDeleted", **deletion)
    for name in ("story-one", "story-two"):
        story.call("DeleteRepo", RepoName=name)


def _retention(story: Story) -> None:
    bucket = {"BucketName": "story-one"}
    rules = [{"Match": ["app/*", "app:v*"], "KeepNewest": 1}]
    story.call("SetBucketRetention", **bucket, Rules=json.dumps([{"Match": ["app:v*"], "KeepNewest": 1}]))
    assert json.loads(story.call("GetBucketRetention", **bucket)["Rules"])[0]["KeepNewest"] == 1
    with pytest.raises(exc.RetCodeException) as refused:
        story.call("SetBucketRetention", **bucket, Rules=json.dumps(rules))
    assert refused.value.code == 230
    seen = story.call("PreviewBucketRetention", **bucket)
    assert (seen["TotalCount"], seen["TagSet"][0]["TagName"]) == (1, "v3")
    story.call("SetBucketImmutableTags", **bucket, Tag=["app:v3"], ExceptTag=["v9"])
    assert story.call("GetBucketImmutableTags", **bucket)["TagSet"] == ["app:v3"]
    assert story.call("RunBucketRetention", **bucket)["TagSet"] == []
    story.call("SetBucketImmutableTags", **bucket, Tag=[""])
    assert [one["TagName"] for one in story.call("RunBucketRetention", **bucket)["TagSet"]] == ["v3"]


def _users(story: Story) -> None:
    made = story.call("CreateUser", UserName="teller", AccessKeyStatus="Active", LoginProfileStatus="Inactive")
    story.call("UpdateUser", UserName="teller", DisplayName="Teller")
    assert story.call("GetUser", UserName="teller")["User"]["DisplayName"] == "Teller"
    assert "teller" in [one["UserName"] for one in story.call("ListUsers", Limit="100")["Users"]]
    story.call("SetUserRights", UserName="teller", Right=["pull"])
    key = story.call("CreateAccessKey", UserName="teller")["AccessKey"]["AccessKeyID"]
    story.call("UpdateAccessKey", AccessKeyID=key, Status="Inactive")
    assert len(story.call("ListAccessKeys", UserName="teller")["AccessKey"]) == 2
    story.call("DeleteAccessKey", AccessKeyID=key)
    story.call("SetPassword", Kind="Registry", CurrentPassword=story.live.password, NewPassword="registry horse")
    teller = story.of(made["AccessKeyID"], made["AccessKeySecret"])
    with pytest.raises(exc.RetCodeException) as refused:
        story.call("ListUsers", teller)
    assert refused.value.code == 299
    assert story.call("ListAuditRecords", Limit=5)["AuditSet"]


def _policies(story: Story) -> None:
    urn = story.call("CreateIAMPolicy", PolicyName="story", Document=ALLOW)["PolicyURN"]
    story.call("UpdateIAMPolicy", PolicyURN=urn, Document=ALLOW, Description="all")
    assert story.call("GetIAMPolicy", PolicyURN=urn)["Policy"]["Description"] == "all"
    assert urn in [one["PolicyURN"] for one in story.call("ListPolicies", Owner="User", Limit="100")["Policies"]]
    trust = {"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "ucs:iam::1:root"}}
    role = story.call("CreateRole", RoleName="hero", RolePolicyDocument=json.dumps(trust))["Role"]["RoleURN"]
    assert story.call("GetRole", RoleName="hero")["Role"]["RoleURN"] == role
    assert role in [one["RoleURN"] for one in story.call("ListRoles", Limit="100")["Roles"]]
    for kind, who in (("User", {"UserName": "teller"}), ("Role", {"RoleName": "hero"})):
        story.call(f"AttachPoliciesTo{kind}", PolicyURNs=[urn], Scope="All", **who)
        assert story.call(f"ListPoliciesFor{kind}", **who)["TotalCount"] == 1
    assert story.call("ListEntitiesForPolicy", PolicyURN=urn)["TotalCount"] == 2
    keys = story.call("AssumeRole", RoleUrn=role, RoleSessionName="tale")["Credentials"]
    hero = story.of(keys["AccessKeyId"], keys["AccessKeySecret"])
    assert story.call("GetRepo", hero, SecurityToken=keys["SecurityToken"])["RetCode"] == 0
    for kind, who in (("User", {"UserName": "teller"}), ("Role", {"RoleName": "hero"})):
        story.call(f"DetachPoliciesFrom{kind}", PolicyURNs=[urn], Scope="All", **who)
    story.call("DeleteRole", RoleName="hero")
    story.call("DeleteIAMPolicy", PolicyURN=urn)
    with pytest.raises(exc.RetCodeException) as gone:
        story.call("GetRegion", hero, SecurityToken=keys["SecurityToken"])
    assert gone.value.code == 174
    story.call("DeleteUser", UserName="teller")
