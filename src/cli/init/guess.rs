//! What names suggest: how much care an environment takes, and which namespaces are environments. Pure.

use crate::estate::Tier;

/// A word that people call an environment by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Development,
    Staging,
    Production,
}

impl Word {
    /// What one word says; digits at its end do not count (`prod2`).
    pub fn of(word: &str) -> Option<Self> {
        let bare = word.trim_end_matches(|c: char| c.is_ascii_digit());
        match bare {
            "prod" | "production" | "prd" | "live" => Some(Self::Production),
            // Before production: it is none, but people call it so.
            "preprod" | "preproduction" | "nonprod" | "staging" | "stage" | "stg" | "uat"
            | "qa" | "test" | "testing" | "int" | "integration" | "acc" | "acceptance"
            | "preview" => Some(Self::Staging),
            "dev" | "develop" | "development" | "sandbox" | "local" | "kind" | "minikube"
            | "k3d" | "review" | "feature" => Some(Self::Development),
            _ => None,
        }
    }

    pub fn tier(self) -> Tier {
        match self {
            Self::Development => Tier::Development,
            Self::Staging => Tier::Staging,
            Self::Production => Tier::Production,
        }
    }
}

/// The words of a name, in lower case; `pre-prod` and `non-prod` are one.
pub(super) fn words(name: &str) -> Vec<String> {
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric());
    let mut words: Vec<String> = Vec::new();
    for part in parts.filter(|part| !part.is_empty()) {
        let part = part.to_lowercase();
        match words.last_mut() {
            Some(last) if ["pre", "non"].contains(&last.as_str()) => last.push_str(&part),
            _ => words.push(part),
        }
    }
    words
}

/// What a name says of the tier.
pub(super) fn word(name: &str) -> Option<Word> {
    words(name).iter().find_map(|word| Word::of(word))
}

/// The tier by the namespace, else by the context, and why; where neither tells, the one that takes the
/// most care.
pub(super) fn tier(namespace: &str, context: &str) -> (Tier, String) {
    match (word(namespace), word(context)) {
        (Some(word), _) => (word.tier(), format!("by the name of the namespace {namespace}")),
        (None, Some(word)) => (word.tier(), format!("by the name of the context {context}")),
        (None, None) => (
            Tier::Production,
            "no name tells, so it is the one that takes the most care: lower it where that is wrong"
                .to_owned(),
        ),
    }
}

/// Namespaces that clusters come with, or that hold what the cluster itself needs.
pub(super) fn is_system(namespace: &str) -> bool {
    const HEADS: [&str; 12] = [
        "kube-",
        "openshift",
        "cattle-",
        "fleet-",
        "gke-",
        "gmp-",
        "istio-",
        "linkerd",
        "cert-manager",
        "ingress",
        "flux-",
        "argo",
    ];
    const WHOLE: [&str; 8] = [
        "monitoring",
        "observability",
        "logging",
        "prometheus",
        "cilium",
        "velero",
        "local-path-storage",
        "metallb-system",
    ];
    HEADS.iter().any(|head| namespace.starts_with(head)) || WHOLE.contains(&namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tier_is_guessed_from_names_and_else_takes_the_most_care() {
        for (namespace, context, wanted) in [
            ("production", "x", Tier::Production),
            ("shop-prod2", "x", Tier::Production),
            ("shop", "prod-eu", Tier::Production),
            ("shop-live", "dev", Tier::Production),
            ("pre-prod", "x", Tier::Staging),
            ("preprod", "prod", Tier::Staging),
            ("shop", "nonprod-eu", Tier::Staging),
            ("stage", "x", Tier::Staging),
            (
                "shop",
                "arn:aws:eks:eu-central-1:1:cluster/staging",
                Tier::Staging,
            ),
            ("dev", "prod", Tier::Development),
            ("shop", "kind-kind", Tier::Development),
            ("product", "cluster-1", Tier::Production),
            ("developer-portal", "x", Tier::Production),
        ] {
            assert_eq!(
                tier(namespace, context).0,
                wanted,
                "{namespace} @ {context}"
            );
        }
    }

    #[test]
    fn what_a_cluster_comes_with_is_no_environment() {
        assert!(is_system("kube-system") && is_system("argocd") && is_system("monitoring"));
        assert!(!is_system("default") && !is_system("shop"));
    }
}
