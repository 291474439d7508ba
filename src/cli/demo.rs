//! `demo`: the embedded estate in a process of its own, and the cockpit on it.
//!
//! The estate outlives the terminal: it ends 10 minutes after its last client, and a demo started
//! meanwhile joins it. KUBECONFIG and the user's configuration are not looked at.

mod colleague;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::exit::Exit;
use super::logging::state_dir;
use super::output::{complain, say};
use super::{cockpit, runtime, setup, status};
use crate::clients::demo::Control;
use crate::config::Config;
use crate::demo::{self, Options};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// What happens in it; `--scenario list` lists them.
    #[arg(long, value_name = "NAME", default_value = "calm")]
    scenario: String,
    /// A scenario of your own.
    #[arg(long, value_name = "FILE")]
    scenario_file: Option<PathBuf>,
    /// The seed of its chance.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Fill production up to about so many pods.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pods: usize,
    /// So many pod status changes a second.
    #[arg(long, value_name = "N", default_value_t = 0)]
    churn: u32,
    /// So many runs of 20 jobs in its GitHub.
    #[arg(long, value_name = "N", default_value_t = 0)]
    runs: usize,
    /// So many alerts that fire.
    #[arg(long, value_name = "N", default_value_t = 0)]
    alerts: usize,
    /// The port to serve at; 0 for a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Serve without a screen: print the addresses and a configuration for them, until interrupted.
    #[arg(long)]
    headless: bool,
    /// Print its status instead of showing the screen.
    #[arg(long)]
    status: bool,
    /// Start a new estate even if one is running.
    #[arg(long)]
    fresh: bool,
    /// Serve in the background for another process (how `demo` starts its estate).
    #[arg(long, hide = true)]
    served: bool,
}

/// How long an estate stays after its last client.
const IDLE: Duration = Duration::from_secs(600);

/// What the estate's GitHub lets in.
const GITHUB_TOKEN: &str = "demo-github";

/// The scenario in which production asks for another person.
const APPROVAL: &str = "approval";

/// Where a running estate is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Address {
    version: String,
    scenario: String,
    api: String,
    config: PathBuf,
    kubeconfig: PathBuf,
}

/// Runs the estate, or the cockpit on it.
pub(super) fn run(all: &super::Arguments, arguments: &Arguments) -> Exit {
    if arguments.scenario == "list" {
        for (name, description) in demo::scenarios() {
            say(&format!("{name:<14} {description}\n"));
        }
        return Exit::Ok;
    }
    let done = match arguments.headless || arguments.served {
        true => serve(arguments),
        false => show(all, arguments),
    };
    done.unwrap_or_else(|words| {
        complain(&format!("wheelhouse demo: {words}\n"));
        Exit::Usage
    })
}

/// The cockpit on a running estate, or on one that is started for it.
fn show(all: &super::Arguments, arguments: &Arguments) -> Result<Exit, String> {
    let address = match running(arguments) {
        Some(address) => address,
        None => start(arguments)?,
    };
    let text = fs::read_to_string(&address.config)
        .map_err(|e| format!("{}: {e}", address.config.display()))?;
    let file = address.config.display().to_string();
    let (config, warnings) = Config::parse(&text, &file).map_err(|p| p.to_string())?;
    let loaded = setup::loaded(config, &warnings, &address.config)?;
    if arguments.status || super::wants_plain(all) {
        return Ok(status::run(&loaded, &status::Arguments::default()));
    }
    let control = Control::new(&address.api).map_err(|f| f.what.to_string())?;
    Ok(cockpit(all, loaded, Some(control)))
}

/// The estate that runs already, if it is of this version and scenario, and answers.
fn running(arguments: &Arguments) -> Option<Address> {
    if arguments.fresh
        || arguments.scenario_file.is_some()
        || arguments.pods > 0
        || arguments.churn > 0
        || arguments.runs > 0
        || arguments.alerts > 0
    {
        return None;
    }
    let text = fs::read_to_string(home().ok()?.join("running.json")).ok()?;
    let address: Address = serde_json::from_str(&text).ok()?;
    if address.version != env!("CARGO_PKG_VERSION") || address.scenario != arguments.scenario {
        return None;
    }
    let control = Control::new(&address.api).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let state = runtime.block_on(control.state()).ok()?;
    // Another program may have got the port since.
    state.get("scenario").is_some().then_some(address)
}

/// Starts an estate in a session of its own and waits until it says where it is.
fn start(arguments: &Arguments) -> Result<Address, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    command.args(["demo", "--served", "--scenario", &arguments.scenario]);
    command.args([
        "--seed",
        &arguments.seed.to_string(),
        "--pods",
        &arguments.pods.to_string(),
    ]);
    command.args([
        "--churn",
        &arguments.churn.to_string(),
        "--port",
        &arguments.port.to_string(),
        "--runs",
        &arguments.runs.to_string(),
        "--alerts",
        &arguments.alerts.to_string(),
    ]);
    if let Some(file) = &arguments.scenario_file {
        command.arg("--scenario-file").arg(file);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|e| format!("cannot start the estate: {e}"))?;
    let mut first = String::new();
    if let Some(out) = child.stdout.take() {
        let _ = BufReader::new(out).read_line(&mut first);
    }
    if let Ok(address) = serde_json::from_str(&first) {
        return Ok(address);
    }
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    let words = String::from_utf8_lossy(&output.stderr);
    Err(words
        .trim()
        .trim_start_matches("wheelhouse demo: ")
        .to_owned())
}

/// Serves the estate until it has been idle for long, or is interrupted.
fn serve(arguments: &Arguments) -> Result<Exit, String> {
    if arguments.served {
        // Closing the terminal of whoever started it must not end the estate.
        let _ = rustix::process::setsid();
    }
    let runtime = runtime(2).map_err(|_| "no runtime".to_owned())?;
    let options = Options {
        scenario: arguments.scenario.clone(),
        scenario_file: arguments.scenario_file.clone(),
        seed: arguments.seed,
        pods: arguments.pods,
        churn: arguments.churn,
        runs: arguments.runs,
        alerts: arguments.alerts,
        port: arguments.port,
        idle_exit: arguments.served.then_some(IDLE),
    };
    runtime.block_on(async {
        let serving = demo::serve(options)
            .await
            .map_err(|fault| fault.to_string())?;
        let address = publish(arguments, &serving)
            .map_err(|e| format!("cannot write its configuration: {e}"))?;
        announce(arguments, &address);
        let kubeconfig = serving.manager_kubeconfig();
        let colleague = async {
            if arguments.scenario == APPROVAL {
                colleague::act(&address.config, &kubeconfig).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = serving.finished() => {}
            () = colleague => {}
            _ = tokio::signal::ctrl_c(), if arguments.headless => {}
        }
        let _ = fs::remove_dir_all(address.config.parent().unwrap_or(&address.config));
        Ok(Exit::Ok)
    })
}

fn announce(arguments: &Arguments, address: &Address) {
    if arguments.served {
        say(&format!(
            "{}\n",
            serde_json::to_string(address).unwrap_or_default()
        ));
        // Nobody reads any more: a line too many must not end the estate.
        crate::tui::tty::forget_output();
        return;
    }
    let (config, kubeconfig) = (address.config.display(), address.kubeconfig.display());
    say(&format!(
        "Kubernetes API  {}\nkubeconfig      {kubeconfig}\nconfiguration   {config}\n\n  wheelhouse --config {config}\n  kubectl --kubeconfig {kubeconfig} --namespace production get pods\n\nCtrl-C ends it.\n",
        address.api
    ));
}

/// Writes kubeconfig and configuration for the estate, and where it is, for those who come later.
fn publish(arguments: &Arguments, serving: &demo::Serving) -> std::io::Result<Address> {
    let home = home()?;
    let dir = home.join(serving.addr.port().to_string());
    make_private(&dir)?;
    let address = Address {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: arguments.scenario.clone(),
        api: format!("http://{}", serving.addr),
        config: dir.join("config.toml"),
        kubeconfig: dir.join("kubeconfig.yaml"),
    };
    write_private(&address.kubeconfig, serving.kubeconfig().as_bytes())?;
    let token = dir.join("github-token");
    write_private(&token, GITHUB_TOKEN.as_bytes())?;
    let asks = arguments.scenario == APPROVAL;
    let text = configuration(&address.kubeconfig, &serving.github_url(), &token, asks);
    write_private(&address.config, text.as_bytes())?;
    if arguments.served {
        write_private(&home.join("running.json"), &serde_json::to_vec(&address)?)?;
    }
    Ok(address)
}

/// How the rows of the example begin that only a deployment by a workflow has.
const OF_WORKFLOW: [&str; 4] = [
    "workflow = \"deploy.yml\"",
    "ref = ",
    "inputs = ",
    "timeout = 1800",
];

/// The shipped example, with this estate's kubeconfig in every environment and its GitHub, and a soak that
/// somebody has patience for; monitoring is behind the API server, as the example has it. Only where it `asks` a cutover
/// needs somebody else: whoever tries the demo is alone.
fn configuration(kubeconfig: &Path, github: &str, token: &Path, asks: bool) -> String {
    let example = include_str!("../../config.example.toml");
    let mut out = String::new();
    for row in example.lines() {
        match row.trim() {
            "[[environment]]" => {
                let kubeconfig = kubeconfig.display().to_string();
                out.push_str(&format!("{row}\nkubeconfig = {kubeconfig:?}\n"));
            }
            r#"api = "https://api.github.com""# => out.push_str(&format!("api = {github:?}\n")),
            r#"token = { env = "GITHUB_TOKEN" }"# => {
                let token = token.display().to_string();
                out.push_str(&format!("token = {{ file = {token:?} }}\n"));
            }
            // Its rules look back a minute and fire after half of one.
            "soak = 660" => out.push_str("soak = 120\n"),
            "interval = 10" => out.push_str("interval = 5\n"),
            // Its idle colour is asked by probes all the time: it would be draining for ever.
            row if row.starts_with("draining = ") => {}
            // Its GitHub starts no workflow.
            r#"strategy = "workflow""# => out.push_str("strategy = \"image\"\n"),
            row if OF_WORKFLOW.iter().any(|key| row.starts_with(key)) => {}
            // Whoever tries it deploys tags of their own, of which nobody built anything.
            "ci = true" => out.push_str("ci = false\n"),
            r#"approval = "one other person""# if !asks => out.push_str("approval = \"none\"\n"),
            _ => out.push_str(&format!("{row}\n")),
        }
    }
    out
}

fn home() -> std::io::Result<PathBuf> {
    let dir = state_dir()
        .ok_or_else(|| std::io::Error::other("no home directory is known"))?
        .join("demo");
    make_private(&dir)?;
    Ok(dir)
}

fn make_private(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

fn write_private(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = file.with_extension("new");
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    out.write_all(bytes)?;
    fs::rename(new, file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::{Approval, Deployment, Environment};

    #[test]
    fn helm_knows_the_kubeconfig_of_the_demo() {
        let is_of_demo = |file: &str| crate::clients::demo::is_kubeconfig(Path::new(file));
        // As `publish` names it.
        assert!(is_of_demo(
            "/home/dave/.local/state/wheelhouse/demo/4000/kubeconfig.yaml"
        ));
        assert!(!is_of_demo("/home/dave/demo/kubeconfig.yaml"));
        assert!(!is_of_demo("/home/dave/.kube/config"));
    }

    #[test]
    fn whoever_tries_the_demo_needs_nobody_else_but_where_that_is_the_story() {
        for (asks, wanted) in [(false, Approval::None), (true, Approval::Other)] {
            let paths = (Path::new("/k"), Path::new("/t"));
            let text = configuration(paths.0, "http://127.0.0.1:9", paths.1, asks);
            let (config, _) = Config::parse(&text, "demo.toml").unwrap();
            assert_eq!(config.environments[2].gates.approval, wanted);
        }
    }

    #[test]
    fn no_deployment_of_the_demo_is_by_a_workflow_that_its_github_cannot_start() {
        let text = configuration(
            Path::new("/k"),
            "http://127.0.0.1:9",
            Path::new("/t"),
            false,
        );
        let (config, _) = Config::parse(&text, "demo.toml").unwrap();
        let by_workflow =
            |it: &&Environment| matches!(it.deployment, Some(Deployment::Workflow(_)));
        assert_eq!(config.environments.iter().find(by_workflow), None);
    }
}
