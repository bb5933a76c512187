"""HTTPS by the server itself: renewed certificates are taken while requests go on, bad ones are not."""

import http.client
import signal
import ssl
import subprocess
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509

from entrepot.cli.listening import OVERLAP_SECONDS
from entrepot.errors import Kind
from tests.conftest import Reply, entrepot, serve
from tests.registry.kit import digest
from tests.watch.certificates import Files
from tests.watch.kit import BODY, Numbers, Upload, ask, hub_in, until


def anything() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def shown(port: int) -> int:
    """The serial number of the certificate that a new connection sees; 0 for one that met the end of a listener."""
    try:
        pem = ssl.get_server_certificate(("127.0.0.1", port), timeout=10)
    except (ssl.SSLEOFError, ConnectionResetError):
        return 0
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


class Hub:
    """A server with TLS."""

    def __init__(self, folder: Path, workers: str = "1") -> None:
        self.files = Files(folder)
        self.data, self.port = hub_in(folder)
        self.process = serve(
            self.data,
            self.port,
            "--workers",
            workers,
            tls_cert=str(self.files.cert),
            tls_key=str(self.files.key),
            stop_seconds="10",
        )

    def renew(self) -> None:
        self.files.issue()
        self.process.send_signal(signal.SIGHUP)
        until(lambda: shown(self.port) == self.files.serial)

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=anything())

    def ask(self, path: str) -> Reply:
        with closing(self.connect()) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.headers), answer.read())

    def end(self) -> str:
        self.process.terminate()
        assert self.process.wait(20) == 0
        return (self.data.parent / f"serve-{self.port}.log").read_text()


def test_http2_hsts_and_the_end_of_the_certificate(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    words = ["curl", "-ks", "--noproxy", "*", "--http2", "-o", "/dev/null", "-w", "%{http_version}"]
    told = subprocess.run([*words, f"https://127.0.0.1:{hub.port}/v2/"], capture_output=True, text=True, check=True)
    assert told.stdout == "2"
    assert "max-age" in hub.ask("/console/login").headers["strict-transport-security"]
    assert hub.ask("/v2/").headers["www-authenticate"].startswith(f'Bearer realm="https://127.0.0.1:{hub.port}/token"')
    left = Numbers(hub.ask("/metrics").body.decode())("entrepot_certificate_expires_timestamp_seconds") - time.time()
    assert 0.9 < left / 86_400 <= 1
    assert f"Serving on https://127.0.0.1:{hub.port}" in hub.end()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_renewal_cuts_nobody_off(tmp_path: Path, workers: str) -> None:
    hub = Hub(tmp_path, workers)
    assert shown(hub.port) == 1
    upload = Upload(hub.port, anything())
    hub.renew()
    hub.renew()
    # Both old ones have stopped listening by now; what they had begun goes on, longer than stop_seconds if it must.
    until(lambda: {shown(hub.port) for _ in range(8)} == {3})
    time.sleep(OVERLAP_SECONDS)
    assert {shown(hub.port) for _ in range(8)} == {3}
    assert upload.end() == b"201"
    assert hub.ask(f"/v2/helloworld/app/blobs/{digest(BODY)}").status == 200
    assert "error" not in hub.end()


def test_under_load_a_renewal_costs_the_handshakes_of_a_moment_at_most(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    done: list[int] = []
    failed: list[Exception] = []
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            try:
                done.append(hub.ask("/v2/").status)
            except (OSError, http.client.HTTPException) as fault:
                failed.append(fault)

    clients = 4
    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    hub.renew()
    until(lambda: {shown(hub.port) for _ in range(8)} == {2})
    time.sleep(OVERLAP_SECONDS)
    ended.set()
    for thread in threads:
        thread.join(30)
    hub.end()
    assert set(done) == {401}
    # Who shakes hands at the instant when the old one stops listening has to connect again; nobody has to twice.
    assert all(isinstance(fault, ssl.SSLEOFError | ConnectionResetError) for fault in failed)
    assert len(failed) <= clients


def test_a_pair_that_cannot_serve_is_left(tmp_path: Path) -> None:
    hub = Hub(tmp_path)
    log = hub.data.parent / f"serve-{hub.port}.log"
    cert, key = hub.files.pair(7)
    hub.files.put(hub.files.cert, cert)  # half of a renewal, and nobody tells the server
    until(lambda: "cannot be used" in log.read_text())
    assert shown(hub.port) == 1
    hub.files.put(hub.files.key, key)
    until(lambda: shown(hub.port) == 7)
    hub.files.cert.unlink()
    hub.process.send_signal(signal.SIGHUP)
    until(lambda: log.read_text().count("cannot be used") == 2)
    assert hub.ask("/readyz").status == 200
    hub.end()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_without_a_usable_pair_it_does_not_start(tmp_path: Path, workers: str) -> None:
    files = Files(tmp_path)
    files.put(files.key, files.pair(2)[1])
    words = ["serve", "--data", str(tmp_path / "data"), "--port", "0", "--workers", workers]
    refused = entrepot(*words, "--tls-cert", str(files.cert), "--tls-key", str(files.key))
    assert refused.returncode == Kind.CONFIG_INVALID.row.exit
    assert "tls_cert" in refused.stderr
    refused = entrepot(*words, "--tls-cert", str(files.cert))
    assert "go together" in refused.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
def test_hup_without_tls_changes_nothing(tmp_path: Path, workers: str) -> None:
    data, port = hub_in(tmp_path)
    process = serve(data, port, "--workers", workers)
    process.send_signal(signal.SIGHUP)
    for _ in range(20):
        assert ask(port, "/readyz") == 200
    process.terminate()
    assert process.wait(20) == 0
