//! Where a remote leads: the host, the owner and the name in its address. Pure; what ssh knows is an argument.

/// A repository on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub host: String,
    /// `owner/name`.
    pub name: String,
    /// Why it is that host, where the address names another.
    pub why: Option<String>,
}

impl Origin {
    /// The API of that host.
    pub fn api(&self) -> String {
        match self.host.as_str() {
            "github.com" => "https://api.github.com".to_owned(),
            host if host.ends_with(".ghe.com") => format!("https://api.{host}"),
            host => format!("https://{host}/api/v3"),
        }
    }

    /// `host/owner/name`.
    pub fn shown(&self) -> String {
        format!("{}/{}", self.host, self.name)
    }

    /// Hosts of others than GitHub are known by their names.
    pub fn may_be_github(&self) -> bool {
        let others = [
            "gitlab",
            "bitbucket",
            "codeberg",
            "gitea",
            "dev.azure",
            "sr.ht",
        ];
        !others.iter().any(|other| self.host.contains(other))
    }
}

/// Names and places of what is fetched from. A password in an address stays in there. `ssh` tells which host ssh reaches by a
/// name.
pub(super) fn remotes(listed: &str, ssh: &dyn Fn(&str) -> Option<String>) -> Vec<(String, Origin)> {
    let line = |line: &str| {
        let (name, rest) = line.split_once('\t')?;
        let url = rest.strip_suffix(" (fetch)")?;
        Some((name.to_owned(), origin(url, ssh)?))
    };
    listed.lines().filter_map(line).collect()
}

/// `git@host:owner/name.git`, `ssh://git@host:22/owner/name`, `https://user:secret@host/owner/name.git`.
fn origin(url: &str, ssh: &dyn Fn(&str) -> Option<String>) -> Option<Origin> {
    let (is_ssh, (authority, path)) = match url.split_once("://") {
        Some(("ssh", rest)) => (true, rest.split_once('/')?),
        Some(("https" | "http" | "git", rest)) => (false, rest.split_once('/')?),
        Some(_) => return None,
        None => (true, url.split_once(':')?),
    };
    let host = authority.rsplit('@').next()?;
    let written = host.split(':').next()?.to_lowercase();
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let (owner, name) = path.split_once('/')?;
    if !(is_word(&written) && is_word(owner) && is_word(name)) || written.starts_with('-') {
        return None;
    }
    let asked = is_ssh.then(|| ssh_host(&written, ssh)).flatten();
    let (host, why) = host_of(&written, asked.as_deref(), is_ssh);
    is_host(&host).then(|| Origin {
        host,
        name: format!("{owner}/{name}"),
        why,
    })
}

/// What ssh reaches by `written`, if that is the name of a host; a number tells nobody which server it is.
fn ssh_host(written: &str, ssh: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let found = ssh(written)?.to_lowercase();
    let is_number = found.parse::<std::net::IpAddr>().is_ok();
    (is_host(&found) && !is_number).then_some(found)
}

/// The host of an address that names `written`, which ssh knows as `asked`, and why, where that is another.
fn host_of(written: &str, asked: Option<&str>, is_ssh: bool) -> (String, Option<String>) {
    let found = asked.unwrap_or(written);
    // What ssh over port 443 is reached by.
    let host = found.strip_prefix("ssh.").unwrap_or(found);
    let is_alias = is_ssh
        && ["github.com-", "github.com_"]
            .iter()
            .any(|it| host.starts_with(it));
    if is_alias || host == "www.github.com" {
        let why = format!("Its address names {written}, which is taken for github.com.");
        return ("github.com".to_owned(), Some(why));
    }
    let is_told = asked.is_some_and(|asked| asked != written) && host != written;
    let why = format!("Its address names {written}: by the configuration of ssh that is {host}.");
    (host.to_owned(), is_told.then_some(why))
}

/// Whether it is the name of a host as the internet has them.
fn is_host(host: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    host.contains('.') && host.chars().all(fits)
}

/// A name as GitHub's owners, repositories and, as a rule, files have.
pub(super) fn is_word(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !word.is_empty() && word.chars().all(fits) && word != "." && word != ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where there is no ssh.
    fn unknown(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn an_address_of_each_form_leads_to_host_owner_and_name_without_its_password() {
        for (url, host, api) in [
            (
                "git@github.com:acme/wall.git",
                "github.com",
                "https://api.github.com",
            ),
            (
                "https://github.com/acme/wall",
                "github.com",
                "https://api.github.com",
            ),
            (
                "https://me:ghp_secret@github.com/acme/wall.git",
                "github.com",
                "https://api.github.com",
            ),
            (
                "ssh://git@ssh.github.com:443/acme/wall.git",
                "github.com",
                "https://api.github.com",
            ),
            (
                "ssh://git@ghe.acme.example:22/acme/wall",
                "ghe.acme.example",
                "https://ghe.acme.example/api/v3",
            ),
            (
                "https://acme.ghe.com/acme/wall",
                "acme.ghe.com",
                "https://api.acme.ghe.com",
            ),
        ] {
            let found = origin(url, &unknown);
            let wanted = Origin {
                host: host.to_owned(),
                name: "acme/wall".to_owned(),
                why: None,
            };
            assert_eq!(found.as_ref(), Some(&wanted), "{url}");
            assert_eq!(wanted.api(), api);
        }
        for url in [
            "/srv/git/wall.git",
            "file:///srv/wall",
            "wall",
            "../wall",
            "https://github.com/acme",
            "git@h:a/b/c d",
            "git@work:acme/wall",
            "git@-oProxyCommand=x.y:acme/wall",
            "git@-v.example:acme/wall",
        ] {
            assert_eq!(origin(url, &unknown), None, "{url}");
        }
    }

    #[test]
    fn an_alias_of_ssh_is_the_host_that_its_configuration_names_and_says_so() {
        let ssh = |alias: &str| {
            let known = [
                ("github.com", "ssh.github.com"),
                ("github.com-work", "github.com"),
                ("work", "GitHub.com"),
                ("ghe", "ghe.acme.example"),
                ("ghe.acme.example", "10.0.0.7"),
                ("github.com-me", "github.com-me"),
            ];
            let found = known.iter().find(|(name, _)| *name == alias);
            found.map(|(_, host)| (*host).to_owned())
        };
        for (url, host, why) in [
            ("git@github.com:acme/wall.git", "github.com", None),
            (
                "git@github.com-work:acme/wall.git",
                "github.com",
                Some("by the configuration of ssh"),
            ),
            (
                "ssh://git@work/acme/wall",
                "github.com",
                Some("by the configuration of ssh"),
            ),
            (
                "ghe:acme/wall",
                "ghe.acme.example",
                Some("by the configuration of ssh"),
            ),
            // A number tells nobody which server it is.
            ("git@ghe.acme.example:acme/wall", "ghe.acme.example", None),
            (
                "git@github.com-me:acme/wall",
                "github.com",
                Some("taken for github.com"),
            ),
            // ssh is not asked about what it does not reach.
            ("https://github.com-work/acme/wall", "github.com-work", None),
        ] {
            let found = origin(url, &ssh).unwrap_or_else(|| unreachable!("{url}"));
            assert_eq!(found.host, host, "{url}");
            let said = found.why.as_deref();
            let is_said = why.is_none_or(|why| said.is_some_and(|said| said.contains(why)));
            assert!(
                is_said && said.is_some() == why.is_some(),
                "{url}: {said:?}"
            );
        }
    }

    #[test]
    fn what_is_surely_github_com_is_known_without_ssh() {
        for url in [
            "git@github.com-work:acme/wall.git",
            "git@www.github.com:acme/wall.git",
            "https://www.github.com/acme/wall",
        ] {
            let found = origin(url, &unknown).unwrap_or_else(|| unreachable!("{url}"));
            assert_eq!(found.api(), "https://api.github.com", "{url}");
            let why = found.why.unwrap_or_default();
            assert!(why.contains("taken for github.com"), "{url}: {why}");
        }
    }

    #[test]
    fn only_what_is_fetched_from_counts() {
        let listed = "origin\tgit@github.com:me/wall.git (fetch)\norigin\tno-push (push)\nupstream\thttps://github.com/acme/wall (fetch)\n";
        let names: Vec<_> = remotes(listed, &unknown)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["origin", "upstream"]);
    }
}
