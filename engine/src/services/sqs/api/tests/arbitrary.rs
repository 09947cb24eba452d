//! Whatever is asked, the answer is a command or a fault.

use alloc::vec;

use proptest::prelude::*;

use super::*;

fn any_text() -> impl Strategy<Value = Text> {
    prop_oneof![
        Just(String::new()),
        Just(QUEUE.into()),
        Just(FIFO.into()),
        Just(ARN.into()),
        Just("String".into()),
        Just("Binary".into()),
        Just("Number".into()),
        Just("All".into()),
        Just("{\"maxReceiveCount\":1}".into()),
        Just("{\"Statement\":[{}]}".into()),
        "\\PC{0,12}",
        "[a-zA-Z0-9._/:-]{0,90}",
        "[\u{0}-\u{20}\u{fff0}-\u{ffff}]{0,4}",
    ]
    .prop_map(Text::from)
}

fn any_texts() -> impl Strategy<Value = Vec<Text>> {
    proptest::collection::vec(any_text(), 0..12)
}

fn any_pairs() -> impl Strategy<Value = Vec<(Text, Text)>> {
    let name = prop_oneof![
        any_text(),
        proptest::sample::select(get_queue_attributes::NAMES.as_slice()).prop_map(Text::from_static)
    ];
    proptest::collection::vec((name, any_text()), 0..6)
}

prop_compose! {
    fn any_attribute()(
        name in any_text(),
        string in proptest::option::of(any_text()),
        binary in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..9)),
        list in proptest::collection::vec(any_text(), 0..2),
        data_type in any_text(),
    ) -> (Text, MessageAttributeValue) {
        (name, MessageAttributeValue {
            string_value: string,
            binary_value: binary.map(Bytes::from),
            string_list_values: list,
            binary_list_values: Vec::new(),
            data_type,
        })
    }
}

prop_compose! {
    fn any_entry()(
        id in any_text(),
        body in any_text(),
        delay_seconds in proptest::option::of(any::<i32>()),
        message_attributes in proptest::collection::vec(any_attribute(), 0..3),
        dedup in proptest::option::of(any_text()),
        group in proptest::option::of(any_text()),
    ) -> SendMessageBatchRequestEntry {
        SendMessageBatchRequestEntry {
            id,
            message_body: body,
            delay_seconds,
            message_attributes,
            message_system_attributes: Vec::new(),
            message_deduplication_id: dedup,
            message_group_id: group,
        }
    }
}

/// The texts, lists and numbers of one request; each request takes what it needs.
type Parts = (Text, Text, Option<Text>, Vec<Text>, Vec<Text>, Option<i32>, Option<i32>);

fn plain((a, b, c, d, e, x, y): Parts, pairs: Vec<(Text, Text)>) -> Vec<Request> {
    let (queue_url, receipt_handle, source_arn) = (a.clone(), b.clone(), a.clone());
    let next_token = c.clone();
    [
        Request::AddPermission(AddPermissionRequest {
            queue_url: a.clone(),
            label: b.clone(),
            aws_account_ids: d.clone(),
            actions: e.clone(),
        }),
        Request::CancelMessageMoveTask(CancelMessageMoveTaskRequest { task_handle: a.clone() }),
        Request::ChangeMessageVisibility(ChangeMessageVisibilityRequest {
            queue_url: a.clone(),
            receipt_handle,
            visibility_timeout: x.unwrap_or_default(),
        }),
        Request::ChangeMessageVisibilityBatch(ChangeMessageVisibilityBatchRequest {
            queue_url: a.clone(),
            entries: d
                .iter()
                .map(|id| ChangeMessageVisibilityBatchRequestEntry {
                    id: id.clone(),
                    receipt_handle: b.clone(),
                    visibility_timeout: x,
                })
                .collect(),
        }),
        Request::CreateQueue(CreateQueueRequest {
            queue_name: b.clone(),
            attributes: pairs.clone(),
            tags: pairs.clone(),
        }),
        Request::DeleteMessage(DeleteMessageRequest { queue_url: a.clone(), receipt_handle: b.clone() }),
        Request::DeleteMessageBatch(DeleteMessageBatchRequest {
            queue_url: a.clone(),
            entries: d
                .iter()
                .map(|id| DeleteMessageBatchRequestEntry { id: id.clone(), receipt_handle: b.clone() })
                .collect(),
        }),
        Request::DeleteQueue(DeleteQueueRequest { queue_url: a.clone() }),
        Request::GetQueueAttributes(GetQueueAttributesRequest {
            queue_url: a.clone(),
            attribute_names: d.clone(),
        }),
        Request::GetQueueUrl(GetQueueUrlRequest {
            queue_name: a.clone(),
            queue_owner_aws_account_id: c.clone(),
        }),
        Request::ListDeadLetterSourceQueues(ListDeadLetterSourceQueuesRequest {
            queue_url: a.clone(),
            next_token: c.clone(),
            max_results: x,
        }),
        Request::ListMessageMoveTasks(ListMessageMoveTasksRequest { source_arn, max_results: x }),
        Request::ListQueueTags(ListQueueTagsRequest { queue_url: a.clone() }),
        Request::ListQueues(ListQueuesRequest {
            queue_name_prefix: Some(a.clone()),
            next_token,
            max_results: x,
        }),
        Request::PurgeQueue(PurgeQueueRequest { queue_url: a.clone() }),
        Request::ReceiveMessage(ReceiveMessageRequest {
            queue_url: a.clone(),
            attribute_names: d,
            message_system_attribute_names: e.clone(),
            message_attribute_names: e.clone(),
            max_number_of_messages: x,
            visibility_timeout: y,
            wait_time_seconds: y,
            receive_request_attempt_id: c.clone(),
        }),
        Request::RemovePermission(RemovePermissionRequest { queue_url: a.clone(), label: b.clone() }),
        Request::SetQueueAttributes(SetQueueAttributesRequest {
            queue_url: a.clone(),
            attributes: pairs.clone(),
        }),
        Request::StartMessageMoveTask(StartMessageMoveTaskRequest {
            source_arn: a.clone(),
            destination_arn: c,
            max_number_of_messages_per_second: x,
        }),
        Request::TagQueue(TagQueueRequest { queue_url: a, tags: pairs }),
        Request::UntagQueue(UntagQueueRequest { queue_url, tag_keys: e }),
    ]
    .into()
}

fn any_number() -> impl Strategy<Value = Option<i32>> {
    prop_oneof![Just(None), (-2..13).prop_map(Some), any::<i32>().prop_map(Some)]
}

proptest! {
    #[test]
    fn every_request_is_taken_or_refused(
        parts in (any_text(), any_text(), proptest::option::of(any_text()), any_texts(), any_texts(), any_number(), any_number()),
        pairs in any_pairs(),
        query in any::<bool>(),
    ) {
        let call = Call { query, ..call() };
        for request in plain(parts, pairs) {
            let _ = prepare(&call, request);
        }
    }

    #[test]
    fn every_message_is_taken_or_refused(
        url in prop_oneof![Just(QUEUE), Just(FIFO)],
        entries in proptest::collection::vec(any_entry(), 0..11),
    ) {
        for entry in &entries {
            let _ = prepare(&call(), Request::SendMessage(SendMessageRequest {
                queue_url: text(url),
                message_body: entry.message_body.clone(),
                delay_seconds: entry.delay_seconds,
                message_attributes: entry.message_attributes.clone(),
                message_system_attributes: Vec::new(),
                message_deduplication_id: entry.message_deduplication_id.clone(),
                message_group_id: entry.message_group_id.clone(),
            }));
        }
        let _ = prepare(&call(), Request::SendMessageBatch(SendMessageBatchRequest { queue_url: text(url), entries }));
    }
}
