//! The configuration file and the environment: what is wrong is told in one line, and without a secret.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::LazyLock;

use toml::{Table, Value};

/// What settings are made of.
pub const WORDS: &[&str] = &[
    "listen",
    "data",
    "durability",
    "sqs_waits",
    "log",
    "log_format",
    "region",
    "public_url",
    "workers",
    "shards",
    "journal_bytes",
    "root_key_file",
    "tls_certificate",
    "connections_per_address",
    "requests_per_second_per_key",
    "audit_log",
    "access_keys",
    "origins",
    "[[queue]]\n",
    "[[user]]\n",
    "[[user.access_key]]\n",
    "[[role]]\n",
    "name = ",
    "id = ",
    "secret = ",
    "secret_variable = ",
    "policies = { ",
    "trust = { ",
    "permissions_boundary = ",
    "attributes = { ",
    "tags = { ",
    "dead_letter_queue = ",
    "max_receive_count = ",
    "KEW_LOG=",
    "KEW_SHARDS=",
    "KEW_ROOT_ACCESS_KEY_ID=",
    "KEW_ROOT_SECRET_ACCESS_KEY=",
    "KEW_CONNECTIONS_PER_ADDRESS=",
    "Version",
    "\"2012-10-17\"",
    "\"arn:aws:iam::aws:policy/AmazonSQSFullAccess\"",
    "= ",
    "\"",
    "'''",
    "\"\"\"",
    "[",
    "]",
    "{",
    "}",
    "\n",
    "#",
    ".",
    "true",
    "off",
    "0x1F",
    "1_000",
    "1979-05-27T07:32:00Z",
    "inf",
    "\\u0000",
    "\\U0010FFFF",
];

/// Stands in no other place than where a secret does.
const SECRET: &str = "an-unmistakable-secret";

/// A file of this process, in memory where the machine has such a folder.
static FILE: LazyLock<std::path::PathBuf> = LazyLock::new(|| {
    let shared = std::path::Path::new("/dev/shm");
    let folder = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
    let file = folder.join(format!("kew-fuzz-{}.toml", std::process::id()));
    fs::write(&file, "").expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its mode");
    file
});

/// Lines of the environment, `NAME=value`, up to an empty one; behind it the file.
pub fn run(input: &[u8]) {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let variables = String::from_utf8_lossy(&input[..end]).into_owned();
    let file = input.get(end + 2..).unwrap_or_default();
    // What stands there of itself would be read.
    if [&b"_file"[..], b"_FILE"].iter().any(|word| input.windows(5).any(|part| part == *word)) {
        return;
    }
    fs::write(&*FILE, file).expect("to write");
    let environment = |name: &str| {
        let mut lines = variables.lines().filter_map(|line| line.split_once('='));
        lines.find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    };
    if let Err(line) = kew_server::check_settings(&FILE, &environment) {
        assert!(!line.is_empty() && !line.contains('\n'), "not one line: {line}");
        let is_told = line.contains(SECRET) && !variables.contains(SECRET) && !stands_elsewhere(file);
        assert!(!is_told, "a secret is told: {line}");
    }
}

/// Whether the secret stands in this file as something else than a secret: a lost quote makes a name of everything up to the
/// next one, and a name that is not understood is what an operator must see.
fn stands_elsewhere(file: &[u8]) -> bool {
    str::from_utf8(file)
        .ok()
        .and_then(|text| text.parse::<Table>().ok())
        .is_some_and(|table| names_secret(&table))
}

fn names_secret(table: &Table) -> bool {
    table.iter().any(|(key, value)| key.contains(SECRET) || key != "secret" && is_secret(value))
}

fn is_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(SECRET),
        Value::Array(values) => values.iter().any(is_secret),
        Value::Table(table) => names_secret(table),
        _ => false,
    }
}

/// What operators write.
pub fn seeds() -> Vec<Vec<u8>> {
    let settings = "KEW_LOG=debug\nKEW_SHARDS=2\nKEW_ROOT_ACCESS_KEY_ID=AKIAROOT\nKEW_ROOT_SECRET_ACCESS_KEY=sixteen-letters-or-more\n\n\
        data = \"/var/lib/kew\"\ndurability = \"fsync\"\nsqs_waits = true\nlog = \"info,kew=debug\"\nlog_format = \"json\"\nregion = \"eu-west-1\"\n\
        public_url = \"https://queues.example:4566\"\nworkers = 4\nshards = 2\njournal_bytes = 67108864\ntest_endpoints = false\n\
        tls_certificate = \"server.pem\"\ntls_key = \"server.key\"\nconnections_per_address = 100\nrequests_per_second_per_key = \"off\"\n\
        audit_log = \"audit.jsonl\"\norigins = [\"https://console.example\"]\n\n[access_keys]\nAKIAEXAMPLE = \"123456789012\"\n";
    let queues = "KEW_DURABILITY=os\n\n[[queue]]\nname = \"orders.fifo\"\naccount = \"123456789012\"\nregion = \"eu-west-1\"\n\
        dead_letter_queue = \"dead.fifo\"\nmax_receive_count = 5\nattributes = { FifoQueue = true, VisibilityTimeout = 60 }\n\
        tags = { team = \"shop\", \"a b\" = 1 }\n\n[[queue]]\nname = \"plain\"\n";
    let identities = format!(
        "KEW_REGION=us-east-1\nWORKER=another-secret-of-the-worker\n\n[[user]]\nname = \"worker\"\npath = \"/shop/\"\ntags = {{ team = \"shop\" }}\n\
        policies = {{ all = \"arn:aws:iam::aws:policy/AmazonSQSFullAccess\", own = {{ Version = \"2012-10-17\", Statement = [{{ Effect = \"Allow\", \
        Action = \"sts:*\", Resource = \"*\", Condition = {{ Bool = {{ \"aws:SecureTransport\" = true }} }} }}] }} }}\n\n[[user.access_key]]\n\
        id = \"AKIAIOSFODNN7EXAMPLE\"\nsecret = \"{SECRET}\"\n\n[[user.access_key]]\nid = \"AKIAOTHER\"\nsecret_variable = \"WORKER\"\nactive = false\n\n\
        [[role]]\nname = \"reader\"\nmax_session_seconds = 7200\ntrust = '''{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\
        \"Action\":\"sts:AssumeRole\",\"Principal\":{{\"AWS\":\"000000000000\"}}}}]}}'''\npermissions_boundary = \"arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess\"\n"
    );
    [settings, queues, &identities].map(|seed| seed.as_bytes().to_vec()).to_vec()
}
