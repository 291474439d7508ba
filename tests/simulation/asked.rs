//! A request, as far as the simulation needs to understand it.

use serde_json::Value;

use super::world::SERVICES;

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// The plural of what it is about, such as `services`.
    pub kind: String,
    pub name: String,
    pub is_watch: bool,
    pub body: Value,
}

impl Asked {
    pub fn read(parts: &http::request::Parts, body: &[u8]) -> Self {
        let path = parts.uri.path();
        let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
        let place = words.iter().position(|word| *word == "namespaces");
        let word = |more: usize| {
            let word = place.and_then(|place| words.get(place + more));
            word.map_or_else(String::new, |word| (*word).to_owned())
        };
        let query = parts.uri.query().unwrap_or_default();
        Self {
            method: parts.method.to_string(),
            kind: word(2),
            name: word(3),
            is_watch: query.contains("watch=true") || query.contains("watch=1"),
            body: serde_json::from_slice(body).unwrap_or(Value::Null),
        }
    }

    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }

    /// The value that a JSON Patch gives to `path`.
    pub fn gives(&self, path: &str) -> Option<&Value> {
        let ops = self.body.as_array()?;
        let op = ops
            .iter()
            .find(|op| op["path"] == path && op["op"] != "test" && op["op"] != "remove")?;
        Some(&op["value"])
    }

    /// The annotation that a JSON Patch gives, such as `epoch`.
    pub fn marks(&self, word: &str) -> Option<String> {
        let path = format!("/metadata/annotations/wheelhouse.dev~1{word}");
        Some(self.gives(&path)?.as_str()?.to_owned())
    }

    /// The selector that it gives to a Service, if it does.
    pub fn selector(&self) -> Option<&Value> {
        (self.kind == "services")
            .then(|| self.gives("/spec/selector"))
            .flatten()
    }

    /// Whether it is the first flip of what brings a new colour live: of a cutover, or of a release.
    pub fn is_first_forward(&self) -> bool {
        self.name == SERVICES[0] && ["cutover", "release"].contains(&self.flips().as_str())
    }

    /// What a flip is a part of.
    fn flips(&self) -> String {
        let flip = self.marks("flip").unwrap_or_default();
        let flip: Value = serde_json::from_str(&flip).unwrap_or(Value::Null);
        flip["what"].as_str().unwrap_or_default().to_owned()
    }

    /// Whether a release flips.
    pub fn is_of_release(&self) -> bool {
        self.flips() == "release"
    }

    /// The colour that a flip brings traffic to.
    pub fn colour(&self) -> String {
        let version = self
            .selector()
            .and_then(|selector| selector["version"].as_str());
        version.unwrap_or_default().to_owned()
    }

    /// Whether it is an act: a patch that moves traffic, or that changes what a Deployment runs.
    pub fn is_act(&self) -> bool {
        let deploys = self.kind == "deployments" && self.marks("deploy").is_some();
        deploys || self.selector().is_some()
    }

    /// The entries of a record that it writes, one JSON each.
    pub fn entries(&self) -> Vec<Value> {
        let text = self.body["data"]["entries"].as_str().unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}
