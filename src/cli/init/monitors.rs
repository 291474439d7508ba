//! Which Service is Prometheus, which is Alertmanager: by name, label and port. Pure.

use crate::clients::kubernetes::FoundService;
use crate::estate::Safe;

/// Words of names of Services that belong to monitoring and are neither of the two.
const OTHERS: [&str; 15] = [
    "operator",
    "exporter",
    "pushgateway",
    "adapter",
    "blackbox",
    "grafana",
    "thanos",
    "webhook",
    "state",
    "msteams",
    "discord",
    "node",
    "coredns",
    "etcd",
    "kubelet",
];

/// A server of monitoring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Monitor {
    pub namespace: Safe,
    pub name: Safe,
    pub port: u16,
    /// Others that would do, the likelier first.
    pub others: Vec<String>,
}

impl Monitor {
    /// As the configuration writes it.
    pub fn address(&self) -> String {
        address(&self.namespace, &self.name, self.port)
    }
}

/// Prometheus, at 9090.
pub(super) fn prometheus(services: &[FoundService]) -> Option<Monitor> {
    find(services, "prometheus", 9090, "alertmanager")
}

/// Alertmanager, at 9093.
pub(super) fn alertmanager(services: &[FoundService]) -> Option<Monitor> {
    find(services, "alertmanager", 9093, "prometheus-operated")
}

fn address(namespace: &str, name: &str, port: u16) -> String {
    format!("{namespace}/{name}:{port}")
}

fn find(services: &[FoundService], word: &str, port: u16, not: &str) -> Option<Monitor> {
    let mut found: Vec<_> = (services.iter())
        .filter(|service| !service.name.contains(not))
        .filter_map(|service| {
            let (score, port) = score(service, word, port)?;
            let rank = (std::cmp::Reverse(score), service.name.len(), &service.name);
            Some((rank, service, port))
        })
        .collect();
    found.sort_by_key(|(rank, ..)| *rank);
    let all: Vec<String> = (found.iter())
        .map(|(_, service, port)| address(&service.namespace, &service.name, *port))
        .collect();
    let (_, service, port) = found.first()?;
    Some(Monitor {
        namespace: service.namespace.clone(),
        name: service.name.clone(),
        port: *port,
        others: all.into_iter().skip(1).take(5).collect(),
    })
}

/// How likely a Service is the one, and at which port; none where it is not.
fn score(service: &FoundService, word: &str, usual: u16) -> Option<(u8, u16)> {
    let words =
        |text: &str| -> Vec<String> { text.split(['-', '.']).map(str::to_lowercase).collect() };
    let name = words(&service.name);
    if name.iter().any(|part| OTHERS.contains(&part.as_str())) {
        return None;
    }
    let label = ["app.kubernetes.io/name", "app", "k8s-app"]
        .iter()
        .find_map(|key| service.labels.get(key));
    let is_labelled = label.is_some_and(|label| words(label).iter().any(|part| part == word));
    let is_named = name.iter().any(|part| part == word);
    if !is_labelled && !is_named {
        return None;
    }
    let by_number = service.ports.iter().find(|(_, number)| *number == usual);
    let by_name = || {
        let is_web = |name: &str| ["http-web", "web", "http"].contains(&name);
        service.ports.iter().find(|(name, _)| is_web(name))
    };
    let (_, port) = by_number.or_else(by_name)?;
    let is_usual = u8::from(*port == usual);
    let plain = u8::from(!service.is_headless);
    Some((
        4 * is_usual + 2 * u8::from(is_labelled) + u8::from(is_named) + 2 * plain,
        *port,
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn service(name: &str, label: &str, port: (&str, u16), is_headless: bool) -> FoundService {
        FoundService {
            namespace: "monitoring".into(),
            name: name.into(),
            labels: [("app".into(), label.into())].into_iter().collect(),
            ports: vec![(port.0.into(), port.1)],
            is_headless,
            ..FoundService::default()
        }
    }

    #[test]
    fn the_two_are_found_among_what_a_monitoring_stack_brings() {
        let web = ("http-web", 9090);
        let stack = [
            service("kps-grafana", "grafana", ("http-web", 80), false),
            service(
                "kps-kube-state-metrics",
                "kube-state-metrics",
                ("http", 8080),
                false,
            ),
            service(
                "kps-prometheus-node-exporter",
                "prometheus-node-exporter",
                ("http", 9100),
                false,
            ),
            service(
                "kps-prometheus-operator",
                "prometheus-operator",
                ("https", 443),
                false,
            ),
            service("prometheus-operated", "prometheus", web, true),
            service(
                "kps-prometheus",
                "kube-prometheus-stack-prometheus",
                web,
                false,
            ),
            service(
                "alertmanager-operated",
                "alertmanager",
                ("http-web", 9093),
                true,
            ),
            service(
                "kps-alertmanager",
                "kube-prometheus-stack-alertmanager",
                ("http-web", 9093),
                false,
            ),
        ];
        let found = prometheus(&stack).unwrap();
        assert_eq!(found.address(), "monitoring/kps-prometheus:9090");
        assert_eq!(found.others, ["monitoring/prometheus-operated:9090"]);
        let found = alertmanager(&stack).unwrap();
        assert_eq!(found.address(), "monitoring/kps-alertmanager:9093");
        assert_eq!(prometheus(&stack[..4]), None);
    }

    #[test]
    fn another_port_is_taken_by_its_name() {
        let odd = [service("prometheus", "", ("web", 80), false)];
        assert_eq!(
            prometheus(&odd).unwrap().address(),
            "monitoring/prometheus:80"
        );
        let none = [service("prometheus", "", ("grpc", 10901), false)];
        assert_eq!(prometheus(&none), None);
    }
}
