use super::*;
use crate::check::compare::Quantity;

fn within(namespace: Option<&str>) -> Within {
    Within {
        step: "restore".into(),
        namespace: namespace.map(Into::into),
        service: "web".into(),
        port: PortRef::of("http"),
    }
}

fn http(at: HttpAt, contains: Option<&str>) -> Question {
    let contains = contains.map(Into::into);
    Question::Http(HttpCheck { at, path: "/healthz".into(), status: 200, contains })
}

fn deployment(at: KubernetesAt, wanted: Wanted) -> Question {
    Question::Kubernetes(Box::new(KubernetesCheck {
        at,
        group: "apps".into(),
        version: "v1".into(),
        kind: "Deployment".into(),
        namespace: Some("shop".into()),
        name: "web".into(),
        wanted,
    }))
}

fn available() -> Wanted {
    Wanted::Condition { name: "Available".into(), status: "True".into() }
}

fn promql(expect: Expect) -> Question {
    let at = PromqlAt::Target("prometheus".into());
    Question::Promql(PromqlCheck { at, query: "ALERTS{severity=\"page\"}".into(), expect })
}

#[test]
fn questions_are_said_for_people() {
    let ready = Wanted::Field {
        path: FieldPath::parse("{.status.readyReplicas}").expect("a path"),
        test: Test::AtLeast(Quantity::parse("2").expect("a number")),
    };
    let host = |host: &str| Question::Tcp(TcpCheck::Host { host: host.into(), port: 5432 });
    for (question, said) in [
        (http(HttpAt::Target("shop".into()), None), "GET /healthz of target shop = 200"),
        (
            http(HttpAt::Url("http://a".into()), Some("ok")),
            "GET /healthz of http://a = 200 with \"ok\"",
        ),
        (
            http(HttpAt::Within(within(None)), None),
            "GET /healthz of service web:http in restore = 200",
        ),
        (host("database"), "tcp database:5432 opens"),
        (host("::1"), "tcp [::1]:5432 opens"),
        (
            Question::Tcp(TcpCheck::Within(within(Some("shop")))),
            "tcp service shop/web:http in restore opens",
        ),
        (
            deployment(KubernetesAt::Cluster(None), available()),
            "Deployment shop/web has condition Available=True",
        ),
        (
            deployment(KubernetesAt::Cluster(Some("other".into())), available()),
            "Deployment shop/web of cluster other has condition Available=True",
        ),
        (
            deployment(KubernetesAt::Step("restore".into()), ready),
            "Deployment shop/web in restore has status.readyReplicas at least 2",
        ),
        (promql(Expect::Empty), "ALERTS{severity=\"page\"} of target prometheus is empty"),
        (promql(Expect::Below(0.5)), "ALERTS{severity=\"page\"} of target prometheus is below 0.5"),
    ] {
        assert_eq!(question.to_string(), said);
    }
}

#[test]
fn a_question_says_what_it_needs() {
    let own = "lab";
    let other = deployment(KubernetesAt::Cluster(Some("other".into())), available());
    assert_eq!((other.within(), other.cluster(own), other.target()), (None, Some("other"), None));
    let sandboxed = deployment(KubernetesAt::Step("restore".into()), available());
    assert_eq!((sandboxed.within(), sandboxed.cluster(own)), (Some("restore"), Some("lab")));
    assert_eq!(sandboxed.namespace_within(), Some("shop"));
    let tcp = Question::Tcp(TcpCheck::Within(within(None)));
    assert_eq!((tcp.within(), tcp.cluster(own)), (Some("restore"), Some("lab")));
    let outside = http(HttpAt::Target("shop".into()), None);
    assert_eq!(
        (outside.within(), outside.cluster(own), outside.target()),
        (None, None, Some("shop"))
    );
    assert_eq!(promql(Expect::Empty).target(), Some("prometheus"));
}
