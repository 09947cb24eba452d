//! Variables that look like settings and are none: a mistyped one would go unheard.

use std::ffi::OsString;

use clap::{Args, Command};

use crate::cli::Flags;
use crate::identities::environment as root;
use crate::vault;

/// Which of these variables begin as settings do, but are none.
pub(crate) fn unknown(variables: impl Iterator<Item = OsString>) -> Vec<String> {
    let flags = Flags::augment_args(Command::new("kew"));
    let of_flags = |name: &str| {
        flags.get_arguments().filter_map(|flag| flag.get_long()).any(|flag| variable(flag) == name)
    };
    let is_known =
        |name: &str| of_flags(name) || root::VARIABLES.contains(&name) || name == vault::KEY_VARIABLE;
    let names = variables.filter_map(|name| name.into_string().ok());
    names.filter(|name| name.starts_with("KEW_") && !is_known(name) && !is_of_a_cluster(name)).collect()
}

/// The variable that says what a flag says.
fn variable(flag: &str) -> String {
    format!("KEW_{}", flag.replace('-', "_").to_uppercase())
}

/// Kubernetes sets such variables for a service called `kew`, or `kew-` and something.
fn is_of_a_cluster(name: &str) -> bool {
    name.contains("_SERVICE_") || name.contains("_PORT_") || name.ends_with("_PORT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_setting_is_unknown() {
        let unknown = |names: &[&str]| unknown(names.iter().map(OsString::from));
        let settings = [
            "KEW_LISTEN",
            "KEW_CONFIG",
            "KEW_TLS_CLIENT_CA",
            "KEW_ROOT_KEY",
            "KEW_ROOT_KEY_FILE",
            "KEW_ROOT_ACCESS_KEY_ID",
            "KEW_ROOT_SECRET_ACCESS_KEY_FILE",
        ];
        assert_eq!(unknown(&settings), Vec::<String>::new());
        let of_others = ["PATH", "KEWL", "KEW_PORT", "KEW_PORT_4566_TCP_ADDR", "KEW_MAIN_SERVICE_HOST"];
        assert_eq!(unknown(&of_others), Vec::<String>::new());
        assert_eq!(unknown(&["KEW_LISTN", "KEW_"]), ["KEW_LISTN", "KEW_"]);
    }
}
