//! Reads `[prometheus]` and `[alertmanager]`, and what an environment says otherwise.
//!
//! The address, its authorities and its token are one thing: an environment that names another
//! address inherits neither, since a token must not go to a server that it is not for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::environment::unique;
use super::grammar::{LINE, METRIC_LABEL, PATH, SERVICE_ADDRESS, URL, VARIABLE};
use super::problem::quoted;
use super::secret;
use super::walk::{Node, Section, Walk};

/// How an environment's Prometheus is asked and read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Prometheus {
    /// Where it is.
    pub address: Address,
    /// The alert that always fires while monitoring is alive.
    pub watchdog: Option<String>,
    /// The label of alerts that names the colour.
    pub colour_label: String,
    /// The label of alerts that names the service or workload.
    pub service_label: String,
    /// The labels that tie alerts to the environment; an alert that lacks one of them concerns all.
    pub belongs: BTreeMap<String, String>,
}

/// Where a system of monitoring is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Address {
    /// Its replicas; never empty.
    pub replicas: Vec<Replica>,
    /// The authorities that are trusted in place of the system's, an absolute path.
    pub ca_file: Option<PathBuf>,
    /// Where the bearer token is read from.
    pub token: Option<Reference>,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Replica {
    /// By its address.
    Url(String),
    /// Through the API server of the environment.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The name or number of its port.
        port: String,
        /// The path prefix, such as `/alertmanager`, or nothing.
        prefix: String,
    },
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Reference {
    /// In an environment variable.
    Env(String),
    /// In a file, an absolute path.
    File(PathBuf),
}

/// What one `[prometheus]` says; what it does not say is inherited, or has a default.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    address: Option<Address>,
    watchdog: Option<String>,
    colour_label: Option<String>,
    service_label: Option<String>,
    belongs: Option<BTreeMap<String, String>>,
}

impl Said {
    /// With what `general` says where this says nothing; none without an address.
    pub(super) fn or(self, general: Option<&Self>) -> Option<Prometheus> {
        let nothing = Self::default();
        let general = general.unwrap_or(&nothing);
        let or = |own: Option<String>, other: &Option<String>| own.or_else(|| other.clone());
        let label =
            |own, other: &_, default: &str| or(own, other).unwrap_or_else(|| default.into());
        Some(Prometheus {
            address: self.address.or_else(|| general.address.clone())?,
            watchdog: or(self.watchdog, &general.watchdog),
            colour_label: label(self.colour_label, &general.colour_label, "colour"),
            service_label: label(self.service_label, &general.service_label, "service"),
            belongs: (self.belongs.or_else(|| general.belongs.clone())).unwrap_or_default(),
        })
    }
}

/// What the sections outside of the environments say.
pub(super) struct General {
    /// Whether `[prometheus]` could be read, or is absent.
    pub(super) is_whole: bool,
    pub(super) prometheus: Option<Said>,
    pub(super) alertmanager: Option<Address>,
}

impl General {
    /// What an environment without a section of its own has.
    pub(super) fn prometheus(&self) -> Option<Prometheus> {
        Said::default().or(self.prometheus.as_ref())
    }
}

/// The keys that say where it is, of which one is said.
const PLACES: [&str; 4] = ["url", "urls", "service", "services"];
/// What is expected where none of them is said.
const PLACE: &str = "url, urls, service or services: where it is";
const ADDRESS: [&str; 6] = ["url", "urls", "service", "services", "ca_file", "token"];
const READING: [&str; 4] = ["watchdog", "colour_label", "service_label", "match"];

/// Reads an `[environment.prometheus]`, with what is said for all.
pub(super) fn of_environment(
    walk: &mut Walk<'_>,
    node: &Node<'_>,
    general: &General,
) -> Option<Option<Prometheus>> {
    let own = prometheus(walk, node)?;
    let whole = own.or(general.prometheus.as_ref());
    // Where `[prometheus]` itself lacks it, that is the place to tell.
    if whole.is_none() && general.is_whole && general.prometheus.is_none() {
        lacks_address(walk, node);
    }
    Some(whole)
}

/// Reports a section without an address.
pub(super) fn lacks_address(walk: &mut Walk<'_>, node: &Node<'_>) {
    let path = format!("{}.url", node.path);
    walk.missing(&path, &node.span, PLACE);
}

/// Reads a `[prometheus]`, whose address may stand elsewhere.
pub(super) fn prometheus(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Said> {
    let section = walk.section(node, "a table")?;
    let known: Vec<_> = ADDRESS.iter().chain(&READING).copied().collect();
    only(walk, &section, &known)?;
    let address = address(walk, &section, false);
    let watchdog = section.optional(walk, "watchdog", |walk, node| walk.text(node, LINE));
    let label = |walk: &mut Walk<'_>, key| {
        section.optional(walk, key, |walk, node| walk.text(node, METRIC_LABEL))
    };
    let (colour_label, service_label) = (label(walk, "colour_label"), label(walk, "service_label"));
    let belongs = section.optional(walk, "match", labels);
    Some(Said {
        address: address?,
        watchdog: watchdog?,
        colour_label: colour_label?,
        service_label: service_label?,
        belongs: belongs?,
    })
}

/// Reads an `[alertmanager]`, which is an address and nothing else.
pub(super) fn alertmanager(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Address> {
    let section = walk.section(node, "a table")?;
    only(walk, &section, &ADDRESS)?;
    address(walk, &section, true)?
}

/// Reports unknown keys. A secret that stands in one of them is the graver problem: it is told alone.
fn only(walk: &mut Walk<'_>, section: &Section<'_>, known: &[&str]) -> Option<()> {
    let before = walk.problems.len();
    for (name, _, node) in section.entries() {
        if known.contains(&name) {
            continue;
        }
        match secret::is_inline(name, node.value) {
            true => walk.inline_secret(&node.path, &node.span),
            false => secret::search_value(walk, &node),
        }
    }
    if walk.problems.len() > before {
        return None;
    }
    section.only(walk, known);
    Some(())
}

/// The address: one of [`PLACES`]. Absent is `Some(None)`, where it may be.
fn address(walk: &mut Walk<'_>, section: &Section<'_>, is_needed: bool) -> Option<Option<Address>> {
    let places: Vec<_> = (section.entries().into_iter())
        .filter(|(key, ..)| PLACES.contains(key))
        .collect();
    let one = section.optional(walk, "url", |walk, node| {
        url(walk, node).map(|url| vec![url])
    });
    let many = section.optional(walk, "urls", |walk, node| replicas(walk, node, url));
    let through = section.optional(walk, "service", |walk, node| {
        Some(vec![service(walk, node)?])
    });
    let through_many =
        section.optional(walk, "services", |walk, node| replicas(walk, node, service));
    let ca_file = section.optional(walk, "ca_file", |walk, node| walk.text(node, PATH));
    let token = section.optional(walk, "token", reference);
    if let [_, (_, span, node), ..] = &places[..] {
        let found = "a second address".to_owned();
        walk.wrong(
            &node.path,
            span,
            found,
            "one of url, urls, service and services",
        );
        return None;
    }
    let replicas = one?.or(many?).or(through?).or(through_many?);
    let (ca_file, token) = (ca_file?.map(PathBuf::from), token?);
    let Some(replicas) = replicas else {
        if is_needed || ca_file.is_some() || token.is_some() {
            walk.missing(&format!("{}.url", section.path), &section.span, PLACE);
            return None;
        }
        return Some(None);
    };
    let address = Address {
        replicas,
        ca_file,
        token,
    };
    warn(walk, section, &address);
    Some(Some(address))
}

/// What would not do what it seems to.
fn warn(walk: &mut Walk<'_>, section: &Section<'_>, address: &Address) {
    let is_service = |replica: &Replica| matches!(replica, Replica::Service { .. });
    for (key, span, node) in section.entries() {
        let is_secured = ["ca_file", "token"].contains(&key);
        if is_secured && address.replicas.iter().any(is_service) {
            let expected =
                "no such key beside service: the API server is spoken to with the kubeconfig";
            walk.wrong(&node.path, &span, "of no use".to_owned(), expected);
        }
        let is_plain =
            |replica: &Replica| matches!(replica, Replica::Url(url) if url.starts_with("http://"));
        if key == "token" && address.replicas.iter().any(is_plain) {
            let found = "the token goes over http, where others can read it".to_owned();
            walk.warn(&node.path, &span, found);
        }
    }
}

fn url(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Replica> {
    if node.value.as_str().is_some_and(secret::is_in_url) {
        walk.inline_secret(&node.path, &node.span);
        return None;
    }
    let url = walk.text(node, URL)?;
    Some(Replica::Url(url.trim_end_matches('/').to_owned()))
}

/// An array of addresses, each read by `one`.
fn replicas(
    walk: &mut Walk<'_>,
    node: &Node<'_>,
    one: fn(&mut Walk<'_>, &Node<'_>) -> Option<Replica>,
) -> Option<Vec<Replica>> {
    let items = walk.items(node, "an array of addresses, one for each replica")?;
    if items.is_empty() {
        walk.mismatch(node, "at least one address");
    }
    unique(walk, &items, "", "each replica once");
    let all: Vec<_> = items.iter().map(|item| one(walk, item)).collect();
    all.into_iter().collect()
}

fn service(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Replica> {
    let text = walk.text(node, SERVICE_ADDRESS)?;
    // The grammar has found all three signs.
    let (namespace, rest) = text.split_once('/')?;
    let (name, rest) = rest.split_once(':')?;
    let (port, prefix) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    Some(Replica::Service {
        namespace: namespace.into(),
        name: name.into(),
        port: port.into(),
        prefix: prefix.trim_end_matches('/').into(),
    })
}

/// Reads `{ env = "NAME" }` or `{ file = "/path" }`.
fn reference(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<Reference> {
    if secret::is_inline("token", node.value) {
        walk.inline_secret(&node.path, &node.span);
        return None;
    }
    let section = walk.section(node, "a reference")?;
    if section.entries().len() > 1 {
        walk.two_references(&node.path, &node.span);
        return None;
    }
    let env = section.optional(walk, "env", |walk, node| walk.text(node, VARIABLE))?;
    let file = section.optional(walk, "file", |walk, node| walk.text(node, PATH))?;
    env.map(Reference::Env)
        .or(file.map(|file| Reference::File(file.into())))
}

fn labels(walk: &mut Walk<'_>, node: &Node<'_>) -> Option<BTreeMap<String, String>> {
    let section = walk.section(
        node,
        "a table of labels, such as { namespace = \"production\" }",
    )?;
    let mut labels = Vec::new();
    for (key, span, value) in section.entries() {
        if !(METRIC_LABEL.accepts)(key) {
            let found = format!("found {}", quoted(key));
            walk.wrong(&value.path, &span, found, METRIC_LABEL.expected);
        }
        labels.push(walk.text(&value, LINE).map(|value| (key.to_owned(), value)));
    }
    labels.into_iter().collect()
}
