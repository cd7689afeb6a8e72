//! The connection: the cluster, the user and the proxy that flags, kubeconfig and environment select.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use fake::{Cluster, Program, Server};
use serde_json::json;

#[test]
fn impersonation_reaches_the_server() {
    let server = Server::of(Cluster::healthy());
    Program::at(&server.url())
        .check(&["--as", "alice", "--as-group", "ops", "--as-group", "dev", "--as-uid", "7"])
        .exits(0);
    let headers = &server.requests()[0].headers;
    assert_eq!(headers["impersonate-user"], "alice");
    assert_eq!(headers["impersonate-uid"], "7");
    assert!(headers.contains_key("impersonate-group"));
}

#[test]
fn a_token_flag_takes_precedence_over_the_kubeconfig() {
    let server = Server::of(Cluster::healthy());
    let program = Program::new();
    program.kubeconfig(
        &server.url(),
        &json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/nonexistent"}}),
    );
    program.check(&["--token", "given"]).exits(0);
    assert_eq!(server.requests()[0].headers["authorization"], "Bearer given");
}

#[test]
fn a_token_file_is_read_beside_its_kubeconfig() {
    let server = Server::of(Cluster::healthy());
    let program = Program::new();
    program.write("token", "from-file\n");
    program.kubeconfig(&server.url(), &json!({"tokenFile": "token"}));
    program.check(&[]).exits(0);
    assert_eq!(server.requests()[0].headers["authorization"], "Bearer from-file");
}

#[test]
fn a_credential_plugin_is_run_once() {
    let server = Server::of(Cluster::healthy());
    let program = Program::new();
    let plugin = program.write(
        "plugin",
        "#!/bin/sh\necho ran >> \"$LOG\"\necho \"$KUBERNETES_EXEC_INFO\" > \"$LOG.info\"\n\
         echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{\"token\":\"from-plugin\"}}'\n",
    );
    std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o755)).unwrap();
    let log = program.path("log");
    let exec = |command: &str| {
        json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never",
            "provideClusterInfo": true, "installHint": "install it from somewhere", "env": [{"name": "LOG", "value": log}]}})
    };
    program.kubeconfig(&server.url(), &exec(plugin.to_str().unwrap()));
    program.check(&[]).exits(0);
    assert_eq!(server.requests()[0].headers["authorization"], "Bearer from-plugin");
    assert_eq!(program.read("log"), "ran\n");
    assert!(program.read("log.info").contains(&server.url()), "the plugin is told the cluster");

    program.write("plugin", "#!/bin/sh\nexec sleep 60\n");
    program.kubeconfig(&server.url(), &exec(plugin.to_str().unwrap()));
    let ran = program.check(&["--request-timeout", "1s"]).exits(1);
    assert!(ran.stderr.contains("did not answer within 1s"), "{}", ran.stderr);

    program.write("plugin", "#!/bin/sh\nexit 3\n");
    let ran = program.check(&[]).exits(1);
    assert!(
        ran.stderr.contains("exit status: 3") && ran.stderr.contains("install it from somewhere"),
        "{}",
        ran.stderr
    );

    program.kubeconfig(&server.url(), &exec("/nonexistent/plugin"));
    let ran = program.check(&[]).exits(1);
    assert!(ran.stderr.contains("cannot start it"), "{}", ran.stderr);
}

/// A proxy that opens a tunnel to one server, whatever address it is asked for.
fn proxy(server: &Server) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (to, asked) = (server.address, Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0; 1];
                while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) == 1 {
                    head.push(byte[0]);
                }
                seen.lock().unwrap().push(String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned());
                let mut upstream = TcpStream::connect(to).unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                let (mut there, mut back) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut there, &mut upstream));
                let _gone = std::io::copy(&mut back, &mut client);
                let _gone = client.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    (url, asked)
}

#[test]
fn a_proxy_is_used_where_kubectl_would_use_it() {
    let server = Server::of(Cluster::healthy());
    let (proxy, asked) = proxy(&server);
    let program = Program::at("http://api.example:6443");
    let run = |variables: &[(&str, &str)]| {
        let mut command = program.command();
        command.args(["support-check", "--platform", "azure-local", "--as-of", "2026-06-01", "--timeout", "10s"]);
        command.envs(variables.iter().copied());
        fake::Ran::of(&command.output().unwrap())
    };
    run(&[("HTTP_PROXY", &proxy)]).exits(0);
    assert_eq!(asked.lock().unwrap()[0], "CONNECT api.example:6443 HTTP/1.1");
    let before = asked.lock().unwrap().len();
    run(&[("HTTP_PROXY", &proxy), ("NO_PROXY", "other,.example")]).exits(1);
    assert_eq!(asked.lock().unwrap().len(), before, "NO_PROXY names the server");
    // HTTPS_PROXY is for https servers.
    run(&[("HTTPS_PROXY", &proxy)]).exits(1);
    assert_eq!(asked.lock().unwrap().len(), before);
    program.write(
        "kubeconfig",
        &program.read("kubeconfig").replace("\"server\"", &format!("\"proxy-url\":\"{proxy}\",\"server\"")),
    );
    run(&[("NO_PROXY", "*")]).exits(0);
    assert!(asked.lock().unwrap().len() > before, "proxy-url of the kubeconfig counts whatever the environment says");
}

#[test]
fn contexts_clusters_and_users_are_chosen_by_flag_environment_and_file() {
    let (one, two) = (Server::of(Cluster::healthy()), Server::of(Cluster::outside()));
    let program = Program::new();
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "one",
        "clusters": [{"name": "one", "cluster": {"server": one.url()}}, {"name": "two", "cluster": {"server": two.url()}}],
        "users": [{"name": "a", "user": {"token": "a"}}, {"name": "b", "user": {"token": "b"}}],
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "a"}}, {"name": "two", "context": {"cluster": "two", "user": "b"}}],
    });
    program.write("kubeconfig", &text.to_string());
    program.check(&[]).exits(0);
    program.check(&["--context", "two"]).exits(3);
    program.check(&["--cluster", "two"]).exits(3);
    program.check(&["--server", &two.url()]).exits(3);
    program.check(&["--user", "b"]).exits(0);
    assert_eq!(one.requests().last().unwrap().headers["authorization"], "Bearer b");
    let with = |name: &str, value: &str, args: &[&str]| {
        let mut command = program.command();
        command
            .args(["support-check", "--platform", "azure-local", "--as-of", "2026-06-01"])
            .args(args)
            .env(name, value);
        fake::Ran::of(&command.output().unwrap())
    };
    with("KUBECTL_AKSARC_CONTEXT", "two", &[]).exits(3);
    with("KUBECTL_AKSARC_CONTEXT", "two", &["--context", "one"]).exits(0);
    let ran = program.check(&["--context", "twoo"]).exits(2);
    assert!(ran.stderr.contains("no context \"twoo\"; did you mean \"two\"?"), "{}", ran.stderr);
    program.check(&["--cluster", "three"]).exits(2);
    program.check(&["--user", "c"]).exits(2);
}

#[test]
fn kubeconfigs_of_a_list_are_merged_and_missing_ones_passed_over() {
    let server = Server::of(Cluster::healthy());
    let program = Program::new();
    program.write("a", "apiVersion: v1\nkind: Config\ncurrent-context: main\ncontexts:\n- name: main\n  context: {cluster: c, user: u}\n");
    program.write(
        "b",
        &format!("apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {{server: \"{}\"}}\n", server.url()),
    );
    let mut command = program.command();
    let list = std::env::join_paths([program.path("missing"), program.path("a"), program.path("b")]).unwrap();
    command.args(["support-check", "--platform", "azure-local", "--as-of", "2026-06-01"]).env("KUBECONFIG", list);
    fake::Ran::of(&command.output().unwrap()).exits(0);
}

#[test]
fn without_a_cluster_the_message_names_the_missing_flags() {
    let program = Program::new();
    let ran = program.check(&[]).exits(2);
    assert!(ran.stderr.contains("no cluster is configured") && ran.stderr.contains("--kubeconfig"), "{}", ran.stderr);
    let ran = program.check(&["--kubeconfig", "nowhere"]).exits(2);
    assert!(ran.stderr.contains("cannot read kubeconfig nowhere"), "{}", ran.stderr);
    program.write("kubeconfig", "{{{");
    program.check(&[]).exits(2);
}
