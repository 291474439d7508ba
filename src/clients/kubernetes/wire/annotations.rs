//! The annotations that are kept: ours, and those that tell whose an object is, or which container a pod is for.
//!
//! All others are skipped unread, whatever their size: a Deployment may carry its whole manifest in one.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::estate::{Labels, Safe, mark};

/// Bytes of a mark of ours: JSON that is cut says nothing. All annotations of an object share 256 KiB.
const LONGEST: usize = 16 << 10;

/// `metadata.annotations`.
#[derive(Default)]
pub(super) struct Annotations {
    pub(super) revision: Option<Safe>,
    /// Whether it was of other revisions before.
    pub(super) has_history: bool,
    pub(super) helm_release: Option<Safe>,
    pub(super) default_container: Option<Safe>,
    /// What Argo CD calls the object, the application first.
    tracking: Option<Safe>,
    /// Whether any annotation is Argo CD's.
    is_argos: bool,
    pub(super) marks: Vec<(Safe, Safe)>,
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Annotations;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of annotations")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Annotations, A::Error> {
        let mut kept = Annotations::default();
        while let Some(key) = map.next_key::<Key>()? {
            if matches!(key, Key::Other { is_argos: true } | Key::Tracking) {
                kept.is_argos = true;
            }
            match key {
                Key::Revision => kept.revision = map.next_value()?,
                Key::History => {
                    let before = map.next_value::<Option<Safe>>()?;
                    kept.has_history = before.is_some_and(|it| !it.is_empty());
                }
                Key::HelmRelease => kept.helm_release = map.next_value()?,
                Key::DefaultContainer => kept.default_container = map.next_value()?,
                Key::Tracking => kept.tracking = map.next_value()?,
                Key::Mark(key) => {
                    if let Some(value) = map.next_value::<Option<String>>()? {
                        kept.marks.push((key, Safe::long(&value, LONGEST)));
                    }
                }
                Key::Other { .. } => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(kept)
    }
}

/// The key of an annotation; what is skipped is not copied either.
enum Key {
    Revision,
    History,
    HelmRelease,
    DefaultContainer,
    Tracking,
    Mark(Safe),
    Other { is_argos: bool },
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(KeyReading)
    }
}

struct KeyReading;

impl Visitor<'_> for KeyReading {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key of an annotation")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "deployment.kubernetes.io/revision" => Key::Revision,
            "deployment.kubernetes.io/revision-history" => Key::History,
            "meta.helm.sh/release-name" => Key::HelmRelease,
            "kubectl.kubernetes.io/default-container" => Key::DefaultContainer,
            "argocd.argoproj.io/tracking-id" => Key::Tracking,
            key if key.starts_with(mark::PREFIX) => Key::Mark(key.into()),
            key => Key::Other {
                is_argos: key.starts_with("argocd.argoproj.io/"),
            },
        })
    }
}

/// Who would put an object back as it was: Helm at its next upgrade, a GitOps controller at its next sync.
pub(super) fn owners(labels: &Labels, annotations: Option<&Annotations>) -> Vec<Safe> {
    let mut owners = Vec::new();
    let managed = labels.get("app.kubernetes.io/managed-by");
    let release = annotations.and_then(|a| a.helm_release.as_ref());
    match (release, managed) {
        (Some(release), _) => owners.push(format!("Helm release {release}").into()),
        (None, Some(by)) => owners.push(format!("managed by {by}").into()),
        (None, None) => {}
    }
    if let Some(application) = argos(labels, annotations) {
        owners.push(format!("Argo CD {application}").into());
    }
    let flux = [
        ("kustomize.toolkit.fluxcd.io/name", "Flux Kustomization"),
        ("helm.toolkit.fluxcd.io/name", "Flux HelmRelease"),
    ];
    for (key, what) in flux {
        if let Some(name) = labels.get(key) {
            owners.push(format!("{what} {name}").into());
        }
    }
    owners
}

/// The application of Argo CD. Its oldest way of tracking is a label that Helm charts set as well: that
/// counts only where something else is Argo CD's.
fn argos(labels: &Labels, annotations: Option<&Annotations>) -> Option<Safe> {
    let own = annotations.and_then(|a| a.tracking.as_ref());
    let own = own.map(|id| Safe::from(id.split(':').next().unwrap_or_default()));
    let is_argos = annotations.is_some_and(|a| a.is_argos);
    own.or_else(|| labels.get("argocd.argoproj.io/instance").cloned())
        .or_else(|| {
            let shared = labels.get("app.kubernetes.io/instance");
            shared.filter(|_| is_argos).cloned()
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn annotations(text: &str) -> Annotations {
        serde_json::from_str(text).unwrap()
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let pairs = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        pairs.collect()
    }

    fn words(labels: &Labels, annotations: &Annotations) -> Vec<String> {
        let owners = owners(labels, Some(annotations));
        owners.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_our_marks_and_known_keys_are_kept() {
        let text = r#"{"wheelhouse.dev/epoch": "7", "wheelhouse.dev/flip": "{\"by\":\"a\\u001b[2J\"}", "big": "xx",
            "wheelhouse.device/x": "y", "deployment.kubernetes.io/revision": "3", "wheelhouse.dev/null": null,
            "deployment.kubernetes.io/revision-history": "1,2"}"#;
        let kept = annotations(text);
        let keys: Vec<_> = kept.marks.iter().map(|(k, _)| k.as_str()).collect();
        assert_eq!(keys, [mark::EPOCH, mark::FLIP]);
        assert_eq!(kept.marks[0].1.as_str(), "7");
        assert_eq!(kept.marks[1].1.as_str(), r#"{"by":"a\u001b[2J"}"#);
        assert_eq!(kept.revision.as_deref(), Some("3"));
        assert!(kept.has_history && !annotations("{}").has_history);
    }

    #[test]
    fn k14_a_mark_is_cleaned_and_kept_whole_where_other_texts_are_cut() {
        let images = "ghcr.io/acme/frontend:v1 sha256:0a1b, ".repeat(400);
        let text = serde_json::json!({
            "wheelhouse.dev/flip": format!("{images}\u{1b}[2J"), "wheelhouse.dev/huge": "x".repeat(1 << 20),
        });
        let kept = annotations(&text.to_string());
        assert_eq!(kept.marks[0].1.as_str(), images.trim_end());
        assert!(
            kept.marks[1].1.len() <= LONGEST,
            "{}",
            kept.marks[1].1.len()
        );
    }

    #[test]
    fn who_would_revert_a_change_is_named() {
        let none = annotations("{}");
        let helm = annotations(r#"{"meta.helm.sh/release-name": "shop-blue"}"#);
        let by_helm = labels(&[("app.kubernetes.io/managed-by", "Helm")]);
        assert_eq!(words(&by_helm, &helm), ["Helm release shop-blue"]);
        assert_eq!(words(&by_helm, &none), ["managed by Helm"]);
        let argo = annotations(r#"{"argocd.argoproj.io/tracking-id": "shop:/Service:shop/web"}"#);
        assert_eq!(words(&labels(&[]), &argo), ["Argo CD shop"]);
        let instance = labels(&[("app.kubernetes.io/instance", "shop")]);
        let sync = annotations(r#"{"argocd.argoproj.io/sync-wave": "1"}"#);
        assert_eq!(words(&instance, &sync), ["Argo CD shop"]);
        assert!(words(&instance, &none).is_empty());
        let flux = labels(&[
            ("kustomize.toolkit.fluxcd.io/name", "apps"),
            ("helm.toolkit.fluxcd.io/name", "shop"),
        ]);
        let both = ["Flux Kustomization apps", "Flux HelmRelease shop"];
        assert_eq!(words(&flux, &none), both);
    }
}
