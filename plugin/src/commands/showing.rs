//! The flags that choose the formats of a report, and how it is shown.

use std::path::{Path, PathBuf};

use aksarc_shared::verdict::report::v1::ReportV1;
use anyhow::anyhow;
use jiff::Timestamp;

use crate::cli::exit::Failure;
use crate::formats::{self, Chosen, ChosenParser, ReportFormat, Surroundings};
use crate::input::settings;
use crate::screen::output;
use crate::screen::report::{self, GroupBy, Show, View};
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
    /// Findings to print; problems leaves out waived ones and those that are only information
    #[arg(long, value_name = "WHICH", default_value = "problems", env = "KUBECTL_AKSARC_SHOW")]
    pub show: Show,
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

    /// Renders a report in all formats before any is written, at a moment that ages are counted from.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be serialized.
    pub(crate) fn render<'r>(&self, report: &'r ReportV1, now: Timestamp, ui: &Ui) -> Result<Renderings<'r>, Failure> {
        let view = View { look: ui.look(), name: ui.name, show: self.show, group_by: self.group_by, now };
        let around = Surroundings::from_environment(&self.sarif_prefix);
        let mut texts = Vec::new();
        for chosen in &self.output {
            let text = formats::render(report, chosen.format, &view, &around)?;
            let screen = chosen.format.on_screen();
            if let Some(note) = screen.and_then(|screen| report::left_out(report, screen, &view)) {
                ui.note(&note);
            }
            let file = chosen.file.clone().or_else(|| self.output_file.clone());
            texts.push((Chosen { format: chosen.format, file }, text));
        }
        self.note_what_has_no_place(report, ui);
        Ok(Renderings { report, around, texts })
    }

    /// Says on stderr what the screen says and some formats have no place for.
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
