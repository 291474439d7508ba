//! Where a worker may live so that a logout does not kill it (SAFETY, rule 2; FAULTS, P08).

use std::fs;
use std::path::Path;

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

/// What decides. `kills` is logind's KillUserProcesses; none where there is no logind.
pub fn decide(kills: Option<bool>, lingers: bool, has_systemd_run: bool) -> Placement {
    match (kills, lingers, has_systemd_run) {
        (None | Some(false), ..) => Placement::Session,
        (Some(true), true, true) => Placement::Scope,
        (Some(true), ..) => Placement::EndsWithLogout,
    }
}

/// The decision for this user on this machine.
pub fn here() -> Placement {
    let user = std::env::var("USER").unwrap_or_default();
    let is_name = !user.is_empty()
        && user
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let lingers = is_name && Path::new("/var/lib/systemd/linger").join(&user).exists();
    let is_there = |folder: &str| Path::new(folder).join("systemd-run").exists();
    let has_systemd_run = ["/usr/bin", "/bin"].into_iter().any(is_there);
    decide(kills(), lingers, has_systemd_run)
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
