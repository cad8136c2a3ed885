//! `ipai completions`

use clap::{CommandFactory, ValueEnum};
use clap_complete::Generator;
use clap_complete::shells::{Bash, Fish, Zsh};

use super::{Outcome, Run, exit};

/// Print a script that lets a shell complete ipai's commands and options.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  ipai completions bash > ~/.local/share/bash-completion/completions/ipai\n  ipai completions zsh > ~/.zfunc/_ipai    # a folder of $fpath\n  ipai completions fish > ~/.config/fish/completions/ipai.fish"
)]
pub(super) struct Arguments {
    /// The shell.
    shell: Shell,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(run: &Run<'_>, arguments: &Arguments) -> Outcome {
    run.print(&match arguments.shell {
        Shell::Bash => script(Bash),
        Shell::Zsh => script(Zsh),
        Shell::Fish => script(Fish),
    });
    Ok(exit::OK)
}

fn script(shell: impl Generator) -> String {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut super::Arguments::command(), "ipai", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
