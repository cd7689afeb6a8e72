//! The generated parts of README.md: the screen, the table of rules and the share of the policy.

use std::collections::BTreeMap;
use std::process::Command;

use aksarc_shared::data::Platform;
use aksarc_shared::finding::Consequence;
use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::{Mode, Rule};
use anyhow::{Context, ensure};

use crate::{product, root};

/// README with the screen that the program prints, the rows of the catalogue, and the counts of its coverage.
pub(super) fn renewed(readme: &str) -> anyhow::Result<String> {
    let (head, _) = readme.split_once(BEGIN).with_context(|| format!("no {BEGIN}"))?;
    let (_, day) = head.rsplit_once(DAY).with_context(|| format!("no {DAY:?}"))?;
    let day = day.get(.."2026-11-27".len()).with_context(|| format!("no day behind {DAY:?}"))?;
    let screen = run(&["support-check", "--snapshot", "tests/clusters/drifted", "--as-of", day])?;
    let readme = with_screen(readme, &screen)?;
    with_share(&with_table(&readme), &run(&["rules", "coverage"])?)
}

fn with_screen(readme: &str, screen: &str) -> anyhow::Result<String> {
    let (head, rest) = readme.split_once(BEGIN).with_context(|| format!("no {BEGIN}"))?;
    let (_, tail) = rest.split_once(END).with_context(|| format!("no {END}"))?;
    Ok(format!("{head}{BEGIN}\n```text\n{}```\n{END}{tail}", excerpt(screen)?))
}

/// Verdict, the first rule's findings, and the end of a screen.
fn excerpt(screen: &str) -> anyhow::Result<String> {
    let blocks: Vec<&str> = screen.split("\n\n").collect();
    match blocks.as_slice() {
        [first, second, third, _, .., last] => Ok([*first, *second, *third, "…", *last].join("\n\n")),
        _ => anyhow::bail!("the screen is short enough to be shown in full:\n{screen}"),
    }
}

/// README with the numbers that the program's own count of the policy has.
fn with_share(readme: &str, coverage: &str) -> anyhow::Result<String> {
    let sum = coverage.lines().find(|line| line.contains(" clauses: ")).context("no count of clauses")?;
    let number = |after: &str| {
        let (before, _) = sum.split_once(after).with_context(|| format!("no {after:?} in {sum:?}"))?;
        let number = before.rsplit(' ').next().unwrap_or_default();
        ensure!(number.parse::<usize>().is_ok(), "no number before {after:?} in {sum:?}");
        Ok(number.to_owned())
    };
    let (all, decided, answered) =
        (number(" clauses: ")?, number(" decided by rules")?, number(" by somebody's answer alone")?);
    let mut readme = with_number(readme, "The ", " rules decide ", &catalogue::ALL.len().to_string())?;
    readme = with_number(&readme, " rules decide ", " of its ", &decided)?;
    readme = with_number(&readme, " of its ", " clauses, as we count them", &all)?;
    with_number(&readme, "answers alone decide ", " more", &answered)
}

/// A text with `number` where a number stands between `before` and `after`, which is one place.
fn with_number(text: &str, before: &str, after: &str, number: &str) -> anyhow::Result<String> {
    let places: Vec<(usize, usize)> = text
        .match_indices(before)
        .filter_map(|(at, _)| {
            let start = at + before.len();
            let rest = text.get(start..)?;
            let length = rest.find(|own: char| !own.is_ascii_digit())?;
            (length > 0 && rest.get(length..)?.starts_with(after)).then_some((start, start + length))
        })
        .collect();
    match places.as_slice() {
        [(start, end)] => {
            Ok([text.get(..*start).unwrap_or_default(), number, text.get(*end..).unwrap_or_default()].concat())
        }
        _ => anyhow::bail!("{} numbers between {before:?} and {after:?}", places.len()),
    }
}

/// README with the catalogue's rows. What a rule finds stays as README tells it; of a new rule it is the summary.
fn with_table(readme: &str) -> String {
    let (mut before, mut after, mut told) = (Vec::new(), Vec::new(), BTreeMap::new());
    for line in readme.lines() {
        if let Some((code, rest)) = line.strip_prefix("| [").and_then(|rest| rest.split_once(']'))
            && line.starts_with("| [AA")
        {
            let finds = rest.split('|').nth(1).unwrap_or_default().trim();
            told.insert(code.to_owned(), finds.to_owned());
        } else if told.is_empty() {
            before.push(line.to_owned());
        } else {
            after.push(line.to_owned());
        }
    }
    let rows = catalogue::ALL.iter().map(|rule| {
        let finds = told.get(rule.code.as_str()).map_or(rule.summary, String::as_str);
        let [page, facts @ ..] = facts(rule);
        let cells = [page, finds.to_owned()].into_iter().chain(facts);
        let cells: Vec<String> = cells.map(|cell| if cell.is_empty() { cell } else { format!(" {cell}") }).collect();
        format!("|{} |", cells.join(" |"))
    });
    let lines: Vec<String> = before.into_iter().chain(rows).chain(after).collect();
    format!("{}\n", lines.join("\n"))
}

/// The cells of a rule that the catalogue knows: its page, weight, basis, and who judges what.
fn facts(rule: &Rule) -> [String; 6] {
    // What holds on bare metal is said once, below the table.
    let platforms: Vec<Platform> = rule.platforms.iter().copied().filter(|own| own.has_policy_text()).collect();
    let heaviest = rule.heaviest(&platforms);
    let mut weights = words(heaviest).to_owned();
    for lighter in Consequence::ALL.into_iter().filter(|weight| *weight != heaviest) {
        let bear = |platform: &&Platform| rule.consequence_on(**platform) == lighter;
        let on: Vec<&str> = platforms.iter().filter(bear).map(|platform| title(*platform)).collect();
        if !on.is_empty() {
            weights = format!("{weights}; {} on {}", words(lighter), on.join(", "));
        }
    }
    let mut words_of: Vec<(&str, Vec<&str>)> = Vec::new();
    for platform in &platforms {
        let word = rule.basis_on(*platform).as_str();
        match words_of.iter_mut().find(|(known, _)| *known == word) {
            Some((_, platforms)) => platforms.push(title(*platform)),
            None => words_of.push((word, vec![title(*platform)])),
        }
    }
    let basis = match words_of.as_slice() {
        [(word, _)] => (*word).to_owned(),
        _ => words_of.iter().map(|(word, on)| format!("{word} on {}", on.join(", "))).collect::<Vec<_>>().join("; "),
    };
    let guard = match rule.mode {
        _ if rule.guards.is_empty() => "",
        Mode::Deny => "denies",
        Mode::Off => "off",
        Mode::Record => "records",
        Mode::Warn => "warns",
    };
    let tick = |yes: bool| if yes { "✓" } else { "" }.to_owned();
    [
        format!("[{}](shared/src/rules/{}.md)", rule.code, rule.code.as_str().to_lowercase()),
        weights,
        basis,
        tick(rule.state().per_object.is_some() || rule.state().per_cluster.is_some()),
        tick(rule.change.is_some()),
        guard.to_owned(),
    ]
}

fn words(consequence: Consequence) -> &'static str {
    match consequence {
        Consequence::AtRisk => "at risk",
        Consequence::NotCovered => "not covered",
        other => other.as_str(),
    }
}

fn title(platform: Platform) -> &'static str {
    match platform {
        Platform::AzureLocal => "Azure Local",
        Platform::BareMetal => "bare metal",
        Platform::Hci22h2 => "22H2",
        Platform::WindowsServer => "Windows Server",
    }
}

/// The output of the plugin with these arguments, run in the checkout.
fn run(args: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(product::plugin()?);
    product::forget(&mut command, &["KUBECTL_AKSARC_"]);
    command.args(args).current_dir(root()).env("LC_ALL", "C.UTF-8");
    let output = command.output().context("cannot run the plugin")?;
    ensure!(output.stderr.is_empty(), "{args:?} says {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

const BEGIN: &str = "<!-- screen:begin -->";
const END: &str = "<!-- screen:end -->";
const DAY: &str = "This is its output of ";

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = include_str!("../../../README.md");

    #[test]
    fn a_missing_row_comes_back_and_the_words_of_the_others_stay() {
        let row = |text: &str, code: &str| {
            text.lines().find(|line| line.starts_with(&format!("| [{code}]"))).unwrap_or_default().to_owned()
        };
        let own =
            README.replace(&row(README, "AA102"), "").replace(&row(README, "AA201"), "| [AA201](x) | my words | x |");
        let renewed = with_table(&own);
        assert!(row(&renewed, "AA102").contains(catalogue::find("AA102").unwrap().summary));
        let expected = "| [AA201](shared/src/rules/aa201.md) | my words | voids |";
        assert!(row(&renewed, "AA201").starts_with(expected), "{}", row(&renewed, "AA201"));
        assert_eq!(row(&renewed, "AA906"), row(README, "AA906"));
    }

    #[test]
    fn a_screen_is_cut_to_its_beginning_and_end() {
        let readme = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        let renewed = with_screen(&readme, "1\n\n2\n\n3\n\n4\n\n5\n\n6\n").unwrap();
        assert_eq!(renewed, format!("a\n{BEGIN}\n```text\n1\n\n2\n\n3\n\n…\n\n6\n```\n{END}\nb\n"));
        assert!(with_screen(&readme, "1\n\n2\n").unwrap_err().to_string().contains("short enough"));
    }

    #[test]
    fn counts_are_those_of_the_coverage() {
        let coverage = "4 clauses: 3 decided by rules, 1 by somebody's answer alone\n";
        let readme = "The 7 rules decide 8 of its 9 clauses, as we count them; answers alone decide 10 more.";
        let rules = catalogue::ALL.len();
        assert_eq!(
            with_share(readme, coverage).unwrap(),
            format!("The {rules} rules decide 3 of its 4 clauses, as we count them; answers alone decide 1 more.")
        );
        let twice = with_share(&readme.repeat(2), coverage).unwrap_err().to_string();
        assert!(twice.starts_with("2 numbers between \"The \""), "{twice}");
    }
}
