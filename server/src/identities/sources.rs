//! Where an operator keeps what should not stand on a command line: secrets and policies' documents.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use kew_engine::identity::Account;
use zeroize::Zeroizing;

use super::managed;
use crate::failure::Failure;
use crate::limits;

/// What the file at `from` means by `named`: a path that is not whole begins at the folder of the file that names it, wherever the
/// process was started.
pub(crate) fn beside(from: &Path, named: &str) -> PathBuf {
    let folder = from.parent().filter(|_| !named.is_empty());
    folder.map_or_else(|| named.into(), |folder| folder.join(named))
}

/// Refuses a file that holds secrets and that everybody on this machine may read or write.
pub(crate) fn refuse_if_open_to_all(path: &Path, file: &File) -> Result<(), Failure> {
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if metadata.permissions().mode() & 0o006 != 0 {
        let path = path.display();
        return Err(Failure::usage(format!(
            "{path} holds a secret and is open to everybody on this machine: chmod o-rw {path}"
        )));
    }
    Ok(())
}

/// Reads a secret: the file's text without the line's end.
pub(crate) fn secret(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
    refuse_if_open_to_all(path, &file)?;
    // Room for all of it, so that no copy is left behind when it grows.
    let mut text = Zeroizing::new(String::with_capacity(1024));
    file.by_ref().take(1024).read_to_string(&mut text).map_err(|error| unreadable(path, &error))?;
    let length = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(length);
    Ok(text)
}

/// Reads a policy: a file's path, beginning beside the file that names it, or the ARN of a policy of AWS's own.
pub(crate) fn policy(source: &str, named_in: Option<&Path>) -> Result<String, Failure> {
    if let Some(document) = managed::document(source) {
        return Ok(document.to_owned());
    }
    if source.starts_with("arn:") {
        let known = managed::arns().collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(format!("{source} is not known here; give a file, or one of {known}")));
    }
    let path = named_in.map_or_else(|| source.into(), |file| beside(file, source));
    let file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
    let mut text = String::new();
    // Blanks do not count against the limit, as at AWS; so more is read, and the document checked.
    let bound = 4 * limits::POLICY_CHARS as u64;
    file.take(bound + 1).read_to_string(&mut text).map_err(|error| unreadable(&path, &error))?;
    Ok(text)
}

/// What a policy is called that comes from there: a file's name without its extension, or the last part of an ARN.
pub(crate) fn policy_name(source: &str) -> String {
    let name = Path::new(source).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "policy".to_owned())
}

/// Reads an account.
pub(crate) fn account(text: Option<&str>) -> Result<Account, Failure> {
    text.map_or(Ok(Account::DEFAULT), |text| {
        text.parse().map_err(|_| {
            Failure::usage(format!("--account: {text:?} is not allowed; give an account's twelve digits"))
        })
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;

    fn file(name: &str, text: &str, mode: u32) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("kew-sources-{}-{name}", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its mode");
        path
    }

    #[test]
    fn a_secret_is_read_without_its_line_end() {
        let path = file("plain", "sixteen-letters!\n", 0o640);
        assert_eq!(secret(&path).map(|text| text.to_string()).ok().as_deref(), Some("sixteen-letters!"));
        std::fs::remove_file(path).expect("to remove it");
    }

    #[test]
    fn a_secret_that_everybody_may_read_is_refused_in_one_line_without_it() {
        for mode in [0o644, 0o604, 0o602] {
            let path = file(&format!("open-{mode:o}"), "sixteen-letters!\n", mode);
            let line = secret(&path).expect_err("refused").to_string();
            assert!(line.contains("chmod o-rw ") && line.contains(&path.display().to_string()), "{line}");
            assert!(!line.contains("sixteen"), "{line}");
            std::fs::remove_file(path).expect("to remove it");
        }
    }

    #[test]
    fn a_policy_is_a_file_or_one_of_aws_own() {
        let path = file("policy.json", "{}", 0o644);
        assert_eq!(policy(&path.display().to_string(), None).ok().as_deref(), Some("{}"));
        let beside = path.with_file_name("kew.toml");
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert_eq!(policy(name, Some(&beside)).ok().as_deref(), Some("{}"));
        std::fs::remove_file(&path).expect("to remove it");
        assert!(
            policy("arn:aws:iam::aws:policy/AmazonSQSFullAccess", None).expect("known").contains("sqs:*")
        );
        let line = policy("arn:aws:iam::aws:policy/Nonsense", None).expect_err("unknown").to_string();
        assert!(line.contains("AmazonSQSFullAccess"), "{line}");
        assert_eq!(policy_name("/etc/kew/orders.json"), "orders");
        assert_eq!(policy_name("arn:aws:iam::aws:policy/AmazonSQSFullAccess"), "AmazonSQSFullAccess");
    }
}
