"""boto3's resource interface, which many applications use instead of the client."""

from queues import client, text


def test_the_resource_interface_walks_through_a_queue_s_life(kew, account):
    sqs = client(kew.url, account, service="resource")
    queue = sqs.create_queue(QueueName="resource", Attributes={"DelaySeconds": "0"})
    assert sqs.get_queue_by_name(QueueName="resource").url == queue.url
    assert queue.attributes["QueueArn"].endswith(":resource")
    queue.send_message(MessageBody="hello", MessageAttributes={"Author": text("Daniel")})
    queue.send_messages(Entries=[{"Id": str(n), "MessageBody": f"m{n}"} for n in range(3)])
    messages = queue.receive_messages(MaxNumberOfMessages=10, MessageAttributeNames=["Author"], AttributeNames=["All"])
    assert sorted(message.body for message in messages) == ["hello", "m0", "m1", "m2"]
    hello = next(message for message in messages if message.body == "hello")
    assert hello.message_attributes == {"Author": text("Daniel")}
    assert hello.attributes["ApproximateReceiveCount"] == "1"
    hello.change_visibility(VisibilityTimeout=60)
    hello.delete()
    rest = [message for message in messages if message.body != "hello"]
    entries = [{"Id": message.message_id, "ReceiptHandle": message.receipt_handle} for message in rest]
    assert len(queue.delete_messages(Entries=entries)["Successful"]) == 3
    queue.load()
    assert queue.attributes["ApproximateNumberOfMessagesNotVisible"] == "0"
    queue.set_attributes(Attributes={"VisibilityTimeout": "7"})
    queue.reload()
    assert queue.attributes["VisibilityTimeout"] == "7"
    assert [found.url for found in sqs.queues.filter(QueueNamePrefix="res")] == [queue.url]
    queue.add_permission(Label="one", AWSAccountIds=["111111111111"], Actions=["SendMessage"])
    queue.remove_permission(Label="one")
    queue.purge()
    queue.delete()
    assert list(sqs.queues.all()) == []


def test_the_resource_interface_lists_the_sources_of_a_dead_letter_queue(kew, account):
    sqs = client(kew.url, account, service="resource")
    dead = sqs.create_queue(QueueName="dead")
    policy = '{"deadLetterTargetArn":"%s","maxReceiveCount":3}' % dead.attributes["QueueArn"]
    source = sqs.create_queue(QueueName="source", Attributes={"RedrivePolicy": policy})
    assert [queue.url for queue in dead.dead_letter_source_queues.all()] == [source.url]
