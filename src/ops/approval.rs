//! Requests for an approval, approvals and rejections: what their objects say, read strictly, and which of them counts.
//!
//! Each is a ConfigMap of its own beside the records, created once and never changed: the shipped admission policy
//! proves that whoever it names as its author created it, and that it was not changed since. What an approval is
//! bound to is the revision that would go live ([`Plan::bound`](super::Plan)), not the whole plan: that hash holds
//! what moves by itself, too (an autoscaler's replicas, gates), and each gate is asked anew for itself.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::kept::{NAMESPACE, is_id};
use super::plan::approval::is_of_approval;
use crate::estate::{Estate, Record, Safe, mark};

/// The version of its shape.
pub const SCHEMA: u32 = 1;
/// What the names of its objects start with.
pub const PREFIX: &str = "wheelhouse-approval-";
/// The most characters of one value.
pub(super) const LONG: usize = 1_000;
/// The longest that any may hold, by whatever configuration, in hours.
const MOST_H: i64 = 24;
/// Seconds that its author's clock may be ahead of the server's.
const AHEAD_S: i64 = 60;

/// The keys of its data, all of which must be there.
const KEYS: [&str; 14] = [
    "schema",
    "decision",
    "request",
    "author",
    "seat",
    "requester",
    "environment",
    "namespace",
    "colour",
    "plan",
    "runs",
    "reason",
    "created",
    "expires",
];

/// The key that is there where the cutover passes over gates: their ids, and why, as a JSON object.
const OVERRIDES: &str = "overrides";

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It asks for an approval.
    Asked,
    /// It approves.
    Approved,
    /// It rejects: nothing that was asked by that request is approved any more.
    Rejected,
}

impl Decision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Asked, Self::Approved, Self::Rejected];

    /// As its object spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

/// A request for an approval, or a decision on one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paper {
    /// Its id.
    pub id: Safe,
    /// What it says.
    pub decision: Decision,
    /// The id of the request that it is, or that it decides on.
    pub request: Safe,
    /// Who wrote it: the API's user.
    pub author: Safe,
    /// OS user and host.
    pub seat: Safe,
    /// Who asked: the API's user.
    pub requester: Safe,
    /// The environment, as its author's configuration names it.
    pub environment: Safe,
    /// Where its Services are.
    pub namespace: Safe,
    /// The colour that traffic would go to.
    pub colour: Safe,
    /// The hash of what would go live.
    pub plan: Safe,
    /// What would go live, by workload: tag and digest.
    pub runs: Safe,
    /// The gates that the cutover passes over, by id, and why: an approval lets no other one be passed over.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<Safe, Safe>,
    /// Why.
    pub reason: Safe,
    /// When, by its author's clock as the server corrected it.
    pub created: Timestamp,
    /// Until when it holds, by the server's clock.
    pub expires: Timestamp,
    /// The ConfigMap's uid and resourceVersion.
    #[serde(skip)]
    pub version: (Safe, Safe),
    /// When the server created it.
    #[serde(skip)]
    pub since: Timestamp,
}

/// One that cannot be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Unread {
    /// The hash that it is about, as far as can be told.
    pub plan: Safe,
    /// Why, and what was expected.
    pub why: Safe,
}

/// Whether `record` is one of these.
pub fn is_approval(record: &Record) -> bool {
    record.labels.get(mark::RECORD).map(Safe::as_str) == Some(mark::OF_APPROVAL)
}

/// Reads one.
///
/// # Errors
/// Which of its parts is not as it must be.
pub fn read(record: &Record) -> Result<Paper, Unread> {
    let plan = record.data.get("plan").map(|text| Safe::new(text));
    judge(record).map_err(|why| Unread {
        plan: plan.unwrap_or_default(),
        why: format!("approval {} does not count: {why}", record.name).into(),
    })
}

fn judge(record: &Record) -> Result<Paper, String> {
    let id = (record.name.strip_prefix(PREFIX)).filter(|id| is_id(id));
    let id = id.ok_or(format!("its name is not {PREFIX} and an id"))?;
    let of = parts(&record.data)?;
    match of("schema").parse::<u32>() {
        Ok(SCHEMA) => {}
        Ok(other) if other > SCHEMA => {
            return Err(format!(
                "it is of version {other}, this program knows {SCHEMA}: use a newer one"
            ));
        }
        _ => return Err(format!("`schema` is {:?}, expected {SCHEMA}", of("schema"))),
    }
    let decision = Decision::ALL
        .into_iter()
        .find(|it| *of("decision") == *it.word());
    let decision = decision.ok_or_else(|| {
        let said = of("decision");
        format!("`decision` is {said:?}, expected asked, approved or rejected")
    })?;
    if record.labels.get(NAMESPACE) != Some(&of("namespace")) {
        return Err("its label names another namespace than it does itself".to_owned());
    }
    let since = record
        .created
        .ok_or("the server says not when it was created")?;
    let (created, expires) = times(&of, since)?;
    let overrides = match of(OVERRIDES) {
        none if none.is_empty() => BTreeMap::new(),
        text => serde_json::from_str(&text)
            .map_err(|e| format!("`{OVERRIDES}` is no JSON object of gates and reasons: {e}"))?,
    };
    Ok(Paper {
        id: id.into(),
        decision,
        request: of("request"),
        author: of("author"),
        seat: of("seat"),
        requester: of("requester"),
        environment: of("environment"),
        namespace: of("namespace"),
        colour: of("colour"),
        plan: of("plan"),
        runs: of("runs"),
        overrides,
        reason: of("reason"),
        created,
        expires,
        version: (record.uid.clone(), record.resource_version.clone()),
        since,
    })
}

/// Its parts by their keys: all that must be there, and nothing else.
fn parts(data: &BTreeMap<String, std::sync::Arc<str>>) -> Result<impl Fn(&str) -> Safe, String> {
    let is_known = |key: &str| KEYS.contains(&key) || key == OVERRIDES;
    if let Some(unknown) = data.keys().find(|key| !is_known(key)) {
        let unknown = Safe::new(unknown);
        return Err(format!("it has a key {unknown:?}, which is not known"));
    }
    let mut parts = BTreeMap::new();
    let there = data.contains_key(OVERRIDES).then_some(OVERRIDES);
    for key in KEYS.into_iter().chain(there) {
        let text = data.get(key).ok_or(format!("it has no `{key}`"))?;
        let long = text.chars().count();
        if long > LONG {
            return Err(format!("`{key}` has {long} characters, at most {LONG}"));
        }
        if text.trim().is_empty() {
            return Err(format!("`{key}` is empty"));
        }
        parts.insert(key, Safe::new(text.trim()));
    }
    Ok(move |key: &str| parts.get(key).cloned().unwrap_or_default())
}

/// From when until when; `since` is when the server created it.
fn times(of: &impl Fn(&str) -> Safe, since: Timestamp) -> Result<(Timestamp, Timestamp), String> {
    let time = |key: &str| {
        let said = of(key);
        let wrong = || format!("`{key}` is {said:?}, expected a time such as 2026-11-27T14:02:00Z");
        said.parse::<Timestamp>().map_err(|_| wrong())
    };
    let (created, expires) = (time("created")?, time("expires")?);
    if created.duration_since(since) > SignedDuration::from_secs(AHEAD_S) {
        return Err(format!(
            "it is dated {created:.0}, after the server created it ({since:.0})"
        ));
    }
    if expires <= created {
        return Err(format!("it ends at {expires:.0}, before it begins"));
    }
    if expires.duration_since(created) > SignedDuration::from_hours(MOST_H) {
        return Err(format!(
            "it would hold until {expires:.0}: at most {MOST_H} hours may pass"
        ));
    }
    Ok((created, expires))
}

impl Paper {
    /// Until when it holds where one holds `lasts_s` seconds at most.
    pub fn ends(&self, lasts_s: u32) -> Timestamp {
        let most = SignedDuration::from_secs(i64::from(lasts_s));
        let most = self.since.checked_add(most).unwrap_or(self.since);
        most.min(self.expires)
    }

    /// `asked by dave at 14:02Z: v2 is due`
    pub fn words(&self) -> String {
        format!(
            "{} by {} at {}: {}",
            self.decision.word(),
            self.author,
            clock(self.created),
            self.reason
        )
    }

    /// Its data, as [`read`] reads them.
    pub fn data(&self) -> BTreeMap<&'static str, String> {
        let schema = SCHEMA.to_string();
        let mut data = BTreeMap::from([
            ("schema", schema),
            ("decision", self.decision.word().to_owned()),
            ("request", self.request.to_string()),
            ("author", self.author.to_string()),
            ("seat", self.seat.to_string()),
            ("requester", self.requester.to_string()),
            ("environment", self.environment.to_string()),
            ("namespace", self.namespace.to_string()),
            ("colour", self.colour.to_string()),
            ("plan", self.plan.to_string()),
            ("runs", self.runs.to_string()),
            ("reason", self.reason.to_string()),
            ("created", format!("{:.0}", self.created)),
            ("expires", format!("{:.0}", self.expires)),
        ]);
        if !self.overrides.is_empty() {
            let text = serde_json::to_string(&self.overrides).unwrap_or_default();
            data.insert(OVERRIDES, text);
        }
        data
    }

    /// A gate among `overrides` that nobody was told of who read this: what was approved does not pass over it.
    pub fn lacks<'a>(&self, overrides: &'a BTreeMap<Safe, Safe>) -> Option<&'a Safe> {
        let mut ids = overrides.keys().filter(|id| !is_of_approval(id));
        ids.find(|id| !self.overrides.contains_key(*id))
    }

    /// `query:errors (the exporter is broken), restarts (…)`; none where it passes over nothing.
    pub fn passes_over(&self) -> Option<String> {
        let words = |(id, why): (&Safe, &Safe)| format!("{id} ({why})");
        let all: Vec<String> = self.overrides.iter().map(words).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }
}

/// `14:02Z`
pub fn clock(at: Timestamp) -> String {
    at.strftime("%H:%MZ").to_string()
}

/// Everything about one environment, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Papers {
    /// Those that can be read.
    pub all: Vec<Paper>,
    /// Why others cannot be.
    pub unread: Vec<Unread>,
}

/// How far a request is.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing<'a> {
    /// Nobody decided yet.
    Waits,
    /// It is approved.
    Approved(&'a Paper),
    /// It is rejected.
    Rejected(&'a Paper),
    /// It, or its approval, is over.
    Over,
}

impl Papers {
    /// All that `records` hold about the namespace.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>, namespace: &Safe) -> Self {
        let mut papers = Self::default();
        for record in records {
            if !is_approval(record) || record.labels.get(NAMESPACE) != Some(namespace) {
                continue;
            }
            match read(record) {
                Ok(paper) => papers.all.push(paper),
                Err(unread) => papers.unread.push(unread),
            }
        }
        papers
            .all
            .sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        papers
    }

    /// All about the environment of `estate`.
    pub fn in_estate(estate: &Estate) -> Self {
        Self::of(estate.records.value.iter(), &estate.scope.namespace)
    }

    /// The requests, the oldest first.
    pub fn requests(&self) -> impl Iterator<Item = &Paper> {
        (self.all.iter()).filter(|paper| paper.decision == Decision::Asked)
    }

    /// The newest of that decision that is about the plan of that hash.
    pub fn newest(&self, decision: Decision, plan: &str) -> Option<&Paper> {
        let is_it = |it: &&Paper| it.decision == decision && it.plan.as_str() == plan;
        self.all.iter().rfind(is_it)
    }

    /// The requests that were rejected: one rejection ends one.
    pub fn ended(&self) -> BTreeSet<&Safe> {
        let rejected = |paper: &&Paper| paper.decision == Decision::Rejected;
        (self.all.iter().filter(rejected))
            .map(|paper| &paper.request)
            .collect()
    }

    /// How far `request` is at `server`, where an approval holds `lasts_s` seconds at most.
    pub fn standing(&self, request: &Paper, lasts_s: u32, server: Timestamp) -> Standing<'_> {
        let decided = |decision| {
            let is_it = move |it: &&Paper| it.decision == decision && it.request == request.id;
            self.all.iter().rfind(is_it)
        };
        match (decided(Decision::Rejected), decided(Decision::Approved)) {
            (Some(no), _) => Standing::Rejected(no),
            (None, Some(yes))
                if yes.counts_by_itself() && self.answers(yes) && server < yes.ends(lasts_s) =>
            {
                Standing::Approved(yes)
            }
            (None, _) if server >= request.ends(lasts_s) => Standing::Over,
            (None, Some(_) | None) => Standing::Waits,
        }
    }

    /// Whether `paper` answers a request that is there, of whoever it says asked, for the same: whom an approval names
    /// as the one who asked its author chose, and only the request's own author is proved.
    pub fn answers(&self, paper: &Paper) -> bool {
        let is_it = |asked: &Paper| {
            asked.id == paper.request
                && asked.id == asked.request
                && asked.plan == paper.plan
                && paper.lacks(&asked.overrides).is_none()
                && asked.lacks(&paper.overrides).is_none()
                && asked.author == asked.requester
                && asked.author == paper.requester
        };
        self.requests().any(is_it)
    }

    /// The requests that wait for somebody at `server`.
    pub fn waiting(&self, lasts_s: u32, server: Timestamp) -> Vec<&Paper> {
        let waits = |it: &&Paper| self.standing(it, lasts_s, server) == Standing::Waits;
        self.requests().filter(waits).collect()
    }
}

impl Paper {
    /// Whether a person other than the one who asked wrote it: a program of the cluster is nobody.
    pub fn counts_by_itself(&self) -> bool {
        self.author != self.requester && !is_program(&self.author)
    }
}

/// Whether that API user is no person: a service account, a node.
pub fn is_program(user: &str) -> bool {
    user.starts_with("system:")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(in crate::ops) mod tests {
    use super::*;
    use crate::estate::Labels;

    pub(in crate::ops) const AT: &str = "2026-11-27T14:02:00Z";

    pub(in crate::ops) fn paper(decision: Decision, author: &str) -> Paper {
        Paper {
            overrides: BTreeMap::new(),
            id: "01jabcdefghjkmnpqrstvwxyz0".into(),
            decision,
            request: "01jabcdefghjkmnpqrstvwxyz0".into(),
            author: author.into(),
            seat: "al@b-2".into(),
            requester: "dave".into(),
            environment: "production".into(),
            namespace: "production".into(),
            colour: "green".into(),
            plan: "0123456789abcdef".into(),
            runs: "frontend v2".into(),
            reason: "v2 is due".into(),
            created: AT.parse().unwrap(),
            expires: "2026-11-27T15:02:00Z".parse().unwrap(),
            version: ("u".into(), "1".into()),
            since: AT.parse().unwrap(),
        }
    }

    /// The object that holds it, with some of its data replaced.
    pub(in crate::ops) fn object(paper: &Paper, changed: &[(&str, Option<&str>)]) -> Record {
        let mut data: BTreeMap<String, std::sync::Arc<str>> = (paper.data().into_iter())
            .map(|(key, value)| (key.to_owned(), value.into()))
            .collect();
        for (key, value) in changed {
            match value {
                Some(value) => data.insert((*key).to_owned(), (*value).into()),
                None => data.remove(*key),
            };
        }
        let labels: Labels = [
            (mark::RECORD.into(), mark::OF_APPROVAL.into()),
            (NAMESPACE.into(), paper.namespace.clone()),
        ]
        .into_iter()
        .collect();
        Record {
            name: format!("{PREFIX}{}", paper.id).into(),
            uid: "u".into(),
            resource_version: "1".into(),
            created: Some(paper.since),
            deleting: None,
            labels,
            data,
        }
    }

    #[test]
    fn what_is_passed_over_is_read_back_and_what_is_none_is_no_paper() {
        let paper = Paper {
            overrides: [("alert:A \"b\"".into(), "seen,\u{1f525}".into())].into(),
            ..paper(Decision::Approved, "erin")
        };
        let there = read(&object(&paper, &[])).unwrap();
        assert_eq!(there.overrides, paper.overrides);
        assert_eq!(
            there.passes_over().unwrap(),
            "alert:A \"b\" (seen,\u{1f525})"
        );
        for wrong in ["", "[]", "{\"a\": 1}", "ci"] {
            let object = object(&paper, &[("overrides", Some(wrong))]);
            let unread = read(&object).unwrap_err();
            assert!(
                unread.why.contains("`overrides` is"),
                "{wrong}: {}",
                unread.why
            );
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for decision in Decision::ALL {
            let written = paper(decision, "erin");
            assert_eq!(read(&object(&written, &[])), Ok(written));
        }
    }

    #[test]
    fn what_is_malformed_does_not_count_and_says_what_was_expected() {
        let long = "x".repeat(1_001);
        for (key, value, said) in [
            ("schema", Some("2"), "of version 2, this program knows 1"),
            ("schema", Some("one"), "`schema` is \"one\", expected 1"),
            (
                "decision",
                Some("ok"),
                "expected asked, approved or rejected",
            ),
            ("author", Some(" "), "`author` is empty"),
            ("reason", None, "it has no `reason`"),
            ("votes", Some("2"), "a key \"votes\", which is not known"),
            ("reason", Some(&long), "1001 characters, at most 1000"),
            ("namespace", Some("staging"), "another namespace"),
            ("created", Some("today"), "expected a time such as"),
            (
                "created",
                Some("2026-11-27T14:04:00Z"),
                "after the server created it",
            ),
            ("expires", Some(AT), "before it begins"),
            ("expires", Some("2026-11-29T14:02:00Z"), "at most 24 hours"),
        ] {
            let record = object(&paper(Decision::Approved, "erin"), &[(key, value)]);
            let unread = read(&record).unwrap_err();
            assert!(unread.why.contains(said), "{said:?} in {}", unread.why);
            assert_eq!(unread.plan.as_str(), "0123456789abcdef");
        }
        let mut nameless = object(&paper(Decision::Approved, "erin"), &[]);
        nameless.name = "wheelhouse-approval-../x".into();
        assert!(read(&nameless).unwrap_err().why.contains("its name is not"));
    }

    #[test]
    fn text_from_outside_is_cleaned() {
        let record = object(
            &paper(Decision::Approved, "erin"),
            &[("reason", Some("\u{1b}[31mred\u{202e}"))],
        );
        assert_eq!(read(&record).unwrap().reason.as_str(), "red<U+202E>");
    }

    #[test]
    fn i_48_one_rejection_ends_a_request_and_the_requester_and_programs_decide_nothing() {
        let asked = paper(Decision::Asked, "dave");
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let word = |papers: &[Paper], server: &str| {
            let all = [std::slice::from_ref(&asked), papers].concat();
            let papers = Papers {
                all,
                unread: Vec::new(),
            };
            match papers.standing(&asked, 3_600, at(server)) {
                Standing::Waits => "waits",
                Standing::Approved(_) => "approved",
                Standing::Rejected(_) => "rejected",
                Standing::Over => "over",
            }
        };
        let (soon, late) = ("2026-11-27T14:30:00Z", "2026-11-27T15:02:00Z");
        let yes = paper(Decision::Approved, "erin");
        let no = paper(Decision::Rejected, "frank");
        assert_eq!(word(&[], soon), "waits");
        assert_eq!(word(&[], late), "over");
        assert_eq!(word(std::slice::from_ref(&yes), soon), "approved");
        assert_eq!(word(std::slice::from_ref(&yes), late), "over");
        assert_eq!(word(&[yes.clone(), no.clone()], soon), "rejected");
        assert_eq!(word(&[no, yes], soon), "rejected");
        for nobody in ["dave", "system:serviceaccount:ci:bot"] {
            let own = paper(Decision::Approved, nobody);
            assert_eq!(word(&[own], soon), "waits", "{nobody}");
        }
    }
}
