//! Where a worker may live so that a logout does not kill it (SAFETY, rule 2; FAULTS, P08).

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::bastion;

/// How a worker is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In a session of its own: logout leaves it alone.
    Session,
    /// In a scope of the user's service manager, which lingers.
    Scope,
    /// It ends with the logout: said in the plan, and `--detach` is refused.
    EndsWithLogout,
}

/// What decides. `kills` is logind's KillUserProcesses; none where there is no logind. `has_scopes`: the user's service
/// manager can be asked for one.
pub fn decide(kills: Option<bool>, lingers: bool, has_scopes: bool) -> Placement {
    match (kills, lingers, has_scopes) {
        (None | Some(false), ..) => Placement::Session,
        (Some(true), true, true) => Placement::Scope,
        (Some(true), ..) => Placement::EndsWithLogout,
    }
}

/// The decision for this user on this machine.
pub fn here() -> Placement {
    let linger = Path::new("/var/lib/systemd/linger");
    let lingers = bastion::login().is_some_and(|user| linger.join(user).is_file());
    let is_there = |folder: &str| Path::new(folder).join("systemd-run").exists();
    let has_systemd_run = ["/usr/bin", "/bin"].into_iter().any(is_there);
    let [runtime, bus] = ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"].map(std::env::var_os);
    let user = rustix::process::getuid().as_raw();
    let has_bus = has_bus(runtime.as_deref(), bus.as_deref(), user);
    decide(kills(), lingers, has_systemd_run && has_bus)
}

/// Whether systemd-run finds the service manager of `user`: after `su`, or from cron, it finds none, and a worker that it was
/// to start ends without a word. What a plain `su` leaves is the bus of somebody else.
fn has_bus(runtime: Option<&OsStr>, bus: Option<&OsStr>, user: u32) -> bool {
    let is_own = |path: &Path| fs::metadata(path).is_ok_and(|it| it.uid() == user);
    let is_reached = |address: &str| match address.strip_prefix("unix:path=") {
        Some(path) => is_own(Path::new(path.split(',').next().unwrap_or(path))),
        None => !address.is_empty(),
    };
    bus.is_some_and(|it| it.to_string_lossy().split(';').any(is_reached))
        || runtime.is_some_and(|it| !it.is_empty() && is_own(&Path::new(it).join("bus")))
}

/// logind's KillUserProcesses, by its files in the order of their weight; none where it does not run.
fn kills() -> Option<bool> {
    if !Path::new("/run/systemd/seats").exists() {
        return None;
    }
    let mut files = vec![
        Path::new("/usr/lib/systemd/logind.conf").to_owned(),
        "/etc/systemd/logind.conf".into(),
    ];
    for folder in [
        "/usr/lib/systemd/logind.conf.d",
        "/run/systemd/logind.conf.d",
        "/etc/systemd/logind.conf.d",
    ] {
        let mut found: Vec<_> = (fs::read_dir(folder).into_iter().flatten().flatten())
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "conf"))
            .collect();
        found.sort();
        files.extend(found);
    }
    // The upstream default is yes where the distribution built it so; without a word it is no.
    let mut said = files
        .iter()
        .filter_map(|file| said(&fs::read_to_string(file).ok()?));
    Some(said.next_back().unwrap_or(false))
}

/// What one file says.
fn said(text: &str) -> Option<bool> {
    let mut values = text.lines().filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "KillUserProcesses").then_some(value)
    });
    values
        .next_back()
        .map(|value| matches!(value.trim(), "yes" | "true" | "1" | "on"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn p08_a_logout_that_kills_needs_lingering_or_is_said() {
        assert_eq!(decide(None, false, false), Placement::Session);
        assert_eq!(decide(Some(false), false, true), Placement::Session);
        assert_eq!(decide(Some(true), true, true), Placement::Scope);
        assert_eq!(decide(Some(true), true, false), Placement::EndsWithLogout);
        assert_eq!(decide(Some(true), false, true), Placement::EndsWithLogout);
    }

    #[test]
    fn p08_without_a_bus_of_the_user_there_is_no_scope() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Some(folder.path().as_os_str());
        let ours = fs::metadata(folder.path()).unwrap().uid();
        let socket = folder.path().join("bus");
        let address = format!("unix:path={},guid=01", socket.display());
        let by = |address: &str, user| has_bus(None, Some(OsStr::new(address)), user);
        assert!(!has_bus(None, None, ours));
        assert!(!has_bus(runtime, Some(OsStr::new("")), ours));
        assert!(!by(&address, ours), "it is not there");
        assert!(by("unix:abstract=/x", ours));
        fs::write(&socket, "").unwrap();
        assert!(has_bus(runtime, None, ours));
        assert!(by(&address, ours));
        // After a plain `su` it is that of whoever was there before.
        assert!(!has_bus(runtime, None, ours + 1));
        assert!(!by(&address, ours + 1));
        assert!(!has_bus(runtime, Some(OsStr::new(&address)), ours + 1));
    }

    #[test]
    fn p08_the_last_word_of_a_file_counts_and_a_comment_does_not() {
        assert_eq!(said("[Login]\n#KillUserProcesses=yes\n"), None);
        assert_eq!(
            said("KillUserProcesses=no\nKillUserProcesses=yes\n"),
            Some(true)
        );
        assert_eq!(said(" KillUserProcesses=no"), Some(false));
        assert_eq!(said("KillUserProcesses = yes"), Some(true));
    }
}
