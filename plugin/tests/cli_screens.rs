//! What people see.

mod fake;

use fake::{Cluster, Program, Server};

fn at(cluster: Cluster) -> (Server, Program) {
    let server = Server::of(cluster);
    let program = Program::at(&server.url());
    (server, program)
}

#[test]
fn a_cluster_within() {
    let (_server, program) = at(Cluster::healthy());
    insta::assert_snapshot!(program.check(&[]).exits(0).screen(), @"");
}

#[test]
fn a_cluster_outside() {
    let (_server, program) = at(Cluster::outside());
    insta::assert_snapshot!(program.check(&[]).exits(3).screen(), @"");
}

#[test]
fn a_cluster_that_could_not_be_read_in_full() {
    let mut cluster = Cluster::healthy();
    cluster.forbidden = vec!["/api/v1/nodes".to_owned()];
    let (_server, program) = at(cluster);
    insta::assert_snapshot!(program.check(&[]).exits(5).screen(), @"");
}

#[test]
fn one_line_per_finding() {
    let (_server, program) = at(Cluster::outside());
    insta::assert_snapshot!(program.check(&["-o", "wide"]).exits(3).screen(), @"");
}

#[test]
fn one_line() {
    let (_server, program) = at(Cluster::outside());
    insta::assert_snapshot!(program.check(&["-o", "short"]).exits(3).screen(), @"");
}

#[test]
fn names() {
    let (_server, program) = at(Cluster::outside());
    insta::assert_snapshot!(program.check(&["-o", "name"]).exits(3).screen(), @"");
}

#[test]
fn nothing_but_ascii_where_the_locale_knows_no_more() {
    let (_server, program) = at(Cluster::outside());
    for args in [vec!["support-check"], vec!["support-check", "-o", "wide"], vec!["support-check", "-o", "short"], vec!["explain", "2xx"], vec!["rules", "list"], vec!["rules", "coverage"], vec!["version"]] {
        let output = program.command().args(&args).env("LC_ALL", "C").output().unwrap();
        assert!(output.stdout.is_ascii(), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
    assert!(program.check(&["--ascii"]).stdout.is_ascii());
}

#[test]
fn colours_only_where_they_are_wanted() {
    let (_server, program) = at(Cluster::outside());
    assert!(!program.check(&[]).stdout.contains('\x1b'), "stdout is no terminal");
    assert!(program.check(&["--color", "always"]).stdout.contains('\x1b'));
    assert!(!program.check(&["--color", "never"]).stdout.contains('\x1b'));
    program.check(&["--color", "always", "--output-file", "out"]).exits(3);
    assert!(!program.read("out").contains('\x1b'), "a file is no terminal");
    assert!(!program.check(&["--color", "always", "-o", "json"]).stdout.contains('\x1b'));
}

#[test]
fn what_the_cluster_says_cannot_steer_the_terminal() {
    let mut cluster = Cluster::outside();
    let (_, nodes) = cluster.lists.get_mut("/api/v1/nodes").unwrap();
    nodes[1]["metadata"]["labels"]["kubernetes.io/hostname"] = "\u{1b}[2Jgone\nAA101\u{202e}".into();
    nodes[1]["metadata"]["name"] = "moc\u{1b}]0;x\u{7}".into();
    let (_server, program) = at(cluster);
    for format in ["table", "wide", "short", "name"] {
        let ran = program.check(&["-o", format]);
        assert!(!ran.stdout.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'), "-o {format}: {:?}", ran.stdout);
    }
}

#[test]
fn usage_follows_how_we_were_called() {
    let program = Program::new();
    let ran = program.run(&["--help"]).exits(0);
    assert!(ran.stdout.contains("Usage: kubectl aksarc <COMMAND>"), "{}", ran.stdout);
}
