//! The options that decide the verdict: platform, moment, rules, waivers, version tables.

use std::path::Path;

use aksarc_shared::data::tables;
use aksarc_shared::data::versions::{self, Table};
use aksarc_shared::data::{Platform, embedded};
use aksarc_shared::facts::answers::{self, Attestation};
use aksarc_shared::finding::Consequence;
use aksarc_shared::people::waiver::Waiver;
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::Rule;
use aksarc_shared::text;
use aksarc_shared::verdict::check::Params;
use anyhow::{Context as _, anyhow, bail};
use clap::builder::FalseyValueParser;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cli::exit::Failure;
use crate::commands::{baseline, explain};
use crate::input::settings::{PLATFORMS, moment_or_now, read, release};
use crate::input::waivers::{self, WaiverSource};
use crate::screen::ui::Ui;

/// Flags that decide the verdict.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Judging")]
pub struct Judging {
    /// Platform of the cluster; each has its own policy text
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = PLATFORMS, env = "KUBECTL_AKSARC_PLATFORM")]
    pub platform: String,
    /// Release of the host, as its maker names it: 2019 or 2022 of Windows Server, 22H2 of Azure Stack HCI, 2602 of
    /// Azure Local. A cluster does not show it, and the host's own end of support counts too
    #[arg(long, value_name = "RELEASE", value_parser = release, env = "KUBECTL_AKSARC_PLATFORM_RELEASE")]
    pub platform_release: Option<String>,
    /// Judge as of this day (2026-12-31, at midnight UTC), this moment (RFC 3339), or now; for a snapshot the default is the
    /// moment when it was taken, for everything else now
    #[arg(long, value_name = "DATE", value_parser = moment_or_now, env = "KUBECTL_AKSARC_AS_OF")]
    pub as_of: Option<Timestamp>,
    /// Run only these rules: codes, slugs or categories such as 2xx
    #[arg(long, value_name = "RULES", value_delimiter = ',', env = "KUBECTL_AKSARC_ONLY")]
    pub only: Vec<String>,
    /// Skip these rules: codes, slugs or categories
    #[arg(long, value_name = "RULES", value_delimiter = ',', env = "KUBECTL_AKSARC_SKIP")]
    pub skip: Vec<String>,
    /// Fail with exit code 4 on findings of this weight or heavier; what voids support fails with 3 in any case
    #[arg(long, value_name = "WEIGHT", default_value = "voids", value_parser = ["voids", "at-risk", "not-covered", "info"], env = "KUBECTL_AKSARC_FAIL_ON")]
    pub fail_on: String,
    /// Exit 0 instead of 5 when something is unknown; the verdict stays inconclusive
    #[arg(long, env = "KUBECTL_AKSARC_ALLOW_INCOMPLETE", value_parser = FalseyValueParser::new())]
    pub allow_incomplete: bool,
    /// Waivers: a file, - for standard input, or cluster for the SupportWaivers of the cluster; none for none, which
    /// overrides the environment. Waivers that do not count are named on stderr, with the reason
    #[arg(long, value_name = "FILE|cluster|none", env = "KUBECTL_AKSARC_WAIVERS", value_hint = clap::ValueHint::FilePath)]
    pub waivers: Option<String>,
    /// People's answers to questions that Kubernetes cannot answer; `rules coverage --attest-template` prints a
    /// template
    #[arg(long, value_name = "FILE", env = "KUBECTL_AKSARC_ATTEST", value_hint = clap::ValueHint::FilePath)]
    pub attest: Option<String>,
    /// Baseline of a known-good time, recorded by `baseline capture`
    #[arg(long, value_name = "FILE", env = "KUBECTL_AKSARC_BASELINE", value_hint = clap::ValueHint::FilePath)]
    pub baseline: Option<String>,
    /// Version tables newer than the built-in ones, in the same format
    #[arg(long, value_name = "FILE", env = "KUBECTL_AKSARC_VERSIONS", value_hint = clap::ValueHint::FilePath)]
    pub versions: Option<String>,
}

impl Judging {
    /// The engine's parameters from the flags, without the cluster's own waivers, which are added later.
    ///
    /// # Errors
    /// [`Failure`] with exit 2 when a flag or a file is wrong.
    pub fn params(&self, ui: &Ui) -> Result<Params, Failure> {
        let now = self.as_of.unwrap_or_else(Timestamp::now);
        let mut params = Params::at(now);
        params.platform = Platform::parse(&self.platform);
        params.release = self.host_release(params.platform).map_err(Failure::input)?;
        params.rules = self.rules(ui.name).map_err(Failure::input)?;
        params.waivers = self.waivers().map_err(Failure::input)?;
        params.attestations = self.attestations().map_err(Failure::input)?;
        params.fail_on = Consequence::parse(&self.fail_on).unwrap_or(Consequence::Voids);
        params.allow_incomplete = self.allow_incomplete;
        params.versions = tables(self.versions.as_deref(), params.platform, now, ui)?;
        if let Some(path) = &self.baseline {
            params.baseline = Some(baseline::read(Path::new(path)).context("--baseline").map_err(Failure::input)?);
        }
        Ok(params)
    }

    /// Warns on stderr if the day of `--as-of` lies before the snapshot was taken, or before the first dated policy
    /// text.
    pub(super) fn warn_of_early_day(&self, taken: Option<&str>, ui: &Ui) {
        let Some(as_of) = self.as_of else { return };
        let day = as_of.to_zoned(TimeZone::UTC).date();
        if let Some(taken) = taken.and_then(|taken| taken.parse::<Timestamp>().ok()).filter(|taken| as_of < *taken) {
            let taken = taken.to_zoned(TimeZone::UTC).date();
            if taken > day {
                ui.note(&format!(
                    "warning: the snapshot was taken on {taken}, after the day of --as-of, {day}: what it shows may not have \
                     been so then"
                ));
            }
        }
        let first = embedded().policy_texts().filter_map(|document| document.date).min();
        if let Some(first) = first.filter(|first| day < *first) {
            ui.note(&format!(
                "warning: --as-of {day} is before the first of the dated policy texts, {first}: judged is by texts that were \
                 not there yet"
            ));
        }
    }

    /// Warns on stderr about answers that do not count, whose questions stay open.
    pub(super) fn warn_of_answers(answers: &[Attestation], now: Timestamp, ui: &Ui) {
        for (answer, problems) in answers::problems(answers, embedded(), now).iter().filter(|(_, p)| !p.is_empty()) {
            let why: Vec<String> = problems.iter().map(ToString::to_string).collect();
            let clause = text::line(&answer.clause, 40);
            ui.note(&format!("warning: the answer to {clause} does not count: {}", why.join(", ")));
        }
    }

    /// The host's release. A release of another platform is an error.
    fn host_release(&self, platform: Option<Platform>) -> anyhow::Result<Option<String>> {
        let Some(release) = &self.platform_release else { return Ok(None) };
        match (tables::lifecycle().host(release), platform) {
            (Some(host), Some(platform)) if host.platform != platform => {
                bail!("--platform-release {release} is {}, and --platform is {}", host.title, platform.as_str())
            }
            _ => Ok(Some(release.clone())),
        }
    }

    fn rules(&self, own_name: &str) -> anyhow::Result<Vec<&'static Rule>> {
        let named = |flag: &str, words: &[String]| -> anyhow::Result<Vec<&'static str>> {
            let mut codes = Vec::new();
            if !words.is_empty() && words.iter().all(|word| word.trim().is_empty()) {
                bail!("{flag} is empty: name a rule, or leave the flag out");
            }
            for word in words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
                codes.extend(explain::select(word, own_name)?.iter().map(|rule| rule.code.as_str()));
            }
            Ok(codes)
        };
        let (only, skip) = (named("--only", &self.only)?, named("--skip", &self.skip)?);
        let wanted = |rule: &&&Rule| {
            let code = rule.code.as_str();
            (only.is_empty() || only.contains(&code)) && !skip.contains(&code)
        };
        let rules: Vec<_> = catalogue::ALL.iter().filter(wanted).copied().collect();
        if rules.is_empty() {
            bail!("--only and --skip leave no rule to run");
        }
        Ok(rules)
    }

    fn waivers(&self) -> anyhow::Result<Vec<Waiver>> {
        match WaiverSource::of(self.waivers.as_deref()) {
            WaiverSource::File(path) => waivers::of_file(path).context("--waivers"),
            WaiverSource::Cluster | WaiverSource::None => Ok(Vec::new()),
        }
    }

    fn attestations(&self) -> anyhow::Result<Vec<Attestation>> {
        let Some(path) = self.attest.as_deref().filter(|path| !path.is_empty()) else { return Ok(Vec::new()) };
        answers_of(path).context("--attest")
    }
}

/// The answers of a file.
///
/// # Errors
/// It cannot be read, or is of another kind.
pub(crate) fn answers_of(path: &str) -> anyhow::Result<Vec<Attestation>> {
    answers::parse(&read(Path::new(path))?).with_context(|| format!("cannot read answers from {path}"))
}

/// The tables of `--versions`, for a judgement as of `as_of`. Tables that change nothing are named on stderr.
///
/// A table from the future is refused, since it would keep minors in support for as long as it is ahead. A table may be
/// later than the judged day, but not later than today: a judgement of the past may use what is known now. One day is
/// allowed on top, for clocks and time zones.
///
/// # Errors
/// [`Failure`] with exit 2 when the file cannot be read, is not of this kind, or is of a day to come.
pub(crate) fn tables(
    path: Option<&str>,
    platform: Option<Platform>,
    as_of: Timestamp,
    ui: &Ui,
) -> Result<Vec<Table>, Failure> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let tables = tables_of(path).context("--versions").map_err(Failure::input)?;
    let latest = as_of.max(Timestamp::now()).to_zoned(TimeZone::UTC).date();
    let latest = latest.tomorrow().unwrap_or(latest);
    for table in &tables {
        if table.as_of > latest {
            let (name, day) = (table.platform.as_str(), table.as_of);
            return Err(Failure::input(anyhow!(
                "cannot use the version tables from {path}: as_of {day} of the table of {name} is in the future"
            )));
        }
        let built_in = tables::version_table(table.platform).map(|own| own.as_of);
        if let Some(built_in) = built_in.filter(|built_in| table.as_of < *built_in) {
            let (name, day) = (table.platform.as_str(), table.as_of);
            ui.note(&format!(
                "warning: the table of {name} in {path} is of {day}, older than the built-in one of {built_in}"
            ));
        }
    }
    if let Some(platform) = platform.filter(|own| tables.iter().all(|table| table.platform != *own)) {
        let name = platform.as_str();
        ui.note(&format!("warning: {path} holds no table of {name}: the built-in one counts"));
    }
    Ok(tables)
}

/// The version tables of a file.
///
/// # Errors
/// It cannot be read, or is of another kind.
pub(crate) fn tables_of(path: &str) -> anyhow::Result<Vec<Table>> {
    versions::parse(&read(Path::new(path))?).with_context(|| format!("cannot read version tables from {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::settings::moment;

    #[test]
    fn platforms_are_the_engines() {
        let own: Vec<_> = PLATFORMS.iter().filter_map(|word| Platform::parse(word)).collect();
        assert_eq!(own, Platform::ALL);
    }

    #[test]
    fn a_day_is_its_first_moment() {
        assert!(moment_or_now("Now").unwrap_err().contains("now, a day such as"));
        moment_or_now("now").unwrap();
        assert_eq!(moment("2026-12-31").unwrap().to_string(), "2026-12-31T00:00:00Z");
        assert_eq!(moment("2026-12-31T10:00:00Z").unwrap().to_string(), "2026-12-31T10:00:00Z");
        assert_eq!(moment("9999-12-30").unwrap().to_string(), "9999-12-30T00:00:00Z");
        assert!(moment("9999-12-31").unwrap_err().starts_with("out of range"));
        for early in ["0000-01-01", "2018-12-31", "2018-12-31T23:59:59Z"] {
            assert!(moment_or_now(early).unwrap_err().contains("no day before 2019"), "{early}");
        }
        moment_or_now("2019-01-01").unwrap();
        for bad in ["", "yesterday", "2026-13-01", "2026-12-31T10:00"] {
            assert!(moment(bad).unwrap_err().starts_with("expected a day such as"), "{bad}");
        }
    }
}
