//! A page by its URL, as a user would get it: whatever its status, within a time.

use std::time::Duration;

use tokio::time::Instant;

use super::direct::{Direct, beginning};
use super::{Target, fault};
use crate::clients::kubernetes::Said;
use crate::estate::{Fault, FaultKind};

/// What is read of a body: what it must hold stands there.
const MOST: usize = 1 << 20;

/// Gets `url` once, its first mebibyte; and whether that is all of it. A redirect is followed nowhere and is a fault: a login
/// page is no answer.
///
/// # Errors
/// What is wrong with the address, the way or the server, or that it took longer than `limit`.
pub async fn page(url: &str, limit: Duration) -> Result<(Said, bool), Fault> {
    let direct = Direct::new(url, &Target::default());
    let client = direct.client().await?;
    if url.parse::<http::Uri>().is_err() {
        let what = format!("the address {url:?} is no URL");
        return Err(fault::words(FaultKind::Config, what));
    }
    let began = Instant::now();
    let sent = client.get(url).send();
    let (reply, is_whole) = beginning(&direct.host(), limit, MOST, sent).await?;
    let said = Said {
        status: reply.status,
        body: reply.body,
        took: began.elapsed(),
    };
    Ok((said, is_whole))
}
