//! The objects of a manifest that matter to a deploy, of all that helm prints.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::clients::kubernetes::targets;
use crate::estate::helm::{Rendered, RenderedKind};
use crate::estate::{Labels, Safe};

/// What is read of an object. What is no map of texts has no labels that could match.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Object {
    kind: Option<String>,
    metadata: Metadata,
    spec: Value,
    items: Vec<Object>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
}

/// Reads the documents of `text`.
///
/// # Errors
/// It is no YAML.
pub(super) fn read(text: &str) -> Result<Vec<Rendered>, serde_saphyr::Error> {
    let documents: Vec<Option<Object>> = serde_saphyr::from_multiple(text)?;
    let mut objects: Vec<Object> = documents.into_iter().flatten().collect();
    let mut rendered = Vec::new();
    while let Some(object) = objects.pop() {
        rendered.extend(of(&object));
        // A List holds others.
        objects.extend(object.items);
    }
    rendered.reverse();
    Ok(rendered)
}

fn of(object: &Object) -> Option<Rendered> {
    let (kind, labels) = match object.kind.as_deref()? {
        "Service" => (RenderedKind::Service, &object.spec["selector"]),
        "Deployment" => (
            RenderedKind::Deployment,
            &object.spec["template"]["metadata"]["labels"],
        ),
        _ => return None,
    };
    Some(Rendered {
        kind,
        name: Safe::new(object.metadata.name.as_deref()?),
        namespace: object.metadata.namespace.as_deref().map(Safe::new),
        labels: texts(labels),
        targets: targets(&object.spec["ports"]),
    })
}

fn texts(value: &Value) -> Labels {
    let map = BTreeMap::<String, Value>::deserialize(value).unwrap_or_default();
    let text = |(key, value): (String, Value)| {
        let value = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        (Safe::new(&key), Safe::new(&value))
    };
    map.into_iter().map(text).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::estate::TargetPort;

    #[test]
    fn services_and_deployments_are_found_among_all_that_a_chart_renders() {
        let text = "---\n# Source: wall/templates/empty.yaml\n---\n# Source: wall/templates/service.yaml\napiVersion: v1\n\
                    kind: Service\nmetadata:\n  name: wall\n  namespace: other\nspec:\n  selector:\n    app: wall\n    \
                    version: \"green\"\n---\napiVersion: v1\nkind: List\nitems:\n- kind: Deployment\n  metadata: {name: a}\n  \
                    spec: {template: {metadata: {labels: {version: green}}}}\n---\nkind: Secret\nmetadata: {name: s}\n\
                    data: {password: aHVzaA==}\n---\nkind: Service\nmetadata: {name: bare}\nspec: {ports: [{port: 80}, {port: 81, \
                    targetPort: web}]}\n";
        let read = read(text).unwrap();
        let told: Vec<_> = (read.iter())
            .map(|it| {
                (
                    it.kind,
                    it.name.as_str(),
                    it.labels.get("version").map(Safe::as_str),
                )
            })
            .collect();
        assert_eq!(told.len(), 3, "{told:?}");
        for wanted in [
            (RenderedKind::Service, "wall", Some("green")),
            (RenderedKind::Deployment, "a", Some("green")),
            (RenderedKind::Service, "bare", None),
        ] {
            assert!(told.contains(&wanted), "{wanted:?} in {told:?}");
        }
        let wall = read.iter().find(|it| it.name.as_str() == "wall").unwrap();
        assert_eq!(wall.namespace, Some("other".into()));
        assert!(wall.targets.is_empty());
        let bare = read.iter().find(|it| it.name.as_str() == "bare").unwrap();
        let led: Vec<_> = (bare.targets.iter())
            .map(|it| (it.port, it.target.clone()))
            .collect();
        let named = TargetPort::Named("web".into());
        assert_eq!(led, [(80, TargetPort::Number(80)), (81, named)]);
        assert!(super::read("a: [").is_err());
    }
}
