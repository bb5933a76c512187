"""The servers that are measured: how each is set up, started and asked for its version."""

import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

from bench import procs
from bench.procs import Trouble

BUCKET = "bench"
OURS, SECOND, ON_POSTGRESQL, DISTRIBUTION, ZOT, NGINX = (
    "ours",
    "ours, more workers",
    "ours, on PostgreSQL",
    "distribution",
    "zot",
    "nginx",
)


class Server:
    """One server on a port of its own, its data below ``folder``. Subclasses say how."""

    name = ""
    ready = "/v2/"
    login: tuple[str, str] | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.data.mkdir(parents=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """What starts it on ``self.port``; writes its configuration, if any."""
        raise NotImplementedError

    def environ(self) -> dict[str, str]:
        """Its environment."""
        return dict(os.environ)

    def version(self) -> str:
        """Its name and version in words."""
        raise NotImplementedError

    def headers(self, repository: str) -> dict[str, str]:  # noqa: ARG002 - most need none
        """What a request that may pull and push carries."""
        return {}

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.port = procs.free_port()
        self.process = procs.start(self.command(), self.log, self.environ())
        procs.until_ready(self.process, self.port, self.ready, self.log)

    def stop(self) -> None:
        """End all of it; a second time is harmless."""
        if self.process is not None:
            procs.stop(self.process)
            self.process = None


class Hub(Server):
    """What `entrepot serve` runs. One bucket, public: anybody pulls, the main user pushes.

    ``database``: the URL of a PostgreSQL database for its rows, or "".
    """

    name = OURS
    ready = "/healthz"

    def __init__(self, folder: Path, workers: int = 1, database: str = "") -> None:
        super().__init__(folder)
        self.workers = workers
        self.database = database
        if workers > 1:
            self.name = SECOND
        if database:
            self.name = ON_POSTGRESQL
        self.login = ("bench@example.com", secrets.token_hex(12))
        self.cli("init", "--email", self.login[0], "--password", self.login[1])
        self.cli("bucket", "create", BUCKET)
        self.cli("bucket", "share", BUCKET, "--public")

    def cli(self, *words: str, seconds: float = 60) -> str:
        """A command of the hub on its data."""
        told = [sys.executable, "-m", "entrepot.cli.main", *words[:2], "--data", str(self.data), *words[2:]]
        if words[0] == "init":
            told = [sys.executable, "-m", "entrepot.cli.main", "init", "--data", str(self.data), *words[1:]]
        return procs.run(told, seconds=seconds, env=self.environ())

    def command(self) -> list[str]:
        """Python runs the module: there may be no `entrepot` on the path."""
        words = [sys.executable, "-m", "entrepot.cli.main", "serve", "--data", str(self.data), "--port", str(self.port)]
        return [*words, "--workers", str(self.workers)]

    def environ(self) -> dict[str, str]:
        """No settings but the defaults, save where rows are and the number of buckets."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ENTREPOT_")}
        return {**kept, "ENTREPOT_PROJECT_BUCKETS": "0", "ENTREPOT_DATABASE_URL": self.database}

    def version(self) -> str:
        """As the command line tells it."""
        return procs.run([sys.executable, "-m", "entrepot.cli.main", "--version"], env=self.environ()).strip()

    def token(self, repository: str) -> str:
        """A fresh token of the main user."""
        assert self.login is not None
        query = urlencode({"service": "entrepot", "scope": f"repository:{repository}:pull,push"})
        basic = base64.b64encode(":".join(self.login).encode()).decode()
        status, _, body = procs.ask(self.port, "GET", f"/token?{query}", {"Authorization": f"Basic {basic}"})
        if status != 200:
            raise Trouble(f"no token: {status} {body[:200]!r}")
        return str(json.loads(body)["token"])

    def headers(self, repository: str) -> dict[str, str]:
        """A Bearer token."""
        return {"Authorization": f"Bearer {self.token(repository)}"}


class Distribution(Server):
    """The CNCF's distribution over local files, its descriptor cache in memory, nothing logged, anonymous."""

    name = DISTRIBUTION
    binary = shutil.which("docker-registry") or shutil.which("registry") or ""

    def command(self) -> list[str]:
        """Its YAML configuration, and the command."""
        config = self.folder / "config.yml"
        config.write_text(
            f"""version: 0.1
log:
  level: error
  accesslog: {{disabled: true}}
storage:
  cache: {{blobdescriptor: inmemory}}
  filesystem: {{rootdirectory: {json.dumps(str(self.data))}}}
  delete: {{enabled: true}}
  maintenance:
    uploadpurging: {{enabled: false}}
http:
  addr: 127.0.0.1:{self.port}
  secret: bench
health:
  storagedriver: {{enabled: false}}
""",
            "utf-8",
        )
        return [self.binary, "serve", str(config)]

    def version(self) -> str:
        """The last word is the version."""
        return f"distribution {procs.run([self.binary, '--version']).split()[-1]}"

    def plant_tags(self, repository: str, digest: str, tags: list[str]) -> None:
        """Write tags as distribution's own files, which is what its PUT leaves behind."""
        root = self.data / "docker/registry/v2/repositories" / repository / "_manifests/tags"
        link = digest.encode()
        for tag in tags:
            index = root / tag / "index" / digest.replace(":", "/")
            index.mkdir(parents=True)
            (index / "link").write_bytes(link)
            (root / tag / "current").mkdir()
            (root / tag / "current" / "link").write_bytes(link)


class Zot(Server):
    """zot over local files, every write committed to disk as ours are, anonymous."""

    name = ZOT

    def __init__(self, folder: Path, binary: str) -> None:
        super().__init__(folder)
        self.binary = binary

    def command(self) -> list[str]:
        """Its JSON configuration, and the command."""
        config = {
            "distSpecVersion": "1.1.0",
            "storage": {"rootDirectory": str(self.data), "commit": True, "gc": False},
            "http": {"address": "127.0.0.1", "port": str(self.port)},
            "log": {"level": "error"},
        }
        path = self.folder / "config.json"
        path.write_text(json.dumps(config), "utf-8")
        return [self.binary, "serve", str(path)]

    def version(self) -> str:
        """Whatever it tells of itself."""
        try:
            told = procs.run([self.binary, "--version"], seconds=20)
        except Trouble:
            return "zot (tells no version)"
        return f"zot {' '.join(told.split())[:120]}"


class Nginx(Server):
    """nginx with sendfile over files of the same bytes: what the machine can do at most."""

    name = NGINX
    ready = "/ready"
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or ""

    def command(self) -> list[str]:
        """A whole configuration of its own; as many workers as cores, as it is shipped."""
        (self.data / "ready").write_text("ok\n", "utf-8")
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        temp = "".join(f"  {one}_temp_path {scratch}/{one};\n" for one in ("proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.geteuid() == 0 else ""
        config = self.folder / "nginx.conf"
        config.write_text(
            f"""daemon off;
{user}worker_processes auto;
pid {self.folder}/pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
  client_body_temp_path {scratch}/body;
{temp}  server {{
    listen 127.0.0.1:{self.port};
    root {self.data};
  }}
}}
""",
            "utf-8",
        )
        return [self.binary, "-e", "stderr", "-p", str(self.folder), "-c", str(config)]

    def version(self) -> str:
        """Told on standard error."""
        told = subprocess.run([self.binary, "-v"], capture_output=True, text=True, check=False)
        return told.stderr.strip().rpartition(" ")[2].replace("/", " ")
