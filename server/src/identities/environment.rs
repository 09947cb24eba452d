//! The administrator of account 000000000000, from the environment: what a container needs to be closed.

use std::ffi::OsString;
use std::path::Path;

use kew_engine::identity::Account;
use zeroize::Zeroizing;

use super::model::{self, AccessKey};
use super::registry::{Declared, Layer, Lines};
use super::roster::Roster;
use super::{declared, sources};
use crate::failure::Failure;

const ID: &str = "KEW_ROOT_ACCESS_KEY_ID";
const SECRET: &str = "KEW_ROOT_SECRET_ACCESS_KEY";
const SECRET_FILE: &str = "KEW_ROOT_SECRET_ACCESS_KEY_FILE";

/// All variables that are read here.
pub(crate) const VARIABLES: [&str; 3] = [ID, SECRET, SECRET_FILE];

/// What the environment says.
///
/// # Errors
/// An id without its secret or the other way round, and values that cannot be.
pub(crate) fn layer(environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Layer, Failure> {
    // An empty variable is how many launchers spell "not set".
    let get = |name: &str| {
        environment(name)
            .filter(|value| !value.is_empty())
            .map(|value| value.into_string().map_err(|_| Failure::usage(format!("{name} is not UTF-8 text"))))
            .transpose()
    };
    let secret = match (get(SECRET)?, get(SECRET_FILE)?) {
        (Some(_), Some(_)) => {
            return Err(Failure::usage(format!("give one of {SECRET} and {SECRET_FILE}, not both")));
        }
        (Some(secret), None) => Some(Zeroizing::new(secret)),
        (None, Some(path)) => Some(sources::secret(Path::new(&path))?),
        (None, None) => None,
    };
    let (mut roster, mut lines) = (Roster::default(), Lines::new());
    match (get(ID)?, secret) {
        (None, None) => {}
        (Some(_), None) => return Err(Failure::usage(format!("{ID} needs {SECRET} beside it"))),
        (None, Some(_)) => return Err(Failure::usage(format!("{SECRET} needs {ID} beside it"))),
        (Some(id), Some(secret)) => {
            model::check_key_id(&id).map_err(|unfit| Failure::usage(format!("{ID}: {unfit}")))?;
            let secret = declared::brought(secret, SECRET)?;
            let account = Account::DEFAULT;
            lines.insert(Declared::Key(id.clone()), format!("the environment ({ID})"));
            roster.keys.push(AccessKey { id, secret, account, user: None, is_active: true, created: 0 });
        }
    }
    Ok(Layer { place: "the environment".to_owned(), roster, lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Roster, String> {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        layer(&find).map(|layer| layer.roster).map_err(|failure| failure.to_string())
    }

    #[test]
    fn both_variables_make_the_root_of_the_default_account() {
        assert_eq!(from(&[(ID, ""), (SECRET, "")]).expect("nothing"), Roster::default());
        let roster = from(&[(ID, "admin"), (SECRET, "sixteen-letters!")]).expect("both");
        let key = &roster.keys[0];
        assert_eq!((&*key.id, key.user.as_deref(), key.account), ("admin", None, Account::DEFAULT));
        assert_eq!(key.secret.text(), "sixteen-letters!");
    }

    #[test]
    fn a_half_is_refused_and_no_secret_is_told() {
        assert_eq!(from(&[(ID, "admin")]).expect_err("half"), format!("{ID} needs {SECRET} beside it"));
        let secret = "sixteen-letters!";
        assert_eq!(from(&[(SECRET, secret)]).expect_err("half"), format!("{SECRET} needs {ID} beside it"));
        let line = from(&[(ID, "admin"), (SECRET, "too-short")]).expect_err("short");
        assert!(line.contains("16 to 128") && !line.contains("too-short"), "{line}");
        assert!(from(&[(ID, "a b"), (SECRET, secret)]).expect_err("no id").starts_with(ID));
    }
}
