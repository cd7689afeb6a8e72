//! Quoting: a shell reads the words of a printed command back as they were.

use std::process::Command as Process;

use aksarc_shared::command::{Command, Shell};
use proptest::prelude::*;

use super::draw::each;

/// The number of times that bash is started.
const RUNS: u32 = 16;

/// The number of commands that it is given each time.
const COMMANDS: usize = 200;

#[test]
fn bash_reads_the_words_of_a_command_back() {
    let word = prop_oneof![
        3 => "[ -~]{0,12}",
        2 => "\\PC{0,8}",
        2 => "--[a-z]{1,5}=[ -~]{0,8}",
        1 => prop::sample::select(vec!["''", "'\\''", "$(id)", "`id`", "!!", "~", "*", "{a,b}", "a=b", "--", "#", "\\", "$'a'", "-n"])
            .prop_map(str::to_owned),
    ];
    let command = prop::collection::vec(word, 1..5);
    each(RUNS, prop::collection::vec(command, COMMANDS..=COMMANDS), |commands| {
        let printed = commands.iter().map(|words| Command::kubectl(words.iter().map(String::as_str)));
        let printed: Vec<Command> = printed.filter(Command::fits).collect();
        let expected: Vec<String> = printed.iter().flat_map(|command| command.argv().iter().skip(1).cloned()).collect();
        assert!(expected.len() > COMMANDS, "{} words can be printed", expected.len());
        let lines: Vec<String> = printed.iter().map(Command::line).collect();
        let script = format!("kubectl() {{ printf '%s\\0' \"$@\"; }}\n{}\n", lines.join("\n"));
        let ran = Process::new("bash").args(["--norc", "-euc", &script]).env("LC_ALL", "C.UTF-8").output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let read = String::from_utf8(ran.stdout).unwrap();
        let read: Vec<&str> = read.split_terminator('\0').collect();
        assert_eq!(read, expected);
    });
}

/// PowerShell's rules for single quotes, as its manual has them (about_Quoting_Rules): two of a kind stand for one.
#[test]
fn powershells_quotes_are_taken_off_by_its_rules() {
    each(4_000, any::<String>(), |word| {
        let quoted = Shell::PowerShell.quote(&word);
        let Some(inner) = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) else {
            // Bare, or a flag whose value alone is quoted.
            assert!(quoted == word || word.starts_with("--"), "{word:?}: {quoted}");
            return;
        };
        let mut read = String::new();
        let mut chars = inner.chars();
        while let Some(own) = chars.next() {
            if matches!(own, '\'' | '\u{2018}'..='\u{201b}') {
                assert_eq!(chars.next(), Some(own), "a quote ends {quoted} early");
            }
            read.push(own);
        }
        assert_eq!(read, word);
    });
}
