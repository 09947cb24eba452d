//! `cargo xtask models`: AWS's service models become Rust in `wire/src/services`.
//!
//! A new service is its model and overlay in `wire/models` and a line in [`SERVICES`].

mod generate;
mod model;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use model::{Model, Overlay};

/// What Kew serves: a module name, the model's folder in botocore's data, and the operations (none named: all).
const SERVICES: &[Service] = &[
    Service { module: "sqs", model: "sqs/2012-11-05", operations: &[] },
    Service {
        module: "kms",
        model: "kms/2014-11-01",
        operations: &[
            "CancelKeyDeletion",
            "CreateAlias",
            "CreateKey",
            "Decrypt",
            "DeleteAlias",
            "DescribeKey",
            "DisableKey",
            "DisableKeyRotation",
            "EnableKey",
            "EnableKeyRotation",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "GetKeyPolicy",
            "GetKeyRotationStatus",
            "ListAliases",
            "ListKeyPolicies",
            "ListKeys",
            "ListResourceTags",
            "PutKeyPolicy",
            "ReEncrypt",
            "RotateKeyOnDemand",
            "ScheduleKeyDeletion",
            "TagResource",
            "UntagResource",
            "UpdateAlias",
            "UpdateKeyDescription",
        ],
    },
    Service {
        module: "sts",
        model: "sts/2011-06-15",
        operations: &["AssumeRole", "GetCallerIdentity", "GetSessionToken"],
    },
];

/// The release of botocore that the models come from.
const BOTOCORE: &str = "1.44.5";

struct Service {
    module: &'static str,
    model: &'static str,
    operations: &'static [&'static str],
}

/// Runs the command: regenerates, or with `--check` compares; `--fetch` takes the models from botocore first.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let (mut check, mut fetch) = (false, false);
    for argument in arguments {
        match argument.as_str() {
            "--check" => check = true,
            "--fetch" => fetch = true,
            other => return Err(format!("unknown argument {other}; known are --check and --fetch")),
        }
    }
    SERVICES.iter().try_for_each(|service| service.refresh(check, fetch))
}

impl Service {
    fn refresh(&self, check: bool, fetch: bool) -> Result<(), String> {
        let wire = root().join("wire");
        let model = wire.join(format!("models/{}.json", self.module));
        if fetch {
            let facts = self.fetch()?;
            settle(&model, &facts, check)?;
        }
        let overlay = wire.join(format!("models/{}.overlay.json", self.module));
        let model: Model = parse(&model)?;
        let overlay: Overlay = parse(&overlay)?;
        for (file, source) in generate::files(self.module, self.operations, &model, &overlay)? {
            let path = wire.join("src/services").join(self.module).join(file);
            settle(&path, &format(&source)?, check)?;
        }
        Ok(())
    }

    /// The model from botocore's wheel, its documentation removed.
    fn fetch(&self) -> Result<String, String> {
        let folder = root().join("target/models");
        fs::create_dir_all(&folder).map_err(|error| at(&folder, &error))?;
        let wheel = folder.join(format!("botocore-{BOTOCORE}-py3-none-any.whl"));
        if !wheel.exists() {
            let requirement = format!("botocore=={BOTOCORE}");
            output(
                Command::new("python3")
                    .args(["-m", "pip", "download", "--no-deps", &requirement, "-d"])
                    .arg(&folder),
            )?;
        }
        let unpack = "import gzip, sys, zipfile; \
            sys.stdout.buffer.write(gzip.decompress(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2])))";
        let member = format!("botocore/data/{}/service-2.json.gz", self.model);
        let text = output(Command::new("python3").args(["-c", unpack]).arg(&wheel).arg(&member))?;
        let mut model: Model = serde_json::from_slice(&text).map_err(|error| format!("{member}: {error}"))?;
        model.keep(self.operations);
        serde_json::to_string_pretty(&model).map(|text| text + "\n").map_err(|error| error.to_string())
    }
}

/// Writes `content`, or with `check` complains where it differs from what is there.
fn settle(path: &Path, content: &str, check: bool) -> Result<(), String> {
    let same = fs::read_to_string(path).is_ok_and(|old| old == content);
    if same {
        return Ok(());
    }
    if check {
        return Err(format!("{} is not what the models give: run `cargo xtask models`", path.display()));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    }
    println!("wrote {}", path.display());
    fs::write(path, content).map_err(|error| at(path, &error))
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|error| at(path, &error))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// `source` as rustfmt lays it out with the repository's settings.
fn format(source: &str) -> Result<String, String> {
    let file = root().join("target/models/source.rs");
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    }
    fs::write(&file, source).map_err(|error| at(&file, &error))?;
    output(Command::new("rustfmt").args(["--edition", "2024", "--config-path"]).arg(root()).arg(&file))?;
    fs::read_to_string(&file).map_err(|error| at(&file, &error))
}

fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let done =
        command.output().map_err(|error| format!("{:?} did not start: {error}", command.get_program()))?;
    if done.status.success() {
        return Ok(done.stdout);
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&done.stderr)))
}

fn at(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}
