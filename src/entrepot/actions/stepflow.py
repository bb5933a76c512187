"""Handlers of api/stepflow.py."""

import base64
import binascii
import json

import msgspec

from entrepot.actions.run import Call, handles
from entrepot.api import stepflow as api
from entrepot.api.declare import Response
from entrepot.errors import HubError, Kind
from entrepot.model.flow import template as templates
from entrepot.model.flow.check import check
from entrepot.model.flow.template import TEMPLATE_BYTES, TemplateError
from entrepot.ops import flows
from entrepot.store.db import Rows
from entrepot.store.sql import flow_runs as runs_sql
from entrepot.store.sql import flows as sql
from entrepot.store.sql.flow_runs import Instance


def _template(text: str) -> bytes:
    """The JSON in a base64 parameter; some clients break its lines. Raises BAD_PARAM."""
    if len(text) > 2 * TEMPLATE_BYTES:
        raise HubError(Kind.TOO_LARGE, f"Workflow holds at most {TEMPLATE_BYTES} bytes")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise HubError(Kind.BAD_PARAM, "Workflow: base64 of the template's JSON is expected") from fault


@handles(api.CreateSFWorkflowFromTemplate)
async def create_workflow(call: Call, request: api.CreateSFWorkflowFromTemplate) -> api.SavedWorkflow:
    """A new version."""
    text = _template(request.workflow)
    version = await flows.save(call.ctx, request.namespace, request.project_id, request.workflow_name, text)
    return api.SavedWorkflow(version=version)


@handles(api.CheckSFWorkflowTemplate)
async def check_workflow(call: Call, request: api.CheckSFWorkflowTemplate) -> api.CheckedTemplate:  # noqa: ARG001 - every handler takes the call
    """Every fault at its place."""
    try:
        faults = check(templates.parse(_template(request.workflow)))
    except TemplateError as fault:
        faults = fault.faults
    return api.CheckedTemplate(
        fault_set=[api.CheckedFault(activity=one.activity, field=one.field, message=one.message) for one in faults]
    )


@handles(api.GetSFWorkflowTemplate)
async def get_template(call: Call, request: api.GetSFWorkflowTemplate) -> api.WorkflowTemplate:
    """The steps under both spellings of their list."""

    def load(rows: Rows) -> sql.Version:
        found = flows.open_workflow(rows, call.ctx.who, request.workflow_id, request.project_id)
        return flows.pick_version(rows, found, request.workflow_version or 0)

    version = await call.ctx.hub.db.read(load)
    value = json.loads(version.template)
    value["Activites"] = value["Activities"]
    return api.WorkflowTemplate(
        workflow_id=version.workflow_id,
        version=version.version,
        workflow=msgspec.convert(value, api.TemplateModel),
    )


@handles(api.CreateSFNamespace)
async def create_namespace(call: Call, request: api.CreateSFNamespace) -> api.MadeNamespace:
    """In the project, or the default one."""
    made = await flows.create_namespace(call.ctx, request.namespace, request.project_id, request.remark)
    return api.MadeNamespace(namespace_id=made)


@handles(api.ListSFNamespaces)
async def list_namespaces(call: Call, request: api.ListSFNamespaces) -> api.Namespaces:
    """Of the account, or of one project."""
    found = await call.ctx.hub.db.read(
        sql.namespaces, call.ctx.who.account_id, request.project_id, request.offset, request.limit
    )
    return api.Namespaces(
        namespace_set=[
            api.Namespace(
                namespace_id=one.id,
                project_id=one.project_id,
                name=one.name,
                remark=one.remark,
                create_time=one.created_at,
            )
            for one in found
        ]
    )


@handles(api.UpdateSFNamespace)
async def update_namespace(call: Call, request: api.UpdateSFNamespace) -> Response:
    """Its note."""

    def change(rows: Rows) -> None:
        found = flows.open_namespace(rows, call.ctx.who, request.namespace, request.project_id)
        sql.set_remark(rows, found.id, request.remark)

    await call.ctx.hub.db.write(change)
    return Response()


@handles(api.DeleteSFNamespace)
async def delete_namespace(call: Call, request: api.DeleteSFNamespace) -> Response:
    """With its globals and keys."""
    await flows.delete_namespace(call.ctx, request.namespace, request.project_id)
    return Response()


@handles(api.SetSFGlobals)
async def set_globals(call: Call, request: api.SetSFGlobals) -> Response:
    """All of them."""
    await flows.set_globals(call.ctx, request.namespace, request.project_id, request.globals)
    return Response()


@handles(api.GetSFGlobals)
async def get_globals(call: Call, request: api.GetSFGlobals) -> api.GlobalsAnswer:
    """All of them."""

    def load(rows: Rows) -> dict[str, str]:
        found = flows.open_namespace(rows, call.ctx.who, request.namespace, request.project_id)
        return sql.globals_of(rows, found.id)

    found = await call.ctx.hub.db.read(load)
    return api.GlobalsAnswer(globals={name: json.loads(value) for name, value in found.items()})


@handles(api.SetSFCredential)
async def set_credential(call: Call, request: api.SetSFCredential) -> Response:
    """Encrypted before it is stored."""
    keys = (request.endpoint_public_key, request.endpoint_private_key)
    await flows.set_credential(call.ctx, request.namespace, request.project_id, request.endpoint, keys)
    return Response()


@handles(api.DeleteSFCredential)
async def delete_credential(call: Call, request: api.DeleteSFCredential) -> Response:
    """Steps that need it fail from then on."""

    def remove(rows: Rows) -> None:
        found = flows.open_namespace(rows, call.ctx.who, request.namespace, request.project_id)
        if not sql.delete_credential(rows, found.id, flows.origin_of(request.endpoint)):
            raise HubError(Kind.FLOW_UNKNOWN, f"keys for {request.endpoint[:100]}")

    await call.ctx.hub.db.write(remove)
    return Response()


@handles(api.ListSFCredentials)
async def list_credentials(call: Call, request: api.ListSFCredentials) -> api.Credentials:
    """Never the private keys."""

    def load(rows: Rows) -> list[tuple[str, str, str]]:
        found = flows.open_namespace(rows, call.ctx.who, request.namespace, request.project_id)
        return sql.credentials(rows, found.id)

    found = await call.ctx.hub.db.read(load)
    return api.Credentials(
        credential_set=[api.Credential(endpoint=one[0], endpoint_public_key=one[1]) for one in found]
    )


@handles(api.ListSFWorkflows)
async def list_workflows(call: Call, request: api.ListSFWorkflows) -> api.Workflows:
    """Of one namespace."""

    def load(rows: Rows) -> tuple[int, list[sql.Workflow], dict[str, Instance]]:
        found = flows.open_namespace(rows, call.ctx.who, request.namespace, request.project_id)
        listed = sql.workflows(rows, found.id, request.offset, request.limit)
        return sql.count_workflows(rows, found.id), listed, runs_sql.newest(rows, [one.id for one in listed])

    total, found, last = await call.ctx.hub.db.read(load)
    return api.Workflows(total_count=total, workflow_set=[_workflow(one, last.get(one.id)) for one in found])


@handles(api.DescribeSFWorkflow)
async def describe_workflow(call: Call, request: api.DescribeSFWorkflow) -> api.DescribedWorkflow:
    """One of the caller's account."""

    def load(rows: Rows) -> tuple[sql.Workflow, dict[str, Instance]]:
        found = flows.open_workflow(rows, call.ctx.who, request.workflow_id, request.project_id)
        return found, runs_sql.newest(rows, [found.id])

    found, last = await call.ctx.hub.db.read(load)
    return api.DescribedWorkflow(workflow=_workflow(found, last.get(found.id)))


def _workflow(one: sql.Workflow, last: Instance | None) -> api.Workflow:
    return api.Workflow(
        workflow_id=one.id,
        name=one.name,
        newest_version=one.newest,
        published_version=one.published,
        has_token=bool(one.token_hash),
        create_time=one.created_at,
        update_time=one.updated_at,
        last_state=last.state if last else "",
        last_run_time=last.created_at if last else 0,
        last_instance_id=last.id if last else "",
    )


@handles(api.ListSFWorkflowVersions)
async def list_versions(call: Call, request: api.ListSFWorkflowVersions) -> api.WorkflowVersions:
    """Of one workflow."""

    def load(rows: Rows) -> list[tuple[int, int, str]]:
        found = flows.open_workflow(rows, call.ctx.who, request.workflow_id, request.project_id)
        return sql.versions(rows, found.id, request.before or 2**53, request.limit)

    found = await call.ctx.hub.db.read(load)
    return api.WorkflowVersions(
        version_set=[api.WorkflowVersion(version=one[0], create_time=one[1], user=one[2]) for one in found]
    )


@handles(api.PublishSFWorkflow)
async def publish(call: Call, request: api.PublishSFWorkflow) -> api.Published:
    """The version that is the default from now on."""
    version = await flows.publish(call.ctx, request.workflow_id, request.project_id, request.workflow_version)
    return api.Published(version=version)


@handles(api.DeleteSFWorkflow)
async def delete_workflow(call: Call, request: api.DeleteSFWorkflow) -> Response:
    """With all that belongs to it."""
    await flows.delete(call.ctx, request.workflow_id, request.project_id)
    return Response()


@handles(api.CreateSFWorkflowToken)
async def create_token(call: Call, request: api.CreateSFWorkflowToken) -> api.CallUrl:
    """Shown once."""
    token = await flows.make_token(call.ctx, request.workflow_id, request.project_id)
    namespace, _, name = request.workflow_id.partition(".")
    account = call.ctx.who.account_id
    path = f"/namespace/{namespace}/workflow/{name}/version/0?cid={account}&token={token}"
    return api.CallUrl(path=path, token=token)
