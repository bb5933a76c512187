"""Handlers of api/robots.py."""

from entrepot.actions.run import Call, handles
from entrepot.api.declare import Response
from entrepot.api.iam import Switch
from entrepot.api.robots import (
    BucketRobot,
    BucketRobots,
    CreateBucketRobot,
    DeleteBucketRobot,
    ListBucketRobots,
    NewRobot,
    RobotRight,
    UpdateBucketRobot,
)
from entrepot.model.names import RobotName
from entrepot.ops import robots


@handles(CreateBucketRobot)
async def create_bucket_robot(call: Call, request: CreateBucketRobot) -> NewRobot:
    """The only answer with its secret."""
    name = request.robot_name
    secret = await robots.create(call.ctx, request.bucket_name, name, _rights(request.permission), request.expire_time)
    return NewRobot(robot_name=name, login_name=str(RobotName(request.bucket_name, name)), secret=secret)


@handles(ListBucketRobots)
async def list_bucket_robots(call: Call, request: ListBucketRobots) -> BucketRobots:
    """All of them: a bucket has at most a hundred."""
    return BucketRobots(
        robot_set=[
            BucketRobot(
                robot_name=one.name,
                login_name=str(RobotName(request.bucket_name, one.name)),
                permission=[right.capitalize() for right in one.rights.split()],
                status=robots.status(one, call.ctx.now),
                expire_time=one.expires_at,
                create_time=one.created_at,
            )
            for one in await robots.list_all(call.ctx, request.bucket_name)
        ]
    )


@handles(UpdateBucketRobot)
async def update_bucket_robot(call: Call, request: UpdateBucketRobot) -> Response:
    """What was sent."""
    await robots.update(
        call.ctx,
        request.bucket_name,
        request.robot_name,
        rights=None if request.permission is None else _rights(request.permission),
        active=None if request.status is None else request.status is Switch.ACTIVE,
        expires_at=request.expire_time,
    )
    return Response()


@handles(DeleteBucketRobot)
async def delete_bucket_robot(call: Call, request: DeleteBucketRobot) -> Response:
    """Out at once."""
    await robots.delete(call.ctx, request.bucket_name, request.robot_name)
    return Response()


def _rights(given: list[RobotRight]) -> list[str]:
    return [one.value.lower() for one in given]
