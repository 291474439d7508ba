//! Where a worker may live so that a logout does not kill it (SAFETY, rule 2; FAULTS, P08).

use std::ffi::OsStr;
use std::fs;
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
    let has_bus = has_bus(runtime.as_deref(), bus.as_deref());
    decide(kills(), lingers, has_systemd_run && has_bus)
}

/// Whether systemd-run finds the user's service manager: after `su`, or from cron, it finds none, and a worker that it was
/// to start ends without a word.
fn has_bus(runtime: Option<&OsStr>, bus: Option<&OsStr>) -> bool {
    bus.is_some_and(|it| !it.is_empty())
        || runtime.is_some_and(|it| !it.is_empty() && Path::new(it).join("bus").exists())
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
        assert!(!has_bus(None, None));
        assert!(!has_bus(runtime, Some(OsStr::new(""))));
        assert!(has_bus(None, Some(OsStr::new("unix:path=/x"))));
        fs::write(folder.path().join("bus"), "").unwrap();
        assert!(has_bus(runtime, None));
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
