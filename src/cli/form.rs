//! How a plan is printed, for the commands that print one.

use clap::ValueEnum;

/// How a plan is printed.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Form {
    /// How to print the plan.
    #[arg(short = 'o', long, value_enum, default_value = "text", overrides_with = "json")]
    format: Format,
    /// The same as --format json.
    #[arg(long, overrides_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[value(alias = "human")]
    Text,
    /// For programs, in Terraform's shape.
    Json,
    /// For a comment on a pull request: at most 60,000 bytes.
    Markdown,
    /// A page for a browser, in one file: for a review.
    Html,
}

impl Form {
    /// As text, or as JSON.
    pub(super) const fn of(json: bool) -> Self {
        Self { format: Format::Text, json }
    }

    pub(super) const fn format(self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}
