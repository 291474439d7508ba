//! Who one is to the API server, what one may do there, and until when: nothing is tried out, the
//! server is asked. <https://kubernetes.io/docs/reference/access-authn-authz/authorization/>

use base64::Engine as _;
use jiff::Timestamp;
use kube::config::AuthInfo;

use super::ask::Answer;
use super::{Cluster, expiry, fault};
use crate::estate::{Fault, Safe};

/// Something that one may do or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// `get`, `list`, `watch`, …
    pub verb: &'static str,
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The plural, such as `pods`.
    pub resource: &'static str,
    /// Such as `log`; empty for the resource itself.
    pub subresource: &'static str,
    /// The namespace.
    pub namespace: String,
    /// The object; empty for any.
    pub name: String,
}

/// How one shows who one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// In words: `client certificate`, `token of the plugin aws`.
    pub way: Safe,
    /// Until when it is valid, where it can be read from it.
    pub expires: Option<Timestamp>,
    /// Whether it is renewed without a person when it ends.
    pub is_renewed: bool,
    /// Whether it is a certificate: those last for months, tokens for hours.
    pub is_certificate: bool,
}

impl Cluster {
    /// What stands in an answer, or the refusal in words.
    pub(super) fn parsed<T: serde::de::DeserializeOwned>(
        &self,
        answer: &Answer,
    ) -> Result<T, Fault> {
        if !(200..300).contains(&answer.status) {
            return Err(fault::by_body(&self.host(), answer.status, &answer.body));
        }
        serde_json::from_slice(&answer.body).map_err(|e| fault::not_json(&self.host(), &e))
    }

    /// How one shows who one is, as it is now.
    pub async fn credential(&self) -> Option<Credential> {
        let (auth, plugin, expires) = self.line.credential().await?;
        let mut credential = described(&auth, plugin.as_deref());
        credential.expires = expires.or(credential.expires);
        Some(credential)
    }
}

/// Reads files that the kubeconfig names: they are small, and were read a moment ago.
fn described(auth: &AuthInfo, plugin: Option<&str>) -> Credential {
    // The only way into kube's secret strings without its crate for them; it stays in here.
    let value = serde_json::to_value(auth).unwrap_or_default();
    let text = |key: &str| value[key].as_str().filter(|text| !text.is_empty());
    let file = |key: &str| text(key).and_then(|path| std::fs::read(path).ok());
    let decode = |key: &str| {
        let text = text(key)?.trim().to_owned();
        base64::engine::general_purpose::STANDARD.decode(text).ok()
    };
    let of = |what: &str| match plugin {
        Some(plugin) => Safe::new(&format!("{what} of the plugin {plugin}")),
        None => Safe::new(what),
    };
    let made = |way, expires, is_renewed| Credential {
        way,
        expires,
        is_renewed,
        is_certificate: false,
    };
    if let Some(token) = text("token") {
        return made(of("token"), expiry::of_token(token), plugin.is_some());
    }
    if let Some(bytes) = file("tokenFile") {
        let end = expiry::of_token(&String::from_utf8_lossy(&bytes));
        return made("token file".into(), end, true);
    }
    if let Some(pem) = decode("client-certificate-data").or_else(|| file("client-certificate")) {
        let certificate = made(
            of("client certificate"),
            expiry::of_pem(&pem),
            plugin.is_some(),
        );
        return Credential {
            is_certificate: true,
            ..certificate
        };
    }
    match text("username") {
        Some(_) => made("user name and password".into(), None, false),
        None => made("no credential".into(), None, false),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn of(user: &str, plugin: Option<&str>) -> Credential {
        described(&serde_json::from_str(user).unwrap(), plugin)
    }

    #[test]
    fn each_way_to_show_who_one_is_has_its_words_and_its_end() {
        let token = of(r#"{"token": "a.eyJleHAiOjE3OTU0NjQwMDB9.c"}"#, None);
        assert_eq!(token.way.as_str(), "token");
        assert_eq!(token.expires, Timestamp::from_second(1_795_464_000).ok());
        let plugin = of(r#"{"token": "opaque"}"#, Some("aws"));
        assert_eq!(plugin.way.as_str(), "token of the plugin aws");
        assert!(plugin.is_renewed && plugin.expires.is_none());
        let password = of(r#"{"username": "me", "password": "hunter2"}"#, None);
        assert_eq!(password.way.as_str(), "user name and password");
        assert_eq!(of("{}", None).way.as_str(), "no credential");
    }
}
