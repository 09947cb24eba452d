"""AWS's errors of SQS: the modelled name (JSON), the code (Query, and `x-amzn-query-error`), the HTTP status."""

import contextlib
import dataclasses

import botocore
import pytest
from botocore.exceptions import ClientError

VERSION = tuple(int(part) for part in botocore.__version__.split("."))

# botocore changed SQS from the Query dialect to AWS JSON in 1.31.81.
DIALECT = "query" if VERSION < (1, 31, 81) else "json"


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    code: str
    status: int = 400
    namespace: str = "com.amazonaws.sqs"


def modelled(name, code=None, status=400):
    return Fault(name, code or name, status)


def legacy(name, status=400):
    return Fault(name, f"AWS.SimpleQueueService.{name}", status)


QUEUE_DOES_NOT_EXIST = modelled("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue")
QUEUE_NAME_EXISTS = modelled("QueueNameExists", "QueueAlreadyExists")
QUEUE_DELETED_RECENTLY = legacy("QueueDeletedRecently")
PURGE_QUEUE_IN_PROGRESS = legacy("PurgeQueueInProgress", 403)
RECEIPT_HANDLE_IS_INVALID = modelled("ReceiptHandleIsInvalid", status=404)
MESSAGE_NOT_INFLIGHT = legacy("MessageNotInflight")
EMPTY_BATCH = legacy("EmptyBatchRequest")
TOO_MANY_ENTRIES = legacy("TooManyEntriesInBatchRequest")
IDS_NOT_DISTINCT = legacy("BatchEntryIdsNotDistinct")
INVALID_ENTRY_ID = legacy("InvalidBatchEntryId")
BATCH_TOO_LONG = legacy("BatchRequestTooLong")
INVALID_ATTRIBUTE_NAME = modelled("InvalidAttributeName")
INVALID_ATTRIBUTE_VALUE = modelled("InvalidAttributeValue")
INVALID_MESSAGE_CONTENTS = modelled("InvalidMessageContents")
UNSUPPORTED_OPERATION = legacy("UnsupportedOperation")
RESOURCE_NOT_FOUND = modelled("ResourceNotFoundException", status=404)
OVER_LIMIT = modelled("OverLimit", status=403)

CORAL = "com.amazon.coral.service"
INVALID_PARAMETER = Fault("InvalidParameterValueException", "InvalidParameterValue", 400, CORAL)
MISSING_PARAMETER = Fault("MissingRequiredParameterException", "MissingParameter", 400, CORAL)
ACCESS_DENIED = Fault("AccessDeniedException", "AccessDenied", 403, CORAL)
UNKNOWN_OPERATION = Fault("UnknownOperationException", "InvalidAction", 400, CORAL)
MALFORMED = Fault("SerializationException", "MalformedInput", 400, CORAL)

NO_QUEUE = {
    "json": "The specified queue does not exist.",
    "query": "The specified queue does not exist for this wsdl version.",
}[DIALECT]


def check(error, fault, message=None):
    """Compares what the client saw with what AWS answers."""
    told = error["Error"]
    seen = {"code": told["Code"], "type": told.get("Type"), "status": error["ResponseMetadata"]["HTTPStatusCode"]}
    wanted = {"code": fault.code, "type": "Sender", "status": fault.status}
    if DIALECT == "json":
        seen["name"], wanted["name"] = told.get("QueryErrorCode"), fault.name
    if message is not None:
        seen["message"], wanted["message"] = told["Message"], message
    assert seen == wanted
    assert error["ResponseMetadata"].get("RequestId"), "every answer has a request id"


@contextlib.contextmanager
def refused(fault, message=None):
    """The calls inside must be refused, in exactly this way."""
    with pytest.raises(ClientError) as caught:
        yield caught
    check(caught.value.response, fault, message)


def refused_missing_queue():
    return refused(QUEUE_DOES_NOT_EXIST, NO_QUEUE)
