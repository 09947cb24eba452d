//! Creates and updates the queues that the configuration declares, by the requests that any client would send.

use kew_engine::identity::{Account, Caller};
use kew_engine::services::sqs::QueueKey;
use kew_engine::services::sqs::api::{self, Call};
use kew_engine::shard::{Command, Reply};
use kew_wire::Text;
use kew_wire::fault::{Fault, common};
use kew_wire::sqs::{CreateQueueRequest, Request, SetQueueAttributesRequest, TagQueueRequest, faults};

use crate::config::DeclaredQueue;
use crate::failure::Failure;
use crate::router::Router;

type Pairs = Vec<(Text, Text)>;

/// Makes every declared queue exist as declared. What the file does not mention stays as it is.
pub(crate) async fn create(queues: &[DeclaredQueue], region: &Text, router: &Router) -> Result<(), Failure> {
    let homes: Vec<Home<'_>> = queues.iter().map(|queue| Home::of(queue, region, router)).collect();
    // All of them first, so that each finds its dead-letter queue, wherever in the file that stands.
    for home in &homes {
        home.explain(home.make().await)?;
    }
    for home in &homes {
        home.explain(home.connect().await)?;
    }
    Ok(())
}

/// A declared queue and where it belongs.
struct Home<'a> {
    queue: &'a DeclaredQueue,
    router: &'a Router,
    call: Call,
    key: QueueKey,
}

impl<'a> Home<'a> {
    fn of(queue: &'a DeclaredQueue, region: &Text, router: &'a Router) -> Self {
        let account = queue.account.unwrap_or(Account::DEFAULT);
        let region = queue.region.as_deref().map_or_else(|| region.clone(), Text::from);
        let caller = Caller::open(account, region.clone());
        let call =
            Call { caller, endpoint: Text::from_static("http://localhost"), query: false, trace: None };
        Self { queue, router, call, key: QueueKey { account, region, name: queue.name.as_str().into() } }
    }

    /// Creates it, or changes it into what is declared.
    async fn make(&self) -> Result<(), Fault> {
        let mut attributes = pairs(&self.queue.attributes);
        let tags = pairs(&self.queue.tags);
        match self.create(attributes.clone(), tags.clone()).await {
            Err(fault) if *fault.kind == faults::QUEUE_NAME_EXISTS => {}
            other => return other,
        }
        attributes.retain(|(name, _)| name != "FifoQueue");
        self.set(attributes).await?;
        if tags.is_empty() {
            return Ok(());
        }
        self.ask(Request::TagQueue(TagQueueRequest { queue_url: self.key.name.clone(), tags })).await
    }

    /// Gives it its dead-letter queue.
    async fn connect(&self) -> Result<(), Fault> {
        let Some((target, count)) = &self.queue.dead_letter else { return Ok(()) };
        let target = QueueKey { name: target.as_str().into(), ..self.key.clone() }.arn();
        let policy = serde_json::json!({ "deadLetterTargetArn": &*target, "maxReceiveCount": count });
        let attributes: Pairs = vec![("RedrivePolicy".into(), policy.to_string().into())];
        // Creating it again changes nothing where the policy is the same already.
        match self.create(attributes.clone(), Vec::new()).await {
            Err(fault) if *fault.kind == faults::QUEUE_NAME_EXISTS => self.set(attributes).await,
            other => other,
        }
    }

    async fn create(&self, mut attributes: Pairs, tags: Pairs) -> Result<(), Fault> {
        // The name says it already; AWS wants it said twice.
        if self.key.is_fifo() && !attributes.iter().any(|(name, _)| name == "FifoQueue") {
            attributes.push(("FifoQueue".into(), "true".into()));
        }
        self.ask(Request::CreateQueue(CreateQueueRequest {
            queue_name: self.key.name.clone(),
            attributes,
            tags,
        }))
        .await
    }

    async fn set(&self, attributes: Pairs) -> Result<(), Fault> {
        if attributes.is_empty() {
            return Ok(());
        }
        let queue_url = self.key.name.clone();
        self.ask(Request::SetQueueAttributes(SetQueueAttributesRequest { queue_url, attributes })).await
    }

    async fn ask(&self, request: Request) -> Result<(), Fault> {
        let (command, finish) = api::prepare(&self.call, request)?;
        let answer = self.router.ask(Command::Sqs(command)).await?;
        match answer.reply {
            Reply::Sqs(reply) => api::finish(finish, reply, answer.payloads).map(drop),
            _ => Err(Fault::new(&common::INTERNAL_FAILURE, "no such answer")),
        }
    }

    /// A refusal is the operator's to read, but for the one that only time cures.
    fn explain(&self, outcome: Result<(), Fault>) -> Result<(), Failure> {
        let DeclaredQueue { name, place, .. } = self.queue;
        match outcome {
            Err(fault) if *fault.kind == faults::QUEUE_DELETED_RECENTLY => {
                tracing::warn!("{place}: queue {name:?} was not created: {}", fault.message);
                Ok(())
            }
            // A damaged shard leaves the others alone.
            Err(fault) if *fault.kind == common::SERVICE_UNAVAILABLE => {
                tracing::warn!("{place}: queue {name:?} is not made as declared: {}", fault.message);
                Ok(())
            }
            Err(fault) => {
                Err(Failure::usage(format!("{place}: queue {name:?} is refused: {}", fault.message)))
            }
            Ok(()) => Ok(()),
        }
    }
}

fn pairs(map: &std::collections::BTreeMap<String, String>) -> Pairs {
    map.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect()
}
