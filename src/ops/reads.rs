//! An estate of fresh reads: the same shape that watches fill, so that one check serves both.

use futures::future;

use super::approval::Papers;
use super::bastion::Bastion;
use super::{OperationKind, kept_selector, marks, policy, rights};
use crate::estate::{
    Approver, Autoscaler, Delta, Deployment, Estate, Fault, FaultKind, Kind, Lasting, Lease, Pod,
    Record, ReplicaSet, Safe, Seen, Service, Slice,
};

/// Everything that a plan hangs on, read now, all at once.
///
/// # Errors
/// The first fault of what a forward move cannot do without.
pub async fn fresh(bastion: &Bastion) -> Result<Estate, Fault> {
    let (cluster, answer) = (&bastion.cluster, bastion.timing.answer);
    let (everything, slices) = ("", bastion.scope.slices());
    let leases = super::lease_selector();
    let records = kept_selector(bastion);
    let ((services, slices, deployments), (pods, autoscalers, leases), (records, policy)) =
        future::join3(
            future::join3(
                cluster.list::<Service>(everything, answer),
                cluster.list::<Slice>(&slices, answer),
                cluster.list::<Deployment>(&bastion.selector, answer),
            ),
            future::join3(
                cluster.list::<Pod>(&bastion.selector, answer),
                cluster.list::<Autoscaler>(everything, answer),
                cluster.list::<Lease>(&leases, answer),
            ),
            future::join(
                cluster.list::<Record>(&records, answer),
                policy::read(bastion),
            ),
        )
        .await;
    let mut estate = Estate::new(bastion.scope.clone(), None);
    tell(
        bastion,
        &mut estate,
        Kind::Services,
        Seen::Services,
        services?,
    );
    tell(
        bastion,
        &mut estate,
        Kind::EndpointSlices,
        Seen::Slices,
        slices?,
    );
    tell(
        bastion,
        &mut estate,
        Kind::Deployments,
        Seen::Deployments,
        deployments?,
    );
    tell(bastion, &mut estate, Kind::Pods, Seen::Pods, pods?);
    tell(bastion, &mut estate, Kind::Leases, Seen::Leases, leases?);
    // Without them no Lease counts as left for good, and nothing as approved.
    match records {
        Ok(records) => tell(bastion, &mut estate, Kind::Records, Seen::Records, records),
        Err(fault) => {
            let now = bastion.clock.now();
            estate.apply(Seen::Failed(Kind::Records, fault), now);
        }
    }
    match autoscalers {
        Ok(list) => {
            let kind = Kind::HorizontalPodAutoscalers;
            tell(bastion, &mut estate, kind, Seen::Autoscalers, list);
        }
        // An API without autoscaling has none, and what we may not read is not known: the plan says so.
        Err(fault) if matches!(fault.kind, FaultKind::Forbidden | FaultKind::Missing) => {
            let now = bastion.clock.now();
            estate.apply(Seen::Failed(Kind::HorizontalPodAutoscalers, fault), now);
        }
        // Not answered is not none: they would shrink a colour meanwhile (I-5).
        Err(fault) => return Err(fault),
    }
    policy::put(bastion, &mut estate, policy).await;
    if let Some(what) = kept_elsewhere(bastion, &estate) {
        let kind = FaultKind::Config;
        let now = bastion.clock.now();
        estate.apply(Seen::Failed(Kind::Policy, Fault { kind, what }), now);
    }
    // An approval ends by the server's clock.
    let is_timed = estate.approver() == Approver::Other && estate.cluster.skew_ms.is_none();
    if is_timed && !Papers::in_estate(&estate).all.is_empty() {
        policy::ask_clock(bastion, &mut estate).await;
    }
    estate.user = Some(bastion.person.user.clone());
    estate.credential = credential(bastion).await;
    Ok(estate)
}

/// Who operates here keeps records in another namespace: a policy, a freeze, an approval and what is under way would be looked
/// for where nobody writes them (SAFETY, rule 13).
fn kept_elsewhere(bastion: &Bastion, estate: &Estate) -> Option<Safe> {
    let ours = bastion.cluster.records();
    let services = estate.scope.traffic.iter().flat_map(|it| &it.services);
    let deployments = estate.deployments_in(None).map(|(_, d)| &d.name);
    let locks = (services.cloned()).chain(deployments.map(|it| marks::lock_of_deployment(it)));
    let elsewhere = |lock: Safe| {
        let name = marks::lease_name(&lock);
        let lease = estate.leases.value.get(name.as_str())?;
        let told = lease.marks.get(marks::RECORDS)?.clone();
        (told.as_str() != ours).then_some((name, told))
    };
    let (names, told): (Vec<String>, Vec<Safe>) = locks.filter_map(elsewhere).unzip();
    let told = told.first()?;
    let said = format!(
        "operations keep their records, policy and freezes in namespace {told}, as Lease {} says, and this configuration in {ours}: \
         set `records = \"{told}\"`; if they moved here, `kubectl annotate --overwrite lease {} {}={ours}`",
        names[0],
        names.join(" "),
        marks::RECORDS
    );
    Some(said.into())
}

/// How long we can show who we are. Nothing is asked of anybody.
pub(super) async fn credential(bastion: &Bastion) -> Option<Lasting> {
    let credential = bastion.cluster.credential().await;
    credential.map(|it| Lasting {
        way: it.way,
        until: it.expires,
        is_renewed: it.is_renewed,
    })
}

/// The same for a plan of that kind: how long a colour is kept ends by the server's clock, as an approval does.
///
/// # Errors
/// As [`fresh`].
pub async fn for_plan(bastion: &Bastion, kind: OperationKind) -> Result<Estate, Fault> {
    let mut estate = fresh(bastion).await?;
    if kind == OperationKind::Cleanup && estate.cluster.skew_ms.is_none() {
        policy::ask_clock(bastion, &mut estate).await;
    }
    Ok(estate)
}

/// Asks whether we may do what a forward move does, and puts it down in `estate` (K02).
pub async fn rights(bastion: &Bastion, estate: &mut Estate, kind: OperationKind) {
    let mut wanted = rights::wanted(estate, &bastion.probes, bastion.cluster.records());
    wanted.retain(|(need, _)| kind.needs(*need));
    let cluster = &bastion.cluster;
    estate.rights = cluster.granted(&wanted, bastion.timing.answer).await;
}

/// What a rollback needs: the Services, the pods, and who holds the Leases, as far as they are told; without
/// colours the Deployments too.
///
/// # Errors
/// The fault of the Services, the pods or the Deployments.
pub async fn least(bastion: &Bastion) -> Result<Estate, Fault> {
    let (cluster, answer) = (&bastion.cluster, bastion.timing.answer);
    let leases = super::lease_selector();
    let (services, pods, leases, deployments) = future::join4(
        services(bastion),
        cluster.list::<Pod>(&bastion.selector, answer),
        cluster.list::<Lease>(&leases, answer),
        deployments(bastion),
    )
    .await;
    let mut estate = Estate::new(bastion.scope.clone(), None);
    tell(
        bastion,
        &mut estate,
        Kind::Services,
        Seen::Services,
        services?,
    );
    tell(bastion, &mut estate, Kind::Pods, Seen::Pods, pods?);
    if let Ok(leases) = leases {
        tell(bastion, &mut estate, Kind::Leases, Seen::Leases, leases);
    }
    if let Some(deployments) = deployments? {
        let kind = Kind::Deployments;
        tell(bastion, &mut estate, kind, Seen::Deployments, deployments);
    }
    Ok(estate)
}

/// The records, where a Lease of the switch is missing: the epochs of an operation that died before its first patch
/// stand nowhere else. While nobody has confirmed anything there is some time for it; whatever fails is done without.
pub async fn epochs(bastion: &Bastion, estate: &mut Estate) {
    let mut services = (bastion.scope.traffic.iter()).flat_map(|switch| &switch.services);
    let is_there = |service: &Safe| {
        let name = super::marks::lease_name(service);
        estate.leases.value.get(name.as_str()).is_some()
    };
    if services.all(is_there) {
        return;
    }
    let (selector, answer) = (
        super::record_selector(bastion),
        bastion.hurried().timing.answer,
    );
    if let Ok(records) = bastion.cluster.list::<Record>(&selector, answer).await {
        tell(bastion, estate, Kind::Records, Seen::Records, records);
    }
}

/// The Deployments, as far as they are told.
pub async fn deployed(bastion: &Bastion, estate: &mut Estate) {
    let (cluster, answer) = (&bastion.cluster, bastion.timing.answer);
    if let Ok(list) = (cluster.list::<Deployment>(&bastion.selector, answer)).await {
        tell(bastion, estate, Kind::Deployments, Seen::Deployments, list);
    }
}

/// What tells what ran before: the Deployments, or their ReplicaSets where those were read already. Whoever may not see them
/// has what there is.
pub async fn past(bastion: &Bastion, estate: &mut Estate) {
    let has_colours = bastion.scope.traffic.is_some();
    // Who flipped by Wheelhouse last left word of what ran: then nobody waits for more.
    let is_flipped =
        (estate.services.value.iter()).any(|service| marks::flipped(service).is_some());
    if has_colours && is_flipped {
        return deployed(bastion, estate).await;
    }
    let hurried = has_colours.then(|| bastion.hurried());
    let answer = hurried.as_ref().unwrap_or(bastion).timing.answer;
    let sets = bastion
        .cluster
        .list::<ReplicaSet>(&bastion.selector, answer);
    let sets = match has_colours {
        true => future::join(sets, deployed(bastion, estate)).await.0,
        false => sets.await,
    };
    if let Ok(sets) = sets {
        tell(bastion, estate, Kind::ReplicaSets, Seen::ReplicaSets, sets);
    }
}

/// The Deployments, where these are what is rolled back.
async fn deployments(bastion: &Bastion) -> Result<Option<Vec<Deployment>>, Fault> {
    if bastion.scope.traffic.is_some() {
        return Ok(None);
    }
    let (cluster, answer) = (&bastion.cluster, bastion.timing.answer);
    let list = cluster.list::<Deployment>(&bastion.selector, answer);
    list.await.map(Some)
}

/// The Services of the switch, one by one: a namespace may have many others.
///
/// # Errors
/// The first fault.
pub async fn services(bastion: &Bastion) -> Result<Vec<Service>, Fault> {
    let names: Vec<Safe> = (bastion.scope.traffic.iter())
        .flat_map(|switch| switch.services.iter().cloned())
        .collect();
    let get = |name: Safe| async move {
        bastion
            .cluster
            .get::<Service>(&name, bastion.timing.answer)
            .await
    };
    let read = future::try_join_all(names.into_iter().map(get)).await?;
    Ok(read.into_iter().flatten().collect())
}

/// Folds a whole listing in, as current.
pub(super) fn tell<T>(
    bastion: &Bastion,
    estate: &mut Estate,
    kind: Kind,
    seen: fn(Delta<T>) -> Seen,
    objects: Vec<T>,
) {
    let now = bastion.clock.now();
    for delta in [Delta::Began, Delta::Page(objects), Delta::Ended] {
        estate.apply(seen(delta), now);
    }
    estate.apply(Seen::Opened(kind), now);
}
