//! Where operations are done from: the cluster as it is reached, the person, the clocks and chance.
//!
//! Clocks and chance are arguments, so that a simulation owns both.

use std::fmt;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::OperationKind;
use super::hook::Hook;
use super::marks;
use super::monitoring::{Monitoring, Monitors};
use super::plan::{How, Probe};
use crate::clients::github;
use crate::clients::kubernetes::{self, Cluster};
use crate::estate::{Fault, FaultKind, Moment, Now, Safe, Scope};

/// Bytes of an account's name that is claimed.
const LONGEST_NAME: usize = 100;

/// How long what may take, and how often what is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// How long a Lease is good for without renewal.
    pub lease: Duration,
    /// How often it is renewed.
    pub renew: Duration,
    /// After so long without a renewal the worker writes nothing more.
    pub give_up: Duration,
    /// For the answer to one request.
    pub answer: Duration,
    /// For EndpointSlices to say that traffic has moved, and for pods that are gone in a soak to come again.
    pub moved: Duration,
    /// For a Deployment to roll out.
    #[serde(default = "rollout")]
    pub rollout: Duration,
    /// For a selector that somebody else changed meanwhile to be put right, before the operation ends.
    pub patience: Duration,
    /// Between two tries to find something out.
    pub pause: Duration,
    /// Whether chance adds to the pauses of watches; off where time is a simulation's.
    pub jitter: bool,
}

/// For the answer to what a rollback can do without.
const HURRIED: Duration = Duration::from_secs(2);

/// As long as a Deployment's own deadline, where it sets none.
fn rollout() -> Duration {
    Duration::from_secs(600)
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            lease: seconds(60),
            renew: seconds(10),
            give_up: seconds(40),
            answer: seconds(10),
            moved: seconds(60),
            rollout: rollout(),
            patience: seconds(600),
            pause: seconds(1),
            jitter: true,
        }
    }
}

/// Both clocks, and chance.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    boot: Arc<dyn Fn() -> Moment + Send + Sync>,
    chance: Arc<dyn Fn() -> u128 + Send + Sync>,
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Clock {
    /// Clocks and chance of the caller's.
    pub fn new(
        wall: impl Fn() -> Timestamp + Send + Sync + 'static,
        boot: impl Fn() -> Moment + Send + Sync + 'static,
        chance: impl Fn() -> u128 + Send + Sync + 'static,
    ) -> Self {
        Self {
            wall: Arc::new(wall),
            boot: Arc::new(boot),
            chance: Arc::new(chance),
        }
    }

    /// Both.
    pub fn now(&self) -> Now {
        Now {
            wall: (self.wall)(),
            at: (self.boot)(),
        }
    }

    /// The wall clock: for what is written.
    pub fn wall(&self) -> Timestamp {
        (self.wall)()
    }

    /// The clock that counts suspend: for what is measured.
    pub fn boot(&self) -> Moment {
        (self.boot)()
    }

    /// A name for an operation: its beginning and 80 random bits, in lower case as Kubernetes wants it.
    pub fn operation_id(&self) -> Safe {
        let at = u64::try_from(self.wall().as_millisecond()).unwrap_or(0);
        let id = ulid::Ulid::from_parts(at, (self.chance)());
        id.to_string().to_lowercase().into()
    }

    /// Some digits that nobody else has.
    pub fn nonce(&self) -> String {
        let all = (self.chance)();
        format!("{:08x}", all & 0xffff_ffff)
    }
}

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The API's user, as SelfSubjectReview names it.
    pub user: Safe,
    /// OS user and host.
    pub seat: Safe,
    /// What a Lease says: user, host, boot id and random, so that two bastions of one name differ.
    pub holder: Safe,
}

impl Person {
    /// As entries name them.
    pub fn words(&self) -> Safe {
        match self.user.is_empty() {
            true => self.seat.clone(),
            false => format!("{} ({})", self.user, self.seat).into(),
        }
    }
}

/// A bug that the simulation must catch; nothing else ever plants one.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Writes do not test the epoch.
    NoEpochTest,
    /// A lost reply is answered by sending again.
    BlindResend,
    /// The Lease is named by the configuration's environment.
    LeaseByConfig,
    /// A rollback waits until the Lease is free.
    RollbackWaits,
    /// The watch after the flip counts the wall clock.
    SoakByWallClock,
    /// A gate passes on a query that gives NaN.
    NanPasses,
    /// A clean-up goes by the colour in its record, and does not look at the Services again.
    RecordedColour,
    /// The autoscalers are left as they are: they may shrink a colour meanwhile.
    NotHeld,
    /// A smoke test stands though the pods changed since the plan.
    SmokeKept,
    /// An approval stands though the revision changed since the plan.
    ApprovalKept,
}

/// Where operations are done from.
#[derive(Clone, Debug)]
pub struct Bastion {
    /// The cluster, as the environment's namespace is reached.
    pub cluster: Cluster,
    /// What the environment consists of.
    pub scope: Scope,
    /// The label selector of its pods and Deployments.
    pub selector: String,
    /// Both clocks, and chance.
    pub clock: Clock,
    /// Who acts.
    pub person: Person,
    /// How long what may take.
    pub timing: Timing,
    /// What monitoring is asked; none where no Prometheus is configured.
    pub monitoring: Option<Monitoring>,
    /// How GitHub is reached, for deploys by a workflow.
    pub github: Option<github::Target>,
    /// How the environment is deployed, by the configuration here.
    pub how: How,
    /// How it is tested, by the configuration here.
    pub probes: Vec<Probe>,
    /// Who is told of its operations, by the configuration here.
    pub hooks: Vec<Hook>,
    /// Where journals are; none where there are none (a simulation).
    pub journals: Option<PathBuf>,
    #[doc(hidden)]
    pub planted: Option<Planted>,
}

impl Bastion {
    /// The same with little patience for answers: for what a rollback writes beside its patches and does not wait for (SAFETY,
    /// rule 9). What is not answered by then may be done all the same, and is looked for.
    pub fn hurried(&self) -> Self {
        let timing = Timing {
            answer: self.timing.answer.min(HURRIED),
            ..self.timing
        };
        Self {
            timing,
            ..self.clone()
        }
    }

    /// Whether the simulation planted that bug here.
    pub(super) fn has(&self, planted: Planted) -> bool {
        self.planted == Some(planted)
    }

    /// The Lease of a lock.
    pub(super) fn lease_name(&self, service: &str) -> String {
        match self.has(Planted::LeaseByConfig) {
            true => marks::lease_name(&format!("{}-{service}", self.scope.name)),
            false => marks::lease_name(service),
        }
    }
}

/// Where an environment is and what it consists of, fixed when the plan is shown (I-47).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The kubeconfig; none for the one that kubectl would take.
    pub kubeconfig: Option<PathBuf>,
    /// The context; none for the current one.
    pub context: Option<String>,
    /// The namespace of the records; none for the environment's own.
    pub records: Option<String>,
    /// The label selector of its pods and Deployments.
    pub selector: String,
    /// What it consists of.
    pub scope: Scope,
    /// How long what may take.
    pub timing: Timing,
    /// What monitoring is asked: addresses, and where tokens are found; no secret.
    pub monitors: Option<Monitors>,
    /// Where journals are.
    pub journals: Option<PathBuf>,
    /// How GitHub is reached, for deploys by a workflow.
    #[serde(default)]
    pub github: Option<github::Target>,
    /// How it is deployed.
    #[serde(default)]
    pub how: How,
    /// How it is tested.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// Who is told of its operations.
    #[serde(default)]
    pub hooks: Vec<Hook>,
}

impl Bastion {
    /// Connects to `place`, and asks who we are there.
    ///
    /// # Errors
    /// The kubeconfig's, the way's, or the credential's fault.
    pub async fn connect(place: &Place) -> Result<Self, Fault> {
        Self::reach(place, false).await
    }

    /// The same for an operation of that kind: a name is evidence, and no rollback waits for it, nor because an overloaded
    /// server asks for it (SAFETY, rule 9).
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_for(place: &Place, kind: OperationKind) -> Result<Self, Fault> {
        Self::reach(place, kind == OperationKind::Rollback).await
    }

    async fn reach(place: &Place, may_be_nameless: bool) -> Result<Self, Fault> {
        let target = kubernetes::Target {
            kubeconfig: place.kubeconfig.clone(),
            context: place.context.clone(),
            namespace: place.scope.namespace.to_string(),
            records: place.records.clone(),
        };
        let cluster = kubernetes::connect(&target).await?;
        let answer = match may_be_nameless {
            // The first request opens the connection.
            true => {
                cluster.urge();
                place.timing.answer.min(2 * HURRIED)
            }
            false => place.timing.answer,
        };
        // Not every server has the review: then the seat alone says who it is.
        let user = match cluster.whoami(answer).await {
            Ok(user) => user,
            Err(fault) if matches!(fault.kind, FaultKind::Missing | FaultKind::Forbidden) => {
                "".into()
            }
            Err(fault) if may_be_nameless && fault.kind != FaultKind::Config => {
                tracing::warn!(%fault.what, "who this is was not told");
                "".into()
            }
            Err(fault) => return Err(fault),
        };
        Ok(Self {
            cluster,
            scope: place.scope.clone(),
            selector: place.selector.clone(),
            clock: Clock::of_this_machine(),
            person: Person::of_this_process(user),
            timing: place.timing,
            monitoring: place.monitors.as_ref().map(Monitoring::of),
            journals: place.journals.clone(),
            github: place.github.clone(),
            how: place.how.clone(),
            probes: place.probes.clone(),
            hooks: place.hooks.clone(),
            planted: None,
        })
    }
}

impl Clock {
    /// The machine's own clocks and chance.
    pub fn of_this_machine() -> Self {
        Self::new(Timestamp::now, boottime, chance)
    }
}

/// CLOCK_BOOTTIME: it counts suspend, as `Instant` does not.
fn boottime() -> Moment {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
    Moment(seconds * 1_000 + nanos / 1_000_000)
}

/// 128 bits of the kernel's chance; where it cannot be had, of this process's hasher.
fn chance() -> u128 {
    let mut bytes = [0; 16];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    if read.is_ok() {
        return u128::from_le_bytes(bytes);
    }
    let half = || u128::from(std::hash::RandomState::new().hash_one(std::process::id()));
    half() << 64 | half()
}

impl Person {
    /// Who runs this process: `user` is what the API calls them.
    pub fn of_this_process(user: Safe) -> Self {
        let seat = seat();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let boot: String = boot.chars().take(8).collect();
        let nonce = Clock::of_this_machine().nonce();
        Self {
            holder: format!("{seat}/{boot}/{nonce}").into(),
            seat,
            user,
        }
    }
}

/// Who sits here, as colleagues know them: the account and the machine. Who may do what goes by the API's user alone.
pub fn seat() -> Safe {
    let (user, accounts, claims) = who();
    let name = account(user, &accounts, &claims);
    let host = rustix::system::uname();
    Safe::new(&format!("{name}@{}", host.nodename().to_string_lossy()))
}

/// The name that this account has on this machine, as far as that is known.
pub(super) fn login() -> Option<String> {
    let (user, accounts, claims) = who();
    let claimed = || claims.into_iter().find(|name| is_plain(name));
    listed(user, &accounts).or_else(claimed)
}

/// The number of the account, the machine's list, and what is claimed.
fn who() -> (u32, String, [String; 2]) {
    let user = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let claims = ["LOGNAME", "USER"].map(|name| std::env::var(name).unwrap_or_default());
    (user, accounts, claims)
}

/// The account's name as the machine's own list has it. Accounts of a directory are not in there: for them it is the first
/// plain name of `claims`, which anybody can set; the number beside it nobody can.
fn account(user: u32, accounts: &str, claims: &[String]) -> String {
    if let Some(name) = listed(user, accounts) {
        return name;
    }
    match claims.iter().find(|name| is_plain(name)) {
        Some(name) => format!("{name} (uid {user})"),
        None => format!("uid {user}"),
    }
}

fn listed(user: u32, accounts: &str) -> Option<String> {
    let of = |line: &str| {
        let mut parts = line.split(':');
        let (name, _, id) = (parts.next()?, parts.next()?, parts.next()?);
        (id.parse() == Ok(user)).then(|| name.to_owned())
    };
    accounts.lines().find_map(of)
}

/// Whether it is a name as directories have them, `ann@corp.example` and `CORP\ann` among them.
fn is_plain(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-@\\".contains(c);
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_of_a_directory_is_known_by_the_name_it_claims_with_its_number() {
        let accounts = "root:x:0:0::/root:/bin/sh\nal:x:1000:1000::/home/al:/bin/sh\n";
        let of = |user, claims: [&str; 2]| account(user, accounts, &claims.map(str::to_owned));
        assert_eq!(of(1000, ["root", "root"]), "al", "the machine knows better");
        let big = 1_734_201_123;
        for (claims, name) in [
            (["ann", "ben"], "ann (uid 1734201123)"),
            (["", "ann.o-k_1"], "ann.o-k_1 (uid 1734201123)"),
            (
                ["ann@corp.example", ""],
                "ann@corp.example (uid 1734201123)",
            ),
            (["CORP\\ann", ""], "CORP\\ann (uid 1734201123)"),
            (["", ""], "uid 1734201123"),
            (["al (uid 1000)", "a/b"], "uid 1734201123"),
            (["a\u{202e}b", "a:b"], "uid 1734201123"),
        ] {
            assert_eq!(of(big, claims), name);
        }
        let long = "a".repeat(LONGEST_NAME + 1);
        assert_eq!(of(big, [&long, "ann"]), "ann (uid 1734201123)");
    }
}
