//! How planning grows: a stack of 1,000 and one of 10,000 records, from the text to the plan, without any network.
//!
//! `cargo bench --bench planner` prints medians of five runs side by side, how the fastest grow, and what the larger stack takes in memory, each
//! measured in a process of its own. It fails when growth is far from linear, a plan of 10,000 records takes 100 MB, or
//! such a plan takes a second, or 8 MB, to be written in any of its forms.

#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use ipai::report::{
    PlanFacts, PlanOptions, Style, json_text, plan_html, plan_markdown, plan_messages,
    write_plan_json, write_plan_text,
};
use ipai_core::desired::{Inputs, compile};
use ipai_core::plan::{Options, Plan, Proposal, propose};
use ipai_core::stack::parse;
use ipai_core::{
    Address, DesiredResource, DigestKey, Foreign, HomeState, LiveResource, LiveState, Outputs,
    Sources, Types, Value,
};

const RUNS: usize = 5;
/// The larger stack over the smaller. Linear is 10, quadratic 100; in between is the noise of small numbers.
const WORST_RATIO: f64 = 25.0;
/// Peak of the whole process, in MB of 10^6 bytes.
const MOST_MEMORY: f64 = 100.0;
/// Of one form, in milliseconds.
const LONGEST_MS: f64 = 1_000.0;
/// By how much a form may make the process grow while it is written, in MB: it is not held as a whole.
const MOST_GROWTH: f64 = 8.0;

/// How the live state stands to the stack.
#[derive(Clone, Copy)]
enum Case {
    Nothing,
    Same,
    Drifted,
    Foreign,
}

const CASES: [(&str, Case); 4] = [
    ("nothing exists", Case::Nothing),
    ("all as desired", Case::Same),
    ("all drifted", Case::Drifted),
    ("all foreign", Case::Foreign),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, form] = &arguments[..]
        && word == "form"
    {
        measure_form(form);
        return ExitCode::SUCCESS;
    }
    if let [_, word, case] = &arguments[..]
        && word == "memory"
    {
        let case = CASES.iter().find(|(name, _)| name == case).unwrap().1;
        let world = World::new(10_000, case);
        let plan = world.plan().plan;
        println!("{}", peak_memory(plan.actions.len()));
        return ExitCode::SUCCESS;
    }
    let mut sound = true;
    println!("{:<16}{:>12}{:>12}{:>8}{:>12}", "", "1,000", "10,000", "ratio", "peak");
    for (name, case) in CASES {
        let (small, large) = (times(&World::new(1_000, case)), times(&World::new(10_000, case)));
        // What else runs on the machine only ever adds, so the fastest runs tell how the work grows.
        let ratio = large[0].as_secs_f64() / small[0].as_secs_f64();
        let memory = memory_of_its_own(name);
        println!(
            "{name:<16}{:>9.1} ms{:>9.1} ms{ratio:>8.1}{memory:>9.1} MB",
            milliseconds(small[RUNS / 2]),
            milliseconds(large[RUNS / 2])
        );
        sound &= ratio < WORST_RATIO && memory < MOST_MEMORY;
    }
    println!("10,000 changes as");
    for form in FORMS {
        let Written { bytes, milliseconds, growth } = form_of_its_own(form);
        let size = bytes as f64 / 1e6;
        println!("  {form:<14}{size:>9.1} MB{milliseconds:>9.1} ms{:>8}{growth:>9.1} MB", "");
        sound &= milliseconds < LONGEST_MS && growth < MOST_GROWTH;
    }
    println!(
        "claims: ratio below {WORST_RATIO}, peak below {MOST_MEMORY} MB, each form within a second and {MOST_GROWTH} MB: {}",
        if sound { "hold" } else { "BROKEN" }
    );
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The stack's text and what exists, made before the clock runs.
struct World {
    text: String,
    types: Types,
    live: LiveState,
    key: DigestKey,
}

impl World {
    fn new(records: usize, case: Case) -> Self {
        let mut types = ipai_digitalocean::types();
        types.extend(ipai_cloudflare::types());
        let (text, types) = (stack(records), Types::new(types));
        let mut world =
            Self { text, types, live: LiveState::default(), key: DigestKey::new(vec![7; 32]) };
        if !matches!(case, Case::Nothing) {
            world.live = world.derive(case);
        }
        world
    }

    fn with_inputs<T>(
        &self,
        outputs: &BTreeMap<Address, Outputs>,
        then: impl FnOnce(&Inputs<'_>) -> T,
    ) -> T {
        let (stack, problems) = parse(&[("stack.toml", &self.text)], None, &self.types);
        assert!(problems.is_empty(), "{:?}", problems.first());
        then(&Inputs {
            stack: &stack.unwrap(),
            types: &self.types,
            files: &BTreeMap::new(),
            secrets: &BTreeMap::new(),
            outputs,
            variables: &BTreeMap::new(),
            authorized_keys: &[],
            key: &self.key,
            images: None,
            sandbox: false,
        })
    }

    /// From the text to the plan, as `ipai plan` does it.
    fn plan(&self) -> Proposal {
        let outputs = self.live.outputs();
        let proposal =
            self.with_inputs(&outputs, |inputs| propose(inputs, &self.live, &Options::default()));
        assert!(proposal.problems.is_empty(), "{:?}", proposal.problems.first());
        proposal
    }

    /// The live state that equals the stack, or differs from it in one way everywhere.
    fn derive(&self, case: Case) -> LiveState {
        let web = Address::new("digitalocean", "droplet", "web");
        let ipv4 = [("ipv4".to_owned(), Value::text("203.0.113.7"))].into();
        let outputs = BTreeMap::from([(web.clone(), ipv4)]);
        let (desired, _) = self.with_inputs(&outputs, compile);
        let mut live = LiveState::default();
        live.homes.insert(web, HomeState::Ready);
        for (number, resource) in desired.resources.iter().enumerate() {
            match case {
                Case::Foreign if resource.address.provider == "cloudflare" => {
                    live.foreign.push(self.stranger(number, resource));
                }
                _ => live.resources.push(self.object(number, resource, case, &outputs)),
            }
        }
        live
    }

    fn object(
        &self,
        number: usize,
        resource: &DesiredResource,
        case: Case,
        outputs: &BTreeMap<Address, Outputs>,
    ) -> LiveResource {
        let mut attributes = resource.attributes.clone();
        if matches!(case, Case::Drifted) && resource.address.provider == "cloudflare" {
            attributes.insert("ttl".into(), Value::Int(86_400));
        }
        let schema = self.types.get(&resource.address).unwrap().schema();
        LiveResource {
            address: resource.address.clone(),
            id: number.to_string(),
            attributes,
            outputs: outputs.get(&resource.address).cloned().unwrap_or_else(|| produced(number)),
            applied: resource.version(schema),
            created: Some("2026-01-01T00:00:00Z".into()),
            home: None,
        }
    }

    fn stranger(&self, number: usize, resource: &DesiredResource) -> Foreign {
        let kind = self.types.get(&resource.address).unwrap();
        Foreign {
            provider: resource.address.provider.clone(),
            kind: resource.address.kind.clone(),
            id: number.to_string(),
            title: format!("record {number}"),
            identity: kind.identity(&resource.attributes),
        }
    }
}

/// What a record produces.
fn produced(number: usize) -> Outputs {
    let text = |text: String| Value::Text(text);
    [
        ("id".to_owned(), text(format!("{number:032x}"))),
        ("fqdn".to_owned(), text(format!("r{number}.example.com"))),
    ]
    .into()
}

/// A droplet and records, most of which point at it, written as stacks write them.
fn stack(records: usize) -> String {
    let mut text = String::from(
        "[stack]\nname = \"bench\"\n[var]\nzone = \"example.com\"\n[digitalocean.droplet.web]\nname = \"web\"\n\
         region = \"fra1\"\nsize = \"s-1vcpu-1gb\"\nimage = \"debian-13-x64\"\n",
    );
    for number in 0..records {
        let content = match number % 4 {
            0 => format!("198.51.100.{}", number % 250),
            _ => "{{ digitalocean.droplet.web.ipv4 }}".to_owned(),
        };
        write!(
            text,
            "\n[cloudflare.dns_record.r{number}]\nzone = \"{{{{ var.zone }}}}\"\nname = \"r{number}\"\n\
             type = \"A\"\ncontent = \"{content}\"\nttl = 300\n"
        )
        .unwrap();
    }
    text
}

/// How long each run took, the fastest first.
fn times(world: &World) -> Vec<Duration> {
    let run = || {
        let start = Instant::now();
        let proposal = world.plan();
        // Naming the plan is part of every command.
        assert!(!proposal.plan.fingerprint().is_empty());
        let time = start.elapsed();
        drop(proposal);
        time
    };
    let mut times: Vec<Duration> = (0..RUNS).map(|_| run()).collect();
    times.sort_unstable();
    times
}

/// The forms of a plan.
const FORMS: [&str; 6] = ["text", "text -v", "JSON", "JSON lines", "Markdown", "page"];

/// Takes what is written, and counts it.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += std::hint::black_box(bytes).len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a plan in one of its forms; how many bytes that are.
fn write_form(form: &str, plan: &Plan) -> usize {
    let mut output = Counter(0);
    let (style, options) = (Style::plain(), PlanOptions::default());
    let verbose = Style { verbose: true, ..style };
    let facts = PlanFacts { ipai_version: "0", exit_code: 2, ..PlanFacts::default() };
    match form {
        "text" => write_plan_text(&mut output, plan, &style, &options).unwrap(),
        "text -v" => write_plan_text(&mut output, plan, &verbose, &options).unwrap(),
        "JSON" => write_plan_json(&mut output, plan, &facts, &Sources::default()).unwrap(),
        "JSON lines" => {
            let lines = plan_messages(plan, None).map(|message| json_text(&message, false));
            lines.for_each(|line| output.write_all(line.as_bytes()).unwrap());
        }
        "Markdown" => {
            let text = plan_markdown(plan, &[], &style, &options, "ipai plan -v");
            output.write_all(text.as_bytes()).unwrap();
        }
        _ => plan_html(&mut output, plan, &[], &options).unwrap(),
    }
    output.0
}

/// What it takes to write 10,000 changes in a form.
struct Written {
    bytes: usize,
    milliseconds: f64,
    /// By how much the process grew, in MB.
    growth: f64,
}

/// Measures that in this process, which does nothing else, and prints it.
fn measure_form(form: &str) {
    let plan = World::new(10_000, Case::Drifted).plan().plan;
    // From here on the peak is counted anew (proc(5)).
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let (before, start) = (of_status("VmRSS:"), Instant::now());
    let bytes = write_form(form, &plan);
    let took = milliseconds(start.elapsed());
    println!("{bytes} {took} {}", (of_status("VmHWM:") - before).max(0.0));
}

fn form_of_its_own(form: &str) -> Written {
    let text = run_self(&["form", form]);
    let mut numbers = text.split_whitespace().map(|word| word.parse::<f64>().unwrap());
    let mut next = || numbers.next().unwrap();
    let (bytes, milliseconds, growth) = (next() as usize, next(), next());
    assert!(bytes > 1_000, "{form}: {bytes} bytes");
    Written { bytes, milliseconds, growth }
}

/// What this program prints when it is called with these words.
fn run_self(words: &[&str]) -> String {
    let output = Command::new(std::env::current_exe().unwrap()).args(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The peak of a process that plans once and writes the plan down, in MB.
fn memory_of_its_own(case: &str) -> f64 {
    run_self(&["memory", case]).trim().parse().unwrap()
}

fn peak_memory(actions: usize) -> f64 {
    assert!(actions > 10_000 || cfg!(debug_assertions), "a plan of {actions} actions");
    of_status("VmHWM:")
}

/// A size that the kernel tells of this process, in MB of 10^6 bytes.
fn of_status(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)).unwrap_or("0");
    kilobytes.parse::<f64>().unwrap() * 1024.0 / 1e6
}
