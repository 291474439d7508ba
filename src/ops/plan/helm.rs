//! A release that helm upgrades, and the words that helm is told: without a shell, each a word of its own.
//!
//! Never `--wait`, `--atomic` or `--rollback-on-failure`: success of helm is not readiness (I-3), and what helm would undo by
//! itself nobody would have planned. Always `--reset-values`: what is applied is what the configuration says, and what was
//! rendered before it, whatever values an earlier upgrade had.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::estate::Safe;

/// What stands for the operation where there is none yet.
const NONE_YET: &str = "operation";

/// A release that helm upgrades.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Helm {
    /// The program.
    pub program: Safe,
    /// The chart: a path, or `oci://…`.
    pub chart: Safe,
    /// The release; `{colour}` and the like are filled in.
    pub release: Safe,
    /// The chart's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Safe>,
    /// Files of values, the last one counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Safe>,
    /// Values by path; `{colour}`, `{image:WORKLOAD}`, `{tag:WORKLOAD}` and the like are filled in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<Safe, Safe>,
    /// Seconds after which it is ended.
    pub timeout_s: u32,
    /// Whether it goes back to the last revision that was applied in full, instead of an upgrade.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recovers: bool,
}

/// A release as helm told it when a plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The release.
    pub name: Safe,
    /// Its last revision; none where there is no such release.
    pub before: Option<u32>,
    /// The revision that a recovery goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_to: Option<u32>,
    /// The whole references of the images that were asked for, by what named them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<Safe, Safe>,
}

/// What is filled in.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The operation; none where there is none yet.
    pub operation: Option<&'a Safe>,
    /// The environment.
    pub environment: &'a Safe,
    /// The namespace.
    pub namespace: &'a Safe,
    /// The colour; empty where there are none.
    pub colour: &'a str,
    /// Whole references of images, by what named them.
    pub images: &'a BTreeMap<Safe, Safe>,
}

impl Helm {
    /// The release's name.
    pub fn name(&self, about: &About<'_>) -> Safe {
        filled(&self.release, about)
    }

    /// What installs or upgrades it.
    pub fn upgrade(&self, about: &About<'_>) -> Vec<Safe> {
        let mut words: Vec<Safe> = ["upgrade", "--install"].map(Safe::from).into();
        words.extend([self.name(about), self.chart.clone()]);
        words.extend(self.arguments(about));
        words.extend(["--reset-values", "--timeout"].map(Safe::from));
        words.push(format!("{}s", self.timeout_s).into());
        // Whose revision it is: whoever adopts the operation finds it by this.
        words.extend(["--description".into(), described(about.operation)]);
        words
    }

    /// What prints the objects of the same upgrade, and changes nothing.
    pub fn template(&self, about: &About<'_>) -> Vec<Safe> {
        let mut words: Vec<Safe> = vec!["template".into(), self.name(about), self.chart.clone()];
        words.extend(self.arguments(about));
        words.push("--is-upgrade".into());
        words
    }

    /// What goes back to `revision` of `release`.
    pub fn rollback(&self, release: &Safe, revision: u32) -> Vec<Safe> {
        vec![
            "rollback".into(),
            release.clone(),
            revision.to_string().into(),
            "--timeout".into(),
            format!("{}s", self.timeout_s).into(),
        ]
    }

    fn arguments(&self, about: &About<'_>) -> Vec<Safe> {
        let mut words = Vec::new();
        if let Some(version) = &self.version {
            words.extend(["--version".into(), version.clone()]);
        }
        for file in &self.values {
            words.extend(["--values".into(), filled(file, about)]);
        }
        for (path, value) in &self.set {
            let value = escaped(&filled(value, about));
            words.extend(["--set-string".into(), format!("{path}={value}").into()]);
        }
        words
    }

    /// What `set` wants to know of images: `WORKLOAD` or `WORKLOAD/CONTAINER`, and whether only the tag.
    pub fn wanted(&self) -> BTreeSet<(&str, bool)> {
        self.set.values().flat_map(|value| named(value)).collect()
    }

    /// The same release, to be brought back to the last revision that was applied in full.
    #[must_use]
    pub fn recovering(&self) -> Self {
        Self {
            recovers: true,
            ..self.clone()
        }
    }

    /// Whether `other` names the same release of the same chart, for whatever is done to it.
    pub fn is_same(&self, other: &Self) -> bool {
        self.recovering() == other.recovering()
    }
}

/// What helm notes of a revision of `operation`.
pub fn described(operation: Option<&Safe>) -> Safe {
    let operation = operation.map_or(NONE_YET, |it| it.as_str());
    format!("wheelhouse {operation}").into()
}

/// The images that `text` names, and whether only by their tag.
fn named(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let rest = text.split('{').skip(1);
    let words = rest.filter_map(|part| part.split_once('}').map(|(word, _)| word));
    words.filter_map(|word| match word.split_once(':')? {
        ("image", of) => Some((of, false)),
        ("tag", of) => Some((of, true)),
        _ => None,
    })
}

fn filled(text: &Safe, about: &About<'_>) -> Safe {
    let operation = about.operation.map_or(NONE_YET, |it| it.as_str());
    let mut text = (text.replace("{operation}", operation))
        .replace("{colour}", about.colour)
        .replace("{environment}", about.environment)
        .replace("{namespace}", about.namespace);
    for (of, image) in about.images {
        text = text.replace(&format!("{{image:{of}}}"), image);
        text = text.replace(&format!("{{tag:{of}}}"), tag(image).unwrap_or_default());
    }
    text.into()
}

/// The tag of a whole reference. A colon before the last slash is a port's.
pub(super) fn tag(reference: &str) -> Option<&str> {
    let bare = reference.split('@').next().unwrap_or(reference);
    let (_, tag) = bare.rsplit_once(':')?;
    (!tag.contains('/') && !tag.is_empty()).then_some(tag)
}

/// `value` as one word of `--set-string`, which reads commas, backslashes and a brace at the beginning.
fn escaped(value: &str) -> String {
    let plain = value.replace('\\', "\\\\").replace(',', "\\,");
    match plain.starts_with('{') {
        true => format!("\\{plain}"),
        false => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helm() -> Helm {
        Helm {
            program: "helm".into(),
            chart: "/srv/charts/wall".into(),
            release: "wall-{colour}".into(),
            version: Some("1.2.3".into()),
            values: vec!["/srv/values.yaml".into(), "/srv/{colour}.yaml".into()],
            set: [
                ("app.tag", "{tag:frontend}"),
                ("app.image", "{image:frontend}"),
                ("note", "{operation}, \\ and {more}"),
                ("where", "{namespace} of {environment}"),
            ]
            .map(|(path, value)| (path.into(), value.into()))
            .into(),
            timeout_s: 90,
            recovers: false,
        }
    }

    #[test]
    fn the_words_of_helm_are_words_and_hold_what_was_asked_for() {
        let images = [("frontend".into(), "reg:5000/shop/frontend:v2".into())].into();
        let operation = "01abc".into();
        let about = About {
            operation: Some(&operation),
            environment: &"production".into(),
            namespace: &"shop".into(),
            colour: "green",
            images: &images,
        };
        let words = |words: Vec<Safe>| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let arguments = [
            "--version",
            "1.2.3",
            "--values",
            "/srv/values.yaml",
            "--values",
            "/srv/green.yaml",
            "--set-string",
            "app.image=reg:5000/shop/frontend:v2",
            "--set-string",
            "app.tag=v2",
            "--set-string",
            "note=01abc\\, \\\\ and {more}",
            "--set-string",
            "where=shop of production",
        ];
        let upgrade = [
            &["upgrade", "--install", "wall-green", "/srv/charts/wall"][..],
            &arguments,
            &["--reset-values", "--timeout", "90s"],
            &["--description", "wheelhouse 01abc"],
        ];
        assert_eq!(words(helm().upgrade(&about)), upgrade.concat());
        let template = [
            &["template", "wall-green", "/srv/charts/wall"][..],
            &arguments,
            &["--is-upgrade"],
        ];
        assert_eq!(words(helm().template(&about)), template.concat());
        assert_eq!(
            words(helm().rollback(&"wall-green".into(), 7)),
            ["rollback", "wall-green", "7", "--timeout", "90s"]
        );
    }

    #[test]
    fn i_3_helm_is_never_told_to_wait_or_to_undo() {
        let images = BTreeMap::new();
        let about = About {
            operation: None,
            environment: &"e".into(),
            namespace: &"n".into(),
            colour: "",
            images: &images,
        };
        let all = [helm().upgrade(&about), helm().rollback(&"r".into(), 1)].concat();
        for word in ["--wait", "--atomic", "--rollback-on-failure", "--force"] {
            assert!(!all.iter().any(|it| it.starts_with(word)), "{word}");
        }
    }

    #[test]
    fn a_list_in_a_value_is_text_and_the_tag_is_that_of_the_reference() {
        assert_eq!(escaped("{a,b}"), "\\{a\\,b}");
        assert_eq!(tag("reg:5000/a/b:v1@sha256:ab"), Some("v1"));
        assert_eq!(tag("reg:5000/a/b@sha256:ab"), None);
        assert_eq!(tag("a/b"), None);
        let helm = helm();
        let wanted: Vec<_> = helm.wanted().into_iter().collect();
        assert_eq!(wanted, [("frontend", false), ("frontend", true)]);
    }
}
