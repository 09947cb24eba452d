//! The AWS SDK for Rust against a running server. The SDK parses every answer strictly, so an answer of the wrong shape fails.

mod kew;

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    QueueAttributeName, SendMessageBatchRequestEntry,
};
use kew::Kew;

async fn create(client: &Client, name: &str, attributes: &[(QueueAttributeName, &str)]) -> String {
    let attributes: HashMap<_, _> =
        attributes.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
    let answer = client.create_queue().queue_name(name).set_attributes(Some(attributes)).send().await;
    answer.expect("a queue").queue_url.expect("its URL")
}

async fn receive(client: &Client, url: &str) -> Vec<Message> {
    let answer = client
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .message_attribute_names("All")
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await;
    answer.expect("an answer").messages.unwrap_or_default()
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().expect("a body")).collect()
}

#[tokio::test]
async fn a_message_walks_through_its_life() {
    let kew = Kew::start(&[]).await;
    let client = kew.client("000000000000", "secret");
    let url = create(&client, "orders", &[(QueueAttributeName::VisibilityTimeout, "60")]).await;
    let text =
        MessageAttributeValue::builder().data_type("String").string_value("blue").build().expect("complete");
    let blob = MessageAttributeValue::builder()
        .data_type("Binary")
        .binary_value(Blob::new([0, 1, 255]))
        .build()
        .expect("complete");
    let sent = client
        .send_message()
        .queue_url(&url)
        .message_body("héllo <&> 😀")
        .message_attributes("color", text.clone())
        .message_attributes("blob", blob.clone())
        .send()
        .await
        .expect("sent");
    let messages = receive(&client, &url).await;
    assert_eq!(bodies(&messages), ["héllo <&> 😀"]);
    let message = &messages[0];
    assert_eq!(message.message_id, sent.message_id);
    assert_eq!(message.md5_of_body, sent.md5_of_message_body);
    assert_eq!(message.md5_of_message_attributes, sent.md5_of_message_attributes);
    let attributes = message.message_attributes().expect("attributes");
    assert_eq!((&attributes["color"], &attributes["blob"]), (&text, &blob));
    let seen = message.attributes().expect("system attributes");
    assert_eq!(seen[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
    let handle = message.receipt_handle().expect("a handle");
    client
        .change_message_visibility()
        .queue_url(&url)
        .receipt_handle(handle)
        .visibility_timeout(0)
        .send()
        .await
        .expect("shown");
    let again = receive(&client, &url).await;
    let handle = again[0].receipt_handle().expect("a handle");
    client.delete_message().queue_url(&url).receipt_handle(handle).send().await.expect("deleted");
    let answer =
        client.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All).send().await;
    let seen = answer.expect("an answer").attributes.expect("attributes");
    assert_eq!(seen[&QueueAttributeName::ApproximateNumberOfMessages], "0");
    assert_eq!(seen[&QueueAttributeName::VisibilityTimeout], "60");
}

#[tokio::test]
async fn a_fifo_queue_takes_batches_in_order() {
    let kew = Kew::start(&[]).await;
    let client = kew.client("000000000000", "secret");
    let fifo =
        [(QueueAttributeName::FifoQueue, "true"), (QueueAttributeName::ContentBasedDeduplication, "true")];
    let url = create(&client, "ordered.fifo", &fifo).await;
    let entries = (0..5).map(|n| {
        let entry = SendMessageBatchRequestEntry::builder().id(format!("{n}")).message_body(format!("m{n}"));
        entry.message_group_id("g").build().expect("complete")
    });
    let sent = client
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some(entries.collect()))
        .send()
        .await
        .expect("sent");
    assert_eq!((sent.successful().len(), sent.failed().len()), (5, 0));
    let messages = receive(&client, &url).await;
    assert_eq!(bodies(&messages), ["m0", "m1", "m2", "m3", "m4"]);
    let entries = messages.iter().enumerate().map(|(n, message)| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(format!("{n}"));
        entry.receipt_handle(message.receipt_handle().expect("a handle")).build().expect("complete")
    });
    let deleted =
        client.delete_message_batch().queue_url(&url).set_entries(Some(entries.collect())).send().await;
    assert_eq!(deleted.expect("deleted").successful().len(), 5);
}

#[tokio::test]
async fn queues_are_listed_page_by_page_and_per_account() {
    let kew = Kew::start(&[]).await;
    let client = kew.client("111111111111", "secret");
    let mut expected = Vec::new();
    for n in 0..5 {
        expected.push(create(&client, &format!("q{n}"), &[]).await);
    }
    create(&kew.client("222222222222", "secret"), "other", &[]).await;
    let mut pages = client.list_queues().into_paginator().page_size(2).send();
    let (mut listed, mut count) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        listed.extend(page.expect("a page").queue_urls.unwrap_or_default());
        count += 1;
    }
    assert_eq!((listed, count), (expected, 3));
}

#[tokio::test]
async fn errors_arrive_as_the_variants_that_applications_match() {
    let kew = Kew::start(&[]).await;
    let client = kew.client("000000000000", "secret");
    let error = client
        .get_queue_url()
        .queue_name("missing")
        .send()
        .await
        .expect_err("no such queue")
        .into_service_error();
    assert!(error.is_queue_does_not_exist(), "{error:?}");
    assert_eq!(error.message(), Some("The specified queue does not exist."));
    let url = create(&client, "orders", &[]).await;
    let error = client
        .delete_message()
        .queue_url(&url)
        .receipt_handle("garbage")
        .send()
        .await
        .expect_err("no handle");
    assert_eq!(error.raw_response().map(|raw| raw.status().as_u16()), Some(404));
    let error = error.into_service_error();
    assert!(error.is_receipt_handle_is_invalid(), "{error:?}");
    let error = client
        .send_message_batch()
        .queue_url(&url)
        .set_entries(Some(Vec::new()))
        .send()
        .await
        .expect_err("empty");
    let error = error.into_service_error();
    assert!(error.is_empty_batch_request(), "{error:?}");
    let error = client
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .delay_seconds(901)
        .send()
        .await
        .expect_err("too long");
    assert_eq!(error.into_service_error().code(), Some("InvalidParameterValue"));
}
