//! The Rust SDK over TLS: let in with right credentials, and refused for everything else as `refusals/table.txt` says, like the
//! other clients.

mod kew;

use std::error::Error;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_sqs::config::{Builder, ConfigBag, Credentials, Intercept, RuntimeComponents};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use kew::{Certificates, Kew};

const ID: &str = "AKIAROOT";
const SECRET: &str = "a-secret-of-32-characters-for-all";
const ENVIRONMENT: [(&str, &str); 3] =
    [("SECRET", SECRET), ("KEW_ROOT_ACCESS_KEY_ID", ID), ("KEW_ROOT_SECRET_ACCESS_KEY", SECRET)];
const TABLE: &str = include_str!("../../refusals/table.txt");

/// How the SDK shows a refusal.
#[derive(Debug)]
struct Refusal {
    code: Option<String>,
    status: Option<u16>,
    message: String,
}

impl<E: ProvideErrorMetadata + Debug> From<SdkError<E, HttpResponse>> for Refusal {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let message = error.message().map_or_else(|| format!("{error:?}"), str::to_owned);
        let status = error.raw_response().map(|raw| raw.status().as_u16());
        Self { code: error.code().map(str::to_owned), status, message }
    }
}

/// What becomes of a request on its way.
#[derive(Debug, Clone)]
enum Trick {
    /// Its body is changed once it is signed.
    Body,
    /// A header of it is.
    Header,
    /// It is kept as it would be sent, and not sent.
    Record(Arc<Mutex<HttpRequest>>),
    /// Another one is sent in its place.
    Replay(Arc<Mutex<HttpRequest>>),
    /// It asks for another path, and is signed so.
    Path(String),
}

impl Intercept for Trick {
    fn name(&self) -> &'static str {
        "trick"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        if let Self::Path(path) = self {
            context.request_mut().set_uri(&**path)?;
        }
        Ok(())
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let request = context.request_mut();
        match self {
            Self::Path(_) => {}
            Self::Body => {
                let signed = str::from_utf8(request.body().bytes().expect("in memory"))?.to_owned();
                assert!(signed.contains("hello"));
                *request.body_mut() = signed.replace("hello", "hullo").into();
            }
            Self::Header => {
                request.headers_mut().insert("x-amz-target", "AmazonSQS.CreateQueue");
            }
            Self::Record(kept) => {
                *kept.lock().expect("whole") = request.try_clone().expect("in memory");
                return Err("it is not sent".into());
            }
            Self::Replay(kept) => *request = kept.lock().expect("whole").try_clone().expect("in memory"),
        }
        Ok(())
    }
}

async fn start() -> Kew {
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/../refusals/kew.toml");
    let kew =
        Kew::start_secure(&ENVIRONMENT, &["--test-endpoints", "--config", config], Certificates::new()).await;
    let root = kew.client(ID, SECRET);
    for name in ["orders", "secrets", "office"] {
        let made = root.create_queue().queue_name(name).send().await.expect("a queue");
        assert_eq!(made.queue_url(), Some(&*queue(&kew, name)));
    }
    kew
}

fn queue(kew: &Kew, name: &str) -> String {
    format!("{}/000000000000/{name}", kew.url)
}

/// How many queues a client lists.
async fn list(config: Builder) -> Result<usize, Refusal> {
    let answer = Client::from_conf(config.build()).list_queues().send().await?;
    Ok(answer.queue_urls().len())
}

async fn send(kew: &Kew, config: Builder, name: &str) -> Result<usize, Refusal> {
    let client = Client::from_conf(config.build());
    let answer = client.send_message().queue_url(queue(kew, name)).message_body("hello").send().await?;
    Ok(answer.message_id().map_or(0, str::len))
}

/// Signs by a clock that is so many minutes late.
fn late(config: Builder, minutes: u64) -> Builder {
    config.time_source(StaticTimeSource::new(SystemTime::now() - Duration::from_secs(minutes * 60)))
}

/// Sends a request that was signed so many minutes ago: by a late clock, for nobody waits here for a quarter of an hour.
async fn replay(kew: &Kew, minutes: u64) -> Result<usize, Refusal> {
    let kept = Arc::new(Mutex::new(HttpRequest::empty()));
    let recording = kew.config(ID, SECRET).interceptor(Trick::Record(Arc::clone(&kept)));
    let unsent = list(late(recording, minutes)).await.expect_err("not sent");
    assert!(unsent.message.contains("it is not sent"), "{unsent:?}");
    list(kew.config("AKIANOBODY", "none").interceptor(Trick::Replay(kept))).await
}

/// Sends with a session's token before and after the session ends, by the server's clock.
async fn overstay(kew: &Kew) -> Result<usize, Refusal> {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
        .region(aws_sdk_sts::config::Region::new("us-east-1"))
        .endpoint_url(&kew.url)
        .credentials_provider(Credentials::new("AKIAWORKER", SECRET, None, None, "test"))
        .http_client(kew.http.clone())
        .build();
    let sts = aws_sdk_sts::Client::from_conf(config);
    let given = sts.get_session_token().duration_seconds(900).send().await?.credentials.expect("credentials");
    let token = Some(given.session_token);
    let session = Credentials::new(given.access_key_id, given.secret_access_key, token, None, "test");
    let config = || kew.config(ID, SECRET).credentials_provider(session.clone());
    send(kew, config(), "orders").await.expect("not ended yet");
    let path = format!("{}/_kew/clock?advance_ms=900000", kew.url);
    list(kew.config(ID, SECRET).interceptor(Trick::Path(path))).await.expect("its clock is moved");
    send(kew, config(), "orders").await
}

/// Does wrong what the first column of the table says.
async fn go_wrong(kew: &Kew, what: &str) -> Result<usize, Refusal> {
    let root = || kew.config(ID, SECRET);
    let worker = || kew.config("AKIAWORKER", SECRET);
    match what {
        "no signature" => list(kew.anonymous().allow_no_auth()).await,
        "wrong secret" => list(kew.config(ID, "wrong")).await,
        "unknown key" => list(kew.config("AKIANOBODY", SECRET)).await,
        "disabled key" => list(kew.config("AKIADISABLED", SECRET)).await,
        "expired clock" => list(late(root(), 16)).await,
        "other region" => {
            list(root().endpoint_url(kew.url.replace("127.0.0.1", "sqs.eu-west-1.localhost"))).await
        }
        "tampered body" => send(kew, root().interceptor(Trick::Body), "orders").await,
        "tampered header" => list(root().interceptor(Trick::Header)).await,
        "replay after expiry" => replay(kew, 16).await,
        "another account" => send(kew, kew.config("AKIAOTHER", SECRET), "orders").await,
        "denied action" => {
            let client = Client::from_conf(worker().build());
            let answer = client.receive_message().queue_url(queue(kew, "orders")).send().await?;
            Ok(answer.messages().len())
        }
        "denied resource" => send(kew, worker(), "secrets").await,
        "failed condition" => send(kew, worker(), "office").await,
        "expired session token" => overstay(kew).await,
        other => panic!("the table has a row that this test does not know: {other}"),
    }
}

#[tokio::test]
async fn right_credentials_work() {
    let kew = start().await;
    let orders = queue(&kew, "orders");
    let worker = kew.client("AKIAWORKER", SECRET);
    worker.send_message().queue_url(&orders).message_body("é ✓ & <x> %20+").send().await.expect("sent");
    let received =
        kew.client(ID, SECRET).receive_message().queue_url(&orders).send().await.expect("received");
    assert_eq!(received.messages()[0].body(), Some("é ✓ & <x> %20+"));
    assert_eq!(replay(&kew, 14).await.expect("within a quarter of an hour"), 3);
}

#[tokio::test]
async fn the_refusals_are_those_of_the_table() {
    let kew = start().await;
    let (mut wrong, mut rows) = (Vec::new(), 0);
    for row in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<_> = row.split(" | ").map(str::trim).collect();
        let [what, code, status, begin] = cells[..] else { panic!("{row}") };
        let outcome = go_wrong(&kew, what).await;
        let is_right = outcome.as_ref().is_err_and(|refusal| {
            (refusal.code.as_deref(), refusal.status) == (Some(code), status.parse().ok())
                && refusal.message.starts_with(begin)
                && !refusal.message.contains(SECRET)
        });
        rows += 1;
        if !is_right {
            wrong.push((what, outcome));
        }
    }
    assert_eq!(rows, 14, "the table is not whole");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_talked_to() {
    let kew = start().await;
    let stranger = kew.config(ID, SECRET).http_client(Certificates::new().client());
    let refusal = list(stranger).await.expect_err("refused");
    assert!(refusal.code.is_none() && refusal.message.contains("InvalidCertificate"), "{refusal:?}");
}
