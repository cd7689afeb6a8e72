//! Output formats.

/// How a report is printed. The exit code does not depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: the verdict, then every finding with evidence and fix
    #[default]
    Table,
    /// One line per finding
    Wide,
    /// One line
    Short,
    /// One object per line, as kubectl takes them: kind/name
    Name,
    /// The whole report, versioned
    Json,
    /// The same as YAML
    Yaml,
}

/// What `rules` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}
