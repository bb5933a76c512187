"""Who logs in at the registry door: a person with a password or a key, or a robot with its secret.

People log in elsewhere too, robots only here.
"""

from entrepot.model import names
from entrepot.ops import guesses, people, robots
from entrepot.ops.context import Hub, Who

_QUOTE = "; a robot logs in as 'robot$<bucket>+<name>', in single quotes or with + for $, as shells take $ away"


async def login(hub: Hub, name: str, secret: str, address: str) -> Who:
    """The caller behind a registry login.

    Raises UNAUTHORIZED without telling what was wrong, THROTTLED, and to those who know the secret IP_REJECTED.
    """
    robot = names.robot_login(name)
    if robot is None:
        return await people.login(hub, name, secret, address, hint=_QUOTE if name.startswith("robot+") else "")
    who = await robots.login(hub, robot, secret, address)
    if who is None:
        raise await guesses.wrong(hub, str(robot), address)
    return who


async def named(hub: Hub, name: str) -> Who | None:
    """Whom a login name belongs to, whatever its secret; None for nobody."""
    robot = names.robot_login(name)
    return await (people.named(hub, name) if robot is None else robots.named(hub, robot))
