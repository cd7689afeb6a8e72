//! The gate of a dry run: a write is sent only to a server that stores nothing of it, according to the API server's own
//! list of servers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests: a panic is a failure")]

mod fake;

use fake::{Program, Ran, Reply, Request, Server, status};
use serde_json::{Value, json};

/// The answers of the API server on the servers of groups.
#[derive(Clone, Copy)]
enum Says {
    /// APIServices: these groups are handed to a Service, the others are not.
    HandedOver(&'static [&'static str]),
    /// As above, where a second page of the list is read too.
    OnSecondPage(&'static [&'static str]),
    /// APIServices whose second page cannot be read.
    FirstPage,
    /// No APIServices, and all CustomResourceDefinitions: one says that widgets are served at v1.
    Definitions,
    /// Nothing of either.
    Nothing,
}

fn server(says: Says) -> Server {
    Server::start(move |request: &Request, _| match (&*request.method, &*request.path) {
        ("GET", API_SERVICES) => match says {
            Says::HandedOver(groups) => Reply::Json(200, api_services(groups)),
            Says::OnSecondPage(groups) if request.query.contains_key("continue") => {
                Reply::Json(200, api_services(groups))
            }
            Says::FirstPage if request.query.contains_key("continue") => {
                Reply::Json(500, status(500, "InternalError", "the store is away"))
            }
            Says::OnSecondPage(_) | Says::FirstPage => {
                Reply::Json(200, json!({"metadata": {"continue": "more"}, "items": []}))
            }
            Says::Definitions | Says::Nothing => forbidden(),
        },
        ("GET", DEFINITIONS) => match says {
            Says::Nothing | Says::FirstPage => forbidden(),
            _ => Reply::Json(200, definitions(&request.query["fieldSelector"])),
        },
        ("GET", "/api") => discovery(&[("", "v1", "configmaps", "ConfigMap")]),
        ("GET", "/apis") => discovery(&[
            ("apps", "v1", "deployments", "Deployment"),
            ("shop.example", "v1", "widgets", "Widget"),
            ("shop.example", "v2", "widgets", "Widget"),
            ("shop.example", "v1", "gadgets", "Gadget"),
            ("projectcalico.org", "v3", "felixconfigurations", "FelixConfiguration"),
        ]),
        ("POST", path) if path.ends_with("/selfsubjectreviews") => {
            Reply::Json(201, json!({"status": {"userInfo": {"username": "alice"}}}))
        }
        ("GET", path) if path.ends_with("/new") => Reply::Json(404, status(404, "NotFound", "not found")),
        ("GET", path) if path.ends_with("/coredns") => Reply::Json(200, coredns()),
        ("GET", path) if path.ends_with("/old") => {
            Reply::Json(200, json!({"metadata": {"name": "old", "uid": "u", "resourceVersion": "7"}}))
        }
        ("PATCH" | "POST" | "DELETE", _) => Reply::Json(200, json!({"metadata": {"name": "old", "uid": "u"}})),
        _ => Reply::Json(404, status(404, "NotFound", "not found")),
    })
}

fn forbidden() -> Reply {
    Reply::Json(403, status(403, "Forbidden", "User \"alice\" cannot list it"))
}

fn discovery(resources: &[(&str, &str, &str, &str)]) -> Reply {
    let item = |(group, version, plural, kind): &(&str, &str, &str, &str)| {
        let resource = json!({"resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced"});
        json!({"metadata": {"name": group}, "versions": [{"version": version, "resources": [resource]}]})
    };
    let items: Vec<Value> = resources.iter().map(item).collect();
    Reply::Json(200, json!({"kind": "APIGroupDiscoveryList", "items": items}))
}

fn api_services(handed_over: &[&str]) -> Value {
    let own = [("", "v1"), ("apps", "v1"), ("shop.example", "v1"), ("projectcalico.org", "v3")];
    let item = |(group, version): (&str, &str)| {
        let service = handed_over.contains(&group).then(|| json!({"namespace": "shop", "name": "api"}));
        json!({"spec": {"group": group, "version": version, "service": service}})
    };
    let reviews = item(("authentication.k8s.io", "v1"));
    json!({"items": own.map(item).into_iter().chain([reviews]).collect::<Vec<_>>()})
}

fn definitions(selector: &str) -> Value {
    let versions = json!([{"name": "v1", "served": true}, {"name": "v2", "served": false}]);
    let widgets = json!({"spec": {"group": "shop.example", "names": {"plural": "widgets"}, "versions": versions}});
    json!({"items": if selector == "metadata.name%3Dwidgets.shop.example" { vec![widgets] } else { Vec::new() }})
}

fn coredns() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "coredns", "namespace": "kube-system", "uid": "u2"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "coredns", "image": "1"}]}}}})
}

const API_SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn dry_run(server: &Server, arguments: &[&str]) -> Ran {
    let program = Program::at(&server.url());
    let manifest =
        json!({"apiVersion": "shop.example/v1", "kind": "Widget", "metadata": {"name": "new"}, "spec": {"size": 1}});
    program.write("new.json", &manifest.to_string());
    let mut all = vec!["dry-run"];
    all.extend(arguments);
    all.extend(["-n", "kube-system", "--platform", "azure-local", "-o", "json"]);
    program.run(&all)
}

/// The requests that are no reads, without the question for the user's identity.
fn writes(server: &Server) -> Vec<String> {
    let requests = server.requests();
    let writes = requests.iter().filter(|request| request.method != "GET" && !request.path.ends_with("reviews"));
    writes.map(|request| format!("{} {}", request.method, request.path)).collect()
}

#[track_caller]
fn is_barred(server: &Server, arguments: &[&str], why: &str) -> Value {
    let report = dry_run(server, arguments).exits(5).json();
    assert_eq!(report["changes"][0]["notRehearsed"], format!("cannot be rehearsed on this server: {why}"));
    assert_eq!((&report["requests"], &report["exitCode"]), (&json!(0), &json!(5)));
    assert_eq!(writes(server), Vec::<String>::new(), "{arguments:?}");
    report
}

const VERBS: [&[&str]; 8] = [
    &["annotate", "widgets/old", "a=b"],
    &["apply", "-f", "new.json"],
    &["apply", "-f", "new.json", "--server-side"],
    &["delete", "widgets/old"],
    &["label", "widgets/old", "a=b"],
    &["patch", "widgets/old", "--type=merge", "-p", "{\"spec\":{\"size\":2}}"],
    &["patch", "widgets/old", "--type=json", "-p", "[{\"op\":\"add\",\"path\":\"/spec\",\"value\":{}}]"],
    &["patch", "widgets/old", "-p", "{\"spec\":{\"size\":2}}"],
];

#[test]
fn no_verb_sends_a_write_to_a_group_that_is_handed_to_a_service() {
    for arguments in VERBS {
        let server = server(Says::HandedOver(&["shop.example"]));
        let report = is_barred(&server, arguments, "shop.example is served by shop/api");
        let notes = report["changes"][0]["notes"].to_string();
        assert!(notes.contains("nothing was sent: no rule is about this kind"), "{notes}");
        assert_eq!(report["user"]["confirmed"], true);
    }
}

/// The same verbs without a group that is handed over: only the APIService keeps their writes from being sent.
#[test]
fn every_verb_sends_its_write_to_a_group_of_kubernetes_own() {
    for arguments in VERBS {
        let server = server(Says::HandedOver(&[]));
        let report = dry_run(&server, arguments).exits(0).json();
        assert_eq!((&report["requests"], &report["changes"][0]["notRehearsed"]), (&json!(1), &json!("")));
        assert_eq!(writes(&server).len(), 1, "{arguments:?}");
    }
}

#[test]
fn a_change_that_is_not_sent_is_judged_as_given() {
    let server = server(Says::HandedOver(&["apps"]));
    // A change that voids support does so whichever server it goes to.
    let image = r#"[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"2"}]"#;
    let ran = dry_run(&server, &["patch", "deployments/coredns", "--type=json", "-p", image]).exits(3);
    let change = &ran.json()["changes"][0];
    assert_eq!((&change["findings"][0]["code"], &change["guard"]), (&json!("AA301"), &json!("deny")));
    assert_eq!(change["notRehearsed"], "cannot be rehearsed on this server: apps is served by shop/api");
    assert!(change["notes"].to_string().contains("the rules judged the change as given"), "{change}");
    assert!(!change["notes"].to_string().contains("the server accepted it"), "{change}");
    // A change without findings that was judged as given is no pass.
    let report = is_barred(&server, &["label", "deployments/old", "team=a"], "apps is served by shop/api");
    let change = &report["changes"][0];
    assert_eq!((&change["guard"], &change["support"]["after"]), (&json!("unknown"), &json!("not-judged")));
    assert_eq!(change["fields"][0]["after"], "a");
}

#[test]
fn a_group_of_the_short_list_is_rehearsed_behind_its_service() {
    let server = server(Says::HandedOver(&["projectcalico.org"]));
    let report = dry_run(&server, &["label", "felixconfigurations/old", "team=a"]).json();
    assert_eq!(report["requests"], 1, "{report}");
    assert_eq!(writes(&server), ["PATCH /apis/projectcalico.org/v3/namespaces/kube-system/felixconfigurations/old"]);
}

#[test]
fn a_version_that_no_api_service_names_is_not_rehearsed() {
    let server = server(Says::HandedOver(&[]));
    let why = "the server of shop.example/v2 is not known: no APIService names it";
    is_barred(&server, &["label", "widgets.v2.shop.example/old", "a=b"], why);
}

#[test]
fn a_list_counts_when_it_was_read_to_its_end() {
    let server = server(Says::OnSecondPage(&["shop.example"]));
    is_barred(&server, &["label", "widgets/old", "a=b"], "shop.example is served by shop/api");
    let why = "the server of shop.example/v1 is not known: \
        cannot list apiservices.apiregistration.k8s.io: the store is away (500); \
        needs list customresourcedefinitions.apiextensions.k8s.io, which is forbidden";
    is_barred(&self::server(Says::FirstPage), &["label", "widgets/old", "a=b"], why);
}

#[test]
fn without_api_services_kubernetes_own_groups_and_those_of_definitions_are_rehearsed() {
    for arguments in [["label", "configmaps/old", "team=a"], ["label", "widgets/old", "team=a"]] {
        let server = server(Says::Definitions);
        let report = dry_run(&server, &arguments).exits(0).json();
        assert_eq!((&report["requests"], writes(&server).len()), (&json!(1), 1));
    }
    let needs = "needs list apiservices.apiregistration.k8s.io, which is forbidden";
    for (resource, group, missing) in [
        ("widgets.v2.shop.example", "shop.example/v2", "widgets.shop.example at v2"),
        ("gadgets", "shop.example/v1", "gadgets.shop.example at v1"),
        // The group is on the short list, but its server is not known.
        ("felixconfigurations", "projectcalico.org/v3", "felixconfigurations.projectcalico.org at v3"),
    ] {
        let why = format!("the server of {group} is not known: {needs}; no CustomResourceDefinition serves {missing}");
        is_barred(&server(Says::Definitions), &["label", &format!("{resource}/old"), "team=a"], &why);
    }
}

#[test]
fn without_either_list_kubernetes_own_groups_alone_are_rehearsed() {
    let server = server(Says::Nothing);
    assert_eq!(dry_run(&server, &["label", "configmaps/old", "team=a"]).exits(0).json()["requests"], 1);
    let why = "the server of shop.example/v1 is not known: needs list apiservices.apiregistration.k8s.io, which is forbidden; \
        needs list customresourcedefinitions.apiextensions.k8s.io, which is forbidden";
    is_barred(&self::server(Says::Nothing), &["label", "widgets/old", "team=a"], why);
}

#[test]
fn even_the_question_for_the_identity_is_not_sent_to_a_server_that_may_store_it() {
    let server = server(Says::HandedOver(&["authentication.k8s.io"]));
    let report = dry_run(&server, &["label", "configmaps/old", "team=a"]).exits(0).json();
    assert_eq!(report["user"]["confirmed"], false);
    assert!(server.requests().iter().all(|request| request.method == "GET" || request.path.ends_with("/old")));
}

#[test]
fn the_screen_names_the_reason_and_the_steps_that_were_not_done() {
    let server = server(Says::HandedOver(&["shop.example"]));
    let program = Program::at(&server.url());
    let ran = program.run(&["dry-run", "label", "widgets/old", "team=a", "-n", "shop"]).exits(5);
    insta::assert_snapshot!(ran.screen(), @"
    mode server (dryRun=All) as alice · 0 requests · guard aksarc: would allow (assumed enforce)

      ~ shop/widget/old
          labels[team]   (unset) → a
          ? cannot be rehearsed on this server: shop.example is served by shop/api
          note: nothing was sent: no rule is about this kind, and the server's validation, admission and webhooks have not seen the change

    Plan: 0 add, 1 change, 0 delete     support of these objects: ? not judged → ? not judged
    exit 5
    ");
}

#[test]
fn a_subresource_that_leads_to_another_program_is_refused_as_an_argument() {
    let server = server(Says::HandedOver(&[]));
    let ran = dry_run(&server, &["patch", "configmaps/old", "--subresource=proxy", "-p", "{}"]).exits(2);
    assert!(ran.stderr.contains("proxy") && ran.stderr.contains("status"), "{}", ran.stderr);
    assert!(server.requests().is_empty());
}
