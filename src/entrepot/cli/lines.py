"""The ready-to-paste lines that `serve` prints."""

import shutil
import sys

from entrepot.config import Settings
from entrepot.model import signing
from entrepot.ops.people import Secrets


def first_steps(settings: Settings, made: Secrets | None) -> str:
    """Lines for Docker, curl and the Python SDK; with real secrets only right after they were made."""
    host = f"{settings.host}:{settings.port}"
    base = settings.public_url.rstrip("/") or f"{'https' if settings.tls_cert else 'http'}://{host}"
    name = base.partition("://")[2]
    region = settings.default_region
    public_key = made.public_key if made else "YOUR_PUBLIC_KEY"
    private_key = made.private_key if made else "YOUR_PRIVATE_KEY"
    email = made.email if made else "YOUR_EMAIL"
    password = f" -p '{made.password}'" if made else ""
    params = {"Action": "GetImageBucketList", "Region": region, "PublicKey": public_key}
    signature = signing.sign(params, private_key) if made else "SIGNATURE"
    program = _program()
    keys = f"ENTREPOT_PUBLIC_KEY={public_key} ENTREPOT_PRIVATE_KEY={private_key}"
    return f"""
Serving on {base}

  docker login {name} -u {email}{password}
  {program} bucket create helloworld --data {settings.data}
  docker tag debian:12 {name}/helloworld/debian:12
  docker push {name}/helloworld/debian:12

  curl '{base}/?Action=GetImageBucketList&Region={region}&PublicKey={public_key}&Signature={signature}'
  {keys} {program} api GetImageBucketList --url {base} --Region {region}

  # pip install ucloud-sdk-python3
  python3 -c 'from ucloud.client import Client; print(Client({{"region": "{region}", "base_url": "{base}", \
"public_key": "{public_key}", "private_key": "{private_key}"}}).invoke("GetImageBucketList"))'

Stop with Ctrl+C."""


def _program() -> str:
    """How this command was called, so that a line works when pasted into the same shell."""
    called = sys.argv[0]
    if called.endswith(".py"):
        return f"{sys.executable} -m entrepot.cli.main"
    return "entrepot" if shutil.which("entrepot") == called or not called else called
