"""Every refusal of a request's content: code, name, status and message, as AWS words them.

Each row says what is sent and how it is refused. The client does not validate, so what is wrong arrives.
"""

import json

import pytest

import faults
from faults import refused, refused_missing_queue
from queues import binary, text

IPV, MP = faults.INVALID_PARAMETER, faults.MISSING_PARAMETER
IAN, IAV = faults.INVALID_ATTRIBUTE_NAME, faults.INVALID_ATTRIBUTE_VALUE

NAME = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
FIFO_NAME = (
    "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
    "must end with .fifo suffix and be 1 to 80 in length."
)
CHARACTERS = (
    "Invalid binary character '#x{}' was found in the message body, the set of allowed characters is "
    "#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."
)
WRONG_TYPE = "The request include parameter that is not valid for this queue type."


def missing(name):
    return f"The request must contain the parameter {name}."


def ids(rows):
    return [row[0] for row in rows]


BAD_NAMES = ["has space", "dot.ted", "é", "sl/ash", "x" * 81, "no.fifo.suffix", "a.fifo"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_queue_name_is_refused(lax, name):
    with refused(IPV, NAME):
        lax.create_queue(QueueName=name)


@pytest.mark.parametrize("name", ["plain", "a b.fifo", "x" * 76 + ".fifo", ".fifo"])
def test_a_bad_fifo_queue_name_is_refused(lax, name):
    with refused(IPV, FIFO_NAME):
        lax.create_queue(QueueName=name, Attributes={"FifoQueue": "true"})


RANGES = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, 1048576),
    "MessageRetentionPeriod": (60, 1209600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43200),
    "KmsDataKeyReusePeriodSeconds": (60, 86400),
}
BAD_NUMBERS = [
    (name, value)
    for name, (low, high) in RANGES.items()
    for value in [str(low - 1), str(high + 1), "", " 6", "5.2", "text", "true", "9" * 40]
]


@pytest.mark.parametrize("name, value", BAD_NUMBERS)
def test_an_attribute_out_of_range_is_refused(lax, queue, name, value):
    wanted = f"Invalid value for the parameter {name}."
    with refused(IAV, wanted):
        lax.create_queue(QueueName="refused", Attributes={name: value})
    with refused(IAV, wanted):
        lax.set_queue_attributes(QueueUrl=queue.url, Attributes={name: value})


CREATE_ONLY = [
    ("FifoQueue", "false", "Unknown Attribute FifoQueue."),
    ("ContentBasedDeduplication", "true", "Unknown Attribute ContentBasedDeduplication."),
    ("ContentBasedDeduplication", "false", "Unknown Attribute ContentBasedDeduplication."),
    ("DeduplicationScope", "queue", "You can specify the DeduplicationScope only when FifoQueue is set to true."),
    ("FifoThroughputLimit", "perQueue", "You can specify the FifoThroughputLimit only when FifoQueue is set to true."),
    ("Foobar", "1", "Unknown Attribute Foobar."),
    ("visibilitytimeout", "1", "Unknown Attribute visibilitytimeout."),
    ("QueueArn", "x", "Unknown Attribute QueueArn."),
    ("CreatedTimestamp", "1", "Unknown Attribute CreatedTimestamp."),
    ("ApproximateNumberOfMessages", "1", "Unknown Attribute ApproximateNumberOfMessages."),
]


@pytest.mark.parametrize("name, value, message", CREATE_ONLY)
def test_an_attribute_that_a_standard_queue_has_not_is_refused(lax, queue, name, value, message):
    with refused(IAN, message):
        lax.create_queue(QueueName="refused", Attributes={name: value})
    with refused(IAN):
        lax.set_queue_attributes(QueueUrl=queue.url, Attributes={name: value})


def test_a_queue_s_type_cannot_be_changed(lax, fifo):
    lax.set_queue_attributes(QueueUrl=fifo.url, Attributes={"FifoQueue": "true"})
    wanted = "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
    with refused(IAV, wanted):
        lax.set_queue_attributes(QueueUrl=fifo.url, Attributes={"FifoQueue": "false"})


def test_high_throughput_needs_deduplication_per_group(lax):
    wanted = "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup"
    attributes = {"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"}
    with refused(IAV, wanted):
        lax.create_queue(QueueName="a.fifo", Attributes=attributes)
    with refused(IAV, wanted):
        lax.create_queue(QueueName="a.fifo", Attributes={**attributes, "DeduplicationScope": "queue"})


@pytest.mark.parametrize("name", ["ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"])
def test_a_fifo_attribute_of_another_value_is_refused(lax, name):
    with refused(IAV, f"Invalid value for the parameter {name}."):
        lax.create_queue(QueueName="a.fifo", Attributes={"FifoQueue": "true", name: "maybe"})


def test_two_kinds_of_encryption_at_once_are_refused(lax, queue):
    wanted = (
        "You can use one type of server-side encryption (SSE) at one time. "
        "You can either enable KMS SSE or SQS SSE."
    )
    both = {"SqsManagedSseEnabled": "true", "KmsMasterKeyId": "alias/aws/sqs"}
    with refused(IAN, wanted):
        lax.set_queue_attributes(QueueUrl=queue.url, Attributes=both)
    with refused(IAN, wanted):
        lax.create_queue(QueueName="refused", Attributes=both)


STATEMENT = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
BAD_POLICIES = [
    "not json",
    "[]",
    '"text"',
    "{}",
    json.dumps({"Version": "2020-01-01", "Statement": [STATEMENT]}),
    json.dumps({"Version": "2012-10-17", "Statement": []}),
    json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT], "Unknown": 1}),
    json.dumps({"Version": "2012-10-17", "Statement": [{**STATEMENT, "Unknown": 1}]}),
    json.dumps({"Version": "2012-10-17", "Statement": [{**STATEMENT, "Effect": "Maybe"}]}),
]


@pytest.mark.parametrize("policy", BAD_POLICIES)
def test_a_bad_policy_is_refused(lax, queue, policy):
    with refused(IAV, "Invalid value for the parameter Policy."):
        lax.set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": policy})


REDRIVE = "Value {} for parameter RedrivePolicy is invalid. Reason: "
BAD_REDRIVES = [
    ("{}", IPV, REDRIVE + "Redrive policy does not contain mandatory attribute: maxReceiveCount."),
    (
        '{"maxReceiveCount":1}',
        IPV,
        REDRIVE + "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
    ),
    (
        '{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}',
        IPV,
        REDRIVE + "Invalid value for deadLetterTargetArn.",
    ),
    (
        '{"deadLetterTargetArn":"arn:aws:sns:us-east-1:ACCOUNT:x","maxReceiveCount":1}',
        IPV,
        REDRIVE + "Only SQS queues are valid resources for deadLetterTargetArn.",
    ),
    (
        '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:ACCOUNT:missing","maxReceiveCount":1}',
        IPV,
        REDRIVE + "Dead letter target does not exist.",
    ),
    (
        '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:ACCOUNT:other.fifo","maxReceiveCount":1}',
        IPV,
        REDRIVE + "Dead-letter queue must be same type of queue as the source..",
    ),
    (
        '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:ACCOUNT:dead","maxReceiveCount":0}',
        IPV,
        REDRIVE + "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive.",
    ),
    (
        '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:ACCOUNT:dead","maxReceiveCount":1001}',
        IPV,
        REDRIVE + "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive.",
    ),
    (
        '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:ACCOUNT:dead","maxReceiveCount":1,"more":1}',
        IPV,
        REDRIVE + "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn].",
    ),
    (
        "not json",
        IAV,
        "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map.",
    ),
    ("[]", IAV, "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map."),
]


@pytest.mark.parametrize("policy, fault, message", BAD_REDRIVES)
def test_a_bad_redrive_policy_is_refused(lax, make, queue, account, policy, fault, message):
    make("dead"), make("other.fifo")
    policy = policy.replace("ACCOUNT", account)
    message = message.replace("{}", policy)
    with refused(fault, message):
        lax.set_queue_attributes(QueueUrl=queue.url, Attributes={"RedrivePolicy": policy})
    with refused(fault, message):
        lax.create_queue(QueueName="refused", Attributes={"RedrivePolicy": policy})


FORMAT = (
    "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, "
    "as it’s in an unsupported format."
)
ALLOW = "Value {} for parameter RedriveAllowPolicy is invalid. Reason: Amazon SQS can't create the redrive allow policy. "
ARN = "arn:aws:sqs:us-east-1:000000000000:q"
BAD_ALLOWS = [
    ("not json", IAV, FORMAT),
    ("[]", IAV, FORMAT),
    ("{}", IAV, FORMAT),
    ('{"redrivePermission":"some"}', IAV, FORMAT),
    ('{"redrivePermission":"denyAll","more":1}', IAV, FORMAT),
    ('{"redrivePermission":"byQueue","sourceQueueArns":"x"}', IAV, FORMAT),
    (
        '{"redrivePermission":"byQueue"}',
        IPV,
        ALLOW + "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
    ),
    (
        '{"redrivePermission":"byQueue","sourceQueueArns":[]}',
        IPV,
        ALLOW + "When you specify the byQueue permission type, you must also specify one or more sourceQueueArns values.",
    ),
    (
        json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [f"{ARN}{n}" for n in range(11)]}),
        IPV,
        ALLOW + "The maximum number of source queue ARNs you can specify is 10.",
    ),
    (
        json.dumps({"redrivePermission": "allowAll", "sourceQueueArns": [ARN]}),
        IPV,
        ALLOW + "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.",
    ),
    (
        json.dumps({"redrivePermission": "denyAll", "sourceQueueArns": [ARN]}),
        IPV,
        ALLOW + "To specify one or more source queue ARNs, you must set redrivePermission to byQueue.",
    ),
]


@pytest.mark.parametrize("policy, fault, message", BAD_ALLOWS)
def test_a_bad_redrive_allow_policy_is_refused(lax, queue, policy, fault, message):
    with refused(fault, message.replace("{}", policy, 1) if message.startswith("Value") else message):
        lax.set_queue_attributes(QueueUrl=queue.url, Attributes={"RedriveAllowPolicy": policy})


QUEUE_ACTIONS = [
    ("add_permission", {"Label": "l", "AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"]}),
    ("change_message_visibility", {"ReceiptHandle": "x", "VisibilityTimeout": 1}),
    ("change_message_visibility_batch", {"Entries": [{"Id": "a", "ReceiptHandle": "x", "VisibilityTimeout": 1}]}),
    ("delete_message", {"ReceiptHandle": "x"}),
    ("delete_message_batch", {"Entries": [{"Id": "a", "ReceiptHandle": "x"}]}),
    ("delete_queue", {}),
    ("get_queue_attributes", {"AttributeNames": ["All"]}),
    ("list_dead_letter_source_queues", {}),
    ("list_queue_tags", {}),
    ("purge_queue", {}),
    ("receive_message", {}),
    ("remove_permission", {"Label": "l"}),
    ("send_message", {"MessageBody": "x"}),
    ("send_message_batch", {"Entries": [{"Id": "a", "MessageBody": "x"}]}),
    ("set_queue_attributes", {"Attributes": {"DelaySeconds": "1"}}),
    ("tag_queue", {"Tags": {"a": "b"}}),
    ("untag_queue", {"TagKeys": ["a"]}),
]


@pytest.mark.parametrize("action, members", QUEUE_ACTIONS, ids=ids(QUEUE_ACTIONS))
def test_an_unknown_queue_does_not_exist(kew, lax, account, action, members):
    for url in [f"{kew.url}/{account}/missing", "missing"]:
        with refused_missing_queue():
            getattr(lax, action)(QueueUrl=url, **members)


def test_the_url_of_an_unknown_queue_is_not_told(lax):
    with refused_missing_queue():
        lax.get_queue_url(QueueName="missing")


def attributes_of(count):
    return {f"name{n}": text("x") for n in range(count)}


EMPTY = "Message (user) attribute 'a' must contain a non-empty value of type 'String'."
RESERVED = "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'"
LISTS = "Message attribute list values in SendMessage operation are not supported."
SENDS = [
    ("no body", {"MessageBody": ""}, MP, missing("MessageBody")),
    ("body characters", {"MessageBody": "a\x00b"}, faults.INVALID_MESSAGE_CONTENTS, CHARACTERS.format("0")),
    ("body noncharacter", {"MessageBody": "\ufffe"}, faults.INVALID_MESSAGE_CONTENTS, CHARACTERS.format("FFFE")),
    (
        "body too long",
        {"MessageBody": "x" * 1048577},
        IPV,
        "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.",
    ),
    (
        "delay too long",
        {"DelaySeconds": 901},
        IPV,
        "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
    ),
    (
        "negative delay",
        {"DelaySeconds": -1},
        IPV,
        "Value -1 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
    ),
    (
        "deduplication id on a standard queue",
        {"MessageDeduplicationId": "d"},
        IPV,
        f"Value d for parameter MessageDeduplicationId is invalid. Reason: {WRONG_TYPE}",
    ),
    (
        "eleven attributes",
        {"MessageAttributes": attributes_of(11)},
        IPV,
        "Number of message attributes [11] exceeds the allowed maximum [10].",
    ),
    ("empty value", {"MessageAttributes": {"a": text("")}}, IPV, EMPTY),
    (
        "bad type",
        {"MessageAttributes": {"a": text("x", "Text")}},
        IPV,
        "The type of message (user) attribute 'a' is invalid. "
        "You must use only the following supported type prefixes: Binary, Number, String.",
    ),
    (
        "not a number",
        {"MessageAttributes": {"a": text("12a", "Number")}},
        IPV,
        "Can't cast the value of message (user) attribute 'a' to a number.",
    ),
    (
        "no value",
        {"MessageAttributes": {"a": {"DataType": "String"}}},
        IPV,
        None,
    ),
    ("reserved prefix", {"MessageAttributes": {"AWS.x": text("x")}}, IPV, None),
    ("reserved prefix in lower case", {"MessageAttributes": {"amazon.x": text("x")}}, IPV, None),
    ("name that begins with a dot", {"MessageAttributes": {".x": text("x")}}, IPV, None),
    ("name that ends with a dot", {"MessageAttributes": {"x.": text("x")}}, IPV, None),
    ("name with a blank", {"MessageAttributes": {"a b": text("x")}}, IPV, None),
    ("name with a question mark", {"MessageAttributes": {"a?": text("x")}}, IPV, None),
    (
        "long name",
        {"MessageAttributes": {"a" * 257: text("x")}},
        IPV,
        "Message (user) attribute name must be shorter than 256 bytes.",
    ),
    (
        "long type",
        {"MessageAttributes": {"a": text("x", "String." + "y" * 250)}},
        IPV,
        "Message (user) attribute type must be shorter than 256 bytes.",
    ),
    ("attribute characters", {"MessageAttributes": {"a": text("\x00")}}, IPV, None),
    (
        "text list",
        {"MessageAttributes": {"a": {"DataType": "String", "StringListValues": ["x"]}}},
        faults.UNSUPPORTED_OPERATION,
        LISTS,
    ),
    (
        "binary list",
        {"MessageAttributes": {"a": {"DataType": "Binary", "BinaryListValues": [b"x"]}}},
        faults.UNSUPPORTED_OPERATION,
        LISTS,
    ),
    (
        "unknown system attribute",
        {"MessageSystemAttributes": {"Foo": text("x")}},
        IPV,
        "Message system attribute name 'Foo' is invalid.",
    ),
]


@pytest.mark.parametrize("what, members, fault, message", SENDS, ids=ids(SENDS))
def test_a_bad_message_is_refused(queue, lax, what, members, fault, message):
    with refused(fault, message):
        lax.send_message(QueueUrl=queue.url, **{"MessageBody": "x", **members})
    assert queue.counts() == (0, 0, 0)


def test_a_missing_body_is_refused(queue, lax):
    with refused(MP, missing("MessageBody")):
        lax.send_message(QueueUrl=queue.url)


TOKEN = "{0} can only include alphanumeric and punctuation characters. 1 to 128 in length."


@pytest.mark.parametrize("value", ["", "x" * 129, "a b", "é", "\x7f"])
@pytest.mark.parametrize("name", ["MessageGroupId", "MessageDeduplicationId"])
def test_a_bad_group_or_deduplication_id_is_refused(fifo, lax, name, value):
    members = {"MessageGroupId": "g", "MessageDeduplicationId": "d", name: value}
    wanted = f"Value {value} for parameter {name} is invalid. Reason: {TOKEN.format(name)}"
    with refused(IPV, wanted):
        lax.send_message(QueueUrl=fifo.url, MessageBody="x", **members)


PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def test_every_punctuation_character_is_good_in_an_id(fifo):
    name = (PUNCTUATION * 4)[:128]
    fifo.send("x", MessageGroupId=name, MessageDeduplicationId=name)
    seen = fifo.receive_one(AttributeNames=["All"])["Attributes"]
    assert (seen["MessageGroupId"], seen["MessageDeduplicationId"]) == (name, name)


def test_a_fifo_message_needs_a_group_and_takes_no_delay_of_its_own(fifo, lax):
    with refused(MP, missing("MessageGroupId")):
        lax.send_message(QueueUrl=fifo.url, MessageBody="x")
    with refused(IPV, f"Value 2 for parameter DelaySeconds is invalid. Reason: {WRONG_TYPE}"):
        lax.send_message(QueueUrl=fifo.url, MessageBody="x", MessageGroupId="g", DelaySeconds=2)


def test_a_message_s_size_counts_body_and_attribute_names_types_and_values(make, lax):
    queue = make("small", MaximumMessageSize="1024")
    attributes = {"name": text("x" * 90), "blob": binary(b"\x00" * 10)}
    used = len("name" + "String") + 90 + len("blob" + "Binary") + 10
    trace = {"AWSTraceHeader": text("Root=1-5759e988-bd862e3fe1be46a994272793")}
    queue.send("é" * ((1024 - used) // 2), MessageAttributes=attributes, MessageSystemAttributes=trace)
    with refused(IPV, "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."):
        queue.send("x" * (1024 - used + 1), MessageAttributes=attributes)


def test_ten_attributes_with_names_of_full_length_are_taken(queue):
    attributes = {f"{n}" + "x" * 255: text("v") for n in range(10)}
    queue.send(MessageAttributes=attributes)
    assert queue.receive_one(MessageAttributeNames=["All"])["MessageAttributes"] == attributes


RECEIVES = [
    ({"MaxNumberOfMessages": value}, f"Value {value} for parameter MaxNumberOfMessages is invalid. "
     "Reason: Must be between 1 and 10, if provided.")
    for value in [0, 11, -1]
] + [
    ({"WaitTimeSeconds": value}, f"Value {value} for parameter WaitTimeSeconds is invalid. "
     "Reason: Must be >= 0 and <= 20, if provided.")
    for value in [21, -1]
] + [
    ({"VisibilityTimeout": value}, f"Value {value} for parameter VisibilityTimeout is invalid. "
     "Reason: Must be >= 0 and <= 43200, if provided.")
    for value in [43201, -1]
]


@pytest.mark.parametrize("members, message", RECEIVES)
def test_a_bad_receive_is_refused(queue, lax, members, message):
    queue.send()
    with refused(IPV, message):
        lax.receive_message(QueueUrl=queue.url, **members)
    assert queue.counts() == (1, 0, 0)


def test_an_unknown_attribute_is_not_shown(queue, lax):
    with refused(IAN, "Unknown Attribute Foobar."):
        lax.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All", "Foobar"])


HANDLES = [
    # What AWS says of a delete has the name of the parameter from before 2009.
    ("delete_message", {}, "MessageHandle"),
    ("delete_message", {"ReceiptHandle": ""}, "MessageHandle"),
    ("change_message_visibility", {"VisibilityTimeout": 1}, "ReceiptHandle"),
    ("change_message_visibility", {"VisibilityTimeout": 1, "ReceiptHandle": ""}, "ReceiptHandle"),
]


@pytest.mark.parametrize("action, members, name", HANDLES)
def test_a_missing_handle_is_refused(queue, lax, action, members, name):
    with refused(MP, missing(name)):
        getattr(lax, action)(QueueUrl=queue.url, **members)


def test_a_missing_or_bad_visibility_timeout_is_refused(queue, lax):
    queue.send()
    handle = queue.receive_one()["ReceiptHandle"]
    with refused(MP, missing("VisibilityTimeout")):
        lax.change_message_visibility(QueueUrl=queue.url, ReceiptHandle=handle)
    for value in [-1, 43201]:
        with refused(IPV):
            lax.change_message_visibility(QueueUrl=queue.url, ReceiptHandle=handle, VisibilityTimeout=value)


def test_a_listing_s_parameters_are_checked(queue, lax):
    wanted = "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000."
    for value in [1001, -1]:
        with refused(IPV, wanted):
            lax.list_queues(MaxResults=value)
        with refused(IPV, wanted):
            lax.list_dead_letter_source_queues(QueueUrl=queue.url, MaxResults=value)
    with refused(IPV, "Invalid or expired next token."):
        lax.list_queues(MaxResults=1, NextToken="nonsense")


def test_a_missing_queue_name_is_refused(lax):
    with refused(IPV, "Value for parameter QueueName is invalid. Reason: Must specify a queue name."):
        lax.create_queue()
    with refused(IPV, "Value for parameter QueueName is invalid. Reason: Must specify a queue name."):
        lax.get_queue_url()


def test_attributes_and_tags_that_are_missing_are_asked_for(queue, lax):
    with refused(MP, missing("Attribute.Name")):
        lax.set_queue_attributes(QueueUrl=queue.url)
    with refused(MP, missing("Tags")):
        lax.tag_queue(QueueUrl=queue.url)
    with refused(MP, missing("TagKeys")):
        lax.untag_queue(QueueUrl=queue.url)


def test_more_than_fifty_tags_are_refused(queue, lax):
    lax.tag_queue(QueueUrl=queue.url, Tags={f"k{n}": "v" for n in range(50)})
    with refused(IPV):
        lax.tag_queue(QueueUrl=queue.url, Tags={"k50": "v"})
    lax.tag_queue(QueueUrl=queue.url, Tags={"k0": "replaced"})
    tags = lax.list_queue_tags(QueueUrl=queue.url)["Tags"]
    assert (len(tags), tags["k0"]) == (50, "replaced")
