//! Deadlines on a time line, and as a list that says the same in words.

use aksarc_shared::verdict::report::v1::{ClockV1, ReportV1};

use super::markup::Markup;
use crate::screen::wording::{counting, days};

/// The deadlines of the next five years, and those that are past. Nothing where there are none.
pub(super) fn part(report: &ReportV1) -> Markup {
    let mut page = Markup::default();
    let (near, far): (Vec<&ClockV1>, Vec<&ClockV1>) =
        report.clocks.iter().partition(|clock| clock.days_left <= FAR_DAYS);
    if near.is_empty() && far.is_empty() {
        return page;
    }
    page.own("<section id=\"deadlines\" aria-labelledby=\"deadlines-title\"><h2 id=\"deadlines-title\">Deadlines</h2>");
    let (shown, more) = near.split_at(near.len().min(MAX_SHOWN));
    let days: Vec<Day> =
        shown.chunk_by(|a, b| a.due == b.due && a.days_left == b.days_left).filter_map(Day::of).collect();
    if !days.is_empty() {
        line(&days, &mut page);
        page.own("<ol class=\"clocks\">");
        for day in &days {
            item(day, &mut page);
        }
        page.own("</ol>");
    }
    if !more.is_empty() {
        page.fill("<p class=\"remark\">{}: in the JSON report.</p>", [&counting(more.len(), "more deadline")]);
    }
    if !far.is_empty() {
        page.fill(
            "<p class=\"remark\">{} beyond five years: in the JSON report.</p>",
            [&counting(far.len(), "deadline")],
        );
    }
    page.own("</section>");
    page
}

/// The deadlines of one day.
struct Day<'r> {
    first: &'r ClockV1,
    clocks: &'r [&'r ClockV1],
}

impl<'r> Day<'r> {
    fn of(clocks: &'r [&'r ClockV1]) -> Option<Self> {
        Some(Day { first: clocks.first()?, clocks })
    }

    fn distance(&self) -> String {
        match self.first.days_left {
            left @ 1.. => format!("in {}", days(left)),
            left => days(left),
        }
    }

    /// The class of a day: its place and its words say the same.
    fn urgency(&self) -> &'static str {
        match self.first.days_left {
            ..0 => "past",
            0..=30 => "soon",
            _ => "later",
        }
    }
}

fn item(day: &Day<'_>, page: &mut Markup) {
    page.own("<li class=\"").own(day.urgency()).own("\"><p class=\"when\">");
    page.fill("<time>{}</time> <b>{}</b></p><ul>", [&day.first.due, &day.distance()]);
    for clock in day.clocks {
        page.fill("<li>{}", [&clock.what]);
        if !clock.platforms.is_empty() {
            page.fill(" <span class=\"remark\">on {}</span>", [&clock.platforms.join(", ")]);
        }
        if !clock.code.is_empty() {
            page.fill(" <span class=\"code\">{}</span>", [&clock.code]);
        }
        page.own("</li>");
    }
    page.own("</ul></li>");
}

/// The time line: a mark for each day, with its number in the list below, which is its text.
fn line(days: &[Day<'_>], page: &mut Markup) {
    let scale = Scale::of(days);
    let mut lanes: Vec<f64> = Vec::new();
    let mut marks = Vec::new();
    for (number, day) in days.iter().enumerate() {
        let at = scale.place(day.first.days_left);
        // A lane has room where the mark before is far enough to the left.
        let lane = lanes.iter().position(|last| at - last >= APART).unwrap_or(lanes.len());
        match lanes.get_mut(lane) {
            Some(last) => *last = at,
            None => lanes.push(at),
        }
        marks.push((percent(at), lane, number + 1, day.urgency()));
    }
    let axis = 16 + LANE * lanes.len();
    let height = |lane: usize| axis - LANE / 2 - LANE * lane;
    let words = format!(
        "Time line from the day judged on, with {}. The list below says the same.",
        counting(days.len(), "mark")
    );
    page.fill(
        "<svg class=\"timeline\" role=\"img\" aria-label=\"{}\" width=\"100%\" height=\"{}\">",
        [&words, &(axis + 26)],
    );
    page.fill("<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"{}\" y2=\"{}\"/>", [&axis, &axis]);
    for (tick, words) in TICKS.into_iter().filter(|(tick, _)| *tick <= scale.last) {
        let at = percent(scale.place(tick));
        page.fill("<line class=\"tick\" x1=\"{}\" x2=\"{}\" y1=\"4\" y2=\"{}\"/>", [&at, &at, &(axis + 5)]);
        page.fill(
            "<text class=\"tick-words\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            [&at, &(axis + 20), &words],
        );
    }
    // All lines come before all marks, so that no line runs through a number.
    for (x, lane, _, class) in &marks {
        page.own("<g class=\"mark ").own(class).own("\">");
        page.fill("<line x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/></g>", [x, x, &height(*lane), &axis]);
    }
    for (x, lane, number, class) in &marks {
        page.own("<g class=\"mark ").own(class).own("\">");
        page.fill("<circle cx=\"{}\" cy=\"{}\" r=\"11\"/>", [x, &height(*lane)]);
        page.fill("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text></g>", [x, &(height(*lane) + 4), number]);
    }
    page.own("</svg>");
}

/// The places of days on the line. It narrows with the distance, as the square root of the days, so that next week and the
/// year after next both have room; the ticks say which days are where.
struct Scale {
    last: i64,
}

impl Scale {
    fn of(days: &[Day<'_>]) -> Self {
        Scale { last: days.iter().map(|day| day.first.days_left).max().unwrap_or(0).max(30) }
    }

    /// In percent of the line: what is past stands left of today.
    fn place(&self, days: i64) -> f64 {
        if days < 0 {
            return PAST;
        }
        #[expect(clippy::cast_precision_loss, reason = "days of a few years")]
        let share = (days as f64 / self.last as f64).sqrt();
        TODAY + (END - TODAY) * share
    }
}

fn percent(place: f64) -> String {
    format!("{place:.1}%")
}

const TICKS: [(i64, &str); 6] =
    [(0, "today"), (30, "1 month"), (91, "3 months"), (365, "1 year"), (730, "2 years"), (1461, "4 years")];

/// Percents of the line.
const PAST: f64 = 3.0;
const TODAY: f64 = 9.0;
const END: f64 = 96.0;

/// Percents between two marks on one lane: a mark is 22 pixels wide, and a phone shows 350.
const APART: f64 = 7.5;

/// The height of a lane in pixels.
const LANE: usize = 28;

/// Five years: nobody plans that far ahead by a page.
const FAR_DAYS: i64 = 5 * 366;

/// Deadlines on the page. A cluster has a handful; waivers can be many.
const MAX_SHOWN: usize = 24;
