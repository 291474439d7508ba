//! What a token is and what it opens: asked once, for `doctor`. A classic token tells its scopes; what
//! another may do shows by trying the reads that the cockpit needs.

use http::HeaderMap;
use jiff::Timestamp;

use super::ask::Purpose;
use super::{Github, fault, token, transport, wire};
use crate::clients::kubernetes::ask::date;
use crate::estate::runs::Budget;
use crate::estate::{Fault, FaultKind, Safe};

/// What GitHub says of the token.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenSaid {
    /// Where it comes from, for people.
    pub source: Safe,
    /// Its scopes; none of a token that has permissions instead, or where there is no token.
    pub scopes: Option<Vec<Safe>>,
    /// When it ends, where it does.
    pub expires: Option<Timestamp>,
    /// The server's clock.
    pub server: Option<Timestamp>,
    /// What is left of the hourly budget.
    pub budget: Option<Budget>,
}

/// What GitHub says of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositorySaid {
    /// Its name today: another than the configured one after a renaming.
    pub name: Safe,
    /// Whether it is private.
    pub is_private: bool,
    /// Whether it is archived: nothing runs there any more.
    pub is_archived: bool,
}

/// What GitHub says of the workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowSaid {
    /// Its name.
    pub name: Safe,
    /// `active`, `disabled_manually`, `disabled_inactivity`, …
    pub state: Safe,
}

impl Github {
    /// Whether the token is accepted, and what is told of it. Costs nothing of the hourly budget.
    ///
    /// # Errors
    /// What is wrong with the way or the token.
    pub async fn token(&self) -> Result<TokenSaid, Fault> {
        let head = match self.head("/rate_limit").await {
            // A GitHub Enterprise server without limits has no such page.
            Err(fault) if fault.kind == FaultKind::Missing => self.head("/").await?,
            other => other?,
        };
        let scopes = head.get("x-oauth-scopes").and_then(|v| v.to_str().ok());
        let word = |scope: &str| Safe::new(scope.trim());
        let words = |text: &str| -> Vec<Safe> {
            let scopes = text.split(',').map(word);
            scopes.filter(|scope| !scope.is_empty()).collect()
        };
        let expires = head.get("github-authentication-token-expiration");
        Ok(TokenSaid {
            source: Safe::new(&token::source(&self.0.target.token)),
            scopes: scopes.map(words),
            expires: expires.and_then(|value| moment(value.to_str().ok()?)),
            server: date(&head),
            budget: self.budget(),
        })
    }

    /// The head of an answer, whose body is not needed.
    async fn head(&self, path: &str) -> Result<HeaderMap, Fault> {
        let whole = self.0.limits.whole;
        let opening = self.open(path, None, Purpose::Asked);
        let opened = tokio::time::timeout(whole, opening).await;
        let slow = |_| Err(crate::clients::kubernetes::fault::slow(self.host(), whole));
        opened
            .unwrap_or_else(slow)
            .map(|response| response.into_parts().0.headers)
    }

    /// Whether the repository is there for this token.
    ///
    /// # Errors
    /// As [`Github::runs`].
    pub async fn repository(&self) -> Result<RepositorySaid, Fault> {
        let target = &self.0.target;
        let path = format!("/repos/{}", target.repository);
        match self
            .ask(&path, None)
            .await
            .and_then(|got| got.body(self.host()))
        {
            Ok(body) => wire::repository(&body.bytes).map_err(|e| self.unreadable(&e)),
            Err(none) if none.kind == FaultKind::Missing => {
                Err(fault::no_repository(self.host(), target))
            }
            Err(other) => Err(other),
        }
    }

    /// Whether the workflow is there and runs.
    ///
    /// # Errors
    /// As [`Github::runs`].
    pub async fn workflow(&self) -> Result<WorkflowSaid, Fault> {
        let workflow = transport::escaped(&self.0.target.workflow);
        let path = self.path(&format!("actions/workflows/{workflow}"));
        match self
            .ask(&path, None)
            .await
            .and_then(|got| got.body(self.host()))
        {
            Ok(body) => wire::workflow(&body.bytes).map_err(|e| self.unreadable(&e)),
            Err(none) if none.kind == FaultKind::Missing => Err(self.explain_missing(none).await),
            Err(other) => Err(other),
        }
    }
}

/// GitHub's own form: `2026-12-31 23:59:59 UTC`, or with an offset in digits.
fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let (time, zone) = text.split_at_checked(19)?;
    match zone.trim() {
        "UTC" | "" => format!("{}Z", time.replace(' ', "T")).parse().ok(),
        offset => {
            let text = format!("{time} {offset}");
            let parsed = jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S %z", text).ok()?;
            parsed.to_timestamp().ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_token_is_read_in_githubs_forms() {
        let end = "2026-12-31T23:59:59Z".parse().ok();
        assert_eq!(moment("2026-12-31 23:59:59 UTC"), end);
        assert_eq!(moment("2026-12-31 23:59:59 +0000"), end);
        assert_eq!(moment("2027-01-01 01:59:59 +0200"), end);
        for other in ["", "soon", "2026-12-31", "2026-12-31 23:59:59 \u{e9}"] {
            assert_eq!(moment(other), None, "{other}");
        }
    }
}
