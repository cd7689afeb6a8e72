//! The flags that choose the formats of a report, and how it is shown.

use std::path::{Path, PathBuf};

use aksarc_shared::verdict::report::v1::{ConsequenceV1, ReportV1};
use anyhow::anyhow;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::Timestamp;

use crate::cli::exit::Failure;
use crate::formats::{self, Chosen, ChosenParser, ReportFormat, Surroundings};
use crate::input::settings;
use crate::screen::output;
use crate::screen::report::{self, Filter, GroupBy, ObjectName, Show, View};
use crate::screen::style::Look;
use crate::screen::ui::Ui;

/// What is shown of a report, in which formats, and where.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Showing {
    /// Format, with =FILE for a file instead of stdout; repeat it for several
    #[arg(short, long, value_name = "FORMAT[=FILE]", default_value = "table", value_parser = ChosenParser, env = "KUBECTL_AKSARC_OUTPUT")]
    pub output: Vec<Chosen>,
    /// Write the format that has no file to this one instead of stdout
    #[arg(long, value_name = "FILE", value_parser = settings::file_or_nothing, env = "KUBECTL_AKSARC_OUTPUT_FILE", value_hint = clap::ValueHint::FilePath)]
    pub output_file: Option<PathBuf>,
    /// Part of the report to print
    #[arg(long, value_name = "PART", default_value = "problems", env = "KUBECTL_AKSARC_SHOW")]
    pub show: Show,
    /// Print only the findings on these objects: NAME, KIND/NAME or NAMESPACE/KIND/NAME. As with --namespace and --min-weight, the
    /// verdict, the counts and the exit code are those of all findings
    #[arg(long, value_name = "OBJECT", value_delimiter = ',', value_parser = ObjectName::parse, env = "KUBECTL_AKSARC_OBJECT")]
    pub object: Vec<ObjectName>,
    /// Print only findings of this weight or heavier
    #[arg(long, value_name = "WEIGHT", env = "KUBECTL_AKSARC_MIN_WEIGHT", value_parser = weight())]
    pub min_weight: Option<ConsequenceV1>,
    /// Order of the findings in the table
    #[arg(long, value_name = "BY", default_value = "rule", env = "KUBECTL_AKSARC_GROUP_BY")]
    pub group_by: GroupBy,
    /// Beginning of the paths that SARIF has for objects of a cluster, which have no file
    #[arg(long, value_name = "PATH", default_value = "clusters", env = "KUBECTL_AKSARC_SARIF_PREFIX")]
    pub sarif_prefix: String,
}

/// A report in all formats that were asked for.
pub(crate) struct Renderings<'r> {
    report: &'r ReportV1,
    around: Surroundings,
    texts: Vec<(Chosen, String)>,
}

impl Showing {
    /// Refuses two formats for standard output, and one file for two outputs. `others` are the files of other flags.
    ///
    /// # Errors
    /// [`Failure`] with exit 2 that names both.
    pub(crate) fn apart(&self, others: &[(&str, Option<&Path>)]) -> Result<(), Failure> {
        let mut without = self.output.iter().filter(|chosen| chosen.file.is_none()).map(|chosen| chosen.format.word());
        if let (Some(one), Some(other)) = (without.next(), without.next()) {
            return Err(Failure::input(anyhow!(
                "-o {one} and -o {other} are both for stdout: give a file to all but one of them, as -o {other}=FILE"
            )));
        }
        let flags: Vec<String> = self.output.iter().map(|chosen| format!("-o {}", chosen.format.word())).collect();
        let own = flags.iter().zip(&self.output).map(|(flag, chosen)| (&**flag, chosen.file.as_deref()));
        let own = own.chain([("--output-file", self.output_file.as_deref())]);
        output::apart(&own.chain(others.iter().copied()).collect::<Vec<_>>())?;
        if self.output_file.is_some() && self.output.iter().all(|chosen| chosen.file.is_some()) {
            return Err(Failure::input(anyhow!("--output-file has nothing to hold: every -o has a file of its own")));
        }
        Ok(())
    }

    /// Renders a report in all formats before any is written, at a moment that ages are counted from. For people only the
    /// findings in `namespace` are shown, where one is given.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be serialized.
    pub(crate) fn render<'r>(
        &self,
        report: &'r ReportV1,
        namespace: Option<&str>,
        now: Timestamp,
        ui: &Ui,
    ) -> Result<Renderings<'r>, Failure> {
        let filter = Filter {
            namespace: namespace.map(str::to_owned),
            objects: self.object.clone(),
            min_weight: self.min_weight,
        };
        let around = Surroundings::from_environment(&self.sarif_prefix);
        let mut texts = Vec::new();
        for chosen in &self.output {
            let file = chosen.file.clone().or_else(|| self.output_file.clone());
            // A file has no links.
            let look = Look { links: ui.look().links && file.is_none(), ..ui.look() };
            let (name, show, group_by, filter) = (ui.name, self.show, self.group_by, filter.clone());
            let view = View { look, name, show, filter, group_by, now };
            let text = formats::render(report, chosen.format, &view, &around)?;
            let screen = chosen.format.on_screen();
            if let Some(note) = screen.and_then(|screen| report::left_out(report, screen, &view)) {
                ui.note(&note);
            }
            texts.push((Chosen { format: chosen.format, file }, text));
        }
        self.note_what_has_no_place(report, ui);
        Ok(Renderings { report, around, texts })
    }

    /// Prints to stderr the remarks of the screen for which a format has no place.
    fn note_what_has_no_place(&self, report: &ReportV1, ui: &Ui) {
        let chosen = |format| self.output.iter().any(|chosen| chosen.format == format);
        if report.partial && chosen(ReportFormat::Name) {
            let (run, all) = (report.rules.len(), report.catalogue.rules);
            ui.note(&format!("note: of the rules asked, {run} of {all} (--only, --skip)"));
        }
        let recorded = report.input.recorded;
        if recorded > 0 && !chosen(ReportFormat::Table) {
            ui.note(&format!(
                "warning: {recorded} of {} were recorded from a cluster (uid, resourceVersion or status), and -f judges their \
                 creation: keep them in a file and judge the state with --snapshot FILE",
                report.cluster.context
            ));
        }
    }
}

/// The words of `--min-weight`.
fn weight() -> impl TypedValueParser<Value = ConsequenceV1> {
    let words = PossibleValuesParser::new(ConsequenceV1::ALL.map(ConsequenceV1::as_str));
    words.map(|word| {
        ConsequenceV1::ALL.into_iter().find(|weight| weight.as_str() == word).unwrap_or(ConsequenceV1::Info)
    })
}

impl Renderings<'_> {
    /// Writes the files, then standard output.
    ///
    /// # Errors
    /// [`Failure`] when a file or standard output cannot be written.
    pub(crate) fn write(self, ui: &Ui) -> Result<(), Failure> {
        for (chosen, text) in &self.texts {
            if let Some(path) = &chosen.file {
                output::write(path, anstream::adapter::strip_str(text).to_string().as_bytes())?;
            }
            formats::write_beside(self.report, chosen.format, &self.around)?;
        }
        for (_, text) in self.texts.iter().filter(|(chosen, _)| chosen.file.is_none()) {
            ui.print(text)?;
        }
        Ok(())
    }
}
