//! Who pushes and commits, as the API describes them.

use crate::demo::random::fnv64;
use serde_json::{Value, json};

/// A user, in the short form that runs and commits carry.
pub(super) fn user(login: &str) -> Value {
    let id = 583_000 + fnv64(login.as_bytes()) % 900_000;
    let kind = if login == "acme" {
        "Organization"
    } else {
        "User"
    };
    let api = format!("https://api.github.com/users/{login}");
    json!({
        "login": login, "id": id, "node_id": format!("U_kgDO{id:08x}"), "gravatar_id": "",
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"), "url": api,
        "html_url": format!("https://github.com/{login}"), "followers_url": format!("{api}/followers"),
        "following_url": format!("{api}/following{{/other_user}}"), "gists_url": format!("{api}/gists{{/gist_id}}"),
        "starred_url": format!("{api}/starred{{/owner}}{{/repo}}"), "subscriptions_url": format!("{api}/subscriptions"),
        "organizations_url": format!("{api}/orgs"), "repos_url": format!("{api}/repos"),
        "events_url": format!("{api}/events{{/privacy}}"), "received_events_url": format!("{api}/received_events"),
        "type": kind, "user_view_type": "public", "site_admin": false,
    })
}

/// Name and mail address as a commit carries them.
pub(super) fn signature(login: &str, date: Option<&str>) -> Value {
    let mut name = login.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let mut signature = json!({"name": name, "email": format!("{login}@acme.example")});
    if let Some(date) = date {
        signature["date"] = json!(date);
    }
    signature
}
