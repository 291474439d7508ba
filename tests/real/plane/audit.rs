//! What the API server was asked, by whom, and when: its audit log, a line for each answered request.

use super::Plane;
use jiff::Timestamp;
use serde_json::Value;

/// One answered request.
#[derive(Clone, Debug)]
pub struct Audited {
    /// When the API server had the request, in microseconds; a speed is measured to here.
    pub received: Timestamp,
    /// When it had answered.
    pub answered: Timestamp,
    /// Who asked.
    pub user: String,
    /// `services`, or `services/status`.
    pub resource: String,
    /// The namespace of the object.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// The status of the answer.
    pub code: u64,
    /// The whole line: `annotations`, `userAgent`, `requestURI`.
    pub line: Value,
}

impl Audited {
    /// What admission or authorization noted about it.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.line["annotations"][key].as_str()
    }
}

impl Plane {
    /// Every answered request with that verb (`patch`) for that resource (`services`) in a
    /// namespace, in the order of their answers.
    pub fn audited(&self, verb: &str, resource: &str, namespace: &str) -> Vec<Audited> {
        let lines = self.audit_lines(&format!("\"verb\":\"{verb}\""));
        lines
            .into_iter()
            .filter(|it| it.resource == resource && it.namespace == namespace)
            .collect()
    }

    /// Every answered request of somebody's: how many round trips something took.
    pub fn audited_of(&self, user: &str) -> Vec<Audited> {
        let lines = self.audit_lines(&format!("\"username\":\"{user}\""));
        lines.into_iter().filter(|it| it.user == user).collect()
    }

    /// The first of them that `is_it`; the log may be a moment behind the answer.
    pub fn await_audited(
        &self,
        (verb, resource, namespace): (&str, &str, &str),
        is_it: impl Fn(&Audited) -> bool + Send + Sync,
    ) -> Audited {
        let what = format!("the audit line of {verb} {resource} in {namespace}");
        self.until(&what, || async {
            let lines = self.audited(verb, resource, namespace);
            lines.into_iter().find(&is_it)
        })
    }

    /// Those that contain a text: to read every line as JSON would take long with 5,000 pods.
    fn audit_lines(&self, with: &str) -> Vec<Audited> {
        let log = std::fs::read_to_string(self.audit_log()).unwrap();
        // The last line may be half written.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        let lines = whole.lines().filter(|line| line.contains(with));
        let lines = lines.map(|line| audited(serde_json::from_str(line).unwrap()));
        lines.collect()
    }
}

fn audited(line: Value) -> Audited {
    let object = &line["objectRef"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let time = |key: &str| line[key].as_str().unwrap().parse().unwrap();
    let resource = match object["subresource"].as_str() {
        Some(sub) => format!("{}/{sub}", text(&object["resource"])),
        None => text(&object["resource"]),
    };
    Audited {
        received: time("requestReceivedTimestamp"),
        answered: time("stageTimestamp"),
        user: text(&line["user"]["username"]),
        resource,
        namespace: text(&object["namespace"]),
        name: text(&object["name"]),
        code: line["responseStatus"]["code"].as_u64().unwrap_or_default(),
        line,
    }
}
