//! What a release meets on its way beside faults and people: another person's approval that it asks for, a freeze that
//! comes, pods that are asked before traffic goes there; and somebody who deploys past Wheelhouse meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::SignedDuration;
use serde_json::{Value, json};
use wheelhouse::clients::kubernetes::Said;
use wheelhouse::estate::{Approval, Approver, Fault, FaultKind, Safe, Scope};
use wheelhouse::ops::approval::Decision;
use wheelhouse::ops::approve;
use wheelhouse::ops::bastion::Bastion;
use wheelhouse::ops::engine::Refused;
use wheelhouse::ops::freeze::Wanted;
use wheelhouse::ops::plan::{Probe, Question};
use wheelhouse::ops::policy;

use super::chance::Chance;
use super::process::Process;
use super::script::pause;
use super::world::{NAMESPACE, RECORDS, SERVICES, World, lock};

/// Seconds that an approval holds: nobody waits an hour in a seed.
pub const LASTS_S: u32 = 90;

/// What a release meets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meets {
    /// What becomes of the approval that is demanded, if one is.
    pub approval: Option<Answer>,
    /// When somebody freezes the environment, and how that ends; in seconds.
    pub freeze: Option<(u64, Thaw)>,
    /// How the pods answer, if they are asked.
    pub smoke: Option<Pods>,
    /// Whether monitoring is there.
    pub has_sky: bool,
    /// An alarm in the soak: traffic comes back.
    pub comes_back: bool,
    /// Nobody is beside it.
    pub is_alone: bool,
}

/// What somebody else answers whoever asks for an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    Nothing,
    /// Yes; and between the look and the word another revision is deployed past Wheelhouse, or just after it.
    YesToOther,
}

/// How a freeze ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thaw {
    /// Somebody thaws it after so long.
    By(u64),
    /// By itself after so long.
    Itself(u64),
    Never,
}

/// What a pod says when it is the turn of the one of that number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pods {
    Well,
    Wrong(u64),
    Slow(u64),
    Away(u64),
    /// It hangs.
    Silent(u64),
    /// It is deleted when it has answered.
    Gone(u64),
    /// Another revision is deployed when it has answered.
    Rebuilt(u64),
}

impl Meets {
    /// What that of a seed meets.
    pub fn of(seed: u64) -> Self {
        let chance = Chance::of(seed, "a release meets");
        let approval = chance.one_of(&[
            Answer::Yes,
            Answer::Yes,
            Answer::Yes,
            Answer::No,
            Answer::Nothing,
            Answer::YesToOther,
            Answer::YesToOther,
        ]);
        let approval = chance.permille(300).then_some(approval);
        let lasts = chance.between(5, 60);
        let thaw = chance.one_of(&[
            Thaw::By(lasts),
            Thaw::By(lasts),
            Thaw::Itself(lasts),
            Thaw::Never,
        ]);
        let freeze = (chance.between(0, 40), thaw);
        let freeze = chance.permille(220).then_some(freeze);
        let turn = chance.between(0, 4);
        let ill = chance.one_of(&[
            Pods::Wrong(turn),
            Pods::Slow(turn),
            Pods::Away(turn),
            Pods::Silent(turn),
            Pods::Gone(turn),
            Pods::Rebuilt(turn),
            Pods::Rebuilt(turn),
        ]);
        let pods = if chance.permille(500) {
            Pods::Well
        } else {
            ill
        };
        Self {
            approval,
            freeze,
            smoke: chance.permille(350).then_some(pods),
            has_sky: chance.permille(250),
            comes_back: false,
            is_alone: false,
        }
    }

    /// Whether the server's clock matters, which one over a socket tells with each answer.
    pub fn needs_clock(&self) -> bool {
        self.approval.is_some() || self.freeze.is_some()
    }

    /// `scope` with what is demanded.
    pub fn demanding(&self, scope: Scope) -> Scope {
        match self.approval {
            None => scope,
            Some(_) => Scope {
                approval: Approval {
                    by: Approver::Other,
                    lasts_s: LASTS_S,
                },
                ..scope
            },
        }
    }

    /// What every pod is asked.
    pub fn probes(&self) -> Vec<Probe> {
        let ask = |workload: &str, path: &str| {
            Probe::Ask(Question {
                workload: workload.into(),
                port: "8000".into(),
                path: path.into(),
                status: 200,
                within_ms: 2_000,
                contains: vec!["{colour}".into()],
            })
        };
        match self.smoke {
            None => Vec::new(),
            Some(_) => vec![ask("frontend", "/api/health"), ask("backend", "/ready")],
        }
    }
}

/// A pod's answer to `process`.
pub fn answer(process: &Arc<Process>, pod: &str) -> BoxFuture<'static, Result<Said, Fault>> {
    let (process, pod) = (process.clone(), pod.to_owned());
    async move {
        let world = process.world.clone();
        process.running().await;
        let turn = world.asks.fetch_add(1, Ordering::SeqCst);
        let (is_there, colour, template) = world.pod(&pod).await;
        let away = |what: &str| {
            Err(Fault {
                kind: FaultKind::Unreachable,
                what: format!("{pod}: {what}").into(),
            })
        };
        let cut = process.state().cut_until;
        let is_cut = cut.is_some_and(|until| until > tokio::time::Instant::now());
        let well = |took| {
            Ok(Said {
                status: 200,
                body: format!("{pod} of {colour}").into_bytes(),
                took: Duration::from_millis(took),
            })
        };
        let pods = lock(&world.meets).smoke;
        let said = match pods {
            _ if is_cut || !is_there => away("no way there"),
            Some(Pods::Wrong(at)) if at == turn => Ok(Said {
                status: 500,
                body: Vec::new(),
                took: Duration::from_millis(3),
            }),
            Some(Pods::Slow(at)) if at == turn => {
                pause(3).await;
                well(3_000)
            }
            Some(Pods::Away(at)) if at == turn => away("connection refused"),
            Some(Pods::Silent(at)) if at == turn => {
                pause(3_600).await;
                away("never")
            }
            Some(Pods::Gone(at)) if at == turn => {
                world.say(format!("somebody deletes {pod}"));
                let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}");
                world.ask("DELETE", &path, Value::Null).await;
                well(3)
            }
            Some(Pods::Rebuilt(at)) if at == turn => {
                rebuild(&world, &colour).await;
                well(3)
            }
            _ => well(3),
        };
        let is_well = matches!(&said, Ok(said) if said.status == 200 && said.took.as_secs() < 2);
        let operation = process.state().operation.clone();
        world.say(format!(
            "{process:?} asks {pod}: {}",
            if is_well { "well" } else { "ill" }
        ));
        let mut law = world.law();
        let test = law.tests.entry(operation).or_default();
        match is_well {
            true => {
                test.good.insert(template);
            }
            false => test.is_bad = true,
        }
        drop(law);
        said
    }
    .boxed()
}

/// Somebody gives that colour's frontend another image, past Wheelhouse.
async fn rebuild(world: &World, colour: &str) {
    let name = format!("digital-wall-{colour}-frontend");
    let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}");
    let image = "ghcr.io/acme/digitalwall-frontend:other";
    let patch = json!([{
        "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image,
    }]);
    world.say(format!("somebody gives {name} another image"));
    world.law().is_rebuilt = true;
    world.ask("PATCH", &path, patch).await;
}

impl World {
    /// Whether a pod is there and stays, its colour, and its template.
    async fn pod(&self, name: &str) -> (bool, String, String) {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}");
        let pod = self.ask("GET", &path, Value::Null).await;
        let meta = &pod["metadata"];
        let label = |key: &str| meta["labels"][key].as_str().unwrap_or_default().to_owned();
        let is_there = pod["kind"] == "Pod" && meta["deletionTimestamp"].is_null();
        (is_there, label("version"), label("pod-template-hash"))
    }

    /// The templates of the pods of a colour that stay.
    pub async fn templates_of(&self, colour: &str) -> BTreeSet<String> {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=version%3D{colour}");
        let pods = self.list(&path).await;
        let stays = pods.iter().map(|pod| &pod["metadata"]);
        let stays = stays.filter(|meta| meta["deletionTimestamp"].is_null());
        let hash = |meta: &Value| {
            meta["labels"]["pod-template-hash"]
                .as_str()
                .map(str::to_owned)
        };
        stays.filter_map(hash).collect()
    }

    /// The colour that takes no traffic.
    async fn idle(&self) -> &'static str {
        let service = self.service(SERVICES[0]).await;
        match service["spec"]["selector"]["version"] == "green" {
            true => "blue",
            false => "green",
        }
    }

    /// Whether somebody waits for an approval that nobody decided on.
    async fn is_asked(&self) -> bool {
        let path = format!(
            "/api/v1/namespaces/{RECORDS}/configmaps?labelSelector=wheelhouse.dev%2Frecord%3Dapproval"
        );
        let papers = self.list(&path).await;
        let of = |word: &'static str| {
            let papers = papers.iter().map(|paper| &paper["data"]);
            papers.filter(move |data| (data["decision"] == "asked") == (word == "asked"))
        };
        let decided: BTreeSet<String> = of("decided")
            .map(|data| data["request"].to_string())
            .collect();
        of("asked").any(|data| !decided.contains(&data["request"].to_string()))
    }
}

/// Whoever decides on what is asked for, as often as it is, until all is over.
pub async fn decide(world: Arc<World>, answer: Answer) {
    let chance = Chance::of(world.seed, "carol");
    for _ in 0..4 {
        while !world.is_asked().await {
            if world.is_over.load(Ordering::SeqCst) {
                return;
            }
            pause(2).await;
        }
        pause(chance.between(0, 30)).await;
        if world.is_over.load(Ordering::SeqCst) {
            return;
        }
        let process = Process::new(&world, "carol");
        process.enter("approve");
        let bastion = process.bastion();
        let work = word(&world, &bastion, answer, chance.between(0, 2));
        let said = process.run(work).await;
        world.say(format!("{process:?} {answer:?}: {said:?}"));
        if answer == Answer::Nothing {
            return;
        }
    }
}

/// As the command does it: looks, shows, writes.
async fn word(world: &World, bastion: &Bastion, answer: Answer, when: u64) -> Result<Safe, String> {
    let decision = match answer {
        Answer::Yes | Answer::YesToOther => Decision::Approved,
        Answer::No => Decision::Rejected,
        Answer::Nothing => return Err("nobody answers".to_owned()),
    };
    let words = |why: Refused| format!("{why:?}").chars().take(200).collect::<String>();
    let (_, papers, server) = approve::look(bastion).await.map_err(words)?;
    let mut id = None;
    for it in papers.waiting(LASTS_S, server) {
        if id.is_none() || !matches!(approve::void(bastion, it).await, Ok(Some(_))) {
            id = Some(it.id.clone());
        }
    }
    let id = id.ok_or("nothing waits")?;
    let idle = world.idle().await;
    if (answer, when) == (Answer::YesToOther, 0) {
        rebuild(world, idle).await;
    }
    let saw = world.templates_of(idle).await;
    let draft = approve::decide(bastion, &id, decision, &"it is due".into()).await;
    let draft = draft.map_err(words)?;
    if decision == Decision::Approved {
        let until = world.now() + 1_000 * u64::from(LASTS_S);
        world.law().approved.push((until, saw));
    }
    if (answer, when) == (Answer::YesToOther, 1) {
        rebuild(world, idle).await;
    }
    let said = approve::carry_out(bastion, &draft).await.map_err(words);
    if (answer, when) == (Answer::YesToOther, 2) {
        rebuild(world, idle).await;
    }
    said
}

/// Somebody freezes the environment, and perhaps thaws it.
pub async fn freeze(world: Arc<World>, from: u64, thaw: Thaw) {
    pause(from).await;
    let until = match thaw {
        Thaw::Itself(lasts) => {
            let at = world.now() + 1_000 * lasts;
            Some(world.epoch + SignedDuration::from_millis(i64::try_from(at).unwrap_or(0)))
        }
        Thaw::By(_) | Thaw::Never => None,
    };
    change(&world, Wanted::Freeze(until)).await;
    if let Thaw::By(lasts) = thaw {
        pause(lasts).await;
        change(&world, Wanted::Thaw).await;
    }
}

async fn change(world: &Arc<World>, wanted: Wanted) {
    for _ in 0..3 {
        let process = Process::new(world, "dave");
        process.enter("freeze");
        let bastion = process.bastion();
        let work = async {
            let draft = policy::plan(&bastion, &wanted, "simulated".into()).await;
            let draft = draft.map_err(|refusal| refusal.why)?;
            let done = policy::carry_out(&bastion, &draft).await;
            done.map_err(|why| policy::words(&why))
        };
        let said = process.run(work).await;
        world.say(format!("{process:?} {}: {said:?}", wanted.word()));
        if matches!(said, Some(Ok(_))) {
            return;
        }
        pause(1).await;
    }
}
