//! The questions that only people can answer.

use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::QuestionV1;

use super::layout::Screen;
use crate::screen::report::view::Show;
use crate::screen::style::Paint;

impl Screen<'_> {
    /// The questions in one line, or in full with `--show questions` and `--show all`.
    pub(super) fn questions(&mut self) {
        let questions = &self.report.questions;
        if questions.is_empty() {
            return;
        }
        let answered: Vec<String> = questions
            .iter()
            .filter(|question| question.answer.is_some())
            .map(|question| text::line(&question.topic, 60))
            .collect();
        let in_full = matches!(self.view.show, Show::All | Show::Questions);
        let asks = match (questions.len(), answered.len()) {
            (count, all) if count == all => format!("all {count} that only people can answer are answered"),
            (count, 0) => format!("{count} that only people can answer"),
            (count, some) => format!("{count} that only people can answer, {some} answered"),
        };
        let mut lines = vec![if in_full { asks } else { format!("{asks}: --show questions") }];
        if !answered.is_empty() {
            lines.push(format!("answered: {}", answered.join(", ")));
        }
        if in_full {
            let name = self.view.name;
            lines.push(format!("{name} rules coverage --attest-template begins a file of answers, for --attest"));
        }
        self.block("questions", &lines);
        if !in_full {
            return;
        }
        for question in questions {
            self.question(question);
        }
    }

    fn question(&mut self, question: &QuestionV1) {
        let rules = if question.rules.is_empty() { String::new() } else { format!(" ({})", question.rules.join(" ")) };
        let clauses = Paint::bold(question.clauses.join(" "));
        self.gap();
        self.out.fold("   ", "   ", &format!("{clauses}{rules} {}", text::clean(&question.topic)));
        let mut lines = vec![question.says.clone(), format!("ask: {}", question.ask)];
        if let Some(answer) = &question.answer {
            let note = if answer.note.is_empty() { String::new() } else { format!(" ({})", answer.note) };
            lines.push(format!(
                "answer: {} by {} on {}, until {}{note}",
                answer.answer, answer.by, answer.on, answer.expires
            ));
        }
        lines.extend(question.refused.clone());
        for line in &lines {
            self.out.fold_below("      ", &text::line(line, 600));
        }
    }
}
