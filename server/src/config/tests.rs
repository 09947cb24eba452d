use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// Settings from flags, variables and a file's text.
fn load_from(flags: Flags, variables: &[(&str, &str)], file: Option<&str>) -> Result<Config, String> {
    load_with_mode(flags, variables, file, 0o600)
}

fn load_with_mode(
    flags: Flags,
    variables: &[(&str, &str)],
    file: Option<&str>,
    mode: u32,
) -> Result<Config, String> {
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let environment = move |name: &str| variables.get(name).map(OsString::from);
    let mut flags = flags;
    let mut kept = None;
    if let Some(text) = file {
        let directory = std::env::temp_dir().join(format!(
            "kew-config-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::create_dir_all(&directory).expect("a directory");
        let path = directory.join("kew.toml");
        std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("its mode");
        flags.config = Some(path.into_os_string());
        kept = Some(directory);
    }
    let config = load(flags, &environment).map_err(|failure| failure.to_string());
    if let Some(directory) = kept {
        std::fs::remove_dir_all(directory).expect("to remove it");
    }
    config
}

fn from_file(text: &str) -> Result<Config, String> {
    load_from(Flags::default(), &[], Some(text))
}

/// The refusal of a file, without the directory in front of its name.
fn refusal(text: &str) -> String {
    let line = from_file(text).expect_err("a refusal");
    line.split_once("kew.toml").map_or(line.clone(), |(_, rest)| rest.to_owned())
}

#[test]
fn nothing_said_means_loopback_fsync_and_a_directory_here() {
    let config = load_from(Flags::default(), &[], None).expect("defaults");
    assert_eq!(config.listen.to_string(), "127.0.0.1:4566");
    assert_eq!(config.data, PathBuf::from("./kew-data"));
    assert_eq!(config.durability, Durability::Fsync);
    assert!(config.sqs_waits);
    assert!(!config.test_endpoints);
    assert_eq!(config.region, "us-east-1");
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let file = "listen = \"127.0.0.1:1\"\nlog = \"warn\"\ndata = \"/file\"";
    let flags = Flags { listen: Some("127.0.0.1:3".into()), ..Flags::default() };
    let config =
        load_from(flags, &[("KEW_LISTEN", "127.0.0.1:2"), ("KEW_LOG", "debug")], Some(file)).expect("valid");
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.log, "debug");
    assert_eq!(config.data, PathBuf::from("/file"));
    assert!(config.sqs_waits);
}

#[test]
fn a_path_in_the_file_begins_beside_the_file() {
    let file = "data = \"state\"\naudit_log = \"/var/log/audit.jsonl\"\ntls_certificate = \"tls/server.pem\"\ntls_key = \"../key\"";
    let config = from_file(file).expect("valid");
    let folder = config.data.parent().expect("a folder").to_owned();
    assert!(folder.starts_with(std::env::temp_dir()) && config.data.ends_with("state"), "{:?}", config.data);
    let tls = config.edge.tls.expect("both files");
    assert_eq!((tls.certificate, tls.key), (folder.join("tls/server.pem"), folder.join("../key")));
    assert_eq!(config.edge.audit.expect("said").file, PathBuf::from("/var/log/audit.jsonl"));
    // What was not said in the file begins where the process was started.
    let config =
        load_from(Flags::default(), &[("KEW_DATA", "state")], Some("log = \"warn\"")).expect("valid");
    assert_eq!(config.data, PathBuf::from("state"));
}

#[test]
fn an_empty_variable_says_nothing() {
    let config = load_from(Flags::default(), &[("KEW_DURABILITY", "")], None).expect("valid");
    assert_eq!(config.durability, Durability::Fsync);
}

#[test]
fn a_bad_value_is_refused_with_its_place_and_what_is_allowed() {
    let flags = Flags { durability: Some("maybe".into()), ..Flags::default() };
    let line = load_from(flags, &[], None).expect_err("refused");
    assert_eq!(line, "--durability: \"maybe\" is not allowed; give fsync or os");

    let line = load_from(Flags::default(), &[("KEW_SQS_WAITS", "perhaps")], None).expect_err("refused");
    assert_eq!(line, "KEW_SQS_WAITS: \"perhaps\" is not allowed; give on or off");

    assert_eq!(
        refusal("# mine\nlisten = \"nowhere\""),
        ", line 2: listen: \"nowhere\" is not allowed; give an address and a port, such as 127.0.0.1:4566"
    );
    assert_eq!(
        refusal("journal_bytes = 4096"),
        ", line 1: journal_bytes: \"4096\" is not allowed; give a whole number from 1048576 (1 MiB) to 68719476736 (64 GiB)"
    );
    assert_eq!(
        refusal("workers = 0"),
        ", line 1: workers: \"0\" is not allowed; give a whole number from 1 to 256"
    );
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_keys_that_exist() {
    let line = refusal("listen = \"127.0.0.1:1\"\ndurabilty = \"os\"");
    assert!(
        line.starts_with(
            ", line 2: unknown field `durabilty`, expected one of `listen`, `data`, `durability`"
        ),
        "{line}"
    );
    let line = refusal("[[queue]]\nname = \"a\"\nfifo = true");
    assert!(line.starts_with(", line 3: unknown field `fifo`"), "{line}");
    // What is no setting's name may be a secret in the wrong place.
    for secret in
        ["wJalrXUtnFEMIbPxRfiCYEXAMPLEKEY", "\"a`, expected b\"", "abcdefghijklmnopqrstuvwxyzabcdefghijklmn"]
    {
        for before in ["", "[[user]]\nname = \"ann\"\n"] {
            let line = refusal(&format!("{before}{secret} = true"));
            assert!(line.contains(": unknown field, expected "), "{line}");
            assert!(!line.contains(secret.trim_matches('"')), "{line}");
        }
    }
}

#[test]
fn a_wrong_type_is_refused_with_its_line() {
    assert_eq!(refusal("\ndata = 5"), ", line 2: invalid type: integer, expected a string");
}

#[test]
fn text_that_is_not_toml_is_refused_in_one_line() {
    let line = refusal("listen = ");
    assert!(line.starts_with(", line 1: "), "{line}");
    assert!(!line.contains('\n'), "{line}");
}

#[test]
fn a_missing_file_is_refused_by_its_name() {
    let flags = Flags { config: Some("/nowhere/kew.toml".into()), ..Flags::default() };
    let line = load_from(flags, &[], None).expect_err("refused");
    assert!(line.starts_with("cannot read the configuration file /nowhere/kew.toml: "), "{line}");
}

#[test]
fn queues_are_declared_with_natural_values() {
    let config = from_file(
        r#"
        [access_keys]
        AKIAIOSFODNN7EXAMPLE = "123456789012"

        [[queue]]
        name = "orders"
        dead_letter_queue = "orders-dead"
        max_receive_count = 5
        attributes = { VisibilityTimeout = 60, SqsManagedSseEnabled = false, Policy = "{}" }
        tags = { team = "shop" }
        "#,
    )
    .expect("valid");
    let queue = &config.queues[0];
    assert_eq!(queue.dead_letter, Some(("orders-dead".into(), 5)));
    assert_eq!(queue.attributes["VisibilityTimeout"], "60");
    assert_eq!(queue.attributes["SqsManagedSseEnabled"], "false");
    assert_eq!(queue.tags["team"], "shop");
    assert_eq!(config.access_keys["AKIAIOSFODNN7EXAMPLE"].to_string(), "123456789012");
}

#[test]
fn half_a_dead_letter_queue_is_refused() {
    let line = refusal("[[queue]]\nname = \"a\"\ndead_letter_queue = \"b\"");
    assert_eq!(line, ", line 2: queue.dead_letter_queue needs max_receive_count beside it");
}

#[test]
fn an_account_has_twelve_digits() {
    let line = refusal("[access_keys]\nAKIA = \"12\"");
    assert_eq!(line, ", line 2: access_keys: beside an access key's id stands its account's twelve digits");
}

#[test]
fn a_public_url_loses_its_last_slash() {
    let config = from_file("public_url = \"https://queues.example/\"").expect("valid");
    assert_eq!(config.public_url.as_deref(), Some("https://queues.example"));
    assert!(from_file("public_url = \"queues.example\"").is_err());
}

#[test]
fn a_queue_is_declared_once() {
    let line = refusal("[[queue]]\nname = \"a\"\n[[queue]]\nname = \"b\"\n[[queue]]\nname = \"a\"");
    assert!(line.starts_with(", line 6: queue \"a\" was declared before ("), "{line}");
    assert!(from_file("[[queue]]\nname = \"a\"\n[[queue]]\nname = \"a\"\nregion = \"eu-west-1\"").is_ok());
}

#[test]
fn a_mistyped_log_level_is_refused() {
    for fine in ["info", "WARN", "off", "info,kew::runner=debug"] {
        assert!(from_file(&format!("log = \"{fine}\"")).is_ok(), "{fine}");
    }
    for wrong in ["infos", "nonsense", "info,debg"] {
        assert!(from_file(&format!("log = \"{wrong}\"")).is_err(), "{wrong}");
    }
}

const USER: &str = r#"
    [[user]]
    name = "worker"
    account = "123456789012"
    path = "/shop/"
    tags = { team = "shop" }

    [user.policies]
    table = { Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sqs:*", Resource = "*" }] }
    aws = "arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess"

    [[user.access_key]]
    id = "AKIAIOSFODNN7EXAMPLE"
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

    [[role]]
    name = "reader"
    trust = '{"Version":"2012-10-17","Statement":[]}'
    max_session_seconds = 7200
"#;

#[test]
fn users_and_roles_are_declared_with_their_policies_and_keys() {
    let config = from_file(USER).expect("valid");
    let roster = &config.identities[1].roster;
    let user = &roster.users[0];
    assert_eq!(user.arn(), "arn:aws:iam::123456789012:user/shop/worker");
    assert_eq!(
        user.0.policies["table"],
        r#"{"Statement":[{"Action":"sqs:*","Effect":"Allow","Resource":"*"}],"Version":"2012-10-17"}"#
    );
    assert!(user.0.policies["aws"].contains("sqs:ListQueues"));
    let key = &roster.keys[0];
    assert_eq!((key.user.as_deref(), key.is_active), (Some("worker"), true));
    assert_eq!(key.secret.text(), "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    assert_eq!(roster.roles[0].max_session_seconds, 7200);
    assert!(!format!("{config:?}").contains("wJalr"));
}

#[test]
fn a_file_with_secrets_that_everybody_may_read_is_refused_in_one_line() {
    let line = load_with_mode(Flags::default(), &[], Some(USER), 0o644).expect_err("refused");
    assert!(
        line.contains("kew.toml holds a secret and is open to everybody on this machine: chmod o-rw "),
        "{line}"
    );
    let elsewhere =
        USER.replace("secret = \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"", "secret_variable = \"WORKER\"");
    let variables = [("WORKER", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")];
    assert!(load_with_mode(Flags::default(), &variables, Some(&elsewhere), 0o644).is_ok());
    let line = load_with_mode(Flags::default(), &[], Some(&elsewhere), 0o644).expect_err("refused");
    assert!(
        line.ends_with("AKIAIOSFODNN7EXAMPLE: the environment does not have the variable of secret_variable"),
        "{line}"
    );
}

#[test]
fn what_cannot_be_declared_is_refused_with_its_line_and_without_secrets() {
    for (from, to, says) in [
        ("name = \"worker\"", "name = \"a b\"", ", line 3: this user cannot be so: a name has"),
        (
            "account = \"123456789012\"",
            "account = \"12\"",
            ", line 3: account: give an account's twelve digits",
        ),
        ("AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", ", line 3: this access key cannot be so"),
        (
            "secret = \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"",
            "secret = 1234567890123456",
            "a secret is a text in quotes",
        ),
        (
            "secret = \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"",
            "",
            "AKIAIOSFODNN7EXAMPLE needs one of secret_file",
        ),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "1234567890", "needs 16 to 128 characters"),
        ("max_session_seconds = 7200", "max_session_seconds = 60", "3600 to 43200"),
        ("aws:policy/AmazonSQSReadOnlyAccess", "aws:policy/Nonsense", "AmazonSQSReadOnlyAccess"),
        ("aws = \"arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess\"", "file = \"no.json\"", "cannot read "),
    ] {
        let line = from_file(&USER.replace(from, to)).expect_err(to);
        assert!(line.contains(says) && !line.contains("1234567890,"), "{line}");
        assert!(!line.contains("1234567890123456") && !line.contains("wJalr"), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }
}

#[test]
fn a_secret_in_the_wrong_place_is_refused_without_it() {
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG, expected bPxRfiCYEXAMPLEKEY";
    let key = "[[user]]\nname = \"worker\"\n[[user.access_key]]\n";
    for text in [
        format!("[access_keys]\nAKIAX = \"{SECRET}\""),
        format!("[access_keys]\n\"{SECRET}\" = \"AKIAX\""),
        format!("[access_keys]\nAKIAX = [\"{SECRET}\"]"),
        format!("access_keys = \"{SECRET}\""),
        format!("user = \"{SECRET}\""),
        format!("user = [\"{SECRET}\"]"),
        format!("[[user]]\nname = \"{SECRET}\""),
        format!("[[user]]\nname = \"worker\"\naccount = \"{SECRET}\""),
        format!("[[user]]\nname = \"worker\"\ntags = \"{SECRET}\""),
        format!("[[user]]\nname = \"worker\"\naccess_key = \"{SECRET}\""),
        format!("[[user]]\nname = \"worker\"\naccess_key = [\"{SECRET}\"]"),
        format!("{key}id = \"{SECRET}\"\nsecret = \"AKIAX\""),
        format!("{key}id = \"AKIAX\"\nactive = \"{SECRET}\""),
        format!("{key}id = \"AKIAX\"\nsecret = [\"{SECRET}\"]"),
        format!("{key}id = \"AKIAX\"\nsecret_file = \"{SECRET}\""),
        format!("{key}id = \"AKIAX\"\nsecret_variable = \"{SECRET}\""),
        format!("{key}id = \"AKIAX\"\nsecret = {SECRET}"),
        format!("{key}id = \"AKIAX\"\nsecret = \"{SECRET}"),
        format!("workers = [\"{SECRET}\"]"),
    ] {
        let line = from_file(&text).expect_err(&text);
        assert!(!line.contains("wJalr") && !line.contains("bPxRf") && !line.contains('\n'), "{text}: {line}");
        assert!(line.contains("kew.toml, line "), "{text}: {line}");
    }
    let variables = [("KEW_ROOT_ACCESS_KEY_ID", SECRET), ("KEW_ROOT_SECRET_ACCESS_KEY", "AKIAX")];
    let line = load_from(Flags::default(), &variables, None).expect_err("no id");
    assert!(line.starts_with("KEW_ROOT_ACCESS_KEY_ID") && !line.contains("wJalr"), "{line}");
}

#[test]
fn an_administrator_comes_from_the_environment() {
    let variables = [("KEW_ROOT_ACCESS_KEY_ID", "admin"), ("KEW_ROOT_SECRET_ACCESS_KEY", "sixteen-letters!")];
    let config = load_from(Flags::default(), &variables, None).expect("valid");
    assert_eq!(config.identities[0].roster.keys.len(), 1);
    let line = load_from(Flags::default(), &variables[..1], None).expect_err("half");
    assert_eq!(line, "KEW_ROOT_ACCESS_KEY_ID needs KEW_ROOT_SECRET_ACCESS_KEY beside it");
}
