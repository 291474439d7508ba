//! 5,000 pods on the real plane: how soon they are on the screen, and what watching them costs.
//!
//! For `.ci/full`: `cargo test --release --test real -- --ignored --nocapture load`. The limits hold
//! for a release build (or what BUDGETS_BIN names); a debug build only prints its figures.

use super::{Cockpit, LONG};
use crate::estate::{Home, is_measured};
use crate::fleet;
use crate::plane::Plane;
use crate::proxy::Proxy;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const HERE: &str = "crowd";
const PODS: usize = 5_000;
/// Alternations of what is compared, as many as `benches/budgets` has.
const TIMES: usize = 7;
/// How long the cockpit is left alone to see what it costs then.
const IDLE: Duration = Duration::from_secs(60);
const MIB: f64 = 1024.0 * 1024.0;

/// What curl needs for the raw list, the least that anybody could do.
struct Curl {
    url: String,
    token: String,
    authority: PathBuf,
}

impl Curl {
    fn new(plane: &Plane, home: &Home) -> Self {
        plane.grant("operator", "view", HERE);
        let yaml = plane.kubeconfig_yaml("operator");
        let (_, token) = yaml.split_once("token: ").unwrap();
        let token = token.split(['}', '\n']).next().unwrap().to_owned();
        Self {
            url: format!("{}/api/v1/namespaces/{HERE}/pods", plane.api_url()),
            token,
            authority: home.write("ca.pem", plane.ca_pem()),
        }
    }

    /// How long the list takes, and its bytes, with arguments of one's own.
    fn list(&self, more: &[&str]) -> (Duration, usize) {
        let started = Instant::now();
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--fail", "--noproxy", "*"]);
        curl.args(more).arg("--cacert");
        curl.arg(&self.authority).arg("--header");
        curl.arg(format!("Authorization: Bearer {}", self.token));
        let out = curl.arg(&self.url).output().expect("curl is there");
        assert!(out.status.success(), "{}", out.status);
        (started.elapsed(), out.stdout.len())
    }
}

/// The kubeconfig with the server behind a proxy that counts.
fn through(plane: &Plane, home: &Home) -> (Proxy, PathBuf) {
    let server = plane.api_url();
    let proxy = Proxy::start(server.strip_prefix("https://").unwrap().parse().unwrap());
    let here = format!("https://{}", proxy.addr);
    let text = plane.kubeconfig_yaml("admin").replace(&server, &here);
    assert!(text.contains(&here), "the proxy is in the kubeconfig");
    let path = home.write("kubeconfig", &text);
    (proxy, path)
}

/// A cockpit with every pod on its screen, and how long that took from its start.
fn show(kubeconfig: &Path) -> (Cockpit, Duration) {
    let started = Instant::now();
    let cockpit = Cockpit::start(kubeconfig, HERE);
    let count = format!("  {PODS} pods ");
    cockpit.wait("every pod", 2 * LONG, |text| text.contains(&count));
    let took = started.elapsed();
    cockpit.wait_words(&["k8s live"]);
    (cockpit, took)
}

/// The middle one of several.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Says a figure, and holds the release build to its limit.
fn limit(name: &str, figure: f64, most: f64, unit: &str) {
    println!("{name}: {figure:.2} {unit} (limit {most} {unit})");
    assert!(!is_measured() || figure <= most, "{name}: {figure} {unit}");
}

#[test]
#[ignore = "5,000 pods: a measurement for .ci/full, by name"]
fn five_thousand_pods_are_on_the_screen_in_seconds() {
    let plane = fleet::plane_with_pods(HERE, PODS);
    let home = Home::new();
    let curl = Curl::new(&plane, &home);
    let (mut plain, mut packed, mut screens) = (Vec::new(), Vec::new(), Vec::new());
    // In turns, so that a busy moment of the machine meets them all; none through the proxy.
    for _ in 0..TIMES {
        plain.push(curl.list(&[]).0);
        packed.push(curl.list(&["--compressed"]).0);
        let (cockpit, took) = show(&plane.kubeconfig_admin());
        screens.push(took);
        let (plain, packed) = (plain[plain.len() - 1], packed[packed.len() - 1]);
        println!("list {plain:.2?}, in gzip {packed:.2?}, screen {took:.2?}");
        cockpit.quit();
    }
    let [plain, packed, screen] = [plain, packed, screens].map(|it| median(it).as_secs_f64());
    let bytes = curl.list(&[]).1 as f64 / MIB;
    println!(
        "curl's raw list ({bytes:.1} MiB): {plain:.2} s; asked for gzip, as we do: {packed:.2} s"
    );
    println!("from start to every pod on the screen: {screen:.2} s");
    limit(
        "as a multiple of curl's raw list",
        screen / plain,
        1.3,
        "times",
    );
    println!("as a multiple of it in gzip: {:.2} times", screen / packed);

    let (proxy, kubeconfig) = through(&plane, &home);
    let (cockpit, _) = show(&kubeconfig);
    let first = proxy.received() as f64 / MIB;
    println!("read for the first screen: {first:.1} MiB");
    idle(&cockpit, &proxy);
    cockpit.quit();
}

/// What a minute costs in which nothing happens but heartbeats of nodes.
fn idle(cockpit: &Cockpit, proxy: &Proxy) {
    let process = cockpit.pty.process();
    let (bytes, cpu, since) = (proxy.received(), process.cpu(), Instant::now());
    crate::pty::wait_until("the minute to end", 2 * IDLE, || since.elapsed() >= IDLE);
    let seconds = since.elapsed().as_secs_f64();
    let rate = (proxy.received() - bytes) as f64 / seconds;
    limit("idle, bytes from the API server", rate, 1024.0, "B/s");
    let cpu = (process.cpu() - cpu).as_secs_f64() / seconds;
    limit("idle, processor", cpu * 100.0, 1.0, "%");
    limit("resident", process.resident() as f64 / MIB, 100.0, "MiB");
}
