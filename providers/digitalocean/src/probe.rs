//! Whether DigitalOcean can be used: token, account, limits. Reads alone.

use ipai_core::checkup::{Finding, Probe, budget, clocks};
use ipai_core::{BoxFuture, RemoteError, Scope};
use serde::Deserialize;

use crate::PROVIDER;
use crate::api::{ApiError, Droplet, Firewall, Get, Reader, ReservedIp, Signs};
use crate::marker;
use crate::settings::Settings;

/// Asks DigitalOcean how things are. It holds a client that knows no other method than GET.
pub struct DigitalOceanProbe {
    reader: Reader,
}

#[derive(Deserialize)]
struct Answer {
    account: Account,
}

#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    status: String,
    #[serde(default)]
    status_message: String,
    #[serde(default)]
    droplet_limit: Option<u64>,
}

#[derive(Deserialize)]
struct Count {
    meta: Meta,
}

#[derive(Deserialize)]
struct Meta {
    total: u64,
}

/// What an apply needs; the API has no way to ask whether a token may.
const APPLY: &str =
    "droplet, firewall and tag with create, read, update and delete, and actions:read";
/// What both need besides, to tell a droplet's own address from one that can move away.
const RESERVED: &str = "reserved_ip:read once a droplet has a reserved IP";

impl DigitalOceanProbe {
    /// Prepares to ask; contacts nobody.
    ///
    /// # Errors
    /// The base URL would leak the token, or the token cannot be one.
    pub fn new(settings: &Settings) -> Result<Self, RemoteError> {
        Ok(Self { reader: Reader::new(settings)? })
    }

    async fn look(&self, scope: &Scope, now: i64) -> Vec<Finding> {
        let about = "DigitalOcean token";
        let mut found = Vec::new();
        // A custom token may lack account:read and do all else.
        let account = self.reader.get_with_signs::<Answer>(&Get::account()).await;
        let (account, mut signs) = match account {
            Ok((answer, signs)) => (Some(answer.account), signs),
            Err(error) if error.kind == crate::api::Kind::Status(403) => (None, Signs::default()),
            Err(error) => return vec![Finding::of_error(about, &error.into())],
        };
        match self.reads(scope).await {
            Err(error) => found.push(Finding::of_error(about, &error.into())),
            Ok(()) => found.push(Finding::ok(about, format!(
                "reads droplets and firewalls, enough for plan; apply needs the scopes {APPLY}, which cannot be asked without writing; both need {RESERVED}"
            ))),
        }
        found.extend(account.as_ref().and_then(standing));
        match self.reader.get_with_signs::<Count>(&Get::any_droplet()).await {
            Ok((count, latest)) => {
                signs = latest;
                let limit = account.and_then(|account| account.droplet_limit);
                found.extend(limit.map(|limit| room(scope, count.meta.total, limit)));
            }
            Err(error) => found.push(Finding::of_error("droplet limit", &error.into())),
        }
        found.extend(signs.remaining.map(|left| budget("DigitalOcean", left, signs.limit)));
        found.extend(signs.date.map(|date| clocks("DigitalOcean", date, now)));
        found
    }

    /// What a plan reads.
    async fn reads(&self, scope: &Scope) -> Result<(), ApiError> {
        let droplets = Get::droplets_tagged(&marker::stack_tag(&scope.stack));
        let droplets = self.reader.list::<Droplet>(&droplets).await?.items;
        self.reader.list::<Firewall>(&Get::firewalls()).await?;
        if droplets.iter().any(|droplet| droplet.public_v4().nth(1).is_some()) {
            self.reader.list::<ReservedIp>(&Get::reserved_ips()).await?;
        }
        Ok(())
    }
}

/// What is wrong with the account itself.
fn standing(account: &Account) -> Option<Finding> {
    let about = "DigitalOcean account";
    let says = format!("is `{}`: {}", account.status, account.status_message);
    let fix = "sign in at https://cloud.digitalocean.com and settle what it says there";
    match account.status.as_str() {
        "" | "active" => None,
        "warning" => Some(Finding::warn(about, says, fix)),
        _ => Some(Finding::fail(about, says, fix)),
    }
}

/// Whether the wanted droplets fit. Those that exist already are counted among `count`.
fn room(scope: &Scope, count: u64, limit: u64) -> Finding {
    let about = "droplet limit";
    let wanted = scope.desired.iter().filter(|resource| resource.address.kind == "droplet");
    let missing =
        wanted.filter(|resource| !scope.homes.contains_key(&resource.address)).count() as u64;
    let says = format!("{count} of {limit} droplets exist, this stack wants {missing} more");
    let fix = "ask for a higher limit at https://cloud.digitalocean.com/account/team/droplet_limit_increase";
    match (count + missing).cmp(&limit) {
        std::cmp::Ordering::Greater => Finding::fail(about, says, fix),
        std::cmp::Ordering::Equal => {
            Finding::warn(about, says + "; none is left to replace one", fix)
        }
        std::cmp::Ordering::Less => Finding::ok(about, says),
    }
}

impl Probe for DigitalOceanProbe {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn probe<'a>(&'a self, scope: &'a Scope, now: i64) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(self.look(scope, now))
    }
}
