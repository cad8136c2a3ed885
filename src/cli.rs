//! The command line: one file for each subcommand, its argument struct beside what it does.

mod adopt;
mod apply;
mod ask;
mod backup;
mod check;
mod completions;
mod destroy;
mod doctor;
mod down;
mod drill;
#[cfg(test)]
mod examples;
mod exec;
pub mod exit;
mod explain;
mod failure;
mod fmt;
mod form;
mod graph;
mod images;
mod import_dns;
mod init;
mod keeper;
mod lock;
mod locked;
mod logging;
mod logs;
mod man;
mod output;
mod output_stream;
mod places;
mod plan;
mod progress;
mod rebuild;
mod releases;
mod restart;
mod restore;
mod rollback;
mod run;
mod running;
mod sandbox;
mod schema;
mod secrets;
mod show;
mod signals;
mod snapshots;
mod spelling;
mod ssh;
mod status;
mod tokens;
mod up;
mod upgrade;
mod upkeep;
mod validate;
mod world;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::edges::Edges;
use crate::report::{self, Style};
use crate::sandbox::Kind;
use exit::Ending;
use run::{Failed, Outcome, Run, now, parse_addresses, shell_word};

/// One plan over cloud, DNS, files, secrets and containers.
///
/// ipai reads a stack's folder, looks at what really exists, shows the difference, and makes it so.
#[derive(Debug, Parser)]
#[command(name = "ipai", version, propagate_version = true, disable_version_flag = false)]
#[command(
    after_help = "Examples:\n  ipai -C stacks/ops --sandbox apply --auto-approve    # without an account, on this machine alone\n  ipai -C stacks/ops plan\n  ipai help apply"
)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// The stack's folder.
    #[arg(short = 'C', long = "chdir", value_name = "DIR", default_value = ".", global = true)]
    folder: PathBuf,
    /// Lay stack.NAME.toml over the stack.
    #[arg(long = "env", value_name = "NAME", global = true)]
    environment: Option<String>,
    /// Use a simulated cloud on this machine instead of the real one.
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true, default_missing_value = "embedded", global = true)]
    sandbox: Option<Kind>,
    /// Set a variable of the stack; may be repeated.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = assignment, global = true)]
    variables: Vec<(String, String)>,
    /// Take tokens from a file of lines NAME=VALUE; - is standard input.
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// Refused: whoever writes a token here shall learn why.
    #[arg(long = "token", aliases = ["api-token", "digitalocean-token", "cloudflare-api-token", "access-token"], num_args = 0..=1, hide = true, global = true)]
    token: Option<Option<OsString>>,
    /// Append what is done to this file, from the level on that IPAI_LOG names (info without it).
    #[arg(long, value_name = "FILE", global = true)]
    log_file: Option<PathBuf>,
    /// Say at the end where the time went, and how often whom was asked.
    #[arg(long, global = true)]
    timings: bool,
    /// When to use colour.
    #[arg(long, value_enum, default_value = "auto", global = true)]
    color: Colour,
    /// Show everything: all attributes, whole diffs, foreign objects.
    #[arg(short, long, global = true, overrides_with = "quiet")]
    verbose: bool,
    /// Say nothing on the way: only results, questions, warnings and errors.
    #[arg(short, long, global = true, overrides_with = "verbose")]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Arguments),
    Validate(validate::Arguments),
    Fmt(fmt::Arguments),
    Plan(plan::Arguments),
    Show(show::Arguments),
    Graph(graph::Arguments),
    Apply(apply::Arguments),
    Destroy(destroy::Arguments),
    Status(status::Arguments),
    Images(images::Arguments),
    Releases(releases::Arguments),
    Rollback(rollback::Arguments),
    Snapshots(snapshots::Arguments),
    Check(check::Arguments),
    Output(output::Arguments),
    Logs(logs::Arguments),
    Exec(exec::Arguments),
    Ssh(ssh::Arguments),
    Up(up::Arguments),
    Down(down::Arguments),
    Restart(restart::Arguments),
    Backup(backup::Arguments),
    Backups(backup::list::Arguments),
    Restore(restore::Arguments),
    Rebuild(rebuild::Arguments),
    Drill(drill::Arguments),
    Upgrade(upgrade::Arguments),
    Adopt(adopt::AdoptArguments),
    Forget(adopt::ForgetArguments),
    ImportDns(import_dns::Arguments),
    #[command(subcommand)]
    Lock(lock::Command),
    Unlock(lock::UnlockArguments),
    Explain(explain::Arguments),
    Schema(schema::Arguments),
    Doctor(doctor::Arguments),
    #[command(subcommand)]
    Secrets(secrets::Command),
    #[command(subcommand)]
    Sandbox(sandbox::Command),
    Completions(completions::Arguments),
    Man(man::Arguments),
    /// Print the version.
    #[command(after_help = "Examples:\n  ipai version\n  ipai version --json")]
    Version {
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs ipai with these arguments; gives the exit code.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>, edges: &Edges) -> u8 {
    let mut commands = command(edges);
    let typed: Vec<OsString> = arguments.into_iter().collect();
    let words = match spelling::usual(typed.clone(), &commands, edges) {
        Ok(words) => words,
        Err(problem) => {
            tell_programs((&typed, &commands), &problem, exit::ERROR);
            let _ = writeln!(std::io::stderr().lock(), "error: {problem}");
            return exit::ERROR;
        }
    };
    let matches = commands.try_get_matches_from_mut(words.clone());
    let read = |matches: &ArgMatches| Arguments::from_arg_matches(matches);
    let (mut parsed, asked) = match matches.and_then(|found| Ok((read(&found)?, Asked::of(&found))))
    {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are answers; everything else is a usage error, and never 2: that would read as "changes".
            let code = if error.use_stderr() { exit::ERROR } else { exit::OK };
            if error.use_stderr() {
                tell_programs((&words, &commands), &error.render().to_string(), code);
            }
            let _ = error.print();
            if error.use_stderr() {
                let verb = spelling::verb(&words, &commands).map(clap::Command::get_name);
                let added = spelling::added(verb, edges);
                let _ = std::io::stderr().lock().write_all(added.as_bytes());
            }
            return code;
        }
    };
    // Whoever names the file means its folder.
    if parsed.global.folder.file_name().is_some_and(|name| name == "stack.toml") {
        let folder = parsed.global.folder.parent().unwrap_or(&parsed.global.folder);
        let here = folder.as_os_str().is_empty();
        parsed.global.folder = if here { ".".into() } else { folder.to_owned() };
    }
    let style = |terminal: bool| style(&parsed.global, terminal, edges);
    let held = parsed.global.token_file.as_ref().map(|path| tokens::take(path, edges));
    let taken = match held.transpose() {
        _ if parsed.global.token.is_some() => Err(tokens::refusal()),
        other => other,
    };
    let (edges, refused) = match &taken {
        Ok(taken) => (taken.as_ref().unwrap_or(edges), None),
        Err(problem) => (edges, Some(problem.clone())),
    };
    let run = Run {
        edges,
        output: style(edges.output_is_terminal),
        talk: style(edges.talk_is_terminal),
        draws: edges.can_draw() && !asked.json && !parsed.global.quiet,
        global: parsed.global.clone(),
        verb: asked.verb.clone(),
        feeds: AtomicBool::new(false),
        told: AtomicBool::new(false),
        wrote: AtomicBool::new(false),
        unwritten: AtomicBool::new(false),
    };
    if edges.is_github() {
        report::tame_commands();
    }
    ipai_core::called::set_called(run.ipai());
    let log = match logging::begin(&run) {
        Ok(log) => log,
        Err(failed) => return run.conclude(Err(failed), &asked),
    };
    let whole = tracing::info_span!(target: "ipai::verb", "verb", name = asked.verb);
    let code = whole.in_scope(|| {
        let outcome = match refused {
            Some(problem) => Err(run.problem(problem)),
            None => run.dispatch(parsed.command),
        };
        logging::note(&outcome);
        run.conclude(outcome, &asked)
    });
    log.iter().for_each(|log| run.tell_of(log));
    code
}

/// Says why words could not be parsed to a program that reads along.
fn tell_programs((words, commands): (&[OsString], &clap::Command), text: &str, code: u8) {
    if let Some(streams) = reading_along(words, commands) {
        let told = failure::of_usage(text, code, streams);
        let _ = std::io::stdout().lock().write_all(told.as_bytes());
    }
}

/// Whether words that may not parse ask for JSON, and then whether for a stream of messages.
fn reading_along(words: &[OsString], commands: &clap::Command) -> Option<bool> {
    let command = spelling::verb(words, commands);
    let words: Vec<&str> =
        words.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str()).collect();
    let said = |pair: &[&str]| matches!(pair, ["--format" | "-o", "json"]);
    let asks = |word: &&str| ["--json", "-json", "--format=json", "-ojson"].contains(word);
    let streams = |command: &clap::Command| {
        command.get_arguments().any(|argument| argument.get_id() == "auto_approve")
    };
    let json = words.iter().any(asks) || words.windows(2).any(said);
    json.then(|| command.is_some_and(streams))
}

/// The commands; their help and their refusals keep to what the surroundings say about colour, as everything else does.
fn command(edges: &Edges) -> clap::Command {
    let forced = edges.variable("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    let plain = ["NO_COLOR", "CI"].iter().any(|name| edges.variable(name).is_some());
    let choice = if plain && !forced { clap::ColorChoice::Never } else { clap::ColorChoice::Auto };
    // Options of the environment stand before those that are typed, and the last one counts.
    Arguments::command().color(choice).args_override_self(true)
}

/// What can be told of a command, whichever it is.
struct Asked {
    /// Its words.
    verb: String,
    /// Whether it was asked for JSON.
    json: bool,
    /// Whether its JSON is a stream of messages, as of every command that asks before it changes something.
    streams: bool,
}

impl Asked {
    fn of(matches: &ArgMatches) -> Self {
        let inner = std::iter::successors(matches.subcommand(), |(_, within)| within.subcommand());
        let said = |within: &ArgMatches| {
            let json = within.try_get_one::<bool>("json").ok().flatten().copied();
            let form = within.try_get_raw("format").ok().flatten();
            json == Some(true) || form.is_some_and(|mut words| words.any(|word| word == "json"))
        };
        let names: Vec<&str> = inner.clone().map(|(name, _)| name).collect();
        let asks = |within: &ArgMatches| within.try_contains_id("auto_approve").is_ok();
        Self {
            verb: names.join(" "),
            json: inner.clone().any(|(_, within)| said(within)),
            streams: inner.into_iter().any(|(_, within)| asks(within)),
        }
    }
}

fn style(global: &Global, terminal: bool, edges: &Edges) -> Style {
    let plain =
        edges.variable("NO_COLOR").is_some() || edges.variable("TERM").as_deref() == Some("dumb");
    let forced = edges.variable("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    let colour = match global.color {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => !plain && (forced || (terminal && edges.variable("CI").is_none())),
    };
    let said = edges.variable("COLUMNS").and_then(|columns| columns.parse().ok());
    let width = said.or(edges.columns.filter(|_| terminal).map(usize::from)).unwrap_or(100);
    Style { colour, width, verbose: global.verbose, folds: terminal }
}

impl Run<'_> {
    fn dispatch(&self, command: Command) -> Outcome {
        match command {
            Command::Init(arguments) => init::run(self, &arguments),
            Command::Validate(arguments) => validate::run(self, &arguments),
            Command::Fmt(arguments) => fmt::run(self, &arguments),
            Command::Plan(arguments) => block_on(plan::run(self, &arguments)),
            Command::Show(arguments) => show::run(self, &arguments),
            Command::Graph(arguments) => graph::run(self, &arguments),
            Command::Apply(arguments) => block_on(apply::run(self, &arguments)),
            Command::Destroy(arguments) => block_on(destroy::run(self, &arguments)),
            Command::Status(arguments) => block_on(status::run(self, &arguments)),
            Command::Images(arguments) => block_on(images::run(self, &arguments)),
            Command::Releases(arguments) => block_on(releases::run(self, &arguments)),
            Command::Rollback(arguments) => block_on(rollback::run(self, &arguments)),
            Command::Snapshots(arguments) => block_on(snapshots::run(self, &arguments)),
            Command::Check(arguments) => block_on(check::run(self, &arguments)),
            Command::Output(arguments) => block_on(output::run(self, &arguments)),
            Command::Logs(arguments) => block_on(logs::run(self, &arguments)),
            Command::Exec(arguments) => block_on(exec::run(self, &arguments)),
            Command::Ssh(arguments) => block_on(ssh::run(self, &arguments)),
            Command::Up(arguments) => block_on(up::run(self, arguments)),
            Command::Down(arguments) => block_on(down::run(self, arguments)),
            Command::Upgrade(arguments) => block_on(upgrade::run(self, &arguments)),
            Command::Restart(arguments) => block_on(restart::run(self, arguments)),
            Command::Backup(arguments) => block_on(backup::run(self, arguments)),
            Command::Backups(arguments) => block_on(backup::list::run(self, &arguments)),
            Command::Restore(arguments) => block_on(restore::run(self, &arguments)),
            Command::Rebuild(arguments) => block_on(rebuild::run(self, &arguments)),
            Command::Drill(arguments) => block_on(drill::run(self, &arguments)),
            Command::Adopt(arguments) => block_on(adopt::adopt(self, &arguments)),
            Command::Forget(arguments) => block_on(adopt::forget(self, &arguments)),
            Command::ImportDns(arguments) => block_on(import_dns::run(self, &arguments)),
            Command::Lock(command) => block_on(lock::run(self, &command)),
            Command::Unlock(arguments) => block_on(lock::unlock(self, &arguments)),
            Command::Doctor(arguments) => block_on(doctor::run(self, &arguments)),
            Command::Explain(arguments) => explain::run(self, &arguments),
            Command::Schema(arguments) => schema::run(self, &arguments),
            Command::Secrets(command) => secrets::run(self, &command),
            Command::Sandbox(command) => block_on(sandbox::run(self, &command)),
            Command::Completions(arguments) => completions::run(self, &arguments),
            Command::Man(arguments) => man::run(self, &arguments),
            Command::Version { json } => {
                let version = env!("CARGO_PKG_VERSION");
                self.print(&match json {
                    true => format!("{}\n", serde_json::json!({ "ipai_version": version })),
                    false => format!("ipai {version}\n"),
                });
                Ok(exit::OK)
            }
        }
    }
}

fn block_on<F: Future<Output = Outcome>>(future: F) -> Outcome {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failed::new(format!("error: cannot start: {error}")))?;
    let outcome = runtime.block_on(future);
    // Whatever still runs in the background must not hold the exit up.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    outcome
}
