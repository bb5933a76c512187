"""A signing client of the management API, on the standard library alone."""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from entrepot.model import signing

ANSWER_LENGTH = 64 * 1024 * 1024


class ActionError(Exception):
    """The hub said no: RetCode, Message and the id to quote when asking about it."""

    def __init__(self, ret_code: int, message: str, request_id: str) -> None:
        super().__init__(f"RetCode {ret_code}: {message}" + (f" (request {request_id})" if request_id else ""))
        self.ret_code = ret_code
        self.message = message
        self.request_id = request_id


def flatten(params: dict[str, Any]) -> dict[str, str]:
    """Tag=["a", "b"] -> Tag.0, Tag.1; booleans and numbers as the SDKs write them."""
    flat: dict[str, str] = {}
    for name, value in params.items():
        if isinstance(value, list | tuple):
            flat.update(flatten({f"{name}.{place}": one for place, one in enumerate(value)}))
        elif isinstance(value, bool):
            flat[name] = "true" if value else "false"
        elif value is not None:
            flat[name] = str(value)
    return flat


class ActionsClient:
    """Calls actions with a key pair. One TCP connection a call; not meant for load."""

    def __init__(self, base_url: str, public_key: str, private_key: str, *, timeout: float = 60) -> None:
        self._url = base_url
        self._public_key = public_key
        self._private_key = private_key
        self._timeout = timeout

    def signed(self, action: str, **params: Any) -> dict[str, str]:
        """The parameters of a call, signature included."""
        flat = {"Action": action, **flatten(params), "PublicKey": self._public_key}
        return {**flat, "Signature": signing.sign(flat, self._private_key)}

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        """The answer object. Raises ActionError for RetCode other than 0 and for answers that are none (RetCode -1)."""
        body = urllib.parse.urlencode(self.signed(action, **params)).encode()
        request = urllib.request.Request(  # noqa: S310 - the user names the URL
            self._url, body, {"Content-Type": "application/x-www-form-urlencoded"}
        )
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as reply:  # noqa: S310 - the user names the URL
                request_id = reply.headers.get("X-UCLOUD-REQUEST-UUID", "")
                answer = json.loads(reply.read(ANSWER_LENGTH))
        except (OSError, ValueError) as fault:
            raise ActionError(-1, f"no answer from {self._url}: {fault}", "") from fault
        if not isinstance(answer, dict) or answer.get("RetCode") != 0:
            raise ActionError(int(answer.get("RetCode", -1)), str(answer.get("Message", "")), request_id)
        return answer
