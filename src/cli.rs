//! The command line: the cockpit by default, `status` and `doctor` as text or JSON, `demo`, `init`.
//!
//! The only place that names [`crate::demo`], and the only one that prints.

pub mod exit;

mod approval;
mod demo;
mod doctor;
mod freeze;
mod init;
mod logging;
mod manners;
mod monitoring;
mod op;
mod operate;
mod output;
mod setup;
mod status;
mod warm;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::app::write;
use crate::config;
use crate::ops::OperationKind;
use crate::tui::{self, Ending, Outside};
use exit::Exit;
use output::{complain, say};
use setup::Loaded;

/// A terminal cockpit for releases: workflow runs, pod health, alerts and blue-green traffic on one screen.
#[derive(Debug, Parser)]
#[command(version, after_help = exit::TABLE)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Verb>,
    /// The configuration file (else $WHEELHOUSE_CONFIG, else the standard place).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// When to use colours.
    #[arg(
        long,
        visible_alias = "colour",
        global = true,
        value_name = "WHEN",
        default_value = "auto"
    )]
    color: When,
    /// Draw with plain ASCII.
    #[arg(long, global = true)]
    ascii: bool,
    /// Lines of text instead of a screen (also ACCESSIBLE=1).
    #[arg(long, global = true)]
    plain: bool,
    /// Allow changes in read-only environments, too, for so long: 15m unless said (at most 8h).
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "15m",
        value_parser = window
    )]
    write: Option<u64>,
}

/// The window of `--write=TIME`, in milliseconds.
fn window(text: &str) -> Result<u64, String> {
    match write::parse(text) {
        Ok(Some(ms)) => Ok(ms),
        Ok(None) | Err(_) => Err("a time such as 15m or 1h, at most 8h".to_owned()),
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum When {
    /// As terminal and environment say.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print what the cockpit shows, as text or JSON, and answer with the exit code.
    Status(status::Arguments),
    /// Try it: a simulated blue-green estate on this machine; needs no network and no configuration.
    Demo(demo::Arguments),
    /// Write a configuration from what is found here, with a reason for each choice.
    Init(init::Arguments),
    /// Move an environment's traffic to the other colour, with every check, watched.
    Cutover(operate::Arguments),
    /// Move it back: needs nothing but the Kubernetes API and ready pods to go back to.
    #[command(mut_arg("overrides", |it| it.hide(true)))]
    Rollback(operate::Arguments),
    /// Make selectors what was meant, where somebody changed them.
    Repair(operate::Arguments),
    /// Let nothing move forward in an environment: who, why, until when. A rollback is never stopped.
    Freeze(freeze::Freeze),
    /// End a freeze.
    Thaw(freeze::Common),
    /// Give the idle colour other images and wait until it is whole; without colours, in place.
    Deploy(operate::Deploy),
    /// All of it as one: deploy to the idle colour, test it, wait for the approval, cut over, and watch.
    #[command(
        mut_arg("recover", |it| it.hide(true)),
        mut_arg("break_glass", |it| it.hide(true))
    )]
    Release(operate::Deploy),
    /// Ask every ready pod of the idle colour by itself, as the configuration says, and record what was tested.
    #[command(mut_arg("overrides", |it| it.hide(true)))]
    Smoke(operate::Arguments),
    /// Scale the colour that traffic left to 0, when it is kept no longer: the end of the fast way back.
    #[command(mut_arg("overrides", |it| it.hide(true)))]
    Cleanup(operate::Arguments),
    /// How long the colour that traffic left is kept as it is: hold it, extend that, or let it go.
    #[command(subcommand)]
    Warm(warm::Verb),
    /// Another person's approval of a cutover: ask for it, list what waits, approve, reject.
    #[command(subcommand)]
    Approval(approval::Verb),
    /// Operations, whoever began them.
    #[command(subcommand)]
    Op(op::Verb),
    /// Carry out the operation that is told on standard input (how the cockpit starts its workers).
    #[command(hide = true)]
    Worker,
    /// Check every connection, permission, version, clock and expiry, and say what to do.
    Doctor(doctor::Arguments),
}

/// The program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let text = error.render().to_string();
            let is_wrong = error.use_stderr();
            if is_wrong {
                complain(&text)
            } else {
                say(&text)
            }
            return output::told(if is_wrong { Exit::Usage } else { Exit::Ok }).into();
        }
    };
    // Whoever builds a TLS client finds one provider: the tree has no other.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let _log = logging::start();
    output::speak_ascii(arguments.ascii || manners::lacks_glyphs());
    let exit = run(&arguments);
    match only_tells(&arguments) {
        true => output::told(exit).into(),
        false => exit.into(),
    }
}

/// Whether nothing but its words comes of a command; an operation's end is its own, whoever hears of it.
fn only_tells(arguments: &Arguments) -> bool {
    match &arguments.command {
        None | Some(Verb::Status(_) | Verb::Demo(_) | Verb::Init(_) | Verb::Doctor(_)) => true,
        Some(
            Verb::Cutover(wanted)
            | Verb::Rollback(wanted)
            | Verb::Repair(wanted)
            | Verb::Smoke(wanted)
            | Verb::Cleanup(wanted),
        ) => wanted.plan,
        Some(Verb::Deploy(wanted) | Verb::Release(wanted)) => wanted.common.plan,
        Some(Verb::Op(verb)) => verb.only_tells(),
        Some(Verb::Approval(verb)) => matches!(verb, approval::Verb::List(_)),
        Some(Verb::Freeze(_) | Verb::Thaw(_) | Verb::Warm(_) | Verb::Worker) => false,
    }
}

fn run(arguments: &Arguments) -> Exit {
    let may_write = arguments.write.is_some();
    match &arguments.command {
        None => match load(arguments) {
            Ok(loaded) if wants_plain(arguments) => {
                status::run(&loaded, &status::Arguments::default())
            }
            Ok(loaded) => cockpit(arguments, loaded, None),
            Err(exit) => exit,
        },
        Some(Verb::Status(wanted)) => with(arguments, |loaded| status::run(loaded, wanted)),
        Some(Verb::Demo(wanted)) => demo::run(arguments, wanted),
        Some(Verb::Cutover(wanted)) => operation(arguments, OperationKind::Cutover, wanted),
        Some(Verb::Rollback(wanted)) => operation(arguments, OperationKind::Rollback, wanted),
        Some(Verb::Repair(wanted)) => operation(arguments, OperationKind::Repair, wanted),
        Some(Verb::Freeze(wanted)) => with(arguments, |loaded| {
            freeze::freeze(loaded, wanted, may_write)
        }),
        Some(Verb::Thaw(wanted)) => {
            with(arguments, |loaded| freeze::thaw(loaded, wanted, may_write))
        }
        Some(Verb::Deploy(wanted)) => with(arguments, |loaded| {
            operate::deploy(loaded, OperationKind::Deploy, wanted, may_write)
        }),
        Some(Verb::Release(wanted)) => with(arguments, |loaded| {
            operate::deploy(loaded, OperationKind::Release, wanted, may_write)
        }),
        Some(Verb::Smoke(wanted)) => operation(arguments, OperationKind::Smoke, wanted),
        Some(Verb::Cleanup(wanted)) => operation(arguments, OperationKind::Cleanup, wanted),
        Some(Verb::Warm(verb)) => with(arguments, |loaded| warm::run(loaded, verb, may_write)),
        Some(Verb::Approval(verb)) => {
            with(arguments, |loaded| approval::run(loaded, verb, may_write))
        }
        Some(Verb::Op(verb)) => with(arguments, |loaded| op::run(loaded, verb, may_write)),
        Some(Verb::Worker) => worker::run(),
        Some(Verb::Init(wanted)) => init::run(arguments.config.as_deref(), wanted),
        Some(Verb::Doctor(wanted)) => doctor::run(arguments, read(arguments), wanted),
    }
}

fn operation(arguments: &Arguments, kind: OperationKind, wanted: &operate::Arguments) -> Exit {
    let may_write = arguments.write.is_some();
    with(arguments, |loaded| {
        operate::run(loaded, kind, wanted, may_write)
    })
}

/// Does `work` with the configuration; without one the exit code after the words why.
fn with(arguments: &Arguments, work: impl FnOnce(&Loaded) -> Exit) -> Exit {
    match load(arguments) {
        Ok(loaded) => work(&loaded),
        Err(exit) => exit,
    }
}

fn wants_plain(arguments: &Arguments) -> bool {
    arguments.plain || std::env::var_os("ACCESSIBLE").is_some_and(|v| !v.is_empty() && v != "0")
}

/// The configuration, or the exit code after the words why there is none.
fn load(arguments: &Arguments) -> Result<Loaded, Exit> {
    let loaded =
        read(arguments).and_then(|read| setup::loaded(read.config, &read.warnings, &read.file));
    loaded.map_err(|problems| {
        complain(&format!("{}\n", problems.trim_end()));
        Exit::Usage
    })
}

/// The configuration as its file has it, or the words why there is none.
fn read(arguments: &Arguments) -> Result<doctor::Read, String> {
    let variable = std::env::var_os("WHEELHOUSE_CONFIG");
    let standard = config::standard();
    let file = config::find(
        arguments.config.as_deref(),
        variable.as_deref(),
        standard.as_deref(),
    );
    let file = file.map_err(|missing| missing.to_string())?;
    let user = rustix::process::getuid().as_raw();
    let (config, warnings) =
        config::load(&file, user, setup::wrong_keys).map_err(|problems| problems.to_string())?;
    Ok(doctor::Read {
        file,
        config,
        warnings,
    })
}

/// Runs the cockpit on this terminal.
fn cockpit(
    arguments: &Arguments,
    loaded: Loaded,
    control: Option<crate::clients::demo::Control>,
) -> Exit {
    let manners = match manners::of_this_process(arguments, &loaded) {
        Ok(manners) => manners,
        Err(why) => {
            complain(&format!(
                "wheelhouse: {why}; `wheelhouse status` prints the same as text\n"
            ));
            return Exit::Usage;
        }
    };
    let is_demo = control.is_some();
    let (mut state, outside) = loaded.state(manners.look, is_demo);
    let opened = tui::clock::boot();
    if let Some(lasts) = arguments.write {
        let until = crate::estate::Moment(opened.0.saturating_add(lasts));
        let all = state.environments.iter_mut();
        all.for_each(|e| e.access.open(Some(until)));
    }
    let outside = Outside { control, ..outside };
    let runtime = match runtime(1) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    install_panic_hook();
    let ended = runtime.block_on(tui::run(state, outside, manners.terminal));
    runtime.shutdown_timeout(std::time::Duration::from_millis(300));
    match ended {
        Ok(Ending::Quit) => Exit::Ok,
        Ok(Ending::HungUp) => Exit::Signal(1),
        Ok(Ending::Signal(number)) => Exit::Signal(number),
        Err(error) => {
            complain(&format!(
                "wheelhouse: no terminal here: {error}; `wheelhouse status` prints the same as text\n"
            ));
            Exit::Usage
        }
    }
}

/// The panic report leaves the screen first; a panic in a task only reaches the log.
fn install_panic_hook() {
    let (panics, errors) = color_eyre::config::HookBuilder::default().into_hooks();
    let _ = errors.install();
    tui::guard::install_panic_hook(move |info| panics.panic_report(info).to_string());
}

/// With so many threads beside the one that calls. The cockpit has one: a second is woken for every event
/// that the first takes, and would be a third of an idle cockpit's wake-ups.
fn runtime(workers: usize) -> Result<tokio::runtime::Runtime, Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build();
    runtime.map_err(|error| {
        complain(&format!("wheelhouse: cannot start: {error}\n"));
        Exit::Bad
    })
}
