//! Who calls: what the requests' signatures are made of.

use std::ffi::OsString;

pub use kew_wire::auth::Secret;

use crate::failure::Failure;

/// The identity that requests show.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The access key's id.
    pub access_key: String,
    /// What signs; without it requests carry a header in the form of a signature that nobody can verify.
    pub(crate) secret: Option<Secret>,
    /// The token of temporary credentials.
    pub(crate) token: Option<String>,
}

impl Default for Identity {
    fn default() -> Self {
        Self { access_key: "test".to_owned(), secret: None, token: None }
    }
}

impl Identity {
    /// Whoever has this secret.
    pub fn signed(access_key: impl Into<String>, secret: Secret, token: Option<String>) -> Self {
        Self { access_key: access_key.into(), secret: Some(secret), token }
    }

    /// The identity that the environment names, as it does for any client of AWS; nobody's if it names none.
    ///
    /// # Errors
    /// Half of one, or one that fits in no header.
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, Failure> {
        let read = |name: &str| match variable(name).map(OsString::into_string) {
            Some(Ok(text)) if text.is_empty() => Ok(None),
            Some(Ok(text)) if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(text)),
            Some(_) => Err(Failure::Asked(format!("{name} holds what fits in no header"))),
            None => Ok(None),
        };
        match (read("AWS_ACCESS_KEY_ID")?, read("AWS_SECRET_ACCESS_KEY")?) {
            (Some(key), Some(secret)) => {
                Ok(Self::signed(key, Secret::new(secret), read("AWS_SESSION_TOKEN")?))
            }
            (None, None) => Ok(Self::default()),
            (Some(_), None) => {
                Err(Failure::Asked("AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not".to_owned()))
            }
            (None, Some(_)) => {
                Err(Failure::Asked("AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not".to_owned()))
            }
        }
    }

    /// Whether requests are signed.
    pub fn is_signed(&self) -> bool {
        self.secret.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Identity, Failure> {
        Identity::from_environment(&|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(*value))
        })
    }

    #[test]
    fn keys_come_from_the_environment_as_for_any_client() {
        let signed = of(&[
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "t"),
        ]);
        let signed = signed.expect("an identity");
        assert_eq!(
            (signed.access_key.as_str(), signed.is_signed(), signed.token.as_deref()),
            ("AKID", true, Some("t"))
        );
        assert!(!of(&[]).expect("nobody").is_signed());
        assert!(!of(&[("AWS_ACCESS_KEY_ID", "")]).expect("nobody").is_signed());
    }

    #[test]
    fn half_an_identity_is_refused_by_the_name_of_the_other_half() {
        for (name, missing) in
            [("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")]
        {
            let failure = of(&[(name, "x")]).expect_err("half");
            assert!(failure.to_string().contains(&format!("{missing} is not")), "{failure}");
        }
        assert!(of(&[("AWS_ACCESS_KEY_ID", "a\r\nb"), ("AWS_SECRET_ACCESS_KEY", "x")]).is_err());
    }
}
