"""The wire itself: both dialects as AWS writes them, and everything that is not a well-formed request."""

import email.utils
import gzip
import json
import re
import urllib.parse

import pytest

from queues import body_md5
from raw import FORM, JSON, Connection, dial, everything, signed, talk

pytestmark = pytest.mark.once

REQUEST_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SERIALIZATION = "com.amazon.coral.service#SerializationException"


@pytest.fixture
def wire(kew, account):
    connection = Connection(kew, account)
    yield connection
    connection.close()


@pytest.fixture
def url(wire, kew, account):
    """A standard queue's URL."""
    answer = wire.json("CreateQueue", {"QueueName": "queue"})
    assert answer.json == {"QueueUrl": f"{kew.url}/{account}/queue"}
    return answer.json["QueueUrl"]


@pytest.fixture
def path(url):
    return urllib.parse.urlsplit(url).path


# AWS JSON.


def test_a_json_answer_has_aws_s_headers(wire, url):
    answer = wire.json("SendMessage", {"QueueUrl": url, "MessageBody": "x"})
    assert answer.status == 200
    assert answer.headers["content-type"] == JSON
    assert REQUEST_ID.fullmatch(answer.headers["x-amzn-requestid"])
    assert email.utils.parsedate_to_datetime(answer.headers["date"])
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert set(answer.json) == {"MessageId", "MD5OfMessageBody"}


def test_two_answers_have_different_request_ids(wire):
    ids = {wire.json("ListQueues", {}).headers["x-amzn-requestid"] for _ in range(5)}
    assert len(ids) == 5


NOTHING = [
    ("AddPermission", {"Label": "l", "AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"]}),
    ("RemovePermission", {"Label": "l"}),
    ("SetQueueAttributes", {"Attributes": {"DelaySeconds": "0"}}),
    ("TagQueue", {"Tags": {"a": "b"}}),
    ("UntagQueue", {"TagKeys": ["a"]}),
    ("PurgeQueue", {}),
    ("DeleteQueue", {}),
]


def test_actions_without_a_result_answer_nothing(wire, url):
    wire.json("SendMessage", {"QueueUrl": url, "MessageBody": "x"})
    received = wire.json("ReceiveMessage", {"QueueUrl": url}).json["Messages"][0]
    handle = {"ReceiptHandle": received["ReceiptHandle"]}
    steps = [("ChangeMessageVisibility", {**handle, "VisibilityTimeout": 60}), ("DeleteMessage", handle), *NOTHING]
    for operation, members in steps:
        answer = wire.json(operation, {"QueueUrl": url, **members})
        assert (answer.status, answer.body) == (200, b""), operation
        assert answer.headers["content-type"] == JSON


@pytest.mark.parametrize(
    "operation, members",
    [
        ("ReceiveMessage", {"WaitTimeSeconds": 0}),
        ("ListQueueTags", {}),
        ("ListDeadLetterSourceQueues", {}),
        ("GetQueueAttributes", {}),
        ("GetQueueAttributes", {"AttributeNames": ["Policy"]}),
    ],
)
def test_an_empty_result_is_an_empty_object(wire, url, operation, members):
    answer = wire.json(operation, {"QueueUrl": url, **members})
    assert (answer.status, answer.body) == (200, b"{}") or (
        operation == "ListDeadLetterSourceQueues" and answer.json in ({}, {"queueUrls": []})
    )


def test_a_json_fault_has_type_code_and_message(wire):
    answer = wire.json("GetQueueUrl", {"QueueName": "missing"})
    assert answer.status == 400
    assert answer.headers["content-type"] == JSON
    assert answer.headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert REQUEST_ID.fullmatch(answer.headers["x-amzn-requestid"])
    assert answer.json == {
        "__type": "com.amazonaws.sqs#QueueDoesNotExist",
        "message": "The specified queue does not exist.",
    }


def test_an_unmodelled_json_fault_has_the_other_namespace(wire, url):
    answer = wire.json("SendMessage", {"QueueUrl": url, "MessageBody": "x", "DelaySeconds": 901})
    assert answer.headers["x-amzn-query-error"] == "InvalidParameterValue;Sender"
    assert answer.json["__type"] == "com.amazon.coral.service#InvalidParameterValueException"


def test_an_invalid_handle_is_a_404(wire, url):
    answer = wire.json("DeleteMessage", {"QueueUrl": url, "ReceiptHandle": "garbage"})
    assert answer.status == 404
    assert answer.headers["x-amzn-query-error"] == "ReceiptHandleIsInvalid;Sender"


@pytest.mark.parametrize("target", ["AmazonSQS.Bogus", "AmazonSQS.", "AmazonSQS", "Bogus.SendMessage", "sendmessage"])
def test_an_unknown_target_is_an_unknown_operation(wire, target):
    answer = wire.ask(body=b"{}", headers={"X-Amz-Target": target, "Content-Type": JSON})
    assert answer.status == 400
    assert answer.json["__type"] == "com.amazon.coral.service#UnknownOperationException"
    assert answer.headers["x-amzn-query-error"] == "InvalidAction;Sender"


def test_json_without_a_target_is_an_unknown_operation(wire):
    answer = wire.ask(body=b"{}", headers={"Content-Type": JSON})
    assert answer.status == 400
    assert answer.json["__type"] == "com.amazon.coral.service#UnknownOperationException"


BAD_JSON = [
    b"{",
    b"[]",
    b'"text"',
    b"5",
    b"null",
    b"{} x",
    b"{'QueueUrl': 1}",
    b'{"QueueUrl": "a", }',
    b'{"QueueUrl": "\\x"}',
    b'{"QueueUrl": "\\ud800"}',
    b'{"QueueUrl": "unended',
    b'{"QueueUrl": "a\nb"}',
    b'{"QueueUrl": "\xff"}',
    b"\xfe\xff",
    b"\x00",
    b'{"QueueUrl": nul}',
    b'{"MaxNumberOfMessages": 01}',
    b'{"a":' * 1000 + b"1" + b"}" * 1000,
    b"[" * 1000 + b"]" * 1000,
    b'{"QueueUrl":' + b"[" * 100_000,
    b'{"Unknown":' + b"[" * 1000 + b"]" * 1000 + b"}",
]


@pytest.mark.parametrize("body", BAD_JSON, ids=range(len(BAD_JSON)))
def test_a_body_that_is_no_json_object_is_malformed_and_the_connection_stays(wire, url, body):
    answer = wire.json("ReceiveMessage", body)
    assert answer.status == 400
    if b'"Unknown"' not in body and not body.startswith(b'{"a":'):
        # What nobody reads may be skipped or refused, however deep; what is read is refused.
        assert answer.json["__type"] == SERIALIZATION
        assert answer.headers["x-amzn-query-error"] == "MalformedInput;Sender"
    socket_before = wire.http.sock
    assert wire.json("ListQueues", {}).json == {"QueueUrls": [url]}
    assert wire.http.sock is socket_before, "the connection was kept"


WRONG_TYPES = [
    ("SendMessage", {"MessageBody": 5}),
    ("SendMessage", {"MessageBody": True}),
    ("SendMessage", {"MessageBody": {}}),
    ("SendMessage", {"MessageBody": ["x"]}),
    ("SendMessage", {"MessageBody": "x", "DelaySeconds": "soon"}),
    ("SendMessage", {"MessageBody": "x", "DelaySeconds": {}}),
    ("SendMessage", {"MessageBody": "x", "DelaySeconds": []}),
    ("SendMessage", {"MessageBody": "x", "MessageAttributes": "text"}),
    ("SendMessage", {"MessageBody": "x", "MessageAttributes": []}),
    ("SendMessage", {"MessageBody": "x", "MessageAttributes": {"a": "text"}}),
    ("ReceiveMessage", {"MaxNumberOfMessages": "ten"}),
    ("ReceiveMessage", {"AttributeNames": "All"}),
    ("ReceiveMessage", {"AttributeNames": {"All": 1}}),
    ("ReceiveMessage", {"AttributeNames": [["All"]]}),
    ("SendMessageBatch", {"Entries": {}}),
    ("SendMessageBatch", {"Entries": ["x"]}),
    ("SetQueueAttributes", {"Attributes": {"DelaySeconds": []}}),
    ("SetQueueAttributes", {"Attributes": {"DelaySeconds": {}}}),
    ("SetQueueAttributes", {"Attributes": ["DelaySeconds"]}),
    ("TagQueue", {"Tags": "text"}),
]


@pytest.mark.parametrize("operation, members", WRONG_TYPES, ids=range(len(WRONG_TYPES)))
def test_a_value_of_the_wrong_type_is_a_serialization_fault(wire, url, operation, members):
    answer = wire.json(operation, {"QueueUrl": url, **members})
    assert (answer.status, answer.json["__type"]) == (400, SERIALIZATION)
    assert answer.headers["x-amzn-query-error"] == "MalformedInput;Sender"
    received = wire.json("ReceiveMessage", {"QueueUrl": url})
    assert received.json == {}


WRONG_SCALARS = [
    ({"MessageBody": {}}, "Start of structure or map found where not expected."),
    ({"MessageBody": []}, "Start of list found where not expected"),
    ({"MessageBody": 5}, "NUMBER_VALUE can not be converted to a String"),
    ({"MessageBody": True}, "TRUE_VALUE can not be converted to a String"),
    ({"MessageBody": False}, "FALSE_VALUE can not be converted to a String"),
    ({"MessageBody": "x", "DelaySeconds": "soon"}, "STRING_VALUE can not be converted to an Integer"),
]


@pytest.mark.parametrize("members, message", WRONG_SCALARS, ids=range(len(WRONG_SCALARS)))
def test_a_value_of_the_wrong_type_is_told_in_aws_s_words(wire, url, members, message):
    assert wire.json("SendMessage", {"QueueUrl": url, **members}).fault() == (SERIALIZATION, message)


def test_a_trace_in_the_header_becomes_the_system_attribute(wire, url):
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    wire.json("SendMessage", {"QueueUrl": url, "MessageBody": "x"}, headers={"X-Amzn-Trace-Id": trace})
    asked = {"QueueUrl": url, "AttributeNames": ["AWSTraceHeader"]}
    assert wire.json("ReceiveMessage", asked).json["Messages"][0]["Attributes"] == {"AWSTraceHeader": trace}


def test_a_denial_names_who_what_and_where_under_a_capital_message(kew, url, account):
    stranger = Connection(kew, "319876543210")
    answer = stranger.json("SendMessage", {"QueueUrl": url, "MessageBody": "x"})
    assert (answer.status, answer.headers["x-amzn-query-error"]) == (403, "AccessDenied;Sender")
    assert set(answer.json) == {"__type", "Message"}
    assert answer.json["__type"] == "com.amazon.coral.service#AccessDeniedException"
    for word in ["User: arn:aws:iam::319876543210:", "sqs:sendmessage", f"arn:aws:sqs:us-east-1:{account}:queue"]:
        assert word in answer.json["Message"]


BATCH_MEMBERS = [
    ({}, "Entries"),
    ({"Entries": [{"Id": "a", "MessageBody": "x"}, {"MessageBody": "y"}]}, "SendMessageBatchRequestEntry.2.Id"),
]


@pytest.mark.parametrize("members, name", BATCH_MEMBERS)
def test_a_batch_s_missing_members_are_named(wire, url, members, name):
    answer = wire.json("SendMessageBatch", {"QueueUrl": url, **members})
    assert answer.status == 400
    assert answer.fault() == (
        "com.amazon.coral.service#MissingRequiredParameterException", f"The request must contain the parameter {name}."
    )


def test_an_entry_without_a_body_fails_by_itself(wire, url):
    entries = [{"Id": "good", "MessageBody": "x"}, {"Id": "bad"}]
    answer = wire.json("SendMessageBatch", {"QueueUrl": url, "Entries": entries}).json
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert answer["Failed"] == [
        {
            "Id": "bad",
            "Code": "EmptyValue",
            "SenderFault": True,
            "Message": "No Value Found for SendMessageBatchRequestEntry.2.MessageBody.",
        }
    ]


def test_in_the_query_dialect_the_old_name_of_the_system_attributes_wins(wire, url):
    wire.query("SendMessage", QueueUrl=url, MessageBody="x")
    names = {"AttributeName.1": "SenderId", "MessageSystemAttributeName.1": "All"}
    root = wire.query("ReceiveMessage", QueueUrl=url, **names).xml
    shown = [a.findtext("Name") for a in root.findall("ReceiveMessageResult/Message/Attribute")]
    assert shown == ["SenderId"]


def test_unknown_members_and_nulls_are_as_if_absent(wire, url):
    members = {"QueueUrl": url, "MessageBody": "x", "Unknown": {"deep": [1, 2.5e3, None, True]}, "DelaySeconds": None}
    assert wire.json("SendMessage", members).status == 200
    assert wire.json("ReceiveMessage", {"QueueUrl": url}).json["Messages"][0]["Body"] == "x"


def test_attribute_values_may_be_json_numbers(wire, url):
    assert wire.json("SetQueueAttributes", {"QueueUrl": url, "Attributes": {"DelaySeconds": 400}}).status == 200
    answer = wire.json("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["DelaySeconds"]})
    assert answer.json == {"Attributes": {"DelaySeconds": "400"}}


def test_every_escape_of_json_is_understood(wire, url):
    body = '{"QueueUrl":%s,"MessageBody":"\\u0041\\ud83d\\ude00\\n\\t\\"\\\\\\/\\r"}' % json.dumps(url)
    answer = wire.json("SendMessage", body)
    assert answer.json["MD5OfMessageBody"] == body_md5('A😀\n\t"\\/\r')
    assert wire.json("ReceiveMessage", {"QueueUrl": url}).json["Messages"][0]["Body"] == 'A😀\n\t"\\/\r'


def test_json_may_be_posted_to_the_queue_s_path(wire, url, path):
    assert wire.json("SendMessage", {"QueueUrl": url, "MessageBody": "x"}, path=path).status == 200


@pytest.mark.parametrize(
    "content_type", [JSON, "application/x-amz-json-1.0; charset=utf-8", "application/x-amz-json-1.1", "application/json"]
)
def test_a_target_makes_a_request_json_whatever_the_json_type(wire, url, content_type):
    assert wire.json("ListQueues", {}, headers={"Content-Type": content_type}).json == {"QueueUrls": [url]}


def test_a_missing_queue_url_is_a_queue_that_does_not_exist(wire):
    answer = wire.json("SendMessage", {"MessageBody": "x"})
    assert answer.json["__type"] == "com.amazonaws.sqs#QueueDoesNotExist"


def test_a_queue_url_may_be_a_name_alone(wire, url):
    assert wire.json("SendMessage", {"QueueUrl": "queue", "MessageBody": "x"}).status == 200


# Query.


def test_a_query_answer_is_aws_s_document(wire, url):
    answer = wire.query("SendMessage", QueueUrl=url, MessageBody="x & <y>")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/xml")
    assert REQUEST_ID.fullmatch(answer.headers["x-amzn-requestid"])
    root = answer.xml
    assert root.tag == "SendMessageResponse"
    assert [child.tag for child in root] == ["SendMessageResult", "ResponseMetadata"]
    assert root.findtext("SendMessageResult/MD5OfMessageBody") == body_md5("x & <y>")
    assert root.findtext("ResponseMetadata/RequestId") == answer.headers["x-amzn-requestid"]
    received = wire.query("ReceiveMessage", QueueUrl=url, AttributeName__1="All").xml
    message = received.find("ReceiveMessageResult/Message")
    assert message.findtext("Body") == "x & <y>"
    names = {attribute.findtext("Name") for attribute in message.findall("Attribute")}
    assert "ApproximateReceiveCount" in names


def test_a_query_action_without_a_result_has_no_result_element(wire, url):
    root = wire.query("PurgeQueue", QueueUrl=url).xml
    assert root.tag == "PurgeQueueResponse"
    assert [child.tag for child in root] == ["ResponseMetadata"]


def test_an_empty_query_receive_has_an_empty_result(wire, url):
    answer = wire.query("ReceiveMessage", QueueUrl=url)
    assert [child.tag for child in answer.xml] == ["ReceiveMessageResult", "ResponseMetadata"]
    assert len(answer.xml.find("ReceiveMessageResult")) == 0


def test_a_query_fault_is_aws_s_document(wire):
    answer = wire.query("GetQueueUrl", QueueName="missing")
    assert answer.status == 400
    root = answer.xml
    assert root.tag == "ErrorResponse"
    assert [child.tag for child in root] == ["Error", "RequestId"]
    assert [child.tag for child in root.find("Error")] == ["Type", "Code", "Message", "Detail"]
    assert root.findtext("Error/Type") == "Sender"
    assert answer.fault() == (
        "AWS.SimpleQueueService.NonExistentQueue",
        "The specified queue does not exist for this wsdl version.",
    )


def test_a_message_with_attributes_walks_through_the_query_dialect(wire, url):
    form = {
        "QueueUrl": url,
        "MessageBody": "+ % = & é ☃",
        "MessageAttribute.1.Name": "color",
        "MessageAttribute.1.Value.DataType": "String",
        "MessageAttribute.1.Value.StringValue": "blue",
        "MessageAttribute.2.Name": "blob",
        "MessageAttribute.2.Value.DataType": "Binary",
        "MessageAttribute.2.Value.BinaryValue": "AQID",
    }
    assert wire.query("SendMessage", **form).status == 200
    root = wire.query("ReceiveMessage", QueueUrl=url, MessageAttributeName__1="All").xml
    message = root.find("ReceiveMessageResult/Message")
    assert message.findtext("Body") == "+ % = & é ☃"
    attributes = {a.findtext("Name"): a.find("Value") for a in message.findall("MessageAttribute")}
    assert attributes["color"].findtext("StringValue") == "blue"
    assert attributes["blob"].findtext("BinaryValue") == "AQID"


def test_a_list_name_without_a_number_is_a_list_of_one(wire, url):
    wire.query("SendMessage", QueueUrl=url, MessageBody="x")
    root = wire.query("ReceiveMessage", QueueUrl=url, AttributeName="All").xml
    assert root.find("ReceiveMessageResult/Message/Attribute") is not None


def test_a_query_may_be_a_get_request_to_the_queue_s_path(wire, path):
    for version in ["2012-11-05", None]:
        answer = wire.query("SendMessage", path=path, method="GET", version=version, MessageBody="by GET")
        assert answer.status == 200
    root = wire.query("ReceiveMessage", path=path, method="GET").xml
    assert root.findtext("ReceiveMessageResult/Message/Body") == "by GET"


def test_the_queue_url_parameter_wins_over_the_path(wire, url, path):
    wire.json("CreateQueue", {"QueueName": "other"})
    other = url.replace("/queue", "/other")
    wire.query("SendMessage", path=path, QueueUrl=other, MessageBody="for the other")
    assert wire.json("ReceiveMessage", {"QueueUrl": other}).json["Messages"][0]["Body"] == "for the other"
    assert wire.json("ReceiveMessage", {"QueueUrl": url}).json == {}


def test_a_message_may_be_posted_as_a_form_to_the_queue_s_path(wire, url, path):
    assert wire.query("SendMessage", path=path, MessageBody="posted").status == 200
    assert wire.json("ReceiveMessage", {"QueueUrl": url}).json["Messages"][0]["Body"] == "posted"


@pytest.mark.parametrize("action", ["CreateQueue", "ListQueues"])
def test_an_account_s_action_is_not_valid_for_a_queue_s_path(wire, path, action):
    answer = wire.query(action, path=path, method="GET", QueueName="new")
    assert answer.status == 400
    assert answer.fault() == ("InvalidAction", f"The action {action} is not valid for this endpoint.")


def test_a_queue_s_path_can_be_asked_for_queue_urls(wire, url, path):
    root = wire.query("GetQueueUrl", path=path, method="GET", QueueName="queue").xml
    assert root.findtext("GetQueueUrlResult/QueueUrl") == url


def test_a_query_that_names_no_queue_at_the_root_has_no_valid_address(wire):
    answer = wire.query("SendMessage", MessageBody="x")
    assert answer.status == 404
    code, message = answer.fault()
    assert code == "InvalidAddress"
    assert re.fullmatch(r"The address https?://\S+/ is not valid for this endpoint\.", message)


def test_an_unknown_action_is_invalid(wire):
    answer = wire.query("FooBar")
    assert (answer.status, answer.xml.findtext("Error/Type")) == (400, "Sender")
    assert answer.fault() == ("InvalidAction", "The action FooBar is not valid for this endpoint.")


def test_no_action_at_all_is_an_unknown_operation(wire, path):
    answer = wire.ask("GET", path)
    assert (answer.status, answer.body.strip()) == (404, b"<UnknownOperationException/>")
    answer = wire.ask("GET", path, headers={"Accept": "application/json"})
    assert (answer.status, answer.body.strip()) == (404, b"<UnknownOperationException/>")


def test_a_missing_parameter_is_named(wire, url):
    answer = wire.query("SendMessage", QueueUrl=url)
    assert answer.fault() == ("MissingParameter", "The request must contain the parameter MessageBody.")


@pytest.mark.parametrize("value", ["ten", "", "1.5", "99999999999999999999", "0x1"])
def test_a_query_number_that_is_none_is_refused(wire, url, value):
    answer = wire.query("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=value)
    assert answer.status == 400
    assert answer.xml.findtext("Error/Type") == "Sender"


BAD_FORMS = [
    b"Action=SendMessage&MessageBody=%zz",
    b"Action=SendMessage&MessageBody=%",
    b"Action=SendMessage&MessageBody=%ff%fe",
    b"Action=SendMessage&MessageBody=\xff",
    b"&&&===&&",
    b"Action",
    b"=",
    b"",
    b"Action=SendMessage&Action=ReceiveMessage",
    b"Action=SendMessageBatch&SendMessageBatchRequestEntry.999999999999.Id=a",
    b"Action=SendMessageBatch&SendMessageBatchRequestEntry.-1.Id=a",
    b"Action=SendMessageBatch&SendMessageBatchRequestEntry..Id=a",
    b"Action=SendMessage&MessageAttribute.1.Value.StringListValue.99999999.x=1",
    b"Action=SendMessage&" + b"a.1." * 10_000 + b"=1",
]


@pytest.mark.parametrize("body", BAD_FORMS, ids=range(len(BAD_FORMS)))
def test_a_bad_form_is_the_caller_s_fault_and_the_connection_stays(wire, url, path, body):
    answer = wire.ask(body=body, path=path, headers={"Content-Type": FORM})
    assert 200 <= answer.status < 500
    socket_before = wire.http.sock
    assert wire.json("ListQueues", {}).json == {"QueueUrls": [url]}
    assert wire.http.sock is socket_before, "the connection was kept"


def test_a_query_caller_may_accept_json(wire, url, path):
    accept = {"Accept": "application/json"}
    listed = wire.query("ListQueues", method="GET", headers=accept).json
    assert listed["ListQueuesResponse"]["ListQueuesResult"]["queueUrls"] == [url]
    wire.query("SendMessage", path=path, MessageBody="x")
    received = wire.query("ReceiveMessage", path=path, method="GET", headers=accept).json
    assert received["ReceiveMessageResponse"]["ReceiveMessageResult"]["messages"][0]["Body"] == "x"
    refused = wire.query("FooBar", method="GET", headers=accept)
    assert refused.json["Error"]["Code"] == "InvalidAction"


# HTTP.


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml", None])
def test_a_wrong_content_type_is_the_caller_s_fault(wire, url, content_type):
    answer = wire.ask(body=b"hello there", headers={"Content-Type": content_type})
    assert 400 <= answer.status < 500
    assert wire.json("ListQueues", {}).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "BREW"])
def test_another_method_is_the_caller_s_fault(wire, method):
    answer = wire.ask(method)
    assert 400 <= answer.status < 500
    assert wire.json("ListQueues", {}).status == 200


@pytest.mark.parametrize("path", ["/a/b/c/d/e", "//", "/%ff", "/..", "/000000000000", "/x/y", "/" + "x" * 5000])
def test_another_path_is_the_caller_s_fault(wire, path):
    assert 400 <= wire.ask("GET", path).status < 500
    assert wire.json("ListQueues", {}).status == 200


def test_head_answers_without_a_body(wire):
    answer = wire.ask("HEAD", "/")
    assert (answer.status < 500, answer.body) == (True, b"")
    assert wire.json("ListQueues", {}).status == 200


def test_a_local_web_page_may_call(wire):
    origin = "http://localhost:3000"
    ask = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-amz-target"}
    answer = wire.ask("OPTIONS", "/", headers=ask)
    assert answer.status in (200, 204)
    assert answer.headers["access-control-allow-origin"] in ("*", origin)
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "x-amz-target" in answer.headers["access-control-allow-headers"].lower()
    answer = wire.json("ListQueues", {}, headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] in ("*", origin)


def test_a_page_of_another_origin_may_not(wire):
    answer = wire.json("ListQueues", {}, headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_a_connection_is_kept_through_answers_and_faults(wire, url):
    wire.json("ListQueues", {})
    socket = wire.http.sock
    for _ in range(20):
        assert wire.json("SendMessage", {"QueueUrl": url, "MessageBody": "x"}).status == 200
        assert wire.json("SendMessage", {"QueueUrl": url, "MessageBody": ""}).status == 400
        assert wire.query("FooBar").status == 400
        assert wire.ask("GET", "/nowhere/at/all").status >= 400
    assert wire.http.sock is socket


def test_an_oversized_body_is_refused_and_not_with_a_broken_connection(wire, url):
    body = json.dumps({"QueueUrl": url, "MessageBody": "x" * (12 << 20)})
    answer = wire.json("SendMessage", body)
    assert 400 <= answer.status < 500
    assert wire.json("ReceiveMessage", {"QueueUrl": url}).json == {}


def test_a_message_of_full_size_may_be_escaped_on_the_wire(wire, url):
    text = json.dumps({"QueueUrl": url, "MessageBody": "@"}).replace("@", "\\u0041" * 1048576)
    assert wire.json("SendMessage", text).json["MD5OfMessageBody"] == body_md5("A" * 1048576)
    answer = wire.query("SendMessage", QueueUrl=url, MessageBody="\n" * 1048576)
    assert answer.status == 200


def request(kew, account, url, length, body):
    head = (
        f"POST / HTTP/1.1\r\nHost: {urllib.parse.urlsplit(kew.url).netloc}\r\nContent-Type: {JSON}\r\n"
        f"X-Amz-Target: AmazonSQS.SendMessage\r\nAuthorization: {signed(account)}\r\n"
        f"Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def test_a_body_cut_short_sends_nothing(kew, wire, url, account):
    body = json.dumps({"QueueUrl": url, "MessageBody": "cut"}).encode()
    talk(kew, request(kew, account, url, len(body) + 10, body), end=True)
    talk(kew, request(kew, account, url, len(body), body[:-5]), end=True)
    assert wire.json("ReceiveMessage", {"QueueUrl": url}).json == {}


def test_a_body_longer_than_announced_is_read_as_announced(kew, wire, url, account):
    body = json.dumps({"QueueUrl": url, "MessageBody": "whole"}).encode()
    answer = talk(kew, request(kew, account, url, len(body), body + b"garbage"), end=True)
    assert answer.startswith(b"HTTP/1.1 200")
    assert wire.json("ReceiveMessage", {"QueueUrl": url}).json["Messages"][0]["Body"] == "whole"


GARBAGE = [
    b"\x00\x01\x02\r\n\r\n",
    b"GET\r\n\r\n",
    b"POST / HTTP/9.9\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
    b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
]


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
def test_bytes_that_are_no_http_harm_nobody(kew, wire, data):
    answer = talk(kew, data, end=True)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]
    assert wire.json("ListQueues", {}).status == 200


def test_chunked_bodies_are_read(kew, wire, url, account):
    body = json.dumps({"QueueUrl": url, "MessageBody": "in chunks"}).encode()
    head = request(kew, account, url, 0, b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunks = b"".join(b"1\r\n" + body[n:n + 1] + b"\r\n" for n in range(len(body))) + b"0\r\n\r\n"
    assert talk(kew, head + chunks).startswith(b"HTTP/1.1 200")
    assert wire.json("ReceiveMessage", {"QueueUrl": url}).json["Messages"][0]["Body"] == "in chunks"


def test_requests_may_be_pipelined(kew, wire, url, account):
    def one(body, close):
        data = json.dumps({"QueueUrl": url, "MessageBody": body}).encode()
        data = request(kew, account, url, len(data), data)
        return data if close else data.replace(b"Connection: close\r\n", b"")

    answer = talk(kew, one("1", False) + one("2", False) + one("3", True))
    assert answer.count(b"HTTP/1.1 200") == 3


def test_a_body_is_asked_for_before_it_is_sent(kew, account, url):
    """As curl does with larger ones."""
    body = json.dumps({"QueueUrl": url, "MessageBody": "invited"}).encode()
    head = request(kew, account, url, len(body), b"").replace(b"Content-Length", b"Expect: 100-continue\r\nContent-Length")
    with dial(kew) as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert everything(connection).startswith(b"HTTP/1.1 200")
    # Whoever does not wait for it gets its answer alone.
    assert talk(kew, head + body).startswith(b"HTTP/1.1 200")


def test_http_1_0_connections_stay_only_if_asked_to(kew, account, url):
    body = json.dumps({"QueueUrl": url, "MessageBody": "old"}).encode()
    once = request(kew, account, url, len(body), body).replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Connection: close\r\n", b"")
    answer = talk(kew, once)
    assert answer.startswith(b"HTTP/1.") and b" 200 " in answer
    stays = once.replace(b"Content-Length", b"Connection: Keep-Alive\r\nContent-Length")
    answer = talk(kew, stays + once)
    assert answer.count(b" 200 OK") == 2
    assert answer.lower().count(b"connection: keep-alive") == 1


def test_whoever_sends_on_after_a_refusal_still_reads_it(kew, account, url):
    """A connection that ended with bytes unread would take its last answer with it."""
    length = 100 * 1024 * 1024
    with dial(kew) as connection:
        connection.sendall(request(kew, account, url, length, b"x" * 200_000))
        assert everything(connection).startswith(b"HTTP/1.1 413")


def test_a_compressed_body_is_read_or_refused(wire, url):
    body = gzip.compress(json.dumps({"QueueUrl": url, "MessageBody": "x"}).encode())
    answer = wire.json("SendMessage", body, headers={"Content-Encoding": "gzip"})
    assert answer.status < 500
    assert wire.json("ListQueues", {}).status == 200


def test_a_caller_that_hung_up_swallows_no_message(kew, wire, url, account):
    """A long poll whose caller has gone must not receive what arrives afterwards."""
    import socket

    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20}).encode()
    data = request(kew, account, url, len(body), body).replace(b"SendMessage", b"ReceiveMessage")
    host, port = urllib.parse.urlsplit(kew.url).netloc.split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(data)
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(1)
        # The server learns of the hang-up as of any packet: before our next request, or soon after.
        wire.json("ListQueues", {})
    wire.json("SendMessage", {"QueueUrl": url, "MessageBody": "kept"})
    received = wire.json("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 5})
    assert received.json["Messages"][0]["Body"] == "kept"


def test_line_ends_too_many_do_not_hide_a_hang_up(kew, wire, url, account):
    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20}).encode()
    data = request(kew, account, url, len(body), body + b"\r\n").replace(b"SendMessage", b"ReceiveMessage")
    with dial(kew, 0.2) as connection:
        connection.sendall(data)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    wire.json("ListQueues", {})
    wire.json("SendMessage", {"QueueUrl": url, "MessageBody": "kept"})
    received = wire.json("ReceiveMessage", {"QueueUrl": url, "WaitTimeSeconds": 5})
    assert received.json["Messages"][0]["Body"] == "kept"


def test_the_answer_is_not_lost_with_what_nobody_reads(kew, account, url):
    """Whoever says that a request is its last and sends more still gets the answer."""
    body = json.dumps({"QueueUrl": url, "MessageBody": "last"}).encode()
    answer = talk(kew, request(kew, account, url, len(body), body) + b"x" * 300_000)
    assert answer.startswith(b"HTTP/1.1 200") and b"MessageId" in answer


def test_trailers_behind_chunks_are_bounded(kew, wire, account, url):
    head = request(kew, account, url, 0, b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    for length in range(8190, 8195):
        with dial(kew) as connection:
            connection.sendall(head + b"0\r\n" + b"x" * length)
            connection.sendall(b"\r\n" + b"y" * 20_000)
            assert b" 400 " in everything(connection)[:20]


# Hosts.

HOSTS = [
    ("sqs.us-west-2.localhost.localstack.cloud:4566", "us-west-2"),
    ("eu-west-1.queue.localhost.localstack.cloud:4566", "eu-west-1"),
    ("queue.localhost.localstack.cloud:4566", "us-east-1"),
    ("sqs.ap-south-1.amazonaws.com", "ap-south-1"),
    ("localhost.localstack.cloud:4566", None),
]


def test_a_whole_url_in_the_request_line_is_not_remembered_for_others(kew, account):
    def create(line, name):
        body = json.dumps({"QueueName": name}).encode()
        head = f"POST {line} HTTP/1.1\r\nContent-Type: {JSON}\r\nX-Amz-Target: AmazonSQS.CreateQueue\r\n"
        return (head + f"Authorization: {signed(account)}\r\nContent-Length: {len(body)}\r\n").encode(), body

    (first, one), (second, two) = create("http://else.where/", "one"), create("/", "two")
    answer = talk(kew, first + b"\r\n" + one + second + b"Connection: close\r\n\r\n" + two)
    assert b"http://else.where/" in answer
    assert answer.count(b"else.where") == 1


@pytest.mark.parametrize("host, region", HOSTS)
def test_localstack_s_and_aws_s_hosts_work(wire, account, host, region):
    headers = {"Host": host} if region is None else {"Host": host, "Authorization": None}
    name = f"host-{HOSTS.index((host, region))}-{account}"
    created = wire.json("CreateQueue", {"QueueName": name}, headers=headers)
    url = created.json["QueueUrl"]
    assert url.startswith(f"http://{host}/")
    answer = wire.json("GetQueueAttributes", {"QueueUrl": url, "AttributeNames": ["QueueArn"]}, headers=headers)
    if region:
        assert answer.json["Attributes"]["QueueArn"] == f"arn:aws:sqs:{region}:000000000000:{name}"
    assert wire.json("SendMessage", {"QueueUrl": url, "MessageBody": "x"}, headers=headers).status == 200


def test_localstack_s_path_form_names_region_account_and_queue(kew, account):
    far = Connection(kew, account, region="eu-west-1")
    far.json("CreateQueue", {"QueueName": "pathed"})
    path = f"/queue/eu-west-1/{account}/pathed"
    assert far.query("SendMessage", path=path, MessageBody="x").status == 200
    received = far.json("ReceiveMessage", {"QueueUrl": f"http://localhost.localstack.cloud:4566{path}"})
    assert received.json["Messages"][0]["Body"] == "x"


# Pages.


def test_health_is_answered_in_both_forms(wire):
    assert wire.ask("GET", "/health", headers={"Authorization": None}).status == 200
    answer = wire.ask("GET", "/_localstack/health").json
    assert answer["services"]["sqs"] in ("available", "running")
    assert re.match(r"\d+\.\d+\.\d+", answer["version"])


def test_metrics_tell_a_queue_s_figures(kew, wire, url, account):
    for _ in range(3):
        wire.json("SendMessage", {"QueueUrl": url, "MessageBody": "four"})
    wire.json("SendMessage", {"QueueUrl": url, "MessageBody": "later", "DelaySeconds": 60})
    received = wire.json("ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": 1}).json["Messages"][0]
    wire.json("DeleteMessage", {"QueueUrl": url, "ReceiptHandle": received["ReceiptHandle"]})
    wire.json("CreateQueue", {"QueueName": "empty"})
    wire.json("ReceiveMessage", {"QueueUrl": url.replace("/queue", "/empty")})
    figures = {}
    for line in kew.page("/metrics").splitlines():
        found = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line)
        if found and account in line:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', found[2]))
            figures[found[1], labels.get("queue") or labels.get("queue_name")] = float(found[3])

    def figure(word, queue="queue"):
        found = [value for (name, at), value in figures.items() if word in name and at == queue and "quiet" not in name]
        assert len(found) == 1, (word, sorted(figures))
        return found[0]

    assert figure("messages_visible") == 2
    assert figure("messages_not_visible") == 0
    assert figure("messages_delayed") == 1
    assert figure("messages_sent") == 4
    assert figure("messages_received") == 1
    assert figure("messages_deleted") == 1
    assert figure("empty_receives", "empty") == 1
    assert figure("age_of_oldest") >= 0


def test_metrics_tell_the_server_s_own_figures(kew):
    page = kew.page("/metrics").lower()
    for word in ["sync", "batch", "mailbox"]:
        assert word in page
    assert page.rstrip().endswith("# eof") or "# type" in page
