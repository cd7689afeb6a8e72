//! Waivers, as bytes of a file or of the API server's list: a waiver that counts in one form counts in every other, and
//! says the same there.

use aksarc_shared::people::waiver::{self, Objects, Waiver};
use aksarc_webhook::config;
use serde_json::{Value, json};

pub(crate) fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(waivers) = waiver::parse(text)
    {
        waivers.iter().for_each(reads_alike);
    }
    let mut objects = Objects::default();
    if objects.page(bytes).is_ok() {
        objects.waivers.iter().for_each(reads_alike);
    }
}

fn reads_alike(waiver: &Waiver) {
    // One that breaks a term counts nowhere.
    if waiver::all_problems(std::slice::from_ref(waiver)).next().is_some() {
        return;
    }
    let own = std::slice::from_ref(waiver);
    let mut spec = serde_json::to_value(waiver).expect("a waiver is JSON");
    let list = json!({"apiVersion": VERSION, "kind": "SupportWaiverList", "items": [spec.clone()]}).to_string();
    assert_eq!(waiver::parse(&list).expect("as an item of a file"), own);
    let guard = json!({"apiVersion": VERSION, "kind": "GuardConfig", "waivers": [spec.clone()]}).to_string();
    let guard = config::guard(guard.as_bytes()).expect("in the guard's configuration");
    assert_eq!(guard.settings().waivers, own);
    spec.as_object_mut().expect("a waiver is a map").remove("name");
    let object =
        json!({"apiVersion": VERSION, "kind": "SupportWaiver", "metadata": {"name": waiver.name}, "spec": spec});
    assert_eq!(waiver::parse(&object.to_string()).expect("as an object in a file"), own);
    let page: Value = json!({"apiVersion": VERSION, "kind": "SupportWaiverList", "items": [object]});
    let mut objects = Objects::default();
    objects.page(page.to_string().as_bytes()).expect("as an object of a cluster");
    assert_eq!((&*objects.waivers, &*objects.unreadable), (own, &[][..]));
}

const VERSION: &str = "aksarc.dev/v1alpha1";
