//! The section on undecided rules, on questions to people, and on facts that Kubernetes cannot show.

use aksarc_shared::verdict::report::v1::{OutcomeV1, QuestionV1, ReportV1, RuleV1};

use super::markup::Markup;
use super::tone::Tone;
use crate::formats::words::moment;
use crate::screen::report::summary::of_manifests;
use crate::screen::wording::counting;

/// The undecided rules, the questions to people, and the facts without a trace. Empty where there are none.
pub(super) fn part(report: &ReportV1) -> Markup {
    let mut body = Markup::default();
    undecided(report, &mut body);
    questions(report, &mut body);
    hidden(report, &mut body);
    not_run(report, &mut body);
    let mut page = Markup::default();
    if !body.is_empty() {
        page.own("<section id=\"unseen\" aria-labelledby=\"unseen-title\">")
            .own("<h2 id=\"unseen-title\">Not decided, not seen</h2>")
            .add(&body)
            .own("</section>");
    }
    page
}

/// Undecided rules that could void support stand with the findings.
fn undecided(report: &ReportV1, page: &mut Markup) {
    let is_open = |rule: &&RuleV1| rule.outcome == OutcomeV1::Unknown && !rule.could_void;
    let is_partly = |rule: &&RuleV1| {
        let found = matches!(rule.outcome, OutcomeV1::Violated | OutcomeV1::Waived);
        found && !rule.reason.is_empty() && !rule.could_void
    };
    let rules: Vec<&RuleV1> = report.rules.iter().filter(|rule| is_open(rule) || is_partly(rule)).collect();
    if rules.is_empty() {
        return;
    }
    page.own("<h3>Rules that are not decided</h3><ul class=\"rows\">");
    for rule in rules {
        page.own("<li class=\"unknown\">");
        Tone::Unknown.sign(page);
        page.fill("<div><p><span class=\"code\">{}</span> <b>{}</b></p>", [&rule.code, &rule.summary]);
        let beyond = if rule.outcome == OutcomeV1::Unknown { "" } else { "Beyond what was found: " };
        page.fill("<p>{}{}</p></div></li>", [&beyond, &rule.reason]);
    }
    page.own("</ul>");
}

fn questions(report: &ReportV1, page: &mut Markup) {
    if report.questions.is_empty() {
        return;
    }
    let (answered, open): (Vec<&QuestionV1>, Vec<&QuestionV1>) =
        report.questions.iter().partition(|question| question.answer.is_some());
    if !open.is_empty() {
        page.own("<h3>What Kubernetes cannot show, and who can answer</h3>");
        page.own("<p class=\"lead\">")
            .own("Answers are given with <code>--attest</code>; until then these stay open.</p>");
        page.own("<ul class=\"rows\">");
        for question in open {
            one(question, page);
        }
        page.own("</ul>");
    }
    if !answered.is_empty() {
        page.own("<h3>Answered by people</h3><ul class=\"rows\">");
        for question in answered {
            one(question, page);
        }
        page.own("</ul>");
    }
}

fn one(question: &QuestionV1, page: &mut Markup) {
    let tone = match &question.answer {
        None => Tone::Question,
        Some(answer) if answer.answer == "fulfilled" => Tone::Answered,
        Some(_) => Tone::Violated,
    };
    page.own("<li class=\"").own(tone.class()).own("\">");
    tone.sign(page);
    page.fill("<div><p><span class=\"code\">{}</span> <b>{}</b></p>", [&question.clauses.join(" "), &question.topic]);
    page.fill("<p class=\"says\">{}</p><p>", [&question.says]);
    with_code(page, &question.ask);
    page.own("</p>");
    if let Some(answer) = &question.answer {
        page.fill(
            "<p><b>{}</b> by {} on {}, until {}. {}</p>",
            [&answer.answer, &answer.by, &moment(&answer.on), &moment(&answer.expires), &answer.note],
        );
    }
    if let Some(refused) = &question.refused {
        page.fill("<p>{}</p>", [refused]);
    }
    page.own("</div></li>");
}

/// Appends a text whose commands stand in backticks.
fn with_code(page: &mut Markup, text: &str) {
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            page.fill("<code>{}</code>", [&part]);
        } else {
            page.text(part);
        }
    }
}

/// The clauses without a trace in Kubernetes that nobody is asked about, by reason.
fn hidden(report: &ReportV1, page: &mut Markup) {
    let is_asked = |rule: &RuleV1| report.questions.iter().any(|question| question.rules.contains(&rule.code));
    let mut hidden: Vec<(&str, Vec<&RuleV1>)> = Vec::new();
    for rule in report.rules.iter().filter(|rule| rule.outcome == OutcomeV1::NotObservable && !is_asked(rule)) {
        match hidden.iter_mut().find(|(reason, _)| *reason == rule.reason) {
            Some((_, rules)) => rules.push(rule),
            None => hidden.push((&rule.reason, vec![rule])),
        }
    }
    if hidden.is_empty() {
        return;
    }
    page.own("<h3>What leaves no trace</h3><ul class=\"rows\">");
    for (reason, rules) in hidden {
        page.own("<li class=\"quiet\">");
        Tone::NotObservable.sign(page);
        page.own("<div><p>");
        for rule in rules {
            page.fill("<span class=\"code\">{}</span> <b>{}</b> ", [&rule.code, &rule.summary]);
        }
        page.fill("</p><p>{}</p></div></li>", [&reason]);
    }
    page.own("</ul>");
}

/// The rules that judge a state, which manifests do not show.
fn not_run(report: &ReportV1, page: &mut Markup) {
    let count = report.rules.iter().filter(|rule| rule.needs_cluster).count();
    if !of_manifests(report) || count == 0 {
        return;
    }
    page.own("<h3>Not run on manifests</h3>");
    page.fill("<p>{} need a running cluster.</p>", [&counting(count, "rule")]);
    if report.input.recorded > 0 {
        page.fill(
            "<p>{} recorded from a cluster: --snapshot judges a recorded state.</p>",
            [&format!("{} look as if they were", counting(report.input.recorded, "object"))],
        );
    }
}
