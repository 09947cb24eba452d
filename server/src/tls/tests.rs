use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::*;

/// Copies a certificate of the tests and its key to where the server looks for them.
fn show(name: &str, files: &Files) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
    for (end, target) in [("pem", &files.certificate), ("key", &files.key)] {
        fs::copy(source.join(format!("{name}.{end}")), target).expect("a copy");
        fs::set_permissions(target, fs::Permissions::from_mode(0o600)).expect("its mode");
    }
}

#[test]
fn a_certificate_that_is_not_valid_yet_waits_until_it_is() {
    let folder = std::env::temp_dir().join(format!("kew-tls-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let files = Files {
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
        client_authority: None,
    };
    show("first", &files);
    let tls = Tls::load(&files).expect("sound files");
    let before = tls.config();

    show("second", &files);
    let contents = Contents::read(&files).expect("readable files");
    let second = current(&files, &contents).expect("sound files");
    let begins = second.validity.expect("a validity").begins();
    let early = begins - Duration::from_secs(1);
    tls.refresh(early);
    tls.refresh(early);
    assert!(Arc::ptr_eq(&tls.config(), &before), "callers would refuse the new one");
    tls.refresh(begins);
    assert!(!Arc::ptr_eq(&tls.config(), &before), "nothing but the time has changed");
    fs::remove_dir_all(folder).expect("to remove it");
}
