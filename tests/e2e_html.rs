//! The HTML report in a real Chromium: phone, laptop and paper, light and dark, examined by measurements and by
//! axe-core. Pictures and PDFs of every page are kept in `target/html-screenshots`.
//!
//! Pictures and PDFs of every page are kept in `target/html-screenshots`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

#[path = "html/faults.rs"]
mod faults;
#[path = "html/look.rs"]
mod look;
#[path = "html/reports.rs"]
mod reports;

use std::fs;

use aksarc_tests::chromium::Browser;
use kubectl_aksarc::formats::html;

use look::{Look, Looker};

/// Every report is shown without a fault, in every look.
#[test]
fn a_page_shows_no_fault_in_any_look() {
    let mut browser = Browser::start().unwrap();
    let mut looker = Looker::new(&mut browser).unwrap();
    let mut found = Vec::new();
    for (name, report) in reports::all() {
        let case = ["busy", "hostile"].contains(&name).then(|| (format!("{name}-case"), html::case_page(&report)));
        for (name, page) in [(name.to_owned(), html::page(&report))].into_iter().chain(case) {
            let file = looker.keep(&format!("{name}.html"), page.as_bytes()).unwrap();
            for look in Look::ALL {
                for fault in looker.look(&name, &file, look).unwrap() {
                    found.push(format!("{name}, {look:?}: {fault}"));
                }
            }
        }
    }
    looker.say();
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    for ((name, one), (_, other)) in reports::all().iter().zip(&reports::all()) {
        assert!(html::page(one) == html::page(other) && html::case_page(one) == html::case_page(other), "{name}");
    }
}

/// A page about one fault on 2,000 nodes loads and reads like any other.
#[test]
fn two_thousand_nodes_with_one_fault_are_a_small_page() {
    let page = html::page(&reports::two_thousand());
    let one = html::page(&reports::sample("drifted"));
    assert!(page.len() < one.len() + 40_000, "{} bytes, and {} for a few nodes", page.len(), one.len());
    assert!(page.contains("2,000 nodes") && page.contains("all in the JSON report"));
}

/// Each sort of fault is found on a page that has it, and on no page without it.
#[test]
fn every_sort_of_fault_is_found_where_it_is() {
    let mut browser = Browser::start().unwrap();
    let mut looker = Looker::new(&mut browser).unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (sort, body) in faults::PAGES {
        let file = directory.path().join("page.html");
        fs::write(&file, faults::page(body)).unwrap();
        let found = looker.look_at(&file, Look::PhoneLight).unwrap();
        match sort {
            "" => assert!(found.is_empty(), "{found:?}"),
            sort => assert!(found.iter().any(|fault| fault.contains(sort)), "no {sort:?} in {found:?}"),
        }
    }
}
