"""The one error table: a row per failure holds every wire form of it.

Verbs raise ``HubError(Kind.X, ...)``; each door has exactly one renderer. Nothing else in the hub
spells an OCI code, an HTTP status, a RetCode or a process exit code.
"""

from enum import Enum
from typing import NamedTuple


class Row(NamedTuple):
    """One failure on all wires.

    ``oci`` and ``status`` are the registry door's (OCI distribution-spec, "Error Codes"); ``ret_code``
    is the actions door's RetCode (UCloud's common codes and the UGC table, own codes in 1000-1999
    because SDKs repeat calls answered 2000 and above); ``exit`` is the command line's exit code.
    ``message`` may hold ``{}``, filled with the detail of the error.
    """

    oci: str
    status: int
    ret_code: int
    message: str
    exit: int = 1


class Kind(Enum):
    """Every way the hub can say no."""

    # --- the request itself
    MISSING_ACTION = Row("UNSUPPORTED", 400, 160, "Missing Action")
    UNKNOWN_ACTION = Row("UNSUPPORTED", 404, 161, "Action [{}] not found")
    MISSING_PARAM = Row("UNSUPPORTED", 400, 220, "Missing params [{}]", 2)
    BAD_PARAM = Row("UNSUPPORTED", 400, 230, "Params [{}] not available", 2)
    BAD_REQUEST = Row("UNSUPPORTED", 400, 230, "The request cannot be read: {}", 2)
    TOO_LARGE = Row("SIZE_INVALID", 413, 240, "The request is too large: {}", 2)
    TOO_SLOW = Row("UNSUPPORTED", 408, 241, "The rest of the request did not come in time: {}")
    UNSUPPORTED = Row("UNSUPPORTED", 405, 1001, "Not supported here: {}")
    NOT_FOUND = Row("UNSUPPORTED", 404, 1002, "There is nothing at this path: {}")

    # --- who asks, and may they
    MISSING_SIGNATURE = Row("UNAUTHORIZED", 401, 170, "Missing signature")
    BAD_SIGNATURE = Row("UNAUTHORIZED", 401, 171, "Signature VerifyAC Error")
    UNKNOWN_KEY = Row("UNAUTHORIZED", 401, 172, "User Not Exists")
    UNKNOWN_TOKEN = Row("UNAUTHORIZED", 401, 174, "Token Not Exists")
    UNAUTHORIZED = Row("UNAUTHORIZED", 401, 172, "Login required: {}")
    UNKNOWN_PROJECT = Row("DENIED", 403, 292, "Project [{}] not exists")
    IP_REJECTED = Row("DENIED", 403, 294, "Your address is not allowed here: {}")
    DENIED = Row("DENIED", 403, 299, "IAM permission error: {}")
    THROTTLED = Row("TOOMANYREQUESTS", 429, 153, "Too many requests, try again later: {}")

    # --- buckets and images (UGC error table, 430xx)
    BUCKET_TAKEN = Row("DENIED", 409, 43022, "CreateBucketConflict: the bucket name [{}] is taken; names are global")
    BUCKET_UNKNOWN = Row("NAME_UNKNOWN", 404, 43023, "BucketNotExistError: bucket [{}] does not exist")
    IMAGE_NAME_INVALID = Row("NAME_INVALID", 400, 43024, "ImageNameNotValid: {}")
    BUCKET_NAME_INVALID = Row("NAME_INVALID", 400, 43025, "BucketNameNotValid: {}")
    DELETE_TOO_MANY = Row("UNSUPPORTED", 400, 43033, "ParaError: {}")
    DELETE_UNKNOWN = Row("MANIFEST_UNKNOWN", 404, 43045, "DeleteImageNotExsitError: {}")
    DELETE_NO_IMAGE = Row("NAME_INVALID", 400, 43046, "DeleteImageEmptyError: ImageName must not be empty")
    DELETE_NO_TAG = Row("TAG_INVALID", 400, 43047, "DeleteTagNameEmptyError: name at least one tag, none of them empty")
    BUCKET_NOT_EMPTY = Row("DENIED", 409, 1010, "The bucket [{}] still holds images; delete them first")

    # --- repositories of UHub, the same buckets under other words: permanent codes below 2000
    REPO_UNKNOWN = Row("NAME_UNKNOWN", 404, 1030, "The repository [{}] does not exist")
    REPO_TAKEN = Row("DENIED", 409, 1031, "The repository name [{}] is taken; names are global")
    REPO_NAME_INVALID = Row("NAME_INVALID", 400, 1032, "The repository name is not valid: {}")
    IMAGE_UNKNOWN = Row("NAME_UNKNOWN", 404, 1033, "There is no such image or tag: {}")
    DELETION_UNKNOWN = Row(
        "UNSUPPORTED", 404, 1034, "Nothing is kept of such a deletion; ListDeleted tells what can be brought back: {}"
    )

    # --- policies, roles, quotas
    POLICY_UNKNOWN = Row("UNSUPPORTED", 404, 1027, "There is no such policy: {}")
    ROLE_UNKNOWN = Row("UNSUPPORTED", 404, 1028, "There is no such role: {}")
    ROBOT_UNKNOWN = Row("UNSUPPORTED", 404, 1041, "There is no such robot in this bucket: {}")
    WEBHOOK_UNKNOWN = Row("UNSUPPORTED", 404, 1042, "There is no such webhook of this bucket: {}")
    IN_USE = Row("UNSUPPORTED", 409, 1029, "It is still in use: {}")
    QUOTA_EXCEEDED = Row("DENIED", 403, 1040, "The quota is used up: {}")

    # --- workflows
    FLOW_UNKNOWN = Row("UNSUPPORTED", 404, 1050, "There is no such thing in StepFlow: {}")
    FLOW_INVALID = Row("UNSUPPORTED", 400, 1051, "workflow definition error: {}")
    FLOW_FAILED = Row("UNSUPPORTED", 500, 1052, "The workflow ran and failed: {}")

    # --- the registry
    NAME_INVALID = Row("NAME_INVALID", 400, 43024, "The repository name is not valid: {}")
    NAME_UNKNOWN = Row("NAME_UNKNOWN", 404, 43023, "The repository is not known here: {}")
    TAG_INVALID = Row("TAG_INVALID", 400, 230, "The tag is not valid: {}")
    DIGEST_INVALID = Row("DIGEST_INVALID", 400, 230, "The digest is not valid: {}")
    SIZE_INVALID = Row("SIZE_INVALID", 400, 230, "The length is not what was announced: {}")
    RANGE_INVALID = Row("RANGE_INVALID", 416, 230, "The range does not fit: {}")
    PAGE_INVALID = Row("PAGINATION_NUMBER_INVALID", 400, 230, "n must be a whole number, 0 or more: {}")
    BLOB_UNKNOWN = Row("BLOB_UNKNOWN", 404, 1011, "The blob is not known in this repository: {}")
    UPLOAD_UNKNOWN = Row(
        "BLOB_UPLOAD_UNKNOWN", 404, 1012, "The upload is not known, it ended or expired; start again: {}"
    )
    MANIFEST_UNKNOWN = Row("MANIFEST_UNKNOWN", 404, 1013, "The manifest is not known in this repository: {}")
    MANIFEST_INVALID = Row("MANIFEST_INVALID", 400, 1014, "The manifest is not valid: {}")
    MANIFEST_TOO_LARGE = Row("MANIFEST_INVALID", 413, 240, "The manifest is too large: {}")
    MANIFEST_BLOB_UNKNOWN = Row(
        "MANIFEST_BLOB_UNKNOWN", 404, 1015, "The manifest names content that was not pushed here: {}"
    )
    TAG_IMMUTABLE = Row("DENIED", 403, 1045, "The tag is immutable: {}")
    TOO_MANY_TAGS = Row("UNSUPPORTED", 414, 240, "Too many tags in one request: {}")

    # --- the operator
    ALREADY_INITIALISED = Row("UNSUPPORTED", 409, 1020, "This data folder is already initialised: {}", 3)
    NOT_INITIALISED = Row("UNSUPPORTED", 409, 1021, "This folder holds no hub: {}", 3)
    CONFIG_INVALID = Row("UNSUPPORTED", 400, 1022, "The settings are not valid: {}", 2)
    EXISTS = Row("DENIED", 409, 1023, "It exists already: {}")
    PROJECT_NOT_EMPTY = Row("DENIED", 409, 1026, "The project [{}] still holds buckets; delete them first")
    USER_UNKNOWN = Row("UNSUPPORTED", 404, 1024, "There is no such user: {}")
    KEY_UNKNOWN = Row("UNSUPPORTED", 404, 1025, "There is no such key: {}")

    # --- backups and image layouts
    BACKUP_UNKNOWN = Row("UNSUPPORTED", 404, 1060, "There is no such backup: {}", 3)
    BACKUP_DAMAGED = Row("UNSUPPORTED", 409, 1061, "The backup is damaged: {}", 4)
    LAYOUT_INVALID = Row("UNSUPPORTED", 400, 1062, "This is no image layout that can be read: {}", 2)

    # --- the hub itself
    UNAVAILABLE = Row("UNAVAILABLE", 503, 150, "Service unavailable, try again later: {}", 4)
    NO_SPACE = Row(
        "UNAVAILABLE", 507, 150, "The hub's disk is full, nothing was lost; tell its operator, then push again: {}", 4
    )
    INTERNAL = Row("UNKNOWN", 500, 130, "Service error and break: {}", 4)

    @property
    def row(self) -> Row:
        """The table row of this failure."""
        return self.value


# Two members with equal rows would silently become one (Enum aliases): the count is checked by a test.


class HubError(Exception):
    """A refusal with a reader: ``detail`` says what is wrong and, where one exists, the next step."""

    def __init__(self, kind: Kind, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail

    @property
    def message(self) -> str:
        """The text for the reader, the detail filled in."""
        text = self.kind.row.message
        return (
            text.replace("{}", self.detail) if self.detail else text.replace(": {}", "").replace(" [{}]", "")
        ).strip()

    def __str__(self) -> str:
        return self.message
