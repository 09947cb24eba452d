//! The server under attack, and one connection to it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::make::{Stock, Wish, form, json, page};
use crate::signer::Key;

/// Longer than any answer takes, the longest poll included.
const PATIENCE: Duration = Duration::from_secs(30);

/// Of an answer, so much is looked at.
const LOOK: u64 = 64 * 1024;

const ROOT: (&str, &str) = ("AKIAROOTOFTHESTORM", "the-secret-of-the-root-of-the-storm");
const WORKER: (&str, &str) = ("AKIAWORKEROFTHESTORM", "the-secret-of-a-worker-of-the-storm");

/// Who may call beside the root. The role is for sessions.
const IDENTITIES: &str = r#"
[[user]]
name = "worker"
policies = { queues = "arn:aws:iam::aws:policy/AmazonSQSFullAccess", more = { Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["sts:*", "kms:*"], Resource = "*" }] } }
tags = { team = "shop" }

[[user.access_key]]
id = "AKIAWORKEROFTHESTORM"
secret = "the-secret-of-a-worker-of-the-storm"

[[role]]
name = "reader"
trust = { Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["sts:AssumeRole", "sts:TagSession"], Principal = { AWS = "000000000000" } }] }
policies = { queues = { Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sqs:*", Resource = "*", Condition = { StringNotEquals = { "aws:ResourceTag/team" = "other" } } }] } }
"#;

/// A server of our own.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    folder: PathBuf,
    /// The administrator's key; `None` where nobody is asked.
    root: Option<Key>,
}

impl Server {
    /// Serves from `folder`. `is_closed`: only those who sign.
    pub(crate) fn start(kew: &Path, folder: &Path, is_closed: bool) -> Result<Self, String> {
        let said = |error: io::Error| error.to_string();
        let log = fs::File::create(folder.join("log")).map_err(said)?;
        let mut command = Command::new(kew);
        command.args(["serve", "--listen", "127.0.0.1:0", "--durability", "os", "--sqs-waits", "off"]);
        command.args(["--test-endpoints", "--shards", "2", "--data"]).arg(folder.join("data"));
        let mut root = None;
        if is_closed {
            let config = folder.join("kew.toml");
            let mut file = fs::OpenOptions::new();
            let file = file.write(true).create(true).truncate(true).mode(0o600).open(&config);
            file.and_then(|mut file| file.write_all(IDENTITIES.as_bytes())).map_err(said)?;
            command.arg("--config").arg(config).arg("--audit-log").arg(folder.join("audit"));
            command.env("KEW_ROOT_ACCESS_KEY_ID", ROOT.0).env("KEW_ROOT_SECRET_ACCESS_KEY", ROOT.1);
            root = Some(Key::new(ROOT.0, ROOT.1));
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn();
        let mut child = child.map_err(said)?;
        let mut line = String::new();
        let output = child.stdout.take().ok_or("no output")?;
        BufReader::new(output).read_line(&mut line).map_err(said)?;
        let address = line.trim().rsplit("://").next().and_then(|address| address.parse().ok());
        let address = address.ok_or(format!("the server said {line:?}"))?;
        Ok(Self { child, address, folder: folder.to_owned(), root })
    }

    /// An answer to what its administrator asks: status and body.
    fn ask(&self, wish: Wish) -> Result<(u16, String), String> {
        self.ask_as(self.root.as_ref(), wish)
    }

    fn ask_as(&self, key: Option<&Key>, mut wish: Wish) -> Result<(u16, String), String> {
        if let Some(key) = key {
            key.sign(&mut wish);
        }
        let mut stream = connect(self.address).map_err(|error| error.to_string())?;
        stream.get_mut().write_all(&wish.bytes()).map_err(|error| error.to_string())?;
        let answer = answer(&mut stream, wish.method).ok_or("no answer")?;
        Ok((answer.status, answer.body))
    }

    /// What a round needs: nothing left of the one before, the queues and the key that sound requests mean, and a session.
    pub(crate) fn prepare(&self, number: u64) -> Result<Stock, String> {
        if number > 0 {
            self.must("/_kew/reset", page(("POST", "/_kew/reset")))?;
        }
        for body in [
            r#"{"QueueName":"q"}"#,
            r#"{"QueueName":"d","Attributes":{"SqsManagedSseEnabled":"false"}}"#,
            r#"{"QueueName":"d.fifo","Attributes":{"FifoQueue":"true"}}"#,
            r#"{"QueueName":"orders.fifo","Attributes":{"FifoQueue":"true"}}"#,
        ] {
            self.must(body, json("sqs", "AmazonSQS", ("CreateQueue", body)))?;
        }
        // Of one round to the next this may be refused: there are only so many keys, and they may be gone.
        let kms = |operation, body: &str| self.ask(json("kms", "TrentService", (operation, body)));
        if let Some(key) = between(&kms("CreateKey", "{}")?.1, "\"KeyId\":\"", "\"") {
            let body = format!(r#"{{"AliasName":"alias/storm","TargetKeyId":"{key}"}}"#);
            let operation = if number == 0 { "CreateAlias" } else { "UpdateAlias" };
            kms(operation, &body)?;
        }
        let encrypt = r#"{"KeyId":"alias/storm","Plaintext":"AAEC","EncryptionContext":{"a":"b"}}"#;
        let ciphertext =
            between(&kms("Encrypt", encrypt)?.1, "\"CiphertextBlob\":\"", "\"").unwrap_or_default();
        Ok(Stock { keys: self.keys()?, ciphertext })
    }

    /// The administrator, a user, a session of a role, and two who are nobody.
    fn keys(&self) -> Result<Vec<Key>, String> {
        let Some(root) = &self.root else { return Ok(Vec::new()) };
        // Nobody reads it, and it shall not fill the disk.
        fs::write(self.folder.join("audit"), b"").map_err(|error| error.to_string())?;
        let worker = Key::new(WORKER.0, WORKER.1);
        let role = b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Freader&RoleSessionName=storm";
        let (status, told) = self.ask_as(Some(&worker), form("sts", role))?;
        let part = |name: &str| between(&told, &format!("<{name}>"), "<");
        let parts = (part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken"));
        let (Some(id), Some(secret), token @ Some(_)) = parts else {
            return Err(format!("AssumeRole answered {status}: {told}"));
        };
        let session = Key { id, secret, token };
        Ok(vec![
            root.clone(),
            worker,
            session,
            Key::new(ROOT.0, "not-the-secret-of-the-root"),
            Key::new("AKIANOBODY", ROOT.1),
        ])
    }

    fn must(&self, what: &str, wish: Wish) -> Result<(), String> {
        match self.ask(wish)? {
            (200..300, _) => Ok(()),
            (status, told) => Err(format!("{what} answered {status}: {told}")),
        }
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn end(&mut self) -> Result<(), String> {
        let told = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .map_err(|error| error.to_string())?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if told.success() && status.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {status}"))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands between the first `start` and the `end` behind it.
fn between(text: &str, start: &str, end: &str) -> Option<String> {
    Some(text.split_once(start)?.1.split_once(end)?.0.to_owned())
}

pub(crate) fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whether the connection goes on.
    pub(crate) goes_on: bool,
    /// As far as it is looked at.
    pub(crate) body: String,
}

/// The next answer on a connection, to a request of this method.
pub(crate) fn answer(stream: &mut BufReader<TcpStream>, method: &str) -> Option<Answer> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let status: u16 = line.split(' ').nth(1)?.parse().ok()?;
    let (mut length, mut goes_on) = (0, true);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let line = line.trim_end().to_ascii_lowercase();
        match line.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().ok()?,
            Some(("connection", "close")) => goes_on = false,
            Some(_) => {}
            None => break,
        }
    }
    if status == 100 {
        return answer(stream, method);
    }
    let mut body = Vec::new();
    if method != "HEAD" {
        stream.by_ref().take(length.min(LOOK)).read_to_end(&mut body).ok()?;
        io::copy(&mut stream.by_ref().take(length.saturating_sub(LOOK)), &mut io::sink()).ok()?;
    }
    Some(Answer { status, goes_on, body: String::from_utf8_lossy(&body).into_owned() })
}
