//! `ipai import-dns`

mod names;
mod text;

use ipai_core::Diagnostic;

use super::world::{open_stack, start_sandbox};
use super::{Outcome, Run, exit, now};
use crate::load::Loaded;
use crate::providers::{self, ZoneRecord};

/// Write the records that a zone has as TOML for stack.toml. Only reads, and a token that only reads is enough.
///
/// Records of a stack in the folder at hand are left out, and their names are not used twice. What a stack cannot hold
/// stands there as a comment. Afterwards `ipai adopt` takes the records over.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai import-dns example.org >>stack.toml && ipai validate && ipai adopt\n  ipai -C stacks/web import-dns example.org --type A --type CNAME"
)]
pub(super) struct Arguments {
    /// The zone, such as `example.org`.
    zone: String,
    /// Only records of this type; may be repeated.
    #[arg(long = "type", value_name = "TYPE", value_parser = ["A", "AAAA", "CNAME", "TXT", "MX", "CAA", "SRV"], ignore_case = true)]
    types: Vec<String>,
}

pub(super) async fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    let zone = zone(run, &arguments.zone)?;
    let has_stack = run.global.folder.join("stack.toml").exists();
    // The sandbox is a stack's.
    let loaded = match has_stack || run.global.sandbox.is_some() {
        true => Some(open_stack(run)?),
        false => None,
    };
    let sandbox = match (run.global.sandbox, &loaded) {
        (Some(kind), Some(loaded)) => Some(start_sandbox(run, kind, loaded).await?),
        _ => None,
    };
    let addresses = sandbox.as_ref().map(|sandbox| &sandbox.addresses);
    let asked = providers::zone_records(addresses, &zone, run.edges).await;
    if let Some(sandbox) = sandbox {
        sandbox.stop().await;
    }
    let answer = asked.map_err(|problems| run.all_problems(&problems))?;
    let records = answer.map_err(|error| run.remote(&[error]))?;
    let all = records.len();
    let chosen = choose(records, &arguments.types, loaded.as_ref());
    run.print(&text::toml(&zone, &chosen, &now()));
    run.say(&text::summary(&chosen, all, &run.command("adopt")));
    Ok(exit::OK)
}

fn zone(run: &Run<'_>, text: &str) -> Result<String, super::Failed> {
    let zone = text.trim_end_matches('.').to_lowercase();
    if super::init::is_domain(&zone) {
        return Ok(zone);
    }
    let problem = Diagnostic::error("Not a zone").detail(format!("`{text}` is not a domain."));
    Err(run.problem(problem.hint("ipai import-dns example.org")))
}

/// What is to be written of a record: a resource, or the reason why there is none.
pub(super) struct Chosen {
    title: String,
    remark: Option<String>,
    resource: Result<(String, ipai_core::Attributes), String>,
}

/// Leaves out what is not asked for and what the stack has, and names the rest.
fn choose(records: Vec<ZoneRecord>, types: &[String], loaded: Option<&Loaded>) -> Vec<Chosen> {
    let stack = loaded.map(|loaded| loaded.stack.id.to_string());
    let wanted = |record: &ZoneRecord| {
        let kind = record.title.split(' ').next().unwrap_or_default();
        types.is_empty() || types.iter().any(|one| one.eq_ignore_ascii_case(kind))
    };
    let declared = loaded.into_iter().flat_map(|loaded| &loaded.stack.resources);
    let mut names = names::Names::new(declared.map(|one| one.address.name.clone()).collect());
    let others = records.into_iter().filter(|one| stack.is_none() || one.stack != stack);
    let records: Vec<ZoneRecord> = others.filter(wanted).collect();
    names.count(records.iter().filter_map(|record| record.attributes.as_ref().ok()));
    let chosen = records.into_iter().map(|record| {
        let resource = match (record.attributes, record.stack) {
            (Ok(_), Some(stack)) => Err(format!("it is the ipai stack `{stack}`'s")),
            (Ok(attributes), None) => Ok((names.take(&attributes), attributes)),
            (Err(why), _) => Err(why),
        };
        Chosen { title: record.title, remark: record.remark, resource }
    });
    chosen.collect()
}
