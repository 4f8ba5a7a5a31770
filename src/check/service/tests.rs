use serde_json::{Value, json};

use super::*;

fn service(spec: Value) -> Service {
    serde_json::from_value(json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}))
        .expect("a Service")
}

/// Two ports, the first to a named port of the pods.
fn web() -> Service {
    service(json!({
        "selector": {"app": "web"},
        "ports": [
            {"name": "http", "port": 80, "targetPort": "http"},
            {"name": "metrics", "port": 9090, "protocol": "TCP"},
            {"name": "dns", "port": 53, "protocol": "UDP"},
        ],
    }))
}

fn endpoint(pod: &str, conditions: Value) -> Value {
    json!({
        "addresses": ["10.0.0.1"], "conditions": conditions,
        "targetRef": {"kind": "Pod", "name": pod, "namespace": "shop"},
    })
}

fn slice(ports: Value, endpoints: &[Value]) -> EndpointSlice {
    serde_json::from_value(json!({
        "metadata": {"name": "s"}, "addressType": "IPv4", "ports": ports, "endpoints": endpoints,
    }))
    .expect("an EndpointSlice")
}

fn ports() -> Value {
    json!([
        {"name": "http", "port": 8080, "protocol": "TCP"},
        {"name": "metrics", "port": 9090, "protocol": "TCP"},
        {"name": "dns", "port": 53, "protocol": "UDP"},
    ])
}

const READY: &str = r#"{"ready": true, "serving": true, "terminating": false}"#;

fn ready(pod: &str) -> Value {
    endpoint(pod, serde_json::from_str(READY).expect("JSON"))
}

fn said(found: Result<Backend, NoBackend>) -> String {
    match found {
        Ok(found) => format!("{}:{} ({} of {})", found.pod, found.port, found.ready, found.all),
        Err(error) => error.to_string(),
    }
}

fn chosen(slices: &[EndpointSlice], port: &str, turn: u64) -> String {
    said(choose(&web(), slices, &PortRef::of(port), turn))
}

#[test]
fn a_port_is_found_by_name_and_by_number() {
    let slices = [slice(ports(), &[ready("web-1")])];
    assert_eq!(chosen(&slices, "http", 0), "web-1:8080 (1 of 1)");
    assert_eq!(chosen(&slices, "80", 0), "web-1:8080 (1 of 1)");
    assert_eq!(chosen(&slices, "metrics", 0), "web-1:9090 (1 of 1)");
    let has = "it has http (80), metrics (9090), dns (53/UDP)";
    assert_eq!(chosen(&slices, "https", 0), format!("Service web has no port https; {has}"));
    // The pod's number is not the Service's.
    assert_eq!(chosen(&slices, "8080", 0), format!("Service web has no port 8080; {has}"));
    let udp = "port dns of Service web is UDP: only TCP can be forwarded";
    assert_eq!(chosen(&slices, "dns", 0), udp);
    assert_eq!(chosen(&slices, "53", 0), udp.replace("dns", "53"));
}

#[test]
fn of_a_number_for_two_protocols_the_one_that_can_be_forwarded_is_meant() {
    let dns = service(json!({
        "selector": {"app": "dns"},
        "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
        ],
    }));
    let slices = [slice(
        json!([
            {"name": "dns", "port": 1053, "protocol": "UDP"},
            {"name": "dns-tcp", "port": 2053, "protocol": "TCP"},
        ]),
        &[ready("dns-1")],
    )];
    assert_eq!(said(choose(&dns, &slices, &PortRef::Number(53), 0)), "dns-1:2053 (1 of 1)");
}

#[test]
fn a_single_port_needs_no_name() {
    let bare = service(json!({"selector": {"app": "web"}, "ports": [{"port": 80}]}));
    for port in [json!({"port": 80}), json!({"name": "", "port": 80, "protocol": "TCP"})] {
        let slices = [slice(json!([port]), &[ready("web-1")])];
        assert_eq!(said(choose(&bare, &slices, &PortRef::Number(80), 0)), "web-1:80 (1 of 1)");
    }
    let missing = choose(&bare, &[], &PortRef::of("http"), 0);
    assert_eq!(said(missing), "Service web has no port http; it has 80");
    // A slice's port without a number stands for all of them.
    let any = service(json!({
        "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}],
    }));
    let slices = [slice(json!([{}]), &[ready("web-1")])];
    assert_eq!(said(choose(&any, &slices, &PortRef::Number(80), 0)), "web-1:8080 (1 of 1)");
}

#[test]
fn only_what_is_ready_and_not_going_is_chosen() {
    for (conditions, is) in [
        (json!({}), true),
        (json!({"ready": true}), true),
        (json!({"ready": false}), false),
        (json!({"ready": true, "serving": true, "terminating": false}), true),
        // publishNotReadyAddresses
        (json!({"ready": true, "serving": false, "terminating": false}), false),
        (json!({"ready": false, "serving": true, "terminating": true}), false),
        (json!({"ready": true, "serving": true, "terminating": true}), false),
    ] {
        let slices = [slice(ports(), &[endpoint("web-1", conditions.clone())])];
        let expected =
            if is { "web-1:8080 (1 of 1)" } else { "no pod behind Service web is ready (0 of 1)" };
        assert_eq!(chosen(&slices, "http", 0), expected, "{conditions}");
    }
    assert_eq!(chosen(&[], "http", 0), "no pod is behind Service web");
    assert_eq!(chosen(&[slice(ports(), &[])], "http", 0), "no pod is behind Service web");
}

#[test]
fn turns_go_round_among_the_ready_in_the_order_of_their_names() {
    let unready = endpoint("web-2", json!({"ready": false}));
    let slices = [slice(ports(), &[ready("web-3"), unready]), slice(ports(), &[ready("web-1")])];
    let turns: Vec<String> = (0..4).map(|turn| chosen(&slices, "http", turn)).collect();
    let (one, three) = ("web-1:8080 (2 of 3)", "web-3:8080 (2 of 3)");
    assert_eq!(turns, [one, three, one, three]);
    assert_eq!(chosen(&slices, "http", u64::MAX), three);
}

#[test]
fn a_pod_of_two_address_families_counts_once() {
    let slices = [slice(ports(), &[ready("web-1")]), slice(ports(), &[ready("web-1")])];
    assert_eq!(chosen(&slices, "http", 1), "web-1:8080 (1 of 1)");
}

#[test]
fn a_named_port_may_be_another_number_in_each_pod() {
    // A roll-out that moves the port: a slice for each number.
    let old = slice(json!([{"name": "http", "port": 8080, "protocol": "TCP"}]), &[ready("web-1")]);
    let new = slice(json!([{"name": "http", "port": 9080, "protocol": "TCP"}]), &[ready("web-2")]);
    let slices = [old, new];
    assert_eq!(chosen(&slices, "http", 0), "web-1:8080 (2 of 2)");
    assert_eq!(chosen(&slices, "http", 1), "web-2:9080 (2 of 2)");
    // And a pod that has no port of that name.
    let without = slice(json!([{"name": "metrics", "port": 9090}]), &[ready("web-1")]);
    assert_eq!(
        chosen(&[without], "http", 0),
        "port http of Service web leads to the port http of its pods, and none of the 1 ready ones \
         has it"
    );
}

#[test]
fn what_has_no_pods_says_why() {
    let external = service(json!({"type": "ExternalName", "externalName": "db.example.org"}));
    assert_eq!(
        said(choose(&external, &[], &PortRef::Number(80), 0)),
        "Service web is an ExternalName for db.example.org: there is no pod behind it"
    );
    for spec in [json!({"ports": [{"port": 80}]}), json!({"selector": {}, "ports": [{"port": 80}]})]
    {
        assert_eq!(
            said(choose(&service(spec), &[], &PortRef::Number(80), 0)),
            "Service web has no selector: nothing says which pods are behind it"
        );
    }
    let portless = service(json!({"selector": {"app": "web"}, "clusterIP": "None"}));
    assert_eq!(
        said(choose(&portless, &[], &PortRef::Number(80), 0)),
        "Service web has no port 80; it has none"
    );
}

#[test]
fn endpoints_that_are_no_pods_of_this_namespace_are_passed_over() {
    let mut elsewhere = ready("web-9");
    elsewhere["targetRef"]["namespace"] = json!("other");
    let mut node = ready("web-8");
    node["targetRef"]["kind"] = json!("Node");
    let bare = json!({"addresses": ["10.0.0.7"]});
    let slices = [slice(ports(), &[elsewhere, node, bare])];
    assert_eq!(chosen(&slices, "http", 0), "no pod is behind Service web");
}

#[test]
fn what_may_pass_by_itself() {
    let none = choose(&web(), &[], &PortRef::of("http"), 0).expect_err("no pods");
    let wrong = choose(&web(), &[], &PortRef::of("https"), 0).expect_err("no port");
    assert!(none.may_pass() && !wrong.may_pass());
    assert_eq!(PortRef::of("80"), PortRef::Number(80));
    // No number of a port, so a name, which no Service has.
    assert_eq!(PortRef::of("65536").to_string(), "65536");
}
