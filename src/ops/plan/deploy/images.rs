//! The images of a deploy as they were asked for, found in the Deployments that get them.

use std::collections::BTreeMap;

use crate::estate::{Deployment, Estate, Safe, Scope, image_parts};
use crate::ops::plan::{ContainerImage, Refusal, Update};

/// The most of a reference.
const LONGEST: usize = 512;

/// The reference that asks for the image that is there: a colour that was cleaned up comes back as it was.
pub const SAME: &str = "=";
/// The images that `words` ask for, by workload (and container): `WORKLOAD=REFERENCE`, and `:TAG` for every workload that
/// is not named.
///
/// # Errors
/// Which of them asks for nothing, and what is expected.
pub fn asked(words: &[&str], scope: &Scope) -> Result<BTreeMap<Safe, Safe>, Safe> {
    let (mut images, mut all) = (BTreeMap::new(), None);
    for word in words {
        let (of, reference) = match word.split_once('=') {
            Some(_) if word.starts_with(':') => return Err(no_image(word)),
            Some((of, reference)) if !of.is_empty() && !reference.is_empty() => (of, reference),
            None if word.starts_with(':') => ("every workload", *word),
            _ => return Err(no_image(word)),
        };
        let is_new = match word.starts_with(':') {
            true => all.replace(Safe::new(reference)).is_none(),
            false => images.insert(Safe::new(of), Safe::new(reference)).is_none(),
        };
        if !is_new {
            return Err(format!("{} is named twice", Safe::new(of)).into());
        }
    }
    for workload in all.iter().flat_map(|_| &scope.workloads) {
        let of = |key: &Safe| key.split('/').next() == Some(workload.name.as_str());
        if let Some(tag) = all.clone().filter(|_| !images.keys().any(of)) {
            images.insert(workload.name.clone(), tag);
        }
    }
    Ok(images)
}

fn no_image(word: &str) -> Safe {
    let word = Safe::new(word);
    format!(
        "{word} is no image of a workload: WORKLOAD=REFERENCE is expected, such as frontend=:v2, or :TAG for every workload"
    )
    .into()
}

/// What was asked for, by workload and, where it was named, container.
#[derive(Default)]
pub(super) struct Wanted(BTreeMap<(String, Option<String>), Safe>);

impl Wanted {
    /// Reads what was asked for.
    ///
    /// # Errors
    /// There is none, no such workload, or no such reference.
    pub(super) fn read(images: &BTreeMap<Safe, Safe>, estate: &Estate) -> Result<Self, Refusal> {
        let workloads = &estate.scope.workloads;
        let known: Vec<&str> = workloads.iter().map(|w| w.name.as_str()).collect();
        if images.is_empty() {
            let first = known.first().unwrap_or(&"WORKLOAD");
            return Err(Refusal::invalid(format!(
                "which image? Name at least one: --image {first}=REFERENCE, {first}=:TAG, or :TAG for all"
            )));
        }
        let mut wanted = BTreeMap::new();
        for (key, reference) in images {
            let (workload, container) = part(key);
            if !known.contains(&workload) {
                return Err(Refusal::invalid(format!(
                    "there is no workload {workload}; there are {}",
                    known.join(" and ")
                )));
            }
            if reference.as_str() != SAME && !is_reference(reference) {
                return Err(Refusal::invalid(format!(
                    "{reference} is no image: REPOSITORY:TAG, REPOSITORY@DIGEST, :TAG or @DIGEST is expected"
                )));
            }
            let container = container.map(ToOwned::to_owned);
            wanted.insert((workload.to_owned(), container), reference.clone());
        }
        Ok(Self(wanted))
    }

    /// Whether a program is told images, and not that something stays.
    ///
    /// # Errors
    /// Which workload is to stay as it is.
    pub(super) fn none_is_same(&self) -> Result<(), Refusal> {
        let same = self
            .0
            .iter()
            .find(|(_, reference)| reference.as_str() == SAME);
        match same {
            None => Ok(()),
            Some(((workload, _), _)) => Err(Refusal::invalid(format!(
                "{workload}={SAME} beside other images: leave it out, or say --same for all of them"
            ))),
        }
    }

    /// Whether anything was asked for of `workload`.
    pub(super) fn names(&self, workload: &str) -> bool {
        self.0.keys().any(|(named, _)| named == workload)
    }

    /// What each container of `deployment` gets; what is not named gets what is `running` live, or stays.
    ///
    /// # Errors
    /// It has several containers, and none was named.
    pub(super) fn of(
        &self,
        workload: &str,
        deployment: &Deployment,
        running: impl Fn(&str) -> Option<Safe>,
    ) -> Result<Vec<ContainerImage>, Refusal> {
        let whole = self.0.get(&(workload.to_owned(), None));
        let is_same = whole.is_some_and(|reference| reference.as_str() == SAME);
        if whole.is_some() && !is_same && deployment.images.len() != 1 {
            let names: Vec<&str> = deployment.images.iter().map(|(n, _)| n.as_str()).collect();
            return Err(Refusal::invalid(format!(
                "{} has the containers {}: say which, as {workload}/{}=REFERENCE",
                deployment.name,
                names.join(", "),
                names.first().unwrap_or(&"CONTAINER")
            )));
        }
        let gets = |(name, image): &(Safe, crate::estate::Image)| {
            let key = (workload.to_owned(), Some(name.to_string()));
            let asked = self.0.get(&key).or(whole);
            let to = match asked {
                Some(reference) => resolved(&image.name, reference),
                None => running(name).unwrap_or_else(|| image.name.clone()),
            };
            ContainerImage {
                name: name.clone(),
                from: image.name.clone(),
                to,
            }
        };
        Ok(deployment.images.iter().map(gets).collect())
    }

    /// Whether each container that was named is one.
    ///
    /// # Errors
    /// The one that is not, with those there are.
    pub(super) fn all_found(&self, updates: &[Update]) -> Result<(), Refusal> {
        for (workload, container) in self.0.keys() {
            let Some(container) = container else { continue };
            let mine = updates.iter().filter(|u| u.workload.as_str() == workload);
            let names: Vec<&str> = mine
                .flat_map(|u| u.containers.iter().map(|c| c.name.as_str()))
                .collect();
            if !names.is_empty() && !names.contains(&container.as_str()) {
                return Err(Refusal::invalid(format!(
                    "{workload} has no container {container}; it has {}",
                    names.join(", ")
                )));
            }
        }
        Ok(())
    }
}

/// The workload that a name is of, and the container where it names one: `backend`, `backend/app`.
pub(in crate::ops::plan) fn part(of: &str) -> (&str, Option<&str>) {
    match of.split_once('/') {
        Some((workload, container)) => (workload, Some(container)),
        None => (of, None),
    }
}

/// Whether `text` can be an image, or its end from the tag on: what no kubelet pulls is no wish (the grammar of references of
/// the OCI's distribution specification).
fn is_reference(text: &str) -> bool {
    let (name, tag, digest) = image_parts(text);
    let is_end = name.is_empty() && (tag.is_some() || digest.is_some());
    text.len() <= LONGEST
        && (is_end || is_name(name))
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

/// `registry:5000/path/of/it`
fn is_name(text: &str) -> bool {
    let is_part = |part: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        part.bytes().all(fits) && part.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    let mut parts = text.split('/');
    let host = parts.next().unwrap_or_default();
    let (host, port) = match host.split_once(':') {
        // Whoever has a port has a path.
        Some((host, port)) if text.contains('/') => (host, port),
        Some(_) => return false,
        None => (host, "0"),
    };
    is_part(host) && port.bytes().all(|b| b.is_ascii_digit()) && parts.all(is_part)
}

fn is_tag(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=128).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with(['.', '-'])
}

/// `sha256:0a1b…`
fn is_digest(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b"+._-".contains(&b);
    text.split_once(':').is_some_and(|(algorithm, hex)| {
        let is_hex = |b: u8| b.is_ascii_hexdigit();
        let (has_algorithm, has_hex) = (!algorithm.is_empty(), !hex.is_empty());
        has_algorithm && has_hex && algorithm.bytes().all(is_word) && hex.bytes().all(is_hex)
    })
}

/// `reference`, or that tag or digest of the repository of `image`.
pub(super) fn resolved(image: &str, reference: &Safe) -> Safe {
    if reference.as_str() == SAME {
        return image.into();
    }
    if !reference.starts_with([':', '@']) {
        return reference.clone();
    }
    let (repository, ..) = image_parts(image);
    format!("{repository}{reference}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_or_a_digest_alone_is_of_the_repository_that_is_there() {
        let resolve = |image, reference: &str| resolved(image, &reference.into()).to_string();
        assert_eq!(resolve("reg:5000/a/shop:v1", ":v2"), "reg:5000/a/shop:v2");
        assert_eq!(resolve("reg:5000/a/shop", ":v2"), "reg:5000/a/shop:v2");
        assert_eq!(
            resolve("a/shop:v1@sha256:ab", "@sha256:cd"),
            "a/shop@sha256:cd"
        );
        assert_eq!(resolve("a/shop:v1", "b/other:v3"), "b/other:v3");
        assert_eq!(resolve("a/shop:v1", SAME), "a/shop:v1");
    }

    #[test]
    fn a_tag_alone_is_for_every_workload_that_is_not_named() {
        let workload = |name: &str| crate::estate::WorkloadScope {
            name: name.into(),
            labels: crate::estate::Labels::default(),
            deployments: Vec::new(),
        };
        let scope = Scope {
            name: "production".into(),
            tier: crate::estate::Tier::Production,
            context: "prod-eu".into(),
            namespace: "production".into(),
            workloads: vec![workload("frontend"), workload("backend")],
            traffic: None,
            soak: crate::estate::Soak::default(),
            needs_smoke: false,
            needs_ci: false,
            holds_returned: false,
            approval: Default::default(),
        };
        let said = |words: &[&str]| match asked(words, &scope) {
            Ok(images) => (images.iter())
                .map(|(of, image)| format!("{of}={image}"))
                .collect::<Vec<_>>()
                .join(" "),
            Err(why) => why.to_string(),
        };
        assert_eq!(said(&[]), "");
        assert_eq!(said(&[":v2"]), "backend=:v2 frontend=:v2");
        assert_eq!(
            said(&["backend/app=:v3", ":v2"]),
            "backend/app=:v3 frontend=:v2"
        );
        assert_eq!(said(&[":v2", ":v3"]), "every workload is named twice");
        assert_eq!(said(&["backend=a", "backend=b"]), "backend is named twice");
        for word in [
            "frontend",
            "=v2",
            "frontend=",
            "@sha256:ab",
            "v2",
            ":frontend=:v2",
        ] {
            assert!(said(&[word]).contains("WORKLOAD=REFERENCE is expected"));
        }
    }

    #[test]
    fn k14_what_is_no_reference_never_reaches_a_request() {
        let long = "a".repeat(600);
        let tail = format!(":{}", "a".repeat(129));
        for text in [
            "",
            ":",
            "@",
            "a b",
            "a\u{1b}[2J",
            "-x",
            "a;b",
            &long,
            &tail,
            ":abc:v42",
            ":a/b",
            "a/b:",
            "a:1:2",
            ":1.2+1",
            "@sha256",
            "@sha256:",
            "a//b",
            "/a",
            ":-v",
            "host:x/a",
        ] {
            assert!(!is_reference(text), "{text:?}");
        }
        for text in [
            ":v2",
            "@sha256:ab",
            "shop",
            "reg:5000/a/b_c:1.2-rc_1",
            ":v2@sha256:0f",
            "shop:v2@sha256:ab",
        ] {
            assert!(is_reference(text), "{text}");
        }
    }
}
